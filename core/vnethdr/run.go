package vnethdr

import (
	"bytes"
	"encoding/binary"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Run is a row of TCP segments of one connection that the other side takes as one
// super-segment: each continues the one before, is as long as the first (the last may be
// shorter) and has the same headers but for what follows from its place. It is for
// drivers whose every frame is a system call; a Run is used again by Begin.
type Run struct {
	head     [maxRunHeaders]byte // of the whole, with the link header
	size     int                 // of the headers
	link     int                 // of the link header
	tcp      int                 // where TCP begins
	segment  int                 // payload of the first
	payload  int                 // of all
	next     uint32              // sequence number
	segments int
	over     bool // nothing can follow
}

const (
	maxRunHeaders = 14 + 40 + 60
	maxRunPayload = 65535 - 40 - 60
)

// TCP flags that a segment of a run may have.
const (
	flagPSH = 0x08
	flagACK = 0x10
)

// Begin starts a run with p, which starts with a link header of linkSize bytes; false if
// p cannot be in one. A run of one segment is p as it is.
func (r *Run) Begin(p *core.Packet, linkSize int) bool {
	b := p.Linear()
	r.link = linkSize
	tcp, size, ok := headers(p, linkSize)
	if !ok || p.Len() == size {
		return false
	}
	r.size, r.tcp = copy(r.head[:], b[:size]), tcp
	r.segment = p.Len() - size
	r.payload, r.segments = r.segment, 1
	r.next = binary.BigEndian.Uint32(b[tcp+4:]) + uint32(r.segment)
	r.over = b[tcp+13] != flagACK
	return true
}

// headers tells where TCP begins in p and where its payload does.
func headers(p *core.Packet, linkSize int) (tcp, size int, ok bool) {
	b := p.Linear()
	if p.Checksum != core.ChecksumPartial || p.ChecksumField != 16 || p.SegmentSize != 0 || len(b) < linkSize+20 {
		return 0, 0, false
	}
	tcp = int(p.ChecksumOffset())
	length := p.Len() - linkSize
	switch ip := b[linkSize:]; {
	case ip[0] == 0x45: // without options; DF: its ID says nothing (RFC 6864 §4.1)
		ok = tcp == linkSize+20 && ip[6] == 0x40 && ip[7] == 0 && ip[9] == 6 && int(binary.BigEndian.Uint16(ip[2:])) == length
	case ip[0]>>4 == 6:
		ok = tcp == linkSize+40 && ip[6] == 6 && int(binary.BigEndian.Uint16(ip[4:])) == length-40
	}
	if !ok || len(b) < tcp+20 {
		return 0, 0, false
	}
	size = tcp + int(b[tcp+12]>>4)*4
	flags := b[tcp+13]
	return tcp, size, size >= tcp+20 && size <= min(len(b), maxRunHeaders) && flags&^flagPSH == flagACK
}

// Add puts p to the run if it continues it.
func (r *Run) Add(p *core.Packet) bool {
	if r.over {
		return false
	}
	tcp, size, ok := headers(p, r.link)
	n := p.Len() - size
	if !ok || tcp != r.tcp || size != r.size || n <= 0 || n > r.segment || r.payload+n > maxRunPayload {
		return false
	}
	b, h := p.Linear()[:size], r.head[:size]
	if binary.BigEndian.Uint32(b[tcp+4:]) != r.next || !r.alike(b, h) {
		return false
	}
	r.payload += n
	r.segments++
	r.next += uint32(n)
	h[tcp+13] |= b[tcp+13]
	r.over = n < r.segment || b[tcp+13]&flagPSH != 0
	return true
}

// alike tells whether two headers of segments differ in their place alone.
func (r *Run) alike(b, h []byte) bool {
	ip := r.link
	if h[ip]>>4 == 4 { // but for length, ID and checksum
		if !bytes.Equal(b[:ip+2], h[:ip+2]) || !bytes.Equal(b[ip+6:ip+10], h[ip+6:ip+10]) || !bytes.Equal(b[ip+12:ip+20], h[ip+12:ip+20]) {
			return false
		}
	} else if !bytes.Equal(b[:ip+4], h[:ip+4]) || !bytes.Equal(b[ip+6:ip+40], h[ip+6:ip+40]) {
		return false
	}
	b, h = b[r.tcp:], h[r.tcp:]
	return bytes.Equal(b[:4], h[:4]) && bytes.Equal(b[8:13], h[8:13]) && bytes.Equal(b[14:16], h[14:16]) && bytes.Equal(b[18:], h[18:])
}

// Segments is how many there are.
func (r *Run) Segments() int { return r.segments }

// HeaderLen is the size of the headers that each segment of the run begins with.
func (r *Run) HeaderLen() int { return r.size }

// End writes the header of the whole into b[:HeaderSize] and returns the headers of the
// super-segment, to be followed by the payload of each segment. They are the Run's until
// the next Begin.
func (r *Run) End(b []byte) []byte {
	h := r.head[:r.size]
	ip, whole := h[r.link:], r.size-r.tcp+r.payload
	gso := byte(gsoTCPv4)
	var src, dst wire.Addr
	if ip[0]>>4 == 4 {
		binary.BigEndian.PutUint16(ip[2:], uint16(20+whole))
		ip[10], ip[11] = 0, 0
		binary.BigEndian.PutUint16(ip[10:], wire.Finish(wire.Sum(ip[:20], 0)))
		src, dst = wire.AddrFrom4([4]byte(ip[12:16])), wire.AddrFrom4([4]byte(ip[16:20]))
	} else {
		binary.BigEndian.PutUint16(ip[4:], uint16(whole))
		src, dst = wire.AddrFrom16([16]byte(ip[8:24])), wire.AddrFrom16([16]byte(ip[24:40]))
		gso = gsoTCPv6
	}
	binary.BigEndian.PutUint16(h[r.tcp+16:], wire.Fold(wire.PseudoHeader(src, dst, 6, whole)))
	b[hdrFlags], b[hdrGSOType] = flagNeedsCsum, gso
	binary.NativeEndian.PutUint16(b[hdrLen:], uint16(r.size))
	binary.NativeEndian.PutUint16(b[hdrGSOSize:], uint16(r.segment))
	binary.NativeEndian.PutUint16(b[hdrCsumStart:], uint16(r.tcp))
	binary.NativeEndian.PutUint16(b[hdrCsumOffset:], 16)
	return h
}
