package sysctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/cmd/libos/control"
)

// arguments of the operation "sysctl": names to read, or values to write.
type arguments struct {
	All   bool      `json:"all,omitempty"`
	Names []string  `json:"names,omitempty"`
	Write []Setting `json:"write,omitempty"`
}

// Setting is a name with its value.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Command is `libos sysctl`.
func Command(e *command.Env) *cobra.Command {
	e.Handle("sysctl", handle)
	var a arguments
	var write, values, quiet bool
	c := &cobra.Command{
		Use:   "sysctl [-n] NAME... | -w NAME=VALUE... | -a",
		Short: "Read and write the settings of an instance",
		Long: `Read and write the settings (sysctls) of an instance, under Linux's names. Each
instance has its own. A part of the name that is a device's can also be "all" or
"default", with Linux's meaning. docs/sysctls.md lists all of them.`,
		Example: `  libos sysctl net.ipv4.tcp_sack
  libos sysctl -w net.ipv4.ip_forward=1 net.ipv4.conf.eth0.rp_filter=2
  libos sysctl -a --instance router
  libos sysctl -n net.ipv4.ip_default_ttl`,
		ValidArgsFunction: func(c *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			s, err := e.Open(c.Context())
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			var names []string
			err = run(c.Context(), s, arguments{All: true}, func(x Setting) error {
				names = append(names, x.Name)
				return nil
			})
			if errors.Join(err, s.Close()) != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) (err error) {
			if a.All == (len(args) > 0) || a.All && write {
				return fmt.Errorf("sysctl wants names, or -w with names and values, or -a alone")
			}
			for _, arg := range args {
				name, value, assigns := strings.Cut(arg, "=")
				switch {
				case assigns:
					write = true
					a.Write = append(a.Write, Setting{strings.TrimSpace(name), strings.TrimSpace(value)})
				default:
					a.Names = append(a.Names, arg)
				}
			}
			if write && len(a.Names) > 0 {
				return fmt.Errorf("%s: write it as %s=VALUE", a.Names[0], a.Names[0])
			}
			s, err := e.Open(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			return run(c.Context(), s, a, func(x Setting) error {
				switch {
				case quiet:
				case e.JSON():
					return e.Print(x)
				case values:
					e.Printf("%s\n", x.Value)
				default:
					e.Printf("%s = %s\n", x.Name, x.Value)
				}
				return nil
			})
		},
	}
	c.Flags().BoolVarP(&a.All, "all", "a", false, "all settings")
	c.Flags().BoolVarP(&write, "write", "w", false, "write values")
	c.Flags().BoolVarP(&values, "values", "n", false, "print values without names")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "do not print what was written")
	e.StackFlags(c)
	return c
}

func run(ctx context.Context, s command.Stack, a arguments, each func(Setting) error) error {
	return s.Call(ctx, "sysctl", a, func(m json.RawMessage) error {
		var x Setting
		if err := json.Unmarshal(m, &x); err != nil {
			return err
		}
		return each(x)
	})
}

// handle carries out the operation on an instance.
func handle(_ context.Context, call *control.Call) error {
	var a arguments
	if err := json.Unmarshal(call.Args, &a); err != nil {
		return err
	}
	in := call.Instance
	for _, x := range a.Write {
		if err := in.SetSysctl(x.Name, x.Value); err != nil {
			return err
		}
		a.Names = append(a.Names, x.Name)
	}
	if a.All {
		a.Names = in.SysctlNames()
		slices.Sort(a.Names)
	}
	for _, name := range a.Names {
		v, err := in.Sysctl(name)
		if err != nil {
			return err
		}
		if err := call.Emit(Setting{name, v}); err != nil {
			return err
		}
	}
	return nil
}
