//go:build linux && (amd64 || arm64)

package guest

import (
	"encoding/binary"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/guest/trap"
	"github.com/libos-go/libos/posix/procfs"
)

func itoa(n int) string { return strconv.Itoa(n) }

// pathCall is the answer to a call with a path: its arguments dirfd and path are those
// with these numbers, without a dirfd if it is -1. f has the stack's; an error of f
// ends the call.
func pathCall(dirfd, name int, f func(r *request, n *procfs.Node) error) func(*request) {
	return func(r *request) {
		dir := unix.AT_FDCWD
		if dirfd >= 0 {
			dir = r.arg(dirfd)
		}
		p, ok := r.path(dir, r.c.Args[name])
		if !ok {
			r.goOn()
			return
		}
		if r.g.files.replaces(p) {
			if err := r.openInstead(p); err != nil {
				_ = r.fail(err)
			}
			return
		}
		n, err := r.g.files.fs.Lookup(p)
		if err == nil {
			err = f(r, n)
		}
		if err != nil {
			_ = r.fail(err)
		}
	}
}

// Option is what a program is run with.
type Option int

// StopStat has stat(2) stopped, too, so that a program finds the devices and settings of
// the instance by it, and none of the host's. Programs that ask for many files, such as
// interpreters, start a tenth slower, or more.
const StopStat Option = 1

// named is a call with a path.
type named struct {
	call
	unless []trap.Condition
	stat   bool // stopped whatever its arguments are with StopStat alone; without, if when says so
}

// pathCalls are those whose paths are looked at. Each costs what two changes of the
// address space cost. So the most frequent, stat(2), is not among them unless it is asked
// for: newfstatat without a flag, by a path that begins at no descriptor. fstat(2), which
// is newfstatat with an empty path, is told by its flag.
func pathCalls() []named {
	const cwd = 0xffffff9c // AT_FDCWD
	special := []trap.Condition{trap.Has(3, unix.AT_SYMLINK_NOFOLLOW), trap.Between(0, 0, cwd-1), trap.Between(0, cwd+1, math.MaxUint32)}
	list := []named{
		{call: call{unix.SYS_OPENAT, nil, pathCall(0, 1, func(r *request, n *procfs.Node) error { return r.open(n, r.arg(2)) })}},
		{call: call{unix.SYS_OPENAT2, nil, pathCall(0, 1, (*request).open2)}},
		{call: call{unix.SYS_READLINKAT, nil, pathCall(0, 1, func(r *request, n *procfs.Node) error { return r.readlink(n, 2) })}},
		{call: call{sysFstatat, special, pathCall(0, 1, func(r *request, n *procfs.Node) error {
			return r.stat(n, 2, r.arg(3)&unix.AT_SYMLINK_NOFOLLOW != 0)
		})}, unless: []trap.Condition{trap.Has(3, unix.AT_EMPTY_PATH)}, stat: true},
		{call: call{unix.SYS_STATX, nil, pathCall(0, 1, (*request).statx)}, unless: []trap.Condition{trap.Has(2, unix.AT_EMPTY_PATH)}},
		{call: call{unix.SYS_FACCESSAT, nil, pathCall(0, 1, func(r *request, n *procfs.Node) error { return r.access(n, r.arg(2)) })}},
		{call: call{unix.SYS_FACCESSAT2, nil, pathCall(0, 1, func(r *request, n *procfs.Node) error { return r.access(n, r.arg(2)) })}},
	}
	return append(list, oldPathCalls()...)
}

// pathRules say when these are stopped.
func pathRules(options []Option) trap.Policy {
	var p trap.Policy
	for _, c := range pathCalls() {
		r := trap.Rule{Call: c.number, When: c.when, Unless: c.unless}
		switch {
		case c.stat && slices.Contains(options, StopStat):
			r.When = nil
		case c.stat && c.when == nil:
			continue
		}
		p = append(p, r)
	}
	return p
}

// open2 is openat2(2): its flags are in struct open_how.
func (r *request) open2(n *procfs.Node) error {
	flags, err := r.how()
	if err != nil {
		return err
	}
	return r.open(n, flags)
}

// how are the flags of openat2(2).
func (r *request) how() (flags int, err error) {
	var how [24]byte
	if r.c.Args[3] < uint64(len(how)) {
		return 0, unix.EINVAL
	}
	err = r.c.Read(r.c.Args[2], how[:])
	return int(binary.NativeEndian.Uint64(how[:])), err
}

// open is open(2) of a file of the stack.
func (r *request) open(n *procfs.Node, flags int) error {
	writes := flags&unix.O_ACCMODE != unix.O_RDONLY
	switch {
	case flags&(unix.O_CREAT|unix.O_EXCL) == unix.O_CREAT|unix.O_EXCL:
		return unix.EEXIST
	case n.Kind == procfs.Link && flags&unix.O_NOFOLLOW != 0 && flags&unix.O_PATH == 0:
		return unix.ELOOP
	case n.Kind == procfs.Link:
		to, err := r.g.files.fs.Lookup(n.Target)
		if err != nil {
			return err
		}
		return r.open(to, flags)
	case n.Kind == procfs.Directory && (writes || flags&unix.O_CREAT != 0):
		return unix.EISDIR
	case n.Kind != procfs.Directory && flags&unix.O_DIRECTORY != 0:
		return unix.ENOTDIR
	case n.Kind == procfs.Directory || flags&unix.O_PATH != 0:
		return r.openPlace(n, flags)
	case writes && !n.Writable():
		return unix.EACCES
	case writes:
		return r.openSetting(n, flags)
	}
	text, err := n.Read()
	if err != nil {
		return err
	}
	return r.openText(n.Path, text, flags)
}

// openText ends the call with a descriptor to read text by, as the file of that name.
func (r *request) openText(name string, text []byte, flags int) error {
	fd, err := content(filepath.Base(name), text)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return r.l.ReturnFD(&r.c, fd, flags&unix.O_CLOEXEC != 0)
}

// openPlace is a descriptor of a directory, or of a place (O_PATH).
func (r *request) openPlace(n *procfs.Node, flags int) error {
	at, err := r.g.files.place(n)
	if err != nil {
		return err
	}
	fd, err := unix.Open(at, unix.O_RDONLY|unix.O_CLOEXEC|flags&(unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW), 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return r.l.ReturnFD(&r.c, fd, flags&unix.O_CLOEXEC != 0)
}

// readlink is readlinkat(2); the buffer is the argument with the number at.
func (r *request) readlink(n *procfs.Node, at int) error {
	if n.Path == "/proc/net" { // to self/net, as everywhere
		r.goOn()
		return nil
	}
	if n.Kind != procfs.Link {
		return unix.EINVAL
	}
	b := []byte(n.Target)
	if room := r.arg(at + 1); room <= 0 {
		return unix.EINVAL
	} else if len(b) > room {
		b = b[:room]
	}
	if err := r.c.Write(r.c.Args[at], b); err != nil {
		return err
	}
	return r.l.Return(&r.c, int64(len(b)))
}

// stat is stat(2) or, with nofollow, lstat(2); the struct is the argument with the
// number at.
func (r *request) stat(n *procfs.Node, at int, nofollow bool) error {
	if n.Path == "/proc/net" {
		r.goOn()
		return nil
	}
	where, err := r.g.files.place(n)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	flags := 0
	if nofollow {
		flags = unix.AT_SYMLINK_NOFOLLOW
	}
	if err := unix.Fstatat(unix.AT_FDCWD, where, &st, flags); err != nil {
		return err
	}
	st.Mode = st.Mode&unix.S_IFMT | n.Mode
	if n.Kind == procfs.File {
		st.Size = n.Size
	}
	if err := r.c.Write(r.c.Args[at], unsafe.Slice((*byte)(unsafe.Pointer(&st)), unsafe.Sizeof(st))); err != nil {
		return err
	}
	return r.l.Return(&r.c, 0)
}

// statx is statx(2).
func (r *request) statx(n *procfs.Node) error {
	if n.Path == "/proc/net" {
		r.goOn()
		return nil
	}
	where, err := r.g.files.place(n)
	if err != nil {
		return err
	}
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, where, r.arg(2), r.arg(3), &st); err != nil {
		return err
	}
	st.Mode = st.Mode&unix.S_IFMT | uint16(n.Mode)
	if n.Kind == procfs.File {
		st.Size = uint64(n.Size)
	}
	if err := r.c.Write(r.c.Args[4], unsafe.Slice((*byte)(unsafe.Pointer(&st)), unsafe.Sizeof(st))); err != nil {
		return err
	}
	return r.l.Return(&r.c, 0)
}

// access is access(2), for whoever runs the program.
func (r *request) access(n *procfs.Node, mode int) error {
	switch {
	case mode&unix.W_OK != 0 && (n.Kind == procfs.Directory || !n.Writable()),
		mode&unix.X_OK != 0 && n.Kind == procfs.File:
		return unix.EACCES
	}
	return r.l.Return(&r.c, 0)
}
