// Package law is CoDel's control law (RFC 8289), which the disciplines codel and
// fq_codel share: when to drop or mark a packet that leaves, by the time that it
// waited.
package law

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/libos-go/libos/core"
)

// Params of the law.
type Params struct {
	Target   time.Duration // acceptable standing delay; 0 is 5 ms
	Interval time.Duration // a worst-case round-trip time; 0 is 100 ms
	// ECN marks in place of dropping.
	ECN bool
	// CEThreshold marks every ECN-capable packet that waited longer; 0 is off.
	CEThreshold time.Duration
	// MTU in bytes: a queue of no more is none to fight.
	MTU int
}

// Fill replaces zeros.
func (p *Params) Fill(mtu int) {
	if p.Target == 0 {
		p.Target = 5 * time.Millisecond
	}
	if p.Interval == 0 {
		p.Interval = 100 * time.Millisecond
	}
	p.MTU = mtu
}

// Check finds values out of range.
func (p *Params) Check() error {
	switch {
	case p.Target < 0 || p.Interval < 0 || p.CEThreshold < 0:
		return errors.New("target, interval and ce_threshold are not negative")
	case p.Target > time.Hour || p.Interval > time.Hour || p.CEThreshold > time.Hour:
		return errors.New("target, interval and ce_threshold are at most an hour")
	case p.Interval != 0 && p.Target >= p.Interval:
		return fmt.Errorf("target %v is not below the interval %v", p.Target, p.Interval)
	}
	return nil
}

// State of one queue (RFC 8289 §5.5).
type State struct {
	Count     uint32 // drops since dropping began
	LastCount uint32 // Count when it began the last time
	Dropping  bool
	first     core.Time // when the delay will have been above Target for an Interval; 0 while it is below
	DropNext  core.Time
	Delay     time.Duration // of the packet that left last
}

// Queue is what the law is applied to.
type Queue interface {
	// Head takes the next packet, whose Queue.At is when it came; nil when empty.
	Head() *core.Packet
	// Bytes that are left.
	Bytes() int
	// Drop takes ownership of a packet.
	Drop(p *core.Packet)
}

// Stats count what the law did.
type Stats struct {
	MaxPacket int
	Marked    uint64 // ECN in place of a drop
	CEMarked  uint64 // by CEThreshold
}

// Dequeue is the packet that leaves at now (RFC 8289 §5.6), nil if none does.
func (s *State) Dequeue(q Queue, p *Params, st *Stats, link core.Link, now core.Time) *core.Packet {
	x, late := s.next(q, p, st, now)
	if x == nil {
		s.Dropping = false
		return nil
	}
	mark := false
	if s.Dropping {
		switch {
		case !late:
			s.Dropping = false
		default:
			for now >= s.DropNext && s.Dropping {
				s.Count++ // does not wrap in the life of a queue: at most one a packet
				if p.ECN && x.MarkCE(link) {
					st.Marked++
					mark = true
					s.DropNext = s.after(s.DropNext, p)
					break
				}
				q.Drop(x)
				if x, late = s.next(q, p, st, now); x == nil || !late {
					s.Dropping = false
				} else {
					s.DropNext = s.after(s.DropNext, p)
				}
				if x == nil {
					return nil
				}
			}
		}
	} else if late {
		if p.ECN && x.MarkCE(link) {
			st.Marked++
			mark = true
		} else {
			q.Drop(x)
			x, _ = s.next(q, p, st, now)
		}
		s.Dropping = true
		// If dropping ended a short while ago, it goes on at the rate that it had
		// (RFC 8289 §5.5 and its erratum).
		delta := s.Count - s.LastCount
		if delta > 1 && now-s.DropNext < 16*core.Time(p.Interval) {
			s.Count = delta
		} else {
			s.Count = 1
		}
		s.LastCount = s.Count
		s.DropNext = s.after(now, p)
	}
	if x != nil && !mark && p.CEThreshold != 0 && s.Delay > p.CEThreshold && x.MarkCE(link) {
		st.CEMarked++
	}
	return x
}

// next takes a packet and tells whether it may be dropped: the delay was above
// Target for an Interval.
func (s *State) next(q Queue, p *Params, st *Stats, now core.Time) (x *core.Packet, late bool) {
	if x = q.Head(); x == nil {
		s.first = 0
		return nil, false
	}
	st.MaxPacket = max(st.MaxPacket, int(x.Queue.Bytes))
	s.Delay = time.Duration(now - x.Queue.At)
	if s.Delay < p.Target || q.Bytes() <= p.MTU {
		s.first = 0
		return x, false
	}
	if s.first == 0 {
		s.first = now + core.Time(p.Interval)
		return x, false
	}
	return x, now >= s.first
}

// after is the next time to drop: Interval/√Count after t.
func (s *State) after(t core.Time, p *Params) core.Time {
	return t + core.Time(float64(p.Interval)/math.Sqrt(float64(s.Count)))
}
