package main

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeChildEnv makes the test binary act as a child process: its value is what the child does.
const fakeChildEnv = "BENCH_FAKE_CHILD"

func TestMain(m *testing.M) {
	moduleMain()
	copyMain()
	if behaviour, ok := os.LookupEnv(fakeChildEnv); ok {
		fakeChild(behaviour)
		return
	}
	os.Exit(m.Run())
}

// fakeChild measures 2 for ours and 8 for the peer, and reports how it was started.
func fakeChild(behaviour string) {
	fs := flag.NewFlagSet("child", flag.ExitOnError)
	name, side := fs.String("child", "", ""), fs.String("side", "", "")
	budget := fs.Duration("budget", 0, "")
	fs.Parse(os.Args[1:])
	switch behaviour {
	case "measure":
		f := Figure{Value: 8, Detail: map[string]float64{
			"cpus": float64(runtime.NumCPU()), "procs": float64(runtime.GOMAXPROCS(0)), "budget": budget.Seconds(),
		}}
		if *side == sideOurs {
			f.Value = 2
		}
		json.NewEncoder(os.Stdout).Encode(f)
	case "zero":
		os.Stdout.WriteString(`{"value":0}`)
	case "die":
		os.Stderr.WriteString("no route to " + *name)
		os.Exit(3)
	case "babble":
		os.Stdout.WriteString("hello")
	}
}

func fakeRunner(t *testing.T, behaviour string) (*runner, *[]string) {
	t.Helper()
	cpus, err := chooseCPUs(-1)
	if err != nil {
		t.Skipf("no CPU to pin to: %v", err)
	}
	var steps []string
	return &runner{
		ctx: context.Background(), budget: Budget{CPU: 250 * time.Millisecond}, pairs: 3, cpus: cpus,
		child: func() *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), fakeChildEnv+"="+behaviour)
			return cmd
		},
		step: func(name, side string) { steps = append(steps, side) },
	}, &steps
}

func noSide(Budget) (Figure, error) { return Figure{}, nil }

func TestSidesAlternateAndSoDoesWhoGoesFirst(t *testing.T) {
	r, steps := fakeRunner(t, "measure")
	b := Benchmark{Name: "x", Unit: "ns", Ours: noSide, Peer: noSide}
	res, err := r.run(b)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"ours", "peer", "peer", "ours", "ours", "peer"}; !slices.Equal(*steps, want) {
		t.Errorf("children ran in order %v, want %v", *steps, want)
	}
	if len(*steps) != r.steps(b) {
		t.Errorf("%d children ran, the progress bar was told %d", len(*steps), r.steps(b))
	}
	if got, want := res.Line(), "x ours=2.000 peer=8.000 ratio=4.00 unit=ns"; got != want {
		t.Errorf("line %q, want %q", got, want)
	}
}

func TestChildrenSeeTheirCPUsAndTheBudget(t *testing.T) {
	r, _ := fakeRunner(t, "measure")
	before := runtime.NumCPU()
	for _, cpus := range []int{1, 2} {
		if cpus > len(r.cpus) {
			t.Skip("there is but one CPU")
		}
		f, err := r.measure(Benchmark{Name: "x", CPUs: cpus}, sidePeer)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]float64{"cpus": float64(cpus), "procs": float64(cpus), "budget": 0.25} {
			if f.Detail[name] != want {
				t.Errorf("the child saw %s = %v, want %v", name, f.Detail[name], want)
			}
		}
	}
	// The pin must not stay on this process: a second child can be pinned to another CPU.
	if now, err := chooseCPUs(-1); err != nil || !slices.Equal(now, r.cpus) || runtime.NumCPU() != before {
		t.Errorf("after the child, the CPUs allowed are %v (%v), were %v", now, err, r.cpus)
	}
}

func TestPeerOnlyRunsThePeerAlone(t *testing.T) {
	r, steps := fakeRunner(t, "measure")
	r.peerOnly = true
	b := Benchmark{Name: "x", Unit: "ns", Peer: noSide}
	res, err := r.run(b)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"peer", "peer", "peer"}; !slices.Equal(*steps, want) || r.steps(b) != 3 {
		t.Errorf("children ran in order %v (%d announced), want %v", *steps, r.steps(b), want)
	}
	if res.Ours != nil || res.Ratio != nil {
		t.Errorf("a run of the peer alone reports ours %v, ratio %v", res.Ours, res.Ratio)
	}
}

func TestFailuresSayWhatHappened(t *testing.T) {
	both := Benchmark{Name: "x", Unit: "ns", Ours: noSide, Peer: noSide}
	for _, c := range []struct {
		behaviour string
		b         Benchmark
		want      []string
	}{
		{"die", both, []string{"x, ours", "exit status 3", "no route to x"}},
		{"babble", both, []string{"x, ours", `"hello"`}},
		{"zero", both, []string{"measured 0"}},
		{"measure", Benchmark{Name: "x", Peer: noSide}, []string{"x", "-peer-only"}},
	} {
		r, _ := fakeRunner(t, c.behaviour)
		_, err := r.run(c.b)
		if err == nil {
			t.Errorf("a child that does %q: no error", c.behaviour)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("a child that does %q: error %q does not say %q", c.behaviour, err, want)
			}
		}
	}
}

func TestFindNamesTheFiguresThereAre(t *testing.T) {
	all := []Benchmark{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	for list, want := range map[string]string{"": "abc", "b": "b", "c,a": "ca"} {
		got, err := find(all, list)
		if err != nil {
			t.Errorf("find %q: %v", list, err)
		}
		var names string
		for _, b := range got {
			names += b.Name
		}
		if names != want {
			t.Errorf("find %q = %s, want %s", list, names, want)
		}
	}
	if _, err := find(all, "a,d"); err == nil || !strings.Contains(err.Error(), `"d": there are a, b, c`) {
		t.Errorf("find of an unknown name: error %v", err)
	}
}

func TestBadArgumentsAreRefused(t *testing.T) {
	for args, want := range map[string]string{
		"tcp-rr": "-name", "-pairs 0": "-pairs 0", "-budget 0s": "-budget", "-o xml": "text or json",
		"-name nothing": `"nothing"`, "-child tcp-rr -side theirs": `"theirs"`,
	} {
		if err := realMain(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("bench %s: error %v, want one with %s", args, err, want)
		}
	}
}
