package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime/pprof"
	"time"

	"github.com/schollz/progressbar/v3"
)

func main() {
	moduleMain()
	copyMain()
	if err := realMain(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func realMain(args []string) error {
	fs := flag.NewFlagSet("bench", flag.ExitOnError)
	var (
		name     = fs.String("name", "", "measure only these figures, separated by commas (see -list)")
		list     = fs.Bool("list", false, "list the figures and leave")
		pairs    = fs.Int("pairs", 5, "interleaved pairs of measurements a figure, at least 1")
		output   = fs.String("o", "text", "output: text or json")
		peerOnly = fs.Bool("peer-only", false, "measure the peer alone")
		cpu      = fs.Int("cpu", -1, "CPU to pin the measurements to (-1: the last one allowed); figures on two CPUs take another one as well")
		budget   = fs.Duration("budget", 700*time.Millisecond, "CPU time of one measurement of one side")
		child    = fs.String("child", "", "measure one side of this figure in this process (used by the program itself)")
		side     = fs.String("side", "", "side that -child measures: ours or peer")
		profile  = fs.String("cpuprofile", "", "with -child: write a CPU profile for go tool pprof to this file")
	)
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch {
	case fs.NArg() > 0:
		return fmt.Errorf("unexpected argument %q: figures are chosen with -name", fs.Arg(0))
	case *pairs < 1:
		return fmt.Errorf("-pairs %d: at least 1", *pairs)
	case *budget <= 0:
		return fmt.Errorf("-budget %v: must be positive", *budget)
	case *output != "text" && *output != "json":
		return fmt.Errorf("-o %s: text or json", *output)
	}
	if *list {
		for _, b := range benchmarks() {
			fmt.Printf("%-18s %-14s %s\n", b.Name, b.Unit, b.Help)
		}
		return nil
	}
	if *child != "" {
		chosen, err := find(benchmarks(), *child)
		if err != nil {
			return err
		}
		if *profile != "" {
			f, err := os.Create(*profile)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := pprof.StartCPUProfile(f); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
		}
		return runChild(chosen[0], *side, Budget{CPU: *budget})
	}
	chosen, err := find(benchmarks(), *name)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cpus, err := chooseCPUs(*cpu)
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	r := &runner{
		ctx: ctx, budget: Budget{CPU: *budget}, pairs: *pairs, peerOnly: *peerOnly, cpus: cpus,
		child: func() *exec.Cmd { return exec.Command(self) },
	}
	bar := newBar(r, chosen)
	r.step = bar.step
	var results []Result
	missing := 0
	for _, b := range chosen {
		res, err := r.run(b)
		if err != nil {
			bar.clear()
			if ctx.Err() != nil {
				return err
			}
			fmt.Fprintln(os.Stderr, "bench: not measured:", err) // what it needs may not be here; the others go on
			missing++
			continue
		}
		results = append(results, res)
		if *output == "text" {
			bar.clear()
			if err := writeText(os.Stdout, res); err != nil {
				return err
			}
		}
	}
	bar.clear()
	if *output == "json" {
		if err := writeJSON(os.Stdout, results); err != nil {
			return err
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d of %d figures were not measured", missing, len(chosen))
	}
	return nil
}

// bar shows on standard error how many children have run, when that is a terminal.
type bar struct {
	p    *progressbar.ProgressBar // nil: not a terminal
	done int
}

func newBar(r *runner, chosen []Benchmark) *bar {
	if !isTerminal(os.Stderr) {
		return &bar{}
	}
	total := 0
	for _, b := range chosen {
		total += r.steps(b)
	}
	return &bar{p: progressbar.NewOptions(total,
		progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())}
}

func (b *bar) step(name, side string) {
	if b.p != nil {
		b.p.Describe(name + " " + side)
		b.p.Set(b.done)
		b.done++
	}
}

func (b *bar) clear() {
	if b.p != nil {
		b.p.Clear()
	}
}
