package core

import "github.com/libos-go/libos/core/wire"

// Device is one link. It is driven by its Interface, which is the only caller
// of Send. Input goes to [Interface.Deliver] (frames from outside the Domain)
// or [Interface.Receive] (packets of the same Domain).
type Device interface {
	// Properties are read once, when the interface is created.
	Properties() Properties
	// Attach hands the device its interface before the first Send.
	Attach(ifc *Interface)
	// Send takes ownership of the first accepted packets of batch and never
	// blocks. What it does not accept stays queued until [Interface.Resume].
	// It runs inside an entry of the Domain.
	Send(batch []*Packet) (accepted int)
	// Close ends the device. It runs outside of an entry and may wait for the
	// device's own goroutines. No input comes after it returns.
	Close() error
}

// InterfaceWatcher is a Device that wants to know when its interface goes up or
// down or gets another MTU. A device around another one passes it on.
type InterfaceWatcher interface {
	// Changed runs inside an entry, after the change. It must not change the
	// interface.
	Changed()
}

// CarrierWatcher is a Device whose carrier depends on whether its interface is up.
type CarrierWatcher interface {
	// UpChanged runs inside an entry, when the interface has gone up or down and all
	// have heard of it. It may call [Interface.SetCarrier].
	UpChanged()
}

// LinkDevice is a Device that programs may make and remove while the instance runs
// (LinkKind): nothing of it is outside of the Domain.
type LinkDevice interface {
	Device
	// CloseLocked is Close inside an entry.
	CloseLocked()
	// Partner is the interface at the other end, nil if there is none.
	Partner() *Interface
}

// Pacer is a device that is asked how many packets it takes before it is offered
// any, so that what waits stays in the interface's queue, in the order that the
// queue gives it. A device asks for it by [Interface.SetPacer].
type Pacer interface {
	// Room is how many packets Send would take now. It is asked inside an entry,
	// when something is queued. After 0 the device calls
	// [Interface.ResumeLocked] when it has room.
	Room() int
}

// Speeder is a Device that knows how fast its link is.
type Speeder interface {
	// Speed is in bits per second, 0 for a link without a rate. It is asked inside an
	// entry.
	Speed() int64
}

// Sieve is a Device that chooses what the stack gets of the frames that were
// received: a filter stacked on another Device, which it embeds.
type Sieve interface {
	Device
	// Admits tells whether the stack gets a frame, which begins with its link
	// header. It runs inside an entry, and neither keeps nor changes p. What it
	// refuses is counted in RxDropped; taps do not see it.
	Admits(p *Packet) bool
}

// Link is the kind of link layer.
type Link uint8

const (
	LinkRaw      Link = iota // IP packets without a link header (ARPHRD_NONE)
	LinkEthernet             // ARPHRD_ETHER
	LinkLoopback             // ARPHRD_LOOPBACK; raw IP packets here
)

// InterfaceFlags are Linux's IFF_ flags that have a meaning here.
type InterfaceFlags uint32

const (
	FlagUp           InterfaceFlags = 1 << 0
	FlagBroadcast    InterfaceFlags = 1 << 1
	FlagIsLoopback   InterfaceFlags = 1 << 3
	FlagPointToPoint InterfaceFlags = 1 << 4
	FlagRunning      InterfaceFlags = 1 << 6
	FlagNoARP        InterfaceFlags = 1 << 7
	FlagPromiscuous  InterfaceFlags = 1 << 8
	FlagAllMulticast InterfaceFlags = 1 << 9
	FlagMulticast    InterfaceFlags = 1 << 12
)

// Offloads are what a device does in the stack's place.
type Offloads uint32

const (
	OffloadTxChecksum   Offloads = 1 << iota // completes ChecksumPartial
	OffloadRxVerified                        // both ends are the same memory: nothing to verify
	OffloadSegmentation                      // takes packets with SegmentSize set (TSO, USO)
	OffloadScatter                           // takes packets with fragments
)

// Properties describe a device.
type Properties struct {
	Kind     string // driver name: "loopback", "pipe", "tun", …
	Name     string // default interface name, "" lets the instance choose KINDn
	Link     Link
	MTU      int // bytes of network packet, without link header
	MaxMTU   int // largest settable MTU, 0 means 65535
	HWAddr   wire.HWAddr
	Flags    InterfaceFlags
	Offloads Offloads
	QueueLen int // packets kept when the device does not accept more, 0 means 1000
	// NoOperState is of a device that knows nothing of a carrier: it is there, and the
	// state told of it is unknown (Linux's IF_OPER_UNKNOWN).
	NoOperState bool
	NoQueue     bool // takes all that it is given: net.core.default_qdisc is not for it (IFF_NO_QUEUE)
}
