package qdisc

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// split separates a number from the unit behind it.
func split(s string) (v float64, unit string, ok bool) {
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
		i++
	}
	v, err := strconv.ParseFloat(s[:i], 64)
	return v, strings.ToLower(s[i:]), err == nil && !math.IsInf(v, 0)
}

// ParseTime reads a time as tc does: a number with s, ms, us or ns (and sec, msec,
// usec, nsec); without a unit it is microseconds.
func ParseTime(s string) (time.Duration, error) {
	v, unit, ok := split(s)
	if ok {
		var scale time.Duration
		switch unit {
		case "s", "sec", "secs":
			scale = time.Second
		case "ms", "msec", "msecs":
			scale = time.Millisecond
		case "", "us", "usec", "usecs":
			scale = time.Microsecond
		case "ns", "nsec", "nsecs":
			scale = time.Nanosecond
		}
		if r := math.Round(v * float64(scale)); scale != 0 && r < math.MaxInt64 {
			return time.Duration(r), nil
		}
	}
	return 0, fmt.Errorf("%q is no time: write a number with s, ms, us or ns, such as 100ms", s)
}

// FormatTime writes a time as tc does: three digits in the largest unit that fits.
func FormatTime(d time.Duration) string {
	g := func(unit time.Duration, name string) string {
		return strconv.FormatFloat(float64(d)/float64(unit), 'g', 3, 64) + name
	}
	switch {
	case d >= time.Second && d < 1000*time.Second:
		return g(time.Second, "s")
	case d >= time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
	case d >= time.Millisecond:
		return g(time.Millisecond, "ms")
	case d >= time.Microsecond:
		return g(time.Microsecond, "us")
	}
	return strconv.FormatInt(int64(d), 10) + "ns"
}

// MaxRate is the largest rate, in bits per second.
const MaxRate = 1 << 53

// ParseRate reads a rate in bits per second as tc does: a number with bit, kbit,
// mbit, gbit, tbit (powers of 1000), kibit … (powers of 1024), or bps, kbps … for
// bytes; without a unit it is bits.
func ParseRate(s string) (uint64, error) {
	v, unit, ok := split(s)
	if ok {
		scale := 1.0
		if u, isBytes := strings.CutSuffix(unit, "bps"); isBytes {
			scale, unit = 8, u+"bit"
		}
		unit = strings.TrimSuffix(unit, "bit")
		base := 1000.0
		if u, binary := strings.CutSuffix(unit, "i"); binary && u != "" {
			base, unit = 1024, u
		}
		if i := strings.Index("kmgt", unit); len(unit) <= 1 && i >= 0 {
			if unit != "" {
				scale *= math.Pow(base, float64(i+1))
			}
			if r := math.Round(v * scale); r <= MaxRate {
				return uint64(r), nil
			}
		}
	}
	return 0, fmt.Errorf("%q is no rate: write a number with bit, kbit, mbit or gbit, such as 10mbit", s)
}

// FormatRate writes a rate in bits per second as tc does.
func FormatRate(bits uint64) string {
	units := [...]string{"", "K", "M", "G", "T"}
	i := 0
	for i < len(units)-1 && bits >= 1000 && (bits%1000 == 0 || bits >= 1000*1000) {
		bits /= 1000
		i++
	}
	return strconv.FormatUint(bits, 10) + units[i] + "bit"
}

// ParseSize reads a size in bytes as tc does: a number with b, k, m, g (powers of
// 1024, also kb, mb, gb), or kbit, mbit, gbit for eighths of them.
func ParseSize(s string) (int, error) {
	v, unit, ok := split(s)
	if ok {
		scale := 0.0
		switch unit {
		case "", "b":
			scale = 1
		case "k", "kb":
			scale = 1 << 10
		case "m", "mb":
			scale = 1 << 20
		case "g", "gb":
			scale = 1 << 30
		case "kbit":
			scale = 1 << 10 / 8
		case "mbit":
			scale = 1 << 20 / 8
		case "gbit":
			scale = 1 << 30 / 8
		}
		if r := math.Round(v * scale); scale != 0 && r <= math.MaxInt32 {
			return int(r), nil
		}
	}
	return 0, fmt.Errorf("%q is no size: write a number of bytes up to 2g, or one with kb, mb or kbit, such as 32kbit", s)
}

// FormatSize writes a size in bytes as tc does: in whole Kb or Mb where that is
// nearly exact.
func FormatSize(n int) string {
	near := func(unit, off int) bool {
		d := (n+unit/2)/unit*unit - n
		return n >= unit && d < off && d > -off
	}
	switch {
	case near(1<<20, 1<<10):
		return strconv.Itoa((n+1<<19)>>20) + "Mb"
	case near(1<<10, 16):
		return strconv.Itoa((n+1<<9)>>10) + "Kb"
	}
	return strconv.Itoa(n) + "b"
}

// ParsePercent reads a probability as tc does: a number of hundredths, with or
// without a percent sign.
func ParsePercent(s string) (float64, error) {
	v, unit, ok := split(s)
	if !ok || unit != "" && unit != "%" || v > 100 {
		return 0, fmt.Errorf("%q is no percentage: write a number between 0%% and 100%%", s)
	}
	return v / 100, nil
}

// FormatPercent writes a probability as tc does.
func FormatPercent(p float64) string {
	return strconv.FormatFloat(100*p, 'g', 6, 64) + "%"
}
