package core_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// upTo keeps what is written to it and refuses what goes beyond so many bytes.
type upTo struct {
	bytes.Buffer
	fails int
}

func (p *upTo) Write(b []byte) (int, error) {
	if p.Len()+len(b) > p.fails {
		return 0, io.ErrClosedPipe
	}
	return p.Buffer.Write(b)
}

func TestCopyingFromAConnection(t *testing.T) {
	inBothTimes(t, func(t *testing.T, h *hosts) {
		c, s := stream(t, h)
		data := bytes.Repeat([]byte("0123456789abcdef"), 20000)
		h.Host.Start("writer", func() {
			if _, err := c.Write(data); err != nil {
				t.Error(err)
			}
			if err := c.CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		got := upTo{fails: len(data)}
		n, err := io.Copy(&got, s)
		if n != int64(len(data)) || err != nil || !bytes.Equal(got.Bytes(), data) {
			t.Errorf("copied %d of %d bytes, %v", n, len(data), err)
		}
	})
}

func TestACopyEndsWithWhatItsWriterSays(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		c, s := stream(t, h)
		_, err := c.Write([]byte("hello"))
		ok(t, err)
		n, err := s.WriteTo(&upTo{fails: 3})
		if n != 0 || err != io.ErrClosedPipe {
			t.Errorf("%d bytes, %v", n, err)
		}
		ok(t, s.SetReadDeadline(h.Host.WallNow().Add(time.Second)))
		_, err = s.WriteTo(io.Discard)
		opError(t, err, "read", os.ErrDeadlineExceeded)
		ok(t, s.Close())
		_, err = s.WriteTo(io.Discard)
		opError(t, err, "read", net.ErrClosed)
	})
}
