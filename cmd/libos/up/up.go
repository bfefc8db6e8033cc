package up

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/cmd/libos/control"
)

// Command is `libos up FILE`.
func Command(e *command.Env) *cobra.Command {
	var socket, dir string
	var check bool
	c := &cobra.Command{
		Use:   "up FILE",
		Short: "Run the stacks of a host file",
		Long: `Run the stacks that a host file describes, in the foreground, until it is
interrupted. The other subcommands work on them through a control socket.

A host file is TOML:

  [[instance]]
  name = "left"
  routes = ["default via 10.1.0.1", "default via fd01::1"]
  [[instance.device]]
  name = "eth0"
  link = "lan"                          # an end of the link below
  addresses = ["10.1.0.2/24", "fd01::2/64"]

  [[instance]]
  name = "router"
  sysctl."net.ipv4.ip_forward" = 1
  [[instance.device]]
  name = "eth0"
  link = "lan"
  addresses = ["10.1.0.1/24", "fd01::1/64"]
  [[instance.device]]
  kind = "tun"                          # a link to the host kernel, needs root
  kernel = "tun0"                       # its name there
  addresses = ["10.2.0.1/24"]

  [[link]]
  name = "lan"
  kind = "pipe"
  rate = "100M"
  delay = "2ms"
  loss = "0.1%"

An instance can also have config = "FILE", a .config that narrows it to part of
what is in the binary, and memory = "64M", a limit. A device that nobody else
can have the addresses of says usable = true, which skips duplicate address
detection. Keys of a device or link that are not of all kinds are parameters of
its kind; a wrong one is answered by the list of those that there are.

Where modules are built in, keys before the first table say which ones there are
(docs/modules.md): module_dir = "DIR", beside the file; modules = ["udp", "x size=5"],
with parameters, for all instances from their start; blacklist = ["y"], not to be
loaded when a socket wants it, only by name; module_privileges = ["network"], what
modules may ask for at most, [] for nothing.`,
		Example: `  libos up host.toml
  libos up --control lab host.toml      # then: libos ping --control lab …
  libos up --check host.toml`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(c *cobra.Command, args []string) (err error) {
			ctx := c.Context()
			f, err := e.ReadHostFile(args[0])
			if err != nil {
				return err
			}
			if dir != "" {
				if err := e.NeedModules(); err != nil {
					return fmt.Errorf("--modules: %w", err)
				}
				f.ModuleDir = dir
			}
			if check {
				e.Note("%s: %d instances", f.Name, len(f.Instances))
				return nil
			}
			s, err := f.Start(e)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			if err := command.WaitAddresses(ctx, s.Instances...); err != nil {
				return err
			}
			path := control.Path(e.Getenv, socket)
			server, err := control.Serve(path, s.Instances, e.Operations)
			if err != nil {
				return err
			}
			defer server.Close()
			for _, in := range s.Instances {
				if err := show(e, control.Describe(in)); err != nil {
					return err
				}
			}
			e.Note("control socket %s; end with Ctrl-C", path)
			<-ctx.Done()
			return nil
		},
	}
	c.Flags().StringVar(&socket, "control", "default", "name or path of the control socket")
	c.Flags().StringVar(&dir, "modules", "", "`DIR` of the modules (modules beside this program)")
	_ = c.MarkFlagDirname("modules")
	c.Flags().BoolVar(&check, "check", false, "only read the file and say what is wrong with it")
	return c
}

// List is `libos list`.
func List(e *command.Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "Show the instances of a running stack",
		Long: `Show the instances of a running stack with their devices, addresses,
counters and open sockets.`,
		Example: `  libos list
  libos list --control lab -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			s, err := e.Open(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			list, err := s.List(c.Context())
			if err != nil {
				return err
			}
			for _, i := range list {
				if err := show(e, i); err != nil {
					return err
				}
			}
			return nil
		},
	}
	e.StackFlags(c)
	return c
}

// show prints an instance.
func show(e *command.Env, i control.InstanceInfo) error {
	if e.JSON() {
		return e.Print(i)
	}
	e.Printf("%s (configuration %s, %s in slabs)\n", i.Name, i.Configuration, command.Bytes(i.MemoryBytes))
	for _, x := range i.Interfaces {
		state := "down"
		if x.Up {
			state = "up"
		}
		e.Printf("  %-8s %s, %s, MTU %d", x.Name, x.Kind, state, x.MTU)
		for _, a := range x.Addresses {
			e.Printf("  %s", a)
		}
		e.Printf("\n")
		if st := x.Stats; st.RxPackets+st.TxPackets > 0 {
			e.Printf("  %-8s in %s packets, %s; out %s packets, %s%s\n", "", command.Thousands(int64(st.RxPackets)), command.Bytes(int64(st.RxBytes)),
				command.Thousands(int64(st.TxPackets)), command.Bytes(int64(st.TxBytes)), lost(st.RxErrors+st.TxErrors, st.RxDropped+st.TxDropped))
		}
	}
	for _, x := range i.Sockets {
		e.Printf("  %-8s %s", x.Type, x.Local)
		if x.Remote != "" {
			e.Printf(" to %s", x.Remote)
		}
		e.Printf("\n")
	}
	return nil
}

func lost(errors, dropped uint64) string {
	if errors+dropped == 0 {
		return ""
	}
	return fmt.Sprintf("; %d errors, %d dropped", errors, dropped)
}
