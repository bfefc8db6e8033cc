//go:build linux && (amd64 || arm64)

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/tunio"
	"github.com/libos-go/libos/device/tunvnet"
	"github.com/libos-go/libos/guest"
	"github.com/libos-go/libos/host"
)

// serverPatience is how long a client may not find its server.
const serverPatience = 10 * time.Second

// measure runs the server, and the client as often as it takes to reach it.
func (p *places) measure(w workload, seconds int) (value float64, err error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(nginxConfiguration), 0o600); err != nil {
		return 0, err
	}
	server, err := command(w.server)
	if err != nil {
		return 0, err
	}
	server.Dir = dir
	var said bytes.Buffer
	server.Stdout, server.Stderr = &said, &said
	ended := make(chan error, 1)
	go func() { ended <- p.server(server) }()
	for limit := time.Now().Add(serverPatience); ; time.Sleep(100 * time.Millisecond) {
		client, err := command(w.client(seconds))
		if err != nil {
			return 0, err
		}
		var out, complaints bytes.Buffer
		client.Stdout, client.Stderr = &out, &complaints
		err = p.client(client)
		if err == nil {
			value, err = w.read(out.Bytes())
		}
		if err == nil {
			return value, stop(server, ended)
		}
		select {
		case why := <-ended:
			return 0, fmt.Errorf("%s: %w: %s", w.server[0], why, said.String())
		default:
		}
		if time.Now().After(limit) {
			return 0, errors.Join(fmt.Errorf("%s: %w: %s%s", client, err, out.String(), complaints.String()), stop(server, ended))
		}
	}
}

func command(args []string) (*exec.Cmd, error) {
	path, err := exec.LookPath(args[0])
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + args[0]); err != nil {
			return nil, fmt.Errorf("%w: %w", errNoPrograms, err)
		}
	}
	return exec.Command(path, args[1:]...), nil
}

// stop ends a server that does not end by itself.
func stop(c *exec.Cmd, ended chan error) error {
	if c.Process == nil {
		return <-ended
	}
	_ = c.Process.Kill()
	var exit *exec.ExitError
	if err := <-ended; !errors.As(err, &exit) {
		return fmt.Errorf("%s ended by itself: %w", c, err)
	}
	return nil
}

// oursInMemory are two instances joined in memory.
func oursInMemory() (*places, error) {
	n := newNetwork()
	a, b, err := n.pair()
	if err != nil {
		return nil, err
	}
	ga, gb := guest.New(a), guest.New(b)
	run := func(g *guest.Guest) func(*exec.Cmd) error {
		return func(c *exec.Cmd) error { return g.Run(c, (*exec.Cmd).Wait) }
	}
	return &places{client: run(ga), server: run(gb), close: func() error {
		return errors.Join(ga.Close(), gb.Close(), a.Close(), b.Close())
	}}, nil
}

// oursOverTUN is the client on an instance and the server on the host's kernel, in a network namespace.
func oursOverTUN() (*places, error) {
	ns := newNamespace()
	var dev *tunvnet.Device
	err := ns.do(func() (err error) {
		if dev, err = tunvnet.Open(tunio.Options{Name: "tun0", MTU: mtu}); err == nil {
			err = script("ip addr add "+serverAddress+"/24 dev tun0", "ip link set tun0 up", "ip route replace 10.0.0.0/24 dev tun0 src "+serverAddress+" congctl cubic")
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, ns.close())
	}
	in, err := core.New(core.Options{Name: "bench", Host: host.NewRealTime(), Wiring: libos.Wiring()})
	if err == nil {
		err = attach(in, dev, []string{clientAddress + "/24"})
	}
	if err != nil {
		return nil, errors.Join(err, ns.close())
	}
	g := guest.New(in)
	return &places{
		client: func(c *exec.Cmd) error { return g.Run(c, (*exec.Cmd).Wait) },
		server: ns.run,
		close:  func() error { return errors.Join(g.Close(), in.Close(), ns.close()) },
	}, nil
}

// kernelOverVeth are two network namespaces joined by veth, which cuts, sums and merges nothing.
func kernelOverVeth() (*places, error) {
	a, b := newNamespace(), newNamespace()
	p := &places{client: a.run, server: b.run, close: func() error { return errors.Join(a.close(), b.close()) }}
	setUp := func(name, address string) error {
		return script("ethtool -K "+name+" rx off tx off sg off tso off gso off gro off", "ip addr add "+address+"/24 dev "+name, "ip link set "+name+" up",
			"ip route replace 10.0.0.0/24 dev "+name+" src "+address+" congctl cubic")
	}
	err := b.do(func() error { return nil })
	if err == nil {
		err = a.do(func() error {
			return firstError(script(fmt.Sprintf("ip link add v0 type veth peer name v1 netns /proc/%d/task/%d/ns/net", os.Getpid(), b.thread)), setUp("v0", clientAddress))
		})
	}
	if err == nil {
		err = b.do(func() error { return setUp("v1", serverAddress) })
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// script runs commands in the calling thread's namespace.
func script(lines ...string) error {
	for _, line := range lines {
		words := strings.Fields(line)
		c, err := command(words)
		if err != nil {
			return err
		}
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", line, err, out)
		}
	}
	return nil
}

// namespace is a network namespace of the kernel, in which a thread lives.
type namespace struct {
	work   chan func() error
	done   chan error
	thread int
}

func newNamespace() *namespace {
	n := &namespace{work: make(chan func() error), done: make(chan error)}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its namespace
		err := unix.Unshare(unix.CLONE_NEWNET)
		n.thread = unix.Gettid()
		for f := range n.work {
			if err != nil {
				n.done <- fmt.Errorf("%w: %w", errNoPrograms, err)
				continue
			}
			n.done <- f()
		}
		n.done <- nil
	}()
	return n
}

// do calls f in the namespace.
func (n *namespace) do(f func() error) error {
	n.work <- f
	return <-n.done
}

// run runs a program in the namespace.
func (n *namespace) run(c *exec.Cmd) error {
	if err := n.do(c.Start); err != nil {
		return err
	}
	return c.Wait()
}

func (n *namespace) close() error {
	close(n.work)
	return <-n.done
}
