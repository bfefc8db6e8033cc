package sim_test

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/libos-go/libos/device/capture"
	"github.com/libos-go/libos/sim"
)

// A task that stands at a breakpoint keeps the whole network where it is, and nothing
// of it can be seen in the captures afterwards.
func TestATaskAtABreakpointChangesNothing(t *testing.T) {
	// captured runs the busy network with a task more, which goes through point three
	// times between packets of its own.
	captured := func(t *testing.T, parts int, point func(n *sim.Network)) []string {
		n := busy(t, parts)
		a, b := n.Lookup("h00"), n.Lookup("h31")
		b.Go("echo", 0, func(t *sim.Task) {
			l, err := t.Listen("tcp", ":7")
			t.Assert(err == nil, "%v", err)
			c, err := l.Accept()
			t.Assert(err == nil, "%v", err)
			_, _ = io.Copy(c, c)
		})
		a.Go("debugged", 200*time.Millisecond, func(t *sim.Task) {
			c, err := t.Dial("tcp", b.Address()+":7")
			t.Assert(err == nil, "%v", err)
			var answer [5000]byte
			for range 3 {
				_, err := c.Write(answer[:])
				t.Assert(err == nil, "%v", err)
				point(n)
				_, err = io.ReadFull(c, answer[:])
				t.Assert(err == nil, "%v", err)
				t.Assert(t.Sleep(50*time.Millisecond) == nil, "sleep")
			}
		})
		c, err := n.Capture("", capture.Options{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		run(t, n, 3*time.Second)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		return c.Sums()
	}
	passed := 0
	want := captured(t, 1, func(*sim.Network) { passed++ })
	if passed != 3 {
		t.Fatalf("the task passed its breakpoint %d times", passed)
	}
	for _, parts := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("%d parts", parts), func(t *testing.T) {
			reached, release := make(chan *sim.Network), make(chan struct{})
			var stood []time.Duration
			over := make(chan struct{})
			go func() { // the debugger
				defer close(over)
				for range 3 {
					n := <-reached
					at := n.Now()
					for range 3 { // as long as this takes: the others go to where they must wait
						runtime.GC()
					}
					if parts == 1 && n.Now() != at {
						t.Errorf("the time went from %v to %v while a task stood", at, n.Now())
					}
					stood = append(stood, at)
					release <- struct{}{}
				}
			}()
			got := captured(t, parts, func(n *sim.Network) {
				reached <- n
				<-release
			})
			<-over
			if len(stood) != 3 || !slices.IsSorted(stood) {
				t.Errorf("it stood at %v", stood)
			}
			if !slices.Equal(got, want) {
				t.Errorf("captures differ from those of an undisturbed run:\n%v\n%v", got, want)
			}
		})
	}
}
