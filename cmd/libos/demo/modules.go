package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/core"
)

// What goes through the module.
const (
	datagram    = 1024             // bytes of one
	outstanding = 32               // datagrams on their way at once
	echoWait    = time.Second / 4  // for an answer, before it counts as lost
	mostOfAll   = 12 * time.Second // for all of them, however slow the machine is
)

// throughModule is what the demo with a module tells at its end.
type throughModule struct {
	Module   string  `json:"module"`
	PID      int     `json:"pid"`
	PIDAfter int     `json:"pid_after"`
	Sent     int     `json:"sent"`
	Echoed   int     `json:"echoed"`
	Told     string  `json:"told"` // the socket's error after the process was killed
	AwayMS   float64 `json:"away_ms"`
	Restarts int     `json:"restarts"`
	Packets  uint64  `json:"packets"` // to the module
	HostFile string  `json:"host_file"`
	// Device is the same for a device, nil if its module is not there.
	Device *throughDevice `json:"device,omitempty"`
}

// withModules runs the lab in memory with UDP in a process of its own, and a device
// in another one, which are killed in the middle.
func (o *options) withModules(ctx context.Context) (err error) {
	if err := o.e.NeedModules(); err != nil {
		return fmt.Errorf("demo --modules: %w", err)
	}
	if strings.Contains("\n"+o.e.Built().Config, "\nCONFIG_UDP=y\n") {
		return fmt.Errorf("demo --modules shows UDP as a module, but it is linked in: make it one and build again (libosbuild set UDP m)")
	}
	text, targets := o.plan()
	text, taped, err := o.withTape("modules = [\"udp\"]\n" + text)
	if err != nil {
		return err
	}
	hostFile := filepath.Join(o.dir, "modules.toml")
	if err := os.WriteFile(hostFile, []byte(text), 0o644); err != nil {
		return err
	}
	f, err := o.e.ParseHostFile(hostFile, text)
	if err != nil {
		return err
	}
	f.ModuleDir, f.Log = o.moduleDir, slog.New(slog.DiscardHandler)
	s, err := f.Start(o.e)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := command.WaitAddresses(ctx, s.Instances...); err != nil {
		return err
	}
	x := &through{o: o, modules: s.Modules, from: s.Instances[0], network: strings.Replace(targets[0].network, "tcp", "udp", 1),
		address: net.JoinHostPort(targets[0].address, "7")}
	x.report = throughModule{Module: "udp", PID: x.status().PID, HostFile: hostFile}
	o.say("Three stacks in this process:  left ──west── router ──east── right")
	o.say("UDP of left and right in process %d\n", x.report.PID)
	if err := x.run(ctx, s.Instances[2]); err != nil {
		return err
	}
	if taped {
		if x.report.Device, err = o.device(ctx, s.Modules, s.Instances[3]); err != nil {
			return err
		}
	}
	return x.show()
}

// through sends datagrams through the module and back.
type through struct {
	o                *options
	modules          command.Modules
	from             *core.Instance
	network, address string
	conn             net.Conn // nil while the module is away
	bar              *command.Progress
	report           throughModule
}

func (x *through) status() command.ModuleInfo {
	for _, m := range x.modules.List() {
		if m.Name == "udp" {
			return m
		}
	}
	return command.ModuleInfo{}
}

func (x *through) run(ctx context.Context, server *core.Instance) (err error) {
	ctx, cancel := context.WithTimeout(ctx, mostOfAll)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		echo(ctx, server, x.network, x.address)
	}()
	defer func() {
		cancel()
		<-ended
		x.drop()
	}()
	x.bar = &command.Progress{}
	half := x.o.size / datagram / 2
	if err := x.back(ctx); err != nil {
		return err
	}
	if err := x.pass(ctx, "until it is killed", half); err != nil {
		return err
	}
	killed := time.Now()
	p, err := os.FindProcess(x.report.PID)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		return fmt.Errorf("killing process %d: %w", x.report.PID, err)
	}
	x.o.say("%-10s process %d by SIGKILL", "killed", x.report.PID)
	for err == nil && ctx.Err() == nil {
		err = x.batch()
	}
	if !errors.Is(err, syscall.ENETDOWN) {
		return fmt.Errorf("after the module was killed its socket says %w, not ENETDOWN", errors.Join(err, ctx.Err()))
	}
	x.report.Told = syscall.ENETDOWN.Error()
	x.o.say("%-10s %v", "told", err)
	x.drop()
	if err := x.back(ctx); err != nil {
		return err
	}
	x.report.AwayMS = float64(time.Since(killed)) / 1e6
	st := x.status()
	x.report.PIDAfter, x.report.Restarts = st.PID, st.Restarts
	x.o.say("%-10s after %.0f ms, in process %d", "back", x.report.AwayMS, st.PID)
	if err := x.pass(ctx, "since it is back", half); err != nil {
		return err
	}
	x.report.Packets = x.status().Packets
	return nil
}

// back opens a socket and waits until a datagram comes back through it.
func (x *through) back(ctx context.Context) error {
	b := make([]byte, datagram)
	for ctx.Err() == nil {
		c, err := x.from.DialContext(ctx, x.network, x.address)
		if err == nil {
			if _, err = c.Write(b); err == nil {
				_ = c.SetReadDeadline(time.Now().Add(echoWait / 10))
				_, err = c.Read(b)
			}
			if err == nil {
				x.conn = c
				return nil
			}
			_ = c.Close()
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("no datagram comes back from %s: %w", x.address, ctx.Err())
}

func (x *through) drop() {
	if x.conn != nil {
		_ = x.conn.Close()
		x.conn = nil
	}
}

// pass sends n datagrams, at most for half of the time there is.
func (x *through) pass(ctx context.Context, what string, n int64) error {
	if !x.o.e.JSON() {
		x.bar = x.o.e.Bar(x.o.e.Stdout, what, n*datagram)
	}
	defer x.bar.Done()
	enough := time.Now().Add(mostOfAll / 3)
	for want := x.report.Echoed + int(n); x.report.Echoed < want && time.Now().Before(enough); {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := x.batch(); err != nil {
			return err
		}
	}
	return nil
}

// batch sends some datagrams and reads what comes back.
func (x *through) batch() error {
	b := make([]byte, datagram)
	for range outstanding {
		if _, err := x.conn.Write(b); err != nil {
			return err
		}
		x.report.Sent++
	}
	_ = x.conn.SetReadDeadline(time.Now().Add(echoWait))
	for range outstanding {
		n, err := x.conn.Read(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		x.report.Echoed++
		_, _ = x.bar.Write(b[:n])
	}
	return nil
}

// echo answers datagrams until ctx ends, with a new socket for each that fails.
func echo(ctx context.Context, in *core.Instance, network, address string) {
	b := make([]byte, datagram)
	for ctx.Err() == nil {
		p, err := in.ListenPacket(network, address)
		if err != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		stop := context.AfterFunc(ctx, func() { _ = p.Close() })
		for {
			n, from, err := p.ReadFrom(b)
			if err == nil {
				_, err = p.WriteTo(b[:n], from)
			}
			if errors.Is(err, syscall.ENETDOWN) || errors.Is(err, net.ErrClosed) {
				break
			}
		}
		stop()
		_ = p.Close()
	}
}

func (x *through) show() error {
	r, o := &x.report, x.o
	if o.e.JSON() {
		return o.e.Print(r)
	}
	self := shown(o.e.About().Binary)
	o.say("")
	o.say("datagrams  %s sent, %s came back", command.Thousands(int64(r.Sent)), command.Thousands(int64(r.Echoed)))
	o.say("module     udp, processes %d and %d: %d restart, %.0f ms away, %s packets through them", r.PID, r.PIDAfter, r.Restarts, r.AwayMS,
		command.Thousands(int64(r.Packets)))
	if d := r.Device; d != nil {
		o.say("device     %s, processes %d and %d: %d restart, %.0f ms away, %s frames before and %s since", d.Module, d.PID, d.PIDAfter, d.Restarts, d.AwayMS,
			command.Thousands(int64(d.Before)), command.Thousands(int64(d.After)))
	}
	o.say("")
	o.say("Try next:")
	for _, line := range [][2]string{
		{self + " modinfo udp", "what the module serves"},
		{self + " up " + shown(r.HostFile), "these stacks, to kill the module by yourself"},
		{self + " lsmod", "its process, sockets and packets"},
		{"build/libosbuild new protocol NAME", "a module of your own"},
	} {
		o.say("  %-64s %s", line[0], line[1])
	}
	return nil
}
