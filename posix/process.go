package posix

import (
	"sync"
	"syscall"

	"github.com/libos-go/libos/core"
)

// maxDescriptors is how many descriptors a Process may have (fs.nr_open).
const maxDescriptors = 1 << 20

// Process is one table of file descriptors over an instance. Its methods may be
// called from any number of goroutines in real time and from tasks in virtual time.
// An idle Process is some hundred bytes.
type Process struct {
	instance *core.Instance
	domain   *core.Domain
	host     core.Host

	mu     sync.Mutex
	table  []descriptor
	lowest int   // no descriptor below is free
	idle   []*Op // for later calls
}

type descriptor struct {
	*description
	cloexec bool
}

// NewProcess makes an empty table for programs that use in.
func NewProcess(in *core.Instance) *Process {
	return &Process{instance: in, domain: in.Domain(), host: in.Domain().Host()}
}

// Instance is the stack that the Process uses.
func (p *Process) Instance() *core.Instance { return p.instance }

// get is the description of fd, or EBADF.
func (p *Process) get(fd int) (*description, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fd < 0 || fd >= len(p.table) || p.table[fd].description == nil {
		return nil, syscall.EBADF
	}
	return p.table[fd].description, nil
}

func (p *Process) socket(fd int) (*description, *socket, error) {
	d, err := p.get(fd)
	if err != nil {
		return nil, nil, err
	}
	s, err := d.socketOf()
	return d, s, err
}

// Domain is that of the instance.
func (p *Process) Domain() *core.Domain { return p.domain }

// Stack is the stack's socket behind a descriptor, for one who carries its bytes and
// needs no descriptor for it: EBADF, ENOTSOCK. It is closed with the last descriptor.
func (p *Process) Stack(fd int) (*core.Socket, error) {
	_, s, err := p.socket(fd)
	if err != nil {
		return nil, err
	}
	return s.s, nil
}

// install gives d the lowest free descriptor from least on: EMFILE if there is
// none.
func (p *Process) install(d *description, least int, cloexec bool) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.installLocked(d, least, cloexec)
}

func (p *Process) installLocked(d *description, least int, cloexec bool) (int, error) {
	fd := max(least, p.lowest)
	for fd < len(p.table) && p.table[fd].description != nil {
		fd++
	}
	if fd >= maxDescriptors {
		return -1, syscall.EMFILE
	}
	if least <= p.lowest {
		p.lowest = fd + 1
	}
	p.place(fd, d, cloexec)
	return fd, nil
}

func (p *Process) place(fd int, d *description, cloexec bool) {
	for fd >= len(p.table) {
		p.table = append(p.table, descriptor{})
	}
	p.table[fd] = descriptor{d, cloexec}
	d.users++
}

// open makes a description of o with its first descriptor. Whoever fails closes
// the object.
func (p *Process) open(o object, flags int, cloexec bool) (int, error) {
	d := &description{object: o}
	d.flags.Store(int32(flags))
	fd, err := p.install(d, 0, cloexec)
	if err != nil {
		_ = o.close()
		return -1, err
	}
	return fd, nil
}

// take removes fd from the table; last tells that nobody has the description any
// more.
func (p *Process) take(fd int) (d *description, last bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fd < 0 || fd >= len(p.table) || p.table[fd].description == nil {
		return nil, false, syscall.EBADF
	}
	d = p.table[fd].description
	p.table[fd] = descriptor{}
	p.lowest = min(p.lowest, fd)
	d.users--
	return d, d.users == 0, nil
}

// end follows the end of the last descriptor of d.
func (p *Process) end(d *description) error {
	d.closed.Store(true)
	p.domain.Do(func() {
		for d.items != nil {
			d.items.remove()
		}
	})
	return d.object.close()
}

// CloseAll closes every descriptor, as the end of a program does: nobody lingers.
func (p *Process) CloseAll() error {
	p.mu.Lock()
	n := len(p.table)
	p.mu.Unlock()
	for fd := range n {
		if d, last, err := p.take(fd); err == nil && last {
			_ = p.end(d)
		}
	}
	return nil
}

// Dup is dup(2).
func (p *Process) Dup(fd int) (int, error) { return p.dup(fd, 0, false) }

func (p *Process) dup(fd, least int, cloexec bool) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fd < 0 || fd >= len(p.table) || p.table[fd].description == nil {
		return -1, syscall.EBADF
	}
	return p.installLocked(p.table[fd].description, least, cloexec)
}

// Dup2 is dup2(2).
func (p *Process) Dup2(fd, to int) (int, error) {
	if fd == to {
		_, err := p.get(fd)
		return to, err
	}
	return p.Dup3(fd, to, 0)
}

// Dup3 is dup3(2). flags is 0 or O_CLOEXEC.
func (p *Process) Dup3(fd, to, flags int) (int, error) {
	if flags&^O_CLOEXEC != 0 || fd == to {
		return -1, syscall.EINVAL
	}
	if to < 0 || to >= maxDescriptors {
		return -1, syscall.EBADF
	}
	p.mu.Lock()
	if fd < 0 || fd >= len(p.table) || p.table[fd].description == nil {
		p.mu.Unlock()
		return -1, syscall.EBADF
	}
	d := p.table[fd].description
	var old *description
	if to < len(p.table) {
		if old = p.table[to].description; old != nil {
			old.users--
		}
	}
	p.place(to, d, flags&O_CLOEXEC != 0)
	last := old != nil && old.users == 0
	p.mu.Unlock()
	if last {
		_ = p.end(old)
	}
	return to, nil
}

// setFlagsOfFcntl are the flags that F_SETFL changes.
const setFlagsOfFcntl = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME

// Fcntl is fcntl(2) with F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL,
// F_SETFL, F_GETOWN, F_SETOWN, F_GETPIPE_SZ and F_SETPIPE_SZ; EINVAL for others.
func (p *Process) Fcntl(fd, cmd, arg int) (int, error) {
	d, err := p.get(fd)
	if err != nil {
		return -1, err
	}
	switch cmd {
	case F_DUPFD, F_DUPFD_CLOEXEC:
		if arg < 0 || arg >= maxDescriptors {
			return -1, syscall.EINVAL
		}
		return p.dup(fd, arg, cmd == F_DUPFD_CLOEXEC)
	case F_GETFD, F_SETFD:
		p.mu.Lock()
		defer p.mu.Unlock()
		if fd >= len(p.table) || p.table[fd].description == nil {
			return -1, syscall.EBADF
		}
		if cmd == F_SETFD {
			p.table[fd].cloexec = arg&FD_CLOEXEC != 0
			return 0, nil
		}
		if p.table[fd].cloexec {
			return FD_CLOEXEC, nil
		}
		return 0, nil
	case F_GETFL:
		return int(d.flags.Load()), nil
	case F_SETFL:
		d.setFlags(setFlagsOfFcntl, arg)
		return 0, nil
	case F_GETOWN: // nobody is signalled here
		return 0, nil
	case F_SETOWN:
		return 0, nil
	case F_GETPIPE_SZ, F_SETPIPE_SZ:
		e, ok := d.object.(*pipeEnd)
		if !ok {
			return -1, syscall.EBADF
		}
		return e.size(cmd == F_SETPIPE_SZ, arg)
	}
	return -1, syscall.EINVAL
}

// SetOwner says by what number the system knows a socket of the Process, and what user
// has it: [core.Socket.SetOwner].
func (p *Process) SetOwner(fd int, inode uint64, uid uint32) error {
	_, s, err := p.socket(fd)
	if err == nil {
		p.domain.Do(func() { s.s.SetOwner(inode, uid) })
	}
	return err
}
