package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/libos-go/libos/gen/kconfig"
	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv)) }

// app is what all commands share.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            kconfig.Env

	kconfig string // menu file
	output  string // text or json
	quiet   bool
}

// session is the configuration session that the flags describe.
func (a *app) session() *kconfig.Session {
	return &kconfig.Session{Root: a.kconfig, Env: a.env, Stdin: a.stdin, Stdout: a.stdout, Stderr: a.stderr,
		JSON: a.output == "json", Quiet: a.quiet}
}

// run is the whole command; it returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, lookup func(string) (string, bool)) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, env: lookup}
	root := &cobra.Command{
		Use:   "libosbuild",
		Short: "Configure and build libos",
		Long: `libosbuild tailors libos: it turns the options of Kconfig.toml into a .config,
and a .config into a binary that holds only what was chosen.`,
		Example: `  libosbuild defconfig
  libosbuild set TCP n
  libosbuild explain TCP_CONG_CUBIC
  libosbuild savedefconfig`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetArgs(args)
	root.PersistentFlags().StringVar(&a.kconfig, "kconfig", "", "menu file to read (default Kconfig.toml)")
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "s", false, "say nothing but warnings and errors")
	root.PersistentFlags().StringVarP(&a.output, "output", "o", "text", "output: text or json")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.output != "text" && a.output != "json" {
			return fmt.Errorf("-o %s: text or json", a.output)
		}
		return nil
	}
	for _, c := range commands() {
		root.AddCommand(c(a)...)
	}
	addPatternTargets(root, a, args)
	if err := root.Execute(); err != nil {
		if !errors.Is(err, kconfig.ErrFailed) {
			fmt.Fprintf(stderr, "libosbuild: %v\n", err)
		}
		return 1
	}
	return 0
}
