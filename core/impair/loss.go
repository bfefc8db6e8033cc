package impair

// Loss is a model of loss: Random, FourState, GilbertElliott or Every.
type Loss interface {
	// Check finds values that are no probabilities.
	Check() error
	// Start is the state of one direction of one link.
	Start() Loser
}

// Loser decides frame by frame.
type Loser interface {
	// Lose tells whether the next frame is lost.
	Lose(s Source) bool
}

// Random loses frames independently (Bernoulli), or with netem's correlation.
type Random Chance

// Check implements Loss.
func (m Random) Check() error { return Chance(m).Check("loss") }

// Start implements Loss.
func (m Random) Start() Loser {
	d := Chance(m).Start()
	return &d
}

// Lose implements Loser.
func (d *Dice) Lose(s Source) bool { return d.Roll(s) }

// FourState is the Markov chain of netem's "loss state" (Salsano, Ludovici,
// Ordine: Definition of a general and intuitive loss model for packet networks):
// state 1 receives in a gap, 2 receives in a burst, 3 loses in a burst, 4 loses a
// single frame in a gap. A field is the probability of going from one state to
// the other with the next frame; the frame shares the fate of the state entered.
type FourState struct {
	P13, P31, P32, P23, P14 float64
}

// TwoState is the simple Gilbert chain: p leads from receiving to losing, r back.
func TwoState(p, r float64) FourState { return FourState{P13: p, P31: r, P23: 1} }

// Check implements Loss.
func (m FourState) Check() error {
	for _, p := range []struct {
		name string
		v    float64
	}{
		{"loss state p13", m.P13}, {"loss state p31", m.P31}, {"loss state p32", m.P32}, {"loss state p23", m.P23}, {"loss state p14", m.P14},
		{"loss state p13 + p14", m.P13 + m.P14}, {"loss state p31 + p32", m.P31 + m.P32},
	} {
		if err := checkProbability(p.name, p.v); err != nil {
			return err
		}
	}
	return nil
}

// Start implements Loss: a chain in state 1.
func (m FourState) Start() Loser {
	return &fourState{p13: fraction(m.P13), p31: fraction(m.P31), p32: fraction(m.P32), p23: fraction(m.P23), p14: fraction(m.P14), state: 1}
}

type fourState struct {
	p13, p31, p32, p23, p14 uint64
	state                   uint8
}

func (m *fourState) Lose(s Source) bool {
	if m.state == 4 { // a single loss ends with itself: back without a draw
		m.state = 1
		return false
	}
	r := draw(s)
	switch m.state {
	case 1:
		if r < m.p14 {
			m.state = 4
		} else if r < m.p14+m.p13 {
			m.state = 3
		}
	case 2:
		if r < m.p23 {
			m.state = 3
		}
	case 3:
		if r < m.p32 {
			m.state = 2
		} else if r < m.p32+m.p31 {
			m.state = 1
		}
	}
	return m.state >= 3
}

// GilbertElliott is netem's "loss gemodel p r 1-h 1-k": a good and a bad state,
// each with a loss of its own. P leads from good to bad, R from bad to good.
type GilbertElliott struct {
	P, R     float64
	BadLoss  float64 // 1-h: the loss in the bad state
	GoodLoss float64 // 1-k: the loss in the good state
}

// Check implements Loss.
func (m GilbertElliott) Check() error {
	for _, p := range []struct {
		name string
		v    float64
	}{{"loss gemodel p", m.P}, {"loss gemodel r", m.R}, {"loss gemodel 1-h", m.BadLoss}, {"loss gemodel 1-k", m.GoodLoss}} {
		if err := checkProbability(p.name, p.v); err != nil {
			return err
		}
	}
	return nil
}

// Start implements Loss: a chain in the good state.
func (m GilbertElliott) Start() Loser {
	return &gilbertElliott{change: [2]uint64{fraction(m.P), fraction(m.R)}, loss: [2]uint64{fraction(m.GoodLoss), fraction(m.BadLoss)}}
}

type gilbertElliott struct {
	change, loss [2]uint64
	bad          uint8
}

// Lose draws the frame's fate in the state it finds and then the next state, as
// netem does: a frame is lost by the state before the change.
func (m *gilbertElliott) Lose(s Source) bool {
	at := m.bad
	if draw(s) < m.change[at] {
		m.bad ^= 1
	}
	return m.loss[at] != 0 && draw(s) < m.loss[at]
}
