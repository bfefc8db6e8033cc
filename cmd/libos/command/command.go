package command

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/core"
)

// Build is what the generated main knows of the binary.
type Build struct {
	// Wiring is a new wiring of all that is built in.
	Wiring func() *core.Wiring
	// Narrow is the wiring for an instance's own .config (text; name for messages).
	Narrow func(name, config string) (*core.Wiring, error)
	// Commands make the subcommands that were chosen, in Kconfig's order.
	Commands []Make
}

// Make makes one subcommand.
type Make = func(*Env) *cobra.Command

// Env is what a subcommand is given.
type Env struct {
	Build
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Main runs the command line and returns the exit status.
func Main(b Build) int {
	return Run(&Env{Build: b, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}, os.Args[1:])
}

// Run is Main with arguments and streams of the caller's.
func Run(e *Env, args []string) int {
	root := &cobra.Command{
		Use:           "libos",
		Short:         "Run network stacks in this process",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(e.Stdin)
	root.SetOut(e.Stdout)
	root.SetErr(e.Stderr)
	root.SetArgs(args)
	root.AddCommand(versionCommand(e))
	for _, c := range e.Commands {
		root.AddCommand(c(e))
	}
	if err := root.Execute(); err != nil {
		fmt.Fprintf(e.Stderr, "libos: %v\n", err)
		return 1
	}
	return 0
}
