package kernel

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipv4"
	"github.com/libos-go/libos/core/ipv6"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/tunio"
)

// Device is a driver whose other side is an interface of the kernel.
type Device interface {
	core.Device
	KernelName() string
}

// InNamespace runs f in a new network namespace, on a thread of its own that
// ends with it. Sockets made and programs started in f itself are in the
// namespace, those of goroutines that f starts are not.
func InNamespace(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	done := make(chan struct{})
	skip := ""
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with its namespace
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			skip = "a network namespace cannot be made: " + err.Error() + " (run as root)"
			return
		}
		f(t)
	}()
	<-done
	if skip != "" {
		t.Skip(skip)
	}
}

// Command runs a program in the namespace of the calling test.
func Command(t *testing.T, args ...string) (output string, ok bool) {
	t.Helper()
	if _, err := exec.LookPath(args[0]); err != nil {
		t.Skipf("%s is not installed (Debian: apt install iproute2 iputils-ping)", args[0])
	}
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	return string(out), err == nil
}

// MustCommand is Command that fails the test when the program fails.
func MustCommand(t *testing.T, args ...string) string {
	t.Helper()
	out, ok := Command(t, args...)
	if !ok {
		t.Fatalf("%s: %s", strings.Join(args, " "), out)
	}
	return out
}

// Configure brings the kernel's side up with addresses.
func Configure(t *testing.T, name string, addresses ...string) {
	t.Helper()
	for _, a := range addresses {
		args := []string{"ip", "addr", "add", a, "dev", name}
		if strings.Contains(a, ":") {
			args = append(args, "nodad")
		}
		MustCommand(t, args...)
	}
	MustCommand(t, "ip", "link", "set", name, "up")
}

// Ready waits until the kernel's side speaks IPv6: its link-local address has
// passed duplicate address detection. Before that it may miss solicitations.
func Ready(t *testing.T, name string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		out := MustCommand(t, "ip", "-6", "-o", "addr", "show", "dev", name, "scope", "link")
		if strings.Contains(out, "inet6") && !strings.Contains(out, "tentative") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the kernel's side is not ready: %s", out)
		}
	}
}

// Wiring has both network protocols and nothing else.
func Wiring() *core.Wiring {
	return &core.Wiring{Name: "kernel test", Networks: []core.NetworkEntry{
		{Network: ipv4.Protocol(), Sysctls: sysctl.Of[ipv4.Sysctls](), Devices: sysctl.Of[ipv4.DeviceSysctls]()},
		{Network: ipv6.Protocol(), Sysctls: sysctl.Of[ipv6.Sysctls](), Devices: sysctl.Of[ipv6.DeviceSysctls]()},
	}}
}

// Ping has the kernel's own ping reach a stack behind the device that open
// makes, with small and with fragmented packets of both families.
func Ping(t *testing.T, h core.Host, tap bool, open func(tunio.Options) (Device, error)) {
	PingThrough(t, h, tap, func(_ *coretest.Rig, o tunio.Options) (Device, error) { return open(o) })
}

// PingFive has the kernel's ping ask in five times, at an interval in seconds and
// with so many bytes: every time must be answered. For the last answers ping waits
// twice the longest round trip that it has seen, some milliseconds, whatever -W
// says: what a busy machine delivers later than that is lost to it. Then in's own
// counters tell whether five came and five were answered.
func PingFive(t *testing.T, rig *coretest.Rig, in *core.Instance, dst, interval, size string) {
	t.Helper()
	group, reply := "Icmp", "OutEchoReps"
	if strings.Contains(dst, ":") {
		group, reply = "Icmp6", "OutEchoReplies"
	}
	asked, answered := rig.Counter(in, group, "InEchos"), rig.Counter(in, group, reply)
	out, ok := Command(t, "ping", "-n", "-q", "-c", "5", "-i", interval, "-W", "5", "-s", size, dst)
	if ok && strings.Contains(out, "5 received, 0% packet loss") {
		return
	}
	var came, went uint64
	for end := time.Now().Add(5 * time.Second); ok && time.Now().Before(end); time.Sleep(time.Millisecond) {
		came, went = rig.Counter(in, group, "InEchos")-asked, rig.Counter(in, group, reply)-answered
		if came == 5 && went == 5 {
			return
		}
	}
	t.Errorf("ping %s with %s bytes: %d asked, %d answered: %s", dst, size, came, went, out)
}

// PingThrough is Ping for a device that is made for the Domain of rig.
func PingThrough(t *testing.T, h core.Host, tap bool, open func(rig *coretest.Rig, o tunio.Options) (Device, error)) {
	InNamespace(t, func(t *testing.T) {
		rig := coretest.New(t, h)
		dev, err := open(rig, tunio.Options{TAP: tap, MTU: 1400})
		if err != nil {
			t.Skip(err)
		}
		ifc := rig.Attach(rig.Instance("stack", Wiring()), dev, "")
		for _, a := range []string{"10.77.0.2/24", "fd77::2/64"} {
			if err := ifc.AddAddress(wire.MustPrefix(a)); err != nil {
				t.Errorf("%s: %v", a, err)
				return
			}
		}
		Configure(t, dev.KernelName(), "10.77.0.1/24", "fd77::1/64")
		if out := MustCommand(t, "ip", "link", "show", dev.KernelName()); !strings.Contains(out, "mtu 1400") {
			t.Errorf("the kernel's side has another MTU: %s", out)
		}
		for _, dst := range []string{"10.77.0.2", "fd77::2"} {
			for _, size := range []string{"56", "1372", "4000"} {
				PingFive(t, rig, ifc.Instance(), dst, "0.05", size)
			}
		}
		if st := ifc.Stats(); st.RxErrors != 0 || st.RxDropped != 0 {
			t.Errorf("counters %+v", *st)
		}
	})
}
