//go:build linux && (amd64 || arm64)

package guest

import (
	"encoding/binary"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/guest/trap"
	"github.com/libos-go/libos/posix/procfs"
)

// Files that are written, those of settings. Only a write whose call is stopped can
// fail, and a filter sees the number of a descriptor and not what it is: so that a file
// opened for writing gets one of a few numbers, at which writes are stopped. If it has
// been duplicated to another (as a shell does for `>`), what is written arrives in our
// end of a pair, and takes effect before the next call of any program is answered; that
// a value is refused nobody learns then.

// The numbers at which writes are stopped. Most programs may have 1024 descriptors.
const (
	writeFrom = 1000
	writeTo   = 1015
)

// writeCalls are the calls that write.
func writeCalls() []call {
	here := []trap.Condition{trap.Between(0, writeFrom, writeTo)}
	return []call{
		{unix.SYS_WRITE, here, (*request).writeCall},
		{unix.SYS_PWRITE64, here, (*request).writeCall},
		{unix.SYS_WRITEV, here, (*request).writeCall},
	}
}

// setting is a file that is open for writing.
type setting struct {
	node *procfs.Node
	file *os.File // our end of its pair
	raw  syscall.RawConn
	fd   int // of file
}

// maxSetting is the longest value.
const maxSetting = 4096

// openSetting is open(2) of a file for writing.
func (r *request) openSetting(n *procfs.Node, flags int) error {
	var text []byte
	if flags&unix.O_ACCMODE == unix.O_RDWR {
		var err error
		if text, err = n.Read(); err != nil {
			return err
		}
	}
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	s, end := &setting{node: n, file: os.NewFile(uintptr(p[0]), "setting"), fd: p[0]}, p[1]
	defer unix.Close(end)
	var st unix.Stat_t
	if s.raw, err = s.file.SyscallConn(); err == nil {
		err = unix.Fstat(end, &st)
	}
	if err == nil && flags&unix.O_NONBLOCK == 0 {
		err = unix.SetNonblock(end, false)
	}
	if err == nil && len(text) > 0 {
		_, err = unix.Write(s.fd, text)
	}
	if err == nil {
		err = unix.Shutdown(s.fd, unix.SHUT_WR) // after which reading finds the end
	}
	if err != nil {
		_ = s.file.Close()
		return err
	}
	f := r.g.files
	f.pending.Lock()
	f.settings[st.Ino] = s
	f.pending.Unlock()
	if err = r.returnAt(end, flags&unix.O_CLOEXEC != 0); err != nil {
		f.pending.Lock()
		f.drop(st.Ino, s)
		f.pending.Unlock()
		return err
	}
	r.g.running.Go(func() { f.await(st.Ino, s) })
	return nil
}

// returnAt ends the call with a copy of end at one of the numbers, or at the lowest
// one where the caller cannot have it: with nearly so many descriptors that another of
// its threads could get the number meanwhile.
func (r *request) returnAt(end int, cloexec bool) error {
	if !r.free(writeFrom - 8) {
		return r.l.ReturnFD(&r.c, end, cloexec)
	}
	for fd := writeFrom; fd <= writeTo; fd++ {
		if !r.free(fd) {
			continue
		}
		err := r.l.ReturnFDAt(&r.c, end, fd, cloexec)
		if err == nil || err == trap.ErrGone {
			return err
		}
		break // beyond what it may have
	}
	return r.l.ReturnFD(&r.c, end, cloexec)
}

// free tells whether the caller has no descriptor of that number.
func (r *request) free(fd int) bool {
	n, err := r.c.Descriptor(fd)
	if err == nil {
		_ = unix.Close(n)
	}
	return err == unix.EBADF
}

// writeCall is a write at one of the numbers.
func (r *request) writeCall() {
	fd, err := r.c.Descriptor(r.arg(0))
	if err != nil {
		_ = r.fail(err)
		return
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	_ = unix.Close(fd)
	f := r.g.files
	f.pending.Lock()
	s := f.settings[st.Ino]
	f.pending.Unlock()
	if err != nil || s == nil {
		r.goOn()
		return
	}
	b, err := r.written()
	if err == nil {
		err = s.node.Write(string(b))
	}
	_ = r.done(len(b), err)
}

// written is what the call writes.
func (r *request) written() ([]byte, error) {
	if r.c.Number == unix.SYS_WRITEV {
		count := r.c.Args[2]
		if count > maxIov {
			return nil, unix.EINVAL
		}
		v := make([]byte, count*sizeofIovec)
		if err := r.c.Read(r.c.Args[1], v); err != nil {
			return nil, err
		}
		var list []piece
		for ; len(v) > 0; v = v[sizeofIovec:] {
			list = append(list, piece{binary.NativeEndian.Uint64(v), binary.NativeEndian.Uint64(v[8:])})
		}
		return r.gather(list, maxSetting)
	}
	n := r.c.Args[2]
	if n > maxSetting {
		return nil, unix.EINVAL
	}
	b := make([]byte, n)
	return b, r.c.Read(r.c.Args[1], b)
}

// apply writes what has come for settings. It is called before a call is answered.
func (f *files) apply() {
	f.pending.Lock()
	defer f.pending.Unlock()
	for _, s := range f.settings {
		s.take()
	}
}

// take writes what has come, and tells whether the program's end is closed.
func (s *setting) take() (over bool) {
	var b [maxSetting]byte
	for {
		n, _, err := unix.Recvfrom(s.fd, b[:], unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return err != unix.EAGAIN
		case n == 0:
			return true
		default:
			_ = s.node.Write(string(b[:n])) // nobody can be told
		}
	}
}

// await takes what comes for a setting until it is closed.
func (f *files) await(inode uint64, s *setting) {
	_ = s.raw.Read(func(uintptr) bool {
		f.pending.Lock()
		defer f.pending.Unlock()
		return f.settings[inode] != s || s.take()
	})
	f.pending.Lock()
	defer f.pending.Unlock()
	f.drop(inode, s)
}

// drop forgets a setting. The mutex is held.
func (f *files) drop(inode uint64, s *setting) {
	if f.settings[inode] == s {
		delete(f.settings, inode)
		_ = s.file.Close()
	}
}
