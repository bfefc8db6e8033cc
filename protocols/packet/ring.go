package packet

import (
	"encoding/binary"
	"math"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/vnethdr"
)

// Versions of rings (PACKET_VERSION).
const (
	version1 = 0
	version2 = 1
	version3 = 2
)

// Lengths of struct tpacket_hdr, tpacket2_hdr and tpacket3_hdr, behind which is a
// struct sockaddr_ll, of that, and of struct tpacket_block_desc.
const (
	sizeofHeader2     = 32 // also that of version 1
	sizeofHeader3     = 48
	sizeofSockaddrLL  = 20
	sizeofBlockHeader = 48
)

const (
	frameAlignment = 16
	blockAlignment = 8
	pageSize       = 4096
	maxRing        = 256 << 20 // bytes
	maxRings       = 1 << 30   // of all sockets
)

// headerLength is the length of a frame's header of a version: EINVAL if there is none.
func headerLength(version int32) (int, error) {
	switch version {
	case version1, version2:
		return sizeofHeader2, nil
	case version3:
		return sizeofHeader3, nil
	}
	return 0, syscall.EINVAL
}

// statusCopy tells that a frame that was cut is in the queue, too (PACKET_COPY_THRESH),
// statusLosing that frames were dropped since the statistics were read, and
// statusTimeout that a block is not full.
const (
	statusKernel  = 0
	statusCopy    = 1 << 1
	statusLosing  = 1 << 2
	statusTimeout = 1 << 5
)

// geometry is memory that a socket shares with a program, as blocks of frames. Of all that
// the program writes there only the words are believed that say whose a frame or a block
// is. Where the next one is, is known here.
type geometry struct {
	memory    []byte // nil until the program has it; of blocks × blockSize bytes
	version   int32
	blocks    int
	blockSize int
	frameSize int
	perBlock  int // frames
}

// size is how many bytes of memory that is.
func (g *geometry) size() int { return g.blocks * g.blockSize }

// ring is what PACKET_RX_RING makes: memory into which the socket writes received frames
// (Linux net/packet/af_packet.c, tpacket_rcv).
type ring struct {
	geometry
	next  int // the frame, or the block, that is the next to be given away
	last  int // the place of the status of what was given away last, -1 if nothing was
	block block
}

// align is n rounded up to a multiple of to, a power of two.
func align(n, to int) int { return (n + to - 1) &^ (to - 1) }

// setRing is PACKET_RX_RING and PACKET_TX_RING (packet_set_ring): a geometry, or none to
// have the ring end. EINVAL for one that does not fit together, EBUSY if there is such a
// ring, ENOMEM beyond 256 MiB for it or 1 GiB for all rings of the instance.
func (e *endpoint) setRing(b []byte, send bool) error {
	size := 16 // struct tpacket_req, tpacket_req3
	if e.version == version3 {
		size = 28
	}
	if len(b) < size {
		return syscall.EINVAL
	}
	word := func(i int) uint64 { return uint64(binary.NativeEndian.Uint32(b[4*i:])) }
	blockSize, blocks, frameSize, frames := word(0), word(1), word(2), word(3)
	if blocks == 0 {
		if frames != 0 {
			return syscall.EINVAL
		}
		e.endRing(send)
		return nil
	}
	if send && e.tx != nil || !send && e.ring != nil {
		return syscall.EBUSY
	}
	header, err := headerLength(e.version)
	if err != nil {
		return err
	}
	least := uint64(header + sizeofSockaddrLL + e.reserve)
	begin := 0
	switch {
	case blockSize == 0 || blockSize > 1<<31-1 || blockSize%pageSize != 0,
		e.version == version3 && (word(5) > blockSize || blockSize < uint64(sizeofBlockHeader+align(int(word(5)), blockAlignment))+least),
		frameSize < least || frameSize%frameAlignment != 0 || blockSize/frameSize == 0,
		blockSize/frameSize*blocks != frames:
		return syscall.EINVAL
	case blockSize*blocks > maxRing || int(blockSize*blocks) > maxRings-e.t.rings:
		return syscall.ENOMEM
	}
	g := geometry{version: e.version, blocks: int(blocks), blockSize: int(blockSize), frameSize: int(frameSize), perBlock: int(blockSize / frameSize)}
	switch {
	case send && e.version == version3 && word(4)|word(5)|word(6) != 0: // blocks to send are not
		return syscall.EINVAL
	case send:
		e.tx = &txRing{geometry: g}
	default:
		e.ring = &ring{geometry: g, last: -1}
		if e.version == version3 {
			begin = sizeofBlockHeader + align(int(word(5)), blockAlignment)
			e.ring.block = block{e: e, begin: begin, timeout: int(min(word(4), 1<<31-1)), serial: 1}
			if e.ring.block.timeout == 0 {
				e.ring.block.timeout = defaultTimeout
			}
		}
		e.queue.Free()
		e.queued = 0
	}
	e.t.rings += g.size()
	return nil
}

// RingSizes is how many bytes of memory the socket's rings want, to receive into and to
// send from; 0 for one that it does not have.
func (e *endpoint) RingSizes() (receive, send int) {
	if e.ring != nil {
		receive = e.ring.size()
	}
	if e.tx != nil {
		send = e.tx.size()
	}
	return receive, send
}

// MapRing gives the rings their memory, of as many bytes as both want: that to receive into and then
// that to send from (packet_mmap). The socket reads and writes it until the rings end. What
// a ring had in other memory comes along; frames that come before there is any are dropped.
// EINVAL for another size.
func (e *endpoint) MapRing(memory []byte) error {
	receive, send := e.RingSizes()
	n := receive + send
	if n == 0 || len(memory) != n || uintptr(unsafe.Pointer(unsafe.SliceData(memory)))%8 != 0 {
		return syscall.EINVAL
	}
	if r := e.ring; r != nil {
		fresh := r.memory == nil
		memory = r.take(memory)
		if fresh && r.version == version3 {
			r.openBlock()
		}
	}
	if e.tx != nil {
		e.tx.take(memory)
	}
	return nil
}

// take makes the first bytes of memory the ring's, and returns the rest.
func (g *geometry) take(memory []byte) (rest []byte) {
	n := g.size()
	copy(memory, g.memory)
	g.memory = memory[:n:n]
	return memory[n:]
}

// endRing ends the ring to send from, or the one to receive into.
func (e *endpoint) endRing(send bool) {
	switch {
	case send && e.tx != nil:
		e.t.rings -= e.tx.size()
		e.tx = nil
	case !send && e.ring != nil:
		e.t.in.CancelTimer(&e.ring.block.timer)
		e.t.rings -= e.ring.size()
		e.ring = nil
		e.queue.Free()
		e.queued = 0
	}
}

// status is the word at a place of the memory which tells whose a frame or a block is.
func (g *geometry) status(at int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&g.memory[at : at+4][0]))
}

// give hands what has its status at a place to the program.
func (r *ring) give(at int, status uint32) {
	r.last = at
	r.status(at).Store(status)
}

// readable tells whether the program has not given back what it got last (packet_poll).
func (r *ring) readable() bool {
	return r.memory != nil && r.last >= 0 && r.status(r.last).Load() != statusKernel
}

// room tells how much of the ring the program has given back (__packet_rcv_has_room):
// whether its next place is free, and the one a quarter further on.
func (r *ring) room() roomState {
	if r.memory == nil {
		return full
	}
	free := func(i int) bool {
		if r.version == version3 {
			return r.status(i%r.blocks*r.blockSize+blockStatus).Load() == statusKernel
		}
		return r.status(r.frameAt(i%(r.blocks*r.perBlock))).Load() == statusKernel
	}
	n := r.blocks
	if r.version != version3 {
		n *= r.perBlock
	}
	switch {
	case free(r.next + n/4):
		return roomy
	case free(r.next):
		return tight
	}
	return full
}

// frameAt is the place of a frame, where blocks are of frames of one size.
func (g *geometry) frameAt(i int) int { return i/g.perBlock*g.blockSize + i%g.perBlock*g.frameSize }

// layout is where the parts of a frame are, from its header.
type layout struct {
	mac, network int // of the link header and of what is behind it
	snap         int // bytes that are kept
	vnet         int // of the header before (PACKET_VNET_HDR)
}

// place fits a frame of n bytes behind a link header of header bytes into room bytes.
func (e *endpoint) place(n, header, room int) layout {
	size, _ := headerLength(e.ring.version)
	size += sizeofSockaddrLL
	l := layout{snap: n, vnet: int(e.vnet)}
	if e.raw {
		l.network = align(size+max(header, 16), frameAlignment) + e.reserve + int(e.vnet)
		l.mac = l.network - header
	} else {
		l.network = align(size, frameAlignment) + 16 + e.reserve
		l.mac = l.network
	}
	if l.mac+l.snap > room {
		if l.snap = room - l.mac; l.snap < 0 {
			l.snap, l.mac, l.vnet = 0, min(l.mac, room), 0
		}
	}
	return l
}

// ringReceive writes a frame into the ring: of c, which has its bytes with the link header
// that the socket sees, length bytes long before a filter cut it. False if there is no room.
func (e *endpoint) ringReceive(f *frame, c *core.Packet, length int) bool {
	r := e.ring
	if r.memory == nil {
		return false
	}
	header := 0
	if e.raw {
		header = max(f.header, linkHeader(f.ifc))
	}
	status := frameStatus(c, f.from.Type)
	wall := e.t.in.Domain().Host().WallNow()
	seconds, nanoseconds := uint32(wall.Unix()), uint32(wall.Nanosecond())
	if r.version == version3 {
		l := e.place(c.Len(), header, r.blockSize-r.block.begin)
		if l.network > math.MaxUint16 {
			return false
		}
		b := r.blockRoom(l.mac+l.snap, seconds, nanoseconds)
		if b == nil {
			return false
		}
		w := words{b}
		w.put(4, seconds, nanoseconds, uint32(l.snap), uint32(length), status)
		w.put16(24, uint16(l.mac), uint16(l.network))
		e.fill(f, c, b, sizeofHeader3, l)
		return true
	}
	at := r.frameAt(r.next)
	if r.status(at).Load() != statusKernel {
		return false
	}
	if e.drops > 0 {
		status |= statusLosing
	}
	l := e.place(c.Len(), header, r.frameSize)
	if l.network > math.MaxUint16 {
		return false
	}
	if l.snap < c.Len() && e.copyThreshold != 0 && e.queued < int(e.socket.Options().ReceiveBuffer) {
		if whole := c.Share(); whole != nil {
			e.push(f, whole, length)
			status |= statusCopy
		}
	}
	b := r.memory[at : at+r.frameSize]
	w := words{b}
	if r.version == version2 {
		w.put(4, uint32(length), uint32(l.snap))
		w.put16(12, uint16(l.mac), uint16(l.network))
		w.put(16, seconds, nanoseconds, 0)
	} else { // its status is a long
		w.put(4, 0, uint32(length), uint32(l.snap))
		w.put16(16, uint16(l.mac), uint16(l.network))
		w.put(20, seconds, nanoseconds/1000)
	}
	e.fill(f, c, b, sizeofHeader2, l)
	r.next = (r.next + 1) % (r.blocks * r.perBlock)
	r.give(at, status)
	e.socket.Wake(core.ReadyIn)
	return true
}

// fill writes the address and the bytes of a frame behind its header.
func (e *endpoint) fill(f *frame, c *core.Packet, b []byte, header int, l layout) {
	a := b[align(header, frameAlignment):]
	ne := binary.NativeEndian
	ne.PutUint16(a, core.AFPacket)
	binary.BigEndian.PutUint16(a[2:], uint16(f.from.Protocol))
	ne.PutUint32(a[4:], uint32(f.from.Ifindex))
	ne.PutUint16(a[8:], f.from.HardwareType)
	a[10], a[11] = byte(f.from.Type), f.from.Length
	copy(a[12:20], f.from.Addr[:])
	if l.vnet > 0 {
		putVnet(b[l.mac-vnethdr.HeaderSize:l.mac], c, e.linkSize(f.ifc)) // where it is longer, too
	}
	c.CopyOut(0, b[l.mac:l.mac+l.snap])
}

// words is memory into which numbers are put in host order.
type words struct{ b []byte }

func (w words) put(at int, v ...uint32) {
	for i, x := range v {
		binary.NativeEndian.PutUint32(w.b[at+4*i:], x)
	}
}

func (w words) put16(at int, v ...uint16) {
	for i, x := range v {
		binary.NativeEndian.PutUint16(w.b[at+2*i:], x)
	}
}
