package modules

import (
	"fmt"
	"slices"

	"github.com/libos-go/libos/core/config/libos"
	"github.com/libos-go/libos/plugin/sandbox"
)

// confined tells whether modules run in a sandbox.
func (o *Options) confined() bool {
	return config.MODULE_SANDBOX && !o.NoSandbox && sandbox.Available() == nil
}

// unconfined says once why modules run without a sandbox, if they do.
func (m *Manager) unconfined() {
	if m.o.confined() {
		return
	}
	why := "CONFIG_MODULE_SANDBOX is not set"
	if err := sandbox.Available(); err != nil {
		why = err.Error()
	} else if m.o.NoSandbox {
		why = "it was switched off"
	}
	m.told.Do(func() { m.o.Log.Warn("modules run without a sandbox, with all rights of this process", "reason", why) })
}

// grant holds what the module asks for against what modules may have.
func (x *Manifest) grant(allowed []string) error {
	var err error
	if x.privileges, err = sandbox.Parse(x.description.GetPrivileges()); err != nil {
		return fmt.Errorf("%s: %w: build the module again (libosbuild build), or a later libos", x.file, err)
	}
	if allowed == nil {
		return nil
	}
	for _, p := range x.description.GetPrivileges() {
		if !slices.Contains(allowed, p) {
			return fmt.Errorf("%s: module %s asks for the privilege %q, which modules are not given here: allow it (module_privileges in the host file), or do without the module",
				x.file, x.Name(), p)
		}
	}
	return nil
}
