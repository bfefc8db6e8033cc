package sweep

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/libos-go/libos/sim"
)

// Func runs one simulation. It is called by several goroutines at once. A
// simulation of one part is best: cores are used by other units.
type Func func(params map[string]string, seed uint64) (*sim.Results, error)

// Options of Run.
type Options struct {
	// Dir is where results are kept, one file a unit; it is made if it is not
	// there.
	Dir string
	// Workers is how many units run at once; 0 is the number of cores.
	Workers int
	// Progress, if not nil, is told how many units are done, those of earlier runs
	// included; never by two goroutines at once.
	Progress func(done, total int)
}

// Result is what is kept of a unit.
type Result struct {
	Parameters map[string]string `json:"parameters"`
	Seed       uint64            `json:"seed"`
	Metrics    []Metric          `json:"metrics"`
}

// Metric is one figure of a unit. Kind tells where it is from: "value" is what an
// application recorded, "flow" and "queue" are summaries.
type Metric struct {
	Kind  string  `json:"kind"`
	Name  string  `json:"name"` // "server1 sink goodput"
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
}

// Run runs the units that have no result in o.Dir yet. A unit that fails leaves
// none, and the others go on; the error tells of all that failed. When ctx ends, no
// more units are begun and the error is ctx's.
func Run(ctx context.Context, c *Campaign, f Func, o Options) (*Outcome, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o777); err != nil {
		return nil, err
	}
	var missing []int
	for k := range c.Len() {
		if u, _ := c.Unit(k); u.load(o.Dir) == nil {
			missing = append(missing, k)
		}
	}
	total := c.Len()
	done := total - len(missing)
	if o.Progress != nil {
		o.Progress(done, total)
	}
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	type failure struct {
		unit int
		err  error
	}
	var (
		failed []failure
		mu     sync.Mutex
		all    sync.WaitGroup
		next   = make(chan int)
	)
	for range min(workers, len(missing)) {
		all.Add(1)
		go func() {
			defer all.Done()
			for k := range next {
				err := RunUnit(c, k, f, o.Dir)
				mu.Lock()
				if err != nil {
					failed = append(failed, failure{k, err})
				} else if done++; o.Progress != nil {
					o.Progress(done, total)
				}
				mu.Unlock()
			}
		}()
	}
	for _, k := range missing {
		if ctx.Err() != nil {
			break
		}
		select {
		case next <- k:
		case <-ctx.Done():
		}
	}
	close(next)
	all.Wait()
	slices.SortFunc(failed, func(a, b failure) int { return cmp.Compare(a.unit, b.unit) })
	errs := []error{ctx.Err()}
	for _, x := range failed {
		errs = append(errs, x.err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return Load(c, o.Dir)
}

// RunUnit runs the k-th unit and writes its result into dir, over an older one.
func RunUnit(c *Campaign, k int, f Func, dir string) error {
	if err := c.Check(); err != nil {
		return err
	}
	u, err := c.Unit(k)
	if err != nil {
		return err
	}
	r, err := f(u.Params(), u.Seed)
	if err != nil {
		return fmt.Errorf("unit %d (%v): %w", k, u, err)
	}
	text, err := json.MarshalIndent(Result{u.Params(), u.Seed, metrics(r)}, "", " ")
	if err != nil {
		return fmt.Errorf("unit %d (%v): %w", k, u, err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return write(filepath.Join(dir, u.File()), append(text, '\n'))
}

// write makes the file appear with all of its bytes or not at all.
func write(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// load reads the unit's result; nil if there is none, or none that is whole.
func (u Unit) load(dir string) *Result {
	text, err := os.ReadFile(filepath.Join(dir, u.File()))
	if err != nil {
		return nil
	}
	r := new(Result)
	d := json.NewDecoder(bytes.NewReader(text))
	if d.Decode(r) != nil || r.Seed != u.Seed {
		return nil
	}
	return r
}

// metrics are the figures of a run, in its order. Of what several tasks of one name
// record, and of several flows of one name, it is the mean.
func metrics(r *sim.Results) []Metric {
	out := []Metric{}
	type key struct{ kind, name string }
	count, at := map[key]int{}, map[key]int{}
	add := func(kind, name, unit string, v float64) {
		k := key{kind, name}
		count[k]++
		if i, ok := at[k]; ok {
			out[i].Value += (v - out[i].Value) / float64(count[k])
			return
		}
		at[k] = len(out)
		out = append(out, Metric{kind, name, unit, v})
	}
	for _, v := range r.Values {
		add("value", v.Node+" "+v.Task+" "+v.Metric, v.Unit, v.Value)
	}
	for _, f := range r.Flows {
		name := f.Node + " " + f.Name
		if i := strings.LastIndexByte(name, '#'); i >= 0 && f.Number > 1 {
			name = name[:i]
		}
		if f.Sent > 0 {
			add("flow", name+" goodput out", "bit/s", f.SentGoodput)
			add("flow", name+" retransmissions", "", float64(f.Retransmissions))
			if f.SRTTMean > 0 {
				add("flow", name+" srtt mean", "s", f.SRTTMean)
			}
		}
		if f.Received > 0 {
			add("flow", name+" goodput in", "bit/s", f.ReceivedGoodput)
		}
	}
	for _, q := range r.Queues {
		if q.Rate > 0 {
			add("queue", q.Name+" throughput", "bit/s", q.Throughput)
			add("queue", q.Name+" drops", "", float64(q.Drops))
			if r.Every > 0 {
				add("queue", q.Name+" queue mean", "packets", q.LengthMean)
			}
		}
	}
	return out
}
