//go:build linux && (amd64 || arm64)

package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"sync"

	"github.com/libos-go/libos/cmd/libos/control"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/guest"
)

func start(c *exec.Cmd, attach func(pid, fd int) error, stat bool) error {
	return guest.Start(c, attach, options(stat)...)
}

func options(stat bool) []guest.Option {
	if stat {
		return []guest.Option{guest.StopStat}
	}
	return nil
}

func waitExit(c *exec.Cmd) error { return guest.Wait(c) }

// own runs a program on an instance of this process, until all that it started has
// ended.
func own(in *core.Instance, args []string, stat bool) (err error) {
	c, err := program(args)
	if err != nil {
		return err
	}
	life, err := newGuardian()
	if err != nil {
		return err
	}
	g := newGuest(in)
	defer func() { err = errors.Join(err, g.Close(), life.close()) }()
	return g.Run(c, wait, options(stat)...)
}

// guests are the Guests of a running stack's instances, each made with the first
// program, and their guardian while there are any.
type guests struct {
	mu   sync.Mutex
	all  map[*core.Instance]*guest.Guest
	life *guardian
}

func (g *guests) of(in *core.Instance) (*guest.Guest, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if x := g.all[in]; x != nil {
		return x, nil
	}
	if g.life == nil {
		life, err := newGuardian()
		if err != nil {
			return nil, err
		}
		g.life = life
	}
	x := newGuest(in)
	if _, ok := in.OnClose(func() { g.end(in, x) }); !ok {
		return nil, fmt.Errorf("instance %s is closed", in.Name())
	}
	if g.all == nil {
		g.all = make(map[*core.Instance]*guest.Guest)
	}
	g.all[in] = x
	return x, nil
}

func (g *guests) end(in *core.Instance, x *guest.Guest) {
	g.mu.Lock()
	delete(g.all, in)
	var life *guardian
	if len(g.all) == 0 {
		life, g.life = g.life, nil
	}
	g.mu.Unlock()
	_ = x.Close()
	if life != nil {
		_ = life.close()
	}
}

// serve answers the calls of a program of another process, and of all that it starts,
// also when whoever started it has gone.
func (g *guests) serve(ctx context.Context, call *control.Call) error {
	var o offer
	if err := json.Unmarshal(call.Args, &o); err != nil {
		return err
	}
	x, err := g.of(call.Instance)
	if err != nil {
		return err
	}
	p, err := x.Attach(o.PID, o.FD)
	if err != nil {
		return err
	}
	if err := call.Emit(struct{}{}); err != nil {
		return errors.Join(err, p.Close())
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
	}
	return nil
}
