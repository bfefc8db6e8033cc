package shim

import (
	"sync"

	"github.com/libos-go/libos/core"
)

// lane carries messages one way: a remote.DevicePeer. The receiver runs inside
// entries of its own Domain; neither side waits for the other.
type lane struct {
	mu      sync.Mutex
	waiting [][]byte
	posted  bool
	to      *core.Domain
	receive func(msg []byte) error
	run     func()
}

func (l *lane) init(to *core.Domain, receive func([]byte) error) {
	l.to, l.receive, l.run = to, receive, l.drain
}

// Offer implements remote.DevicePeer.
func (l *lane) Offer(msg []byte) bool {
	l.Post(msg)
	return true
}

// Post implements remote.DevicePeer: it hands over a copy of msg.
func (l *lane) Post(msg []byte) {
	l.mu.Lock()
	l.waiting = append(l.waiting, append([]byte(nil), msg...))
	post := !l.posted
	l.posted = true
	l.mu.Unlock()
	if post {
		l.to.Post(l.run)
	}
}

func (l *lane) drain() {
	l.mu.Lock()
	got := l.waiting
	l.waiting, l.posted = nil, false
	l.mu.Unlock()
	for _, msg := range got {
		if err := l.receive(msg); err != nil {
			l.to.Host().Log().Error("device: a message is not as it must be", "error", err)
		}
	}
}
