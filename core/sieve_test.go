package core_test

import (
	"slices"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// sieve is a device that lets every second frame in.
type sieve struct {
	core.Device
	seen int
}

func (s *sieve) Admits(*core.Packet) bool {
	s.seen++
	return s.seen%2 == 0
}

// watched counts the frames that a tap sees come in.
type watched struct{ in int }

func (w *watched) Tap(_ *core.Interface, _ *core.Packet, out bool) {
	if !out {
		w.in++
	}
}

func TestASieveChoosesWhatTheStackGets(t *testing.T) {
	rig := coretest.New(t, host.NewVirtual(1))
	da, db := pipe.New(pipe.Config{})
	s := &sieve{Device: da}
	a := devicetest.NewStation(t, rig.Host, rig, "a", s)
	b := devicetest.NewStation(t, rig.Host, rig, "b", db)
	var w watched
	rig.Domain.Do(func() { a.Interface.AddTap(&w) })
	b.Send(10, 100)
	a.Send(10, 100)
	rig.Advance(time.Second)
	if got := a.Numbers(); !slices.Equal(got, []uint32{1, 3, 5, 7, 9}) {
		t.Errorf("%v came", got)
	}
	if got := b.Count(); got != 10 {
		t.Errorf("%d of 10 packets went out", got)
	}
	if st := a.Stats(); st.RxDropped != 5 || st.RxPackets != 5 || w.in != 5 {
		t.Errorf("counted: %+v; the tap saw %d", st, w.in)
	}
}
