//go:build amd64 || arm64

package packetdrill

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Kernel runs scripts against the host's kernel: each in a network namespace of its
// own, behind a TUN device, both of which end with the run. It needs the rights to
// make them (root), and ip.
type Kernel struct{}

// Name implements Backend.
func (Kernel) Name() string { return "kernel" }

// Check tells what is missing to run scripts on the kernel.
func (k Kernel) Check() error {
	s := Defaults()
	s.MTU = defaultMTU
	return k.Run(&s, func(System) bool { return false })
}

// kernel is the system of one script.
type kernel struct {
	kernelCalls
	tun    *os.File
	tap    *os.File // sees what the kernel sends, with its time
	ns     *os.File
	base   time.Time
	work   chan func()
	signal chan struct{}

	mu   sync.Mutex
	sent []livePacket
}

// Run implements Backend.
func (Kernel) Run(s *Settings, f func(System) bool) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its namespace
		result <- runKernel(s, f)
	}()
	return <-result
}

func runKernel(s *Settings, f func(System) bool) (err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("a network namespace cannot be made: %w (run as root)", err)
	}
	x := &kernel{base: time.Now().Round(0), work: make(chan func()), signal: make(chan struct{}, 1)}
	x.open = map[int]bool{}
	if x.ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return err
	}
	defer func() { _ = x.ns.Close() }()
	if x.tun, err = openTun(); err != nil {
		return err
	}
	defer func() { _ = x.tun.Close() }()
	if s.Speed > 0 {
		if err := setSpeed(s.Speed); err != nil {
			return err
		}
	}
	if err := x.address(s); err != nil {
		return err
	}
	if x.tap, err = openTap(); err != nil {
		return err
	}
	var readers sync.WaitGroup
	readers.Add(2)
	go func() { defer readers.Done(); x.drain() }()
	go func() { defer readers.Done(); x.listen() }()
	worker := make(chan struct{})
	ready := make(chan error, 1)
	go x.worker(ready, worker)
	if err := <-ready; err != nil {
		return err
	}
	urgent()
	stuck := f(x)
	close(x.work)
	if stuck {
		x.kernelCalls.wakeAll()
	}
	select {
	case <-worker:
	case <-time.After(time.Second):
		err = errors.New("a system call never returned; its thread is left behind")
	}
	x.kernelCalls.closeAll()
	_ = x.tun.Close()
	_ = x.tap.Close()
	readers.Wait()
	return err
}

// urgent asks for a thread that the machine's other work does not delay. Without
// the right to, times are as good as the machine is idle.
func urgent() {
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 10, Flags: 1 /* reset on fork */}, 0)
}

// worker runs calls on a thread of its own in the namespace.
func (x *kernel) worker(ready chan<- error, over chan<- struct{}) {
	runtime.LockOSThread() // never unlocked
	defer close(over)
	err := unix.Setns(int(x.ns.Fd()), unix.CLONE_NEWNET)
	ready <- err
	if err != nil {
		return
	}
	urgent()
	for f := range x.work {
		f()
		x.notify()
	}
}

func openTun() (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	r, err := unix.NewIfreq(device)
	if err == nil {
		r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, r)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("a TUN device cannot be made: %w", err)
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil
}

// openTap listens to what the kernel sends through the device: a packet socket
// tells when each packet was sent, however late it is read.
func openTap() (*os.File, error) {
	r, err := unix.NewIfreq(device)
	if err != nil {
		return nil, err
	}
	const all = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL<<8&0xffff
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, all)
	if err != nil {
		return nil, fmt.Errorf("a packet socket cannot be made: %w", err)
	}
	if err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, r); err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: int(r.Uint32())})
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	}
	if err == nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("a packet socket for %s: %w", device, err)
	}
	return os.NewFile(uintptr(fd), "packet socket"), nil
}

// address brings the kernel's side up with the settings' addresses.
func (x *kernel) address(s *Settings) error {
	for _, name := range []string{"all", "default", device} {
		for setting, value := range map[string]string{"accept_dad": "0", "router_solicitations": "0", "addr_gen_mode": "1", "disable_ipv6": "0"} {
			_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/"+setting, []byte(value), 0) // absent without IPv6
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "link set lo up\nlink set %s mtu %d up\n", device, s.MTU)
	for i, nodad := range []string{"", " nodad"} {
		if i == 1 {
			if _, err := os.Stat("/proc/sys/net/ipv6"); err != nil {
				break
			}
		}
		fmt.Fprintf(&b, "addr add %s dev %s%s\n", netip.PrefixFrom(s.Local[i], s.Prefix[i]), device, nodad)
		fmt.Fprintf(&b, "route add %s via %s dev %s\n", netip.PrefixFrom(s.Remote[i], s.RemotePrefix[i]).Masked(), s.Gateway[i], device)
	}
	if err := program(b.String(), "ip", "-batch", "-"); err != nil {
		return err
	}
	// Segments that were cut from a larger one all end in PSH, whatever TCP said.
	_ = program("", "ip", "link", "set", device, "gso_max_segs", "1") // as far as it is known here
	return settled(s.Local[1])
}

// settled waits until no IPv6 address is tentative: even one that skips duplicate
// address detection is until the kernel's worker has run.
func settled(local netip.Addr) error {
	const tentative = 0x40
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		b, err := os.ReadFile("/proc/thread-self/net/if_inet6")
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		waits := false
		for _, line := range strings.Split(string(b), "\n") {
			f := strings.Fields(line) // address, index, length, scope, flags, device
			if len(f) == 6 {
				flags, err := strconv.ParseUint(f[4], 16, 32)
				waits = waits || err != nil || flags&tentative != 0
			}
		}
		if !waits && routed(local) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the addresses of %s are still tentative", device)
		}
	}
}

// routed tells whether packets to an own address are taken: its route comes last.
func routed(local netip.Addr) bool {
	b, err := os.ReadFile("/proc/thread-self/net/ipv6_route")
	if err != nil {
		return true
	}
	return strings.Contains(string(b), fmt.Sprintf("%x 80 ", local.AsSlice()))
}

// program runs a program in the namespace.
func program(input, name string, args ...string) error {
	if _, err := exec.LookPath(name); err != nil {
		return fmt.Errorf("%s is not installed (Debian: apt install iproute2)", name)
	}
	c := exec.Command(name, args...)
	c.Stdin = strings.NewReader(input)
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %s", name, strings.Join(args, " "), bytes.TrimSpace(out))
	}
	return nil
}

// drain takes packets out of the device, so that its queue never fills.
func (x *kernel) drain() {
	b := make([]byte, 1<<16)
	for {
		if _, err := x.tun.Read(b); err != nil {
			return
		}
	}
}

// listen keeps the packets that the kernel sends.
func (x *kernel) listen() {
	c, err := x.tap.SyscallConn()
	if err != nil {
		return
	}
	b, oob := make([]byte, 1<<16), make([]byte, 256)
	for {
		var n, on int
		var from unix.Sockaddr
		var failed error
		err := c.Read(func(fd uintptr) bool {
			n, on, _, from, failed = unix.Recvmsg(int(fd), b, oob, 0)
			return !errors.Is(failed, unix.EAGAIN)
		})
		if err != nil {
			return
		}
		if errors.Is(failed, unix.ENETDOWN) { // the script set the device down
			continue
		}
		if failed != nil {
			return
		}
		if l, ok := from.(*unix.SockaddrLinklayer); !ok || l.Pkttype != unix.PACKET_OUTGOING {
			continue
		}
		at := time.Now().Round(0)
		if list, err := unix.ParseSocketControlMessage(oob[:on]); err == nil {
			for _, m := range list {
				if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= int(unsafe.Sizeof(unix.Timespec{})) {
					ts := (*unix.Timespec)(unsafe.Pointer(&m.Data[0]))
					at = time.Unix(ts.Unix())
				}
			}
		}
		x.mu.Lock()
		if len(x.sent) < 1<<16 {
			x.sent = append(x.sent, livePacket{at.Sub(x.base), bytes.Clone(b[:n])})
		}
		x.mu.Unlock()
		x.notify()
	}
}

func (x *kernel) notify() {
	select {
	case x.signal <- struct{}{}:
	default:
	}
}

func (x *kernel) Now() time.Duration { return time.Now().Round(0).Sub(x.base) }

func (x *kernel) Exact() bool { return false }

// Sleep sleeps by the thread's own call, and spins at the end: the timers of Go
// are served by threads that may have to wait.
func (x *kernel) Sleep(t time.Duration) {
	const spin = 50 * time.Microsecond
	for {
		d := t - x.Now()
		switch {
		case d <= 0:
			return
		case d > spin:
			ts := unix.NsecToTimespec(int64(d - spin))
			_ = unix.Nanosleep(&ts, nil)
		}
	}
}

func (x *kernel) Inject(packet []byte) error {
	_, err := x.tun.Write(packet)
	return err
}

func (x *kernel) Packet() (livePacket, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.sent) == 0 {
		return livePacket{}, false
	}
	p := x.sent[0]
	x.sent = x.sent[1:]
	return p, true
}

func (x *kernel) Await(t time.Duration, done func() bool) bool {
	timer := time.NewTimer(t - x.Now())
	defer timer.Stop()
	for {
		if done() {
			return true
		}
		select {
		case <-x.signal:
		case <-timer.C:
			return done()
		}
	}
}

// Start runs a call that may block on the thread for such, and any other on the
// caller's: a hand-over takes as long as the machine is busy. One that blocks all the
// same is woken by the end of its sockets.
func (x *kernel) Start(f func(), blocks bool) {
	if blocks {
		x.work <- f
		return
	}
	watch := time.AfterFunc(patience, x.wakeAll)
	defer watch.Stop()
	f()
}

func (x *kernel) Shell(text string) error {
	c := exec.Command("/bin/sh", "-c", text)
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// Configure implements System: settings are those of the namespace, because the
// thread is in it.
func (x *kernel) Configure(c *setup) error {
	if c.Tool != "sysctl" {
		if len(c.Args) > 0 && strings.HasPrefix(c.Args[0], "tcp_metrics") {
			return nil // a fresh namespace remembers no peers
		}
		return program("", c.Tool, c.Args...)
	}
	if !strings.HasPrefix(c.Name, "net.") {
		return fmt.Errorf("%s is not of the network namespace: it would change the host", c.Name)
	}
	path := filepath.Join("/proc/sys", strings.ReplaceAll(c.Name, ".", "/"))
	if !strings.HasPrefix(path, "/proc/sys/net/") {
		return fmt.Errorf("%s is no setting", c.Name)
	}
	return os.WriteFile(path, []byte(c.Value), 0)
}
