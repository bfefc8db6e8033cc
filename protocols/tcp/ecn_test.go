package tcp_test

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/config/protocols/tcp"
	"github.com/libos-go/libos/core/qdisc/codel"
	"github.com/libos-go/libos/core/qdisc/fqcodel"
	"github.com/libos-go/libos/core/qdisc/pie"
	"github.com/libos-go/libos/core/qdisc/red"
	"github.com/libos-go/libos/device/pipe"
)

// bottleneck is a pair whose link from a to b is slow behind a queueing discipline.
func bottleneck(t *testing.T, q core.QdiscConfig) *pair {
	p := newPair(t, pipe.Config{Wire: pipe.Wire{Rate: 10_000_000, Delay: 20 * time.Millisecond, Pace: 1}})
	// The window bounds what slow start does to the queue: pie drops where it would mark
	// more than a tenth.
	p.check(p.b.SetSysctl("net.ipv4.tcp_rmem", "4096 200000 200000"))
	p.check(p.a.InterfaceByName("eth0").SetQdisc(q))
	return p
}

// RFC 3168 §1: a router that marks has senders slow down without a loss. Of one that
// does not ask for ECN it drops instead.
func TestMarksSlowASenderDownWithoutALoss(t *testing.T) {
	if !config.TCP_ECN {
		t.Skip("CONFIG_TCP_ECN is n in this configuration")
	}
	for _, q := range []core.QdiscConfig{
		red.Config{Limit: 400_000, Min: 15_000, Max: 90_000, AvPkt: 1000, ECN: true},
		codel.Config{ECN: true},
		fqcodel.Config{},
		pie.Config{ECN: true},
	} {
		for cc, address := range map[string]string{"reno": addrB, "cubic": addrB6} {
			t.Run(q.Kind()+"/"+cc, func(t *testing.T) {
				for _, ecn := range []string{"1", "0"} {
					p := bottleneck(t, q)
					p.check(p.a.SetSysctl("net.ipv4.tcp_congestion_control", cc))
					p.check(p.a.SetSysctl("net.ipv4.tcp_ecn", ecn))
					p.transfer(address, 1_500_000)
					var dropped uint64
					p.Do(func() { dropped = p.a.InterfaceByName("eth0").Qdiscs()[0].Counts.Dropped })
					again, marked := p.Counter(p.a, "Tcp", "RetransSegs"), p.Counter(p.a, "TcpExt", "TCPDeliveredCE")
					if on := ecn == "1"; on != (dropped == 0) || on != (again == 0) || on != (marked > 0) {
						t.Errorf("tcp_ecn=%s: %d packets dropped, %d sent again, %d reported as marked", ecn, dropped, again, marked)
					}
				}
			})
		}
	}
}
