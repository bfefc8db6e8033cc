package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/gen/build"
)

// builder works on the source tree in the current directory.
func (a *app) builder() (*build.Builder, error) {
	b, err := build.New(".", a.env, a.stdout, a.stderr)
	if err != nil {
		return nil, err
	}
	if a.kconfig != "" {
		abs, err := filepath.Abs(a.kconfig)
		if err != nil {
			return nil, err
		}
		if b.Kconfig, err = filepath.Rel(b.Dir, abs); err != nil {
			return nil, err
		}
	}
	b.Quiet = a.quiet
	b.Terminal = terminal(a.stderr)
	return b, nil
}

// buildName is the argument, or the default.
func buildName(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return build.DefaultName
}

// buildCommands are the generator and the compiler.
func buildCommands(a *app) []*cobra.Command {
	var checkedIn bool
	generate := &cobra.Command{
		Use:     "generate [NAME]",
		Short:   "write the Go code of a build into build/NAME/.gen",
		Example: "  libosbuild generate\n  libosbuild generate tiny\n  libosbuild generate --checked-in",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := a.builder()
			if err != nil {
				return err
			}
			if checkedIn {
				_, err := b.CheckIn(false)
				return err
			}
			_, err = b.Generate(buildName(args))
			return err
		},
	}
	generate.Flags().BoolVar(&checkedIn, "checked-in", false, "write the files that are checked in instead: defconfig's wiring and docs/sysctls.md")
	return []*cobra.Command{generate, {
		Use:     "build [NAME]",
		Short:   "generate and compile build/NAME/libos",
		Example: "  libosbuild build\n  libosbuild build tiny",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := a.builder()
			if err != nil {
				return err
			}
			_, err = b.Build(buildName(args))
			return err
		},
	}}
}
