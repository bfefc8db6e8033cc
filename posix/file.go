package posix

import (
	"errors"
	"io"
	"sync"
	"syscall"

	"github.com/libos-go/libos/core"
)

// File is a file of the caller: a descriptor of it has a position of its own. Its
// methods may be called from several goroutines.
type File interface {
	io.ReaderAt
	io.WriterAt
	// Size is the length in bytes.
	Size() (int64, error)
	Close() error
}

// file is a File as an object.
type file struct {
	f        File
	mu       sync.Mutex // the position, and appends
	position int64
}

// Install gives f a descriptor, opened for reading and writing: InstallFlags has
// other flags. EMFILE is -1, and f is closed.
func (p *Process) Install(f File) int {
	fd, _ := p.InstallFlags(f, O_RDWR)
	return fd
}

// InstallFlags is Install with flags as open(2) has them: O_RDONLY, O_WRONLY or
// O_RDWR, O_APPEND and O_CLOEXEC count.
func (p *Process) InstallFlags(f File, flags int) (int, error) {
	if f == nil || flags&O_ACCMODE == O_ACCMODE {
		return -1, syscall.EINVAL
	}
	return p.open(&file{f: f}, flags&^O_CLOEXEC, flags&O_CLOEXEC != 0)
}

func (f *file) ready() core.Ready { return core.ReadyIn | core.ReadyOut }

func (f *file) watch(*watch) {}

func (f *file) unwatch(*watch) {}

func (f *file) close() error { return errno(f.f.Close()) }

// pollable: a file is ready always, so that epoll refuses it.
func (f *file) pollable() bool { return false }

// errno is err as a system call has it: EIO for what is none.
func errno(err error) error {
	var e syscall.Errno
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &e):
		return e
	}
	return syscall.EIO
}

func (f *file) read(iov [][]byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.readAt(iov, f.position)
	f.position += int64(n)
	return n, err
}

// readAt reads from a place on; the end of the file and an error after some bytes
// end it with less.
func (f *file) readAt(iov [][]byte, at int64) (n int, err error) {
	for _, b := range iov {
		if len(b) == 0 {
			continue
		}
		k, err := f.f.ReadAt(b, at+int64(n))
		n += k
		if k < len(b) {
			if n > 0 {
				return n, nil
			}
			return 0, errno(err)
		}
	}
	return n, nil
}

func (f *file) writeAt(iov [][]byte, at int64) (n int, err error) {
	for _, b := range iov {
		if len(b) == 0 {
			continue
		}
		k, err := f.f.WriteAt(b, at+int64(n))
		n += k
		if err != nil {
			if n > 0 {
				return n, nil
			}
			return 0, errno(err)
		}
	}
	return n, nil
}

// write writes at the position, or with end at the file's end.
func (f *file) writeOn(iov [][]byte, end bool) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if end {
		size, err := f.f.Size()
		if err != nil {
			return 0, errno(err)
		}
		f.position = size
	}
	n, err := f.writeAt(iov, f.position)
	f.position += int64(n)
	return n, err
}

func (f *file) write(iov [][]byte) (int, error) { return f.writeOn(iov, false) }

func (f *file) ioctl(request uint) (int, error) {
	if request != FIONREAD {
		return 0, syscall.ENOTTY
	}
	size, err := f.f.Size()
	if err != nil {
		return 0, errno(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return int(size - f.position), nil
}

// Whences of lseek(2).
const (
	SEEK_SET = 0
	SEEK_CUR = 1
	SEEK_END = 2
)

// Lseek is lseek(2): ESPIPE for what is no file.
func (p *Process) Lseek(fd int, offset int64, whence int) (int64, error) {
	f, _, err := p.file(fd)
	if err != nil {
		return -1, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch whence {
	case SEEK_SET:
	case SEEK_CUR:
		offset += f.position
	case SEEK_END:
		size, err := f.f.Size()
		if err != nil {
			return -1, errno(err)
		}
		offset += size
	default:
		return -1, syscall.EINVAL
	}
	if offset < 0 {
		return -1, syscall.EINVAL
	}
	f.position = offset
	return offset, nil
}

func (p *Process) file(fd int) (*file, *description, error) {
	d, err := p.get(fd)
	if err != nil {
		return nil, nil, err
	}
	f, ok := d.object.(*file)
	if !ok {
		return nil, nil, syscall.ESPIPE
	}
	return f, d, nil
}

// Pread is pread(2).
func (p *Process) Pread(fd int, b []byte, offset int64) (int, error) {
	f, d, err := p.file(fd)
	switch {
	case offset < 0:
		return -1, syscall.EINVAL
	case err != nil:
		return -1, err
	case !d.readable():
		return -1, syscall.EBADF
	}
	n, err := f.readAt([][]byte{b}, offset)
	if err != nil {
		return -1, err
	}
	return n, nil
}

// Pwrite is pwrite(2).
func (p *Process) Pwrite(fd int, b []byte, offset int64) (int, error) {
	f, d, err := p.file(fd)
	switch {
	case offset < 0:
		return -1, syscall.EINVAL
	case err != nil:
		return -1, err
	case !d.writable():
		return -1, syscall.EBADF
	}
	n, err := f.writeAt([][]byte{b}, offset)
	if err != nil {
		return -1, err
	}
	return n, nil
}
