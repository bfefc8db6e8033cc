package tc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/cmd/libos/control"
	"github.com/libos-go/libos/core/qdisc/tc"
)

// Command is `libos tc`.
func Command(e *command.Env) *cobra.Command {
	e.Handle("tc", handle)
	var stats, asJSON bool
	c := &cobra.Command{
		Use:   "tc [-s] [-j] qdisc add|replace|change|del|show ...",
		Short: "Set and show the queueing disciplines of an instance",
		Long: `Set and show the queueing disciplines of an instance, in the language of tc(8).
docs/queueing.md lists what there is.`,
		Example: `  libos tc qdisc add dev eth0 root netem delay 10ms loss 1%
  libos tc -s qdisc show dev eth0
  libos tc -i router qdisc replace dev eth1 root fq_codel`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("tc wants a command: qdisc show, or qdisc add dev DEVICE root KIND")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) (err error) {
			words := args
			if stats {
				words = append([]string{"-s"}, words...)
			}
			if asJSON || e.JSON() {
				words = append([]string{"-j"}, words...)
			}
			s, err := e.Open(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			return s.Call(c.Context(), "tc", words, func(m json.RawMessage) error {
				var text string
				if err := json.Unmarshal(m, &text); err != nil {
					return err
				}
				e.Printf("%s", text)
				return nil
			})
		},
	}
	c.Flags().SetInterspersed(false) // what follows qdisc is tc's
	c.Flags().BoolVarP(&stats, "statistics", "s", false, "show counters")
	c.Flags().BoolVarP(&asJSON, "json", "j", false, "show JSON")
	e.StackFlags(c)
	return c
}

// handle carries out the operation on an instance.
func handle(_ context.Context, call *control.Call) error {
	var words []string
	if err := json.Unmarshal(call.Args, &words); err != nil {
		return err
	}
	out, err := tc.Run(call.Instance, words)
	if err != nil || out == "" {
		return err
	}
	return call.Emit(out)
}
