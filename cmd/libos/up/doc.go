// Package up is `libos up`, which runs the stacks of a host file in the
// foreground and answers the other subcommands on a control socket, and `libos
// list`, which shows what runs behind one. The file is read by package command,
// the socket served by package control. Start at up.go.
package up
