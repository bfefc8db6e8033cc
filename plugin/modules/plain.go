package modules

import "github.com/libos-go/libos/core/remote"

// plain is an error in which words of a module may be: they do nothing to a terminal.
type plain struct{ error }

// Error implements error.
func (e plain) Error() string { return remote.Plain(e.error.Error()) }

// Unwrap is the error as it came.
func (e plain) Unwrap() error { return e.error }
