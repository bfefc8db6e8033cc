package apps_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/sim"
	"github.com/libos-go/libos/sim/apps"
)

// values runs apps on the two ends of a link of 10 Mbit/s and 5 ms, and returns what
// they recorded.
func values(t *testing.T, until time.Duration, a, b []apps.App) map[string]float64 {
	t.Helper()
	n := sim.New(sim.Options{Seed: 1, Wiring: libos.Wiring()})
	x, y := n.Node("a", sim.NodeConfig{}), n.Node("b", sim.NodeConfig{})
	n.Link("wire", x, y, sim.LinkConfig{Wire: pipe.Wire{Rate: 10e6, Delay: 5 * time.Millisecond}})
	for node, list := range map[*sim.Node][]apps.App{x: a, y: b} {
		for _, app := range list {
			if err := app.Check(); err != nil {
				t.Fatal(err)
			}
			app.Start(node)
		}
	}
	if err := n.Run(until); err != nil {
		t.Fatal(err)
	}
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, v := range n.Results().Values {
		out[v.Metric] = v.Value
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	return out
}

// What each app records on a link whose rate and delay are known.
func TestAppsRecordWhatTheLinkAllows(t *testing.T) {
	const rtt = 0.010
	for _, tt := range []struct {
		name      string
		a, b      apps.App
		metric    string
		low, high float64
	}{
		{"bulk for a time", apps.Bulk{To: "b", Port: 1, For: 10 * time.Second, Warmup: time.Second}, apps.Sink{Port: 1}, "goodput", 9.4e6, 9.8e6},
		{"bulk of some bytes", apps.Bulk{To: "b", Port: 1, Bytes: 1e6}, apps.Sink{Port: 1}, "completion", 0.8, 1.1},
		{"bulk to the end", apps.Bulk{To: "b", Port: 1}, apps.Sink{Port: 1}, "goodput", 9.4e6, 9.8e6},
		{"bulk that does not come to its end", apps.Bulk{To: "b", Port: 1, Bytes: 1e9}, apps.Sink{Port: 1}, "goodput", 9.4e6, 9.8e6},
		{"datagrams at a rate", apps.CBR{To: "b", Port: 1, Rate: 1e6, Size: 1000, For: 8 * time.Second}, apps.Sink{Port: 1}, "sent", 1000, 1000},
		{"datagrams in bursts", apps.CBR{To: "b", Port: 1, Rate: 1e6, Size: 1000, For: 8 * time.Second, On: apps.Constant(time.Second), Off: apps.Constant(time.Second)}, apps.Sink{Port: 1}, "sent", 500, 500},
		{"requests", apps.Requests{To: "b", Port: 1, Count: 10}, apps.Responder{Port: 1}, "response.min", rtt, rtt + 0.003},
		{"requests on fresh connections", apps.Requests{To: "b", Port: 1, Count: 10, Fresh: true}, apps.Responder{Port: 1}, "response.min", 2 * rtt, 2*rtt + 0.003},
		{"fetches", apps.HTTP{To: "b", Count: 5, Bytes: 100_000}, apps.HTTPServer{}, "fetch.count", 5, 5},
		{"fetches take the rate", apps.HTTP{To: "b", Count: 5, Bytes: 1_000_000}, apps.HTTPServer{}, "fetch.min", 0.8, 1.0},
		{"ping", apps.Ping{To: "b", Count: 5}, apps.Sink{Port: 1}, "ping.min", rtt, rtt + 0.001},
		{"ping to the end", apps.Ping{To: "b"}, apps.Sink{Port: 1}, "ping.sent", 20, 21},
		{"lookups", apps.Lookup{To: "b", Count: 5}, apps.NameServer{Work: 7 * time.Millisecond}, "lookup.mean", rtt + 0.007, rtt + 0.008},
		{"lookups of nobody", apps.Lookup{To: "b", Count: 1, Timeout: 100 * time.Millisecond, Tries: 3}, apps.Sink{Port: 1}, "lookup.failed", 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := values(t, 20*time.Second, []apps.App{tt.a}, []apps.App{tt.b})
			if v, ok := got[tt.metric]; !ok || v < tt.low || v > tt.high {
				t.Errorf("%s is %v, want %v to %v; recorded: %v", tt.metric, v, tt.low, tt.high, got)
			}
		})
	}
}

// Who reached no server before the end has a goodput of none.
func TestABulkThatReachesNobodyTellsSo(t *testing.T) {
	got := values(t, 5*time.Second, []apps.App{apps.Bulk{To: "b", Port: 1}}, []apps.App{apps.HTTPServer{}})
	if v, ok := got["goodput"]; !ok || v != 0 {
		t.Errorf("recorded: %v", got)
	}
}

func TestAppsRefuseWhatMakesNoSense(t *testing.T) {
	for _, app := range []apps.App{
		apps.Bulk{Port: 1}, apps.Bulk{To: "b"}, apps.Bulk{To: "b", Port: 1, At: apps.Constant(-1)}, apps.Bulk{To: "b", Port: 1, For: time.Second, Warmup: 2 * time.Second}, apps.Sink{},
		apps.Bulk{To: "b", Port: 1, Flows: 1 << 30}, apps.CBR{To: "b", Port: 1}, apps.CBR{To: "b", Port: 1, Rate: 1, Size: 70_000}, apps.CBR{To: "b", Port: 1, Rate: 1, On: apps.Constant(1)},
		apps.Requests{To: "b", Port: 1, Count: -1}, apps.HTTP{To: "b", Bytes: -1}, apps.Ping{To: "b", Interval: -1}, apps.Lookup{To: "b"}, apps.NameServer{Work: -1},
	} {
		if app.Check() == nil {
			t.Errorf("%T%+v is taken", app, app)
		}
	}
}

// A start at random is another one for each app of a node and for each seed, in the
// bounds that it was given.
func TestStartsAtRandomDependOnSeedAndApp(t *testing.T) {
	starts := func(seed uint64) (all []float64) {
		n := sim.New(sim.Options{Seed: seed, Wiring: libos.Wiring()})
		x, y := n.Node("a", sim.NodeConfig{}), n.Node("b", sim.NodeConfig{})
		n.Link("wire", x, y, sim.LinkConfig{Wire: pipe.Wire{Rate: 10e6, Delay: 5 * time.Millisecond}})
		apps.Sink{Port: 1}.Start(y)
		at := apps.Uniform(time.Second, 3*time.Second)
		apps.Bulk{To: "b", Port: 1, At: at, Bytes: 1000, Flows: 2}.Start(x)
		for range 2 {
			apps.CBR{To: "b", Port: 1, Rate: 1e6, For: time.Second, At: at}.Start(x)
		}
		if err := n.Run(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		for _, f := range n.Results().Flows {
			if f.Node == "a" {
				all = append(all, f.Start)
			}
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		return all
	}
	first, again, other := starts(1), starts(1), starts(2)
	if !slices.Equal(first, again) {
		t.Errorf("starts with one seed: %v, then %v", first, again)
	}
	all := append(first, other...)
	slices.Sort(all)
	if len(all) != 8 || all[0] < 1 || all[7] > 3.1 || len(slices.Compact(all)) != 8 {
		t.Errorf("starts with two seeds: %v", all)
	}
}

// Tasks of one name on a node have dice of their own.
func TestAppsOfOneKindOnANodeThrowTheirOwnDice(t *testing.T) {
	n := sim.New(sim.Options{Seed: 1, Wiring: libos.Wiring()})
	x := n.Node("a", sim.NodeConfig{})
	thrown := map[uint64]bool{}
	for range 3 {
		x.Go("app", 0, func(t *sim.Task) {
			for range 2 {
				thrown[t.Random().Uint64()] = true
			}
		})
	}
	if err := n.Run(time.Second); err != nil {
		t.Fatal(err)
	}
	if len(thrown) != 6 {
		t.Errorf("%d different numbers of six", len(thrown))
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func TestDistributionsHaveTheirMean(t *testing.T) {
	s := host.NewVirtual(1).Random("test")
	for _, text := range []string{"2s", "exp(2s)", "uniform(1s,3s)", "pareto(2.5,2s)"} {
		var d apps.Distribution
		if err := d.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		const n = 200_000
		for range n {
			sum += d.Sample(s).Seconds()
		}
		if mean := sum / n; math.Abs(mean-2) > 0.05 || d.Mean() != 2*time.Second {
			t.Errorf("%s: the mean is %.3f, and said to be %v", text, mean, d.Mean())
		}
	}
	for _, text := range []string{"", "2", "-1s", "exp()", "exp(1s", "pareto(0.5,1s)", "uniform(3s,1s)", "gauss(1s)"} {
		if err := new(apps.Distribution).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
