// Package rigs is no test: what it makes, its caller closes.
package rigs

import "github.com/libos-go/libos/core"

func Open() (*core.Instance, error) {
	d := core.NewDomain()
	in, err := core.New(core.Options{Domain: d})
	_ = d.Close()
	return in, err
}
