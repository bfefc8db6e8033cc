package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/gen/build"
	"github.com/libos-go/libos/plugin/modules"
)

// builder works on the source tree in the current directory, or for the third party
// whose module is there.
func (a *app) builder() (*build.Builder, error) {
	tree, home, err := a.place()
	if err != nil {
		return nil, err
	}
	b, err := build.New(tree, a.env, a.stdout, a.stderr)
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
	if home != "" {
		if b.Home, err = filepath.Abs(home); err != nil {
			return nil, err
		}
	}
	b.With = a.with
	b.Quiet = a.quiet
	b.Manifest = func(dir, name, symbol string, needs []string) error {
		_, err := modules.WriteManifest(dir, name, symbol, needs)
		return err
	}
	b.Terminal = terminal(a.stderr)
	return b, nil
}

// buildCommands are the generator, the compiler and what measures the result.
// Each takes the name of a build, or several for the union of them.
func buildCommands(a *app) []*cobra.Command {
	return []*cobra.Command{generateCommand(a), buildCommand(a), libraryCommand(a), sizeCommand(a), exportCommand(a)}
}

func generateCommand(a *app) *cobra.Command {
	var checkedIn bool
	c := &cobra.Command{
		Use:     "generate [NAME...]",
		Short:   "write the Go code of a build into build/NAME/.gen",
		Example: "  libosbuild generate\n  libosbuild generate tiny\n  libosbuild generate --checked-in",
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := a.builder()
			if err != nil {
				return err
			}
			if checkedIn {
				_, err := b.CheckIn(false)
				return err
			}
			_, err = b.Generate(args...)
			return err
		},
	}
	c.Flags().BoolVar(&checkedIn, "checked-in", false, "write the files that are checked in instead: defconfig's wiring, docs/sysctls.md and configs/tiny_defconfig")
	return c
}

func buildCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "build [NAME...]",
		Short: "generate and compile build/NAME/libos",
		Long: `Generate and compile build/NAME/libos from build/NAME/.config; the build default
has .config, and is defconfig if there is none. Without changes since the last
time nothing is done.

With several names the binary is build/A+B/libos, built from the union of their
configurations: each instance then takes its own .config at run time.

--with takes a third party's module into the configuration; .config records it,
so that the next build needs no --with.`,
		Example: "  libosbuild build\n  libosbuild build tiny\n  libosbuild build default router\n  libosbuild build --with ../hail",
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := a.builder()
			if err != nil {
				return err
			}
			_, err = b.Build(args...)
			return err
		},
	}
}

func libraryCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "library [NAME...]",
		Short: "compile the stack of a build as a library for C programs",
		Long: `Compile build/NAME/liblibos-VERSION.so, the stack of a build for C programs, with
its header file libos.h beside it, and what packetdrill needs to drive it
(--so_filename): packetdrill.h and liblibos-preload.so. It needs a C compiler.`,
		Example: "  libosbuild library\n  libosbuild library tiny",
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := a.builder()
			if err != nil {
				return err
			}
			return b.Library(args...)
		},
	}
}

func sizeCommand(a *app) *cobra.Command {
	var packages bool
	c := &cobra.Command{
		Use:   "size [NAME...]",
		Short: "print what each chosen symbol adds to the binary",
		Long: `Print the bytes of code and data of each chosen symbol's package, and what the
symbol adds to the binary: by how much it is larger than one that is built
without the symbol and what depends on it. So each symbol is compiled and linked
for, on all processors: some five seconds of one each, a minute or two in all for
defconfig, and minutes with an empty build cache. A terminal shows how far it is.
The result is kept until the binary changes; --packages does without.`,
		Example: "  libosbuild size\n  libosbuild size tiny -o json\n  libosbuild size --packages  # at once",
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := a.builder()
			if err != nil {
				return err
			}
			z, err := b.Size(packages, args...)
			if err != nil {
				return err
			}
			text := []byte(z.Text())
			if a.output == "json" {
				if text, err = z.JSON(); err != nil {
					return err
				}
			}
			_, err = a.stdout.Write(text)
			return err
		},
	}
	c.Flags().BoolVar(&packages, "packages", false, "only what is in the binary, without measuring what symbols add")
	return c
}

func exportCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "export DIR [NAME...]",
		Short: "write a tailored copy of the library, for a replace in go.mod",
		Long: `Write a copy of the library to DIR in which the options and the wiring are those
of a build: for programs that use libos as a module, whose sources no overlay
reaches. DIR must be empty or an earlier export.`,
		Example: "  libosbuild export ../libos-tiny tiny\n  go mod edit -replace github.com/libos-go/libos=../libos-tiny",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := a.builder()
			if err != nil {
				return err
			}
			return b.Export(args[0], args[1:]...)
		},
	}
}
