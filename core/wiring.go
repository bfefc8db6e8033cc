package core

import (
	"errors"
	"fmt"

	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
)

// Wiring says what an instance is made of: protocols, devices, tables. The
// generator emits one for each build; a test or a program may write one by
// hand. It is immutable once an instance uses it and may be shared by any
// number of instances.
type Wiring struct {
	// Name of the configuration it came from.
	Name string
	// Networks and Protocols in the order of their tables.
	Networks  []NetworkEntry
	Protocols []ProtocolEntry
	// Devices are the device kinds that can be made by name.
	Devices []DeviceKind
	// Qdiscs are the queueing disciplines that interfaces may have.
	Qdiscs []QdiscKind
	// Sysctls are tables that belong to no protocol (net.core).
	Sysctls []*sysctl.Table
	// EtherType, IPProtocol and SocketKind are the dispatch tables: indices
	// into Networks and Protocols, or -1. Nil is replaced by a search.
	EtherType  func(wire.EtherType) int
	IPProtocol func(uint8) int
	SocketKind func(family, typ, protocol int) int
	// Config is the .config that the wiring was generated from.
	Config string
	// Loopback makes the device lo, nil where the configuration has none.
	Loopback func() Device
	// Caches are the slab caches that the wired packages make, for slabinfo
	// and version; a cache appears in a Domain when it is first used.
	Caches []CacheKind
}

// CacheKind is a slab cache as its package names it.
type CacheKind struct {
	Name    string // in slabinfo
	Type    string // of the objects
	Package string // import path
}

// NetworkEntry is a network protocol with its sysctl tables.
type NetworkEntry struct {
	Network NetworkProtocol
	Sysctls *sysctl.Table // of the instance
	Devices *sysctl.Table // of each interface ({dev} names)
}

// ProtocolEntry is a transport protocol with its sysctl table.
type ProtocolEntry struct {
	Protocol Protocol
	Sysctls  *sysctl.Table
}

// DeviceKind makes devices of one kind by parameters, as a host file names them.
type DeviceKind struct {
	Kind string
	// Parameters with their meaning, for messages and help.
	Parameters map[string]string
	// Link is how programs make such devices while an instance runs; zero if they
	// cannot.
	Link LinkKind
	// Needs are what Open and the device use of the host, by the names that a
	// module's manifest has: "network" (sockets), "files" (paths), capabilities of
	// Linux ("CAP_NET_ADMIN").
	Needs []string
	// Open makes a device. An error names the parameter and the cure.
	Open func(parameters map[string]string) (Device, error)
	// OpenPair makes both ends of a link inside this process, for kinds that
	// join two instances (pipe). One of Open and OpenPair may be nil.
	OpenPair func(parameters map[string]string) (a, b Device, err error)
}

// LinkKind makes devices by requests of programs (ip link add … type).
type LinkKind struct {
	Name string // of the kind: "dummy", "veth"
	// Make makes a device, or two that are joined. Their hardware addresses are zero:
	// the instance gives them random ones.
	Make func() []LinkDevice
}

// check completes missing tables and finds contradictions.
func (w *Wiring) check() error {
	if w == nil {
		return errors.New("core: an instance needs a wiring")
	}
	if w.EtherType == nil {
		w.EtherType = w.searchEtherType
	}
	if w.IPProtocol == nil {
		w.IPProtocol = w.searchIPProtocol
	}
	if w.SocketKind == nil {
		w.SocketKind = w.searchSocketKind
	}
	w.completeSysctls()
	for i := range w.Networks {
		if w.Networks[i].Network.New == nil {
			return fmt.Errorf("core: wiring %q: network protocol %q has no constructor", w.Name, w.Networks[i].Network.Name)
		}
	}
	for i := range w.Protocols {
		p := &w.Protocols[i].Protocol
		if (p.New == nil) == (p.NewHandler == nil) {
			return fmt.Errorf("core: wiring %q: protocol %q needs one of New and NewHandler", w.Name, p.Name)
		}
	}
	return nil
}

// completeSysctls adds the core's own tables to a wiring written by hand.
func (w *Wiring) completeSysctls() {
	own[PortSysctls](w)
	own[BufferSysctls](w)
}

// own adds the table of T unless the wiring has it.
func own[T any](w *Wiring) {
	for _, t := range w.Sysctls {
		if _, ok := t.Default.(*T); ok {
			return
		}
	}
	w.Sysctls = append(w.Sysctls, sysctl.Of[T]())
}

func (w *Wiring) searchEtherType(t wire.EtherType) int {
	for i := range w.Networks {
		for _, x := range w.Networks[i].Network.EtherTypes {
			if x == t {
				return i
			}
		}
	}
	return -1
}

func (w *Wiring) searchIPProtocol(n uint8) int {
	for i := range w.Protocols {
		for _, x := range w.Protocols[i].Protocol.Numbers {
			if x == n {
				return i
			}
		}
	}
	return -1
}

func (w *Wiring) searchSocketKind(family, typ, protocol int) int {
	for i := range w.Protocols {
		if w.Protocols[i].Protocol.Serves(family, typ, protocol) {
			return i
		}
	}
	return -1
}
