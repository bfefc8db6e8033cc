package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/cmd/libos/control"
	"github.com/libos-go/libos/core"
)

// The link between the stack and the kernel.
const (
	kernelName = "libos0"
	stack4     = "10.77.0.2"
	kernel4    = "10.77.0.1"
	stack6     = "fd77::2"
	kernel6    = "fd77::1"
)

// patience is the longest that one step may take.
const patience = 60 * time.Second

// withKernel runs the demo with the kernel: it starts itself again in a network
// namespace of its own, which ends with that process.
func (o *options) withKernel(ctx context.Context) error {
	if o.inside {
		return o.insideNamespace(ctx)
	}
	if err := o.ready(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := append([]string{"--inside"}, os.Args[1:]...)
	for i, a := range args { // behind the name of the subcommand
		if a == "demo" {
			args[0], args[i] = args[i], args[0]
			break
		}
	}
	c := o.command(ctx, self, append(args, "--dir", o.dir)...)
	c.Stdout, c.Stderr = o.e.Stdout, o.e.Stderr
	c.SysProcAttr.Cloneflags = unix.CLONE_NEWNET
	err = c.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return errors.New("the demo inside the namespace failed")
	case errors.Is(err, syscall.EPERM):
		return fmt.Errorf("a network namespace cannot be made: %w: run it as root (sudo make run-tun)", err)
	}
	return err
}

// ready says what is missing before anything begins.
func (o *options) ready() error {
	if os.Geteuid() != 0 {
		return errors.New("demo --tun makes a network namespace and a TUN device: run it as root (sudo make run-tun)")
	}
	if len(o.drivers()) == 0 {
		return fmt.Errorf("demo --tun needs CONFIG_TUN or CONFIG_TUN_VNET_HDR, which configuration %s lacks", o.e.Built().Name)
	}
	for _, symbol := range []string{"CMD_UP", "CMD_GET", "CMD_HTTPD"} {
		if !strings.Contains(o.e.Built().Config, "CONFIG_"+symbol+"=y\n") {
			return fmt.Errorf("demo --tun needs CONFIG_%s, which configuration %s lacks", symbol, o.e.Built().Name)
		}
	}
	for _, tool := range [][2]string{{"ping", "iputils-ping"}, {"curl", "curl"}} {
		if _, err := exec.LookPath(tool[0]); err != nil {
			return fmt.Errorf("demo --tun needs the program %s (Debian: apt install %s)", tool[0], tool[1])
		}
	}
	return nil
}

// drivers are the kinds of TUN devices in the binary.
func (o *options) drivers() (kinds []string) {
	for _, k := range o.e.Built().Devices {
		if k.Kind == "tun" || k.Kind == "tunvnet" {
			kinds = append(kinds, k.Kind)
		}
	}
	return kinds
}

// command is a program that is interrupted when ctx ends and does not outlive us.
func (o *options) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 5 * time.Second
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

// link is one address of each side.
type link struct{ stack, kernel string }

func (o *options) insideNamespace(ctx context.Context) (err error) {
	k, err := openKernel()
	if err != nil {
		return err
	}
	defer k.close()
	if err := k.up("lo"); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "libos-tun")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	served := filepath.Join(work, "www")
	if err := os.Mkdir(served, 0o755); err != nil {
		return err
	}
	file, err := makeFile(ctx, filepath.Join(served, "random.bin"), "random.bin", o.size)
	if err != nil {
		return err
	}
	for i, driver := range o.drivers() {
		if i > 0 {
			o.say("")
		}
		if err := o.overDriver(ctx, k, work, driver, file); err != nil {
			return fmt.Errorf("over %s: %w", driver, err)
		}
	}
	o.say("\nAll equal. The namespace and its devices are gone.")
	return nil
}

// overDriver runs libos up with one device and all four directions of traffic.
func (o *options) overDriver(ctx context.Context, k *kernel, work, driver string, file source) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var links []link
	var addresses []string
	for i := range o.e.Built().Networks {
		switch o.e.Built().Networks[i].Network.Family {
		case core.AFInet:
			links, addresses = append(links, link{stack4, kernel4}), append(addresses, stack4+"/24")
		case core.AFInet6:
			links, addresses = append(links, link{stack6, kernel6}), append(addresses, stack6+"/64")
		}
	}
	hostFile := filepath.Join(work, driver+".toml")
	text := fmt.Sprintf("[[instance]]\nname = %q\n[[instance.device]]\nname = \"eth0\"\nkind = %q\nkernel = %q\nusable = true\naddresses = [\"%s\"]\n",
		"stack", driver, kernelName, strings.Join(addresses, `", "`))
	if err := os.WriteFile(hostFile, []byte(text), 0o600); err != nil {
		return err
	}
	socket := filepath.Join(work, driver+".sock")
	client := &control.Client{Path: socket}

	stack, err := o.start(ctx, self, "up", "--control", socket, hostFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.stop()) }()
	if err := stack.until(ctx, client, func([]control.InstanceInfo) bool { return true }); err != nil {
		return err
	}
	for _, l := range links {
		bits := "/24"
		if strings.Contains(l.kernel, ":") {
			bits = "/64"
		}
		if err := k.address(kernelName, l.kernel+bits); err != nil {
			return err
		}
	}
	if err := k.up(kernelName); err != nil {
		return err
	}
	o.say("A stack behind driver %s, the kernel's %s in front of it", driver, kernelName)

	httpd, err := o.start(ctx, self, "httpd", "--control", socket, filepath.Dir(file.path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, httpd.stop()) }()
	if err := httpd.until(ctx, client, func(list []control.InstanceInfo) bool {
		return len(list) == 1 && len(list[0].Sockets) > 0
	}); err != nil {
		return err
	}
	for _, l := range links {
		if err := o.overLink(ctx, self, socket, work, l, file); err != nil {
			return err
		}
	}
	return nil
}

// overLink is ping and curl to the stack, and libos get from the kernel.
func (o *options) overLink(ctx context.Context, self, socket, work string, l link, file source) error {
	out, err := o.run(ctx, "ping", "-n", "-c", "5", "-i", "0.1", "-W", "5", l.stack)
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, "packet loss") {
			if !strings.Contains(line, " 0% packet loss") {
				return fmt.Errorf("ping %s: %s", l.stack, strings.TrimSpace(line))
			}
			if o.e.JSON() {
				if err := o.e.Print(pinged{Ping: l.stack, Sent: 5, Received: 5}); err != nil {
					return err
				}
			}
			o.say("%-10s %s  %s", "ping", l.stack, strings.TrimSpace(line))
		}
	}
	got := filepath.Join(work, "got.bin")
	url := target{address: l.stack}.url(file.name)
	begun := time.Now()
	if _, err := o.run(ctx, "curl", "--silent", "--show-error", "--fail", "--globoff", "--noproxy", "*", "--output", got, url); err != nil {
		return err
	}
	if err := o.checkFile("curl", url, got, file, time.Since(begun)); err != nil {
		return err
	}
	server, err := net.Listen("tcp", net.JoinHostPort(l.kernel, "0"))
	if err != nil {
		return err
	}
	h := &http.Server{Handler: handler([]source{file})}
	served := make(chan error, 1)
	go func() { served <- h.Serve(server) }()
	url = "http://" + server.Addr().String() + "/" + file.name
	begun = time.Now()
	_, err = o.run(ctx, self, "get", "--control", socket, url, got)
	took := time.Since(begun)
	if err = errors.Join(err, h.Close()); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return o.checkFile("libos get", url, got, file, took)
}

func (o *options) checkFile(what, url, path string, s source, took time.Duration) error {
	n, sum, err := sumFile(path)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return o.check(s, &transfer{What: what, URL: url, Bytes: n, SHA256: sum}, took)
}

// run is a program to its end.
func (o *options) run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := o.command(ctx, name, args...).CombinedOutput()
	if ctx.Err() == context.DeadlineExceeded {
		err = fmt.Errorf("not done after %v", patience)
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// process is a subcommand in the background.
type process struct {
	cmd   *exec.Cmd
	said  *lockedBuffer
	ended chan struct{}
	err   error // when ended is closed
}

func (o *options) start(ctx context.Context, self string, args ...string) (*process, error) {
	p := &process{cmd: o.command(ctx, self, args...), said: &lockedBuffer{}, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// until waits until the stack behind a control socket is as wanted.
func (p *process) until(ctx context.Context, c *control.Client, wanted func([]control.InstanceInfo) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if list, err := c.List(ctx); err == nil && wanted(list) {
			return nil
		}
		select {
		case <-p.ended:
			return p.failure("it ended by itself")
		case <-ctx.Done():
			return p.failure(ctx.Err().Error())
		case <-tick.C:
		}
	}
}

// stop interrupts the process, whose exit status says whether all was well.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(os.Interrupt)
	<-p.ended
	if p.err != nil {
		return p.failure(p.err.Error())
	}
	return nil
}

func (p *process) failure(what string) error {
	return fmt.Errorf("libos %s: %s\n%s", p.cmd.Args[1], what, p.said)
}

// lockedBuffer keeps the output of a process.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
