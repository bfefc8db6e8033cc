package pipe

import (
	"testing"
	"time"

	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/host"
)

func TestAnIdleTransmitterHasNoTimer(t *testing.T) {
	h := host.NewVirtual(1)
	x, y := New(Config{Wire: Wire{Rate: 8e6, Pace: 1}})
	a := devicetest.NewStation(t, h, nil, "a", x)
	devicetest.NewStation(t, h, a.Rig, "b", y)
	e := x.(*End)
	a.Send(1, 1000)
	if e.idle.Pending() {
		t.Error("a timer waits for a departure that nobody waits for")
	}
	a.Send(1, 1000)
	if !e.idle.Pending() {
		t.Error("a frame waits for the transmitter and no timer stands")
	}
	h.RunFor(time.Second)
	if e.idle.Pending() {
		t.Error("a timer stands on an idle link")
	}
}
