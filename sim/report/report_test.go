package report_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/sim"
	"github.com/libos-go/libos/sim/internal/simtest"
	"github.com/libos-go/libos/sim/plot"
	"github.com/libos-go/libos/sim/report"
)

func page(t *testing.T, r *sim.Results) string {
	t.Helper()
	var b bytes.Buffer
	err := report.Write(&b, r, report.Options{Title: "Two flows <through> one bottleneck", Parameters: []report.Parameter{{Name: "link.loss", Value: "0.0005"}}})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestThePageIsTheSameEveryTimeOnAnyCoresInAnyPartition(t *testing.T) {
	runs := 10
	if testing.Short() {
		runs = 2
	}
	want := page(t, simtest.Dumbbell(t, 1, 1))
	for _, procs := range []int{1, 2} {
		for _, parts := range []int{1, 4} {
			t.Run(fmt.Sprintf("%d parts on %d cores", parts, procs), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				for range runs {
					if got := page(t, simtest.Dumbbell(t, 1, parts)); got != want {
						t.Fatalf("%d bytes that are not the %d of the first run", len(got), len(want))
					}
				}
			})
		}
	}
}

func TestThePageIsSmallAndAsksForNothing(t *testing.T) {
	s := page(t, simtest.Dumbbell(t, 1, 1))
	if len(s) > 500_000 {
		t.Errorf("%d bytes", len(s))
	}
	for _, m := range regexp.MustCompile(`(?i)(src|href)\s*=\s*"?[^" >]*|url\([^)]*\)|https?://[^"'\s<]*|@import`).FindAllString(s, -1) {
		if m != `href="data:,` && m != "http://www.w3.org/2000/svg" { // the name of a name space
			t.Errorf("the page refers to %s", m)
		}
	}
	for _, want := range []string{"Two flows &lt;through&gt; one bottleneck", "link.loss", "client1 bulk", "r1/eth0", "10 Mbit/s", "goodput"} {
		if !strings.Contains(s, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
}

func TestAPageOfManyLinksStaysSmall(t *testing.T) {
	r := &sim.Results{Until: 100, Every: 0.01}
	values := make(sim.Values, 10_000)
	for i := range values {
		values[i] = float64(i%977) * 1234.567
	}
	for i := range 400 {
		name := "node" + string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		r.Nodes = append(r.Nodes, sim.NodeResult{Name: name, Router: true})
		if i > 0 {
			r.Links = append(r.Links, sim.LinkResult{Name: name, A: i - 1, B: i, Interfaces: [2]string{name + "/eth0", name + "/eth1"}, Rate: [2]int64{1e9, 1e9}})
		}
		for _, m := range []string{"throughput", "utilisation", "queue", "drops"} {
			r.Series = append(r.Series, sim.Series{Node: name, Kind: "queue", Name: name + "/eth0", Metric: m, First: 1, Values: values})
		}
	}
	for i := range 5000 {
		r.Flows = append(r.Flows, sim.FlowResult{Node: "a", Name: fmt.Sprintf("http#%d", i), Sent: uint64(i)})
	}
	s := page(t, r)
	if !strings.Contains(s, "the 500 that moved most bytes, of 5000") || !strings.Contains(s, "http#4999") || strings.Contains(s, "http#4499") {
		t.Error("the table of flows does not have the largest 500")
	}
	if len(s) > 1_000_000 {
		t.Errorf("%d bytes", len(s))
	}
}

// dom opens a page and gives the document after its script has run, and what the
// browser's console says.
func dom(t *testing.T, content string) (document string, console []string) {
	t.Helper()
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			browser = p
			break
		}
	}
	if browser == "" {
		t.Skip("chromium is not installed: the page is not opened")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "page.html")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr", "--log-level=0",
		"--user-data-dir="+filepath.Join(dir, "profile"), "--virtual-time-budget=3000", "--dump-dom", "file://"+file)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Skipf("%s does not run here, the page is not opened: %v\n%s", browser, err, errs.String())
	}
	for l := range strings.Lines(errs.String()) {
		if strings.Contains(l, "CONSOLE") {
			console = append(console, l)
		}
	}
	return out.String(), console
}

func TestABrowserShowsThePageWithoutAWordOnItsConsole(t *testing.T) {
	document, console := dom(t, page(t, simtest.Dumbbell(t, 1, 1)))
	for _, l := range console {
		t.Errorf("console: %s", l)
	}
	for what, want := range map[string]int{"class=\"panel\"": 13, "<path ": 30, "<circle ": 4, "<rect ": 2, "srtt (ms)": 1, "throughput (Mbit/s)": 2, "5.000 s": 1} {
		if n := strings.Count(document, what); n < want {
			t.Errorf("%d of %s, want %d", n, what, want)
		}
	}
	if _, console := dom(t, "<script>undefined.x</script>"); len(console) == 0 {
		t.Error("this test does not hear errors")
	}
}

func TestASegmentIsDrawnBetweenItsPorts(t *testing.T) {
	r := &sim.Results{Until: 1, Every: 0.1, Nodes: []sim.NodeResult{{Name: "a"}, {Name: "b"}, {Name: "c"}},
		Segments: []sim.SegmentResult{{Name: "lan", Nodes: []int{0, 1, 2}, Interfaces: []string{"a/eth0", "b/eth0", "c/eth0"}}},
		Series:   []sim.Series{{Node: "a", Kind: "queue", Name: "a/eth0", Metric: "throughput", Unit: "bit/s", First: 1, Values: sim.Values{1e6, 2e6, math.NaN(), 3e6}}}}
	document, console := dom(t, page(t, r))
	for _, l := range console {
		t.Errorf("console: %s", l)
	}
	for what, want := range map[string]int{"lan (segment)": 1, "<circle ": 3, `stroke="rgb(`: 1} {
		if n := strings.Count(document, what); n != want {
			t.Errorf("%d of %s, want %d", n, what, want)
		}
	}
}

func TestACampaignsPage(t *testing.T) {
	var b bytes.Buffer
	err := report.WritePanels(&b, report.Options{Title: "Loss"}, []report.Parameter{{Name: "units", Value: "9"}},
		[]report.Panel{{Chart: plot.Chart{Title: "goodput", X: plot.Axis{Label: "loss", Log: true}, Y: plot.Axis{Label: "goodput", Unit: "bit/s"},
			Lines: []plot.Line{{Name: "cubic", X: []float64{1e-4, 1e-3, 1e-2}, Y: []float64{9e6, 5e6, 1e6}, Low: []float64{8e6, 4e6, .5e6}, High: []float64{1e7, 6e6, 2e6}}}}}},
		[]report.Table{{Title: "All", Head: []string{"loss", "goodput"}, Numbers: []bool{true, true}, Rows: [][]string{{"0.1", "1"}}}})
	if err != nil {
		t.Fatal(err)
	}
	document, console := dom(t, b.String())
	for _, l := range console {
		t.Errorf("console: %s", l)
	}
	if !strings.Contains(document, "goodput (Mbit/s)") || strings.Count(document, "<circle ") != 3 {
		t.Error("the panel is not drawn")
	}
}
