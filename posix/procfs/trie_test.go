package procfs_test

import (
	"testing"

	"github.com/libos-go/libos/core"
)

func TestRoutesAreLeavesOfATrie(t *testing.T) {
	l := newLab(t)
	l.eth()
	for _, text := range []string{"default via 10.9.0.2", "blackhole 10.9.0.0/16", "10.9.0.0/16 via 10.9.0.2 metric 5", "10.7.1.0/24 via 10.9.0.2 table 77"} {
		e, _, err := core.ParseRoute(text)
		l.check(err)
		l.check(l.in.AddRoute(e))
	}
	const both = `  +-- 0.0.0.0/1 1 0 0
     +-- 0.0.0.0/4 1 0 0
        |-- 0.0.0.0
           /0 universe UNICAST
        +-- 10.9.0.0/24 1 0 0
           +-- 10.9.0.0/31 1 0 0
              |-- 10.9.0.0
                 /24 link UNICAST
                 /16 universe BLACKHOLE
                 /16 universe UNICAST
              |-- 10.9.0.1
                 /32 host LOCAL
           |-- 10.9.0.255
              /32 link BROADCAST
     +-- 127.0.0.0/31 1 0 0
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
`
	l.want("/proc/net/fib_trie", "Id 77:\n  |-- 10.7.1.0\n     /24 universe UNICAST\nMain:\n"+both+"Local:\n"+both)
	l.Domain.Do(func() {
		l.check(l.in.AddRuleLocked(core.Rule{Action: core.RuleToTable, Table: 77, Priority: 5}))
	})
	l.want("/proc/net/fib_trie", `Id 77:
  |-- 10.7.1.0
     /24 universe UNICAST
Main:
  +-- 0.0.0.0/4 1 0 0
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 10.9.0.0
        /24 link UNICAST
        /16 universe BLACKHOLE
        /16 universe UNICAST
Local:
  +-- 0.0.0.0/1 1 0 0
     +-- 10.9.0.0/24 1 0 0
        |-- 10.9.0.1
           /32 host LOCAL
        |-- 10.9.0.255
           /32 link BROADCAST
     +-- 127.0.0.0/31 1 0 0
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
`)
}
