package slabinfo

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/cmd/libos/control"
)

// Account is what an instance holds in slabs.
type Account struct {
	Instance  string `json:"instance"`
	Bytes     int64  `json:"bytes"`
	PeakBytes int64  `json:"peak_bytes"`
	Limit     int64  `json:"limit,omitempty"`
	Pages     int    `json:"pages"`
	Objects   int    `json:"objects"`
	Failures  uint64 `json:"failures"`
}

// event is one line of the operation: the account first, then the caches.
type event struct {
	Account *Account             `json:"account,omitempty"`
	Cache   *allocator.CacheInfo `json:"cache,omitempty"`
}

// handle tells of the instance, and of the caches that it shares with the others
// of its Domain.
func handle(_ context.Context, call *control.Call) error {
	var a Account
	var list []allocator.CacheInfo
	in := call.Instance
	in.Domain().Do(func() {
		x := in.Account()
		a = Account{in.Name(), x.Bytes(), x.Peak(), x.Limit(), x.Pages(), x.Objects(), x.Failures()}
		list = in.Domain().Pool().SlabInfo()
	})
	if err := call.Emit(event{Account: &a}); err != nil {
		return err
	}
	for i := range list {
		if err := call.Emit(event{Cache: &list[i]}); err != nil {
			return err
		}
	}
	return nil
}

// Command is `libos slabinfo`.
func Command(e *command.Env) *cobra.Command {
	e.Handle("slabinfo", handle)
	c := &cobra.Command{
		Use:   "slabinfo",
		Short: "Show the slab caches of an instance",
		Long: `Show what an instance holds in slabs, and the slab caches it allocates from in the
layout of /proc/slabinfo. Instances that are joined by links share their caches,
so that one cache can hold objects of all of them.`,
		Example: `  libos slabinfo
  libos slabinfo --instance router -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			s, err := e.Open(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			var caches []allocator.CacheInfo
			err = s.Call(c.Context(), "slabinfo", nil, func(m json.RawMessage) error {
				var x event
				if err := json.Unmarshal(m, &x); err != nil {
					return err
				}
				switch {
				case e.JSON() && x.Account != nil:
					return e.Print(x.Account)
				case e.JSON():
					return e.Print(x.Cache)
				case x.Account != nil:
					a := x.Account
					e.Printf("# %s: %s held, %s at most so far, %d pages, %d objects, %d failures\n", a.Instance,
						command.Bytes(a.Bytes), command.Bytes(a.PeakBytes), a.Pages, a.Objects, a.Failures)
				case x.Cache != nil:
					caches = append(caches, *x.Cache)
				}
				return nil
			})
			if err != nil || e.JSON() {
				return err
			}
			return allocator.WriteSlabInfo(e.Stdout, caches)
		},
	}
	e.StackFlags(c)
	return c
}
