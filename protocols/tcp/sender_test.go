package tcp

import "testing"

// Marks in the sequence space follow the acknowledgements: after gigabytes of full
// segments an old mark must not look like a new one.
func TestAnOldMarkOfASmallSegmentDoesNotComeBack(t *testing.T) {
	var s sender
	var m slabs
	s.start(0xf0000000)
	for range 8 {
		s.sent(1<<29, 1, true)
		s.acked(&m, 1<<29)
		if s.small.GT(s.una) {
			t.Fatalf("after %d bytes a small segment seems to be outstanding", s.total)
		}
	}
	if s.total != 1<<32 || s.nxt != s.una || s.max != s.una {
		t.Errorf("%d bytes acknowledged, next %d, end %d, oldest %d", s.total, s.nxt, s.max, s.una)
	}
}

func TestOneSegmentAtATimeIsMeasured(t *testing.T) {
	var s sender
	var m slabs
	s.start(100)
	s.sent(10, 1000, true)
	s.sent(10, 2000, true)
	if d := s.measured(105, 5000); d != 0 {
		t.Errorf("a part of the segment gave %d", d)
	}
	if d := s.measured(110, 6000); d != 5000 {
		t.Errorf("measured %d", d)
	}
	if d := s.measured(120, 7000); d != 0 {
		t.Errorf("a segment that was not timed gave %d", d)
	}
	s.acked(&m, 20)
	s.sent(10, 8000, false)
	if d := s.measured(130, 9000); d != 0 {
		t.Errorf("in recovery: %d", d)
	}
	s.sent(10, 10000, true)
	s.untime()
	if d := s.measured(140, 11000); d != 0 {
		t.Errorf("Karn: %d", d)
	}
}
