//go:build linux && (amd64 || arm64)

package guest

import "sync"

// pumpSize is how many bytes a pump carries at once; no datagram is longer.
const pumpSize = 128 << 10

// idleBuffers is how many buffers a Guest keeps that no pump has.
const idleBuffers = 16

// buffers are those of a Guest's pumps, which have one only while they have something
// to carry. The one that was given back last is lent first: its memory is in the
// processor's cache.
type buffers struct {
	mu   sync.Mutex
	idle []*[pumpSize]byte
}

func (b *buffers) take() *[pumpSize]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.idle)
	if n == 0 {
		return new([pumpSize]byte)
	}
	buf := b.idle[n-1]
	b.idle = b.idle[:n-1]
	return buf
}

func (b *buffers) give(buf *[pumpSize]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.idle) < idleBuffers {
		b.idle = append(b.idle, buf)
	}
}
