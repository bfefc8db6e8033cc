package file_test

import (
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/sim/file"
)

func parse(text string, set ...string) (*file.Description, error) {
	return file.Parse("lab.toml", text, file.Options{Wiring: libos.Wiring(), Set: set, ReadFile: func(string) ([]byte, error) { return []byte("1\n2\n"), nil }})
}

// build reads, builds and closes.
func build(t testing.TB, text string, set ...string) error {
	d, err := parse(text, set...)
	if err != nil {
		return err
	}
	if err := d.Network.Build(); err != nil {
		return err
	}
	if err := d.Network.Close(); err != nil {
		t.Error(err)
	}
	return nil
}

const pair = "[[node]]\nname = \"a\"\n[[node]]\nname = \"b\"\n[[link]]\nname = \"l\"\nnodes = [\"a\", \"b\"]\n"

// What is wrong with a file is told with its line and a cure before anything runs.
func TestBadFilesAreToldWithLineAndCure(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"no TOML", "[[node]]\nname = \n", "lab.toml:2: "},
		{"lists without end", "[network]\nuntil = " + strings.Repeat("{a=", 100_000) + "\n", "lab.toml:2: this nests more than 64 deep"},
		{"unknown table", "[nodes]\n", "lab.toml:1: there is no table nodes: the tables are"},
		{"unknown key", pair + "colour = 1\n", "lab.toml:8: link l has no key colour: it has"},
		{"dangling link", "[[node]]\nname = \"a\"\n[[link]]\nname = \"l\"\nnodes = [\"a\", \"c\"]\n", "lab.toml:5: link l: nodes: there is no node c (nodes: a)"},
		{"link with one end", "[[node]]\nname = \"a\"\n[[link]]\nname = \"l\"\nnodes = [\"a\"]\n", "lab.toml:5: link l: nodes: a link joins two nodes"},
		{"link to itself", "[[node]]\nname = \"a\"\n[[link]]\nname = \"l\"\nnodes = [\"a\", \"a\"]\n", "lab.toml:3: link l joins a with itself"},
		{"negative rate", pair + "rate = -5\n", "lab.toml:8: link l: rate = \"-5\""},
		{"negative delay", pair + "delay = \"-5ms\"\n", "lab.toml:8: link l: delay -5ms is negative"},
		{"loss above one", pair + "loss = 1.5\n", "lab.toml:8: link l: loss = \"1.5\""},
		{"two nodes of a name", "[[node]]\nname = \"a\"\n[[node]]\nname = \"a\"\n", "lab.toml:3: there is a node a already (lab.toml:1)"},
		{"address clash", pair + "addresses = [\"10.0.0.1/24\", \"10.0.0.1/24\"]\n", "lab.toml:8: l: address 10.0.0.1 of b is a's on l (lab.toml:8)"},
		{"bad address", pair + "addresses = [\"10.0.0.1/24\", \"10.0.0.300/24\"]\n", "lab.toml:8: l: address 10.0.0.300/24 of b"},
		{"unknown app", pair + "[[app]]\nkind = \"bulky\"\non = \"a\"\n", "lab.toml:9: app bulky: kind: there is no app \"bulky\" (apps: bulk,"},
		{"app without target", pair + "[[app]]\nkind = \"bulk\"\non = \"a\"\nport = 1\n", "lab.toml:8: app bulk: to: it is missing"},
		{"app on nobody", pair + "[[app]]\nkind = \"sink\"\non = \"x*\"\nport = 1\n", "lab.toml:10: app sink: on: there is no node x*"},
		{"app with a bad port", pair + "[[app]]\nkind = \"sink\"\non = \"a\"\nport = 0\n", "lab.toml:8: app sink: port is missing: a number in 1..65535"},
		{"unknown sysctl", "[[node]]\nname = \"a\"\n[node.sysctl]\n\"net.ipv4.nothing\" = 1\n", "lab.toml:4"},
		{"unknown action", pair + "[[at]]\ntime = \"1s\"\ndo = \"link l sideways\"\n", "lab.toml:10: \"link l sideways\""},
		{"action on nobody", pair + "[[at]]\ntime = \"1s\"\ndo = \"c ip link set eth0 down\"\n", "lab.toml:10: \"c ip link set eth0 down\": there is no node c"},
		{"quote of an action", pair + "[[at]]\ntime = \"1s\"\ndo = \"'a ip link set eth0 down\"\n", "a quote ' is not closed"},
		{"place that is none", pair + "[[segment]]\nname = \"s\"\nkind = \"radio\"\n[[segment.port]]\nnode = \"a\"\npath = [\"0s NaN,0\"]\n", "lab.toml:13: port of segment s: path: \"0s NaN,0\" is no stop"},
		{"way on a cable", pair + "[[segment]]\nname = \"s\"\nkind = \"hub\"\n[[segment.port]]\nnode = \"a\"\npath = [\"0s 1,0\"]\n", "lab.toml:13: port of segment s: path: a station moves on a segment of kind radio only"},
		{"number that is none", "[[topology]]\nkind = \"waxman\"\nn = 3\nalpha = nan\nbeta = 0.5\n", "lab.toml:4: topology waxman: alpha: it is a number"},
		{"app of no kind", pair + "[[app]]\non = \"a\"\n", "lab.toml:8: app: kind: it is missing: one of bulk, cbr,"},
		{"name with a space", pair + "[[node]]\nname = \"New Town\"\n[[at]]\ntime = \"1s\"\ndo = \"New Town sysctl a=1\"\n", "there is no node New: a name with spaces stands in quotes, such as 'New Town'"},
		{"action without a time", pair + "[[at]]\ndo = \"link l down\"\n", "lab.toml:8: at: time: it is missing"},
		{"unknown topology", "[[topology]]\nkind = \"moebius\"\n", "lab.toml:2: topology moebius: kind: there is no topology \"moebius\""},
		{"topology without its file", "[[topology]]\nfile = \"none.gml\"\n", "lab.toml:2: topology none.gml: file: "},
		{"topology without a size", "[[topology]]\nkind = \"chain\"\n", "lab.toml:1: topology chain: n: it is missing"},
		{"bad route", "[[node]]\nname = \"a\"\nroutes = [\"default via nowhere\"]\n", "lab.toml:3: "},
		{"unreachable gateway", pair + "[[node]]\nname = \"c\"\nroutes = [\"default via 192.168.7.7\"]\n", "lab.toml:10: "},
		{"unknown discipline", pair + "qdisc = \"teleport\"\n", "lab.toml:8: "},
		{"loop of switches", "[[segment]]\nname = \"x\"\n[[segment.trunk]]\nto = \"y\"\n[[segment.trunk]]\nto = \"y\"\n[[segment]]\nname = \"y\"\n[[node]]\nname = \"a\"\n", "lab.toml:5: segments x and y are joined already"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := build(t, tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error: %v\nwant:  %s", err, tt.want)
			}
		})
	}
}

func TestSetChangesOneTableOrAll(t *testing.T) {
	text := pair + "[[link]]\nname = \"m\"\nnodes = [\"a\", \"b\"]\n"
	for _, tt := range []struct {
		set  string
		want [2]float64 // of the links
	}{
		{"link.loss=0.25", [2]float64{0.25, 0.25}},
		{"link.m.loss=25%", [2]float64{0, 0.25}},
	} {
		d, err := parse(text, tt.set)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range d.Network.Links() {
			if l.Config().Loss != tt.want[i] {
				t.Errorf("%s: the loss of %s is %v, want %v", tt.set, l.Name(), l.Config().Loss, tt.want[i])
			}
		}
	}
	d, err := parse(text, "network.until=3s", "node.a.sysctl.net.ipv4.ip_default_ttl=9")
	if err != nil {
		t.Fatal(err)
	}
	if d.Until != 3*time.Second {
		t.Errorf("until is %v", d.Until)
	}
	if err := d.Network.Build(); err != nil {
		t.Fatal(err)
	}
	if v, _ := d.Network.Lookup("a").Instance().Sysctl("net.ipv4.ip_default_ttl"); v != "9" {
		t.Errorf("the sysctl is %q", v)
	}
	if err := d.Network.Close(); err != nil {
		t.Error(err)
	}
	for set, want := range map[string]string{
		"loss=1":          "--set loss=1: write TABLE.KEY=VALUE",
		"segment.rate=1":  "--set segment.rate=1: lab.toml has no [[segment]]",
		"link.l.loss=two": "--set link.l.loss=two: link l: loss",
		"link.l.colour=1": "--set link.l.colour=1: link l has no key colour",
		"link.q.loss=1":   "--set link.q.loss=1: link l has no key q",
	} {
		if _, err := parse(text, set); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", set, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(pair + "rate = \"1M\"\nqdisc = \"pfifo limit 3\"\n[[app]]\nkind = \"ping\"\non = \"a\"\nto = \"b\"\n[[at]]\ntime = \"1s\"\ndo = [\"link l down\", \"a sysctl net.ipv4.ip_forward=1\"]\n")
	f.Add("[network]\nseed = 3\nuntil = \"1s\"\nfamilies = [\"ipv4\"]\n[[topology]]\nkind = \"waxman\"\nn = 5\nalpha = 0.4\nbeta = 0.2\nhosts = 1\n[topology.link]\ndelay = \"1ms\"\n")
	f.Add("[[node]]\nname = \"a\"\nx = 1\n[[segment]]\nname = \"s\"\nkind = \"radio\"\nnodes = \"a\"\nrange = 10\n[[segment.port]]\nnode = \"a\"\npath = [\"0s 0,0\", \"1s 5,5\"]\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "topology") && strings.ContainsAny(text, "0123456789") && len(text) > 400 {
			return // large graphs take their time
		}
		d, err := parse(text)
		if err != nil {
			if !strings.Contains(err.Error(), "lab.toml") {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		if len(d.Network.Nodes()) > 200 {
			return
		}
		if err := d.Network.Build(); err == nil {
			if err := d.Network.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
