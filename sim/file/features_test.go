package file_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/sim/file"
)

// values runs a file to its end and returns what its applications recorded, by
// "node/task metric".
func values(t *testing.T, text string) map[string]float64 {
	t.Helper()
	d, err := file.Parse("testdata/lab.toml", text, file.Options{Wiring: libos.Wiring()})
	if err != nil {
		t.Fatal(err)
	}
	n := d.Network
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := n.Run(d.Until); err != nil {
		t.Fatal(err)
	}
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, v := range n.Results().Values {
		all[v.Node+"/"+v.Task+" "+v.Metric] = v.Value
	}
	return all
}

// The complete files in the documents can be read and run.
func TestTheFilesInTheDocumentsRun(t *testing.T) {
	text, err := os.ReadFile("../../docs/simulator.md")
	if err != nil {
		t.Fatal(err)
	}
	whole := 0
	for _, block := range strings.Split(string(text), "```toml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if !strings.Contains(block, "[network]") {
			continue
		}
		whole++
		if len(values(t, block)) == 0 {
			t.Errorf("nothing was recorded by\n%s", block)
		}
	}
	if whole < 3 {
		t.Errorf("%d complete files", whole)
	}
}

// In every generated and imported topology each host reaches another one, with
// addresses and routes that nobody gave.
func TestEveryTopologyCarriesPackets(t *testing.T) {
	const graphs = "../../topology/testdata/"
	for _, kind := range []string{
		"kind = 'chain'\nn = 4", "kind = 'ring'\nn = 4", "kind = 'star'\nn = 4", "kind = 'mesh'\nn = 4", "kind = 'grid'\nw = 3\nh = 3", "kind = 'torus'\nw = 3\nh = 3",
		"kind = 'tree'\nk = 2\ndepth = 2", "kind = 'fat-tree'\nk = 4", "kind = 'dumbbell'\nleft = 2\nright = 2", "kind = 'erdos-renyi'\nn = 10\np = 0.3",
		"kind = 'barabasi-albert'\nn = 10\nm = 2", "kind = 'waxman'\nn = 10\nalpha = 0.4\nbeta = 0.4", "kind = 'random-regular'\nn = 10\ndegree = 3",
		"file = '" + graphs + "small.gml'", "file = '" + graphs + "small.graphml'", "file = '" + graphs + "small.cch'",
		"file = '" + graphs + "weights.intra'\nlatencies = '" + graphs + "latencies.intra'",
	} {
		t.Run(kind[:strings.IndexByte(kind+"\n", '\n')], func(t *testing.T) {
			all := values(t, "[network]\nuntil = '5s'\n[[topology]]\n"+kind+"\nhosts = 2\n[topology.access]\ndelay = '1ms'\n"+
				"[[app]]\nkind = 'ping'\non = '*.h1'\nto = '*.h2'\ncount = 1\n")
			sent, got := 0.0, 0.0
			for name, v := range all {
				if strings.HasSuffix(name, "ping.sent") {
					sent += v
				} else if strings.HasSuffix(name, "ping.count") {
					got += v
				}
			}
			if sent == 0 || got < sent-1 { // a published graph may have a part of its own
				t.Errorf("%g of %g requests were answered", got, sent)
			}
		})
	}
}

// All that a link can do to frames, every application, and timed changes by the words
// of ip, tc, sysctl and of links, in one file with addresses and routes by hand.
func TestLinksApplicationsAndTimedActions(t *testing.T) {
	all := values(t, `
[network]
until = "20s"
routes = "none"
[[node]]
name = "a"
routes = ["default via 192.168.1.2"]
[[node]]
name = "r"
role = "router"
[[node]]
name = "b"
routes = ["192.168.1.0/24 via 192.168.2.2"]
[node.sysctl]
net.ipv4.ip_default_ttl = 33
[[link]]
name = "x"
nodes = ["a", "r"]
addresses = ["192.168.1.1/24", "192.168.1.2/24"]
rate = "10M"
delay = "5ms"
jitter = "1ms"
loss_model = "gemodel 0.01 0.3 1 0"
duplicate = "1%"
corrupt = 0.001
reorder = 0.01
reorder_delay = "2ms"
queue = 20
mtu = 1400
[[link]]
name = "y"
nodes = ["r", "b"]
addresses = ["192.168.2.2/24", "192.168.2.1/24"]
trace = "mahimahi.trace"
[[app]]
kind = "sink"
on = "b"
port = 9
[[app]]
kind = "bulk"
on = "a"
to = "b"
port = 9
for = "10s"
[[app]]
kind = "cbr"
on = "a"
to = "192.168.2.1"
port = 9
rate = "100K"
burst = "exp(1s)"
pause = "1s"
for = "15s"
[[app]]
kind = "responder"
on = "b"
port = 10
[[app]]
kind = "requests"
on = "a"
to = "b"
port = 10
count = 5
think = "pareto(1.5,100ms)"
[[app]]
kind = "httpd"
on = "b"
[[app]]
kind = "http"
on = "a"
to = "b"
count = 2
[[app]]
kind = "named"
on = "b"
work = "1ms"
[[app]]
kind = "lookup"
on = "a"
to = "b"
count = 5
[[app]]
kind = "ping"
on = "a"
to = "b"
timeout = "1s"
[[at]]
time = "5s"
do = ["link x down", "a sysctl net.ipv4.tcp_sack=0"]
[[at]]
time = "6s"
do = ["link x up", "link x a_to_b rate 1M loss 5%", "a ip route add 10.9.0.0/16 via 192.168.1.2", "r tc qdisc add dev eth0 root fq_codel", "a ip link set eth0 mtu 1300", "b ip address add 10.77.0.1/24 dev eth0"]
`)
	for name, least := range map[string]float64{"a/bulk goodput": 1e6, "a/cbr sent": 50, "a/requests response.count": 5, "a/http fetch.count": 2,
		"a/lookup lookup.count": 4, "a/ping ping.count": 12, "a/ping ping.min": 0.01} {
		if all[name] < least {
			t.Errorf("%s is %g, want %g at least; recorded: %v", name, all[name], least, all)
		}
	}
	if lost := all["a/ping ping.sent"] - all["a/ping ping.count"]; lost < 1 {
		t.Errorf("%g pings were lost while the link was down", lost)
	}
}

// A host leaves one Ethernet for another at an instant, and reaches who is there.
func TestAHostMovesFromOneSegmentToAnother(t *testing.T) {
	const before = `
[network]
routes = "none"
until = "9500ms"
[[node]]
name = "car"
[[node]]
name = "home"
[[node]]
name = "away"
[[segment]]
name = "cell1"
[[segment.port]]
node = "car"
addresses = ["10.5.0.9/24"]
[[segment.port]]
node = "home"
addresses = ["10.5.0.1/24"]
[[segment]]
name = "cell2"
[[segment.port]]
node = "away"
addresses = ["10.5.0.2/24"]
[[app]]
kind = "ping"
on = "car"
to = "`
	const after = `"
timeout = "500ms"
[[at]]
time = "4500ms"
do = "car plug eth0 cell2"
`
	if n := values(t, before+"home"+after)["car/ping ping.count"]; n != 5 {
		t.Errorf("%g answers from home in the first half of ten seconds", n)
	}
	if n := values(t, before+"away"+after)["car/ping ping.count"]; n < 4 || n > 5 {
		t.Errorf("%g answers from away in the second half of ten seconds", n)
	}
}

// A task that goes on for ever is stopped at the file's until.
func TestUntilEndsAFile(t *testing.T) {
	d, err := parse(pair + "[[app]]\nkind = \"ping\"\non = \"a\"\nto = \"b\"\n[network]\nuntil = \"3s\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Network.Run(d.Until); err != nil || d.Network.Now() != 3*time.Second {
		t.Errorf("it ended at %v: %v", d.Network.Now(), err)
	}
	if err := d.Network.Close(); err != nil {
		t.Error(err)
	}
}

// A name with spaces, as published topologies have them, stands in quotes in actions.
func TestActionsNameNodesWithSpaces(t *testing.T) {
	all := values(t, `
[network]
until = "9500ms"
[[node]]
name = "New Town"
[[node]]
name = "Old Town"
[[link]]
name = "main road"
nodes = ["New Town", "Old Town"]
[[app]]
kind = "ping"
on = "New Town"
to = "Old Town"
timeout = "500ms"
[[at]]
time = "4500ms"
do = ["'Old Town' sysctl net.ipv4.icmp_echo_ignore_all=1", "link \"main road\" loss_model 'gemodel 0 1 0 0'"]
`)
	if n := all["New Town/ping ping.count"]; n != 5 {
		t.Errorf("%g answers of a town that falls silent after five", n)
	}
}

// A port that is described takes the place of the one that nodes would give.
func TestAPortDescribedIsTheNodesOnlyOne(t *testing.T) {
	d, err := parse(`
[[node]]
name = "a"
[[node]]
name = "b"
[[segment]]
name = "s"
nodes = ["a", "b"]
[[segment.port]]
node = "a"
interface = "wlan0"
`)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Network.Build(); err != nil {
		t.Fatal(err)
	}
	in := d.Network.Lookup("a").Instance()
	if in.InterfaceByName("wlan0") == nil || in.InterfaceByName("eth0") != nil {
		t.Error("a has not the one interface wlan0")
	}
	if err := d.Network.Close(); err != nil {
		t.Error(err)
	}
}
