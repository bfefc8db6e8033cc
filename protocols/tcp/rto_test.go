package tcp

import (
	"testing"
	"time"
)

const ms = time.Millisecond

// RFC 6298 §2, computed by hand. As in Linux the variation counts for 200 ms at
// least.
func TestTheTimeoutFollowsTheRoundTripTimes(t *testing.T) {
	var r rttEstimator
	for i, x := range []struct {
		sample                  time.Duration
		smoothed, variation, to time.Duration
	}{
		{100 * ms, 100 * ms, 50 * ms, 300 * ms},                                                           // R, R/2, R + 4*R/2
		{180 * ms, 110 * ms, (3*50 + 80) * ms / 4, 340 * ms},                                              // 57.5: |100-180|; 110+230
		{110 * ms, 110 * ms, 43125 * time.Microsecond, 310 * ms},                                          // 3/4*57.5; 110+200
		{910 * ms, 210 * ms, 232343 * time.Microsecond, 210*ms + 929372*time.Microsecond},                 // (3*43.125+800)/4
		{10 * ms, 185 * ms, (3*232343 + 200000) * time.Microsecond / 4, 185*ms + 897028*time.Microsecond}, // 224257 µs
	} {
		r.sample(x.sample)
		if r.srtt() != x.smoothed || time.Duration(r.variation)*time.Microsecond != x.variation.Truncate(time.Microsecond) || r.timeout() != x.to {
			t.Errorf("sample %d of %v: smoothed %v, variation %d µs, timeout %v; want %v, %v, %v",
				i, x.sample, r.srtt(), r.variation, r.timeout(), x.smoothed, x.variation, x.to)
		}
	}
	if r.min() != 10*ms {
		t.Errorf("smallest %v", r.min())
	}
}

func TestTheTimeoutIsASecondBeforeTheFirstSample(t *testing.T) {
	var r rttEstimator
	if r.timeout() != time.Second {
		t.Error(r.timeout())
	}
}

func TestTheTimeoutIsTwoHundredMillisecondsAboveTheRTTAtLeast(t *testing.T) {
	var r rttEstimator
	for range 100 {
		r.sample(ms)
	}
	if r.timeout() != 201*ms {
		t.Error(r.timeout())
	}
}

// RFC 6298 §5.5, and the ceiling of Linux.
func TestTheTimeoutDoublesUpToTwoMinutes(t *testing.T) {
	var r rttEstimator
	r.sample(100 * ms)
	for _, want := range []time.Duration{300 * ms, 600 * ms, 1200 * ms, 2400 * ms, 4800 * ms, 9600 * ms, 19200 * ms, 38400 * ms, 76800 * ms, 120 * time.Second, 120 * time.Second} {
		if r.timeout() != want {
			t.Errorf("%v, want %v", r.timeout(), want)
		}
		r.expired()
	}
	for range 300 {
		r.expired()
	}
	if r.timeout() != 120*time.Second {
		t.Errorf("after 300 expiries %v", r.timeout())
	}
	r.progress()
	if r.timeout() != 300*ms {
		t.Errorf("after progress %v", r.timeout())
	}
}

func TestASampleOfAnHourKeepsTheTimeoutInBounds(t *testing.T) {
	var r rttEstimator
	r.sample(3600 * time.Second)
	if r.timeout() != 120*time.Second {
		t.Error(r.timeout())
	}
	r.sample(0)
	if r.latest != 1 || r.timeout() > 120*time.Second {
		t.Error(r.latest, r.timeout())
	}
}

// RFC 6298 §5.7: 3 s for data, the SYN's own timers double from a second.
func TestALostSYNMakesDataBeginWithThreeSeconds(t *testing.T) {
	var r rttEstimator
	r.expired()
	if r.timeout() != 2*time.Second {
		t.Errorf("for the SYN %v", r.timeout())
	}
	r.established()
	if r.timeout() != 3*time.Second {
		t.Errorf("for data %v", r.timeout())
	}
	r.sample(100 * ms)
	if r.timeout() != 300*ms {
		t.Errorf("after a sample %v", r.timeout())
	}
	var clean rttEstimator
	clean.established()
	if clean.timeout() != time.Second {
		t.Errorf("where no SYN was lost %v", clean.timeout())
	}
}
