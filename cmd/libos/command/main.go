package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/control"
	"github.com/libos-go/libos/core"
)

// Build is what the generated main knows of the binary.
type Build struct {
	// Version of the library.
	Version string
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
	Getenv         func(string) string
	// Operations on a stack that the subcommands brought.
	Operations map[string]control.Operation

	output   string
	wiring   *core.Wiring
	control  string
	file     string
	instance string
	open     func(ModuleOptions) Modules // nil where the binary has no modules
	modules  Modules                     // of the stack of this process
}

// Handle registers an operation of the control socket on one instance.
func (e *Env) Handle(op string, h control.Handler) { e.Operations[op] = control.Operation{Run: h} }

// HandleWhole registers an operation on the stack, for all its instances unless
// one is named.
func (e *Env) HandleWhole(op string, h control.Handler) {
	e.Operations[op] = control.Operation{Run: h, Whole: true}
}

// JSON tells whether the output is for a program.
func (e *Env) JSON() bool { return e.output == "json" }

// Print writes v as one line of JSON.
func (e *Env) Print(v any) error {
	j := json.NewEncoder(e.Stdout)
	j.SetEscapeHTML(false)
	return j.Encode(v)
}

// Printf writes text to standard output.
func (e *Env) Printf(format string, args ...any) { fmt.Fprintf(e.Stdout, format, args...) }

// Note writes a line about what goes on to standard error, but not where the
// output is for a program.
func (e *Env) Note(format string, args ...any) {
	if !e.JSON() {
		fmt.Fprintf(e.Stderr, format+"\n", args...)
	}
}

// Terminal tells whether a stream is a terminal: a person is there.
func Terminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	if err != nil || st.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(st, null)
}

// ExitError ends the command with a status and nothing more to say.
type ExitError int

func (e ExitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// Built is the wiring of all that is built in, for any number of instances.
func (e *Env) Built() *core.Wiring {
	if e.wiring == nil {
		e.wiring = e.Build.Wiring()
	}
	return e.wiring
}

// Main runs the command line and returns the exit status.
func Main(b Build) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Run(ctx, &Env{Build: b, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}, os.Args[1:])
}

// Run is Main with its surroundings as parameters. It ends when ctx does.
func Run(ctx context.Context, e *Env, args []string) int {
	e.Operations = map[string]control.Operation{}
	root := e.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var exit ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	case ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed)):
		return 130
	}
	fmt.Fprintf(e.Stderr, "libos: %s\n", e.explain(args, err))
	return 1
}

func (e *Env) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "libos",
		Short: "A network stack in a program",
		Long: `libos runs network stacks in user space: hosts and routers with their own
devices, addresses, routes and sockets, as many as wanted in one process.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q", args[0])
			}
			return cmd.Help()
		},
	}
	root.SetIn(e.Stdin)
	root.SetOut(e.Stdout)
	root.SetErr(e.Stderr)
	root.PersistentFlags().StringVarP(&e.output, "output", "o", "text", "output: text or json")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if e.output != "text" && e.output != "json" {
			return fmt.Errorf("-o %s: text or json", e.output)
		}
		return nil
	}
	root.AddCommand(versionCommand(e))
	for _, f := range e.Commands {
		root.AddCommand(f(e))
	}
	root.Example = examples(root)
	return root
}

// examples is the first example of every subcommand.
func examples(root *cobra.Command) string {
	var lines []string
	for _, c := range root.Commands() {
		if first, _, _ := strings.Cut(c.Example, "\n"); first != "" {
			lines = append(lines, first)
		}
	}
	return strings.Join(lines, "\n")
}

// explain adds the cure to an error of the command line.
func (e *Env) explain(args []string, err error) string {
	text := err.Error()
	for _, line := range absent {
		if len(args) == 0 || line.command != args[0] || !strings.HasPrefix(text, "unknown command") {
			continue
		}
		return fmt.Sprintf("%s is not in this binary: its configuration %s lacks CONFIG_%s, which needs %s (libosbuild explain %s)",
			line.command, e.Built().Name, line.symbol, line.needs, line.symbol)
	}
	if strings.HasPrefix(text, "unknown command") {
		return text + ": `libos --help` lists those in this binary"
	}
	return text
}

// absent names the symbols of subcommands that a configuration can leave out.
var absent = [...]struct{ command, symbol, needs string }{
	{"up", "CMD_UP", "nothing else"},
	{"list", "CMD_UP", "nothing else"},
	{"ping", "CMD_PING", "IPV4 or IPV6"},
	{"get", "CMD_GET", "TCP"},
	{"httpd", "CMD_HTTPD", "TCP"},
	{"nc", "CMD_NC", "TCP or UDP"},
	{"sysctl", "CMD_SYSCTL", "nothing else"},
	{"tc", "CMD_TC", "NET_SCHED"},
	{"slabinfo", "CMD_SLABINFO", "nothing else"},
	{"capture", "CMD_CAPTURE", "PCAP"},
	{"demo", "CMD_DEMO", "TCP, PIPE and PCAP"},
	{"packetdrill", "CMD_PACKETDRILL", "TCP or UDP"},
	{"modprobe", "CMD_MODULES", "MODULES"},
	{"rmmod", "CMD_MODULES", "MODULES"},
	{"lsmod", "CMD_MODULES", "MODULES"},
	{"modinfo", "CMD_MODULES", "MODULES"},
}
