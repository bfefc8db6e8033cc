package capi

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/posix"
)

// Stack is one instance with a Domain and a table of descriptors of its own, and a
// C host. Its methods may be called from any thread.
type Stack struct {
	*posix.Process
	Host   *Host
	Domain *core.Domain

	mu    sync.Mutex
	calls []*Call           // by their number
	idle  []int             // numbers of those that are free
	seen  map[string]string // see FollowSettings
}

// Options of New.
type Options struct {
	Name   string
	Memory int64 // limit of its slabs in bytes, 0 for none
	Seed   [32]byte
	Wiring *core.Wiring
	Now    int64  // the caller's clock, as Host.Show takes it
	Wall   int64  // civil time
	Flag   *int32 // see Actions.Flag
}

// New makes a stack.
func New(o Options) (*Stack, error) {
	h := NewHost(o.Seed)
	h.Show(o.Now, o.Wall)
	h.Actions.Flag(o.Flag)
	d := core.NewDomain(h, core.DomainOptions{})
	in, err := core.New(core.Options{Name: o.Name, Wiring: o.Wiring, Domain: d, MemoryLimit: o.Memory})
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &Stack{Process: posix.NewProcess(in), Host: h, Domain: d}, nil
}

// Close ends the calls that wait, the descriptors and the instance. An error tells
// of memory that is still held: a leak.
func (s *Stack) Close() error {
	s.mu.Lock()
	calls := s.calls
	s.mu.Unlock()
	for _, c := range calls {
		c.Op.Cancel()
	}
	return errors.Join(s.CloseAll(), s.Domain.Close())
}

// maxCalls is how many calls of a stack may wait at a time.
const maxCalls = 1 << 16

// Call is a system call that may wait. Its number is that of its waiter in C.
type Call struct {
	Op     *posix.Op
	Number int
	// Scratch of the call's arguments.
	Header  posix.Msghdr
	Headers []posix.Mmsghdr
	Iov     [][]byte
	Events  []posix.EpollEvent
}

// Take lends a Call, nil if too many are waiting.
func (s *Stack) Take() *Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		c := s.calls[s.idle[n-1]]
		s.idle = s.idle[:n-1]
		return c
	}
	if len(s.calls) == maxCalls {
		return nil
	}
	c := &Call{Number: len(s.calls)}
	c.Op = s.NewOp(func() { s.Host.Actions.Wake(uint64(c.Number)) })
	s.calls = append(s.calls, c)
	return c
}

// Waiting is the Call of a number that Take lent.
func (s *Stack) Waiting(number int) *Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number < 0 || number >= len(s.calls) {
		return nil
	}
	return s.calls[number]
}

// Give takes a Call back that is done or cancelled.
func (s *Stack) Give(c *Call) {
	c.Header = posix.Msghdr{}
	clear(c.Headers)
	clear(c.Iov)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, c.Number)
}

// device is a link whose other end is in C.
type device struct {
	actions    *Actions
	id         uint64
	ifc        *core.Interface
	properties core.Properties
}

// Properties implements core.Device.
func (d *device) Properties() core.Properties { return d.properties }

// Attach implements core.Device.
func (d *device) Attach(ifc *core.Interface) { d.ifc = ifc }

// Send implements core.Device.
func (d *device) Send(batch []*core.Packet) int { return d.actions.transmit(d.ifc, d.id, batch) }

// Close implements core.Device.
func (d *device) Close() error { return nil }

// AddDevice gives the stack a device, which is down, and returns the number of its
// interface. hwaddr makes it an Ethernet device; without one it carries IP packets.
// id is that of its frames' actions.
func (s *Stack) AddDevice(id uint64, name string, mtu int, hwaddr []byte) (int, error) {
	p := core.Properties{Kind: "host", Link: core.LinkRaw, MTU: mtu, Flags: core.FlagMulticast | core.FlagPointToPoint | core.FlagNoARP}
	if hwaddr != nil {
		p.Link, p.Flags = core.LinkEthernet, core.FlagMulticast|core.FlagBroadcast
		p.HWAddr, _ = wire.HWAddrFromSlice(hwaddr)
	}
	ifc, err := s.Instance().AddDevice(&device{actions: &s.Host.Actions, id: id, properties: p}, name)
	if err != nil {
		return 0, err
	}
	return ifc.Index(), nil
}

// ErrNoDevice tells that a device was removed.
var ErrNoDevice = fmt.Errorf("the device is gone: %w", syscall.ENODEV)

// OnDevice calls f with an interface by its number.
func (s *Stack) OnDevice(index int, f func(*core.Interface) error) error {
	var ifc *core.Interface
	s.Domain.Do(func() { ifc = s.Instance().InterfaceByIndex(index) })
	if ifc == nil {
		return ErrNoDevice
	}
	return f(ifc)
}

// Address adds or removes an address of an interface, as text.
func (s *Stack) Address(index int, text string, add bool) error {
	return s.OnDevice(index, func(ifc *core.Interface) error {
		p, err := wire.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("address %q: write ADDRESS/LENGTH, as in 10.0.0.1/24: %w", text, syscall.EINVAL)
		}
		if !add {
			return ifc.RemoveAddress(p.Addr)
		}
		s.Domain.Do(func() {
			err = ifc.AddAddressLocked(&core.Address{Prefix: p, Flags: core.AddressPermanent | core.AddressNoDAD})
		})
		return err
	})
}

// Route adds or removes a route in the words of ip route.
func (s *Stack) Route(text string, add bool) error {
	e, dev, err := core.ParseRoute(text)
	if err != nil {
		return fmt.Errorf("route %q: %w: %w", text, err, syscall.EINVAL)
	}
	if dev != "" {
		if e.Interface = s.Instance().InterfaceByName(dev); e.Interface == nil {
			return fmt.Errorf("route %q: there is no device %s: %w", text, dev, syscall.ENODEV)
		}
	}
	if add {
		return s.Instance().AddRoute(e)
	}
	return s.Instance().RemoveRoute(e)
}

// FollowSettings gives the stack the values that the settings of the same names have
// below dir, which is /proc/sys of a network namespace: those that changed since the
// last time. It returns how many it took. What the stack refuses stays as it is.
func (s *Stack) FollowSettings(dir string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]string{}
	}
	n := 0
	for _, name := range s.Instance().SysctlNames() {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(strings.ReplaceAll(name, ".", "/"))))
		value := strings.TrimSpace(string(data))
		if err != nil || value == s.seen[name] {
			continue
		}
		s.seen[name] = value
		if s.Instance().SetSysctl(name, value) == nil {
			n++
		}
	}
	return n
}

// Errno is the errno of an error: its own, or EINVAL.
func Errno(err error) syscall.Errno {
	var e syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e
	}
	return syscall.EINVAL
}
