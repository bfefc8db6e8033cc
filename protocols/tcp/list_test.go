package tcp_test

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// lists checks the lines of the list of sockets.
func (p *peer) lists(expected ...string) {
	p.T.Helper()
	var got []string
	p.Domain.Do(func() {
		for _, e := range p.host.SocketEntries() {
			line := fmt.Sprintf("state %d, %d:%d", e.State, e.Received, e.Unsent)
			if e.Timer != 0 {
				line += fmt.Sprintf(", timer %d in %v", e.Timer, e.Left.Round(100*time.Millisecond))
			}
			if e.Inode != 0 {
				line += fmt.Sprintf(", %d of %d", e.Inode, e.UID)
			}
			got = append(got, line)
		}
	})
	if !slices.Equal(got, expected) {
		p.T.Errorf("the list is\n%q, expected\n%q", got, expected)
	}
}

// /proc/net/tcp shows a listener with what waits there, requests and connections that
// nobody accepted without a number, what waits in both directions, and the timers.
func TestSocketsAreListed(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		l := p.listen(3)
		p.Domain.Do(func() { l.SetOwner(77, 1000) })
		p.in(syn, mss(1460))
		p.out(synack, seq(0), ack(1))
		p.lists("state 10, 0:3, 77 of 1000", "state 3, 0:0, timer 1 in 1s")
		p.in(plain)
		p.lists("state 10, 1:3, 77 of 1000", "state 1, 0:0")
		c := l.accept()
		p.Domain.Do(func() { c.SetOwner(78, 0) })
		l.closes()
		p.in(plain, data("hello"))
		p.out(plain, ack(6))
		c.writes("bye")
		p.out(push, data("bye"))
		p.lists("state 1, 5:3, timer 1 in 200ms, 78 of 0")
		p.in(plain)
		p.lists("state 1, 5:0, 78 of 0")
		c.reads("hello")
		c.shuts(1)
		p.out(fin)
		p.in(plain)
		p.in(fin)
		p.out(plain)
		p.lists("state 6, 0:0, timer 3 in 1m0s, 78 of 0")
		c.closes()
		p.lists("state 6, 0:0, timer 3 in 1m0s")
	})
}
