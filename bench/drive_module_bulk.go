package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/plugin/session"
	"github.com/libos-go/libos/protocols/udp"
)

const (
	bulkWindow = 128     // datagrams on their way: rings and receive buffer hold more
	bulkStep   = 32      // read before the sender hears of it
	bulkBuffer = 4 << 20 // bytes of receive buffer of receive buffer: no datagram of the window is dropped
)

// driveDatagramBulk measures bytes a second from one socket to another, each used by a goroutine of its own.
func driveDatagramBulk(b Budget, send, recv net.Conn) (Figure, error) {
	if err := firstError(recv.(*core.PacketConn).SetReadBuffer(bulkBuffer), recv.SetReadDeadline(time.Now().Add(patience))); err != nil {
		return Figure{}, err
	}
	var e echoes
	e.failed = make(chan error, 2)
	room := make(chan struct{}, bulkWindow/bulkStep)
	go func() {
		var out [datagram]byte
		for seq := uint64(0); ; {
			room <- struct{}{}
			for range bulkStep {
				binary.BigEndian.PutUint64(out[:], seq)
				seq++
				if _, err := send.Write(out[:]); err != nil {
					e.fail(fmt.Errorf("sending: %w", err))
					return
				}
			}
		}
	}()
	go func() {
		var in [datagram + 1]byte
		for seq := uint64(0); ; {
			for range bulkStep {
				n, err := recv.Read(in[:])
				if err != nil {
					e.fail(fmt.Errorf("receiving: %w", err))
					return
				}
				if got := binary.BigEndian.Uint64(in[:]); n != datagram || got != seq {
					e.fail(fmt.Errorf("received %d bytes numbered %d, want %d numbered %d", n, got, datagram, seq))
					return
				}
				seq++
			}
			e.count.Add(bulkStep)
			<-room
		}
	}()
	v, cpu, err := e.rate(b, 0)
	return Figure{Value: v * datagram / 1e6, Detail: map[string]float64{"cpu-ns-here": cpu}}, err
}

// bulkPair are two hosts whose UDP is linked in, or in a module of one process for both.
func bulkPair(module bool) (send, recv net.Conn, err error) {
	n := newNetwork()
	w := *libos.Wiring()
	n.wiring = &core.Wiring{Name: "bulk", Loopback: w.Loopback, Networks: w.Networks, Sysctls: w.Sysctls}
	entry := core.ProtocolEntry{Protocol: udp.Protocol(), Sysctls: sysctl.Of[udp.Sysctls]()}
	if module {
		l, _, err := startRings("protocols")
		if err != nil {
			return nil, nil, err
		}
		s := session.New(n.domain, session.Options{Name: "udp"})
		if err := s.Connect(session.Rings{Link: l}); err != nil {
			return nil, nil, err
		}
		entry = s.Protocol(entry.Protocol, entry.Sysctls)
	}
	a, z, err := n.pair()
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(a.AddProtocol(entry), z.AddProtocol(entry)); err != nil {
		return nil, nil, err
	}
	return datagramPair(a, z, "10.0.0.1", "10.0.0.2")
}

func oursModuleBulk(b Budget) (Figure, error) {
	send, recv, err := bulkPair(true)
	if err != nil {
		return Figure{}, err
	}
	return driveDatagramBulk(b, send, recv)
}

// peerModuleBulk is the same protocol linked in.
func peerModuleBulk(b Budget) (Figure, error) {
	send, recv, err := bulkPair(false)
	if err != nil {
		return Figure{}, err
	}
	return driveDatagramBulk(b, send, recv)
}
