package apps

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/libos-go/libos/sim"
)

// CBR sends UDP datagrams at a constant rate, in turns of on and off if they are
// set.
type CBR struct {
	To   string        `sim:"to,node or address to send to"`
	Port int           `sim:"port,UDP port"`
	At   Distribution  `sim:"start,when to begin, or from when to when at random"`
	For  time.Duration `sim:"for,how long; 0 is to the end"`
	Rate Rate          `sim:"rate,bits per second of user data while on"`
	Size int           `sim:"size,bytes of user data in a datagram; 1000 if it is missing"`
	// On and Off are the lengths of turns; without On there is but one.
	On  Distribution `sim:"burst,length of a burst, such as 1s or exp(500ms)"`
	Off Distribution `sim:"pause,length of a pause"`
}

// Check implements App.
func (a CBR) Check() error {
	if a.Rate <= 0 {
		return errors.New("rate is missing: bits per second, such as 1M")
	}
	if a.Size < 0 || a.Size > 65507 {
		return fmt.Errorf("size %d is not in 1..65507", a.Size)
	}
	if (a.On.Mean() > 0) != (a.Off.Mean() > 0) {
		return errors.New("burst and pause go together: give both or none")
	}
	if err := checkTimes(a.At, a.For); err != nil {
		return err
	}
	return checkTarget(a.To, a.Port)
}

// Start implements App.
func (a CBR) Start(x *sim.Node) { x.Go("cbr", a.At.start(x, "cbr"), a.run) }

func (a CBR) run(t *sim.Task) {
	c, err := t.Dial("udp", address(t, a.To, a.Port))
	if err != nil {
		t.Assert(over(err), "%v", err)
		return
	}
	t.Track("cbr", c)
	size := a.Size
	if size == 0 {
		size = 1000
	}
	data := make([]byte, size)
	gap := time.Duration(math.Round(float64(size) * 8e9 / float64(a.Rate)))
	dice := t.Random()
	begin := t.Now()
	end := time.Duration(math.MaxInt64)
	if a.For > 0 {
		end = begin + a.For
	}
	sent := 0
	next := begin
	for pause := end; ; {
		if a.On.Mean() > 0 {
			pause = min(end, next+a.On.Sample(dice))
		}
		for next < pause {
			if t.SleepUntil(next) != nil {
				return
			}
			if _, err := c.Write(data); over(err) {
				return
			} else if err == nil { // ICMP errors of a peer that is not there are not ours
				sent++
			}
			next += max(gap, 1)
		}
		if next = max(next, pause) + a.Off.Sample(dice); next >= end {
			break
		}
	}
	if t.SleepUntil(end) != nil {
		return
	}
	t.Record("sent", float64(sent), "packets")
	_ = c.Close()
}
