package posix_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/posix"
)

func TestRingsToSendFromAndHeadersOfOffloadsAreAsTheKernels(t *testing.T) {
	for name, f := range ringPrograms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if theirs := kernelTrace(t, f); theirs != "" {
				differ(t, ourTrace(t, f), theirs)
			}
		})
	}
}

const (
	packetTxRing   = 13
	packetLoss     = 14
	packetVnet     = 15
	packetHasOff   = 19
	packetVnetSize = 24
)

// stampedStatus is TP_STATUS_TS_SOFTWARE, which received frames have when any program of the
// machine wants time stamps.
const stampedStatus = 1 << 29

// mapped maps the rings of a packet socket, of n bytes.
func (p *program) mapped(fd, n int) []byte {
	if ours, ok := p.calls.(*posix.Process); ok {
		if k := (&proc{ours, p.t}).ringSize(fd); k != n {
			p.t.Fatalf("rings of %d bytes, not %d", k, n)
		}
		b := make([]byte, n)
		p.must(ours.MapRing(fd, b))
		return b
	}
	b, err := unix.Mmap(fd, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	p.must(err)
	p.t.Cleanup(func() { _ = unix.Munmap(b) })
	return b
}

// lengths logs the frames that wait, by their length and first byte.
func (p *program) lengths(what string, fd, at int) {
	p.sleep(10e6)
	var got []string
	for {
		b := make([]byte, 4096)
		n, _, err := p.Recvfrom(fd, b, posix.MSG_DONTWAIT, nil)
		if err != nil {
			break
		}
		got = append(got, fmt.Sprintf("%d %#x", n, b[at]))
	}
	p.log(what, got)
}

// slots are the frames of a ring to send from, as one version has them.
type slots struct {
	p                            *program
	fd, version, size            int
	b                            []byte
	status, length, mac, network int // offsets in the header
	data                         int
}

func (p *program) slots(fd, version, size, blocks int) *slots {
	p.must(p.Setsockopt(fd, solPacket, packetVersion, int32le(version)))
	return p.slotsOf(fd, version, size, blocks)
}

func (p *program) slotsOf(fd, version, size, blocks int) *slots {
	p.set("ring", fd, packetTxRing, words32(4096, uint32(blocks), uint32(size), uint32(4096/size*blocks), 0, 0, 0))
	s := &slots{p: p, fd: fd, version: version, size: size, b: p.mapped(fd, 4096*blocks)}
	switch version {
	case 0:
		s.status, s.length, s.mac, s.network, s.data = 0, 8, 16, 18, 32
	case 1:
		s.status, s.length, s.mac, s.network, s.data = 0, 4, 12, 14, 32
	default:
		s.status, s.length, s.mac, s.network, s.data = 20, 16, 24, 26, 48
	}
	return s
}

// put marks a frame to send.
func (s *slots) put(i int, frame []byte) {
	f := s.b[i*s.size:]
	copy(f[s.data:s.size], frame)
	binary.NativeEndian.PutUint32(f[s.length:], uint32(len(frame)))
	binary.NativeEndian.PutUint32(f[s.status:], 1)
}

func (s *slots) kick(what string, flags int) {
	n, err := s.p.Sendto(s.fd, nil, flags, nil)
	s.p.sleep(10e6)
	var status []uint32
	for i := 0; i < len(s.b)/s.size; i++ {
		status = append(status, u32(s.b[i*s.size:], s.status))
	}
	s.p.log(what, n, err, status)
}

// packetOf is an Ethernet frame with an IPv4 packet that nobody takes: its checksum is wrong.
func packetOf(n int, mark byte) []byte {
	b := make([]byte, max(n, 16))
	b[12], b[14], b[15] = 8, 0x45, mark
	return b[:n]
}

func (p *program) cooked(fd int, b []byte) (int, error) {
	to := link(core.LinkAddress{Ifindex: 1, Protocol: wire.EtherTypeIPv4, Length: 6})
	return p.Sendto(fd, b, 0, to)
}

var ringPrograms = map[string]func(p *program){
	"frames": func(p *program) {
		for version := range 3 {
			for _, typ := range []int{posix.SOCK_RAW, posix.SOCK_DGRAM} {
				in := p.packet(typ, wire.EtherTypeIPv4)
				out := p.opened(typ, 0)
				at := 15
				of := packetOf
				if typ == posix.SOCK_DGRAM {
					at, of = 1, func(n int, mark byte) []byte { return packetOf(n+14, mark)[14:] }
				}
				r := p.slots(out, version, 1024, 2)
				r.kick("unbound", 0)
				p.must(p.Bind(out, link(core.LinkAddress{Ifindex: 1, Protocol: wire.EtherTypeIPv4})))
				r.kick("nothing", 0)
				r.put(0, of(60, 1))
				r.put(1, of(61, 2))
				r.put(3, of(62, 3))
				p.polls("to be sent", out)
				r.kick("two, and one behind a gap", 0)
				p.lengths("arrived", in, at)
				r.put(2, of(300, 4))
				r.kick("the gap", posix.MSG_DONTWAIT)
				p.lengths("arrived", in, at)
				for i := range 8 {
					r.put(i, of(80+i, byte(i)))
				}
				n, err := p.Sendto(out, []byte("what is sent does not matter"), 0, nil)
				p.log("a full ring", n, err)
				p.lengths("arrived", in, at)
				r.put(4, of(70, 9))
				r.put(5, of(1024-r.data+1, 9)[:1024-r.data])
				binary.NativeEndian.PutUint32(r.b[5*1024+r.length:], uint32(1024-r.data+1))
				r.put(6, of(71, 9))
				r.kick("one is too long", 0)
				p.lengths("arrived", in, at)
				r.kick("still", 0)
				r.put(5, of(72, 9))
				r.kick("mended", 0)
				p.lengths("arrived", in, at)
				r.put(7, of(13, 0))
				r.put(0, of(73, 9))
				r.kick("a short one", 0)
				p.lengths("arrived", in, at)
				r.put(7, nil)
				r.kick("an empty one", 0)
				if version == 2 {
					r.put(7, of(60, 1))
					r.b[7*1024] = 96
					r.kick("frames of different sizes", 0)
				}
				p.did("a send buffer", p.Setsockopt(out, core.SolSocket, 7, int32le(100_000)))
				p.set("another version", out, packetVersion, int32le(0))
				p.set("loss", out, packetLoss, int32le(1))
				p.set("offsets", out, packetHasOff, int32le(1))
				p.value("are", out, packetHasOff)
				p.set("vnet", out, packetVnet, int32le(1))
				p.set("reserve", out, packetReserve, int32le(1))
				p.closes(out)
				p.closes(in)
			}
		}
	},
	"frames to an address": func(p *program) {
		in := p.packet(posix.SOCK_DGRAM, wire.EtherTypeIPv4)
		for _, typ := range []int{posix.SOCK_RAW, posix.SOCK_DGRAM} {
			out := p.opened(typ, 0)
			r := p.slots(out, 1, 512, 1)
			for _, x := range []struct {
				what  string
				index int
			}{{"lo", 1}, {"no interface", 0}, {"another", 77}} {
				r.put(0, packetOf(100, 7))
				n, err := p.Sendto(out, nil, 0, link(core.LinkAddress{Ifindex: x.index, Protocol: wire.EtherTypeIPv4, Length: 6}))
				p.log(x.what, n, err)
				p.sleep(10e6)
				p.log("status", u32(r.b, r.status))
				if x.index == 1 {
					p.lengths("arrived", in, 1)
				} else {
					r.b[0] = 0
				}
			}
			p.closes(out)
		}
	},
	"frames that are passed over": func(p *program) {
		for version := range 3 {
			in, out := p.packet(posix.SOCK_RAW, wire.EtherTypeIPv4), p.packet(posix.SOCK_RAW, 0)
			p.set("loss", out, packetLoss, int32le(1))
			r := p.slots(out, version, 512, 1)
			r.put(0, packetOf(60, 1))
			r.put(1, packetOf(13, 2))
			r.put(2, packetOf(62, 3))
			r.put(3, packetOf(60, 4))
			binary.NativeEndian.PutUint32(r.b[3*512+r.length:], 60_000)
			r.put(4, packetOf(63, 5))
			r.kick("two are none", 0)
			p.lengths("arrived", in, 15)
			p.closes(in)
			p.closes(out)
		}
	},
	"frames at offsets": func(p *program) {
		for version := range 3 {
			for _, typ := range []int{posix.SOCK_RAW, posix.SOCK_DGRAM} {
				in, out := p.packet(posix.SOCK_RAW, wire.EtherTypeIPv4), p.packet(typ, wire.EtherTypeIPv4)
				p.set("offsets", out, packetHasOff, int32le(1))
				r := p.slots(out, version, 512, 1)
				for _, off := range []int{0, 1, r.data - 1, r.data, r.data + 1, 100, 512 - 60, 512 - 59, 512, 60_000} {
					r.put(0, nil)
					binary.NativeEndian.PutUint32(r.b[r.length:], 60)
					binary.NativeEndian.PutUint16(r.b[r.mac:], uint16(off))
					binary.NativeEndian.PutUint16(r.b[r.network:], uint16(off))
					if off+60 <= 512 && off >= r.data {
						copy(r.b[off:], packetOf(60, byte(off)))
					}
					n, err := p.cooked(out, nil)
					p.log(fmt.Sprint("offset ", off), n, err, u32(r.b, r.status))
					p.lengths("arrived", in, 15)
					if err == nil { // back to the first
						for range 7 {
							p.sleep(1e6)
							break
						}
						p.closes(out)
						out = p.packet(typ, wire.EtherTypeIPv4)
						p.set("offsets", out, packetHasOff, int32le(1))
						r = p.slots(out, version, 512, 1)
					}
				}
				p.closes(in)
				p.closes(out)
			}
		}
	},
	"geometries": func(p *program) {
		for version := range 3 {
			for _, name := range []int{packetTxRing, packetRxRing} {
				for _, g := range [][]uint32{
					{4096, 1}, {0, 1, 128, 32, 0, 0, 0}, {4000, 1, 100, 40, 0, 0, 0}, {4096, 1, 48, 85, 0, 0, 0}, {4096, 1, 64, 64, 0, 0, 0}, {4096, 1, 80, 51, 0, 0, 0}, {4096, 1, 136, 30, 0, 0, 0},
					{4096, 1, 8192, 0, 0, 0, 0}, {4096, 2, 128, 63, 0, 0, 0}, {1 << 31, 1, 128, 1 << 24, 0, 0, 0}, {1 << 31, 2, 128, 1 << 25, 0, 0, 0}, {4096, 0, 128, 32, 0, 0, 0}, {4096, 1 << 31, 4096, 1 << 31, 0, 0, 0}, {4096, 1<<32 - 1, 128, 1<<32 - 32, 0, 0, 0},
					{4096, 1, 2048, 2, 1, 0, 0}, {4096, 1, 2048, 2, 0, 8, 0}, {4096, 1, 2048, 2, 0, 0, 1}, {4096, 1, 2048, 2, 0, 4096, 0}, {4096, 1, 2048, 2, 0, 1<<32 - 1, 0}, {4096, 1, 2048, 2, 0, 0, 0},
				} {
					s := p.opened(posix.SOCK_RAW, 0)
					p.must(p.Setsockopt(s, solPacket, packetVersion, int32le(version)))
					p.set(fmt.Sprint("version ", version, " ring ", name, " of ", g), s, name, words32(g...))
					p.set("a second one", s, name, words32(4096, 1, 2048, 2, 0, 0, 0))
					p.set("another version", s, packetVersion, int32le(0))
					p.set("none", s, name, words32(0, 0, 0, 0, 0, 0, 0))
					p.set("none again", s, name, words32(0, 0, 0, 0, 0, 0, 0))
					p.set("another version", s, packetVersion, int32le(0))
					p.closes(s)
				}
			}
		}
	},
	"both rings": func(p *program) {
		for version := range 3 {
			s := p.packet(posix.SOCK_RAW, wire.EtherTypeIPv4)
			p.must(p.Setsockopt(s, solPacket, packetVersion, int32le(version)))
			p.set("receive", s, packetRxRing, words32(8192, 1, 2048, 4, 10, 0, 0))
			p.set("send", s, packetTxRing, words32(4096, 1, 2048, 2, 0, 0, 0))
			m := p.mapped(s, 8192+4096)
			r := &slots{p: p, fd: s, size: 2048, b: m[8192:], status: []int{0, 0, 20}[version], length: []int{8, 4, 16}[version], data: []int{32, 32, 48}[version]}
			other := p.packet(posix.SOCK_RAW, 0)
			_, err := p.Sendto(other, packetOf(77, 1), 0, nil)
			p.must(err)
			r.put(0, packetOf(60, 1))
			r.put(1, packetOf(61, 1))
			r.kick("sent", 0)
			p.sleep(50e6)
			p.polls("received", s)
			if version < 2 {
				p.log("frames", m[0], u32(m, r.length), m[2048], u32(m[2048:], r.length), m[4096], u32(m[4096:], r.length))
			} else {
				p.log("frames", u32(m, 8)&1, u32(m, 12))
			}
			p.closes(s)
			p.closes(other)
		}
	},
	"headers of offloads": func(p *program) {
		out := p.packet(posix.SOCK_RAW, 0)
		p.set("vnet", out, packetVnet, int32le(1))
		in := p.packet(posix.SOCK_RAW, wire.EtherTypeIPv4)
		p.set("vnet", in, packetVnetSize, int32le(12))
		p.set("auxdata", in, packetAuxdata, int32le(1))
		for _, x := range []struct {
			what  string
			head  vnet
			frame []byte
		}{
			{"nothing", vnet{}, segment(4, wire.ProtoTCP, 100)},
			{"data valid", vnet{flags: 2}, segment(4, wire.ProtoTCP, 100)},
			{"a checksum of TCP", vnet{flags: 1, start: 34, field: 16}, segment(4, wire.ProtoTCP, 100)},
			{"a checksum of UDP", vnet{flags: 1, start: 34, field: 6}, segment(4, wire.ProtoUDP, 100)},
			{"segments", vnet{flags: 1, gso: 1, head: 54, size: 200, start: 34, field: 16}, segment(4, wire.ProtoTCP, 1000)},
			{"long segments", vnet{flags: 1, gso: 1, head: 54, size: 1000, start: 34, field: 16}, segment(4, wire.ProtoTCP, 9000)},
			{"segments with ECN", vnet{flags: 1, gso: 0x81, head: 54, size: 200, start: 34, field: 16}, reduced(segment(4, wire.ProtoTCP, 1000))},
			{"one segment", vnet{flags: 1, gso: 1, head: 54, size: 1000, start: 34, field: 16}, segment(4, wire.ProtoTCP, 1000)},
		} {
			n, err := p.Sendto(out, append(x.head.bytes(), x.frame...), 0, nil)
			p.log(x.what, n, err)
			p.sleep(10e6)
			m := &posix.Msghdr{Iov: [][]byte{make([]byte, 7), make([]byte, 20_000)}, Control: make([]byte, 100)}
			n, err = p.Recvmsg(in, m, posix.MSG_DONTWAIT)
			b := append(m.Iov[0], m.Iov[1]...)
			b[2], b[3] = 0, 0 // how much of it is not in pages: a hint
			p.log("arrived", n, err, fmt.Sprintf("% x", b[:60]))
			if c, _, ok := core.NextControl(m.Control[:m.ControlLen]); ok {
				p.log("auxdata", u32(c.Data, 0), u32(c.Data, 4), u32(c.Data, 8))
			}
			p.lengths("more", in, 0)
		}
		n, err := p.Sendto(out, make([]byte, 9), 0, nil)
		p.log("half a header", n, err)
		n, err = p.Sendto(out, make([]byte, 10), 0, nil)
		p.log("no frame", n, err)
		n, err = p.Sendto(out, make([]byte, 10+13), 0, nil)
		p.log("half a link header", n, err)
		_, err = p.Sendto(out, append(make([]byte, 10), packetOf(60, 1)...), 0, nil)
		p.must(err)
		p.sleep(10e6)
		p.reads("no room for the header", in, 11, posix.MSG_DONTWAIT)
		p.reads("it is lost", in, 11, posix.MSG_DONTWAIT)
		_, err = p.Sendto(out, append(make([]byte, 10), packetOf(60, 1)...), 0, nil)
		p.must(err)
		p.sleep(10e6)
		p.reads("room for little more", in, 15, posix.MSG_DONTWAIT)
	},
	"headers of offloads in rings": func(p *program) {
		for version := range 2 {
			in, out := p.packet(posix.SOCK_RAW, wire.EtherTypeIPv4), p.packet(posix.SOCK_RAW, 0)
			for _, s := range []int{in, out} {
				p.set("vnet", s, packetVnetSize, int32le(12))
				p.must(p.Setsockopt(s, solPacket, packetVersion, int32le(version)))
			}
			p.set("ring", in, packetRxRing, words32(8192, 1, 2048, 4))
			m := p.mapped(in, 8192)
			r := p.slotsOf(out, version, 2048, 1)
			h := vnet{flags: 1, gso: 1, head: 54, size: 200, start: 34, field: 16}
			r.put(0, append(append(h.bytes(), 0, 0), segment(4, wire.ProtoTCP, 900)...))
			h.start = 2000
			r.put(1, append(append(h.bytes(), 0, 0), segment(4, wire.ProtoTCP, 900)...))
			r.kick("one is bad", 0)
			p.sleep(10e6)
			mac, network := u16(m, r.mac), u16(m, r.network)
			p.log("received", u32(m, 0)&^stampedStatus, u32(m, r.length), mac, network, fmt.Sprintf("% x", m[mac-12:mac+20]))
			p.closes(in)
			p.closes(out)
		}
	},
	"bad headers of offloads": func(p *program) {
		out := p.packet(posix.SOCK_RAW, 0)
		p.set("vnet", out, packetVnet, int32le(1))
		for _, f := range []struct {
			what  string
			frame []byte
		}{{"TCP", segment(4, wire.ProtoTCP, 500)}, {"TCP over IPv6", segment(6, wire.ProtoTCP, 500)}, {"UDP", segment(4, wire.ProtoUDP, 500)}} {
			for _, flags := range []int{0, 1, 2} {
				for _, gso := range []int{0, 1, 4, 5, 7, 0x81} {
					for _, head := range []int{0, 54, 2000} {
						for _, size := range []int{0, 1, 100, 600, 0xffff} {
							for _, start := range []int{0, 19, 20, 34, 54, 530, 1000} {
								for _, field := range []int{6, 16} {
									h := vnet{flags, gso, head, size, start, field}
									_, err := p.Sendto(out, append(h.bytes(), f.frame...), 0, nil)
									p.log(fmt.Sprint(f.what, h), err)
								}
							}
						}
					}
				}
			}
			p.sleep(1e6)
		}
	},
}

// vnet is struct virtio_net_hdr.
type vnet struct{ flags, gso, head, size, start, field int }

func (h vnet) bytes() []byte {
	b := []byte{byte(h.flags), byte(h.gso)}
	for _, v := range []int{h.head, h.size, h.start, h.field} {
		b = binary.NativeEndian.AppendUint16(b, uint16(v))
	}
	return b
}

// segment is an Ethernet frame with n bytes of TCP or UDP to nobody.
func segment(version int, protocol uint8, n int) []byte {
	b := make([]byte, 14+40, 14+60+n)
	ip, size := b[14:], 20
	if version == 6 {
		size, b = 40, b[:14+60]
		ip = b[14:]
		b[12], b[13] = 0x86, 0xdd
		ip[0], ip[6], ip[7], ip[23], ip[39] = 0x60, protocol, 64, 2, 3
		binary.BigEndian.PutUint16(ip[4:], uint16(20+n))
	} else {
		b[12], b[13] = 8, 0
		ip[0], ip[8], ip[9] = 0x45, 64, protocol
		copy(ip[12:], "\x7f\x00\x00\x02\x7f\x00\x00\x03")
		binary.BigEndian.PutUint16(ip[2:], uint16(40+n))
	}
	t := ip[size:]
	binary.BigEndian.PutUint16(t, 4000)
	binary.BigEndian.PutUint16(t[2:], 9)
	if protocol == wire.ProtoUDP {
		binary.BigEndian.PutUint16(t[4:], uint16(20+n))
	} else {
		t[12], t[13] = 5<<4, 0x19 // of 20 bytes; FIN, PSH, ACK
	}
	return append(b, make([]byte, n)...)
}

// reduced sets CWR in a segment of TCP over IPv4.
func reduced(b []byte) []byte {
	b[14+20+13] |= 0x80
	return b
}
