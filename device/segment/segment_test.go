package segment_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/segment"
	"github.com/libos-go/libos/host"
)

// lan is some stations at the ports of a segment.
type lan struct {
	*testing.T
	h        *host.Virtual
	rig      *coretest.Rig
	stations []*devicetest.Station
	ports    []*segment.Port
}

func newLAN(t *testing.T, ports ...*segment.Port) *lan {
	h := host.NewVirtual(1)
	l := &lan{T: t, h: h, rig: coretest.New(t, h)}
	for _, p := range ports {
		l.add(p)
	}
	return l
}

func (l *lan) add(p *segment.Port) *devicetest.Station {
	l.Helper()
	s := devicetest.NewStation(l, l.h, l.rig, fmt.Sprintf("s%d", len(l.stations)), p)
	if p.Err() != nil {
		l.Fatal(p.Err())
	}
	l.stations, l.ports = append(l.stations, s), append(l.ports, p)
	return s
}

// ports makes n ports of a medium.
func ports(n int, make func(segment.PortConfig) *segment.Port, cfg segment.PortConfig) (ps []*segment.Port) {
	for range n {
		ps = append(ps, make(cfg))
	}
	return ps
}

// to has station i address station j, all others for -1.
func (l *lan) to(i, j int) *devicetest.Station {
	if j < 0 {
		l.stations[i].ToHW = [6]byte{255, 255, 255, 255, 255, 255}
	} else {
		l.stations[i].ToHW = l.stations[j].Interface.HWAddr()
	}
	return l.stations[i]
}

func (l *lan) do(f func()) { l.rig.Domain.Do(f) }

// heard is how many frames each interface was handed since the last call.
func (l *lan) heard() (n []int) {
	for _, s := range l.stations {
		n = append(n, s.Count())
		s.Received()
	}
	return n
}

func (l *lan) want(want ...int) {
	l.Helper()
	if got := l.heard(); !slices.Equal(got, want) {
		l.Errorf("stations received %v frames, want %v", got, want)
	}
}

func at(s *devicetest.Station) (times []time.Duration) {
	for _, r := range s.Received() {
		times = append(times, time.Duration(r.At))
	}
	return times
}

func (l *lan) wantAt(i int, want ...time.Duration) {
	l.Helper()
	if got := at(l.stations[i]); !slices.Equal(got, want) {
		l.Errorf("station %d received frames at %v, want %v", i, got, want)
	}
}

const (
	us = time.Microsecond
	ms = time.Millisecond
	// 986 bytes of packet are 1,000 of frame, which take 1 ms at 8 Mbit/s.
	size = 986
	rate = 8e6
)

func TestAHubCarriesOneFrameAtATime(t *testing.T) {
	hub := segment.NewHub(segment.HubConfig{Name: "hub", Rate: rate, Delay: 100 * us})
	l := newLAN(t, ports(3, hub.Port, segment.PortConfig{})...)
	l.to(0, 2).Send(3, size)
	l.to(1, 2).Send(3, size)
	l.h.RunFor(time.Second)
	l.wantAt(2, 1*ms+100*us, 2*ms+100*us, 3*ms+100*us, 4*ms+100*us, 5*ms+100*us, 6*ms+100*us)
	l.want(0, 0, 0)
}

func TestStationsOfAHubTakeTurns(t *testing.T) {
	hub := segment.NewHub(segment.HubConfig{Name: "hub", Rate: rate})
	l := newLAN(t, ports(4, hub.Port, segment.PortConfig{})...)
	var order []byte
	for i := range 3 {
		l.to(i, 3).Send(4, size-10*i)
	}
	l.h.RunFor(time.Second)
	for _, r := range l.stations[3].Received() {
		order = append(order, '0'+byte((size-len(r.Data))/10))
	}
	if got := string(order); got != "001201201212" { // station 0 began, and waited before the others came
		t.Errorf("frames of stations came in the order %s", got)
	}
}

func TestAFrameIsForItsReceiverAlone(t *testing.T) {
	hub := segment.NewHub(segment.HubConfig{Name: "hub"})
	l := newLAN(t, append(ports(3, hub.Port, segment.PortConfig{}), hub.Port(segment.PortConfig{Promiscuous: true}))...)
	l.to(0, 1).Send(2, 100)
	l.want(0, 2, 0, 0)
	var got []uint64
	for i := range l.stations {
		got = append(got, l.stations[i].Stats().RxPackets)
	}
	if !slices.Equal(got, []uint64{0, 2, 0, 2}) {
		t.Errorf("interfaces were handed %v frames; a promiscuous one gets all", got)
	}
	l.to(0, -1).Send(1, 100)
	l.want(0, 1, 1, 1)
}

func TestReceiversShareThePayload(t *testing.T) {
	const payload, n = 32 << 10, 20
	hub := segment.NewHub(segment.HubConfig{Name: "hub", Delay: ms})
	l := newLAN(t, ports(n, hub.Port, segment.PortConfig{MTU: 65535})...)
	in := l.stations[0].Instance
	l.do(func() {
		p := in.NewPacket(core.Headroom, 64)
		p.Put(20)[0] = 0x45
		if !p.Append(make([]byte, payload)) {
			t.Fatal("no memory")
		}
		p.EtherType = 0x0800
		l.to(0, -1).Interface.TransmitTo(p, l.stations[0].ToHW)
	})
	var total int64
	for _, s := range l.stations {
		total += s.Instance.Account().Bytes()
	}
	if total > 2*payload+n*4096 {
		t.Errorf("%d bytes are held while %d stations are sent %d", total, n-1, payload)
	}
	l.h.RunFor(time.Second)
	l.want(slices.Concat([]int{0}, slices.Repeat([]int{1}, n-1))...)
}

func TestASwitchLearns(t *testing.T) {
	s := segment.NewSwitch(segment.SwitchConfig{Name: "s", Age: time.Minute})
	l := newLAN(t, append(ports(3, s.Port, segment.PortConfig{}), s.Port(segment.PortConfig{Promiscuous: true}))...)
	seen := func(want ...uint64) {
		t.Helper()
		var got []uint64
		for i := range l.stations {
			got = append(got, l.stations[i].Stats().RxPackets)
		}
		if !slices.Equal(got, want) {
			t.Errorf("interfaces were handed %v frames so far, want %v", got, want)
		}
	}
	l.to(0, 1).Send(1, 100) // station 1 has not been heard: to all
	seen(0, 1, 0, 1)
	l.to(1, 0).Send(1, 100) // station 0 has
	seen(1, 1, 0, 1)
	l.to(0, 1).Send(1, 100)
	seen(1, 2, 0, 1)
	l.h.RunFor(time.Minute)
	l.to(0, 1).Send(1, 100) // forgotten
	seen(1, 3, 0, 2)
	l.to(2, -1).Send(1, 100)
	seen(2, 4, 0, 3)
	if c := s.Counters(); c.Forwarded != 2 || c.Flooded != 3 {
		t.Errorf("%+v, want 2 forwarded and 3 flooded", c)
	}
	l.do(func() {
		if p, ok := s.Where(l.ports[2].Properties().HWAddr); !ok || p != l.ports[2] {
			t.Error("station 2 is not known behind its port")
		}
	})
}

func TestAFullTableForwardsToAll(t *testing.T) {
	s := segment.NewSwitch(segment.SwitchConfig{Name: "s", Stations: 2})
	l := newLAN(t, append(ports(4, s.Port, segment.PortConfig{}), s.Port(segment.PortConfig{Promiscuous: true}))...)
	for i := range 4 {
		l.to(i, -1).Send(1, 100)
	}
	before := l.stations[4].Stats().RxPackets
	for i := range 4 {
		l.to((i+1)%4, i).Send(1, 100)
	}
	if n := l.stations[4].Stats().RxPackets - before; n != 2 {
		t.Errorf("%d of 4 stations are not known, want 2", n)
	}
}

func TestASwitchStoresAndForwards(t *testing.T) {
	s := segment.NewSwitch(segment.SwitchConfig{Name: "s"})
	cable := segment.Cable{Rate: rate, Delay: 100 * us}
	l := newLAN(t, ports(3, s.Port, segment.PortConfig{Cable: cable})...)
	l.to(0, 2).Send(2, size)
	l.to(1, 2).Send(1, size)
	l.h.RunFor(time.Second)
	// 1 ms and 100 µs to the switch, where the frames of 0 and 1 meet, and again from it.
	l.wantAt(2, 2*ms+200*us, 3*ms+200*us, 4*ms+200*us)
}

func TestAFullQueueOfASwitchDrops(t *testing.T) {
	s := segment.NewSwitch(segment.SwitchConfig{Name: "s"})
	fast, slow := segment.Cable{Rate: 1e9}, segment.Cable{Rate: rate, QueueLen: 4}
	l := newLAN(t, s.Port(segment.PortConfig{Cable: fast}), s.Port(segment.PortConfig{Cable: slow}))
	l.to(0, 1).Send(20, size)
	l.h.RunFor(time.Second)
	if got := l.stations[1].Numbers(); !slices.Equal(got, devicetest.Range(0, 5)) { // one on the wire, four in the queue
		t.Errorf("frames %v arrived", got)
	}
	if c := l.ports[1].Counters(); c.QueueDrops != 15 || c.Received != 5 {
		t.Errorf("%+v, want 15 drops", c)
	}
}

func TestTrunksMakeOneNetwork(t *testing.T) {
	var sw [3]*segment.Switch
	for i := range sw {
		sw[i] = segment.NewSwitch(segment.SwitchConfig{Name: fmt.Sprint("sw", i)})
	}
	cable := segment.Cable{Rate: rate, Delay: 100 * us}
	join := func(a, b int) (*segment.Trunk, error) { return segment.Join(sw[a], sw[b], cable) }
	first, err := join(0, 1)
	if err == nil {
		_, err = join(1, 2)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := join(2, 0); !errors.Is(err, segment.ErrLoop) || !strings.Contains(err.Error(), `between "sw2" and "sw0"`) {
		t.Errorf("a loop: %v", err)
	}
	if _, err := join(1, 1); !errors.Is(err, segment.ErrLoop) {
		t.Errorf("a trunk from a switch to itself: %v", err)
	}
	l := newLAN(t, sw[0].Port(segment.PortConfig{}), sw[1].Port(segment.PortConfig{}), sw[2].Port(segment.PortConfig{}), sw[0].Port(segment.PortConfig{}))
	l.to(0, 2).Send(2, size)
	l.h.RunFor(time.Second)
	l.wantAt(2, 2*ms+200*us, 3*ms+200*us)
	l.to(2, 0).Send(1, size)
	start := time.Duration(l.h.Now())
	l.h.RunFor(time.Second)
	l.wantAt(0, start+2*ms+200*us)
	l.want(0, 0, 0, 0)
	if c := sw[1].Counters(); c.Forwarded != 1 || c.Flooded != 2 {
		t.Errorf("the middle switch: %+v", c)
	}
	l.do(first.Remove)
	l.to(2, -1).Send(1, size)
	l.h.RunFor(time.Second)
	l.want(0, 1, 0, 0)
	if _, err := join(2, 0); err != nil { // no loop any more
		t.Error(err)
	}
	l.to(1, -1).Send(1, size)
	l.h.RunFor(time.Second)
	l.want(1, 0, 1, 1)
}

// Frames on a trunk are charged to some station's instance. It may go.
func TestFramesOnATrunkOutliveTheirSender(t *testing.T) {
	a, b := segment.NewSwitch(segment.SwitchConfig{Name: "a"}), segment.NewSwitch(segment.SwitchConfig{Name: "b"})
	if _, err := segment.Join(a, b, segment.Cable{Delay: time.Second}); err != nil {
		t.Fatal(err)
	}
	l := newLAN(t, a.Port(segment.PortConfig{}), b.Port(segment.PortConfig{}), b.Port(segment.PortConfig{}))
	l.to(0, -1).Send(3, 100)
	l.h.RunFor(ms)
	l.stations[0].Close()
	l.stations[1].Close()
	l.h.RunFor(time.Minute)
	l.want(0, 0, 3)
	l.to(2, -1).Send(3, 100)
	l.h.RunFor(ms)
	l.stations[2].Close() // nobody is left
	l.h.RunFor(time.Minute)
}

func TestAStationMovesToAnotherSwitch(t *testing.T) {
	a, b := segment.NewSwitch(segment.SwitchConfig{Name: "a"}), segment.NewSwitch(segment.SwitchConfig{Name: "b"})
	cfg := segment.PortConfig{Cable: segment.Cable{Delay: 10 * ms}}
	l := newLAN(t, a.Port(cfg), b.Port(cfg), a.Port(cfg))
	l.to(2, -1).Send(1, 100)
	l.h.RunFor(15 * ms) // the frame is on its way from the switch to station 0
	l.do(func() { l.ports[2].Unplug() })
	if r := l.stations[2].Running(); r[len(r)-1] {
		t.Error("an unplugged port has its carrier")
	}
	l.to(2, -1).Send(2, 100)
	l.to(0, 2).Send(1, 100)
	l.h.RunFor(ms)
	l.do(func() {
		if err := l.ports[2].Plug(b); err != nil {
			t.Error(err)
		}
	})
	if r := l.stations[2].Running(); !r[len(r)-1] {
		t.Error("a port that was plugged in has no carrier")
	}
	l.h.RunFor(time.Second)
	l.want(1, 0, 0)
	l.to(2, -1).Send(1, 100)
	l.to(1, 2).Send(1, 100)
	l.h.RunFor(time.Second)
	l.want(0, 1, 1)
	if c := l.ports[2].Counters(); c.Unplugged != 2 {
		t.Errorf("%+v, want 2 frames sent into nothing", c)
	}
}

func TestWhatIsOnItsWayToAStationThatLeavesIsMissed(t *testing.T) {
	hub := segment.NewHub(segment.HubConfig{Name: "hub", Rate: rate, Delay: 10 * ms})
	l := newLAN(t, ports(3, hub.Port, segment.PortConfig{})...)
	l.to(0, -1).Send(4, size)
	l.to(2, -1).Send(4, size)
	l.h.RunFor(3500 * us) // three frames of station 0 were sent or begun, and one of 2
	l.do(l.ports[2].Unplug)
	l.h.RunFor(time.Second)
	l.want(1, 5, 0)
	if c := l.ports[2].Counters(); c.Missed != 3 || c.Unplugged != 3 {
		t.Errorf("%+v, want 3 frames missed and 3 sent into nothing", c)
	}
}

func TestPortsOfTwoDomainsDoNotMeet(t *testing.T) {
	s, far := segment.NewSwitch(segment.SwitchConfig{Name: "lan"}), segment.NewSwitch(segment.SwitchConfig{Name: "far"})
	l := newLAN(t, s.Port(segment.PortConfig{}))
	if _, err := segment.Join(s, far, segment.Cable{}); err != nil {
		t.Fatal(err)
	}
	other := coretest.New(t, l.h)
	for _, m := range []*segment.Switch{s, far} {
		p := m.Port(segment.PortConfig{Name: "p"})
		st := devicetest.NewStation(t, l.h, other, "other"+fmt.Sprint(m == s), p)
		if !errors.Is(p.Err(), segment.ErrDomain) {
			t.Errorf("a port of another Domain: %v", p.Err())
		}
		if r := st.Running(); r[len(r)-1] {
			t.Error("the port has a carrier")
		}
		st.Send(1, 100)
	}
	l.h.RunFor(time.Second)
	l.want(0)
}

func TestTheSameSeedGivesTheSameFrames(t *testing.T) {
	run := func(seed uint64) (log []string) {
		h := host.NewVirtual(seed)
		rig := coretest.New(t, h, coretest.Release())
		radio := segment.NewRadio(segment.RadioConfig{Name: "air", Rate: 1e7, Collision: 0.3, Retries: 1, Loss: []segment.LossPoint{{Distance: 0, Loss: 0}, {Distance: 100, Loss: 1}}})
		var stations []*devicetest.Station
		for i := range 5 {
			p := radio.Port(segment.PortConfig{Position: segment.At(segment.Point{X: float64(10 * i)})})
			stations = append(stations, devicetest.NewStation(t, h, rig, fmt.Sprint("s", i), p))
		}
		for range 20 {
			for _, s := range stations {
				s.Send(2, 300)
			}
			h.RunFor(ms)
		}
		h.RunFor(time.Minute)
		for i, s := range stations {
			for _, r := range s.Received() {
				log = append(log, fmt.Sprint(i, r.At, len(r.Data), r.Data[20:24]))
			}
		}
		return log
	}
	a := run(1)
	if !slices.Equal(a, run(1)) {
		t.Error("the same seed gave other frames")
	}
	if slices.Equal(a, run(2)) {
		t.Error("another seed gave the same frames")
	}
}

func TestConfigurationsThatCannotBe(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{(&segment.PortConfig{Name: "p", MTU: 1}).Check(), `port "p": MTU 1 is not in 68..65535`},
		{(&segment.PortConfig{Name: "p", HWAddr: [6]byte{1}}).Check(), `port "p": 01:00:00:00:00:00 is a group's address`},
		{(&segment.PortConfig{Name: "p", Cable: segment.Cable{Rate: -1}}).Check(), `port "p": rate -1 is negative`},
		{(&segment.HubConfig{Name: "h", Delay: -1}).Check(), `hub "h": delay -1ns is negative`},
		{(&segment.SwitchConfig{Name: "s", Age: -1}).Check(), `switch "s": age -1ns is negative`},
		{(&segment.SwitchConfig{Name: "s", Stations: 1 << 21}).Check(), `switch "s": 2097152 stations`},
		{(&segment.RadioConfig{Name: "r", Collision: 2}).Check(), `radio "r": collision is a probability`},
		{(&segment.RadioConfig{Name: "r", Loss: []segment.LossPoint{{5, 0}, {5, 1}}}).Check(), `radio "r": distances of losses rise`},
		{(&segment.RadioConfig{Name: "r", Loss: []segment.LossPoint{{5, 7}}}).Check(), `radio "r": loss is a probability between 0 and 1, not 7`},
		{(&segment.RadioConfig{Name: "r", Range: -1}).Check(), `radio "r": range -1 is negative`},
	} {
		if tt.err == nil || !strings.HasPrefix(tt.err.Error(), tt.want) {
			t.Errorf("%v, want %s", tt.err, tt.want)
		}
	}
}
