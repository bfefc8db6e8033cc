package main

import (
	"strings"

	"github.com/libos-go/libos/gen/kconfig"
	"github.com/spf13/cobra"
)

// configCommands are the kbuild targets.
func configCommands(a *app) []*cobra.Command {
	var list []*cobra.Command
	for _, t := range kconfig.TargetHelp() {
		name := t[0]
		c := &cobra.Command{Use: name, Short: t[1], Args: cobra.NoArgs, RunE: func(_ *cobra.Command, args []string) error {
			return a.configure(func(s *kconfig.Session) error { return s.Run(name, args) })
		}}
		if name == "defconfig" || name == "savedefconfig" {
			c.Use += " [FILE]"
			c.Args = cobra.MaximumNArgs(1)
		}
		if strings.Contains(name, "2") {
			c.Aliases = []string{strings.TrimSuffix(name, "config")}
		}
		list = append(list, c)
	}
	return list
}

// addPatternTargets adds NAME_defconfig and NAME.config if they are asked for:
// there are as many as there are files in configs.
func addPatternTargets(root *cobra.Command, a *app, args []string) {
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") || !kconfig.IsTarget(arg) {
			continue
		}
		if c, _, err := root.Find([]string{arg}); err == nil && c != root {
			continue
		}
		root.AddCommand(&cobra.Command{Use: arg, Hidden: true, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			return a.configure(func(s *kconfig.Session) error { return s.Run(arg, nil) })
		}})
		return
	}
}
