package modules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/cmd/libos/control"
	"github.com/libos-go/libos/core/remote"
)

// arguments of the operations "modprobe" and "rmmod".
type arguments struct {
	Name       string            `json:"name"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Replace    bool              `json:"replace,omitempty"`
	Force      bool              `json:"force,omitempty"`
}

// replaced is what modprobe --replace tells.
type replaced struct {
	command.ModuleInfo
	Lost int `json:"lost"` // sockets that did not go over
}

// ask has a running stack carry out an operation, and tells each of its answers.
func ask[T any](ctx context.Context, e *command.Env, op string, args any, each func(T) error) (err error) {
	s, err := e.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Call(ctx, op, args, func(m json.RawMessage) error {
		var x T
		if err := json.Unmarshal(m, &x); err != nil {
			return err
		}
		return each(x)
	})
}

// Modprobe is `libos modprobe`.
func Modprobe(e *command.Env) *cobra.Command {
	bring(e)
	e.HandleWhole("modprobe", func(_ context.Context, call *control.Call) error {
		var a arguments
		if err := json.Unmarshal(call.Args, &a); err != nil {
			return err
		}
		m, err := e.Modules()
		if err != nil {
			return err
		}
		if a.Replace {
			x, lost, err := m.Replace(a.Name, a.Parameters, a.Force)
			if err != nil {
				return err
			}
			return call.Emit(replaced{x, lost})
		}
		x, err := m.Load(a.Name, a.Parameters, call.Instances...)
		if err != nil {
			return err
		}
		return call.Emit(x)
	})
	var replace, force bool
	c := &cobra.Command{
		Use:   "modprobe NAME [PARAMETER=VALUE]...",
		Short: "Load a module into a running stack",
		Long: `Start a module, a protocol in a process of its own, and give what it serves to
all instances of the running stack, or with --instance to one. A module that runs
already goes on; instances that lack it get it. A socket that nothing built in
serves loads its module by itself, unless the host file has that in its blacklist.

With --replace a module that runs goes on as another process: of what was built
since, or with other parameters. Its sockets stay open and lose nothing, what they
are asked meanwhile waits for some milliseconds. If the other process does not start
or take over, the running one goes on. Connections of a protocol that cannot hand
them over stand against it, unless --force gives them up.`,
		Example: `  libos modprobe udp
  libos modprobe --instance left udp
  libos modprobe --replace udp`,
		Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return found(args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			m, err := command.ParseModule(args...)
			if err != nil {
				return err
			}
			if force && !replace {
				return errors.New("--force gives up connections for --replace: it needs that")
			}
			if replace {
				return replaceModule(c.Context(), e, m, force)
			}
			return ask(c.Context(), e, "modprobe", arguments{Name: m.Name, Parameters: m.Parameters}, func(x command.ModuleInfo) error {
				if e.JSON() {
					return e.Print(x)
				}
				e.Printf("%s %s is %s as process %d, for %d instances\n", x.Name, remote.Plain(x.Version), x.State, x.PID, x.Instances)
				return nil
			})
		},
	}
	c.Flags().BoolVar(&replace, "replace", false, "have the running module go on as another process, with its sockets")
	c.Flags().BoolVar(&force, "force", false, "with --replace, give up connections that cannot go over")
	e.RunningFlags(c)
	return c
}

// replaceModule is `libos modprobe --replace`.
func replaceModule(ctx context.Context, e *command.Env, m command.ModuleSpec, force bool) error {
	a := arguments{Name: m.Name, Replace: true, Force: force}
	if len(m.Parameters) > 0 {
		a.Parameters = m.Parameters
	}
	return ask(ctx, e, "modprobe", a, func(x replaced) error {
		if e.JSON() {
			return e.Print(x)
		}
		e.Printf("%s %s goes on as process %d, with %d sockets", x.Name, remote.Plain(x.Version), x.PID, x.Sockets)
		if x.Lost > 0 {
			e.Printf("; %d were lost", x.Lost)
		}
		e.Printf("\n")
		return nil
	})
}

// found completes the modules that a build left beside the program.
func found(args []string) (names []string, d cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	files, err := filepath.Glob(filepath.Join(command.DefaultModuleDir(), "*.json"))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".json"))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// Rmmod is `libos rmmod`.
func Rmmod(e *command.Env) *cobra.Command {
	e.HandleWhole("rmmod", func(_ context.Context, call *control.Call) error {
		var a arguments
		if err := json.Unmarshal(call.Args, &a); err != nil {
			return err
		}
		m, err := e.Modules()
		if err != nil {
			return err
		}
		return m.Unload(a.Name)
	})
	c := &cobra.Command{
		Use:   "rmmod NAME...",
		Short: "Unload modules from a running stack",
		Long: `Take what modules serve from all instances of the running stack and end their
processes. It is refused while a socket or a device of the module is open.`,
		Example: `  libos rmmod udp`,
		Args:    cobra.MinimumNArgs(1),
		ValidArgsFunction: func(c *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []string
			err := ask(c.Context(), e, "lsmod", nil, func(x command.ModuleInfo) error {
				names = append(names, x.Name)
				return nil
			})
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			for _, name := range args {
				err := ask(c.Context(), e, "rmmod", arguments{Name: name}, func(command.ModuleInfo) error { return nil })
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	e.ControlFlag(c)
	return c
}

// Lsmod is `libos lsmod`.
func Lsmod(e *command.Env) *cobra.Command {
	e.HandleWhole("lsmod", func(_ context.Context, call *control.Call) error {
		m, err := e.Modules()
		if err != nil {
			return err
		}
		for _, x := range m.List() {
			if err := call.Emit(x); err != nil {
				return err
			}
		}
		return nil
	})
	c := &cobra.Command{
		Use:   "lsmod",
		Short: "Show the modules of a running stack",
		Long: `Show the modules that a running stack has loaded: their processes, the sockets,
devices and instances that they serve, how often they were started again, and the
packets that they were given or that came from them. A module is "live", or "restarting" when it was lost and why is
shown below it.`,
		Example: `  libos lsmod
  libos lsmod --control lab -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			w := tabwriter.NewWriter(e.Stdout, 0, 8, 2, ' ', 0)
			if !e.JSON() {
				fmt.Fprintln(w, "MODULE\tVERSION\tSTATE\tPID\tSOCKETS\tDEVICES\tINSTANCES\tRESTARTS\tPACKETS")
			}
			var why []string
			err := ask(c.Context(), e, "lsmod", nil, func(x command.ModuleInfo) error {
				if e.JSON() {
					return e.Print(x)
				}
				if x.Reason != "" {
					why = append(why, x.Name+" was lost last: "+x.Reason)
				}
				_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", x.Name, remote.Plain(x.Version), x.State, x.PID, x.Sockets, x.Devices, x.Instances, x.Restarts,
					command.Thousands(int64(x.Packets+x.Frames)))
				return err
			})
			if err == nil {
				err = w.Flush()
			}
			for _, line := range why {
				e.Printf("%s\n", line)
			}
			return err
		},
	}
	e.ControlFlag(c)
	return c
}
