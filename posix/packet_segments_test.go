//go:build linux

package posix_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/posix"
)

// toB is the frame of segment to b's interface, with bytes that differ.
func (h *programs) toB(version int, protocol uint8, n int) []byte {
	b := segment(version, protocol, n)
	src, dst := h.a.eth0().HWAddr(), h.b.eth0().HWAddr()
	copy(b, dst[:])
	copy(b[6:], src[:])
	for i := range n {
		b[len(b)-n+i] = byte(i * 7)
	}
	return b
}

func TestSuperSegmentsOfAPacketSocketAreCutForALink(t *testing.T) {
	const size = 1000
	for _, version := range []int{4, 6} {
		for _, protocol := range []uint8{wire.ProtoTCP, wire.ProtoUDP} {
			for _, n := range []int{900, 1000, 2500} {
				t.Run(fmt.Sprint("IPv", version, " protocol ", protocol, " of ", n), func(t *testing.T) {
					run(t, func(h *programs) {
						h.settle()
						of := wire.EtherTypeIPv4
						ip := 20
						if version == 6 {
							of, ip = wire.EtherTypeIPv6, 40
						}
						in, out := h.b.frames(posix.SOCK_RAW, of), h.a.frames(posix.SOCK_RAW, 0)
						setInt(t, h.a, out, solPacket, packetVnet, 1)
						v := vnet{flags: 1, gso: 1, size: size, start: 14 + ip, field: 16}
						head := 14 + ip + 20
						if version == 6 {
							v.gso = 4
						}
						f := h.toB(version, protocol, n)
						if protocol == wire.ProtoUDP {
							v.gso, v.field = 5, 6
							head -= 12
						} else {
							v.gso |= 0x80
							f[14+ip+13] |= 0x80
						}
						whole := f[head:]
						_, err := h.a.Write(out, append(v.bytes(), f...))
						must(t, err)
						h.sleep(20e6)
						var got []byte
						count := (len(whole) + size - 1) / size
						for i := range count {
							b, _ := h.b.frame(in)
							if len(b) != head+min(size, len(whole)-len(got)) {
								t.Fatalf("frame %d has %d bytes", i, len(b))
							}
							checkSegment(t, b, ip, protocol, i, count, len(got))
							got = append(got, b[head:]...)
						}
						if b, _ := h.b.frame(in); b != nil {
							t.Errorf("and % x", b)
						}
						if !bytes.Equal(got, whole) {
							t.Error("other bytes arrived")
						}
					})
				})
			}
		}
	}
}

// checkSegment checks the headers of the i-th of count segments.
func checkSegment(t *testing.T, b []byte, ip int, protocol uint8, i, count, off int) {
	t.Helper()
	be := binary.BigEndian
	x := b[14+ip:]
	var src, dst wire.Addr
	if ip == 20 {
		h := wire.IPv4(b[14:])
		if h.TotalLen() != len(b)-14 || count > 1 && (!h.ChecksumOK() || int(h.ID()) != i) {
			t.Errorf("header % x", b[14:34])
		}
		src, dst = h.Src(), h.Dst()
	} else {
		h := wire.IPv6(b[14:])
		if h.PayloadLen() != len(x) {
			t.Errorf("header % x", b[14:54])
		}
		src, dst = h.Src(), h.Dst()
	}
	if count > 1 && wire.Fold(wire.Sum(x, wire.PseudoHeader(src, dst, protocol, len(x)))) != 0xffff {
		t.Errorf("segment %d has a wrong checksum", i)
	}
	if protocol == wire.ProtoUDP {
		if int(be.Uint16(x[4:])) != len(x) {
			t.Errorf("length %d of %d", be.Uint16(x[4:]), len(x))
		}
		return
	}
	flags := byte(0x10)
	if i == 0 {
		flags |= 0x80
	}
	if i == count-1 {
		flags |= 0x09
	}
	if int(be.Uint32(x[4:])) != off || x[13] != flags {
		t.Errorf("segment %d is at %d with flags %#x", i, be.Uint32(x[4:]), x[13])
	}
}

func TestAFrameThatBypassesDisciplinesIsSeenByNoOtherSocket(t *testing.T) {
	run(t, func(h *programs) {
		h.settle()
		in, tap := h.b.frames(posix.SOCK_RAW, ethTest), h.a.frames(posix.SOCK_RAW, ethAll)
		out := h.a.frames(posix.SOCK_RAW, ethTest)
		for bypass := range 2 {
			setInt(t, h.a, out, solPacket, 20, bypass)
			f := make([]byte, 60)
			wire.Ethernet(f).Encode(wire.HWBroadcast(), h.a.eth0().HWAddr(), ethTest)
			_, err := h.a.Write(out, f)
			must(t, err)
			h.sleep(20e6)
			if b, _ := h.b.frame(in); len(b) != 60 {
				t.Errorf("bypass %d: % x arrived", bypass, b)
			}
			if b, _ := h.a.frame(tap); (b == nil) != (bypass == 1) {
				t.Errorf("bypass %d: % x was seen", bypass, b)
			}
		}
	})
}

// What a link cannot carry at once keeps a sender waiting, and is not dropped.
func TestAFullQueueKeepsAPacketSocketWaiting(t *testing.T) {
	r := coretest.New(t, host.NewVirtual(1))
	da, db := pipe.New(pipe.Config{Wire: pipe.Wire{Rate: 100e6, Pace: 1}})
	h := &programs{r, newProc(t, r.Instance("a", libos.Wiring())), newProc(t, r.Instance("b", libos.Wiring()))}
	r.Attach(h.a.Instance(), da, "eth0", addrA+"/24")
	r.Attach(h.b.Instance(), db, "eth0", addrB+"/24")
	h.Do(func() {
		h.settle()
		const frames = 4096
		in := h.b.frames(posix.SOCK_RAW, ethTest)
		f := make([]byte, 60)
		wire.Ethernet(f).Encode(wire.HWBroadcast(), h.a.eth0().HWAddr(), ethTest)
		dropped := h.a.eth0().Stats().TxDropped

		ring := h.a.frames(posix.SOCK_RAW, ethTest)
		must(t, h.a.Setsockopt(ring, solPacket, packetVersion, int32le(1)))
		must(t, h.a.Setsockopt(ring, solPacket, packetTxRing, words32(4096, frames/32, 128, frames)))
		m := make([]byte, h.a.ringSize(ring))
		must(t, h.a.MapRing(ring, m))
		for i := range frames {
			b := m[i*128:]
			binary.NativeEndian.PutUint32(b[4:], 60)
			copy(b[32:], f)
			binary.NativeEndian.PutUint32(b, 1)
		}
		_, err := h.a.Sendto(ring, nil, 0, nil)
		want(t, "more than the queue holds", err, syscall.EAGAIN)
		p := []posix.PollFD{{FD: int32(ring), Events: posix.POLLOUT}}
		if n, err := h.a.Poll(p, 0); n != 0 || err != nil {
			t.Errorf("writable: %d, %v", n, err)
		}
		if n, err := h.a.Poll(p, time.Second); n != 1 || err != nil {
			t.Errorf("not writable after a while: %d, %v", n, err)
		}
		_, err = h.a.Fcntl(ring, posix.F_SETFL, 0)
		must(t, err)
		n, err := h.a.Sendto(ring, nil, 0, nil)
		must(t, err)
		if n != 60*frames {
			t.Errorf("sent %d bytes", n)
		}
		out, err := h.a.Socket(posix.AF_PACKET, posix.SOCK_RAW, 0)
		must(t, err)
		must(t, h.a.Bind(out, link(core.LinkAddress{Ifindex: h.a.eth0().Index()})))
		for range frames {
			_, err := h.a.Write(out, f)
			must(t, err)
		}
		h.sleep(1e9)
		if c := h.b.counted(in); c[0] != 2*frames {
			t.Errorf("%d frames arrived", c[0])
		}
		if x := h.a.eth0().Stats().TxDropped - dropped; x != 0 {
			t.Errorf("%d frames were dropped", x)
		}
	})
}

// One call sends so many frames of a ring that they do not fill the stack; the next goes on.
func TestACallSendsABoundedPartOfALongRing(t *testing.T) {
	run(t, func(h *programs) {
		const frames, burst = 20_000, 1 << 14
		fd, err := h.a.Socket(posix.AF_PACKET, posix.SOCK_RAW, 0)
		must(t, err)
		must(t, h.a.Bind(fd, link(core.LinkAddress{Ifindex: 1})))
		must(t, h.a.Setsockopt(fd, solPacket, packetVersion, int32le(1)))
		must(t, h.a.Setsockopt(fd, solPacket, packetTxRing, words32(4096, frames/32, 128, frames)))
		m := make([]byte, frames*128)
		must(t, h.a.MapRing(fd, m))
		for at := 0; at < len(m); at += 128 {
			copy(m[at+32:], packetOf(60, 1))
			m[at], m[at+4] = 1, 60
		}
		for _, want := range []int{burst, frames - burst, 0} {
			if n, err := h.a.Sendto(fd, nil, 0, nil); n != want*60 || err != nil {
				t.Errorf("%d bytes were sent, %v; want %d", n, err, want*60)
			}
		}
	})
}
