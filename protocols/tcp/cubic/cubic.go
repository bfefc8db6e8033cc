// Package cubic is the CUBIC congestion control (RFC 9438) with HyStart++ (RFC
// 9406) for slow start. It knows windows and times and nothing of segments or
// retransmission, which are TCP's. Start reading at Control.Event; hystart.go
// has slow start.
package cubic

import (
	"math"

	"github.com/libos-go/libos/core/congestion"
)

const (
	beta  = 0.7                         // RFC 9438 §4.6
	c     = 0.4                         // RFC 9438 §5.1, segments per cubic second
	alpha = 3 * (1 - beta) / (1 + beta) // RFC 9438 §4.3
)

// Algorithm describes CUBIC.
func Algorithm() congestion.Algorithm {
	return congestion.Algorithm{Name: "cubic", New: func() congestion.Control { return new(Control) }}
}

// Control is CUBIC's state of one connection. Windows are in segments, times in
// seconds, as in the RFC.
type Control struct {
	hystart hystart
	wMax    float64 // window before the last reduction, by fast convergence less
	k       float64 // time in which the curve reaches wMax
	wEst    float64 // window of a Reno flow in the same place
	cwnd    float64 // exact window, of which Decision.Cwnd is the bytes
	prior   float64 // cwnd before the last reduction, the start of wEst's catching up
	epoch   int64   // start of this congestion avoidance, 0 if none
	heard   int64   // time of the last acknowledgement
	undo    struct {
		cwnd, ssthresh uint32
		wMax, prior    float64
	}
}

// Event implements congestion.Control.
func (s *Control) Event(e *congestion.Event, d *congestion.Decision) {
	switch e.Kind {
	case congestion.Init:
		*s = Control{}
		d.Cwnd, d.Ssthresh = congestion.InitialWindow(e.MSS), congestion.Infinite
	case congestion.Ack:
		s.ack(e, d)
	case congestion.EnterRecovery, congestion.ECN:
		s.reduce(e)
		d.Ssthresh = s.threshold(e)
		d.Cwnd = d.Ssthresh
	case congestion.Timeout:
		s.reduce(e)
		s.wMax = 0 // RFC 9438 §4.8: the curve starts where congestion avoidance does, K is 0
		d.Ssthresh = s.threshold(e)
		d.Cwnd = e.MSS
	case congestion.ExitRecovery:
		d.Cwnd = min(e.Ssthresh, max(e.InFlight, e.MSS)+e.MSS)
	case congestion.Undo: // RFC 9438 §4.9
		if s.undo.cwnd != 0 {
			d.Cwnd, d.Ssthresh = max(e.Cwnd, s.undo.cwnd), max(e.Ssthresh, s.undo.ssthresh)
			s.wMax, s.prior = s.undo.wMax, s.undo.prior
			s.undo.cwnd, s.epoch = 0, 0
		}
	case congestion.IdleRestart:
		d.Cwnd = min(e.Cwnd, congestion.InitialWindow(e.MSS))
		s.epoch = 0 // RFC 9438 §4.2: the curve starts anew, idle time does not count
	}
}

// reduce remembers the window that met congestion (RFC 9438 §4.6, §4.7).
func (s *Control) reduce(e *congestion.Event) {
	s.undo.cwnd, s.undo.ssthresh, s.undo.wMax, s.undo.prior = e.Cwnd, e.Ssthresh, s.wMax, s.prior
	w := float64(e.Cwnd) / float64(e.MSS)
	if w < s.wMax {
		s.wMax = float64(w * (1 + beta) / 2) // fast convergence
	} else {
		s.wMax = w
	}
	s.prior = w
	s.epoch = 0
	s.hystart.stop()
}

// threshold is the window after a reduction (RFC 9438 §4.6), of what was really
// in flight, at least two segments.
func (s *Control) threshold(e *congestion.Event) uint32 {
	return max(uint32(float64(min(e.InFlight, e.Cwnd))*beta), 2*e.MSS)
}

func (s *Control) ack(e *congestion.Event, d *congestion.Decision) {
	s.pause(e)
	if e.AppLimited {
		return
	}
	w, acked := e.Cwnd, e.Acked
	if w < e.Ssthresh {
		step := min(s.hystart.increase(e, acked), e.Ssthresh-w)
		w += step
		if s.hystart.leave(e) {
			d.Cwnd, d.Ssthresh = w, w
			return
		}
		if w < e.Ssthresh {
			d.Cwnd = w
			return
		}
		acked -= min(step, acked)
	}
	if acked > 0 {
		w = s.avoid(e, w, acked)
	}
	d.Cwnd = min(w, congestion.Infinite/2)
}

// pause takes time in which the window was not what held the sender back out of
// the age of the curve, which would else have grown meanwhile (RFC 9438 §4.2,
// §5.8): until an acknowledgement that says so, and silences that are longer than
// data in flight can be the reason for.
func (s *Control) pause(e *congestion.Event) {
	if quiet := e.Now - s.heard; s.epoch != 0 && quiet > 0 {
		switch {
		case e.AppLimited:
			s.epoch += quiet
		case e.SRTT > 0 && quiet > 2*e.SRTT:
			s.epoch += quiet - e.SRTT
		}
	}
	s.heard = e.Now
}

// avoid is the window in congestion avoidance (RFC 9438 §4.2 to §4.5).
func (s *Control) avoid(e *congestion.Event, bytes, acked uint32) uint32 {
	mss := float64(e.MSS)
	segments := float64(acked) / mss
	if s.epoch == 0 {
		s.epoch = e.Now
		s.cwnd = float64(bytes) / mss
		s.wEst = s.cwnd
		if s.wMax <= s.cwnd {
			s.wMax, s.k = s.cwnd, 0
		} else {
			s.k = math.Cbrt((s.wMax - s.cwnd) / c)
		}
		if s.prior < s.cwnd {
			s.prior = s.cwnd
		}
	} else if exact := uint32(s.cwnd * mss); exact > bytes+e.MSS || exact+e.MSS < bytes {
		s.cwnd = float64(bytes) / mss // the window was changed by someone else
	}
	t := float64(e.Now-s.epoch) / 1e9
	rtt := float64(e.SRTT) / 1e9
	// RFC 9438 §4.3: as fast as Reno once it is where Reno was.
	a := float64(alpha)
	if s.wEst >= s.prior {
		a = 1
	}
	s.wEst += float64(a * segments / s.cwnd)
	if w := s.curve(t); w < s.wEst {
		s.cwnd = max(s.cwnd, s.wEst)
	} else {
		target := min(max(s.curve(t+rtt), s.cwnd), 1.5*s.cwnd)
		s.cwnd += float64((target - s.cwnd) / s.cwnd * segments)
	}
	return uint32(min(s.cwnd*mss, congestion.Infinite/2))
}

// curve is W_cubic(t) (RFC 9438 equation 1).
func (s *Control) curve(t float64) float64 {
	x := t - s.k
	return float64(c*float64(x*float64(x*x))) + s.wMax
}
