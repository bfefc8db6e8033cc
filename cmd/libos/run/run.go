package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/cmd/libos/control"
)

// operation is the name under which a running stack serves programs.
const operation = "guest"

// offer says where the calls of a program stop: the process and the descriptor of
// their listener.
type offer struct {
	PID int `json:"pid"`
	FD  int `json:"fd"`
}

// Run is `libos run`.
func Run(e *command.Env) *cobra.Command {
	e.Handle(operation, new(guests).serve)
	c := &cobra.Command{
		Use:   "run [-f FILE [-i INSTANCE] | --dev DEVICE --addr ADDRESS...] -- PROGRAM [ARGUMENT...]",
		Short: "Run a program on a stack of its own",
		Long: `Run a program, and all that it starts, on an instance instead of the network of
the host. The program is as it comes from the distribution, linked statically or
not; files, terminal, signals and everything else are the host's. The exit status
is the program's.

The stack is that of a host file (-f, --stack), which ends with the program; without
one it is a single instance with one device (--dev), by default of kind "user": it
reaches what the host reaches, without privileges, and the host itself, whose loopback
is 10.0.2.2. "libos exec" runs a program on a stack that "libos up" keeps.`,
		Example: `  libos run -- curl http://10.0.2.2:8000/
  libos run --dev user,forward=127.0.0.1:8080=80 -- python3 -m http.server 80
  libos run --dev tun,name=tun0 --addr 10.0.0.2/24 --route "default via 10.0.0.1" -- bash
  libos run -f host.toml -i left -- wget http://10.1.0.1/`,
		Args: cobra.MinimumNArgs(1),
	}
	var file, instance string
	var o single
	var stat bool
	c.Flags().StringVarP(&file, "file", "f", "", "host file of the stack")
	c.Flags().StringVar(&file, "stack", "", "the same")
	c.Flags().StringVar(&o.device, "dev", "", "the device: its kind, then parameters, as in tun,name=tun0; none for no device")
	c.Flags().StringArrayVar(&o.addresses, "addr", nil, "an address of the device with its prefix length, as in 10.0.0.2/24")
	c.Flags().StringArrayVar(&o.routes, "route", nil, "a route in the words of ip route, as in \"default via 10.0.0.1\"")
	for _, name := range []string{"file", "stack"} {
		_ = c.MarkFlagFilename(name, "toml")
		for _, other := range []string{"dev", "addr", "route"} {
			c.MarkFlagsMutuallyExclusive(name, other)
		}
	}
	c.Flags().StringVarP(&instance, "instance", "i", "", "instance to use, where the file has several")
	statFlag(c, &stat)
	c.Flags().SetInterspersed(false)
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		f, err := o.hostFile(e, file)
		if err != nil {
			return err
		}
		s, err := f.Start(e)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		in, err := control.Choose(s.Instances, instance)
		if err != nil {
			return err
		}
		if err := command.WaitAddresses(c.Context(), s.Instances...); err != nil {
			return err
		}
		return own(in, args, stat)
	}
	return c
}

// Exec is `libos exec`.
func Exec(e *command.Env) *cobra.Command {
	var socket string
	var stat bool
	c := &cobra.Command{
		Use:   "exec INSTANCE -- PROGRAM [ARGUMENT...]",
		Short: "Run a program on an instance of a running stack",
		Long: `Run a program, and all that it starts, on an instance that "libos up" keeps, as
"libos run" does on one of its own: programs started so share the instance.`,
		Example: `  libos up host.toml
  libos exec router -- sh
  libos exec left -- ping 10.1.0.1`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			name, args := args[0], args[1:]
			if args[0] == "--" {
				if args = args[1:]; len(args) == 0 {
					return errors.New("exec wants an INSTANCE and a PROGRAM")
				}
			}
			client := control.Client{Path: control.Path(e.Getenv, socket)}
			return remote(c.Context(), &client, name, args, stat)
		},
	}
	statFlag(c, &stat)
	c.Flags().StringVar(&socket, "control", "default", "name or path of the control socket of a running stack")
	c.Flags().SetInterspersed(false)
	return c
}

// guardianName is the command of a guardian.
const guardianName = "guardian"

// Guardian is what this program starts beside the programs of a stack, see guard.
func Guardian(*command.Env) *cobra.Command {
	return &cobra.Command{
		Use: guardianName, Hidden: true, Args: cobra.NoArgs,
		Short: "End what programs wait for when the process that started this has been killed",
		RunE:  func(*cobra.Command, []string) error { return guard(os.Stdin) },
	}
}

// statFlag is for programs that look for devices or settings by stat(2).
func statFlag(c *cobra.Command, stat *bool) {
	c.Flags().BoolVar(stat, "stat", false, "stop stat(2), too: it tells of the devices and settings of the instance; programs start slower")
}

// program is the command line as a program of this terminal.
func program(args []string) (*exec.Cmd, error) {
	path, err := exec.LookPath(args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		status := 127
		if errors.Is(err, os.ErrPermission) {
			status = 126
		}
		var why *exec.Error
		if errors.As(err, &why) {
			err = why.Err
		}
		fmt.Fprintf(os.Stderr, "libos: %s: %v\n", args[0], err)
		return nil, command.ExitError(status)
	}
	return &exec.Cmd{Path: path, Args: args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}, nil
}

// wait waits for the program. Signals of the terminal reach it by themselves, since
// it is in our process group; those sent to this process alone are passed on.
func wait(c *exec.Cmd) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	over := make(chan struct{})
	defer close(over)
	defer signal.Stop(signals)
	go func() {
		for {
			select {
			case s := <-signals:
				if s != syscall.SIGINT && s != syscall.SIGQUIT {
					_ = c.Process.Signal(s)
				}
			case <-over:
				return
			}
		}
	}()
	err := waitExit(c)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if st, ok := exit.Sys().(syscall.WaitStatus); ok && st.Signaled() {
		return command.ExitError(128 + int(st.Signal()))
	}
	return command.ExitError(exit.ExitCode())
}

// remote runs a program whose calls another process answers.
func remote(ctx context.Context, client *control.Client, instance string, args []string, stat bool) error {
	c, err := program(args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	err = start(c, func(pid, fd int) error {
		ready := make(chan struct{}, 1)
		go func() {
			served <- client.Call(ctx, operation, instance, offer{pid, fd}, func(json.RawMessage) error {
				ready <- struct{}{}
				return nil
			})
		}()
		select {
		case <-ready:
			return nil
		case err := <-served:
			if err == nil {
				err = errors.New("the stack does not serve programs")
			}
			return err
		}
	}, stat)
	if err == nil {
		err = wait(c)
	}
	cancel() // what the program left behind goes on
	return err
}
