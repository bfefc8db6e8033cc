package ipcommon

import (
	"encoding/binary"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Pinger is an echo client for one destination, on a ping socket. Its methods
// block: in virtual time only a task may call them. It is for one caller at a
// time.
type Pinger struct {
	socket  *core.Socket
	host    core.Host
	request uint8
	buf     []byte
}

// EchoReply is what came back for one request.
type EchoReply struct {
	From      wire.Addr
	Seq       uint16
	Data      []byte // valid until the next call
	RoundTrip time.Duration
	HopLimit  uint8 // TTL or hop limit with which it arrived
}

// NewPinger opens a socket for echo requests to dst; scope is the interface
// index of a link-local IPv6 address, else 0. EPROTONOSUPPORT if the wiring has
// no ping sockets of the family, and the errors of a route look-up.
func NewPinger(in *core.Instance, dst wire.Addr, scope uint32) (*Pinger, error) {
	family, number, request := core.AFInet, wire.ProtoICMP, uint8(wire.ICMPv4Echo)
	if !dst.Is4() {
		family, number, request = core.AFInet6, wire.ProtoICMPv6, wire.ICMPv6Echo
	}
	s, err := in.Socket(family, core.SockDgram, int(number))
	if err != nil {
		return nil, err
	}
	if err := s.Connect(core.SockAddr{Addr: dst, Scope: scope}); err != nil {
		_ = s.Close()
		return nil, err
	}
	return &Pinger{socket: s, host: in.Domain().Host(), request: request}, nil
}

// Ping sends data in an echo request and waits for its reply. Replies to
// earlier requests are passed over. The error is core.ErrDeadline when none came
// in time, or what an ICMP error said (EHOSTUNREACH, ENETUNREACH, …).
func (p *Pinger) Ping(seq uint16, data []byte, timeout time.Duration) (EchoReply, error) {
	sent := p.host.Now()
	p.buf = append(p.buf[:0], p.request, 0, 0, 0, 0, 0, byte(seq>>8), byte(seq))
	p.buf = append(p.buf, data...)
	if _, err := p.socket.Send(&core.Message{Data: p.buf}); err != nil {
		return EchoReply{}, err
	}
	p.socket.SetReadDeadline(sent.Add(timeout))
	defer p.socket.SetReadDeadline(0)
	if n := wire.ICMPv4Size + len(data); cap(p.buf) < n {
		p.buf = make([]byte, n)
	}
	for {
		m := core.Message{Data: p.buf[:cap(p.buf)]}
		n, err := p.socket.Receive(&m)
		if err != nil {
			return EchoReply{}, err
		}
		b := p.buf[:min(n, cap(p.buf))]
		if len(b) < wire.ICMPv4Size || binary.BigEndian.Uint16(b[6:]) != seq {
			continue
		}
		return EchoReply{From: m.Addr.Addr, Seq: seq, Data: b[wire.ICMPv4Size:], RoundTrip: m.Arrival.Sub(sent), HopLimit: m.HopLimit}, nil
	}
}

// Socket is the socket, for its options (IP_TTL, SO_BINDTODEVICE).
func (p *Pinger) Socket() *core.Socket { return p.socket }

// Close ends the client.
func (p *Pinger) Close() error { return p.socket.Close() }
