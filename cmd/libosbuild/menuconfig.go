package main

import (
	"errors"
	"fmt"
	"os"

	tea "charm.land/bubbletea/v2"
	"github.com/libos-go/libos/gen/kconfig"
	"github.com/libos-go/libos/gen/menuconfig"
	"github.com/spf13/cobra"
)

// framesPerSecond is how often the screen is looked over for changes. The library
// does so all the time, on an idle menu too: fewer cost less, and a key is shown
// within a twentieth of a second.
const framesPerSecond = 20

// menuconfigCommand is the full-screen menu.
func menuconfigCommand(a *app) []*cobra.Command {
	return []*cobra.Command{{
		Use:     "menuconfig",
		Short:   "edit the configuration in a full-screen menu",
		Example: "  libosbuild menuconfig\n  libosbuild menuconfig --with ../hail",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return a.menuconfig() },
	}}
}

func (a *app) menuconfig() error {
	session, err := a.session()
	if err != nil {
		return err
	}
	tree, err := session.LoadConfigured()
	if err != nil {
		return err
	}
	files := menuconfig.Files{
		Path: tree.ConfigPath(),
		Load: func(path string) (string, error) {
			data, err := os.ReadFile(path)
			if err != nil {
				return "", err
			}
			tree.Reset()
			return tree.ParseConfig(path, data).String(), nil
		},
		Save: func(path string) error {
			_, err := tree.WriteConfig(path)
			return err
		},
	}
	model := menuconfig.New(tree, files)
	if _, err := tea.NewProgram(model, tea.WithInput(a.stdin), tea.WithOutput(a.stdout), tea.WithFPS(framesPerSecond)).Run(); err != nil {
		if errors.Is(err, tea.ErrInterrupted) {
			return kconfig.ErrFailed
		}
		return fmt.Errorf("menuconfig needs a terminal: %w (config and set work without one)", err)
	}
	switch r := model.Result(); {
	case r.Discarded:
		fmt.Fprintf(a.stdout, "\nYour changes were not saved.\n\n")
	case r.Saved:
		fmt.Fprintf(a.stdout, "\nThe configuration is in %s. Now run make.\n\n", files.Path)
	default:
		fmt.Fprintf(a.stdout, "\nNothing was changed in %s.\n\n", files.Path)
	}
	return nil
}
