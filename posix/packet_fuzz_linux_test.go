package posix_test

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/posix"
)

// Options of packet sockets with any values, rings with anything in them and headers of
// offloads that say anything: nothing panics, memory is bounded, and nothing is left.
func FuzzPacketSockets(f *testing.F) {
	for version := range byte(3) {
		f.Add(append([]byte{3, packetVersion, 4, version, 0, 0, 0, 3, packetTxRing, 28}, append(words32(4096, 2, 2048, 4, 0, 0, 0), 5, 40, 1, 1, 1, 7, 0, 6, 60, 8)...))
		f.Add(append([]byte{3, packetVersion, 4, version, 0, 0, 0, 3, packetRxRing, 28}, append(words32(4096, 2, 2048, 4, 1, 0, 0), 5, 0, 8, 8, 8, 9, 5, 255, 8)...))
	}
	f.Add(append([]byte{3, packetVnet, 4, 1, 0, 0, 0, 7, 90}, append(vnet{1, 1, 54, 10, 34, 16}.bytes(), segment(4, wire.ProtoTCP, 36)...)...))
	f.Add(append([]byte{3, packetVnet, 4, 1, 0, 0, 0, 7, 90}, append(vnet{1, 5, 42, 9, 34, 6}.bytes(), segment(4, wire.ProtoUDP, 36)...)...))
	f.Add(append([]byte{3, packetFanout, 4}, append(fanout(1, 3, 0x80, -1), 0, 3, packetFanout, 4)...))
	f.Add([]byte{3, packetFanout, 8, 9, 0, 6, 0x10, 0, 0, 1, 0, 0, 3, packetFanoutData, 8, 6, 0, 0, 0, 1, 0, 0, 0, 8, 2, 8})
	f.Add(append([]byte{3, packetRxRing, 16}, words32(1<<31, 1<<31, 1<<31, 1<<31)...))
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 1000 {
			return
		}
		h := newPrograms(t, coretest.Release())
		h.Do(func() {
			h.settle()
			x := packetFuzz{h: h, send: h.b.frames(posix.SOCK_RAW, 0)}
			x.open(posix.SOCK_RAW)
			for len(program) > 0 {
				program = x.step(program)
			}
			for _, p := range []*proc{h.a, h.b} {
				must(t, p.CloseAll())
			}
		})
	})
}

// packetFuzz is some packet sockets on a, of which the last is used, and one on b that
// sends to them.
type packetFuzz struct {
	h      *programs
	all    []int
	rings  map[int][]byte
	send   int
	serial byte
}

func (x *packetFuzz) open(typ int) {
	if len(x.all) < 4 {
		x.all = append(x.all, x.h.a.frames(typ, ethAll))
	}
}

// mappable is as much memory for rings as one step takes, so that the longest program takes
// some milliseconds; others are not mapped.
const mappable = 1 << 15

// step does what the first bytes of a program say and returns the rest.
func (x *packetFuzz) step(program []byte) []byte {
	h, p := x.h, x.h.a
	fd := x.all[len(x.all)-1]
	what := program[0]
	program = program[1:]
	take := func(n int) []byte {
		n = min(n, len(program))
		b := program[:n]
		program = program[n:]
		return b
	}
	one := func() int {
		if b := take(1); len(b) == 1 {
			return int(b[0])
		}
		return 0
	}
	switch what % 10 {
	case 0:
		x.open(posix.SOCK_RAW)
	case 1:
		x.open(posix.SOCK_DGRAM)
	case 2:
		if len(x.all) > 1 {
			must(h.T, p.Close(fd))
			delete(x.rings, fd)
			x.all = x.all[:len(x.all)-1]
		}
	case 3:
		name := one()
		_ = p.Setsockopt(fd, solPacket, name, take(one()))
		x.bounded()
	case 4:
		_, _ = p.Getsockopt(fd, solPacket, one(), make([]byte, one()))
	case 5: // scribble over the rings
		by, step := one(), max(one(), 1)
		m := x.memory(fd)
		for i := 0; i < len(m); i += step {
			m[i] = byte(by)
		}
	case 6: // one frame to send
		n, at := one(), one()
		if m := x.memory(fd); len(m) > 0 {
			at = at * 64 % len(m)
			copy(m[at:], take(n))
		}
	case 7:
		_, _ = p.Sendto(fd, take(one()), posix.MSG_DONTWAIT, nil)
	case 8:
		x.serial++
		f := make([]byte, 60+int(x.serial)*8)
		wire.Ethernet(f).Encode(wire.HWBroadcast(), h.b.eth0().HWAddr(), wire.EtherTypeIPv4)
		copy(f[14:], take(40))
		_, _ = h.b.Write(x.send, f)
		h.sleep(3e6)
	default:
		b := make([]byte, 200)
		_, _ = p.Recvmsg(fd, &posix.Msghdr{Iov: [][]byte{b[:one()%20], b}, Name: make([]byte, 20), Control: make([]byte, 80)}, posix.MSG_DONTWAIT)
		h.sleep(20e6)
	}
	return program
}

// bounded checks what the rings of all sockets want.
func (x *packetFuzz) bounded() {
	total := 0
	for _, fd := range x.all {
		n := x.h.a.ringSize(fd)
		if n > 2*256<<20 {
			x.h.T.Errorf("rings of %d bytes", n)
		}
		total += n
	}
	if total > 1<<30 {
		x.h.T.Errorf("rings of %d bytes in all", total)
	}
}

// memory is that of the rings, made and mapped when it is wanted.
func (x *packetFuzz) memory(fd int) []byte {
	n := x.h.a.ringSize(fd)
	if n == 0 || n > mappable {
		return nil
	}
	if len(x.rings[fd]) != n {
		if x.rings == nil {
			x.rings = make(map[int][]byte)
		}
		x.rings[fd] = make([]byte, n)
		must(x.h.T, x.h.a.MapRing(fd, x.rings[fd]))
	}
	return x.rings[fd]
}

// mapped makes a ring of version 2 of four frames.
func (p *proc) mapped(fd, name int) []byte {
	p.t.Helper()
	must(p.t, p.Setsockopt(fd, solPacket, packetVersion, int32le(1)))
	must(p.t, p.Setsockopt(fd, solPacket, name, words32(4096, 1, 1024, 4)))
	m := make([]byte, 4096)
	must(p.t, p.MapRing(fd, m))
	return m
}

// Frames through rings and groups, and by a filter, take no memory of the heap.
func TestFramesOfPacketSocketsAllocateNothing(t *testing.T) {
	run(t, func(h *programs) {
		out, err := h.a.Socket(posix.AF_PACKET, posix.SOCK_RAW|posix.SOCK_NONBLOCK, 0)
		must(t, err)
		must(t, h.a.Bind(out, link(core.LinkAddress{Ifindex: 1})))
		m := h.a.mapped(out, packetTxRing)
		in, err := h.a.Socket(posix.AF_PACKET, posix.SOCK_RAW|posix.SOCK_NONBLOCK, networkOrder(wire.EtherTypeIPv4))
		must(t, err)
		must(t, h.a.Bind(in, link(core.LinkAddress{Ifindex: 1})))
		must(t, h.a.Setsockopt(in, solPacket, packetFanout, fanout(1, 0, 0, -1)))
		must(t, h.a.attach(in, bpf.LoadAbsolute{Off: 12, Size: 2}, bpf.RetConstant{Val: 65535}))
		r := h.a.mapped(in, packetRxRing)
		frame := segment(4, wire.ProtoTCP, 100)
		i := 0
		send := func() {
			at := i % 4 * 1024
			i++
			copy(m[at+32:], frame)
			binary.NativeEndian.PutUint32(m[at+4:], uint32(len(frame)))
			binary.NativeEndian.PutUint32(m[at:], 1)
			if n, err := h.a.Sendto(out, nil, 0, nil); n != len(frame) || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			if r[at] != 1 {
				t.Fatalf("no frame in place %d", at/1024)
			}
			r[at] = 0
		}
		send()
		if n := testing.AllocsPerRun(20000, send); n != 0 {
			t.Errorf("%v allocations for a frame", n)
		}
	})
}
