package core_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

func TestZerosArriveBetweenOtherBytes(t *testing.T) {
	inBothTimes(t, func(t *testing.T, h *hosts) {
		c, s := stream(t, h)
		const zeros = 300_001 // more than a page of them, and than the windows at first
		want := append(append([]byte("head"), make([]byte, zeros)...), "tail"...)
		want = append(want, make([]byte, 5)...)
		h.Host.Start("writer", func() {
			for _, text := range []string{"head", "tail"} {
				n := map[string]int{"head": zeros, "tail": 5}[text]
				if _, err := c.Write([]byte(text)); err != nil {
					t.Error(err)
				}
				if sent, err := c.WriteZeros(n); sent != n || err != nil {
					t.Errorf("%d of %d zeros sent, %v", sent, n, err)
				}
			}
			if err := c.CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		got, err := io.ReadAll(s)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes arrived, %v; want %d, four of them at either end of the zeros", len(got), err, len(want))
		}
	})
}

func TestZerosTakeNoMemory(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		c, s := stream(t, h)
		before := h.b.Account().Bytes()
		const n = 16 << 10
		if _, err := c.WriteZeros(n); err != nil {
			t.Fatal(err)
		}
		ok(t, h.a.Sleep(time.Second))
		if got := h.b.Account().Bytes() - before; got > n/4 {
			t.Errorf("%d zeros that wait to be read hold %d bytes", n, got)
		}
		if k, err := io.ReadFull(s, make([]byte, n)); k != n {
			t.Errorf("%d zeros read, %v", k, err)
		}
	})
}

func TestDiscardThrowsAway(t *testing.T) {
	inBothTimes(t, func(t *testing.T, h *hosts) {
		c, s := stream(t, h)
		_, err := c.Write([]byte("0123456789"))
		ok(t, err)
		ok(t, c.CloseWrite())
		if n, err := s.Discard(4); n != 4 || err != nil {
			t.Fatalf("Discard(4) is %d, %v", n, err)
		}
		b := make([]byte, 2)
		if _, err := io.ReadFull(s, b); err != nil || string(b) != "45" {
			t.Errorf("read %q after it, %v", b, err)
		}
		if n, err := s.Discard(1000); n != 4 || err != nil {
			t.Errorf("Discard(1000) with four bytes left is %d, %v", n, err)
		}
		if n, err := s.Discard(1000); n != 0 || err != io.EOF {
			t.Errorf("Discard at the end is %d, %v", n, err)
		}
		ok(t, c.SetReadDeadline(h.Host.WallNow().Add(-time.Second)))
		_, err = c.Discard(1)
		opError(t, err, "read", os.ErrDeadlineExceeded)
		ok(t, c.Close())
		_, err = c.Discard(1)
		opError(t, err, "read", net.ErrClosed)
		_, err = c.WriteZeros(1)
		opError(t, err, "write", net.ErrClosed)
	})
}

func TestDatagramsOfZerosAndDiscardedOnes(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		l, err := h.b.ListenPacket("udp", addrB+":9")
		ok(t, err)
		defer l.Close()
		x, err := h.a.Dial("udp", addrB+":9")
		ok(t, err)
		defer x.Close()
		c := x.(*core.PacketConn)
		_, err = c.WriteZeros(100)
		ok(t, err)
		b := make([]byte, 200)
		n, from, err := l.ReadFrom(b)
		if n != 100 || err != nil || !bytes.Equal(b[:n], make([]byte, n)) {
			t.Errorf("%d bytes, %v", n, err)
		}
		for _, text := range []string{"first", "second"} {
			_, err = l.WriteTo([]byte(text), from)
			ok(t, err)
		}
		if n, err := c.Discard(100); n != len("first") || err != nil {
			t.Errorf("Discard of a datagram is %d, %v", n, err)
		}
		if n, err := c.Read(b); err != nil || string(b[:n]) != "second" {
			t.Errorf("%q, %v after it", b[:n], err)
		}
	})
}
