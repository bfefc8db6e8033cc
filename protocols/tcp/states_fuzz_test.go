package tcp_test

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

// FuzzEveryState lets any segments arrive at a listener, at a connection that
// opens and at one that stands, with numbers near those in use. Each takes ten
// bytes: flags, offsets of seq and ack, window, option bytes and payload. The
// instance must stand it with bounded memory and nothing left in its slabs.
func FuzzEveryState(f *testing.F) {
	f.Add([]byte{0x02, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0x10, 1, 0, 1, 0, 0xff, 0, 0, 0, 0})
	f.Add([]byte{0x12, 0, 0, 1, 0, 4, 1, 0, 0, 1, 0x11, 1, 0, 1, 0, 0xff, 2, 0, 0, 9, 0x04, 2, 0, 1, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0x38, 1, 0, 2, 0, 9, 0, 2, 3, 7, 0x10, 0xff, 0xff, 0, 0, 0, 3, 1, 2, 3, 0x19, 5, 0, 1, 0, 1, 0, 5, 1, 40})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newPeer(t, addrA, addrB)
		p.setting("tcp_max_syn_backlog", "4")
		l := p.listen(2)
		toListener := p.at(41000)
		open := p.at(42000)
		open.connect()
		open.out(syn)
		standing := p.at(43000)
		c := standing.established(ts(1, 0), sackOK(), wscale(2))
		c.writes("data that wait")
		peers := []*peer{toListener, open, standing}
		for i := 0; len(b) >= 10 && i < 200; i++ {
			x := b[:10]
			b = b[10:]
			q := peers[int(x[6])%3]
			parts := []part{seq(int(int16(uint16(x[1]) | uint16(x[2])<<8))), ack(int(int16(uint16(x[3]) | uint16(x[4])<<8))),
				win(int(x[5]) << 8), length(int(x[9])), urgent(int(x[8]))}
			switch x[7] % 6 {
			case 1:
				parts = append(parts, ts(int(int8(x[8])), int(x[8])))
			case 2:
				parts = append(parts, sack(int(x[8]), int(x[9]), int(x[9]), int(x[8])+9))
			case 3:
				parts = append(parts, raw(x[8], x[9], x[1], x[2]))
			case 4:
				parts = append(parts, mss(int(x[8])), wscale(int(x[9])), sackOK())
			}
			letters := ""
			for bit, name := range "FSRP.U" {
				if x[0]>>bit&1 != 0 {
					letters += string(name)
				}
			}
			if letters == "" {
				letters = string(bare)
			}
			q.in(control(letters), parts...)
			q.drop()
			switch x[8] % 16 {
			case 1:
				p.wait(time.Second)
			case 2:
				c.Receive(&core.Message{Data: make([]byte, 100)})
			case 3:
				c.Send(&core.Message{Data: make([]byte, 100)})
			case 4:
				_ = c.Shutdown(int(x[9]) % 3)
			case 5:
				if a, _, err := l.Accept(); err == nil {
					_ = a.Close()
				}
			}
			p.drop()
		}
		var used int64
		p.Domain.Do(func() { used = p.host.Account().Bytes() })
		if used > 4<<20 {
			t.Errorf("%d bytes are in use", used)
		}
		p.wait(10 * time.Minute)
		p.drop()
	})
}
