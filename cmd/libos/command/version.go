package command

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/core"
)

// Info is what a binary is.
type Info struct {
	Version       string   `json:"version"`
	Revision      string   `json:"revision,omitempty"`
	Go            string   `json:"go"`
	Platform      string   `json:"platform"`
	Configuration string   `json:"configuration"`
	Networks      []string `json:"networks"`
	Protocols     []string `json:"protocols"`
	Devices       []string `json:"devices"`
	Caches        []string `json:"caches"`
	Binary        string   `json:"binary,omitempty"`
	BinaryBytes   int64    `json:"binary_bytes,omitempty"`
	Config        string   `json:"config,omitempty"`
}

// About describes this binary.
func (e *Env) About() Info {
	w := e.Built()
	i := Info{Version: e.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Networks: []string{}, Protocols: []string{}, Devices: []string{}, Caches: []string{}}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				i.Revision = s.Value
			}
		}
	}
	if path, err := os.Executable(); err == nil {
		if st, err := os.Stat(path); err == nil {
			i.Binary, i.BinaryBytes = path, st.Size()
		}
	}
	i.Configuration = w.Name
	i.Networks, i.Protocols, i.Devices = Features(w)
	for _, k := range w.Caches {
		i.Caches = append(i.Caches, k.Name)
	}
	return i
}

// Features names what a wiring holds.
func Features(w *core.Wiring) (networks, protocols, devices []string) {
	networks, protocols, devices = []string{}, []string{}, []string{}
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
		if w.Devices[i].Kind != "loopback" {
			devices = append(devices, w.Devices[i].Kind)
		}
	}
	return networks, protocols, devices
}

func versionCommand(e *Env) *cobra.Command {
	var config bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show what this binary is and holds",
		Long: `Show the version of this binary, what was built into it, and with --config the
configuration it was built from, as /proc/config.gz does for a kernel.`,
		Example: `  libos version
  libos version --config > .config
  libos version -o json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			i := e.About()
			switch {
			case e.JSON():
				i.Config = e.Built().Config
				return e.Print(i)
			case config:
				e.Printf("%s", e.Built().Config)
				return nil
			}
			e.Printf("libos %s", i.Version)
			if i.Revision != "" {
				e.Printf(" (%.12s)", i.Revision)
			}
			e.Printf(", %s, %s\n", i.Go, i.Platform)
			e.Printf("configuration  %s\n", i.Configuration)
			e.Printf("networks       %s\n", strings.Join(i.Networks, " "))
			e.Printf("protocols      %s\n", strings.Join(i.Protocols, " "))
			e.Printf("devices        %s\n", strings.Join(i.Devices, " "))
			e.Printf("slab caches    %s\n", strings.Join(i.Caches, " "))
			e.Printf("binary         %s bytes\n", Thousands(i.BinaryBytes))
			return nil
		},
	}
	cmd.Flags().BoolVar(&config, "config", false, "print the .config that the binary was built from")
	return cmd
}
