package qdisc

import (
	"testing"
	"time"
)

func TestUnitsAreThoseOfTc(t *testing.T) {
	for s, want := range map[string]time.Duration{"100ms": 100 * time.Millisecond, "1s": time.Second, "1.5secs": 1500 * time.Millisecond, "20": 20 * time.Microsecond,
		"7usec": 7 * time.Microsecond, "3ns": 3, "5MS": 5 * time.Millisecond, "0": 0} {
		if got, err := ParseTime(s); err != nil || got != want {
			t.Errorf("time %s is %v, %v, want %v", s, got, err, want)
		}
	}
	for s, want := range map[string]uint64{"10mbit": 10e6, "1kbit": 1000, "8": 8, "1Mibit": 1 << 20, "1kbps": 8000, "2gbit": 2e9, "1.5mbit": 15e5, "1bit": 1, "1kibps": 8192} {
		if got, err := ParseRate(s); err != nil || got != want {
			t.Errorf("rate %s is %v, %v, want %v", s, got, err, want)
		}
	}
	for s, want := range map[string]int{"32kbit": 4096, "1600": 1600, "10kb": 10240, "1m": 1 << 20, "5b": 5, "1gb": 1 << 30} {
		if got, err := ParseSize(s); err != nil || got != want {
			t.Errorf("size %s is %v, %v, want %v", s, got, err, want)
		}
	}
	for s, want := range map[string]float64{"1%": 0.01, "25": 0.25, "0.1%": 0.001, "100%": 1} {
		if got, err := ParsePercent(s); err != nil || got != want {
			t.Errorf("percentage %s is %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "ms", "-1ms", "1xs", "1 ms", "1e400s", "9999999999999s", "m", "1..2", "nan", "101%%", "1sms"} {
		if v, err := ParseTime(s); err == nil {
			t.Errorf("%q is taken for the time %v", s, v)
		}
		if v, err := ParseRate(s); err == nil {
			t.Errorf("%q is taken for the rate %v", s, v)
		}
		if v, err := ParsePercent(s); err == nil {
			t.Errorf("%q is taken for the percentage %v", s, v)
		}
		if v, err := ParseSize(s); err == nil {
			t.Errorf("%q is taken for the size %v", s, v)
		}
	}
}

func TestFormatsAreThoseOfTc(t *testing.T) {
	for want, got := range map[string]string{
		"100ms": FormatTime(100 * time.Millisecond), "1.5ms": FormatTime(1500 * time.Microsecond), "5us": FormatTime(5 * time.Microsecond), "17ns": FormatTime(17),
		"2s": FormatTime(2 * time.Second), "3600s": FormatTime(time.Hour), "0ns": FormatTime(0),
		"10Mbit": FormatRate(10e6), "1500Kbit": FormatRate(15e5), "1Gbit": FormatRate(1e9), "512bit": FormatRate(512), "1234bit": FormatRate(1234),
		"4Kb": FormatSize(4096), "1514000b": FormatSize(1514000), "32Mb": FormatSize(32 << 20), "0b": FormatSize(0), "1000b": FormatSize(1000), "98Kb": FormatSize(100345),
		"1%": FormatPercent(0.01), "0.1%": FormatPercent(0.001), "33.3333%": FormatPercent(1. / 3),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
