package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/libos-go/libos/gen/kconfig"
	"github.com/libos-go/libos/gen/outside"
	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv)) }

// app is what all commands share.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            kconfig.Env

	kconfig string   // menu file
	with    []string // third parties' trees
	output  string   // text or json
	quiet   bool
}

// place is where the source tree is, and where .config and build/ are if that is
// elsewhere: a third party works in the folder of its own module.
func (a *app) place() (tree, home string, err error) {
	if a.kconfig != "" {
		return ".", "", nil
	}
	tree, elsewhere, err := outside.Tree(".", "")
	if err == nil && elsewhere {
		home = "."
	}
	return tree, home, err
}

// session is the configuration session that the flags describe.
func (a *app) session() (*kconfig.Session, error) {
	tree, home, err := a.place()
	if err != nil {
		return nil, err
	}
	s := &kconfig.Session{Root: a.kconfig, Home: home, Env: a.env, Stdin: a.stdin, Stdout: a.stdout, Stderr: a.stderr,
		JSON: a.output == "json", Quiet: a.quiet, Find: outside.Finder(tree, ""), With: a.with}
	if home != "" {
		s.Dir = tree
	}
	return s, nil
}

// configure runs what a session does.
func (a *app) configure(do func(*kconfig.Session) error) error {
	s, err := a.session()
	if err != nil {
		return err
	}
	return do(s)
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
	root.PersistentFlags().StringArrayVar(&a.with, "with", nil, "third-party module to take into the menus: its `folder`, or module@version; none forgets those of .config")
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
