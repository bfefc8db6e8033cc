package control

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// datagrams tells whether a network keeps message boundaries.
func datagrams(network string) bool { return !strings.HasPrefix(network, "tcp") }

// maxDatagram is the largest UDP payload.
const maxDatagram = 65535

// writePacket frames a datagram: length of the address in one byte, the
// address, length of the data in two bytes, the data.
func writePacket(w io.Writer, address string, data []byte) error {
	if len(address) > 255 || len(data) > maxDatagram {
		return fmt.Errorf("control: a datagram of %d bytes does not fit: at most %d", len(data), maxDatagram)
	}
	b := make([]byte, 0, 3+len(address)+len(data))
	b = append(append(b, byte(len(address))), address...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	_, err := w.Write(append(b, data...))
	return err
}

// readPacket reads what writePacket wrote; n is how much of the data went into b.
func readPacket(r io.Reader, b []byte) (n int, address string, err error) {
	var head [256]byte
	if _, err := io.ReadFull(r, head[:1]); err != nil {
		return 0, "", err
	}
	a := head[:head[0]]
	if _, err := io.ReadFull(r, a); err != nil {
		return 0, "", err
	}
	address = string(a)
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return 0, "", err
	}
	left := int(binary.BigEndian.Uint16(size[:]))
	n = min(left, len(b))
	if _, err := io.ReadFull(r, b[:n]); err != nil {
		return 0, "", err
	}
	_, err = io.CopyN(io.Discard, r, int64(left-n))
	return n, address, err
}

// packetConn is a datagram socket of the far instance.
type packetConn struct {
	c    net.Conn
	info socketInfo
	rd   sync.Mutex
	wr   sync.Mutex
}

func (p *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	p.rd.Lock()
	defer p.rd.Unlock()
	n, a, err := readPacket(p.c, b)
	return n, addr{p.info.Network, a}, err
}

func (p *packetConn) WriteTo(b []byte, to net.Addr) (int, error) {
	p.wr.Lock()
	defer p.wr.Unlock()
	if err := writePacket(p.c, to.String(), b); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (p *packetConn) Read(b []byte) (int, error) {
	n, _, err := p.ReadFrom(b)
	return n, err
}

func (p *packetConn) Write(b []byte) (int, error) { return p.WriteTo(b, addr{}) }

func (p *packetConn) Close() error                       { return p.c.Close() }
func (p *packetConn) LocalAddr() net.Addr                { return addr{p.info.Network, p.info.Local} }
func (p *packetConn) RemoteAddr() net.Addr               { return addr{p.info.Network, p.info.Remote} }
func (p *packetConn) SetDeadline(t time.Time) error      { return p.c.SetDeadline(t) }
func (p *packetConn) SetReadDeadline(t time.Time) error  { return p.c.SetReadDeadline(t) }
func (p *packetConn) SetWriteDeadline(t time.Time) error { return p.c.SetWriteDeadline(t) }

// carry moves datagrams between a socket and a control stream until one of
// them ends. connected sockets need no address.
func carry(stream net.Conn, sock net.PacketConn, connected bool, resolve func(string) (net.Addr, error)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, maxDatagram)
		for {
			n, from, err := sock.ReadFrom(b)
			if os.IsTimeout(err) || err != nil && !connected {
				break
			}
			if err != nil { // a refused datagram: the next may arrive
				if strings.Contains(err.Error(), "closed") {
					break
				}
				continue
			}
			if writePacket(stream, from.String(), b[:n]) != nil {
				break
			}
		}
		_ = stream.Close()
	}()
	b := make([]byte, maxDatagram)
	for {
		n, to, err := readPacket(stream, b)
		if err != nil {
			break
		}
		if connected {
			if w, ok := sock.(io.Writer); ok {
				_, _ = w.Write(b[:n])
			}
			continue
		}
		if a, err := resolve(to); err == nil {
			_, _ = sock.WriteTo(b[:n], a)
		}
	}
	_ = sock.Close()
	_ = stream.Close()
	<-done
}
