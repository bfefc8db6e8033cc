package ring

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// one64 sends b.N records of 64 bytes in batches and waits until all are read.
func one64(b *testing.B, host *Link, batch int) {
	w := &host.Main.Out
	b.SetBytes(64)
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		p := w.Reserve(64)
		for p == nil {
			if err := w.WaitSpace(time.Time{}); err != nil {
				b.Fatal(err)
			}
			p = w.Reserve(64)
		}
		p[0] = byte(i)
		if w.Stage(64); i%batch == batch-1 {
			w.Publish()
		}
	}
	w.Publish()
	for w.shared.Load() != w.peerTail.Load() {
		runtime.Gosched()
	}
}

func BenchmarkOneWay(b *testing.B) {
	for _, c := range []struct {
		name  string
		batch int
	}{{"batch-1", 1}, {"batch-64", 64}} {
		b.Run("goroutines/"+c.name, func(b *testing.B) {
			host, module := pair(b, Options{})
			go func() { _ = drain(module) }()
			one64(b, host, c.batch)
		})
		b.Run("processes/"+c.name, func(b *testing.B) {
			host, _, _ := process(b, Options{}, "drain")
			b.ResetTimer()
			one64(b, host, c.batch)
		})
	}
}

// BenchmarkOneThread is the work of both ends, without any waiting: the host
// writes and the module reads, and the other way round, where the host copies.
func BenchmarkOneThread(b *testing.B) {
	host, module := pair(b, Options{})
	for _, c := range []struct {
		name string
		w    *Writer
		r    *Reader
	}{{"to-module", &host.Main.Out, &module.Main.In}, {"to-host", &module.Main.Out, &host.Main.In}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(64)
			for i := 0; i < b.N; i += 64 {
				for range 64 {
					c.w.Reserve(64)[0] = 1
					c.w.Stage(64)
				}
				c.w.Publish()
				for range 64 {
					if p, err := c.r.Next(); len(p) != 64 {
						b.Fatal(err)
					}
				}
				c.r.Release()
			}
		})
	}
}

func roundTrips(b *testing.B, host *Link, idle time.Duration) {
	b.ReportAllocs()
	msg := make([]byte, 64)
	var waited time.Duration
	for b.Loop() {
		if idle > 0 {
			time.Sleep(idle)
		}
		start := time.Now()
		host.Main.Out.Write(msg)
		for {
			p, err := host.Main.In.Next()
			if p != nil {
				break
			}
			if err == nil {
				err = host.Main.In.Wait(time.Time{})
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		waited += time.Since(start)
	}
	if idle > 0 {
		b.ReportMetric(float64(waited.Nanoseconds())/float64(b.N), "ns/trip")
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	b.Run("goroutines", func(b *testing.B) {
		host, module := pair(b, Options{})
		go func() { _ = echo(module) }()
		roundTrips(b, host, 0)
	})
	b.Run("processes", func(b *testing.B) {
		host, _, _ := process(b, Options{}, "echo")
		roundTrips(b, host, 0)
	})
	b.Run("processes/after-1ms-idle", func(b *testing.B) {
		host, _, _ := process(b, Options{}, "echo")
		roundTrips(b, host, time.Millisecond)
	})
	b.Run("processes/asleep", func(b *testing.B) {
		b.Setenv(patienceVariable, "0")
		host, _, _ := process(b, Options{}, "echo")
		impatient(host)
		roundTrips(b, host, 0)
	})
}

const patienceVariable = "LIBOS_RING_TEST_PATIENCE"

// impatient lets the waits of a Link sleep at once.
func impatient(l *Link) {
	for _, lane := range []*Lane{&l.Main, &l.Answers} {
		for _, s := range []*sleeper{&lane.In.sleep, &lane.Out.sleep} {
			s.patience = 0
		}
	}
}

func impatientIfTold(l *Link) {
	if os.Getenv(patienceVariable) == "0" {
		impatient(l)
	}
}
