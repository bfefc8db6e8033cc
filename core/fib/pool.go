package fib

import "math/bits"

const (
	chunkShift = 10
	chunkLen   = 1 << chunkShift
	firstChunk = 16
	sizes      = 12
)

// pool keeps runs of 1 to 64 elements in chunks, named by index, so that the
// collector sees a few large objects. A run has the room of its size class:
// 1, 2, 3, 4, 6, 8, 12 … 48, 64. The first chunk grows as a slice does, so
// pointers into the pool do not outlive insert and remove; the others are whole
// from the start.
type pool[T any] struct {
	chunks [][]T
	used   uint32          // of the last chunk
	free   [sizes][]uint32 // runs given back
}

func (p *pool[T]) at(i uint32) *T { return &p.chunks[i>>chunkShift][i%chunkLen] }

// run is the n elements from i on.
func (p *pool[T]) run(i uint32, n int) []T {
	from := int(i % chunkLen)
	return p.chunks[i>>chunkShift][from : from+n]
}

// class returns the size class for n ≥ 1 elements.
func class(n int) int {
	if n <= 2 {
		return n - 1
	}
	// Two classes for each power of two: 3·2^(b-2) and 2^b.
	b := bits.Len(uint(n - 1))
	if n <= 3<<(b-2) {
		return 2*b - 2
	}
	return 2*b - 1
}

func classLen(c int) int {
	if c < 2 {
		return c + 1
	}
	if b := c/2 + 1; c%2 == 0 {
		return 3 << (b - 2)
	}
	return 1 << (c/2 + 1)
}

func (p *pool[T]) alloc(c int) uint32 {
	if f := p.free[c]; len(f) > 0 {
		i := f[len(f)-1]
		p.free[c] = f[:len(f)-1]
		return i
	}
	n := classLen(c)
	if len(p.chunks) == 0 {
		p.chunks = append(p.chunks, make([]T, firstChunk))
	}
	last := len(p.chunks) - 1
	size := len(p.chunks[last])
	if need := int(p.used) + n; need > chunkLen {
		p.giveRest()
		p.chunks = append(p.chunks, make([]T, chunkLen))
		p.used = 0
		last++
	} else if need > size {
		for need > size {
			size *= 2
		}
		grown := make([]T, size)
		copy(grown, p.chunks[last])
		p.chunks[last] = grown
	}
	i := uint32(last)<<chunkShift | p.used
	p.used += uint32(n)
	return i
}

// giveRest frees what is left of the last chunk.
func (p *pool[T]) giveRest() {
	last := len(p.chunks) - 1
	for c := sizes - 1; c >= 0; c-- {
		for n := classLen(c); int(p.used)+n <= chunkLen; p.used += uint32(n) {
			p.free[c] = append(p.free[c], uint32(last)<<chunkShift|p.used)
		}
	}
}

// insert puts x before element at of a run of n elements and returns the run,
// which may be another one. A run of no elements has no index.
func (p *pool[T]) insert(run uint32, n, at int, x T) uint32 {
	if n > 0 && class(n) == class(n+1) {
		s := p.run(run, n+1)
		copy(s[at+1:], s[at:])
		s[at] = x
		return run
	}
	moved := p.alloc(class(n + 1))
	s := p.run(moved, n+1)
	if n > 0 {
		old := p.run(run, n)
		copy(s, old[:at])
		copy(s[at+1:], old[at:])
		p.release(run, old)
	}
	s[at] = x
	return moved
}

// remove takes out element at of a run of n and returns the run, which may be
// another one.
func (p *pool[T]) remove(run uint32, n, at int) uint32 {
	if n > 1 && class(n-1) == class(n) {
		s := p.run(run, n)
		copy(s[at:], s[at+1:])
		clear(s[n-1:])
		return run
	}
	moved := uint32(0)
	if n > 1 {
		moved = p.alloc(class(n - 1))
		s, old := p.run(moved, n-1), p.run(run, n)
		copy(s, old[:at])
		copy(s[at:], old[at+1:])
	}
	p.release(run, p.run(run, n))
	return moved
}

// release clears a run, so that nothing hangs on it, and frees it.
func (p *pool[T]) release(run uint32, s []T) {
	clear(s)
	c := class(len(s))
	p.free[c] = append(p.free[c], run)
}
