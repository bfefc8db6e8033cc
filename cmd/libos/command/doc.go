// Package command is the libos command without its main function: the root
// command and what its subcommands share, such as flags that choose a stack,
// stacks made from host files, output as text or JSON, progress. Each subcommand
// that a configuration can leave out is a package of its own beside this one,
// exports one function (*Env) *cobra.Command, and comes in by Build.Commands,
// which the generated main fills. What it does inside a running stack it
// registers with Env.Handle. How a stack works is known to core only. Start at
// main.go, then stack.go.
package command
