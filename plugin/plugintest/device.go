package plugintest

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/plugin"
	"github.com/libos-go/libos/plugin/control"
	"github.com/libos-go/libos/plugin/modules"
)

// name of the module.
const name = "device"

// Main runs the tests, or, in a process that was started as a module, serves kinds.
func Main(m *testing.M, kinds ...core.DeviceKind) {
	if os.Getenv(control.SocketVariable) != "" || len(os.Args) == 2 && os.Args[1] == "--describe" {
		plugin.Main(plugin.Module{Name: name, Description: "the module of a test", Devices: kinds})
	}
	os.Exit(m.Run())
}

// Process is a loaded module.
type Process struct {
	*modules.Module
	Manager *modules.Manager
	began   modules.Status
	ended   modules.Status
	used    time.Duration
}

// Start loads the module. It belongs to the network namespace of the thread that
// calls. When the test ends, after what it registers later, the module must still
// be the process that it began as, have used time of the processor, and have made
// no fault.
func Start(t testing.TB) *Process {
	t.Helper()
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Skipf("no way to see a process at work here: %v", err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, name)
	CopyOfSelf(t, program)
	if _, err := modules.WriteManifest(dir, name, "", nil); err != nil {
		t.Fatal(err)
	}
	said := new(lines)
	ns, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	o := modules.Options{Dirs: []string{dir}, Patience: 20 * time.Second, Log: slog.New(slog.NewTextHandler(said, nil))}
	if namespace() != others() {
		o.Network = ns
	}
	p := &Process{Manager: modules.New(o)}
	if p.Module, err = p.Manager.Load(name, nil); err != nil {
		t.Fatal(err)
	}
	p.began = p.Status()
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.began.PID)); err != nil || exe != program || p.began.PID == os.Getpid() {
		t.Errorf("process %d is %s (%v), want %s and not this one, %d", p.began.PID, exe, err, program, os.Getpid())
	}
	p.used = CPUTime(t, p.began.PID)
	t.Cleanup(func() {
		p.check(t)
		p.Manager.Close()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	return p
}

// namespace names the network namespace of the calling thread.
func namespace() string {
	name, _ := os.Readlink("/proc/thread-self/ns/net")
	return name
}

// others is the namespace of threads that are no test's own.
func others() string {
	name := make(chan string)
	go func() { name <- namespace() }()
	return <-name
}

// check holds what the module did against what it counts.
func (p *Process) check(t testing.TB) {
	t.Helper()
	st := p.Status()
	p.ended = st
	if st.State != modules.Live || st.PID != p.began.PID || st.Restarts != 0 || st.Traffic.Faults != 0 || st.Traffic.Lost != 0 {
		t.Errorf("it began as %+v and is %+v", p.began, st)
		return
	}
	if n := st.Traffic; n.Sent == 0 || n.Received == 0 {
		t.Errorf("it was given nothing to do: %+v", n)
	}
	used := CPUTime(t, st.PID) - p.used
	if used <= 0 {
		t.Errorf("the process used %v", used)
	}
	t.Logf("process %d: %d frames to it, %d back, %v of CPU time", st.PID, st.Traffic.Packets, st.Traffic.Frames, used)
}

// Carried are the frames to and from the devices of the module, when the test that
// started it has ended; none of a module that was not started.
func (p *Process) Carried() (to, from uint64) {
	if p == nil {
		return 0, 0
	}
	return p.ended.Traffic.Packets, p.ended.Traffic.Frames
}

// Open opens a device of the module for an instance in the Domain of rig. Errors
// are the device's.
func (p *Process) Open(rig *coretest.Rig, kind string, parameters map[string]string) (core.Device, error) {
	in := rig.Instance("opener", &core.Wiring{Name: "opener"}) // any instance of the Domain will do
	return p.Manager.Device(in, kind, parameters)
}

// lines is a log that goroutines write.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
