package wire

import "encoding/binary"

// IPv6MaxExtHeaders is how many extension headers a packet may have (RFC 8504 §5.3 allows a limit); a sound packet has
// each of the six kinds at most once, destination options twice.
const IPv6MaxExtHeaders = 8

// Limits of options headers, Linux's defaults (max_hbh_opts_number, max_dst_opts_number) and its rule for padding.
const (
	IPv6MaxOptions = 8 // options other than padding
	IPv6MaxPadding = 7 // bytes of padding in a row (RFC 8504 §5.3)
)

// Codes of ICMPv6ParameterProblem for exceeded limits (RFC 8883 §2).
const (
	ICMPv6TooManyExtHeaders = 8
	ICMPv6TooManyOptions    = 9
)

// IPv6Problem says what is wrong with a packet's headers and what to answer. The zero value is "nothing".
type IPv6Problem struct {
	Err     Error
	Report  bool   // answer with a Parameter Problem message; otherwise drop silently
	Always  bool   // answer even if the packet went to a multicast address (RFC 8200 §4.2, action 10)
	Code    uint8  // of the Parameter Problem message
	Pointer uint32 // of the Parameter Problem message: offset from the start of the IPv6 header
}

// IPv6Walker goes along a packet's extension headers:
//
//	w := wire.WalkIPv6(p)
//	for w.Next() {
//		switch w.Header { case wire.ProtoRouting: …w.Data()… }
//	}
//	if w.Problem.Err != 0 { … }
//	upper, payload := w.Header, w.Rest()
//
// It stops at the first header it does not know as an extension header: upper-layer protocols, "no next header", and
// ESP, AH and Mobility, whose owners take the packet from there. After a fragment header it stops too, since what follows
// is a piece of a packet: Fragment is then its offset and Header the protocol that follows the piece's headers.
type IPv6Walker struct {
	Header   Protocol    // Next returned true: the kind of this extension header; false: what follows the last of them
	Offset   int         // of this header from the start of the packet
	NextAt   int         // offset of the next-header field that named Header: the pointer of an "unknown next header"
	Fragment int         // offset of the fragment header from the start of the packet, 0 if there is none
	Problem  IPv6Problem // why Next returned false early

	p     []byte
	size  int // of this extension header; 0 before the first
	count int
}

// WalkIPv6 begins a walk along the packet p, which ParseIPv6 returned.
func WalkIPv6(p IPv6) IPv6Walker {
	return IPv6Walker{Header: p.NextHeader(), Offset: IPv6Size, NextAt: ip6Next, p: p}
}

// Next goes to the next extension header and reports whether there is one.
func (w *IPv6Walker) Next() bool {
	if w.Problem.Err != 0 {
		return false
	}
	if w.size > 0 {
		wasFragment := w.Header == ProtoFragment
		w.NextAt = w.Offset
		w.Header = w.p[w.Offset]
		w.Offset += w.size
		w.size = 0
		if wasFragment {
			return false
		}
	} else if w.count > 0 {
		return false // already at the end
	}
	switch w.Header {
	case ProtoHopByHop:
		if w.count > 0 { // RFC 8200 §4.1: only immediately after the IPv6 header
			w.fail(IPv6Problem{ErrFormat, true, false, ICMPv6UnknownNextHeader, uint32(w.NextAt)})
			return false
		}
	case ProtoRouting, ProtoDestination, ProtoFragment:
	default:
		return false
	}
	if w.count++; w.count > IPv6MaxExtHeaders {
		w.fail(IPv6Problem{ErrLength, true, false, ICMPv6TooManyExtHeaders, uint32(w.Offset)})
		return false
	}
	left := len(w.p) - w.Offset
	if left < 8 {
		w.fail(IPv6Problem{Err: ErrTruncated})
		return false
	}
	size := 8
	if w.Header != ProtoFragment {
		size += int(w.p[w.Offset+1]) * 8
	} else {
		w.Fragment = w.Offset
	}
	if size > left {
		w.fail(IPv6Problem{Err: ErrTruncated})
		return false
	}
	w.size = size
	return true
}

func (w *IPv6Walker) fail(p IPv6Problem) { w.Problem, w.size = p, 0 }

// Data is the current extension header, whole.
func (w *IPv6Walker) Data() []byte { return w.p[w.Offset : w.Offset+w.size : w.Offset+w.size] }

// Rest is what follows the last extension header, when Next has returned false without a problem.
func (w *IPv6Walker) Rest() []byte { return w.p[w.Offset:] }

// UnknownNextHeader is the problem to report when nobody takes Header.
func (w *IPv6Walker) UnknownNextHeader() IPv6Problem {
	return IPv6Problem{ErrFormat, true, false, ICMPv6UnknownNextHeader, uint32(w.NextAt)}
}

// UnknownRouting is the problem of the current routing header for a node that does not know its type, type 0 among them
// (RFC 5095): nothing if no segments are left, otherwise an erroneous field at the type (RFC 8200 §4.4).
func (w *IPv6Walker) UnknownRouting() IPv6Problem {
	if w.size == 0 || w.p[w.Offset+3] == 0 {
		return IPv6Problem{}
	}
	return IPv6Problem{ErrFormat, true, false, ICMPv6ErroneousField, uint32(w.Offset + 2)}
}

// IPv6Routing is a view of a routing header (RFC 8200 §4.4), as IPv6Walker.Data returns it.
type IPv6Routing []byte

func (r IPv6Routing) NextHeader() Protocol { return r[0] }
func (r IPv6Routing) Type() uint8          { return r[2] }
func (r IPv6Routing) SegmentsLeft() uint8  { return r[3] }

// IPv6FragmentSize is the size of a fragment header.
const IPv6FragmentSize = 8

// IPv6Fragment is a view of a fragment header (RFC 8200 §4.5).
type IPv6Fragment []byte

// ParseIPv6Fragment returns a view of the fragment header at the start of b.
func ParseIPv6Fragment(b []byte) (IPv6Fragment, error) {
	if len(b) < IPv6FragmentSize {
		return nil, ErrTruncated
	}
	return IPv6Fragment(b[:IPv6FragmentSize:IPv6FragmentSize]), nil
}

func (f IPv6Fragment) NextHeader() Protocol { return f[0] }
func (f IPv6Fragment) More() bool           { return f[3]&1 != 0 }
func (f IPv6Fragment) ID() uint32           { return binary.BigEndian.Uint32(f[4:]) }

// Offset is where the piece belongs in the fragmentable part, in bytes.
func (f IPv6Fragment) Offset() int { return int(binary.BigEndian.Uint16(f[2:]) &^ 7) }

// IsAtomic reports whether the "fragment" is a whole packet (RFC 6946).
func (f IPv6Fragment) IsAtomic() bool { return binary.BigEndian.Uint16(f[2:])&^6 == 0 }

// Encode writes the header; offset is a multiple of 8.
func (f IPv6Fragment) Encode(next Protocol, offset int, more bool, id uint32) {
	_ = f[IPv6FragmentSize-1]
	f[0], f[1] = next, 0
	v := uint16(offset) &^ 7
	if more {
		v |= 1
	}
	binary.BigEndian.PutUint16(f[2:], v)
	binary.BigEndian.PutUint32(f[4:], id)
}

// CheckIPv6Fragment judges the length of the piece behind the fragment header at offset at of the parsed packet p
// (RFC 8200 §4.5): all but the last are multiples of eight bytes, and the whole stays below 65,536 bytes.
func CheckIPv6Fragment(p IPv6, at int) IPv6Problem {
	if at < IPv6Size || at+IPv6FragmentSize > len(p) {
		return IPv6Problem{Err: ErrTruncated}
	}
	f := IPv6Fragment(p[at:])
	n := len(p) - at - IPv6FragmentSize
	if f.More() && n&7 != 0 {
		return IPv6Problem{ErrLength, true, false, ICMPv6ErroneousField, ip6PayloadLen}
	}
	if f.Offset()+n+at-IPv6Size > 65535 {
		return IPv6Problem{ErrLength, true, false, ICMPv6ErroneousField, uint32(at + 2)}
	}
	return IPv6Problem{}
}

// CheckIPv6FirstFragment judges whether the first fragment p with the fragment header at offset at holds all headers up
// to the upper layer's (RFC 7112 §5; RFC 8200 §4.5). For atomic and later fragments there is nothing to judge.
func CheckIPv6FirstFragment(p IPv6, at int) IPv6Problem {
	if at < IPv6Size || at+IPv6FragmentSize > len(p) {
		return IPv6Problem{Err: ErrTruncated}
	}
	f := IPv6Fragment(p[at:])
	if f.Offset() != 0 || !f.More() {
		return IPv6Problem{}
	}
	incomplete := IPv6Problem{ErrTruncated, true, false, ICMPv6IncompleteFirstFrag, 0}
	w := IPv6Walker{Header: f.NextHeader(), Offset: at + IPv6FragmentSize, NextAt: at, p: p}
	for w.Next() {
		if w.Fragment != 0 {
			return IPv6Problem{} // fragments of fragments: judged when the outer ones are together
		}
	}
	if w.Problem.Err == ErrTruncated {
		return incomplete
	}
	need := 1
	switch w.Header {
	case ProtoTCP:
		need = TCPMinSize
	case ProtoUDP:
		need = UDPSize
	case ProtoICMPv6:
		need = ICMPv6Size
	case ProtoNoNext:
		need = 0
	}
	if w.Problem.Err == 0 && len(w.Rest()) < need {
		return incomplete
	}
	return IPv6Problem{}
}

// IPv6 options of hop-by-hop and destination options headers (IANA IPv6 Parameters).
const (
	IPv6OptPad1        = 0x00
	IPv6OptPadN        = 0x01
	IPv6OptRouterAlert = 0x05 // RFC 2711
	IPv6OptJumbo       = 0xc2 // RFC 2675
	IPv6OptHomeAddress = 0xc9 // RFC 6275
)

// What a node that does not know an option does, the upper two bits of its type (RFC 8200 §4.2).
const (
	IPv6ActionSkip          = 0
	IPv6ActionDiscard       = 1
	IPv6ActionReport        = 2 // discard and report always
	IPv6ActionReportUnicast = 3 // discard and report unless the packet went to a multicast address
)

// IPv6OptionWalker goes along the options of a hop-by-hop or destination options header, padding left out.
type IPv6OptionWalker struct {
	Type    uint8
	Offset  int         // of this option from the start of the packet
	Data    []byte      // after type and length
	Problem IPv6Problem // why Next returned false early

	p     []byte // the packet up to the end of the header
	next  int
	count int
}

// Options begins a walk along the options of the current extension header.
func (w *IPv6Walker) Options() IPv6OptionWalker {
	return IPv6OptionWalker{p: w.p[:w.Offset+w.size], next: w.Offset + 2}
}

// Next goes to the next option that is not padding and reports whether there is one. More options or padding than the
// limits, padding that is not zero and lengths beyond the header are problems.
func (w *IPv6OptionWalker) Next() bool {
	padding := 0
	for w.Problem.Err == 0 && w.next < len(w.p) {
		at := w.next
		if w.p[at] == IPv6OptPad1 {
			w.next++
			if padding++; padding > IPv6MaxPadding {
				w.Problem = IPv6Problem{Err: ErrOption}
			}
			continue
		}
		if at+1 >= len(w.p) || at+2+int(w.p[at+1]) > len(w.p) {
			w.Problem = IPv6Problem{Err: ErrOption}
			break
		}
		w.next = at + 2 + int(w.p[at+1])
		data := w.p[at+2 : w.next : w.next]
		if w.p[at] == IPv6OptPadN {
			nonzero := byte(0)
			for _, v := range data {
				nonzero |= v
			}
			if padding += 2 + len(data); padding > IPv6MaxPadding || nonzero != 0 {
				w.Problem = IPv6Problem{Err: ErrOption}
			}
			continue
		}
		if w.count++; w.count > IPv6MaxOptions {
			w.Problem = IPv6Problem{ErrOption, true, false, ICMPv6TooManyOptions, uint32(at)}
			break
		}
		w.Type, w.Offset, w.Data = w.p[at], at, data
		return true
	}
	return false
}

// Unknown is the problem of the current option for a node that does not know it: nothing if it is to be skipped.
func (w *IPv6OptionWalker) Unknown() IPv6Problem {
	switch w.Type >> 6 {
	case IPv6ActionSkip:
		return IPv6Problem{}
	case IPv6ActionDiscard:
		return IPv6Problem{Err: ErrOption}
	}
	return IPv6Problem{ErrOption, true, w.Type>>6 == IPv6ActionReport, ICMPv6UnknownOption, uint32(w.Offset)}
}
