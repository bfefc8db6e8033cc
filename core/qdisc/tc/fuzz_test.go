package tc_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc/codel"
	"github.com/libos-go/libos/core/qdisc/fq"
	"github.com/libos-go/libos/core/qdisc/fqcodel"
	"github.com/libos-go/libos/core/qdisc/netem"
	"github.com/libos-go/libos/core/qdisc/pie"
	"github.com/libos-go/libos/core/qdisc/qdisctest"
	"github.com/libos-go/libos/core/qdisc/red"
	"github.com/libos-go/libos/core/qdisc/tbf"
	"github.com/libos-go/libos/core/qdisc/tc"
	"github.com/libos-go/libos/host"
)

// FuzzCommand runs commands on an interface that sends packets: a command is refused
// with an error, or what is in force afterwards can be shown, also as JSON.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{
		"qdisc add dev q0 root pfifo limit 3", "qdisc add dev q0 root handle 1: tbf rate 8mbit burst 3000 latency 5ms;qdisc add dev q0 parent 1: handle 10: codel ecn",
		"qdisc replace dev q0 root netem delay 10ms 5ms 25% distribution pareto loss gemodel 1% 10% 70% 0.1% duplicate 1% corrupt 1% reorder 5% gap 3 rate 1mbit 0 48 5 slot 1ms 2ms packets 3",
		"qdisc add dev q0 root fq maxrate 1mbit;qdisc change dev q0 root fq limit 3", "qdisc add dev q0 root fq_codel limit 2 memory_limit 3000 drop_batch 1",
		"qdisc add dev q0 root red limit 100kb avpkt 1000 min 1kb max 3kb burst 2 ecn adaptive", "qdisc add dev q0 root pie alpha 32 beta 32 tupdate 1ms target 1us",
		"qdisc add dev q0 root netem loss state 1% 2% 3% 4% 5% ecn;qdisc del dev q0 root", "-s -j qdisc show dev q0", "qdisc add dev q0 root netem slot distribution normal 1ms 1ms bytes 3",
	} {
		f.Add(s)
	}
	all := append(kinds(), tbf.Kind(), netem.Kind(), codel.Kind(), fqcodel.Kind(), fq.Kind(), red.Kind(), pie.Kind())
	f.Fuzz(func(t *testing.T, commands string) {
		l := qdisctest.New(t, host.NewVirtual(1), append([]core.QdiscKind(nil), all...)...)
		l.Rate = 8e6
		for i, c := range strings.SplitN(commands, ";", 4) {
			if _, err := tc.Run(l.Instance, strings.Fields(c)); err != nil && err.Error() == "" {
				t.Error("an error without words")
			}
			l.ECN = uint8(i) & 3
			l.Send(i, 5, 1000)
			l.Pass(10 * time.Millisecond)
			if s := l.TC("-s qdisc show dev q0"); !strings.HasPrefix(s, "qdisc ") {
				t.Errorf("shown is %q", s)
			}
			var v []map[string]any
			if s := l.TC("-s -j qdisc show"); json.Unmarshal([]byte(s), &v) != nil || len(v) == 0 {
				t.Errorf("no JSON: %s", s)
			}
		}
	})
}
