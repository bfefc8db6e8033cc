package core

import (
	"strings"

	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/core/wire"
)

// Headroom is kept free in front of what a transport writes: the largest
// IPv4 header or an IPv6 header with extension headers, and a link header.
const Headroom = 96

// MaxFrags is how many payload references a packet can carry beside its linear
// part (a 64 KiB super-segment in 4 KiB pages).
const MaxFrags = 17

// ChecksumState tells what is known of a packet's transport checksum.
type ChecksumState uint8

const (
	ChecksumUnknown  ChecksumState = iota // in: verify it. out: it is complete
	ChecksumVerified                      // in: a device or a memory link vouches for it
	ChecksumPartial                       // the field holds the pseudo-header sum only; sum from ChecksumOffset and store it
)

// PacketType tells how the link layer addressed a received frame.
type PacketType uint8

const (
	PacketHost PacketType = iota // to our address
	PacketBroadcast
	PacketMulticast
	PacketOtherHost // promiscuous: not for us
	PacketOutgoing
)

// Frag is a reference to payload bytes in a shared, immutable page.
type Frag struct {
	Page *allocator.Page
	Off  uint32
	Len  uint32
}

// Bytes are the referenced bytes. They must not be written.
func (f *Frag) Bytes() []byte { return f.Page.Data[f.Off : f.Off+f.Len] }

// Packet is a frame, packet, datagram or segment on its way through the stack:
// a linear part with headroom in a page of its own, then payload references.
// It has one owner at a time. Functions that take a *Packet take ownership
// unless they say otherwise; the owner ends it by Free or by passing it on.
type Packet struct {
	next    *Packet
	domain  *Domain
	account *allocator.Account
	page    *allocator.Page
	start   int32 // linear part: page.Data[start:end]
	end     int32
	nfrags  int32
	fragLen int32

	// Interface is the receiving interface on input, the sending one on output.
	Interface *Interface
	// Route is the route of an outgoing packet, nil until it was looked up.
	Route *Route
	// Arrival is when the packet entered the instance.
	Arrival Time

	Src, Dst         wire.Addr // network addresses (IP input and transport output set them)
	SrcPort, DstPort uint16    // transport ports, for the datagram contract
	EtherType        wire.EtherType
	Protocol         uint8      // IP protocol of the payload
	TOS              uint8      // IPv4 TOS or IPv6 traffic class, ECN in the low two bits
	HopLimit         uint8      // TTL or hop limit; 0 on output asks for the default
	Type             PacketType // IP input raises it to what Dst is
	Checksum         ChecksumState
	Flags            PacketFlags
	ChecksumStart    uint16 // from the transport header (see ChecksumOffset)
	ChecksumField    uint16 // from ChecksumStart
	SegmentSize      uint16 // payload of each segment of a super-segment, 0 otherwise
	FlowLabel        uint32

	// Departure is when an outgoing packet may leave at the earliest, 0 for at once,
	// and PacingRate what its socket sends at the most, in bytes a second, 0 for no
	// limit: to be kept by a discipline that paces (fq).
	Departure  Time
	PacingRate uint64
	// Queue belongs to the discipline that holds the packet.
	Queue QueueMark

	network   int32 // offsets in the page of the headers met so far, -1 unknown
	transport int32
	foreign   int32  // interface index where there is no *Interface: in another process
	ancillary uint16 // bytes of control messages at the front of the linear part

	frags [MaxFrags]Frag
}

// PacketFlags are single facts about a packet.
type PacketFlags uint16

const (
	FlagDontFragment PacketFlags = 1 << iota // IPv4 DF; IPv6 sources never fragment past the path MTU when set
	FlagForwarded                            // is being forwarded, not made here
	FlagReassembled
	FlagLoopback     // comes back from this instance's own output
	flagTapped       // the sending interface has shown it to its taps
	FlagHeader       // the network header is already in place (HDRINCL)
	FlagRouterAlert  // a router alert option was present
	FlagOwnAddress   // Src was chosen by the caller and is not to be replaced
	FlagMayFragment  // path MTU discovery is off for this packet: IPv4 sends it without DF
	FlagNoLoop       // no copy of a multicast packet for ourselves (IP_MULTICAST_LOOP off)
	FlagTxChecksum   // out: the way out completes ChecksumPartial and cuts nothing
	FlagNotification // in a receive queue: the protocol's own word (MsgNotification)
	FlagOwnFrame     // out: a packet socket made the frame, whose number FlowLabel is
)

// PublicFlags are the flags that a protocol behind the narrow contract sees and
// sets.
const PublicFlags = FlagDontFragment | FlagForwarded | FlagReassembled | FlagLoopback | FlagRouterAlert | FlagOwnAddress |
	FlagMayFragment | FlagNoLoop | FlagTxChecksum | FlagNotification

// NewPacket returns a packet with an empty linear part that has headroom bytes
// before and at least room bytes after it, charged to in; nil when memory is
// short (the caller reports ENOBUFS or counts a drop).
func (in *Instance) NewPacket(headroom, room int) *Packet {
	return in.domain.newPacket(&in.account, headroom, room)
}

func (d *Domain) newPacket(a *allocator.Account, headroom, room int) *Packet {
	page := d.pool.Page(allocator.ClassFor(headroom+room), a)
	if page == nil {
		return nil
	}
	if len(page.Data) < headroom+room {
		page.Unref(a)
		return nil
	}
	p := d.packets.Alloc(a)
	if p == nil {
		page.Unref(a)
		return nil
	}
	p.reset()
	p.domain, p.account, p.page = d, a, page
	p.start, p.end = int32(headroom), int32(headroom)
	return p
}

// worksForCaller tells of a function, as runtime names it, that it allocates and
// frees packets and their pages for its callers, so that reports of slabs name
// the line that wanted a packet and not one in this file.
func worksForCaller(function string) bool {
	name := function[strings.LastIndexByte(function, '/')+1:] // core.(*Packet).Clone
	return strings.HasPrefix(name, "core.(*Packet).") || strings.HasPrefix(name, "core.(*PacketList).") ||
		strings.HasSuffix(name, ").NewPacket") || strings.HasSuffix(name, ").newPacket")
}

// reset clears everything but the fragment array, which nfrags guards.
func (p *Packet) reset() {
	p.next, p.Interface, p.Route = nil, nil, nil
	p.nfrags, p.fragLen = 0, 0
	p.Arrival, p.Departure, p.PacingRate = 0, 0, 0
	p.Src, p.Dst = wire.Addr{}, wire.Addr{}
	p.SrcPort, p.DstPort, p.EtherType = 0, 0, 0
	p.Protocol, p.TOS, p.HopLimit, p.Type, p.Checksum, p.Flags = 0, 0, 0, 0, 0, 0
	p.ChecksumStart, p.ChecksumField, p.SegmentSize, p.FlowLabel = 0, 0, 0, 0
	p.network, p.transport, p.foreign, p.ancillary = -1, -1, 0, 0
}

// Ifindex is the index of the packet's interface, 0 if there is none. Protocols
// behind the narrow contract use it, since they have no *Interface.
func (p *Packet) Ifindex() int {
	if p.Interface != nil {
		return p.Interface.index
	}
	return int(p.foreign)
}

// SetIfindex sets the interface of a packet in another process by its index.
func (p *Packet) SetIfindex(i int) { p.foreign = int32(i) }

// WantedIfindex is the index of the interface that an outgoing packet must leave
// by, 0 if any will do: what is left of its route when the packet crosses to
// another process.
func (p *Packet) WantedIfindex() int {
	if p.Route != nil {
		return int(p.Route.oif)
	}
	return p.Ifindex()
}

// Free ends the packet and drops its references.
func (p *Packet) Free() {
	for i := range p.frags[:p.nfrags] {
		p.frags[i].Page.Unref(p.account)
		p.frags[i].Page = nil
	}
	p.nfrags = 0
	p.page.Unref(p.account)
	p.page = nil
	p.Interface, p.Route = nil, nil
	p.domain.packets.Free(p.account, p)
}

// Len is the length in bytes, linear part and fragments.
func (p *Packet) Len() int { return int(p.end-p.start) + int(p.fragLen) }

// Linear is the linear part. Headers are written and read here.
func (p *Packet) Linear() []byte { return p.page.Data[p.start:p.end] }

// LinearLen is its length.
func (p *Packet) LinearLen() int { return int(p.end - p.start) }

// Headroom is how many bytes can be pushed in front.
func (p *Packet) Headroom() int { return int(p.start) }

// Tailroom is how many bytes the linear part can grow at its end.
func (p *Packet) Tailroom() int { return len(p.page.Data) - int(p.end) }

// Frags are the payload references after the linear part.
func (p *Packet) Frags() []Frag { return p.frags[:p.nfrags] }

// Push makes n bytes in front of the linear part and returns them, to be
// written. The caller knows the headroom; too little is an error it must avoid
// by EnsureHeadroom.
func (p *Packet) Push(n int) []byte {
	p.start -= int32(n)
	return p.page.Data[p.start : p.start+int32(n) : p.start+int32(n)]
}

// Pull removes n bytes from the front of the linear part.
func (p *Packet) Pull(n int) { p.start += int32(n) }

// Put grows the linear part by n bytes at its end and returns them.
func (p *Packet) Put(n int) []byte {
	b := p.page.Data[p.end : p.end+int32(n) : p.end+int32(n)]
	p.end += int32(n)
	return b
}

// SetNetworkHeader remembers that the network header starts here.
func (p *Packet) SetNetworkHeader() { p.network = p.start }

// SetTransportHeader remembers that the transport header starts here.
func (p *Packet) SetTransportHeader() { p.transport = p.start }

// ChecksumOffset is where summing starts for a partial checksum, from the start
// of the linear part: at the transport header, or for frames of a device where
// it said.
func (p *Packet) ChecksumOffset() int {
	return int(max(p.transport, 0)-p.start) + int(p.ChecksumStart)
}

// NetworkHeader is the linear part from the network header on, also after it
// was pulled; nil if none was set.
func (p *Packet) NetworkHeader() []byte {
	if p.network < 0 {
		return nil
	}
	return p.page.Data[p.network:p.end]
}

// TransportHeader is the linear part from the transport header on.
func (p *Packet) TransportHeader() []byte {
	if p.transport < 0 {
		return nil
	}
	return p.page.Data[p.transport:p.end]
}

// RestoreNetworkHeader undoes the pulls since SetNetworkHeader, as an ICMP
// error or a forwarder needs.
func (p *Packet) RestoreNetworkHeader() { p.start = p.network }

// Trim cuts the packet to n bytes (link padding). n is at most Len.
func (p *Packet) Trim(n int) {
	lin := int(p.end - p.start)
	if n <= lin {
		p.end = p.start + int32(n)
		for i := range p.frags[:p.nfrags] {
			p.frags[i].Page.Unref(p.account)
			p.frags[i].Page = nil
		}
		p.nfrags, p.fragLen = 0, 0
		return
	}
	left := n - lin
	p.fragLen = int32(left)
	for i := int32(0); i < p.nfrags; i++ {
		f := &p.frags[i]
		if left == 0 {
			for j := i; j < p.nfrags; j++ {
				p.frags[j].Page.Unref(p.account)
				p.frags[j].Page = nil
			}
			p.nfrags = i
			return
		}
		f.Len = uint32(min(int(f.Len), left))
		left -= int(f.Len)
	}
}

// AppendFrag adds a reference to page bytes, taking one reference of its own.
// It fails when the packet is full; a piece that continues the last one is
// merged with it.
func (p *Packet) AppendFrag(page *allocator.Page, off, n int) bool {
	if p.nfrags > 0 {
		if l := &p.frags[p.nfrags-1]; l.Page == page && l.Off+l.Len == uint32(off) {
			l.Len += uint32(n)
			p.fragLen += int32(n)
			return true
		}
	}
	if p.nfrags == MaxFrags {
		return false
	}
	page.Ref(p.account)
	p.frags[p.nfrags] = Frag{page, uint32(off), uint32(n)}
	p.nfrags++
	p.fragLen += int32(n)
	return true
}

// Append adds a copy of b at the end, in the linear part if it has room and in
// pages of its own otherwise. It fails when memory is short or the packet full.
func (p *Packet) Append(b []byte) bool {
	if p.nfrags == 0 && p.Tailroom() >= len(b) && p.page.Refs() == 1 {
		copy(p.Put(len(b)), b)
		return true
	}
	for len(b) > 0 {
		page := p.domain.pool.Page(allocator.ClassFor(len(b)), p.account)
		if page == nil {
			return false
		}
		n := copy(page.Data, b)
		ok := p.AppendFrag(page, 0, n)
		page.Unref(p.account)
		if !ok {
			return false
		}
		b = b[n:]
	}
	return true
}

// LinearFrag describes the linear part as a page reference, for a receiver that
// keeps the payload where it is.
func (p *Packet) LinearFrag() Frag {
	return Frag{p.page, uint32(p.start), uint32(p.end - p.start)}
}

// CopyOut copies bytes from offset off into b and returns how many there were.
func (p *Packet) CopyOut(off int, b []byte) int {
	n := 0
	lin := p.Linear()
	if off < len(lin) {
		n = copy(b, lin[off:])
		off = 0
	} else {
		off -= len(lin)
	}
	for i := range p.frags[:p.nfrags] {
		if n == len(b) {
			break
		}
		f := p.frags[i].Bytes()
		if off >= len(f) {
			off -= len(f)
			continue
		}
		n += copy(b[n:], f[off:])
		off = 0
	}
	return n
}

// Pullup makes the first n bytes linear, copying them if needed. It fails when
// the packet is shorter or memory is short.
func (p *Packet) Pullup(n int) bool {
	lin := int(p.end - p.start)
	if n <= lin {
		return true
	}
	if n > p.Len() {
		return false
	}
	need := n - lin
	if p.Tailroom() < need || p.page.Refs() > 1 {
		if !p.relocate(int(p.start), need) {
			return false
		}
	}
	for need > 0 {
		f := &p.frags[0]
		c := copy(p.Put(min(need, int(f.Len))), f.Bytes())
		need -= c
		p.fragLen -= int32(c)
		f.Off += uint32(c)
		f.Len -= uint32(c)
		if f.Len == 0 {
			f.Page.Unref(p.account)
			copy(p.frags[:], p.frags[1:p.nfrags])
			p.nfrags--
			p.frags[p.nfrags].Page = nil
		}
	}
	return true
}

// Linearize makes the whole packet linear.
func (p *Packet) Linearize() bool { return p.Pullup(p.Len()) }

// EnsureHeadroom makes at least n bytes of private headroom, moving the linear
// part if needed. It fails when memory is short.
func (p *Packet) EnsureHeadroom(n int) bool {
	if int(p.start) >= n && p.page.Refs() == 1 {
		return true
	}
	return p.relocate(max(n, int(p.start)), 0)
}

// Unshare makes the linear part private so that headers may be rewritten.
func (p *Packet) Unshare() bool {
	return p.page.Refs() == 1 || p.relocate(int(p.start), 0)
}

// relocate moves the linear part to a page with the given headroom and extra
// bytes of tailroom.
func (p *Packet) relocate(headroom, extra int) bool {
	lin := int(p.end - p.start)
	page := p.domain.pool.Page(allocator.ClassFor(headroom+lin+extra), p.account)
	if page == nil {
		return false
	}
	if len(page.Data) < headroom+lin+extra {
		page.Unref(p.account)
		return false
	}
	keep := p.start // a header that was pulled is still wanted, for ICMP errors
	if p.network >= 0 && p.network < keep {
		keep = p.network
	}
	copy(page.Data[int32(headroom)-(p.start-keep):], p.page.Data[keep:p.end])
	shift := int32(headroom) - p.start
	p.page.Unref(p.account)
	p.page = page
	p.start += shift
	p.end += shift
	if p.network >= 0 {
		p.network += shift
	}
	if p.transport >= 0 {
		p.transport += shift
	}
	return true
}

// Clone returns a packet with a private copy of the linear part, the same
// payload references and the same metadata, charged to in; nil when memory is
// short.
func (p *Packet) Clone(in *Instance) *Packet { return p.clone(&in.account) }

// Copy is Clone charged to who holds p.
func (p *Packet) Copy() *Packet { return p.clone(p.account) }

// Share returns a packet that refers to all bytes of p, headers included, with the
// same metadata; nil when memory is short. Neither may be written to from here on but
// by who makes it private (Unshare).
func (p *Packet) Share() *Packet {
	c := p.domain.packets.Alloc(p.account)
	if c == nil {
		return nil
	}
	c.reset()
	c.domain, c.account, c.page = p.domain, p.account, p.page
	c.page.Ref(c.account)
	c.start, c.end = p.start, p.end
	c.copyMeta(p)
	c.shareFrags(p)
	return c
}

func (p *Packet) clone(a *allocator.Account) *Packet {
	c := p.domain.newPacket(a, int(p.start), int(p.end-p.start))
	if c == nil {
		return nil
	}
	copy(c.Put(int(p.end-p.start)), p.Linear())
	c.copyMeta(p)
	c.shareFrags(p)
	return c
}

// shareFrags refers to the payload of p.
func (c *Packet) shareFrags(p *Packet) {
	for i := range p.frags[:p.nfrags] {
		f := p.frags[i]
		f.Page.Ref(c.account)
		c.frags[i] = f
	}
	c.nfrags, c.fragLen = p.nfrags, p.fragLen
}

func (c *Packet) copyMeta(p *Packet) {
	c.Interface, c.Route, c.Arrival = p.Interface, p.Route, p.Arrival
	c.Src, c.Dst, c.SrcPort, c.DstPort = p.Src, p.Dst, p.SrcPort, p.DstPort
	c.EtherType, c.Protocol, c.TOS, c.HopLimit = p.EtherType, p.Protocol, p.TOS, p.HopLimit
	c.Type, c.Checksum, c.Flags = p.Type, p.Checksum, p.Flags
	c.ChecksumStart, c.ChecksumField, c.SegmentSize, c.FlowLabel = p.ChecksumStart, p.ChecksumField, p.SegmentSize, p.FlowLabel
	c.Departure, c.PacingRate = p.Departure, p.PacingRate
	c.network, c.transport, c.foreign, c.ancillary = p.network, p.transport, p.foreign, p.ancillary
}

// Move hands the packet over to another instance of the same Domain: from here
// on its memory is charged to in.
func (p *Packet) Move(in *Instance) {
	if p.account == &in.account {
		return
	}
	old := p.account
	p.page.Transfer(old, &in.account)
	for i := range p.frags[:p.nfrags] {
		p.frags[i].Page.Transfer(old, &in.account)
	}
	p.domain.packets.Transfer(p, old, &in.account)
	p.account = &in.account
	p.Route = nil
}

// TrueSize is the memory that limits of buffers count for the packet: that of one
// that came from outside, a page for its bytes and headers. A packet whose bytes
// are shared with the sender counts as much, so that limits strike at the same
// packet whichever way it came.
func (p *Packet) TrueSize() int {
	return packetSize + (p.Len()+headerRoom+255)&^255
}

// headerRoom is how much of a page headers take.
const headerRoom = 96

const packetSize = 512

// Sum adds the packet's bytes from offset off of the linear part on to c.
func (p *Packet) Sum(c *wire.Checksum, off int) {
	c.Add(p.Linear()[off:])
	for i := range p.frags[:p.nfrags] {
		c.Add(p.frags[i].Bytes())
	}
}

// PacketList is a queue of packets linked through themselves.
type PacketList struct {
	head, tail *Packet
	n          int
}

// Push appends p and takes ownership.
func (l *PacketList) Push(p *Packet) {
	p.next = nil
	if l.tail == nil {
		l.head = p
	} else {
		l.tail.next = p
	}
	l.tail = p
	l.n++
}

// Pop takes the oldest packet, nil when empty.
func (l *PacketList) Pop() *Packet {
	p := l.head
	if p == nil {
		return nil
	}
	l.head = p.next
	if l.head == nil {
		l.tail = nil
	}
	p.next = nil
	l.n--
	return p
}

// PushFront puts p back at the head.
func (l *PacketList) PushFront(p *Packet) {
	p.next = l.head
	l.head = p
	if l.tail == nil {
		l.tail = p
	}
	l.n++
}

// Peek is the oldest packet, still owned by the list.
func (l *PacketList) Peek() *Packet { return l.head }

// Next is the packet after p in its list, still owned by it.
func (p *Packet) Next() *Packet { return p.next }

// Len is the number of packets.
func (l *PacketList) Len() int { return l.n }

// Split takes the first n packets.
func (l *PacketList) Split(n int) PacketList {
	var out PacketList
	for ; n > 0 && l.head != nil; n-- {
		out.Push(l.Pop())
	}
	return out
}

// Free frees every packet.
func (l *PacketList) Free() {
	for p := l.Pop(); p != nil; p = l.Pop() {
		p.Free()
	}
}
