package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/gen/scaffold"
	"github.com/libos-go/libos/plugin/modules"
)

// authorCommands are for those who write modules.
func authorCommands(a *app) []*cobra.Command {
	o := scaffold.Options{Version: "v" + libos.Version}
	begin := &cobra.Command{
		Use:   "new KIND NAME",
		Short: "begin a protocol, device or congestion control of your own: a Go module with code that works and its tests",
		Long: "new writes a Go module of its own, in the directory NAME: code that works, a test with two hosts in virtual time, the\n" +
			"program of a module, and Kconfig.toml. KIND is one of: " + strings.Join(scaffold.Kinds(), ", ") + " (a TCP congestion control).",
		Example: "  libosbuild new protocol hail\n  libosbuild new protocol hail --libos ~/src/libos --number 254\n  libosbuild new device mirror",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			o.Kind, o.Name = args[0], args[1]
			files, err := scaffold.New(o)
			if err != nil {
				return err
			}
			dir := o.Dir
			if dir == "" {
				dir = o.Name
			}
			for _, f := range files {
				fmt.Fprintln(a.stdout, filepath.Join(dir, f))
			}
			fmt.Fprintf(a.stdout, "Next: cd %s && go test ./... (README.md there goes on)\n", dir)
			return nil
		},
	}
	f := begin.Flags()
	f.StringVar(&o.Dir, "dir", "", "directory to make (NAME)")
	f.StringVar(&o.Module, "module", "", "module path (example.org/NAME)")
	f.StringVar(&o.Checkout, "libos", "", "source tree of libos to build against, instead of the published version")
	f.IntVar(&o.Number, "number", 253, "IP protocol number of a protocol; 253 and 254 are for experiments")

	var symbol string
	var needs []string
	manifest := &cobra.Command{
		Use:     "manifest PROGRAM",
		Short:   "write the manifest of a module beside its program",
		Long:    "manifest runs PROGRAM --describe and writes PROGRAM.json: what it serves, what it needs, and its digest.",
		Example: "  libosbuild manifest modules/hail --needs IPV4",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			m, err := modules.WriteManifest(filepath.Dir(args[0]), strings.TrimSuffix(filepath.Base(args[0]), ".exe"), symbol, needs)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s.json: module %s %s\n", args[0], m.Name(), m.Described().GetVersion())
			return nil
		},
	}
	manifest.Flags().StringVar(&symbol, "symbol", "", "symbol of Kconfig whose m the module is")
	manifest.Flags().StringSliceVar(&needs, "needs", nil, "symbols that the stack must have")
	return []*cobra.Command{begin, manifest}
}
