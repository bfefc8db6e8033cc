package modules

import (
	"errors"
	"testing"
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
