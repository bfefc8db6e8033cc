package impair

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func seeded(n uint64) Source { return rand.NewPCG(n, 1) }

// near fails unless got is within off of want.
func near(t *testing.T, what string, got, want, off float64) {
	t.Helper()
	if !(math.Abs(got-want) <= off) {
		t.Errorf("%s is %.5f, want %.5f ± %.5f", what, got, want, off)
	}
}

// losses runs a model over n frames: the share that is lost and the mean length
// of a run of losses.
func losses(m Loss, n int) (share, burst float64) {
	s, l := seeded(1), m.Start()
	lost, runs, before := 0, 0, false
	for range n {
		x := l.Lose(s)
		if x {
			lost++
			if !before {
				runs++
			}
		}
		before = x
	}
	return float64(lost) / float64(n), float64(lost) / float64(max(runs, 1))
}

func TestLossModelsLoseTheirShareInRunsOfTheirLength(t *testing.T) {
	for _, tt := range []struct {
		name         string
		model        Loss
		share, burst float64
	}{
		{"never", Random{}, 0, 0},
		{"always", Random{P: 1}, 1, 1e6},
		{"Bernoulli", Random{P: 0.1}, 0.1, 1 / 0.9},
		// Gilbert: p/(p+r) lost, runs of 1/r.
		{"Gilbert as a chain", TwoState(0.02, 0.25), 0.02 / 0.27, 4},
		{"Gilbert as gemodel", GilbertElliott{P: 0.02, R: 0.25, BadLoss: 1}, 0.02 / 0.27, 4},
		// Elliott: each state with its own loss.
		{"Gilbert–Elliott", GilbertElliott{P: 0.01, R: 0.1, BadLoss: 0.5, GoodLoss: 0.001}, (0.01*0.5 + 0.1*0.001) / 0.11, 0},
		// Single losses only: after state 4 comes state 1. π4 = p14/(1+p14).
		{"isolated losses", FourState{P14: 0.2}, 0.2 / 1.2, 1},
		// p13 p32 / (p13 p32 + p23 (p13+p31)) is the share in state 2:
		// π1 : π2 : π3 = p31 : p13·p32/p23 : p13.
		{"four states", FourState{P13: 0.05, P31: 0.2, P32: 0.3, P23: 0.6}, 0.05 / (0.2 + 0.05*0.3/0.6 + 0.05), 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.model.Check(); err != nil {
				t.Fatal(err)
			}
			share, burst := losses(tt.model, 1e6)
			near(t, "the share of losses", share, tt.share, 0.003)
			if tt.burst != 0 {
				near(t, "the length of a run", burst, tt.burst, tt.burst*0.03)
			}
		})
	}
}

// sch_netem.c, get_crandom: x' = x(1-ρ) + last·ρ has autocorrelation ρ.
func TestCorrelatedNumbersHaveTheirCorrelation(t *testing.T) {
	for _, rho := range []float64{0, 0.25, 0.9} {
		s, c := seeded(2), correlated{rho: fraction(rho)}
		const n = 200_000
		var x [n]float64
		mean := 0.0
		for i := range x {
			x[i] = float64(c.next(s)) / scale
			mean += x[i] / n
		}
		near(t, "the mean", mean, 0.5, 0.01)
		var v, cov float64
		for i := 1; i < n; i++ {
			v += (x[i] - mean) * (x[i] - mean)
			cov += (x[i] - mean) * (x[i-1] - mean)
		}
		near(t, "the correlation", cov/v, rho, 0.01)
	}
	d := Chance{P: 0.5, Correlation: 1}.Start()
	s := seeded(3)
	first := d.Roll(s)
	for range 100 {
		if d.Roll(s) != first {
			t.Fatal("with a correlation of 1 the answer changed")
		}
	}
}

func TestDelaysFollowTheirDistribution(t *testing.T) {
	const ms = float64(time.Millisecond)
	for _, tt := range []struct {
		d             Delay
		mean, sigma   float64 // ms
		low, high     float64
		median, skewy float64
	}{
		{Delay{Mean: 100 * time.Millisecond}, 100, 0, 100, 100, 100, 0},
		{Delay{Mean: 100 * time.Millisecond, Jitter: 10 * time.Millisecond}, 100, 10 / math.Sqrt(3), 90, 110, 100, 0},
		{Delay{Mean: 100 * time.Millisecond, Jitter: 10 * time.Millisecond, Distribution: Normal}, 100, 10, 55, 145, 100, 0},
		{Delay{Mean: 100 * time.Millisecond, Jitter: 10 * time.Millisecond, Distribution: Pareto}, 99.6, 8.2, 93.3, 141, 100 + (math.Cbrt(2)-1.5)*40/3, 1},
		{Delay{Mean: 100 * time.Millisecond, Jitter: 10 * time.Millisecond, Distribution: ParetoNormal}, 100, 8.5, 80, 141, 100 + (math.Cbrt(2)-1.5)*30/3, 1},
		{Delay{Mean: 100 * time.Millisecond, Jitter: 10 * time.Millisecond, Distribution: Custom, Table: []int16{-TableScale, TableScale}}, 100, 10, 90, 110, 0, 0},
	} {
		t.Run(tt.d.Distribution.String(), func(t *testing.T) {
			if err := tt.d.Check(); err != nil {
				t.Fatal(err)
			}
			s, l := seeded(4), tt.d.Start()
			const n = 200_000
			x := make([]float64, n)
			var mean, v float64
			for i := range x {
				x[i] = float64(l.Next(s)) / ms
				mean += x[i] / n
			}
			for i := range x {
				v += (x[i] - mean) * (x[i] - mean) / n
			}
			slices.Sort(x)
			near(t, "the mean", mean, tt.mean, 0.4)
			near(t, "the deviation", math.Sqrt(v), tt.sigma, 0.2)
			if tt.median != 0 {
				near(t, "the median", x[n/2], tt.median, 0.2)
			}
			if x[0] < tt.low-0.05 || x[n-1] > tt.high+0.05 {
				t.Errorf("delays lie in %.2f…%.2f, want them in %.2f…%.2f", x[0], x[n-1], tt.low, tt.high)
			}
		})
	}
}

// Half of a normal delay with a mean of 0 would come before its cause.
func TestADelayIsNotNegative(t *testing.T) {
	d := Delay{Jitter: time.Second, Distribution: Normal}
	s, l := seeded(5), d.Start()
	zero := 0
	for range 1000 {
		switch x := l.Next(s); {
		case x < 0:
			t.Fatalf("a delay of %v", x)
		case x == 0:
			zero++
		}
	}
	if zero < 400 || zero > 600 {
		t.Errorf("%d of 1000 delays are cut to 0, want half", zero)
	}
}

func TestTheLongestDelaysDoNotOverflow(t *testing.T) {
	for d := Uniform; d < Custom; d++ {
		c := Delay{Mean: maxDelay, Jitter: maxDelay, Distribution: d}
		s, l := seeded(6), c.Start()
		for range 100_000 {
			if x := l.Next(s); x < 0 || x > 6*maxDelay {
				t.Fatalf("%v: a delay of %v", d, x)
			}
		}
	}
}

// The tables come from floating-point functions: they must be the same numbers on
// every machine, or simulations would differ.
func TestTablesAreTheSameEverywhere(t *testing.T) {
	for d, want := range map[Distribution]uint64{Normal: 0x5ce18bf000c7e65b, Pareto: 0x32184e6461e8823e, ParetoNormal: 0xc583075a934ffc69} {
		h := fnv.New64a()
		for _, v := range d.table() {
			_, _ = h.Write([]byte{byte(v), byte(v >> 8)})
		}
		if got := h.Sum64(); got != want {
			t.Errorf("%v: %#x, want %#x", d, got, want)
		}
	}
}

func TestReorderSendsEveryGapthAhead(t *testing.T) {
	s := seeded(7)
	r := Reorder{Chance{P: 1}, 5}.Start()
	for i := 1; i <= 50; i++ {
		if got := r.Ahead(s); got != (i%5 == 0) {
			t.Fatalf("frame %d: ahead is %v", i, got)
		}
	}
	r = Reorder{Chance{P: 0.25}, 1}.Start()
	n := 0
	for range 100_000 {
		if r.Ahead(s) {
			n++
		}
	}
	near(t, "the share ahead", float64(n)/100_000, 0.25, 0.005)
}

func TestARateCountsOverheadAndCells(t *testing.T) {
	for _, tt := range []struct {
		r    Rate
		n    int
		want time.Duration
	}{
		{Rate{}, 1500, 0},
		{Rate{BitsPerSecond: 8e6}, 1000, time.Millisecond},
		{Rate{BitsPerSecond: 8e6, PacketOverhead: 24}, 1000, 1024 * time.Microsecond},
		{Rate{BitsPerSecond: 8e6, PacketOverhead: -14}, 10, 0},
		{Rate{BitsPerSecond: 8e6, CellSize: 48, CellOverhead: 5}, 100, 159 * time.Microsecond}, // 3 cells of 53
		{Rate{BitsPerSecond: 8e6, CellSize: 48, CellOverhead: 5}, 96, 106 * time.Microsecond},
		{Rate{BitsPerSecond: 1}, 65535, 524280 * time.Second},
		{Rate{BitsPerSecond: 400e9}, 64, time.Nanosecond},
	} {
		if err := tt.r.Check(); err != nil {
			t.Error(err)
		}
		if got := tt.r.Time(tt.n); got != tt.want {
			t.Errorf("%+v: %d bytes take %v, want %v", tt.r, tt.n, got, tt.want)
		}
	}
}

func TestALineDecidesByItsSeed(t *testing.T) {
	c := Config{
		Delay: Delay{Mean: 10 * time.Millisecond, Jitter: time.Millisecond, Distribution: Normal, Correlation: 0.25},
		Loss:  Random{P: 0.1}, Duplicate: Chance{P: 0.1}, Corrupt: Chance{P: 0.1}, Reorder: Reorder{Chance{P: 0.1}, 1},
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	run := func(seed uint64) (out []int64, copies [3]int) {
		s, l := seeded(seed), c.Start()
		for range 10_000 {
			f := l.Count(s)
			copies[f.Copies]++
			if l.Corrupts(s) {
				at, mask := Bit(s, 100)
				out = append(out, int64(at), int64(mask))
			}
			if !l.Ahead(s) {
				out = append(out, int64(l.Delay(s)))
			}
		}
		return out, copies
	}
	a, copies := run(1)
	if b, _ := run(1); !slices.Equal(a, b) {
		t.Error("the same seed gave other decisions")
	}
	if b, _ := run(2); slices.Equal(a, b) {
		t.Error("another seed gave the same decisions")
	}
	for i, want := range []float64{0.09, 0.82, 0.09} { // lost and not twice; neither or both; twice
		near(t, "the share of a number of copies", float64(copies[i])/10_000, want, 0.01)
	}
	s, none := seeded(1), (&Config{}).Start()
	for range 100 {
		if f := none.Count(s); f.Copies != 1 || none.Corrupts(s) || none.Ahead(s) || none.Delay(s) != 0 {
			t.Fatal("the zero value did something")
		}
	}
	if s.Uint64() != seeded(1).Uint64() {
		t.Error("the zero value drew numbers")
	}
}

func TestABitIsAnyOfThePacket(t *testing.T) {
	s := seeded(9)
	var seen [3 * 8]bool
	for range 1000 {
		at, mask := Bit(s, 3)
		for i := range 8 {
			if mask == 1<<i {
				seen[at*8+i] = true
			}
		}
	}
	if slices.Contains(seen[:], false) {
		t.Errorf("bits chosen: %v", seen)
	}
}

func TestValuesThatCannotBe(t *testing.T) {
	check := func(c Config) error { return c.Check() }
	for want, err := range map[string]error{
		"loss is a probability between 0 and 1, not 1.5":                 check(Config{Loss: Random{P: 1.5}}),
		"loss correlation is a probability between 0 and 1, not NaN":     check(Config{Loss: Random{Correlation: math.NaN()}}),
		"loss state p13 + p14 is a probability between 0 and 1, not 1.5": check(Config{Loss: FourState{P13: 0.75, P14: 0.75}}),
		"loss gemodel 1-h is a probability between 0 and 1, not -1":      check(Config{Loss: GilbertElliott{BadLoss: -1}}),
		"delay -1ns is not in 0…24h0m0s":                                 check(Config{Delay: Delay{Mean: -1}}),
		"jitter 25h0m0s is not in 0…24h0m0s":                             check(Config{Delay: Delay{Jitter: 25 * time.Hour}}),
		"a delay table has 2 to 16384 values, not 0":                     check(Config{Delay: Delay{Distribution: Custom}}),
		"duplicate is a probability between 0 and 1, not 2":              check(Config{Duplicate: Chance{P: 2}}),
		"corrupt correlation is a probability between 0 and 1, not 2":    check(Config{Corrupt: Chance{Correlation: 2}}),
		"reorder without a gap overtakes nothing: set gap to 1 or more":  check(Config{Reorder: Reorder{Chance{P: 0.1}, 0}}),
		"rate: cell overhead -49 is not in -48..65535":                   Rate{CellSize: 48, CellOverhead: -49}.Check(),
		"there is no delay distribution 9":                               check(Config{Delay: Delay{Distribution: 9}}),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

func TestDecisionsAllocateNothing(t *testing.T) {
	c := Config{
		Delay: Delay{Mean: time.Second, Jitter: time.Second, Distribution: Pareto},
		Loss:  FourState{P13: 0.1, P31: 0.1}, Duplicate: Chance{P: 0.1, Correlation: 0.5}, Corrupt: Chance{P: 0.1}, Reorder: Reorder{Chance{P: 0.1}, 2},
	}
	s, l := seeded(1), c.Start()
	if n := testing.AllocsPerRun(100, func() {
		l.Count(s)
		l.Corrupts(s)
		l.Ahead(s)
		l.Delay(s)
		Bit(s, 100)
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
