package newest

import (
	"encoding/binary"
	"log/slog"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
)

// bench is a handler whose Env is the test.
type bench struct {
	in       *core.Instance
	now      core.Time
	settings Sysctls
	timers   map[uint64]core.Time
}

func (b *bench) Now() core.Time                                       { return b.now }
func (b *bench) Random() uint64                                       { return 1 }
func (b *bench) Log() *slog.Logger                                    { return slog.New(slog.DiscardHandler) }
func (b *bench) NewPacket(headroom, room int) *core.Packet            { return b.in.NewPacket(headroom, room) }
func (b *bench) Output([]*core.Packet) error                          { return nil }
func (b *bench) Deliver(_ core.SocketID, batch []*core.Packet)        { batch[0].Free() }
func (b *bench) Unreachable(*core.Packet, core.Unreachable)           {}
func (b *bench) Notify(core.SocketID, core.Ready, syscall.Errno)      {}
func (b *bench) Report(core.SocketID, *core.ErrorReport, uint16, int) {}
func (b *bench) Route(core.RouteQuery) (core.RouteInfo, error)        { return core.RouteInfo{}, nil }
func (b *bench) SetTimer(token uint64, t core.Time)                   { b.timers[token] = t }
func (b *bench) Spawn(core.SocketID, core.SockAddr, core.SockAddr) core.SocketID {
	return 0
}
func (b *bench) Complete(*core.Op) {}
func (b *bench) Sysctls() any      { return &b.settings }

func newBench(t *testing.T) (*bench, *handler, *socket) {
	b := &bench{in: coretest.New(t, host.NewVirtual(1)).Instance("a", &core.Wiring{Name: "none"}), timers: map[uint64]core.Time{},
		settings: Sysctls{ForgetMS: 1000, MaxStreams: 3, MaxSize: maxData}}
	h := newHandler(b).(*handler)
	s := &socket{id: 5}
	h.sockets[5] = s
	return b, h, s
}

// hear has datagram order of a stream come, and tells whether it is news.
func (b *bench) hear(h *handler, s *socket, stream, order uint32) (news bool) {
	b.in.Domain().Do(func() {
		p := b.in.NewPacket(core.Headroom, headerSize)
		binary.BigEndian.PutUint32(p.Put(headerSize)[streamOffset:], stream)
		binary.BigEndian.PutUint32(p.Linear()[orderOffset:], order)
		news = h.isNews(s, p)
		p.Free()
	})
	return news
}

func TestNumbersWrap(t *testing.T) {
	b, h, s := newBench(t)
	for _, c := range []struct {
		order uint32
		news  bool
	}{{1<<32 - 2, true}, {1<<32 - 2, false}, {1<<32 - 1, true}, {0, true}, {1<<32 - 1, false}, {7, true}, {7 + 1<<31 - 1, true}, {7, false}} {
		if got := b.hear(h, s, 1, c.order); got != c.news {
			t.Errorf("%d: news %v, want %v", c.order, got, c.news)
		}
	}
	if want := uint32(6 + 1<<31 - 2); s.judge.missed != want {
		t.Errorf("%d are missing, want %d", s.judge.missed, want)
	}
}

// More streams than there may be push out the one heard longest ago.
func TestThereIsABoundOfStreams(t *testing.T) {
	b, h, s := newBench(t)
	for stream := range uint32(3) {
		b.hear(h, s, stream, 10)
	}
	b.hear(h, s, 0, 11)
	b.hear(h, s, 3, 10) // pushes out 1
	if len(s.judge.streams) != 3 {
		t.Errorf("%d streams are remembered", len(s.judge.streams))
	}
	for stream, news := range map[uint32]bool{0: false, 2: false, 3: false} {
		if got := b.hear(h, s, stream, 10); got != news {
			t.Errorf("stream %d: news %v", stream, got)
		}
	}
	if !b.hear(h, s, 1, 10) {
		t.Error("the stream heard longest ago is remembered")
	}
}

// A stream that is silent for too long is forgotten.
func TestSilentStreamsAreForgotten(t *testing.T) {
	b, h, s := newBench(t)
	second := core.Time(time.Second)
	b.hear(h, s, 1, 10)
	if b.timers[5] != second {
		t.Fatalf("the timer is at %v", b.timers[5])
	}
	b.now = second / 2
	b.hear(h, s, 2, 10)
	b.now = second
	h.Timer(5)
	if len(s.judge.streams) != 1 || b.timers[5] != second*3/2 {
		t.Errorf("%d streams are remembered, the timer is at %v", len(s.judge.streams), b.timers[5])
	}
	b.now = second * 3 / 2
	h.Timer(5)
	if len(s.judge.streams) != 0 || s.judge.first != nil || s.judge.last != nil {
		t.Error("a stream is remembered for ever")
	}
	h.Timer(6) // of a socket that was closed
}

// Whatever comes, the protocol neither breaks nor keeps it.
func FuzzInput(f *testing.F) {
	f.Add(make([]byte, headerSize))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2000 {
			return
		}
		b, h, s := newBench(t)
		h.ports[7], s.port = s, 7
		b.in.Domain().Do(func() {
			p := b.in.NewPacket(core.Headroom, len(data))
			copy(p.Put(len(data)), data)
			h.Input([]*core.Packet{p})
		})
	})
}
