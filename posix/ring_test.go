package posix_test

import (
	"encoding/binary"
	"strings"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/posix"
)

// More options of SOL_PACKET.
const (
	packetRxRing       = 5
	packetHeaderLength = 11
	packetReserve      = 12
)

// words32 is numbers as a program has them in memory.
func words32(v ...uint32) (b []byte) {
	for _, x := range v {
		b = binary.NativeEndian.AppendUint32(b, x)
	}
	return b
}

// ringSize is how many bytes the rings of a packet socket want.
func (p *proc) ringSize(fd int) int {
	receive, send := p.RingSizes(fd)
	return receive + send
}

// sharedRing makes a ring of a version on a packet socket and returns its memory.
func (p *proc) sharedRing(fd, version int, geometry ...uint32) []byte {
	p.t.Helper()
	setInt(p.t, p, fd, solPacket, packetVersion, version)
	must(p.t, p.Setsockopt(fd, solPacket, packetRxRing, words32(geometry...)))
	memory := make([]byte, p.ringSize(fd))
	must(p.t, p.MapRing(fd, memory))
	return memory
}

func (p *proc) readable(fd int) bool {
	p.t.Helper()
	f := []posix.PollFD{{FD: int32(fd), Events: posix.POLLIN}}
	n, err := p.Poll(f, 0)
	must(p.t, err)
	return n > 0
}

// counted are the statistics since they were read last.
func (p *proc) counted(fd int) []uint32 {
	p.t.Helper()
	b := make([]byte, 12)
	n, err := p.Getsockopt(fd, solPacket, packetStatistics, b)
	must(p.t, err)
	var v []uint32
	for ; n > 0; n, b = n-4, b[4:] {
		v = append(v, binary.NativeEndian.Uint32(b))
	}
	return v
}

// broadcaster sends experimental frames with some bytes.
func (p *proc) broadcaster() func(s string) {
	out := p.frames(posix.SOCK_RAW, ethTest)
	return func(s string) {
		p.t.Helper()
		f := make([]byte, wire.EthernetSize, 2000)
		wire.Ethernet(f).Encode(wire.HWBroadcast(), p.eth0().HWAddr(), ethTest)
		_, err := p.Write(out, append(f, s...))
		must(p.t, err)
	}
}

func u32(b []byte, at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
func u16(b []byte, at int) int    { return int(binary.NativeEndian.Uint16(b[at:])) }

func TestARingHoldsFramesUntilTheyAreGivenBack(t *testing.T) {
	for _, x := range []struct {
		name                                    string
		version                                 int
		length, snap, mac, network, sec, subsec int // offsets in the header
		perSecond                               int64
	}{
		{"version 1", 0, 8, 12, 16, 18, 20, 24, 1e6},
		{"version 2", 1, 4, 8, 12, 14, 16, 20, 1e9},
	} {
		t.Run(x.name, func(t *testing.T) {
			run(t, func(h *programs) {
				h.settle()
				s := h.b.frames(posix.SOCK_RAW, ethTest)
				m := h.b.sharedRing(s, x.version, 4096, 2, 1024, 8)
				send := h.a.broadcaster()
				if h.b.readable(s) {
					t.Error("readable before a frame")
				}
				for i := range 9 {
					send(strings.Repeat(string(rune('a'+i)), 10))
				}
				h.sleep(20e6)
				if !h.b.readable(s) {
					t.Error("not readable")
				}
				now := h.b.Instance().Domain().Host().WallNow()
				for i := range 8 {
					f := m[i*1024 : (i+1)*1024]
					mac, network := u16(f, x.mac), u16(f, x.network)
					if u32(f, 0) != 1 || u32(f, x.length) != 24 || u32(f, x.snap) != 24 || network != mac+14 || network%16 != 0 {
						t.Fatalf("frame %d: % x", i, f[:64])
					}
					if f[network] != byte('a'+i) || wire.Ethernet(f[mac:]).Type() != ethTest {
						t.Errorf("frame %d has % x", i, f[mac:mac+24])
					}
					a, err := posix.SockAddr(f[32:52])
					must(t, err)
					if l := core.LinkAddressOf(a); l.Type != core.PacketBroadcast || l.Protocol != ethTest || l.Ifindex != h.b.eth0().Index() || l.Length != 6 {
						t.Errorf("frame %d from %+v", i, l)
					}
					if age := now.Unix() - int64(u32(f, x.sec)); age < 0 || age > 1 || int64(u32(f, x.subsec)) >= x.perSecond {
						t.Errorf("frame %d at %d.%d, %v old", i, u32(f, x.sec), u32(f, x.subsec), age)
					}
				}
				binary.NativeEndian.PutUint32(m, 0)
				send("first place")
				h.sleep(20e6)
				if u32(m, 0) != 1|1<<2 || m[u16(m, x.network)] != 'f' { // some were lost
					t.Errorf("status %#x", u32(m, 0))
				}
				if c := h.b.counted(s); c[0] != 10 || c[1] != 1 {
					t.Errorf("%d frames, %d dropped", c[0], c[1])
				}
				for i := range 8 {
					binary.NativeEndian.PutUint32(m[i*1024:], 0)
				}
				if h.b.readable(s) {
					t.Error("readable when all are given back")
				}
			})
		})
	}
}

func TestALongFrameIsCutToItsPlaceInTheRing(t *testing.T) {
	run(t, func(h *programs) {
		h.settle()
		s := h.b.frames(posix.SOCK_DGRAM, ethTest)
		setInt(t, h.b, s, solPacket, packetReserve, 4)
		m := h.b.sharedRing(s, 1, 4096, 1, 128, 32)
		h.a.broadcaster()(strings.Repeat("x", 100))
		h.sleep(20e6)
		if mac, network := u16(m, 12), u16(m, 14); mac != 64+16+4 || network != mac || u32(m, 4) != 100 || int(u32(m, 8)) != 128-mac || m[mac] != 'x' {
			t.Errorf("% x", m[:128])
		}
	})
}

func TestBlocksAreGivenAwayWhenFullOrAfterTheirTimeout(t *testing.T) {
	run(t, func(h *programs) {
		h.settle()
		s := h.b.frames(posix.SOCK_RAW, ethTest)
		m := h.b.sharedRing(s, 2, 4096, 2, 2048, 4, 60, 0, 0)
		send := h.a.broadcaster()
		send("one")
		send("two")
		h.sleep(30e6) // one millisecond of them is the link
		if h.b.readable(s) || u32(m, 8) != 0 {
			t.Error("given away before the timeout")
		}
		h.sleep(40e6)
		if !h.b.readable(s) || u32(m, 8) != 1|1<<5 || u32(m, 12) != 2 || u32(m, 24) != 1 {
			t.Fatalf("block % x", m[:64])
		}
		at := int(u32(m, 16))
		for i, want := range []string{"one", "two"} {
			f := m[at:]
			if got := string(f[u16(f, 26):][:3]); got != want || u32(f, 12) != 17 || u32(f, 16) != 17 || u32(f, 20) != 1 || u16(f, 24) != u16(f, 26)-14 {
				t.Errorf("frame %d: % x", i, f[:120])
			}
			if next := int(u32(f, 0)); (next == 0) != (i == 1) {
				t.Errorf("frame %d is %d before the next", i, next)
			} else {
				at += next
			}
		}
		for range 4 { // two fill a block nearly, the third gives it away
			send(strings.Repeat("y", 1400))
		}
		h.sleep(5e6)
		if b := m[4096:]; u32(b, 8) != 1 || u32(b, 12) != 2 || u32(b, 24) != 2 {
			t.Errorf("block % x", b[:64])
		}
		if c := h.b.counted(s); c[0] != 6 || c[1] != 2 || c[2] != 1 {
			t.Errorf("frames, dropped, frozen: %d", c)
		}
		binary.NativeEndian.PutUint32(m[8:], 0)
		send("three")
		h.sleep(100e6)
		if u32(m, 8)&1 == 0 || u32(m, 12) != 1 || u32(m, 24) != 3 {
			t.Errorf("block % x", m[:64])
		}
	})
}

func TestARingMustFitTogether(t *testing.T) {
	run(t, func(h *programs) {
		h.settle()
		s := h.a.frames(posix.SOCK_RAW, ethAll)
		set := func(name int, v ...uint32) error { return h.a.Setsockopt(s, solPacket, name, words32(v...)) }
		for _, x := range []struct {
			why  string
			ring []uint32
		}{
			{"half a request", []uint32{4096, 1}},
			{"no size", []uint32{0, 1, 128, 32}},
			{"not of pages", []uint32{4000, 1, 100, 40}},
			{"frames too small", []uint32{4096, 1, 48, 85}},
			{"frames not aligned", []uint32{4096, 1, 136, 30}},
			{"frames beyond a block", []uint32{4096, 1, 8192, 0}},
			{"another number of frames", []uint32{4096, 2, 128, 63}},
			{"a size beyond an int", []uint32{1 << 31, 1, 128, 1 << 24}},
			{"frames of no block", []uint32{4096, 0, 128, 32}},
		} {
			want(t, x.why, set(packetRxRing, x.ring...), syscall.EINVAL)
		}
		want(t, "too large", set(packetRxRing, 1<<30, 1, 1<<16, 1<<14), syscall.ENOMEM)
		want(t, "no such version", set(packetVersion, 3), syscall.EINVAL)
		want(t, "a negative reserve", set(packetReserve, 1<<31), syscall.EINVAL)
		want(t, "memory without a ring", h.a.MapRing(s, make([]byte, 4096)), syscall.EINVAL)
		for version, length := range []uint32{32, 32, 48} {
			b := words32(uint32(version))
			_, err := h.a.Getsockopt(s, solPacket, packetHeaderLength, b)
			must(t, err)
			if u32(b, 0) != length {
				t.Errorf("headers of version %d have %d bytes", version, u32(b, 0))
			}
		}
		_, err := h.a.Getsockopt(s, solPacket, packetHeaderLength, words32(3))
		want(t, "headers of no version", err, syscall.EINVAL)
		must(t, set(packetVersion, 2))
		want(t, "private data beyond the block", set(packetRxRing, 4096, 1, 4096, 1, 0, 4000, 0), syscall.EINVAL)
		want(t, "private data without end", set(packetRxRing, 4096, 1, 4096, 1, 0, 1<<32-1, 0), syscall.EINVAL)
		must(t, set(packetRxRing, 4096, 1, 4096, 1, 0, 100, 0))
		want(t, "memory of another size", h.a.MapRing(s, make([]byte, 8192)), syscall.EINVAL)
		want(t, "a second ring", set(packetRxRing, 4096, 1, 4096, 1, 0, 0, 0), syscall.EBUSY)
		want(t, "another version", set(packetVersion, 1), syscall.EBUSY)
		want(t, "another reserve", set(packetReserve, 4), syscall.EBUSY)
		must(t, set(packetRxRing, 0, 0, 0, 0, 0, 0, 0))
		if n := h.a.ringSize(s); n != 0 {
			t.Errorf("%d bytes of a ring that has ended", n)
		}
	})
}

// Whatever the program writes, the stack reads nothing of it but whose a place is.
func TestAProgramThatScribblesOverItsRingHarmsItself(t *testing.T) {
	run(t, func(h *programs) {
		h.settle()
		send := h.a.broadcaster()
		for version, geometry := range [][]uint32{{4096, 2, 128, 64}, {4096, 2, 128, 64}, {4096, 2, 128, 64, 1, 8, 0}} {
			s := h.b.frames(posix.SOCK_RAW, ethTest)
			m := h.b.sharedRing(s, version, geometry...)
			for i := range 200 {
				send(strings.Repeat("z", i*7))
				h.sleep(2e6)
				fill := byte(0xff)
				if i%3 == 0 {
					fill = 0
				}
				for j := range m {
					m[j] = fill
				}
			}
			if c := h.b.counted(s); c[0] != 200 || c[1] == 0 || c[1] == 200 {
				t.Errorf("version %d: %d frames, %d dropped", version+1, c[0], c[1])
			}
			must(t, h.b.Close(s))
		}
	})
}
