// Package command is the libos command without its main function: the root
// command, and what all subcommands share. Subcommands that a configuration
// chooses live in packages of their own beside this one and come in by
// Build.Commands, which the generated main fills; how a stack works is known to
// the packages below only. Start at command.go.
package command
