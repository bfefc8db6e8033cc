package shim

import (
	"sync"

	"github.com/libos-go/libos/core"
)

// lane carries messages one way. The receiver runs inside entries of its own
// Domain; neither side waits for the other.
type lane struct {
	mu      sync.Mutex
	waiting [][]byte
	posted  bool
	to      *core.Domain
	receive func(msg []byte)
	run     func()
}

func (l *lane) init(to *core.Domain, receive func([]byte)) {
	l.to, l.receive, l.run = to, receive, l.drain
}

// send hands over a copy of msg.
func (l *lane) send(msg []byte) {
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
		l.receive(msg)
	}
}
