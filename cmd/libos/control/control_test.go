package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestDatagramsKeepTheirBoundaries(t *testing.T) {
	var b bytes.Buffer
	for _, p := range []string{"", "one", strings.Repeat("x", maxDatagram)} {
		if err := writePacket(&b, "10.0.0.1:7", []byte(p)); err != nil {
			t.Fatal(err)
		}
	}
	if err := writePacket(&b, "", make([]byte, maxDatagram+1)); err == nil {
		t.Error("a datagram that is too long passed")
	}
	buf := make([]byte, 5)
	for _, want := range []string{"", "one", "xxxxx"} {
		n, from, err := readPacket(&b, buf)
		if err != nil || string(buf[:n]) != want || from != "10.0.0.1:7" {
			t.Errorf("%q from %s, %v; want %q", buf[:n], from, err, want)
		}
	}
	if _, _, err := readPacket(&b, buf); err == nil {
		t.Error("read beyond the end")
	}
}

func TestErrorsCrossWithTheirErrno(t *testing.T) {
	s := serve(t, map[string]Operation{})
	_, err := s.DialContext(t.Context(), "", "tcp", "10.0.0.1:80")
	if err == nil || !strings.Contains(err.Error(), "no instance") && !strings.Contains(err.Error(), "which instance") {
		t.Errorf("without an instance: %v", err)
	}
	if err := s.Call(t.Context(), "dance", "", nil, nil); err == nil || !strings.Contains(err.Error(), `no operation "dance"`) {
		t.Errorf("an unknown operation: %v", err)
	}
	if a := failure(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}); a.Errno != int(syscall.ECONNREFUSED) {
		t.Errorf("errno %d", a.Errno)
	}
	if !errors.Is(&Error{"refused", syscall.ECONNREFUSED}, syscall.ECONNREFUSED) {
		t.Error("the errno is not found in the error")
	}
}

func serve(t *testing.T, operations map[string]Operation) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	s, err := Serve(path, nil, operations)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &Client{Path: path}
}

func TestTheListOfNothingIsEmpty(t *testing.T) {
	c := serve(t, nil)
	if list, err := c.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := Serve(c.Path, nil, nil); err == nil || !strings.Contains(err.Error(), "a stack is running there") {
		t.Errorf("a second server: %v", err)
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	c := serve(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.List(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func FuzzPacket(f *testing.F) {
	f.Add([]byte("\x0510:20\x00\x03abc"))
	f.Add([]byte{0, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		buf := make([]byte, 16)
		r := bytes.NewReader(b)
		for {
			n, from, err := readPacket(r, buf)
			if n < 0 || n > len(buf) || len(from) > 255 {
				t.Fatalf("%d bytes from %q", n, from)
			}
			if err != nil {
				return
			}
		}
	})
}

func FuzzLine(f *testing.F) {
	f.Add([]byte(`{"op":"dial","args":{"network":"tcp"}}` + "\n"))
	f.Add([]byte("[]\n{"))
	f.Fuzz(func(t *testing.T, b []byte) {
		near, far := net.Pipe()
		defer near.Close()
		go func() {
			_, _ = far.Write(b)
			_ = far.Close()
		}()
		c := &conn{near, bufio.NewReader(near)}
		for {
			var q request
			if err := c.readLine(&q); err != nil {
				return
			}
		}
	})
}
