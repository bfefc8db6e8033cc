package sim

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/device/capture"
	"github.com/libos-go/libos/sim"
	"github.com/libos-go/libos/sim/file"
)

// options are the flags.
type options struct {
	e          *command.Env
	path       string
	until      time.Duration
	seed       uint64
	partitions int
	set        []string
	pcap       string
	merged     string
	digest     bool
	series     string
	sample     time.Duration
	report     string
	plot       string
	format     string
	// Of campaigns.
	seeds             string
	directory         string
	workers           int
	unitNumber        int
	slurm, kubernetes string
	image, claim      string
	x                 string
	logX, logY        bool
	realtime          bool
	speed             float64
	step              bool
	check             bool
	given             func(flag string) bool
}

// Command is `libos sim`.
func Command(e *command.Env) *cobra.Command {
	o := &options{e: e}
	c := &cobra.Command{
		Use:   "sim FILE.toml",
		Short: "Simulate a network of hosts and routers in virtual time",
		Long: `Run the network that a file describes, in virtual time, as fast as the machine can:
every node is an instance of the stack, and the same file with the same seed gives
the same bytes, on any number of partitions. docs/simulator.md describes the
language, examples/ has files to begin with.

With several values in --set, or with --seeds, it is a campaign: a simulation for
each combination and seed, on all cores, with means and their confidence intervals.`,
		Example: `  libos sim examples/dumbbell/dumbbell.toml
  libos sim --until 60s --report out.html examples/dumbbell/dumbbell.toml
  libos sim --set link.core.loss=0.01 --seed 7 --pcap captures examples/dumbbell/dumbbell.toml
  libos sim --realtime --partitions 2 examples/dumbbell/dumbbell.toml`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.path, o.given = args[0], c.Flags().Changed
			if o.format != "png" && o.format != "svg" {
				return fmt.Errorf("--format %s: it is png or svg", o.format)
			}
			if err := o.checkNumbers(); err != nil {
				return err
			}
			campaign, err := o.campaign()
			if err != nil {
				return err
			}
			if campaign != nil {
				return o.sweep(c.Context(), campaign)
			}
			return o.run(c.Context())
		},
	}
	f := c.Flags()
	f.DurationVar(&o.until, "until", 0, "when to end, in virtual time; the file's until, or when nothing is left to happen")
	f.Uint64Var(&o.seed, "seed", 1, "seed of every random stream, in place of the file's")
	f.IntVarP(&o.partitions, "partitions", "j", 1, "parts of the network that run at once; 0 is one for each core")
	f.StringArrayVar(&o.set, "set", nil, "change a value of the file: TABLE.KEY=VALUE or TABLE.NAME.KEY=VALUE")
	f.StringVar(&o.pcap, "pcap", "", "`DIR` for a pcapng file of each interface")
	f.StringVar(&o.merged, "merged", "", "`FILE` for one pcapng file of all interfaces")
	f.StringVar(&o.series, "results", "", "`FILE` for results and time series: .csv, or JSON")
	f.StringVar(&o.report, "report", "", "`FILE` for a page of HTML with topology, plots, tables and a timeline")
	f.StringVar(&o.plot, "plot", "", "`DIR` for plots")
	f.StringVar(&o.format, "format", "png", "of plots: png or svg")
	f.StringVar(&o.seeds, "seeds", "", "a campaign: one simulation for each seed, such as 1..30, and each combination of the values in --set A=1,2,3")
	f.StringVar(&o.directory, "campaign", "", "`DIR` for the results of a campaign, which goes on there after an interruption; NAME.campaign if it is missing")
	f.IntVar(&o.workers, "workers", 0, "simulations of a campaign that run at once; 0 is one for each core")
	f.IntVar(&o.unitNumber, "unit", 0, "run one simulation of the campaign, counted from 0")
	f.StringVar(&o.slurm, "slurm", "", "`FILE` for a job script that runs the campaign as a Slurm array")
	f.StringVar(&o.kubernetes, "kubernetes", "", "`FILE` for the manifest of a Kubernetes Indexed Job that runs the campaign")
	f.StringVar(&o.image, "image", "libos", "container image of the Kubernetes job, with the command and the file")
	f.StringVar(&o.claim, "claim", "libos-campaign", "volume claim of the Kubernetes job, mounted at /DIR of the campaign")
	f.StringVar(&o.x, "x", "", "`PARAMETER` on the axis of a campaign's plots")
	f.BoolVar(&o.logX, "log-x", false, "logarithmic axis of the parameter")
	f.BoolVar(&o.logY, "log-y", false, "logarithmic axis of the metric")
	f.DurationVar(&o.sample, "sample", 0, "virtual time between two samples of flows and queues, in place of the file's")
	f.BoolVar(&o.digest, "digest", false, "print the SHA-256 of every capture, whether they are kept or not")
	f.BoolVar(&o.realtime, "realtime", false, "tie virtual time to the wall clock")
	f.Float64Var(&o.speed, "speed", 1, "with --realtime: virtual seconds in a second")
	f.BoolVar(&o.step, "step", false, "stop before every event and wait for a command on standard input (? lists them)")
	f.BoolVar(&o.check, "check", false, "only read the file and build the network")
	return c
}

// checkNumbers refuses what no simulation can do.
func (o *options) checkNumbers() error {
	switch {
	case !(o.speed > 0) || math.IsInf(o.speed, 1):
		return fmt.Errorf("--speed %v: it is a number above 0", o.speed)
	case o.partitions < 0:
		return fmt.Errorf("--partitions %d: it is 1 or more, or 0 for one on each core", o.partitions)
	case o.workers < 0:
		return fmt.Errorf("--workers %d: it is 1 or more, or 0 for one on each core", o.workers)
	case o.given("until") && o.until <= 0:
		return fmt.Errorf("--until %v: it is a time above 0, such as 10s", o.until)
	case o.given("sample") && o.sample <= 0:
		return fmt.Errorf("--sample %v: it is a time above 0, such as 10ms", o.sample)
	case o.given("speed") && !o.realtime:
		return fmt.Errorf("--speed is for --realtime: virtual time alone is as fast as the machine")
	case o.step && o.realtime:
		return fmt.Errorf("--step waits before every event, which --realtime cannot")
	}
	return nil
}

// read reads the file with what the flags say.
func (o *options) read() (*file.Description, error) {
	f := file.Options{Wiring: o.e.Built(), Narrow: o.e.Narrow, Set: o.set}
	if o.given("seed") {
		f.Seed = &o.seed
	}
	if o.given("partitions") {
		n := o.partitions
		if n == 0 {
			n = runtime.GOMAXPROCS(0)
		}
		f.Partitions = &n
	}
	if o.given("until") {
		f.Until = &o.until
	}
	return file.Read(o.path, f)
}

// run runs one simulation.
func (o *options) run(ctx context.Context) (err error) {
	before := sim.Live()
	d, err := o.read()
	if err != nil {
		return err
	}
	n := d.Network
	if err := n.BuildContext(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	if o.check {
		o.e.Printf("%s: %d nodes, %d links, %d partitions\n", d.Name, len(n.Nodes()), len(n.Links()), n.Partitions())
		return nil
	}
	every := cmp.Or(o.sample, d.Sample)
	if every == 0 && (o.series != "" || o.report != "" || o.plot != "") {
		every = 100 * time.Millisecond
	}
	if every > 0 {
		n.Sample(every)
	}
	var captures *sim.Captures
	if o.pcap != "" || o.digest {
		if o.pcap != "" {
			if err := os.MkdirAll(o.pcap, 0o777); err != nil {
				return err
			}
		}
		if captures, err = n.Capture(o.pcap, capture.Options{}, nil); err != nil {
			return err
		}
	}
	var merged *sim.Merged
	if o.merged != "" {
		f, err := os.Create(o.merged)
		if err != nil {
			return err
		}
		defer f.Close()
		if merged, err = n.CaptureMerged(f, capture.Options{}, nil); err != nil {
			return err
		}
	}
	begun := time.Now()
	runErr := o.drive(ctx, d)
	wall := time.Since(begun)
	if captures != nil {
		if err := captures.Close(); err != nil {
			return err
		}
	}
	if merged != nil {
		if err := merged.Close(); err != nil {
			return err
		}
	}
	if err := n.Stop(); err != nil && runErr == nil {
		return err
	}
	if o.digest {
		for _, l := range captures.Sums() {
			o.e.Printf("%s\n", l)
		}
		o.e.Printf("%s  all captures\n", captures.Sum())
	}
	if runErr != nil {
		return runErr
	}
	if err := o.results(d); err != nil {
		return err
	}
	return o.summary(d, wall, before)
}

// drive runs to the end in the way that the flags choose.
func (o *options) drive(ctx context.Context, d *file.Description) error {
	n, until := d.Network, d.Until
	if until == 0 {
		until = sim.Forever
	}
	stop := context.AfterFunc(ctx, n.Interrupt)
	defer stop()
	if o.step {
		return o.stepwise(n, until)
	}
	over := make(chan struct{})
	defer close(over)
	bar := o.e.Steps("virtual time", "s", int64(d.Until/time.Millisecond), 1000)
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
				bar.Set(int64(n.Now() / time.Millisecond))
			}
		}
	}()
	defer bar.Done()
	var err error
	if o.realtime {
		err = n.RunRealTime(ctx, until, o.speed)
	} else {
		err = n.Run(until)
	}
	if errors.Is(err, sim.ErrInterrupted) && ctx.Err() != nil {
		return fmt.Errorf("interrupted at %v of virtual time", n.Now())
	}
	return err
}

// stepwise asks before every event.
func (o *options) stepwise(n *sim.Network, until time.Duration) error {
	in := bufio.NewScanner(o.e.Stdin)
	for {
		next, more := n.Next()
		if !more || next > until {
			return nil
		}
		o.e.Printf("%v: next event at %v > ", n.Now(), next)
		if !in.Scan() {
			o.e.Printf("\n")
			return in.Err()
		}
		to := next
		switch words := strings.Fields(in.Text()); {
		case len(words) == 0 || words[0] == "s":
		case words[0] == "c":
			to = until
		case words[0] == "q":
			return nil
		case words[0] == "u" && len(words) == 2:
			at, err := time.ParseDuration(words[1])
			if err != nil {
				o.e.Printf("%q is no time: write u 1.5s\n", words[1])
				continue
			}
			to = min(at, until)
		default:
			o.e.Printf("Enter or s: the next event; u TIME: up to an instant; c: to the end; q: end here\n")
			continue
		}
		if err := n.Run(to); err != nil {
			return err
		}
	}
}

// summaryOf is what a simulation says of itself at its end.
type summaryOf struct {
	Name       string  `json:"name"`
	Nodes      int     `json:"nodes"`
	Links      int     `json:"links"`
	Partitions int     `json:"partitions"`
	Seed       uint64  `json:"seed"`
	Virtual    float64 `json:"virtual_seconds"`
	Wall       float64 `json:"wall_seconds"`
	Speed      float64 `json:"virtual_seconds_per_second"`
	Packets    uint64  `json:"packets"`
	PerSecond  float64 `json:"packets_per_second"`
	MemoryNode int64   `json:"memory_per_node"`

	Values []sim.Value `json:"values"` // what the applications found
}

func (o *options) summary(d *file.Description, wall time.Duration, before int64) error {
	n := d.Network
	s := summaryOf{Name: d.Name, Nodes: len(n.Nodes()), Links: len(n.Links()), Partitions: n.Partitions(), Seed: n.Options().Seed,
		Virtual: n.Now().Seconds(), Wall: wall.Seconds(), Packets: n.Packets()}
	if s.Wall > 0 {
		s.Speed, s.PerSecond = s.Virtual/s.Wall, float64(s.Packets)/s.Wall
	}
	s.MemoryNode = n.Memory(before) / int64(max(1, s.Nodes))
	if o.e.JSON() {
		s.Values = append([]sim.Value{}, n.Results().Values...)
		return o.e.Print(s)
	}
	o.e.Printf("%s: %d nodes, %d links, %v of virtual time in %.2f s (%.3g virtual seconds a second), %s packets (%s a second), %s a node\n",
		s.Name, s.Nodes, s.Links, n.Now(), s.Wall, s.Speed, command.Thousands(int64(s.Packets)), command.Thousands(int64(s.PerSecond)), command.Bytes(s.MemoryNode))
	return nil
}
