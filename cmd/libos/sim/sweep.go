package sim

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/libos-go/libos/sim"
	"github.com/libos-go/libos/sim/file"
	"github.com/libos-go/libos/sim/sweep"
)

// campaign is what the flags make of the file: nil if it is one simulation.
func (o *options) campaign() (*sweep.Campaign, error) {
	c := &sweep.Campaign{Name: strings.TrimSuffix(filepath.Base(o.path), ".toml")}
	many := false
	for _, s := range o.set {
		p, err := sweep.ParseSet(s)
		if err != nil {
			return nil, fmt.Errorf("--set %s: %w", s, err)
		}
		many = many || len(p.Values) > 1
		c.Parameters = append(c.Parameters, p)
	}
	if o.seeds == "" && !many && o.directory == "" {
		for _, name := range []string{"unit", "slurm", "kubernetes", "image", "claim", "workers", "x", "log-x", "log-y"} {
			if o.given(name) {
				return nil, fmt.Errorf("--%s is for a campaign, and this is one simulation: give --seeds, or several values in --set A=1,2,3", name)
			}
		}
		return nil, nil
	}
	for _, f := range []struct {
		name string
		set  bool
	}{{"--pcap", o.pcap != ""}, {"--merged", o.merged != ""}, {"--digest", o.digest}, {"--realtime", o.realtime}, {"--step", o.step}, {"--check", o.check}} {
		if f.set {
			return nil, fmt.Errorf("%s is for one simulation, and this is a campaign of several (--set with several values, --seeds)", f.name)
		}
	}
	c.Seeds = []uint64{o.seed}
	if o.seeds != "" {
		var err error
		if c.Seeds, err = sweep.ParseSeeds(o.seeds); err != nil {
			return nil, fmt.Errorf("--seeds: %w", err)
		}
	}
	text, err := os.ReadFile(o.path)
	if err != nil {
		return nil, err
	}
	c.Base = string(text)
	if o.given("until") {
		c.Base += "\nuntil " + o.until.String()
	}
	if o.given("sample") {
		c.Base += "\nsample " + o.sample.String()
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	if err := o.checkX(c); err != nil {
		return nil, err
	}
	return c, o.readUnits(c)
}

// checkX finds whether --x is a parameter of the campaign.
func (o *options) checkX(c *sweep.Campaign) error {
	var names []string
	for _, p := range c.Parameters {
		if p.Name == o.x {
			return nil
		}
		names = append(names, p.Name)
	}
	if o.x == "" {
		return nil
	}
	return fmt.Errorf("--x %s: it is a parameter of the campaign, which has %s", o.x, cmp.Or(strings.Join(names, ", "), "none"))
}

// readUnits reads the file with the first value of every parameter, and once with
// each other value, of which one unit alone needs those that name files: what is wrong with one is
// told before anything runs. The files that these name belong to the base.
func (o *options) readUnits(c *sweep.Campaign) error {
	params := map[string]string{}
	for _, p := range c.Parameters {
		params[p.Name] = p.Values[0]
	}
	var files []string
	read := func(name string) ([]byte, error) {
		text, err := os.ReadFile(name)
		if f := fmt.Sprintf("\n%s %x", filepath.Base(name), sha256.Sum256(text)); !slices.Contains(files, f) {
			files = append(files, f)
		}
		return text, err
	}
	if _, err := o.readUnit(params, c.Seeds[0], read); err != nil {
		return err
	}
	for _, p := range c.Parameters {
		for _, v := range p.Values[1:] {
			if o.given("unit") && !namesFile(p.Name) {
				continue
			}
			params[p.Name] = v
			if _, err := o.readUnit(params, c.Seeds[0], read); err != nil {
				return fmt.Errorf("%s=%s: %w", p.Name, v, err)
			}
		}
		params[p.Name] = p.Values[0]
	}
	c.Base += strings.Join(files, "")
	return nil
}

// namesFile tells whether a parameter is a key of the file whose values are names of
// files.
func namesFile(parameter string) bool {
	switch parameter[strings.LastIndexByte(parameter, '.')+1:] {
	case "file", "latencies", "trace", "config":
		return true
	}
	return false
}

// readUnit reads the file as one simulation of a campaign has it.
func (o *options) readUnit(params map[string]string, seed uint64, readFile func(string) ([]byte, error)) (*file.Description, error) {
	f := file.Options{Wiring: o.e.Build.Wiring(), Narrow: o.e.Narrow, Seed: &seed}
	if readFile == nil {
		readFile = os.ReadFile
	}
	f.ReadFile = func(name string) ([]byte, error) {
		if name == o.path { // it is in the base as it is
			return os.ReadFile(name)
		}
		return readFile(name)
	}
	one := 1
	f.Partitions = &one
	for _, k := range slices.Sorted(maps.Keys(params)) {
		f.Set = append(f.Set, k+"="+params[k])
	}
	if o.given("until") {
		f.Until = &o.until
	}
	return file.Read(o.path, f)
}

// unit runs one simulation of a campaign; when ctx ends it ends without a result.
func (o *options) unit(ctx context.Context, params map[string]string, seed uint64) (*sim.Results, error) {
	d, err := o.readUnit(params, seed, nil)
	if err != nil {
		return nil, err
	}
	n := d.Network
	if err := n.BuildContext(ctx); err != nil {
		return nil, err
	}
	if every := cmp.Or(o.sample, d.Sample); every > 0 {
		n.Sample(every)
	}
	stop := context.AfterFunc(ctx, n.Interrupt)
	defer stop()
	until := d.Until
	if until == 0 {
		until = sim.Forever
	}
	err = n.Run(until)
	if ctx.Err() != nil && errors.Is(err, sim.ErrInterrupted) {
		err = ctx.Err()
	}
	if stopErr := n.Stop(); err == nil {
		err = stopErr
	}
	r := n.Results()
	return r, errors.Join(err, n.Close())
}

// sweep runs a campaign, or writes how others do.
func (o *options) sweep(ctx context.Context, c *sweep.Campaign) error {
	command := []string{"libos", "sim", o.path}
	for _, s := range o.set {
		command = append(command, "--set", s)
	}
	if o.seeds != "" {
		command = append(command, "--seeds", o.seeds)
	} else if o.given("seed") {
		command = append(command, "--seed", fmt.Sprint(o.seed))
	}
	if o.given("until") {
		command = append(command, "--until", o.until.String())
	}
	if o.given("sample") {
		command = append(command, "--sample", o.sample.String())
	}
	dir := o.directory
	if dir == "" {
		dir = c.Name + ".campaign"
	}
	job := sweep.Job{Name: c.Name, Command: command, Dir: dir, Image: o.image, Claim: o.claim}
	if o.slurm != "" {
		if err := write(o.slurm, func(f *os.File) error { return sweep.Slurm(f, c, job) }); err != nil {
			return err
		}
	}
	if o.kubernetes != "" {
		if err := write(o.kubernetes, func(f *os.File) error { return sweep.Kubernetes(f, c, job) }); err != nil {
			return err
		}
	}
	if o.slurm != "" || o.kubernetes != "" {
		return nil
	}
	unit := func(params map[string]string, seed uint64) (*sim.Results, error) { return o.unit(ctx, params, seed) }
	if o.given("unit") {
		return sweep.RunUnit(c, o.unitNumber, unit, dir)
	}
	bar := o.e.Steps("simulations", "", int64(c.Len()), 1)
	out, err := sweep.Run(ctx, c, unit, sweep.Options{Dir: dir, Workers: o.workers, Progress: func(done, _ int) { bar.Set(int64(done)) }})
	bar.Done()
	if ctx.Err() != nil {
		fmt.Fprintf(o.e.Stderr, "libos: interrupted: the same command goes on where it stopped: results are in %s\n", dir)
		return err
	}
	if err != nil {
		return fmt.Errorf("%w\nthe same command goes on where it stopped: results are in %s", err, dir)
	}
	view := sweep.View{X: o.x, LogX: o.logX, LogY: o.logY}
	if o.report != "" {
		if err := write(o.report, func(f *os.File) error { return out.Report(f, view) }); err != nil {
			return err
		}
	}
	if o.series != "" {
		if err := write(o.series, func(f *os.File) error { return out.WriteCSV(f) }); err != nil {
			return err
		}
	}
	if o.plot != "" {
		if err := o.campaignPlots(out, view); err != nil {
			return err
		}
	}
	points := out.Points()
	if o.e.JSON() {
		for _, p := range points {
			if err := o.e.Print(pointOf(c, p)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, p := range points {
		if p.Kind != "value" {
			continue
		}
		var at []string
		for i, v := range p.Values {
			at = append(at, c.Parameters[i].Name+"="+v)
		}
		o.e.Printf("%-30s %-36s %s", strings.Join(at, " "), p.Metric, amount(sim.Value{Value: p.Mean, Unit: p.Unit}))
		if p.N > 1 {
			o.e.Printf(" (%s to %s, %d seeds)", amount(sim.Value{Value: p.Low, Unit: p.Unit}), amount(sim.Value{Value: p.High, Unit: p.Unit}), p.N)
		}
		o.e.Printf("\n")
	}
	return nil
}

func (o *options) campaignPlots(out *sweep.Outcome, v sweep.View) error {
	if err := os.MkdirAll(o.plot, 0o777); err != nil {
		return err
	}
	charts, err := out.Charts(v)
	if err != nil {
		return err
	}
	for i := range charts {
		name := strings.Map(func(r rune) rune {
			if r == '/' || r == ' ' || r == ':' {
				return '-'
			}
			return r
		}, charts[i].Title)
		if err := charts[i].WriteFile(filepath.Join(o.plot, name+"."+o.format)); err != nil {
			return err
		}
	}
	return nil
}

// point is a sweep.Point as JSON.
type point struct {
	Parameters map[string]string `json:"parameters"`
	Metric     string            `json:"metric"`
	Unit       string            `json:"unit"`
	N          int               `json:"n"`
	Mean       float64           `json:"mean"`
	Low        *float64          `json:"low,omitempty"`
	High       *float64          `json:"high,omitempty"`
}

func pointOf(c *sweep.Campaign, p sweep.Point) point {
	x := point{Parameters: map[string]string{}, Metric: p.Metric, Unit: p.Unit, N: p.N, Mean: p.Mean}
	for i, v := range p.Values {
		x.Parameters[c.Parameters[i].Name] = v
	}
	if p.N > 1 {
		x.Low, x.High = &p.Low, &p.High
	}
	return x
}

// write makes a file by f.
func write(name string, f func(*os.File) error) error {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(f(out), out.Close())
}
