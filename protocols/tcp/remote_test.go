package tcp_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"net"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/device/pipe"
)

// digest is a tap that sums every frame with its time and direction.
type digest struct {
	hash.Hash
	frames int
}

// Tap implements core.Tap.
func (d *digest) Tap(ifc *core.Interface, p *core.Packet, out bool) {
	b := make([]byte, 9+p.Len())
	binary.BigEndian.PutUint64(b, uint64(ifc.Instance().Now()))
	if out {
		b[8] = 1
	}
	p.CopyOut(0, b[9:])
	d.Write(b)
	d.frames++
}

// course is one lossy transfer by a congestion control: the capture at the sender,
// and its window and threshold every 10 ms.
func course(t *testing.T, cc congestion.Algorithm) (capture string, windows []byte) {
	w := pipe.Wire{Rate: 20_000_000, Delay: 10 * time.Millisecond, Loss: 0.01, Reorder: 0.01, QueueLen: 30}
	p := newPair(t, pipe.Config{Wire: w, Name: "course"}, cc)
	d := &digest{Hash: sha256.New()}
	p.Domain.Do(func() {
		for _, ifc := range p.a.Interfaces() {
			ifc.AddTap(d)
		}
	})
	l, err := p.b.Listen("tcp", net.JoinHostPort(addrB, "80"))
	if err != nil {
		t.Fatal(err)
	}
	data := noise(1, 2_000_000)
	finished := 0
	p.Go("server", func() {
		c, err := l.Accept()
		if err != nil {
			p.check(err)
			return
		}
		got, err := io.ReadAll(c)
		p.check(err)
		if !bytes.Equal(got, data) {
			t.Error("the bytes that arrived are not those that were sent")
		}
		p.check(c.Close())
		p.check(l.Close())
		finished++
	})
	p.Go("client", func() {
		c, err := p.a.Dial("tcp", net.JoinHostPort(addrB, "80"))
		if err != nil {
			p.check(err)
			return
		}
		p.Go("watch", func() {
			for finished == 0 {
				var b [104]byte
				if _, err := c.(*core.Conn).Socket().Option(core.SolTCP, tcpInfo, b[:]); err != nil {
					break
				}
				windows = append(windows, b[72:80]...) // snd_ssthresh, snd_cwnd
				p.check(p.a.Sleep(10 * time.Millisecond))
			}
		})
		_, err = c.Write(data)
		p.check(err)
		p.check(c.Close())
		finished++
	})
	for range 60 {
		if p.Advance(time.Minute); finished == 2 {
			break
		}
	}
	if finished != 2 || p.Counter(p.a, "TcpExt", "TCPSackRecovery") == 0 {
		t.Errorf("%d of 2 tasks ended, %d recoveries", finished, p.Counter(p.a, "TcpExt", "TCPSackRecovery"))
	}
	return fmt.Sprintf("%d frames %x", d.frames, d.Sum(nil)), windows
}

// A congestion control decides the same, byte for byte and instant for instant,
// whether it is linked in or served across bytes.
func TestARemoteCongestionControlGivesTheSameCapture(t *testing.T) {
	captures := map[string]string{}
	for _, cc := range algorithms() {
		near, windows := course(t, cc)
		far, remote := course(t, congestion.Remote(cc))
		if near != far {
			t.Errorf("%s: %s linked in, %s remote", cc.Name, near, far)
		}
		if len(windows) < 100 || !bytes.Equal(windows, remote) {
			t.Errorf("%s: the windows differ, or only %d were seen", cc.Name, len(windows)/8)
		}
		captures[near] = cc.Name
	}
	if len(captures) != 2 {
		t.Error("both algorithms gave one capture")
	}
}

// The quick rows of the matrix, behind bytes.
func TestTransfersEndRightWithRemoteCongestionControls(t *testing.T) {
	for _, cc := range algorithms() {
		for _, x := range paths() {
			if x.name == "loss 0.05" || x.name == "everything" || x.name == "without SACK" {
				x.each(t, 1, congestion.Remote(cc))
			}
		}
	}
}
