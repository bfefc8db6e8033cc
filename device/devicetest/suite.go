package devicetest

import (
	"slices"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
)

// Link is a link under test.
type Link struct {
	Host core.Host
	// A and B are its ends. B is nil where what A sends comes back to A.
	A, B core.Device
	// RigA and RigB are the Domains for which the ends were made, nil for any.
	RigA, RigB *coretest.Rig
	// OneDomain puts both ends into one Domain.
	OneDomain bool
	// Pass lets some time go by: virtual time, or a wait for either channel.
	// It returns false when the test should give up.
	Pass func(a, b <-chan struct{}) bool
}

// Settle lets a little time go by in which no station receives anything.
func (l *Link) Settle() {
	timeout := make(chan struct{})
	time.AfterFunc(time.Millisecond, func() { close(timeout) })
	l.Pass(timeout, nil)
}

// Virtual makes a Link's Pass of a virtual-time host's RunFor. It gives up
// after a minute.
func Virtual(runFor func(time.Duration)) func(a, b <-chan struct{}) bool {
	left := 60_000
	return func(<-chan struct{}, <-chan struct{}) bool {
		runFor(time.Millisecond)
		left--
		return left > 0
	}
}

// RealTime is a Link's Pass on a real-time host. It gives up after 20 s.
func RealTime(a, b <-chan struct{}) bool {
	select {
	case <-a:
		return true
	case <-b:
		return true
	case <-time.After(20 * time.Second):
		return false
	}
}

// open gives both ends of l to stations. For a link with one end both are the
// same.
func open(t *testing.T, l Link) (a, b *Station) {
	t.Helper()
	if l.OneDomain && l.RigA == nil {
		l.RigA = coretest.New(t, l.Host)
		l.RigB = l.RigA
	}
	a = NewStation(t, l.Host, l.RigA, "a", l.A)
	if l.B == nil {
		return a, a
	}
	return a, NewStation(t, l.Host, l.RigB, "b", l.B)
}

// await passes time until s has n packets.
func (l *Link) await(t *testing.T, s, other *Station, n int) {
	t.Helper()
	for s.Count() < n {
		if !l.Pass(s.Notice(), other.Notice()) {
			t.Fatalf("%d of %d packets arrived at station %s: %+v, sent by %+v", s.Count(), n, s.Instance.Name(), s.Stats(), other.Stats())
		}
	}
}

// Run holds a device kind to the contract of core.Device. newLink opens a fresh
// link for each test. The link must lose nothing by itself.
func Run(t *testing.T, newLink func(t *testing.T) Link) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, l Link)
	}{
		{"properties are those of a link", properties},
		{"frames of all sizes cross whole and in order", sizes},
		{"both directions at once", duplex},
		{"what a busy device refuses waits and is not lost", pressure},
		{"an interface that is down takes nothing", down},
		{"closing during traffic leaves nothing behind", closing},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, newLink(t)) })
	}
}

func properties(t *testing.T, l Link) {
	a, b := open(t, l)
	ends := []*Station{a, b}
	if a == b {
		ends = ends[:1]
	}
	for _, s := range ends {
		p := s.Interface.Device().Properties()
		if p.Kind == "" || s.Interface.Name() == "" {
			t.Errorf("kind %q, name %q", p.Kind, s.Interface.Name())
		}
		if p.MTU < 68 || p.MTU > 65535 || s.Interface.MTU() != p.MTU {
			t.Errorf("MTU %d, of the interface %d", p.MTU, s.Interface.MTU())
		}
		if (p.Link == core.LinkEthernet) == p.HWAddr.IsZero() || p.HWAddr.IsMulticast() {
			t.Errorf("link %v has the address %v", p.Link, p.HWAddr)
		}
		if (p.Link == core.LinkEthernet) != (p.Flags&core.FlagBroadcast != 0) {
			t.Errorf("link %v has the flags %#x", p.Link, p.Flags)
		}
		if p.Flags&(core.FlagUp|core.FlagRunning) != 0 {
			t.Errorf("a device brings itself up: flags %#x", p.Flags)
		}
		if again := s.Interface.Device().Properties(); again != p {
			t.Errorf("properties change: %+v, %+v", p, again)
		}
		if r := s.Running(); len(r) == 0 || !r[len(r)-1] {
			t.Errorf("interface events %v, want a carrier", r)
		}
	}
	if a != b && a.Interface.Link() == core.LinkEthernet && a.Interface.HWAddr() == b.Interface.HWAddr() {
		t.Errorf("both ends have the address %v", a.Interface.HWAddr())
	}
}

func sizes(t *testing.T, l Link) {
	a, b := open(t, l)
	mtu := a.Interface.MTU()
	var want []int
	for _, size := range []int{MinSize, MinSize + 1, 60, 61, 255, 256, 511, 512, 1023, 1400, mtu - 1, mtu} {
		if size <= mtu {
			a.Send(1, size)
			want = append(want, size)
		}
	}
	l.await(t, b, a, len(want))
	rs := b.Received()
	for i, r := range rs {
		if n, err := Number(r.Data); err != nil || int(n) != i || len(r.Data) != want[i] {
			t.Errorf("packet %d of %d bytes arrived as number %d of %d bytes, %v", i, want[i], n, len(r.Data), err)
		}
	}
	if a.Peak() == 0 {
		t.Error("no slab was in use while packets were sent")
	}
}

func duplex(t *testing.T, l Link) {
	a, b := open(t, l)
	if a == b {
		a.Send(100, 300)
		l.await(t, a, a, 100)
		return
	}
	for range 20 {
		a.Send(5, 300)
		b.Send(5, 700)
	}
	l.await(t, a, b, 100)
	l.await(t, b, a, 100)
	if x, y := a.Numbers(), b.Numbers(); !slices.Equal(x, Range(0, 100)) || !slices.Equal(y, Range(0, 100)) {
		t.Errorf("received out of order or damaged: %v, %v", x, y)
	}
}

func pressure(t *testing.T, l Link) {
	a, b := open(t, l)
	const burst, bursts = 900, 5
	for i := range uint32(bursts) {
		a.Send(burst, 1400)
		l.await(t, b, a, burst)
		if got := b.Numbers(); !slices.Equal(got, Range(i*burst, (i+1)*burst)) {
			t.Fatalf("burst %d: %d packets, in order: %v", i, len(got), slices.IsSorted(got))
		}
	}
	if st := a.Stats(); st.TxDropped != 0 || st.TxPackets != burst*bursts {
		t.Errorf("the sender counted %+v", st)
	}
}

func down(t *testing.T, l Link) {
	a, b := open(t, l)
	if err := b.Interface.SetUp(false); err != nil {
		t.Fatal(err)
	}
	a.Send(3, 100)
	if a == b {
		if st := a.Stats(); a.Count() != 0 || st.TxDropped != 3 {
			t.Errorf("%d packets came by an interface that is down: %+v", a.Count(), st)
		}
		return
	}
	for deadline := 0; b.Stats().RxDropped < 3; deadline++ {
		if deadline == 1000 {
			t.Fatalf("the three packets sent to an interface that is down are not counted as dropped: %+v", b.Stats())
		}
		l.Settle()
	}
	if err := b.Interface.SetUp(true); err != nil {
		t.Fatal(err)
	}
	a.Send(1, 200)
	l.await(t, b, a, 1)
	if got := b.Numbers(); !slices.Equal(got, []uint32{3}) {
		t.Errorf("received %v, want packet 3 only", got)
	}
}

func closing(t *testing.T, l Link) {
	a, b := open(t, l)
	for range 10 {
		a.Send(64, 1000)
		b.Send(64, 1000)
	}
	l.await(t, b, a, 1)
	if a == b {
		a.Close()
		return
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				a.Send(10, 1000)
			}
		}
	}()
	b.Close()
	n := b.Count()
	close(stop)
	<-stopped
	if m := b.Count(); m != n {
		t.Errorf("%d packets came after the close", m-n)
	}
	a.Send(100, 100)
	a.Close()
	if err := l.A.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}
