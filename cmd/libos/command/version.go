package command

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos"
)

func versionCommand(e *Env) *cobra.Command {
	var config bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version and what is built in",
		Long: `Print the version and what is built in. With --config, print the .config that
the binary was built from; it can be built again from that.`,
		Example: "  libos version\n  libos version --config > .config",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			w := e.Wiring()
			out := c.OutOrStdout()
			if config {
				_, err := fmt.Fprint(out, w.Config)
				return err
			}
			fmt.Fprintf(out, "libos %s (%s, %s/%s), configuration %s\n", libos.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH, w.Name)
			var networks, protocols, devices, caches []string
			for i := range w.Networks {
				networks = append(networks, w.Networks[i].Network.Name)
			}
			for i := range w.Protocols {
				protocols = append(protocols, w.Protocols[i].Protocol.Name)
			}
			if w.Loopback != nil {
				devices = append(devices, "loopback")
			}
			for i := range w.Devices {
				devices = append(devices, w.Devices[i].Kind)
			}
			for i := range w.Caches {
				caches = append(caches, w.Caches[i].Name)
			}
			for _, l := range []struct {
				what string
				list []string
			}{{"networks", networks}, {"protocols", protocols}, {"devices", devices}, {"slab caches", caches}} {
				text := "none"
				if len(l.list) > 0 {
					text = strings.Join(l.list, " ")
				}
				fmt.Fprintf(out, "%-12s %s\n", l.what+":", text)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&config, "config", false, "print the .config")
	return c
}
