package modules_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/modules"
	"github.com/libos-go/libos/plugin/session"
	"github.com/libos-go/libos/protocols/udp"
)

// failing is UDP that ends or hangs at the n-th thing that it is told, as a file
// beside its program says: "exit 3", "hang 3".
type failing struct {
	core.Handler
	how  string
	left *int
}

func (f failing) step() {
	if *f.left--; *f.left != 0 {
		return
	}
	if f.how == "exit" {
		os.Exit(3)
	}
	for {
		time.Sleep(time.Hour)
	}
}

// Event implements core.Handler.
func (f failing) Event(e *core.Event) { f.step(); f.Handler.Event(e) }

// Control implements core.Handler.
func (f failing) Control(op *core.Op) { f.step(); f.Handler.Control(op) }

const failsAs = ".fails"

// udpHandler is that of this test's module.
func udpHandler() func(core.Env) core.Handler {
	text, err := os.ReadFile(os.Args[0] + failsAs)
	if err != nil {
		return udp.Protocol().NewHandler
	}
	var how string
	var at int
	if _, err := fmt.Sscan(string(text), &how, &at); err != nil || at == 0 {
		os.Exit(4) // at once
	}
	return func(env core.Env) core.Handler { return failing{udp.Protocol().NewHandler(env), how, &at} }
}

// A second process that ends or hangs at any step costs no call of the first.
func TestASecondProcessThatFailsCostsNoCall(t *testing.T) {
	m := modules.New(modules.Options{Dirs: []string{build(t)}, Patience: 5 * time.Second, Log: logged(t)})
	t.Cleanup(m.Close)
	rig := coretest.New(t, host.NewRealTime())
	in := rig.Instance("a", networks())
	if err := m.Attach(in, "udp"); err != nil {
		t.Fatal(err)
	}
	server, err := in.ListenPacket("udp4", "127.0.0.1:7")
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var echoing, calling sync.WaitGroup
	echoing.Go(func() { answerAll(t, server) })
	var calls [3]atomic.Int64 // of each client
	for i := range calls {
		calling.Go(func() {
			c, err := in.Dial("udp4", "127.0.0.1:7")
			if err != nil {
				t.Error(err)
				return
			}
			for !stop.Load() {
				n, err := caller(c, "client", 10, &stop)
				calls[i].Add(int64(n))
				if err != nil {
					t.Error(err)
					break
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	// All clients must be at work, also because a second process is told of each.
	allCall := func() bool {
		deadline := time.Now().Add(30 * time.Second)
		for i := range calls {
			for enough := calls[i].Load() + 20; calls[i].Load() < enough; {
				if time.Now().After(deadline) {
					return false
				}
				time.Sleep(time.Millisecond)
			}
		}
		return true
	}
	if !allCall() {
		t.Fatal("not all clients can call")
	}
	pid, dir := m.List()[0].PID, build(t)
	for _, x := range []struct{ fails, want string }{
		{"exit 0", "udp is not replaced"},
		{"exit 1", "process is gone"},
		{"exit 4", "process is gone"},
		{"exit 9", "process is gone"},
		{"hang 1", "no answer within"},
		{"hang 6", "no answer within"},
	} {
		if err := os.WriteFile(filepath.Join(dir, "udp")+failsAs, []byte(x.fails), 0o644); err != nil {
			t.Fatal(err)
		}
		lost, err := m.Replace("udp", modules.ReplaceOptions{Dir: dir})
		if err == nil || lost != 0 || !strings.Contains(err.Error(), x.want) && !errors.Is(err, session.ErrTakeOver) {
			t.Errorf("%s: %d sockets lost, %v: want %q", x.fails, lost, err, x.want)
		}
		t.Log(err)
		if !allCall() {
			t.Errorf("%s: no call ends any more", x.fails)
		}
	}
	if err := os.Remove(filepath.Join(dir, "udp") + failsAs); err != nil {
		t.Fatal(err)
	}
	if st := m.List()[0]; st.PID != pid || st.Restarts != 0 || st.Replaced != 0 || st.Traffic.Lost != 0 || st.Traffic.Dropped != 0 {
		t.Errorf("%+v", st)
	}
	if lost, err := m.Replace("udp", modules.ReplaceOptions{Dir: dir}); lost != 0 || err != nil {
		t.Errorf("one that is well: %d sockets lost, %v", lost, err)
	}
	stop.Store(true)
	calling.Wait()
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	echoing.Wait()
}

// The process that runs may end in the middle of its replacement: that costs what
// its end costs, and the module comes back.
func TestAFirstProcessThatEndsWhileItIsReplacedIsStartedAgain(t *testing.T) {
	m := manager(t, modules.Options{Dirs: []string{build(t)}})
	rig := coretest.New(t, host.NewRealTime())
	in := rig.Instance("a", networks())
	if err := m.Attach(in, "udp"); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		p, err := os.FindProcess(m.List()[0].PID)
		if err != nil {
			t.Fatal(err)
		}
		var replacing sync.WaitGroup
		replacing.Go(func() { _, _ = m.Replace("udp", modules.ReplaceOptions{}) }) // whether it is before or after
		time.Sleep(30 * time.Millisecond)
		_ = p.Kill() // or it is gone already
		replacing.Wait()
		deadline := time.Now().Add(30 * time.Second)
		for {
			c, err := in.Dial("udp4", "127.0.0.1:9")
			if err == nil {
				c.Close()
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%v: %+v", err, m.List())
			}
			time.Sleep(time.Millisecond)
		}
		echo(t, in)
	}
}
