package ring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Host makes a session: both memories, sealed, and both pipes. The module gets
// its share by Files, over a Unix socket (SendFiles) or as exec.Cmd.ExtraFiles.
func Host(o Options) (*Link, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	e := extent{page: os.Getpagesize(), main: o.Main, answers: o.Answers}
	var undo undoing
	defer undo.run()

	ours, err := createMemory("libos-ring-host:"+o.Name, e)
	if err != nil {
		return nil, err
	}
	hostFile := undo.file(ours, "host memory")
	own, err := mapMemory(ours, e, unix.PROT_READ|unix.PROT_WRITE)
	if err != nil {
		return nil, err
	}
	undo.add(own.unmap)
	page := own.page(e)
	binary.NativeEndian.PutUint64(page[atMagic:], magic)
	binary.NativeEndian.PutUint64(page[atVersion:], version)
	binary.NativeEndian.PutUint64(page[atMain:], uint64(e.main))
	binary.NativeEndian.PutUint64(page[atAnswers:], uint64(e.answers))
	// After the mapping: the seal forbids another one.
	if err := errors.Join(seal(ours, sealsOfHost), checkMemory(ours, e, sealsOfHost)); err != nil {
		return nil, err
	}

	theirs, err := createMemory("libos-ring-module:"+o.Name, e)
	if err != nil {
		return nil, err
	}
	moduleFile := undo.file(theirs, "module memory")
	if err := errors.Join(seal(theirs, sealsOfModule), checkMemory(theirs, e, sealsOfModule)); err != nil {
		return nil, err
	}
	peer, err := mapMemory(theirs, e, unix.PROT_READ)
	if err != nil {
		return nil, err
	}
	undo.add(peer.unmap)

	var toModule, toHost [2]int
	for _, p := range []*[2]int{&toModule, &toHost} {
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			return nil, fmt.Errorf("ring: pipe: %w", err)
		}
		undo.add(func() { unix.Close(p[0]); unix.Close(p[1]) })
	}
	l := &Link{}
	if err := l.bells(toHost[0], toModule[1]); err != nil {
		return nil, err
	}
	l.handed = []*os.File{
		hostFile, moduleFile,
		os.NewFile(uintptr(toModule[0]), "doorbell to module"), os.NewFile(uintptr(toHost[1]), "doorbell to host"),
	}
	undo.forget()
	return l, l.run(e, own, peer, true)
}

// Module joins a session with the Files of a host. It owns the files from the
// call on and closes them, also when it fails.
func Module(files []*os.File) (*Link, error) {
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	if len(files) != 4 {
		return nil, fmt.Errorf("ring: a module joins with 4 files, not %d", len(files))
	}
	var undo undoing
	defer undo.run()
	// Descriptors of our own: those that came with exec are not close-on-exec,
	// and a file that is in blocking mode cannot be waited for by the poller.
	var fds [4]int
	for i, f := range files {
		conn, err := f.SyscallConn()
		if err != nil {
			return nil, fmt.Errorf("ring: file %d: %w", i, err)
		}
		var dup error
		if err := conn.Control(func(fd uintptr) { fds[i], dup = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3) }); err != nil {
			return nil, fmt.Errorf("ring: file %d: %w", i, err)
		}
		if dup != nil {
			return nil, fmt.Errorf("ring: file %d: %w", i, dup)
		}
		undo.add(func() { unix.Close(fds[i]) })
	}
	e, err := readExtent(fds[0])
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkMemory(fds[0], e, sealsOfHost), checkMemory(fds[1], e, sealsOfModule)); err != nil {
		return nil, err
	}
	peer, err := mapMemory(fds[0], e, unix.PROT_READ)
	if err != nil {
		return nil, err
	}
	undo.add(peer.unmap)
	own, err := mapMemory(fds[1], e, unix.PROT_READ|unix.PROT_WRITE)
	if err != nil {
		return nil, err
	}
	undo.add(own.unmap)
	l := &Link{}
	if err := l.bells(fds[2], fds[3]); err != nil {
		return nil, err
	}
	undo.forget()
	unix.Close(fds[0])
	unix.Close(fds[1])
	return l, l.run(e, own, peer, false)
}

// readExtent reads from the host's control page how its memory is divided.
func readExtent(fd int) (extent, error) {
	var h [headerLen]byte
	n, err := unix.Pread(fd, h[:], 0)
	if err != nil || n != len(h) {
		return extent{}, fmt.Errorf("ring: read the host's control page: %d bytes, %w", n, err)
	}
	if m, v := binary.NativeEndian.Uint64(h[atMagic:]), binary.NativeEndian.Uint64(h[atVersion:]); m != magic || v != version {
		return extent{}, fmt.Errorf("ring: the host's memory has the magic %#x and version %d, this module speaks %#x and %d", m, v, uint64(magic), version)
	}
	o := Options{Main: int(binary.NativeEndian.Uint64(h[atMain:])), Answers: int(binary.NativeEndian.Uint64(h[atAnswers:]))}
	if err := o.check(); err != nil {
		return extent{}, err
	}
	return extent{page: os.Getpagesize(), main: o.Main, answers: o.Answers}, nil
}

// bells makes the two ends of pipes files of the poller: each is an open file
// description of its own, whose flags the peer cannot change.
func (l *Link) bells(in, out int) error {
	for _, fd := range []int{in, out} {
		if err := unix.SetNonblock(fd, true); err != nil {
			return fmt.Errorf("ring: doorbell: %w", err)
		}
	}
	l.bellIn, l.bellOut = os.NewFile(uintptr(in), "doorbell"), os.NewFile(uintptr(out), "doorbell")
	one := []byte{1}
	l.strike = func(fd uintptr) bool {
		_, err := unix.Write(int(fd), one)
		for err == unix.EINTR {
			_, err = unix.Write(int(fd), one)
		}
		if err == unix.EPIPE {
			l.finish(ErrPeerGone)
		}
		return true // never wait for a pipe that is full
	}
	return nil
}

// run starts the Link and has its memory unmapped when nobody can reach it.
func (l *Link) run(e extent, own, peer mapping, copies bool) error {
	runtime.AddCleanup(l, mapping.unmap, own)
	runtime.AddCleanup(l, mapping.unmap, peer)
	return l.start(memory{own.page(e), peer.page(e), own.rings(e), peer.rings(e)}, copies)
}

// undoing is what an opening that fails half-way takes back, last first.
type undoing []func()

func (u *undoing) add(f func()) { *u = append(*u, f) }
func (u *undoing) forget()      { *u = nil }
func (u *undoing) run() {
	for i := len(*u) - 1; i >= 0; i-- {
		(*u)[i]()
	}
}

func (u *undoing) file(fd int, name string) *os.File {
	f := os.NewFile(uintptr(fd), name)
	u.add(func() { f.Close() })
	return f
}
