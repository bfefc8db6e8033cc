package modules

import (
	"errors"
	"testing"
	"time"
)

// A process may end before its module knows that it has started.
func TestAProcessThatHasEndedIsNotTakenForTheModules(t *testing.T) {
	mod, p, why := &Module{name: "x"}, &process{}, errors.New("exit status 3")
	p.killed.Do(func() {}) // there is none
	mod.gone(p, why)
	mod.mu.Lock()
	defer mod.mu.Unlock()
	if err := mod.adopt(p); !errors.Is(err, why) || mod.process != nil {
		t.Errorf("%v, the process is %v", err, mod.process)
	}
}

// A session tells of a loss when it gets to it, which may be after the next process
// has started.
func TestALateReportOfALossDoesNotEndTheNextProcess(t *testing.T) {
	before, now := &process{}, &process{}
	mod := &Module{name: "x", process: now}
	mod.lost(processOf(&ringLink{process: before}), errors.New("no answer"))
	mod.lost(processOf(&streamLink{process: before}), errors.New("no answer"))
	if mod.process != now || mod.restarts != 0 {
		t.Errorf("the process is %v after %d restarts", mod.process, mod.restarts)
	}
	mod.moving = &process{}
	if mod.lost(before, errors.New("no answer")); mod.lostMoving != nil {
		t.Errorf("the next one does not take over because of %v", mod.lostMoving)
	}
}

func TestAModuleThatHangsAtItsStartHoldsUpNeitherTheListNorWhatIsLoaded(t *testing.T) {
	m := New(Options{})
	mod := &Module{manager: m, name: "x", manifest: &Manifest{}}
	m.write([]*Module{mod})
	m.mu.Lock() // as it is while another one starts
	defer m.mu.Unlock()
	listed := make(chan []Status, 1)
	go func() {
		if got, err := m.Load("x", nil); got != mod || err != nil {
			t.Errorf("%v, %v", got, err)
		}
		listed <- m.List()
	}()
	select {
	case l := <-listed:
		if len(l) != 1 || l[0].Name != "x" {
			t.Errorf("%+v", l)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("it waits")
	}
}
