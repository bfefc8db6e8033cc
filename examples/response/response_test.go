package response

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/sim/file"
)

const (
	mss = 1448  // bytes of a segment with timestamps
	rtt = 0.100 // seconds, of an empty path
)

// mathis is the mean window in segments of Mathis et al., CCR 1997, §2.
func mathis(p float64) float64 { return math.Sqrt(1.5) / math.Sqrt(p) }

// cubic is that of RFC 9438 §5.1, with C = 0.4 and β = 0.7, and §4.3 below it.
func cubic(p float64) float64 {
	return max(math.Pow(0.4*3.7/1.2, 0.25)*math.Pow(rtt, 0.75)/math.Pow(p, 0.75), mathis(p))
}

// Goodput follows the formulas within 15 % over three decades of loss.
func TestGoodputFollowsTheResponseFunction(t *testing.T) {
	for _, tt := range []struct {
		file   string
		window func(p float64) float64
		losses []int // one segment of so many
	}{
		{"reno.toml", mathis, []int{500, 1000, 2000, 5000, 10_000}},
		{"cubic.toml", cubic, []int{300, 1000, 3000, 10_000, 30_000, 100_000}},
	} {
		for _, n := range tt.losses {
			t.Run(fmt.Sprintf("%s one of %d", tt.file, n), func(t *testing.T) {
				t.Parallel()
				seconds := 200 // some twenty losses at least
				if n < 3000 {
					seconds = 600
				}
				d, err := file.Read(tt.file, file.Options{Wiring: libos.Wiring(), Set: []string{
					fmt.Sprintf("link.path.a_to_b.loss_model=every %d", n), fmt.Sprintf("app.bulk.for=%ds", seconds)}})
				if err != nil {
					t.Fatal(err)
				}
				if err := d.Network.Run(time.Duration(seconds+2) * time.Second); err != nil {
					t.Fatal(err)
				}
				got := math.NaN()
				for _, v := range d.Network.Results().Values {
					if v.Metric == "goodput" {
						got = v.Value
					}
				}
				if err := d.Network.Close(); err != nil {
					t.Error(err)
				}
				want := tt.window(1/float64(n)) * mss * 8 / rtt
				if !(math.Abs(got/want-1) <= 0.15) {
					t.Errorf("goodput is %.3g bit/s, the formula has %.3g: %+.1f %%", got, want, 100*(got/want-1))
				}
				t.Logf("goodput %.3g bit/s, formula %.3g, %+.1f %%", got, want, 100*(got/want-1))
			})
		}
	}
}
