package posix_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/posix"
)

func TestPacketSocketsAnswerAsTheKernels(t *testing.T) {
	for name, f := range packetPrograms {
		t.Run(name, func(t *testing.T) {
			if theirs := kernelTrace(t, f); theirs != "" {
				differ(t, ourTrace(t, f), theirs)
			}
		})
	}
}

// packet opens a packet socket, bound to lo.
func (p *program) packet(typ int, of wire.EtherType) int {
	fd := p.opened(typ, of)
	p.must(p.Bind(fd, link(core.LinkAddress{Ifindex: 1})))
	return fd
}

func (p *program) opened(typ int, of wire.EtherType) int {
	fd, err := p.Socket(posix.AF_PACKET, typ, networkOrder(of))
	p.must(err)
	p.fds = append(p.fds, fd)
	return fd
}

// attach attaches a filter.
func (p *program) attach(fd int, list ...bpf.Instruction) {
	raw, err := bpf.Assemble(list)
	p.must(err)
	if ours, ok := p.calls.(*posix.Process); ok {
		p.must((&proc{ours, p.t}).attach(fd, list...))
		return
	}
	code := make([]unix.SockFilter, len(raw))
	for i, x := range raw {
		code[i] = unix.SockFilter{Code: x.Op, Jt: x.Jt, Jf: x.Jf, K: x.K}
	}
	p.must(unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}))
}

// closes a socket before the end.
func (p *program) closes(fd int) {
	p.must(p.Close(fd))
	for i, x := range p.fds {
		if x == fd {
			p.fds = append(p.fds[:i], p.fds[i+1:]...)
			return
		}
	}
}

func (p *program) set(what string, fd, name int, b []byte) {
	p.did(what, p.Setsockopt(fd, solPacket, name, b))
}

// value logs an option of SOL_PACKET.
func (p *program) value(what string, fd, name int) {
	var b [64]byte
	n, err := p.Getsockopt(fd, solPacket, name, b[:])
	p.log(what, n, err, fmt.Sprintf("%x", b[:max(n, 0)]))
}

// fanout is struct fanout_args, without its second word if most is below 0.
func fanout(id, mode, flags, most int) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(id))
	b = binary.NativeEndian.AppendUint16(b, uint16(mode|flags<<8))
	if most >= 0 {
		b = binary.NativeEndian.AppendUint32(b, uint32(most))
	}
	return b
}

var packetPrograms = map[string]func(p *program){
	"options of every length": func(p *program) {
		s := p.packet(posix.SOCK_RAW, ethAll)
		for name := range 28 {
			for _, n := range []int{0, 1, 3, 4, 5, 8, 15, 16, 27, 28, 40} {
				p.set(fmt.Sprint("option ", name, " of ", n), s, name, make([]byte, n))
			}
		}
	},
	"options read": func(p *program) {
		s := p.packet(posix.SOCK_RAW, ethAll)
		for name := range 28 {
			p.value(fmt.Sprint("option ", name), s, name)
			for _, n := range []int{0, 1, 2, 3} {
				k, err := p.Getsockopt(s, solPacket, name, make([]byte, n))
				p.log(fmt.Sprint("option ", name, " into ", n), k, err)
			}
		}
	},
	"options of numbers": func(p *program) {
		for _, typ := range []int{posix.SOCK_RAW, posix.SOCK_DGRAM} {
			for _, name := range []int{3, 7, 8, 9, 10, 12, 14, 15, 16, 17, 19, 20, 23, 24} {
				s := p.packet(typ, ethAll)
				for _, v := range []int{1, 2, 3, 5, 10, 12, -1, 0} {
					p.set(fmt.Sprint("option ", name, " to ", v), s, name, int32le(v))
					p.value("is", s, name)
				}
				p.closes(s)
			}
		}
	},
	"memberships": func(p *program) {
		s := p.packet(posix.SOCK_RAW, ethAll)
		mreq := func(index, kind, length, size int) []byte {
			b := binary.NativeEndian.AppendUint32(nil, uint32(index))
			b = binary.NativeEndian.AppendUint16(b, uint16(kind))
			b = binary.NativeEndian.AppendUint16(b, uint16(length))
			return append(b, make([]byte, size-8)...)
		}
		for kind := range 6 {
			for _, length := range []int{0, 1, 6, 7, 8, 9, 32, 33} {
				for _, size := range []int{8, 15, 16, 40, 64} {
					for _, index := range []int{0, 1, 77} {
						what := fmt.Sprint("membership ", kind, " of ", length, " in ", size, " of ", index)
						p.set(what, s, packetAddMembership, mreq(index, kind, length, size))
						p.set("and no more", s, 2, mreq(index, kind, length, size))
						p.set("still less", s, 2, mreq(index, kind, length, size))
					}
				}
			}
		}
	},
	"groups": func(p *program) {
		join := func(what string, s int, b []byte) {
			p.set(what, s, packetFanout, b)
			p.value("the socket's", s, packetFanout)
			p.value("its rollovers", s, 21)
		}
		for mode := range 12 {
			s := p.packet(posix.SOCK_RAW, ethAll)
			join(fmt.Sprint("mode ", mode), s, fanout(100+mode, mode, 0, -1))
			p.set("data of 0 bytes", s, packetFanoutData, nil)
			p.set("data of 5 bytes", s, packetFanoutData, make([]byte, 5))
			p.closes(s)
		}
		for bit := range 8 {
			s := p.packet(posix.SOCK_RAW, ethAll)
			join(fmt.Sprint("flag ", bit), s, fanout(200+bit, 0, 1<<bit, -1))
			join("as rollover", s, fanout(200+bit, 3, 1<<bit, -1))
			p.closes(s)
		}
		s, other := p.packet(posix.SOCK_RAW, ethAll), p.packet(posix.SOCK_RAW, ethAll)
		join("a group", s, fanout(1, 1, 0, -1))
		join("a second time", s, fanout(1, 1, 0, -1))
		p.did("bind of a member", p.Bind(s, link(core.LinkAddress{Ifindex: 1})))
		join("another mode", other, fanout(1, 0, 0, -1))
		join("other flags", other, fanout(1, 1, 0x10, -1))
		join("another size", other, fanout(1, 1, 0, 7))
		join("the same size", other, fanout(1, 1, 0, 256))
		cooked := p.packet(posix.SOCK_DGRAM, ethAll)
		join("cooked", cooked, fanout(1, 1, 0, -1))
		join("another ethertype", p.packet(posix.SOCK_RAW, wire.EtherTypeIPv4), fanout(1, 1, 0, -1))
		join("another interface", p.opened(posix.SOCK_RAW, ethAll), fanout(1, 1, 0, -1))
		join("no ethertype", p.opened(posix.SOCK_RAW, 0), fanout(2, 1, 0, -1))
		for _, x := range []int{s, other, cooked} {
			p.closes(x)
		}
		join("the group anew", p.packet(posix.SOCK_RAW, ethAll), fanout(1, 0, 0x10, 1))
		join("which is full", p.packet(posix.SOCK_RAW, ethAll), fanout(1, 0, 0x10, 1))
		join("and has a size", p.packet(posix.SOCK_RAW, ethAll), fanout(1, 0, 0x10, 0))
		join("too many", p.packet(posix.SOCK_RAW, ethAll), fanout(3, 0, 0, 1<<16+1))
		join("many", p.packet(posix.SOCK_RAW, ethAll), fanout(3, 0, 0, 1<<16))
		join("a number of its own choice", p.packet(posix.SOCK_RAW, ethAll), fanout(9, 0, 0x20, -1))
	},
	"frames of groups": func(p *program) {
		for _, x := range []struct {
			mode, flags int
		}{{0, 0}, {1, 0}, {2, 0}, {3, 0}, {5, 0}, {1, 0x40}, {1, 0x10}, {0, 0x80}, {6, 0}, {7, 0}} {
			var group []int
			for range 3 {
				s := p.packet(posix.SOCK_RAW, ethAll)
				p.set(fmt.Sprint("mode ", x), s, packetFanout, fanout(4, x.mode, x.flags, -1))
				group = append(group, s)
			}
			out := p.udp()
			p.must(p.Bind(out, sockaddr("127.0.0.1", 7007)))
			p.must(p.Connect(out, sockaddr("127.0.0.1", 7007)))
			for range 6 {
				p.sends("send", out, "x", 0)
			}
			p.sleep(20e6)
			own := p.udp() // frames of members are not for them: nothing but noise
			p.closes(own)
			var frame [60]byte
			frame[12], frame[13] = 0x88, 0xb5
			n, err := p.Sendto(group[0], frame[:], 0, nil)
			p.log("own", n, err)
			p.sleep(20e6)
			counts := func() {
				var got []int
				for _, s := range group {
					b := make([]byte, 8)
					_, err := p.Getsockopt(s, solPacket, packetStatistics, b)
					p.must(err)
					got = append(got, int(u32(b, 0)))
				}
				if x.mode == 0 || x.mode == 2 { // which one is up to the hash, or the processor
					total := 0
					for _, n := range got {
						total += n
					}
					p.log("frames", total, max(got[0], got[1], got[2]) >= 12)
				} else {
					p.log("frames", got)
				}
			}
			counts()
			p.closes(group[0])
			group = group[1:]
			group = append(group, group[0])
			for range 2 {
				p.sends("send to two", out, "x", 0)
			}
			p.sleep(20e6)
			if x.mode != 0 && x.mode != 2 {
				counts()
			}
			p.closes(out)
			p.closes(group[0])
			p.closes(group[1])
		}
	},
	"filters that want little": func(p *program) {
		for _, typ := range []int{posix.SOCK_RAW, posix.SOCK_DGRAM} {
			out := p.packet(posix.SOCK_RAW, 0)
			for _, n := range []uint32{1, 10, 13, 14, 15, 34, 59, 60, 61} {
				in := p.packet(typ, wire.EtherTypeIPv4)
				p.attach(in, bpf.RetConstant{Val: n})
				p.set("auxdata", in, packetAuxdata, int32le(1))
				_, err := p.Sendto(out, packetOf(60, byte(n)), 0, nil)
				p.must(err)
				p.sleep(10e6)
				m := &posix.Msghdr{Iov: [][]byte{make([]byte, 100)}, Control: make([]byte, 100)}
				k, err := p.Recvmsg(in, m, posix.MSG_DONTWAIT|posix.MSG_TRUNC)
				p.log(fmt.Sprint(n, " bytes"), k, err)
				if c, _, ok := core.NextControl(m.Control[:m.ControlLen]); ok {
					p.log("auxdata", u32(c.Data, 4), u32(c.Data, 8))
				}
				p.closes(in)
			}
			p.closes(out)
		}
	},
	"a member without room": func(p *program) {
		var group []int
		for range 2 {
			s := p.packet(posix.SOCK_DGRAM, wire.EtherTypeIPv4)
			p.set("join", s, packetFanout, fanout(5, 3, 0, -1))
			group = append(group, s)
		}
		p.did("a small buffer", p.Setsockopt(group[0], 1, 8, int32le(3000)))
		out := p.udp()
		p.must(p.Connect(out, sockaddr("127.0.0.1", 7007)))
		for range 40 {
			_, err := p.Sendto(out, make([]byte, 100), posix.MSG_DONTWAIT, nil)
			_ = err // of a port that nobody has
		}
		p.sleep(20e6)
		b := make([]byte, 24)
		_, err := p.Getsockopt(group[0], solPacket, 21, b)
		rolled := binary.NativeEndian.Uint64(b)
		p.log("rolled over", err, rolled > 20, binary.NativeEndian.Uint64(b[16:]))
		_, err = p.Getsockopt(group[1], solPacket, packetStatistics, b)
		p.log("the other's", err, u32(b, 0) > 20, u32(b, 4))
	},
}
