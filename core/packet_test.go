package core_test

import (
	"bytes"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"testing"

	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
)

// bare is an instance without any protocol; closing it proves that nothing is
// left in its slabs.
func bare(t testing.TB, names ...string) []*core.Instance {
	t.Helper()
	r := coretest.New(t, host.NewVirtual(1))
	var out []*core.Instance
	for _, n := range names {
		out = append(out, r.Instance(n, &core.Wiring{}))
	}
	return out
}

// chain is a packet of a linear part and fragments that together hold
// 0, 1, 2, … n-1.
func chain(t testing.TB, in *core.Instance, linear int, frags ...int) *core.Packet {
	t.Helper()
	p := in.NewPacket(core.Headroom, linear)
	if p == nil {
		t.Fatal("no memory for a packet")
	}
	next := byte(0)
	fill := func(b []byte) {
		for i := range b {
			b[i] = next
			next++
		}
	}
	fill(p.Put(linear))
	for _, n := range frags {
		page := in.Domain().Pool().Page(allocator.ClassFor(n), in.Account())
		fill(page.Data[:n])
		if !p.AppendFrag(page, 0, n) {
			t.Fatal("the packet takes no more fragments")
		}
		page.Unref(in.Account())
	}
	return p
}

func contents(p *core.Packet) []byte {
	b := make([]byte, p.Len())
	p.CopyOut(0, b)
	return b
}

func count(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func TestPullupMakesHeadersLinear(t *testing.T) {
	in := bare(t, "a")[0]
	in.Domain().Do(func() {
		for _, n := range []int{1, 10, 11, 30, 31, 60} {
			p := chain(t, in, 10, 20, 30)
			if !p.Pullup(n) {
				t.Fatalf("Pullup(%d) of 60 bytes failed", n)
			}
			if p.LinearLen() < n || !bytes.Equal(contents(p), count(60)) {
				t.Errorf("Pullup(%d): linear %d, contents %x", n, p.LinearLen(), contents(p))
			}
			if p.Pullup(61) {
				t.Error("Pullup past the end succeeded")
			}
			p.Free()
		}
	})
}

func TestTrimCutsLinearPartAndFragments(t *testing.T) {
	in := bare(t, "a")[0]
	in.Domain().Do(func() {
		for n := 0; n <= 60; n++ {
			p := chain(t, in, 10, 20, 30)
			p.Trim(n)
			if p.Len() != n || !bytes.Equal(contents(p), count(n)) {
				t.Errorf("Trim(%d): %x", n, contents(p))
			}
			p.Free()
		}
	})
}

func TestCloneSharesPayloadAndOwnsHeaders(t *testing.T) {
	in := bare(t, "a")[0]
	in.Domain().Do(func() {
		p := chain(t, in, 10, 20)
		c := p.Clone(in)
		c.Linear()[0] = 0xff
		if p.Linear()[0] != 0 {
			t.Error("writing to a clone's header changed the original")
		}
		p.Free()
		if got := contents(c); !bytes.Equal(got[1:], count(30)[1:]) {
			t.Errorf("the clone lost its payload with the original: %x", got)
		}
		c.Free()
	})
}

func TestMoveChargesTheReceiver(t *testing.T) {
	ins := bare(t, "a", "b")
	a, b := ins[0], ins[1]
	a.Domain().Do(func() {
		p := chain(t, a, 10, 20)
		before := a.Account().Bytes()
		p.Move(b)
		if a.Account().Bytes() != 0 || b.Account().Bytes() != before {
			t.Errorf("after the move a holds %d and b %d of %d bytes", a.Account().Bytes(), b.Account().Bytes(), before)
		}
		p.Free()
	})
}

func TestPushFindsHeadroomAndEnsureHeadroomMakesIt(t *testing.T) {
	in := bare(t, "a")[0]
	in.Domain().Do(func() {
		p := in.NewPacket(4, 8)
		copy(p.Put(8), "payload!")
		p.SetTransportHeader()
		if !p.EnsureHeadroom(40) {
			t.Fatal("no headroom to be had")
		}
		copy(p.Push(3), "hdr")
		if got := string(contents(p)); got != "hdrpayload!" {
			t.Errorf("contents %q", got)
		}
		if got := string(p.TransportHeader()); got != "payload!" {
			t.Errorf("the transport header moved to %q", got)
		}
		p.Free()
	})
}

func TestChecksumOverFragmentsOfOddLength(t *testing.T) {
	in := bare(t, "a")[0]
	in.Domain().Do(func() {
		p := chain(t, in, 9, 7, 3, 14)
		var whole, parts wire.Checksum
		whole.Add(count(33))
		p.Sum(&parts, 0)
		if whole.Fold() != parts.Fold() {
			t.Errorf("checksum over pieces %04x, over the whole %04x", parts.Fold(), whole.Fold())
		}
		p.Free()
	})
}

func TestAPacketTakesAtMostMaxFrags(t *testing.T) {
	in := bare(t, "a")[0]
	in.Domain().Do(func() {
		page := in.Domain().Pool().Page(allocator.Page4K, in.Account())
		p := in.NewPacket(0, 0)
		for i := 0; i < core.MaxFrags; i++ {
			if !p.AppendFrag(page, i*2, 1) {
				t.Fatalf("fragment %d refused", i)
			}
		}
		if p.AppendFrag(page, 1000, 1) {
			t.Error("one fragment too many was taken")
		}
		if !p.AppendFrag(page, (core.MaxFrags-1)*2+1, 1) || len(p.Frags()) != core.MaxFrags {
			t.Error("bytes that continue the last fragment were not merged with it")
		}
		page.Unref(in.Account())
		p.Free()
	})
}

func TestNewPacketFailsAtTheInstancesLimit(t *testing.T) {
	r := coretest.New(t, host.NewVirtual(1), coretest.Release())
	in := r.Adopt(core.New(core.Options{Domain: r.Domain, Wiring: &core.Wiring{}, MemoryLimit: 16 << 10}))
	in.Domain().Do(func() {
		var list core.PacketList
		for i := 0; i < 1000; i++ {
			p := in.NewPacket(0, 2000)
			if p == nil {
				break
			}
			list.Push(p)
		}
		if list.Len() == 0 || list.Len() > 8 {
			t.Errorf("%d packets of 2 KB fit in 16 KB", list.Len())
		}
		list.Free()
	})
}

func TestCloseNamesWhatLeaked(t *testing.T) {
	in := bare(t, "a")[0]
	d := in.Domain()
	var p *core.Packet
	d.Do(func() { p = in.NewPacket(0, 100) })
	err := in.Close()
	leak, ok := err.(interface{ Unwrap() []error })
	if !ok || len(leak.Unwrap()) != 1 {
		t.Fatalf("Close with a packet in use: %v", err)
	}
	e := leak.Unwrap()[0].(*core.LeakError)
	if e.Pages != 1 || e.Objects != 1 || len(e.Leaks) == 0 {
		t.Errorf("the report says %v", e)
	}
	d.Do(p.Free)
}

// The report is about the line that wanted the memory, not about the functions of
// packets that it called for it.
func TestLeaksNameTheLineThatWantedAPacket(t *testing.T) {
	var line string
	here := func() {
		_, file, n, _ := runtime.Caller(1)
		line = filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(file) + ":" + strconv.Itoa(n+1)
	}
	for _, c := range []struct {
		name, cache string
		take        func(in *core.Instance, p *core.Packet) *core.Packet
	}{
		{"NewPacket", "packet", func(in *core.Instance, _ *core.Packet) *core.Packet {
			here()
			return in.NewPacket(0, 100)
		}},
		{"Clone", "packet", func(in *core.Instance, p *core.Packet) *core.Packet {
			here()
			return p.Clone(in)
		}},
		{"Copy", "packet", func(in *core.Instance, p *core.Packet) *core.Packet {
			here()
			return p.Copy()
		}},
		{"Append", "page-4k", func(_ *core.Instance, p *core.Packet) *core.Packet {
			here()
			p.Append(make([]byte, 3000))
			return nil
		}},
		{"EnsureHeadroom", "page-2k", func(_ *core.Instance, p *core.Packet) *core.Packet {
			here()
			p.EnsureHeadroom(1000)
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := bare(t, "a")[0]
			d := in.Domain()
			var p, q *core.Packet
			d.Do(func() {
				p = in.NewPacket(0, 100)
				q = c.take(in, p)
			})
			defer d.Do(func() {
				p.Free()
				if q != nil {
					q.Free()
				}
			})
			err := in.Close()
			if want := c.cache + ": 1 in use"; err == nil || !regexp.MustCompile(want+`, \d+ bytes, allocated at `+regexp.QuoteMeta(line)+`\b`).MatchString(err.Error()) {
				t.Errorf("the report does not tell of %s at %s:\n%v", c.cache, line, err)
			}
		})
	}
}

func TestPacketsAllocateNothingWhenWarm(t *testing.T) {
	in := coretest.New(t, host.NewVirtual(1), coretest.Release()).Instance("a", &core.Wiring{})
	in.Domain().Do(func() {
		if n := testing.AllocsPerRun(100, func() { in.NewPacket(core.Headroom, 100).Free() }); n != 0 {
			t.Errorf("%v allocations a packet", n)
		}
	})
}

func BenchmarkPacket(b *testing.B) {
	in := coretest.New(b, host.NewVirtual(1), coretest.Release()).Instance("a", &core.Wiring{})
	in.Domain().Do(func() {
		for i := 0; i < b.N; i++ {
			in.NewPacket(core.Headroom, 100).Free()
		}
	})
}
