package impair

import "errors"

// Reorder lets single frames overtake those that are being delayed: with Gap 0
// none; otherwise every Gap-th frame, with probability P, is sent at once (netem's
// "reorder P CORRELATION gap GAP"). Where nothing is delayed nothing is overtaken.
type Reorder struct {
	Chance
	// Gap is 1 or more where P is set: with 1 each frame has the chance.
	Gap int
}

// Check finds values out of range and a probability without gap.
func (r Reorder) Check() error {
	if err := r.Chance.Check("reorder"); err != nil {
		return err
	}
	if r.Gap < 0 {
		return errors.New("reorder gap is negative; 1 gives every frame the chance")
	}
	if r.P > 0 && r.Gap == 0 {
		return errors.New("reorder without a gap overtakes nothing: set gap to 1 or more")
	}
	return nil
}

// Start is the state of one direction of one link.
func (r Reorder) Start() Reorderer {
	return Reorderer{gap: r.Gap, dice: r.Chance.Start()}
}

// Reorderer answers a Reorder.
type Reorderer struct {
	gap, count int
	dice       Dice
}

// Ahead tells whether the next frame overtakes.
func (r *Reorderer) Ahead(s Source) bool {
	if r.gap == 0 {
		return false
	}
	if r.count < r.gap-1 || !r.dice.Roll(s) {
		r.count++
		return false
	}
	r.count = 0
	return true
}
