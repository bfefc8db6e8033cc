package timer

import (
	"math"
	"testing"
	"time"
)

func TestTimeArithmeticSaturates(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want int64
	}{
		{"add", int64(Time(5).Add(time.Second)), 1e9 + 5},
		{"subtract by add", int64(Time(5).Add(-3)), 2},
		{"never stays", int64(Never.Add(-time.Hour)), math.MaxInt64},
		{"overflow is never", int64((Never - 1).Add(2)), math.MaxInt64},
		{"underflow", int64(Time(math.MinInt64 + 1).Add(-2)), math.MinInt64},
		{"sub", int64(Time(7).Sub(9)), -2},
		{"sub high", int64(Never.Sub(-1)), math.MaxInt64},
		{"sub low", int64(Time(-2).Sub(Never)), math.MinInt64},
		{"sub minimum", int64(Time(0).Sub(math.MinInt64)), math.MaxInt64},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, c.got, c.want)
		}
	}
	if !Time(1).Before(2) || Time(2).Before(2) || !Time(3).After(2) || Time(2).After(2) {
		t.Error("Before or After is wrong")
	}
	if s := Time(1500 * time.Millisecond).String(); s != "1.5s" {
		t.Errorf("String: %q", s)
	}
	if s := Never.String(); s != "never" {
		t.Errorf("String of Never: %q", s)
	}
}
