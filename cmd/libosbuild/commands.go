package main

import "github.com/spf13/cobra"

// commands lists what makes the subcommands, a line each, in the order of the
// help.
func commands() []func(*app) []*cobra.Command {
	return []func(*app) []*cobra.Command{
		configCommands,
		scriptCommands,
		menuconfigCommand,
		buildCommands,
		authorCommands,
	}
}
