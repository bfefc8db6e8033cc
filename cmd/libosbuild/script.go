package main

import (
	"github.com/libos-go/libos/gen/kconfig"
	"github.com/spf13/cobra"
)

// scriptCommands read, change and compare configurations without questions.
func scriptCommands(a *app) []*cobra.Command {
	var opt kconfig.MergeOptions
	merge := &cobra.Command{
		Use:   "merge [flags] BASE FRAGMENT...",
		Short: "lay configuration fragments over each other and solve the result",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.configure(func(s *kconfig.Session) error { return s.Merge(args, opt) })
		},
	}
	f := merge.Flags()
	f.BoolVarP(&opt.NoSolve, "merge-only", "m", false, "write the merged lines, do not solve")
	f.BoolVarP(&opt.AllNo, "allnoconfig", "n", false, "what no fragment names becomes n instead of its default")
	f.BoolVarP(&opt.Redundant, "redundant", "r", false, "tell of values given twice")
	f.BoolVarP(&opt.KeepYes, "keep-yes", "y", false, "m does not replace y")
	f.BoolVar(&opt.Strict, "strict", false, "fail when fragments disagree or a request does not come true")

	var mergeStyle bool
	diff := &cobra.Command{
		Use:   "diffconfig [-m] [OLD NEW]",
		Short: "compare two configurations (.config.old and .config)",
		Args:  cobra.MaximumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.configure(func(s *kconfig.Session) error { return s.Diff(args, mergeStyle) })
		},
	}
	diff.Flags().BoolVarP(&mergeStyle, "merge", "m", false, "print what is new as lines for merge")

	return []*cobra.Command{merge, diff,
		{
			Use:     "set SYMBOL VALUE...",
			Short:   "set symbols in .config, and say what follows from it",
			Example: "  libosbuild set TCP n\n  libosbuild set CONFIG_SLAB_KB=1024 IPV6=n",
			Args:    cobra.MinimumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				return a.configure(func(s *kconfig.Session) error { return s.Set(args) })
			},
		},
		{
			Use:   "get SYMBOL...",
			Short: "print the value of symbols",
			Args:  cobra.MinimumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				return a.configure(func(s *kconfig.Session) error { return s.Get(args) })
			},
		},
		{
			Use:   "explain SYMBOL...",
			Short: "say why a symbol has its value",
			Args:  cobra.MinimumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				return a.configure(func(s *kconfig.Session) error { return s.ExplainSymbols(args) })
			},
		},
	}
}
