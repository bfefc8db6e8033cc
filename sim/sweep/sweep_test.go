package sweep_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/sim"
	"github.com/libos-go/libos/sim/sweep"
)

// lossy sends datagrams over a lossy link.
func lossy(params map[string]string, seed uint64) (*sim.Results, error) {
	loss, err := strconv.ParseFloat(params["link.loss"], 64)
	if err != nil {
		return nil, err
	}
	n := sim.New(sim.Options{Seed: seed, Wiring: libos.Wiring(), Families: sim.IPv4})
	a, b := n.Node("a", sim.NodeConfig{}), n.Node("b", sim.NodeConfig{})
	n.Link("", a, b, sim.LinkConfig{Wire: pipe.Wire{Rate: 1e6, Delay: time.Millisecond, Loss: loss}})
	b.Go("sink", 0, func(t *sim.Task) {
		c, err := t.ListenPacket("udp4", ":9")
		t.Assert(err == nil, "%v", err)
		t.Track("sink", c)
		got := 0
		_ = c.SetReadDeadline(t.Instance().Domain().Host().WallNow().Add(2 * time.Second))
		for {
			if _, _, err := c.ReadFromAddrPort(make([]byte, 2000)); err != nil {
				break
			}
			got++
		}
		t.Record("received", float64(got), "packets")
	})
	a.Go("source", 100*time.Millisecond, func(t *sim.Task) {
		c, err := t.Dial("udp4", b.Address()+":9")
		t.Assert(err == nil, "%v", err)
		for range 200 {
			_, _ = c.Write(make([]byte, 100))
			_ = t.Sleep(5 * time.Millisecond)
		}
	})
	err = n.Run(3 * time.Second)
	r := n.Results()
	return r, errors.Join(err, n.Close())
}

func campaign() *sweep.Campaign {
	return &sweep.Campaign{Name: "Loss", Base: "lossy", Parameters: []sweep.Parameter{{Name: "link.loss", Values: []string{"0", "0.1", "0.5"}}}, Seeds: []uint64{1, 2, 3, 4}}
}

// files are the results in dir.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

func TestACampaignGivesTheSameFilesWithAnyNumberOfWorkers(t *testing.T) {
	var want map[string]string
	var page string
	for _, workers := range []int{1, 4} {
		dir := t.TempDir()
		o, err := sweep.Run(t.Context(), campaign(), lossy, sweep.Options{Dir: dir, Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := o.Report(&b, sweep.View{}); err != nil {
			t.Fatal(err)
		}
		got := files(t, dir)
		if want == nil {
			want, page = got, b.String()
		}
		if len(got) != 12 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%d workers: %d files that are not those of one", workers, len(got))
		}
		if b.String() != page {
			t.Errorf("%d workers: another page", workers)
		}
	}
}

func TestMeansAndIntervalsOfAKnownLoss(t *testing.T) {
	o, err := sweep.Run(t.Context(), campaign(), lossy, sweep.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	means := map[string]sweep.Interval{}
	for _, p := range o.Points() {
		if p.Metric == "b sink received" && p.Kind == "value" {
			means[p.Values[0]] = p.Interval
		}
	}
	if m := means["0"]; m.N != 4 || m.Mean != 200 || m.Low != 200 || m.High != 200 {
		t.Errorf("without loss: %+v", m)
	}
	for loss, want := range map[string]float64{"0.1": 180, "0.5": 100} {
		if m := means[loss]; math.Abs(m.Mean-want) > 15 || !(m.Low < m.Mean && m.Mean < m.High) {
			t.Errorf("loss %s: %+v, want about %g", loss, m, want)
		}
	}
	charts, err := o.Charts(sweep.View{})
	if err != nil {
		t.Fatal(err)
	}
	if len(charts) != 1 || charts[0].X.Label != "link.loss" || !slices.Equal(charts[0].Lines[0].X, []float64{0, 0.1, 0.5}) || charts[0].Y.Unit != "packets" {
		t.Errorf("charts: %+v", charts)
	}
	if charts, err = o.Charts(sweep.View{All: true, LogX: true}); err != nil || len(charts) < 3 {
		t.Errorf("all charts: %d, %v", len(charts), err)
	}
	if _, err := o.Charts(sweep.View{X: "link.rate"}); err == nil || !strings.Contains(err.Error(), "it has link.loss") {
		t.Errorf("an unknown axis: %v", err)
	}
	var b bytes.Buffer
	if err := o.WriteCSV(&b); err != nil || !strings.Contains(b.String(), "0,b sink received,packets,4,200,200,200,0\n") {
		t.Errorf("CSV: %v\n%s", err, b.String())
	}
}

func TestAnInterruptedCampaignGoesOnWhereItStopped(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	var calls atomic.Int32
	counted := func(params map[string]string, seed uint64) (*sim.Results, error) {
		if calls.Add(1) == 5 {
			stop()
		}
		return lossy(params, seed)
	}
	if _, err := sweep.Run(ctx, campaign(), counted, sweep.Options{Dir: dir, Workers: 1}); !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted campaign: %v", err)
	}
	first := int(calls.Load())
	if n := len(files(t, dir)); n != first || n >= 12 {
		t.Fatalf("%d units ran, %d results are there", first, n)
	}
	o, err := sweep.Load(campaign(), dir)
	if err != nil || len(o.Missing) != 12-first {
		t.Errorf("%d are missing, want %d: %v", len(o.Missing), 12-first, err)
	}
	var told []int
	if o, err = sweep.Run(t.Context(), campaign(), counted, sweep.Options{Dir: dir, Workers: 1, Progress: func(done, _ int) { told = append(told, done) }}); err != nil || len(o.Missing) != 0 {
		t.Fatal(err)
	}
	if calls.Load() != 12 || told[0] != first || told[len(told)-1] != 12 {
		t.Errorf("%d units ran in all, progress: %v", calls.Load(), told)
	}
	whole := t.TempDir()
	if _, err := sweep.Run(t.Context(), campaign(), lossy, sweep.Options{Dir: whole}); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(files(t, dir)) != fmt.Sprint(files(t, whole)) {
		t.Error("the results are not those of a campaign that was not interrupted")
	}
	other := campaign()
	other.Base = "changed"
	if o, err := sweep.Load(other, dir); err != nil || len(o.Missing) != 12 {
		t.Errorf("results of another description were taken: %v", err)
	}
}

func TestUnitsThatFailLeaveTheOthers(t *testing.T) {
	dir := t.TempDir()
	fails := func(params map[string]string, seed uint64) (*sim.Results, error) {
		if seed == 2 {
			return nil, errors.New("no route")
		}
		return &sim.Results{Values: []sim.Value{{Metric: "x", Value: 1}}}, nil
	}
	_, err := sweep.Run(t.Context(), campaign(), fails, sweep.Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "unit 5 (link.loss=0.1 seed 2): no route") {
		t.Errorf("error: %v", err)
	}
	if n := len(files(t, dir)); n != 9 {
		t.Errorf("%d results, want 9", n)
	}
}

func TestConfidenceIntervalsAreStudents(t *testing.T) {
	for _, tt := range []struct {
		values          []float64
		mean, low, high float64
	}{
		{[]float64{1, 2, 3, 4, 5}, 3, 3 - 1.963243, 3 + 1.963243}, // 2.776445 * 1.581139 / √5
		{[]float64{10, 12}, 11, 11 - 12.7062, 11 + 12.7062},       // 12.7062 * √2 / √2
		{[]float64{7, 7, 7}, 7, 7, 7},
	} {
		r := sweep.Confidence(tt.values)
		if math.Abs(r.Mean-tt.mean) > 1e-9 || math.Abs(r.Low-tt.low) > 1e-4 || math.Abs(r.High-tt.high) > 1e-4 {
			t.Errorf("%v: %+v", tt.values, r)
		}
	}
	if r := sweep.Confidence([]float64{3}); r.N != 1 || r.Mean != 3 || !math.IsNaN(r.Low) {
		t.Errorf("one value: %+v", r)
	}
	// 61 values ±1: t(60) = 2.000298; 101 values: t(100) = 1.983972.
	for n, want := range map[int]float64{61: 2.000298, 101: 1.983972} {
		var v []float64
		for i := range n {
			v = append(v, float64(i%2))
		}
		r := sweep.Confidence(v)
		if got := (r.High - r.Mean) / (r.Deviation / math.Sqrt(float64(n))); math.Abs(got-want) > 1e-5 {
			t.Errorf("t(%d) is %.6f, want %.6f", n-1, got, want)
		}
	}
}

func TestSetsAndSeedsAreRead(t *testing.T) {
	for text, want := range map[string][]string{
		"link.loss=0,0.01,0.1":          {"0", "0.01", "0.1"},
		`x=[1,2],"a,b",c\,d`:            {"[1,2]", `"a,b"`, "c,d"},
		"tcp=cubic, bbr":                {"cubic", "bbr"},
		"link.delay=":                   {""},
		"qdisc=netem(delay=1,loss=2),x": {"netem(delay=1,loss=2)", "x"},
	} {
		if p, err := sweep.ParseSet(text); err != nil || !slices.Equal(p.Values, want) {
			t.Errorf("%s: %q, %v", text, p.Values, err)
		}
	}
	for _, text := range []string{"", "loss", "=1", "x=1,1"} {
		if p, err := sweep.ParseSet(text); err == nil {
			t.Errorf("%q is read as %v", text, p)
		}
	}
	if s, err := sweep.ParseSeeds("1..3,7"); err != nil || !slices.Equal(s, []uint64{1, 2, 3, 7}) {
		t.Errorf("seeds: %v, %v", s, err)
	}
	for _, text := range []string{"", "a", "3..1", "1..", "1,1", "-1", "0..99999999999"} {
		if s, err := sweep.ParseSeeds(text); err == nil {
			t.Errorf("%q is read as %d seeds", text, len(s))
		}
	}
}

func FuzzParseSet(f *testing.F) {
	f.Add("a=1,2", "1..3")
	f.Add(`a=[1,\],"`, "9,8..9")
	f.Fuzz(func(t *testing.T, set, seeds string) {
		if p, err := sweep.ParseSet(set); err == nil && (p.Name == "" || len(p.Values) == 0) {
			t.Errorf("%q gives %+v", set, p)
		}
		if len(seeds) < 6 {
			_, _ = sweep.ParseSeeds(seeds)
		}
	})
}

// TestMain is, in a job's process, the command that runs one unit.
func TestMain(m *testing.M) {
	if len(os.Args) == 7 && os.Args[1] == "lossy it's" {
		k, err := strconv.Atoi(os.Args[4])
		if err == nil && os.Args[3] == "--unit" && os.Args[5] == "--campaign" {
			err = sweep.RunUnit(campaign(), k, lossy, os.Args[6])
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestASlurmArrayGivesTheFilesOfALocalCampaign(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed: the script is not run")
	}
	local, remote := t.TempDir(), filepath.Join(t.TempDir(), "shared results")
	if _, err := sweep.Run(t.Context(), campaign(), lossy, sweep.Options{Dir: local}); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var script bytes.Buffer
	job := sweep.Job{Command: []string{self, "lossy it's", "--all"}, Dir: remote, PerIndex: 5, Parallel: 2}
	if err := sweep.Slurm(&script, campaign(), job); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(script.String(), "#SBATCH --array=0-2%2\n") || !strings.Contains(script.String(), "#SBATCH --job-name=loss\n") {
		t.Errorf("script:\n%s", script.String())
	}
	for _, index := range []string{"0", "2"} { // units 0–4, 10 and 11
		c := exec.CommandContext(t.Context(), bash, "-c", script.String())
		c.Env = append(os.Environ(), "SLURM_ARRAY_TASK_ID="+index)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("index %s: %v\n%s", index, err, out)
		}
	}
	got, want := files(t, remote), files(t, local)
	if len(got) != 7 {
		t.Errorf("%d units ran, want 7", len(got))
	}
	for name, text := range got {
		if text != want[name] {
			t.Errorf("%s differs from the local campaign's", name)
		}
	}
}

func TestAKubernetesJobRunsEachUnitOnce(t *testing.T) {
	var b bytes.Buffer
	job := sweep.Job{Command: []string{"libos", "sim", "lab.toml", "--set", "cost=$(1),2"}, Dir: "/results", Image: "registry.example/libos:1", Claim: "results"}
	if err := sweep.Kubernetes(&b, campaign(), job); err != nil {
		t.Fatal(err)
	}
	var m struct {
		APIVersion, Kind string
		Spec             struct {
			CompletionMode           string
			Completions, Parallelism int
			Template                 struct {
				Spec struct {
					RestartPolicy string
					Containers    []struct {
						Image        string
						Command      []string
						Env          []struct{ Name string }
						VolumeMounts []struct{ MountPath string }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	c := m.Spec.Template.Spec.Containers[0]
	want := []string{"libos", "sim", "lab.toml", "--set", "cost=$$(1),2", "--campaign", "/results", "--unit", "$(UNIT)"}
	if m.APIVersion != "batch/v1" || m.Kind != "Job" || m.Spec.CompletionMode != "Indexed" || m.Spec.Completions != 12 || m.Spec.Parallelism != 12 ||
		m.Spec.Template.Spec.RestartPolicy != "Never" || !slices.Equal(c.Command, want) || c.Env[0].Name != "UNIT" || c.VolumeMounts[0].MountPath != "/results" {
		t.Errorf("manifest:\n%s", b.String())
	}
	for _, j := range []sweep.Job{{Command: []string{"x"}, Dir: "/r"}, {Dir: "/r", Image: "i"}, {Command: []string{"x"}, Image: "i"}, {Command: []string{"x"}, Dir: "/r", Image: "i", PerIndex: 2}} {
		if err := sweep.Kubernetes(new(bytes.Buffer), campaign(), j); err == nil {
			t.Errorf("%+v is taken", j)
		}
	}
}

// What a few tasks record under one name is one chart with a line for each, words on
// the axis are its names, and each N-th lost is a number.
func TestChartsOfSeveralTasksAndOfWords(t *testing.T) {
	c := &sweep.Campaign{Name: "flows", Base: "x", Seeds: []uint64{1, 2}, Parameters: []sweep.Parameter{
		{Name: "link.l.qdisc", Values: []string{"pfifo limit 10", "fq_codel"}}, {Name: "link.l.loss_model", Values: []string{"every 10", "every 1000"}}}}
	unit := func(params map[string]string, seed uint64) (*sim.Results, error) {
		r := &sim.Results{}
		for i, node := range []string{"near", "far"} {
			r.Values = append(r.Values, sim.Value{Node: node, Task: "bulk", Metric: "goodput", Unit: "bit/s", Value: 1e6*float64(i) + 1e5*float64(seed)})
		}
		return r, nil
	}
	o, err := sweep.Run(t.Context(), c, unit, sweep.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		x      string
		at     []float64
		names  int
		legend string
	}{
		{"link.l.qdisc", []float64{1, 2}, 2, "far bulk, loss_model=every 1000"},
		{"link.l.loss_model", []float64{0.001, 0.1}, 0, "far bulk, qdisc=fq_codel"},
	} {
		charts, err := o.Charts(sweep.View{X: tt.x})
		if err != nil {
			t.Fatal(err)
		}
		if len(charts) != 1 || charts[0].Title != "goodput" || len(charts[0].Lines) != 4 {
			t.Fatalf("%s: charts: %+v", tt.x, charts)
		}
		got := &charts[0]
		if l := got.Lines[3]; l.Name != tt.legend || !slices.Equal(l.X, tt.at) || len(got.X.Names) != tt.names {
			t.Errorf("%s: names %q, line %+v", tt.x, got.X.Names, l)
		}
		for _, l := range got.Lines {
			if slices.Min(l.Low) < 0 {
				t.Errorf("%s: an interval of goodput below 0: %v", tt.x, l.Low)
			}
		}
	}
}
