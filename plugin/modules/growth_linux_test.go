package modules

import (
	"io"
	"log/slog"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/control"
	"github.com/libos-go/libos/plugin/session"
)

// Instances come and go, each in a Domain of its own: what is kept of them goes
// with them. No process is needed to see that.
func TestNothingIsKeptOfInstancesThatAreClosed(t *testing.T) {
	m := New(Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	mod := &Module{manager: m, sessions: map[*core.Domain]*session.Session{}, manifest: &Manifest{description: &control.Description{Name: "x",
		Protocols: []*control.Protocol{{Name: "x", Numbers: []byte{253}}}}}}
	h := host.NewRealTime()
	for i := range 10_000 {
		r := coretest.New(t, h)
		in := r.Instance("a", &core.Wiring{Name: "nothing"})
		if err := mod.Attach(in); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			if err := mod.Detach(in); err != nil {
				t.Fatal(err)
			}
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
		if u, s := len(mod.users), len(mod.sessions); u != 0 || s != 0 {
			t.Fatalf("after %d instances %d users and %d sessions are kept", i+1, u, s)
		}
	}
}

// One of two instances of a Domain goes: the other keeps the session.
func TestASessionLastsAsLongAsAnInstanceOfItsDomain(t *testing.T) {
	m := New(Options{})
	mod := &Module{manager: m, sessions: map[*core.Domain]*session.Session{}, manifest: &Manifest{description: &control.Description{Name: "x",
		Protocols: []*control.Protocol{{Name: "x", Numbers: []byte{253}}}}}}
	r := coretest.New(t, host.NewRealTime())
	a, b := r.Instance("a", &core.Wiring{Name: "nothing"}), r.Instance("b", &core.Wiring{Name: "nothing"})
	for _, in := range []*core.Instance{a, b} {
		if err := mod.Attach(in); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if len(mod.users) != 1 || len(mod.sessions) != 1 {
		t.Errorf("%d users, %d sessions", len(mod.users), len(mod.sessions))
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if len(mod.users) != 0 || len(mod.sessions) != 0 {
		t.Errorf("%d users, %d sessions", len(mod.users), len(mod.sessions))
	}
}
