package impair

import "fmt"

// Every loses each frame whose number can be divided by N, and draws nothing: the
// deterministic losses that response functions of congestion controls assume (RFC
// 9438 §5).
type Every struct{ N int }

// Check implements Loss.
func (m Every) Check() error {
	if m.N < 1 {
		return fmt.Errorf("loss of every %d-th frame: the number is at least 1", m.N)
	}
	return nil
}

// Start implements Loss: the first loss is the N-th frame.
func (m Every) Start() Loser { return &every{n: m.N, left: m.N} }

type every struct{ n, left int }

func (m *every) Lose(Source) bool {
	if m.left--; m.left > 0 {
		return false
	}
	m.left = m.n
	return true
}
