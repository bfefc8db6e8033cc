//go:build unix

package tun

import (
	"io"
	"syscall"

	"github.com/libos-go/libos/core"
)

// batcher reads what waits: it blocks for the first frame and then reads on
// until there is none or the buffer is full.
func batcher(file io.Reader) func([]byte, []core.Frame) ([]core.Frame, error) {
	sc, ok := file.(syscall.Conn)
	if !ok {
		return readOne(file)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return readOne(file)
	}
	return func(buf []byte, frames []core.Frame) ([]core.Frame, error) {
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			for len(frames) < batchFrames && len(buf) >= frameRoom {
				n, err := syscall.Read(int(fd), buf[:frameRoom])
				switch {
				case err == syscall.EINTR:
					continue
				case err == syscall.EAGAIN:
					return len(frames) > 0
				case err != nil:
					failed = err
					return true
				case n == 0:
					failed = io.EOF
					return true
				}
				frames = append(frames, core.Frame{Data: buf[:n:n]})
				buf = buf[n:]
			}
			return true
		})
		if err == nil {
			err = failed
		}
		return frames, err
	}
}
