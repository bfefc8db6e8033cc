//go:build linux && (amd64 || arm64)

package guest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/guest"
	"github.com/libos-go/libos/host"
)

// difference is a field that the kernel and an instance may tell differently, as a
// pattern of path.Match for its place, and why. docs/programs.md has the same list.
type difference struct{ at, why string }

var differences = [...]difference{
	{"*/*/stats64", "traffic is not the same each time"},
	{"*/0/mtu", "lo carries IP packets of at most 65,535 bytes"},
	{"*/1/linkinfo/info_kind", "the device is a pipe, not a veth"},
	{"*/1/link_index", "a pipe's other end is told by nobody"},
	{"*/1/link_netnsid", "likewise"},
	{"*/[1-5]/num_?x_queues", "a device has one queue in each direction"},
	{"*/*/addr_info/*/*_life_time", "seconds pass"},
	{"neigh/*/confirmed", "seconds pass"},
	{"neigh/*/updated", "seconds pass"},
	{"neigh/*/used", "seconds pass"},
	{"*/broadcast 127.255.255.255", "127.255.255.255 is an address of lo as all of 127.0.0.0/8"},
	{"*/multicast ff00::%8", "groups have no route: an interface is chosen by its option or its number"},
	{"ntable/*/reachable", "each neighbour draws its own time around base_reachable"},
	{"ntable/*/refcnt", "what uses a table is not counted"},
	{"qdisc/1/refcnt", "veth has a queue for each processor, which count"},
	{"qdisc/1/bytes", "traffic is not the same each time"},
	{"qdisc/1/packets", "likewise"},
	{"qdisc/1/overlimits", "likewise"},
	{"route get6*/*/prefsrc", "of two sources that RFC 6724 holds for equal the older is chosen"},
}

// An instance and a network namespace of the kernel get the same configuration by the
// same programs, which then tell the same of both.
func TestProgramsTellOfAnInstanceWhatTheyTellOfTheKernel(t *testing.T) {
	doc, err := os.ReadFile("../docs/programs.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		if !strings.Contains(string(doc), "| `"+d.at+"` |") {
			t.Errorf("docs/programs.md does not tell of %s", d.at)
		}
	}
	need(t, "tc")
	kernel, ours := both(t, "testdata/configure.sh")
	want, got := told(t, kernel), told(t, ours)
	for _, at := range slices.Sorted(maps.Keys(merged(want, got))) {
		if want[at] != got[at] && !expected(at) {
			t.Errorf("%s: the kernel tells %s, the instance %s", at, want[at], got[at])
		}
	}
}

// both are what a script prints in a network namespace of the kernel and on an instance,
// each with an interface eth0 that leads to another.
func both(t *testing.T, script string) (kernel, ours string) {
	t.Helper()
	ip := need(t, "ip")
	if os.Getuid() != 0 {
		t.Skip("only root may make network namespaces")
	}
	r := coretest.New(t, host.NewRealTime())
	a := r.Adopt(core.New(core.Options{Name: "a", Wiring: libos.Wiring(), Domain: r.Domain}))
	b := r.Adopt(core.New(core.Options{Name: "b", Wiring: libos.Wiring(), Domain: r.Domain}))
	if w := a.Wiring(); w.Qdisc("tbf") == nil || w.SocketKind(core.AFNetlink, core.SockRaw, 0) < 0 || len(w.Networks) < 2 || !makes(w, "veth") {
		t.Skip("this build lacks netlink, pipes, tbf, IPv4 or IPv6")
	}
	if all, err := a.Sysctl("net.ipv4.tcp_available_congestion_control"); err != nil || !slices.Contains(strings.Fields(all), "reno") {
		t.Skip("this build lacks TCP or reno, which routes name")
	}
	da, db := pipe.New(pipe.Config{})
	if _, err := a.AddDevice(da, "eth0"); err != nil {
		t.Fatal(err)
	}
	r.Attach(b, db, "eth0")
	g := guest.New(a)
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})

	us, peer := fmt.Sprintf("libos-a-%d", os.Getpid()), fmt.Sprintf("libos-b-%d", os.Getpid())
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
			t.Skipf("ip %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	for _, name := range []string{us, peer} {
		run("netns", "add", name)
		t.Cleanup(func() { _ = exec.Command(ip, "netns", "del", name).Run() })
	}
	run("-n", us, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", peer)
	run("-n", peer, "link", "set", "eth0", "up")

	out, err := exec.Command(ip, "netns", "exec", us, "sh", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ours, err = program(t, g, "sh", script)
	if err != nil {
		t.Fatalf("%v\n%s", err, ours)
	}
	return string(out), ours
}

// Scripts whose every line is the same for both.
func TestEachStepTellsOfAnInstanceWhatItTellsOfTheKernel(t *testing.T) {
	for _, script := range []string{"addrlabel", "nexthop", "routes"} {
		t.Run(script, func(t *testing.T) {
			kernel, ours := both(t, "testdata/"+script+".sh")
			want, got := strings.Split(kernel, "\n$ "), strings.Split(ours, "\n$ ")
			if len(want) != len(got) {
				t.Fatalf("%d steps, not %d:\n%s", len(got), len(want), ours)
			}
			for i := range want {
				if want[i] != got[i] {
					t.Errorf("the kernel tells\n%s\nthe instance\n%s", want[i], got[i])
				}
			}
		})
	}
}

func expected(at string) bool {
	for _, d := range differences {
		for p := at; p != "."; p = path.Dir(p) { // or what is within
			if ok, _ := path.Match(d.at, p); ok {
				return true
			}
		}
	}
	return false
}

func merged(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// told are the fields of what the script prints: their places and values, "" for
// none. A route and a neighbour, which Linux keeps by a hash, are named by where they
// lead to, other things by their number.
func told(t *testing.T, text string) map[string]string {
	t.Helper()
	out, times := map[string]string{}, map[string]int{}
	for _, part := range strings.Split("\n"+text, "\n## ")[1:] {
		command, body, _ := strings.Cut(part, "\n")
		var list any
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, body)
		}
		words := slices.DeleteFunc(strings.Fields(command)[1:], func(w string) bool { return w[0] == '-' && w != "-6" })
		name := words[0]
		if name == "-6" {
			name = words[1] + "6"
		}
		if slices.Contains(words, "get") {
			name = strings.Replace(name, "route", "route get", 1)
		}
		times[name]++
		if n := times[name]; n > 1 {
			name += fmt.Sprint(" ", n)
		}
		flatten(out, name, list)
	}
	return out
}

func flatten(out map[string]string, at string, v any) {
	switch x := v.(type) {
	case map[string]any:
		for k, y := range x {
			flatten(out, at+"/"+k, y)
		}
	case []any:
		for i, y := range x {
			name := strconv.Itoa(i)
			if m, ok := y.(map[string]any); ok && m["dst"] != nil {
				typ, _ := m["type"].(string)
				name = strings.TrimSpace(typ + " " + strings.ReplaceAll(fmt.Sprint(m["dst"]), "/", "%"))
				if table, ok := m["table"].(string); ok && table != "main" && table != "local" {
					name += " table " + table
				}
				if strings.HasPrefix(fmt.Sprint(m["dst"]), "fe80:") { // each interface has one
					name += fmt.Sprint(" ", m["dev"])
				}
			}
			flatten(out, at+"/"+name, y)
		}
	default:
		b, err := json.Marshal(v)
		if err != nil {
			b = []byte(err.Error())
		}
		out[at] = string(b)
	}
}
