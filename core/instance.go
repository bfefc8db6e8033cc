package core

import (
	"errors"
	"fmt"
	"strconv"
	"syscall"

	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/core/wire"
)

// Instance is one network stack: a host or a router with its own devices,
// addresses, routes, sockets and sysctls. Instances never meet but over a link.
type Instance struct {
	name    string
	domain  *Domain
	wiring  *Wiring
	order   uint32
	account allocator.Account

	interfaces []*Interface // by index-1; nil where one was removed
	lastIndex  int          // the number that the instance gave last
	made       int          // how many of them programs made
	loopback   *Interface
	networks   []Network
	transports []Transport
	routes     routeTable
	sockets    socketTable
	sysctls    sysctlState
	random     Source
	packets    uint64  // that interfaces moved which are gone
	loaded     *loaded // protocols that came later, nil if none did
	autoload   Autoload
	raw        RawReceiver // nil until the first raw socket
	closed     bool
	closers    []*closer
}

// Options are the choices made when an instance is created.
type Options struct {
	Name   string
	Host   Host
	Wiring *Wiring
	// Domain to live in; nil makes one of its own.
	Domain *Domain
	// MemoryLimit in bytes of what the instance may hold in slabs, 0 for none.
	MemoryLimit int64
	// Autoload is asked for protocols that the instance lacks; nil if there are none.
	Autoload Autoload
	// Order ranks the instance among those of a simulation: events of one
	// instant run in this order. 0 takes the order of creation.
	Order uint32
}

// Autoload is called outside of an entry when a socket of a kind is wanted that
// no protocol of the instance serves. It may give the instance that protocol by
// AddProtocol; what it does not find is for the caller's error.
type Autoload func(in *Instance, k SocketKind)

// New makes an instance with its loopback device up, if the wiring has one.
func New(o Options) (*Instance, error) {
	if err := o.Wiring.check(); err != nil {
		return nil, err
	}
	d := o.Domain
	if d == nil {
		if o.Host == nil {
			return nil, errors.New("core: an instance needs a Host or a Domain")
		}
		d = NewDomain(o.Host, DomainOptions{})
	}
	in := &Instance{name: o.Name, domain: d, wiring: o.Wiring, order: o.Order, autoload: o.Autoload}
	in.account.SetLimit(o.MemoryLimit)
	d.Do(func() {
		if in.order == 0 {
			d.nextOrder++
			in.order = d.nextOrder
		}
		if in.name == "" {
			in.name = "host" + strconv.Itoa(int(in.order))
		}
		in.initSysctls()
		w := in.wiring
		in.networks = make([]Network, len(w.Networks))
		for i := range w.Networks {
			in.networks[i] = w.Networks[i].Network.New(in, SysctlView{in, i})
		}
		in.transports = make([]Transport, len(w.Protocols))
		for i := range w.Protocols {
			in.transports[i] = w.Protocols[i].Protocol.open(in, SysctlView{in, len(w.Networks) + i})
		}
		d.instances = append(d.instances, in)
	})
	if in.wiring.Loopback != nil {
		lo, err := in.AddDevice(in.wiring.Loopback(), "lo")
		if err != nil {
			return nil, errors.Join(fmt.Errorf("core: %s: loopback: %w", in.name, err), in.Close())
		}
		in.loopback = lo
		for _, a := range []wire.Prefix{{Addr: wire.FromV4(0x7f000001), Bits: 8}, {Addr: wire.IPv6Loopback(), Bits: 128}} {
			if in.networkOf(a.Addr) >= 0 {
				if err := lo.AddAddress(a); err != nil {
					return nil, errors.Join(err, in.Close())
				}
			}
		}
		if err := lo.SetUp(true); err != nil {
			return nil, errors.Join(err, in.Close())
		}
	}
	return in, nil
}

// Name of the instance, for logs and captures.
func (in *Instance) Name() string { return in.name }

// Domain is where the instance lives.
func (in *Instance) Domain() *Domain { return in.domain }

// Wiring is what the instance is made of.
func (in *Instance) Wiring() *Wiring { return in.wiring }

// Account is what the instance holds in slabs. Inside an entry.
func (in *Instance) Account() *allocator.Account { return &in.account }

// Random is the instance's own stream of random numbers. Inside an entry.
func (in *Instance) Random() Source {
	if in.random == nil {
		in.random = in.domain.host.Random("instance/" + in.name)
	}
	return in.random
}

// Now is the instant of the running entry.
func (in *Instance) Now() Time { return in.domain.now }

// Network is the network protocol of an address family (by an address of it),
// nil if the instance lacks it.
func (in *Instance) Network(a wire.Addr) Network {
	if i := in.networkOf(a); i >= 0 {
		return in.networks[i]
	}
	return nil
}

// Networks are the network protocols in the wiring's order.
func (in *Instance) Networks() []Network { return in.networks }

// Transports are the transport protocols in the wiring's order.
func (in *Instance) Transports() []Transport { return in.transports }

func (in *Instance) networkOf(a wire.Addr) int {
	family := afInet6
	if a.Is4() {
		family = afInet
	}
	for i := range in.wiring.Networks {
		if in.wiring.Networks[i].Network.Family == family {
			return i
		}
	}
	return -1
}

// AddDevice gives the instance a device under a name ("" lets it choose) and
// returns the interface, which is down. EEXIST if the name is taken.
func (in *Instance) AddDevice(dev Device, name string) (ifc *Interface, err error) {
	in.domain.Do(func() { ifc, err = in.AddDeviceLocked(dev, DeviceOptions{Name: name}) })
	return ifc, err
}

// RemoveDevice closes an interface and its device; its addresses, routes and
// neighbours go with it.
func (in *Instance) RemoveDevice(ifc *Interface) error {
	gone := false
	in.domain.Do(func() { gone = in.detach(ifc) })
	if !gone {
		return syscall.ENODEV
	}
	err := ifc.device.Close()
	in.domain.Do(func() { in.domain.run.forget(ifc) })
	return err
}

// Interfaces are the instance's interfaces by index. Inside an entry, or while
// nobody adds or removes devices.
func (in *Instance) Interfaces() []*Interface {
	out := make([]*Interface, 0, len(in.interfaces))
	for _, ifc := range in.interfaces {
		if ifc != nil {
			out = append(out, ifc)
		}
	}
	return out
}

// InterfaceByIndex is nil for an index that is not in use.
func (in *Instance) InterfaceByIndex(i int) *Interface {
	if i < 1 || i > len(in.interfaces) {
		return nil
	}
	return in.interfaces[i-1]
}

// InterfaceByName finds an interface by its name or another that it has (see
// Interface.AltNames), nil if there is none.
func (in *Instance) InterfaceByName(name string) *Interface {
	var ifc *Interface
	in.domain.Do(func() { ifc = in.interfaceByName(name) })
	return ifc
}

// interfaceByName finds an interface by its name or another that it has.
func (in *Instance) interfaceByName(name string) *Interface {
	for _, ifc := range in.interfaces {
		if ifc != nil && ifc.called(name) {
			return ifc
		}
	}
	return nil
}

// Loopback is the device lo, nil if there is none.
func (in *Instance) Loopback() *Interface { return in.loopback }

// IsLocal tells whether a is an address of this instance.
func (in *Instance) IsLocal(a wire.Addr) bool {
	return in.addressType(a) == RouteLocal
}

// Close ends all sockets, protocols and devices. It returns an error that
// names what is still held in slabs, a leak, or that tells of packets for which
// nothing was ever held: they went past the slabs.
func (in *Instance) Close() error {
	d := in.domain
	closing := false
	var devices []*Interface
	d.Do(func() {
		if in.closed {
			return
		}
		in.closed, closing = true, true
		in.sockets.closeAll()
		devices = in.Interfaces()
		in.routes.nexthops = nil
		in.removeRoutesOf(nil, false) // at once: each device would look through all of them for its own
	})
	if !closing {
		return nil
	}
	var errs []error
	for _, ifc := range devices {
		errs = append(errs, in.RemoveDevice(ifc))
	}
	d.Do(func() {
		for _, t := range in.transports {
			t.Close()
		}
		for _, n := range in.networks {
			n.Close()
		}
		for i, x := range d.instances {
			if x == in {
				d.instances = append(d.instances[:i:i], d.instances[i+1:]...)
				break
			}
		}
		if n := in.account.Bytes(); n != 0 {
			errs = append(errs, &LeakError{Instance: in.name, Bytes: n, Pages: in.account.Pages(), Objects: in.account.Objects(), Leaks: d.pool.Leaks(&in.account)})
		}
		if in.packets > 0 && in.account.Peak() == 0 {
			errs = append(errs, fmt.Errorf("core: %s moved %d packets but its slabs were never used", in.name, in.packets))
		}
	})
	in.tellClosed()
	return errors.Join(errs...)
}

// LeakError tells what an instance still held in slabs when it was closed.
type LeakError struct {
	Instance string
	Bytes    int64
	Pages    int
	Objects  int
	Leaks    []allocator.Leak // with CONFIG_SLAB_DEBUG: cache, count and allocating line
}

func (e *LeakError) Error() string {
	s := fmt.Sprintf("core: %s: %d bytes are still held at close: %d pages, %d objects", e.Instance, e.Bytes, e.Pages, e.Objects)
	for _, l := range e.Leaks {
		s += fmt.Sprintf("\n\t%v", l)
	}
	return s
}
