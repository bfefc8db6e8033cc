package core_test

import (
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
)

func TestTheSizeOfTheNextDatagram(t *testing.T) {
	each(t, datagrams, func(t *testing.T, h *hosts, k kind) {
		c, s, _ := h.pair(t, k, 7)
		send(t, c, "one")
		send(t, c, "three")
		for _, n := range []int{3, 5, 0} {
			if got, err := s.Ioctl(core.SIOCINQ); got != n || err != nil {
				t.Errorf("SIOCINQ %d, %v; want %d", got, err, n)
			}
			_, _ = receive(s, 9, core.MsgDontWait)
		}
		if n, err := c.Ioctl(core.SIOCOUTQ); n != 0 || err != nil {
			t.Errorf("SIOCOUTQ %d, %v", n, err)
		}
		_, err := c.Ioctl(core.SIOCATMARK)
		want(t, "SIOCATMARK", err, syscall.ENOTTY)
		ok(t, c.Close())
		_, err = c.Ioctl(core.SIOCINQ)
		want(t, "a closed socket", err, syscall.EBADF)
	})
}
