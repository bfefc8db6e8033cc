package impair

import "time"

// Config is all that happens to the frames of one direction. The zero value does
// nothing.
type Config struct {
	Delay     Delay
	Loss      Loss // nil for none
	Duplicate Chance
	Corrupt   Chance
	Reorder   Reorder
}

// Check finds values out of range.
func (c *Config) Check() error {
	if err := c.Delay.Check(); err != nil {
		return err
	}
	if c.Loss != nil {
		if err := c.Loss.Check(); err != nil {
			return err
		}
	}
	if err := c.Duplicate.Check("duplicate"); err != nil {
		return err
	}
	if err := c.Corrupt.Check("corrupt"); err != nil {
		return err
	}
	return c.Reorder.Check()
}

// Start is the state of one direction of one link, with nothing drawn yet.
func (c *Config) Start() Line {
	l := Line{delay: c.Delay.Start(), duplicate: c.Duplicate.Start(), corrupt: c.Corrupt.Start(), reorder: c.Reorder.Start()}
	if c.Loss != nil {
		l.loss = c.Loss.Start()
	}
	return l
}

// Line is the state of a Config. It is not safe for concurrent use.
type Line struct {
	delay              Delayer
	loss               Loser
	duplicate, corrupt Dice
	reorder            Reorderer
}

// Fate is what happens to one frame. A frame that is lost and duplicated goes on
// once, as netem has it.
type Fate struct {
	Copies    int  // how many go on: 0, 1 or 2
	Duplicate bool // the dice said twice
	Lost      bool // the dice said lost
}

// Count draws whether the next frame is duplicated and whether it is lost.
func (l *Line) Count(s Source) (f Fate) {
	f.Copies = 1
	if l.duplicate.Roll(s) {
		f.Duplicate = true
		f.Copies++
	}
	if l.loss != nil && l.loss.Lose(s) {
		f.Lost = true
		f.Copies--
	}
	return f
}

// Corrupts draws whether a frame is damaged; Bit says where.
func (l *Line) Corrupts(s Source) bool { return l.corrupt.Roll(s) }

// Ahead draws whether the next frame overtakes those being delayed: it is sent at
// once, and no Delay is drawn for it.
func (l *Line) Ahead(s Source) bool { return l.reorder.Ahead(s) }

// Delay draws the next frame's delay, at least 0.
func (l *Line) Delay(s Source) time.Duration { return l.delay.Next(s) }

// Bit chooses the bit of n bytes that is flipped: a byte's offset and a mask. n
// is positive.
func Bit(s Source, n int) (offset int, mask byte) {
	r := s.Uint64()
	return int((r >> 32) * uint64(n) >> 32), 1 << (r & 7)
}
