package modules_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/modules"
)

// caller sends numbered datagrams from one socket and wants each back.
func caller(c net.Conn, to string, rounds int, stop *atomic.Bool) (calls int, err error) {
	var out, in [16]byte
	for i := 0; i < rounds && !stop.Load(); i++ {
		binary.BigEndian.PutUint64(out[:], uint64(i))
		if _, err := c.Write(out[:]); err != nil {
			return calls, fmt.Errorf("%s: write %d: %w", to, i, err)
		}
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := c.Read(in[:]); err != nil {
			return calls, fmt.Errorf("%s: read %d: %w", to, i, err)
		}
		if in != out {
			return calls, fmt.Errorf("%s: call %d is answered by %x", to, i, in)
		}
		calls++
	}
	return calls, nil
}

// answerAll sends back what comes, until the socket is closed.
func answerAll(t *testing.T, server net.PacketConn) {
	var b [64]byte
	for {
		n, from, err := server.ReadFrom(b[:])
		if err != nil {
			return
		}
		if _, err := server.WriteTo(b[:n], from); err != nil {
			t.Errorf("the server: %v", err)
		}
	}
}

// Sockets that were opened before, while and after the module was replaced work:
// no call of any of them fails, no datagram is lost.
func TestReplacingAModuleUnderLoadFailsNoCall(t *testing.T) {
	t.Run("rings", func(t *testing.T) { underLoad(t, false, 20) })
	t.Run("stream", func(t *testing.T) { underLoad(t, true, 3) })
}

func underLoad(t *testing.T, stream bool, times int) {
	m := manager(t, modules.Options{Dirs: []string{build(t)}, Stream: stream})
	rig := coretest.New(t, host.NewRealTime())
	in := rig.Instance("a", networks())
	if err := m.Attach(in, "udp"); err != nil {
		t.Fatal(err)
	}
	server, err := in.ListenPacket("udp4", "127.0.0.1:7")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Socket().SetInt(core.SolSocket, core.SoRcvBuf, 1<<20); err != nil {
		t.Fatal(err)
	}
	var echoing, calling sync.WaitGroup
	echoing.Go(func() { answerAll(t, server) })
	var stop atomic.Bool
	var calls, opened atomic.Int64
	call := func(rounds int) {
		c, err := in.Dial("udp4", "127.0.0.1:7")
		if err != nil {
			t.Errorf("open: %v", err)
			stop.Store(true)
			return
		}
		opened.Add(1)
		n, err := caller(c, "client "+c.LocalAddr().String(), rounds, &stop)
		calls.Add(int64(n))
		if err := errors.Join(err, c.Close()); err != nil {
			t.Error(err)
			stop.Store(true)
		}
	}
	for range 8 { // open all the time
		calling.Go(func() { call(1 << 30) })
	}
	for range 4 { // opened and closed all the time
		calling.Go(func() {
			for !stop.Load() {
				call(20)
			}
		})
	}
	pids := map[int]bool{m.List()[0].PID: true}
	for i := range times {
		before := calls.Load()
		if lost, err := m.Replace("udp", modules.ReplaceOptions{}); lost != 0 || err != nil {
			t.Fatalf("replacement %d: %d sockets lost, %v", i, lost, err)
		}
		pids[m.List()[0].PID] = true
		for deadline := time.Now().Add(30 * time.Second); calls.Load() < before+100 && !stop.Load(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d calls after replacement %d", calls.Load()-before, i)
			}
		}
	}
	stop.Store(true)
	calling.Wait()
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	echoing.Wait()
	st := m.List()[0]
	t.Logf("%d calls on %d sockets, %d processes", calls.Load(), opened.Load(), len(pids))
	if len(pids) != times+1 || st.Replaced != times || st.Restarts != 0 || st.Traffic.Lost != 0 || st.Traffic.SocketsLost != 0 || st.Traffic.Dropped != 0 || st.Traffic.Faults != 0 {
		t.Errorf("%d processes, %+v", len(pids), st)
	}
}

func TestAReplacementThatDoesNotStartLeavesTheModuleAsItIs(t *testing.T) {
	dir := build(t)
	m := manager(t, modules.Options{Dirs: []string{dir}})
	rig := coretest.New(t, host.NewVirtual(1))
	in := rig.Instance("a", networks())
	if _, err := m.Replace("udp", modules.ReplaceOptions{}); !errors.Is(err, syscall.ENOENT) || !strings.Contains(err.Error(), "modprobe udp") {
		t.Errorf("not loaded: %v", err)
	}
	rig.Do(func() {
		if err := m.Attach(in, "udp"); err != nil {
			t.Fatal(err)
		}
		c, err := in.ListenPacket("udp4", "127.0.0.1:7")
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []struct {
			name string
			harm func(*testing.T, string)
			o    modules.ReplaceOptions
			want string
		}{
			{name: "a changed program", harm: lengthen, want: "sha256"},
			{name: "other sockets", harm: edit(`"range": "4096..2147483647"`, `"range": "1..2147483647"`), want: "rmmod udp"},
			{name: "a manifest that lies", harm: edit(`"version": "1.0.0"`, `"version": "6.6.6"`), want: "something else than its manifest"},
			{name: "a refused parameter", o: modules.ReplaceOptions{Parameters: map[string]string{"greeting": "refuse"}}, want: "this greeting is refused"},
		} {
			t.Run(x.name, func(t *testing.T) {
				x.o.Dir = build(t)
				if x.harm != nil {
					x.harm(t, x.o.Dir)
				}
				lost, err := m.Replace("udp", x.o)
				if lost != 0 || err == nil || !strings.Contains(err.Error(), x.want) {
					t.Errorf("%d sockets lost, %v: want %q", lost, err, x.want)
				}
			})
		}
		// All goes on, and one that is well takes over.
		pid := m.List()[0].PID
		echo(t, in)
		if lost, err := m.Replace("udp", modules.ReplaceOptions{Parameters: map[string]string{"greeting": "hi"}}); lost != 0 || err != nil {
			t.Errorf("%d sockets lost, %v", lost, err)
		}
		echo(t, in)
		if st := m.List()[0]; st.PID == pid || st.Replaced != 1 || st.Restarts != 0 || st.Sockets != 1 {
			t.Errorf("%+v, was process %d", st, pid)
		}
		if _, err := os.Stat(filepath.Join("/proc", fmt.Sprint(pid))); err == nil {
			t.Errorf("process %d is still there", pid)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// lengthen makes the program another than its manifest says.
func lengthen(t *testing.T, dir string) {
	f, err := os.OpenFile(filepath.Join(dir, "udp"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("x"); err != nil {
		t.Fatal(err)
	}
}
