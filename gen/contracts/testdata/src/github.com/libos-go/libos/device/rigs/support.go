package rigs

import (
	"testing"

	"github.com/libos-go/libos/core"
)

// Station is support for tests, which the rule binds as it does them.
func Station(t testing.TB) *core.Domain {
	return core.NewDomain() // want `a test's own Domain: take coretest.New\(t, host\).Domain, which fails the test by what is left in its slabs`
}
