package main

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/link/qdisc/fifo"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/stack/gro"
)

// gvisorLink makes the two ends of a link and the options of the devices on them.
type gvisorLink func() (a, b stack.LinkEndpoint, qdisc func(stack.LinkEndpoint) stack.QueueingDiscipline)

const (
	linkAddressA = tcpip.LinkAddress("\x02\x00\x00\x00\x00\x01")
	linkAddressB = tcpip.LinkAddress("\x02\x00\x00\x00\x00\x02")
)

// gvisorPipe is gVisor's own in-memory link as it comes.
func gvisorPipe() (stack.LinkEndpoint, stack.LinkEndpoint, func(stack.LinkEndpoint) stack.QueueingDiscipline) {
	a, b := pipe.New(linkAddressA, linkAddressB, mtu)
	return a, b, func(stack.LinkEndpoint) stack.QueueingDiscipline { return nil }
}

const (
	offloadGSO   = 32 << 10 // largest run of bytes TCP hands down at once, cut into MTU-sized packets below it
	offloadQueue = 10_000   // packets in the queueing discipline: more than a window, so that none is dropped
)

// gvisorOffload is a link that gives TCP what gVisor's links to the kernel give it and its pipe does not: software GSO
// (every segment a packet of its own, checksum computed), gVisor's fifo queueing discipline to gather batches, and its
// GRO on a batch's arrival, which verifies every segment's checksums before it merges.
func gvisorOffload() (stack.LinkEndpoint, stack.LinkEndpoint, func(stack.LinkEndpoint) stack.QueueingDiscipline) {
	pa, pb := pipe.New(linkAddressA, linkAddressB, mtu)
	a, b := &offloadLink{Endpoint: pa}, &offloadLink{Endpoint: pb}
	a.other, b.other = b, a
	for _, l := range []*offloadLink{a, b} {
		l.gro.Init(true)
		l.gro.Dispatcher = verified{link: l}
	}
	return a, b, func(l stack.LinkEndpoint) stack.QueueingDiscipline { return fifo.New(l, 1, offloadQueue) }
}

// offloadLink is one end. It lends a pipe's properties and delivers packets itself.
type offloadLink struct {
	*pipe.Endpoint
	other   *offloadLink
	stack   atomic.Pointer[stack.NetworkDispatcher] // nil before a stack is attached and once it is closed
	gro     gro.GRO                                 // used by the other end's one queueing goroutine alone
	packets int                                     // written to this end, by its queueing goroutine
	largest int                                     // bytes of the largest of them
	dropped int                                     // for a checksum that GRO did not confirm, counted by the other end's goroutine
}

func (l *offloadLink) GSOMaxSize() uint32               { return offloadGSO }
func (l *offloadLink) SupportedGSO() stack.SupportedGSO { return stack.GVisorGSOSupported }

// Capabilities says that checksums are verified before packets are delivered: by GRO.
func (l *offloadLink) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityRXChecksumOffload
}

// Attach connects this end to a stack, or with nil parts it from the one that closes, which the other end may be
// writing to meanwhile.
func (l *offloadLink) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		l.stack.Store(nil)
	} else {
		l.stack.Store(&d)
	}
	l.Endpoint.Attach(d)
}

// WritePackets hands a batch to the other end.
func (l *offloadLink) WritePackets(batch stack.PacketBufferList) (int, tcpip.Error) {
	for _, p := range batch.AsSlice() {
		l.packets++
		l.largest = max(l.largest, p.Size())
		fresh := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: p.ToBuffer()})
		fresh.NetworkProtocolNumber = p.NetworkProtocolNumber
		l.other.gro.Enqueue(fresh)
		fresh.DecRef()
	}
	l.other.gro.Flush()
	return batch.Len(), nil
}

// verified passes on to a link's stack what GRO has verified, which is TCP without IP options or fragments, and drops
// everything else.
type verified struct {
	stack.NetworkDispatcher // none: GRO delivers network packets alone
	link                    *offloadLink
}

func (v verified) DeliverNetworkPacket(protocol tcpip.NetworkProtocolNumber, p *stack.PacketBuffer) {
	if !p.RXChecksumValidated {
		v.link.dropped++
		return
	}
	if d := v.link.stack.Load(); d != nil {
		(*d).DeliverNetworkPacket(protocol, p)
	}
}
