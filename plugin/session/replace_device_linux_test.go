package session_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/session"
)

// one is a device that can be had once at a time.
type one struct {
	core.Device
	taken chan struct{}
}

// Close implements core.Device.
func (d one) Close() error {
	<-d.taken
	return d.Device.Close()
}

var errTaken = errors.New("it is taken")

// onlyOnce are ends that can be opened once at a time, whichever module does so.
func onlyOnce(cfg pipe.Config, taken map[string]chan struct{}) []session.Served {
	served := ends(cfg)
	open := served[0].Device
	served[0].Device = func(p map[string]string) (core.Device, error) {
		select {
		case taken[p["which"]] <- struct{}{}:
		default:
			return nil, errTaken
		}
		d, err := open(p)
		return one{d, taken[p["which"]]}, err
	}
	return served
}

func TestDevicesGoOverToAnotherProcess(t *testing.T) {
	for _, lockstep := range []bool{true, false} {
		for _, exclusive := range []bool{false, true} {
			var h core.Host = host.NewRealTime()
			if lockstep {
				h = host.NewVirtual(1)
			}
			taken := map[string]chan struct{}{"a": make(chan struct{}, 1), "b": make(chan struct{}, 1)}
			served := func(cfg pipe.Config) []session.Served {
				if exclusive {
					return onlyOnce(cfg, taken)
				}
				return ends(cfg)
			}
			rig := coretest.New(t, h)
			s := session.New(rig.Domain, session.Options{Name: "ends", Lockstep: lockstep, Patience: 20 * time.Second, Log: slog.New(slog.DiscardHandler)})
			if err := s.Connect(another(t, served(pipe.Config{}), nil)); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Disconnect(nil) })
			a, b := devicetest.NewStation(t, h, rig, "a", openEnd(t, s, "a")), devicetest.NewStation(t, h, rig, "b", openEnd(t, s, "b"))
			come := func(want int) {
				t.Helper()
				for end := time.Now().Add(20 * time.Second); b.Count() < want && time.Now().Before(end); {
					time.Sleep(time.Millisecond)
				}
				if got := b.Count(); got != want {
					t.Errorf("lockstep %v, exclusive %v: %d came, want %d", lockstep, exclusive, got, want)
				}
			}
			move := func(cfg pipe.Config) error {
				_, err := session.Replace([]session.Move{{Session: s, Link: another(t, served(cfg), nil)}}, session.ReplaceOptions{})
				return err
			}
			a.Send(3, 100)
			come(3)
			if err := move(pipe.Config{}); err != nil {
				t.Fatalf("lockstep %v, exclusive %v: %v", lockstep, exclusive, err)
			}
			a.Send(2, 100)
			come(5)
			// One that would be another device does not take over.
			if err := move(pipe.Config{Raw: true}); !errors.Is(err, session.ErrTakeOver) || !strings.Contains(err.Error(), "hardware address") {
				t.Errorf("lockstep %v, exclusive %v: %v", lockstep, exclusive, err)
			}
			if r := a.Running(); !r[len(r)-1] {
				t.Errorf("lockstep %v, exclusive %v: no carrier", lockstep, exclusive)
			}
			if !exclusive { // a pipe that was closed carries nothing any more
				a.Send(4, 100)
				come(9)
			}
			if st := s.Stats(); st.Lost != 0 || st.Faults != 0 || st.Replaced != 1 {
				t.Errorf("lockstep %v, exclusive %v: %+v", lockstep, exclusive, st)
			}
		}
	}
}
