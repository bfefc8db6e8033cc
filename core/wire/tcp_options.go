package wire

import "encoding/binary"

// TCP option kinds (IANA TCP Parameters).
const (
	TCPOptEnd           = 0
	TCPOptNop           = 1
	TCPOptMSS           = 2
	TCPOptWindowScale   = 3
	TCPOptSACKPermitted = 4
	TCPOptSACK          = 5
	TCPOptTimestamp     = 8
	TCPOptMPTCP         = 30
	TCPOptFastOpen      = 34
)

const (
	tcpMSSSize      = 4
	tcpWScaleSize   = 3
	tcpSACKPermSize = 2
	tcpTSSize       = 10

	// TCPTimestampSize is the timestamp option with two NOPs before it, as everyone sends it (RFC 7323 appendix A).
	TCPTimestampSize = 12

	tcpAlignedTS = TCPOptNop<<24 | TCPOptNop<<16 | TCPOptTimestamp<<8 | tcpTSSize
)

// TCPMaxWindowScale is the largest shift; larger ones are taken as this (RFC 7323 §2.3).
const TCPMaxWindowScale = 14

// SACKBlock is a block of received data: the sequence numbers in [Start, End).
type SACKBlock struct{ Start, End Seq }

// TCPOptionSet says which options were present.
type TCPOptionSet uint8

const (
	TCPHasMSS TCPOptionSet = 1 << iota
	TCPHasWindowScale
	TCPHasSACKPermitted
	TCPHasTimestamp
	TCPHasFastOpen
	TCPHasMPTCP // present at least once; TCPOptionWalker finds it
)

// TCPOptions is the options of a segment as a plain value. It holds no pointer.
type TCPOptions struct {
	Has          TCPOptionSet
	WindowScale  uint8 // shift, 0..14
	NumSACK      uint8 // blocks in SACK
	FastOpenLen  uint8 // bytes of the cookie: 0 is a request for one
	MSS          uint16
	FastOpenAt   uint8 // where in the option bytes the cookie begins
	TSVal, TSEcr uint32
	SACK         [4]SACKBlock
}

// SACKBlocks is the blocks present; it is a part of o.
func (o *TCPOptions) SACKBlocks() []SACKBlock { return o.SACK[:o.NumSACK&7] }

// ParseTCPOptions reads the option bytes b of a header into o. Unknown kinds and known kinds of a wrong length are
// skipped, an MSS of zero is ignored, a later option replaces an earlier one of its kind. An option whose length is below
// two or reaches past the end is ErrOption: o then holds what came before it, and Linux goes on with that
// (net/ipv4/tcp_input.c, tcp_parse_options). Whether an option counts outside a SYN is the caller's to judge.
func ParseTCPOptions(b []byte, o *TCPOptions) error {
	if len(b) == TCPTimestampSize && binary.BigEndian.Uint32(b) == tcpAlignedTS {
		o.Has, o.NumSACK = TCPHasTimestamp, 0
		o.TSVal = binary.BigEndian.Uint32(b[4:])
		o.TSEcr = binary.BigEndian.Uint32(b[8:])
		return nil
	}
	o.Has, o.NumSACK = 0, 0
	for i := 0; i < len(b); {
		kind := b[i]
		if kind == TCPOptEnd {
			return nil
		}
		if kind == TCPOptNop {
			i++
			continue
		}
		if i+1 >= len(b) {
			return ErrOption
		}
		n := int(b[i+1])
		if n < 2 || i+n > len(b) {
			return ErrOption
		}
		o.parseOne(b[i:i+n], i)
		i += n
	}
	return nil
}

// parseOne reads the option opt, at least two bytes, which begins at index at of the option bytes.
func (o *TCPOptions) parseOne(opt []byte, at int) {
	switch n := len(opt); opt[0] {
	case TCPOptMSS:
		if n == tcpMSSSize && opt[2]|opt[3] != 0 {
			o.MSS = binary.BigEndian.Uint16(opt[2:])
			o.Has |= TCPHasMSS
		}
	case TCPOptWindowScale:
		if n == tcpWScaleSize {
			o.WindowScale = min(opt[2], TCPMaxWindowScale)
			o.Has |= TCPHasWindowScale
		}
	case TCPOptSACKPermitted:
		if n == tcpSACKPermSize {
			o.Has |= TCPHasSACKPermitted
		}
	case TCPOptTimestamp:
		if n == tcpTSSize {
			o.TSVal = binary.BigEndian.Uint32(opt[2:])
			o.TSEcr = binary.BigEndian.Uint32(opt[6:])
			o.Has |= TCPHasTimestamp
		}
	case TCPOptSACK:
		if n >= 10 && (n-2)%8 == 0 {
			o.NumSACK = uint8(min((n-2)/8, len(o.SACK)))
			for j := range o.NumSACK {
				blk := opt[2+8*int(j):]
				o.SACK[j] = SACKBlock{Seq(binary.BigEndian.Uint32(blk)), Seq(binary.BigEndian.Uint32(blk[4:]))}
			}
		}
	case TCPOptFastOpen:
		// RFC 7413 §4.1.1: a request, or a cookie of 4 to 16 bytes of even length.
		if n == 2 || n >= 6 && n <= 18 && n&1 == 0 {
			o.FastOpenAt, o.FastOpenLen = uint8(at+2), uint8(n-2)
			o.Has |= TCPHasFastOpen
		}
	case TCPOptMPTCP:
		o.Has |= TCPHasMPTCP
	}
}

// PutTimestamp writes NOP, NOP and a timestamp option to b[0:12].
func PutTimestamp(b []byte, val, ecr uint32) {
	_ = b[TCPTimestampSize-1]
	binary.BigEndian.PutUint32(b, tcpAlignedTS)
	binary.BigEndian.PutUint32(b[4:], val)
	binary.BigEndian.PutUint32(b[8:], ecr)
}

// Size is the number of bytes that Put writes: a multiple of four, at most 40.
func (o *TCPOptions) Size() int {
	n := 0
	if o.Has&TCPHasMSS != 0 {
		n += tcpMSSSize
	}
	switch {
	case o.Has&TCPHasTimestamp != 0:
		n += TCPTimestampSize
	case o.Has&TCPHasSACKPermitted != 0:
		n += 4
	}
	if o.Has&TCPHasWindowScale != 0 {
		n += 4
	}
	if k := o.sackThatFit(n); k > 0 {
		n += 4 + 8*k
	}
	return n
}

// sackThatFit is how many of the SACK blocks fit after used bytes of other options: 3 beside timestamps, 4 alone.
func (o *TCPOptions) sackThatFit(used int) int {
	if used > TCPMaxOptionsSize-12 {
		return 0
	}
	return min(int(o.NumSACK), len(o.SACK), (TCPMaxOptionsSize-4-used)/8)
}

// Put writes the options to b in Linux's order and alignment (net/ipv4/tcp_output.c, tcp_options_write): MSS, timestamps
// with SACK-permitted in place of their NOPs, window scale, SACK blocks as many as fit. Fast Open and MPTCP options are
// not written. b must have Size bytes of room; the number written is returned.
func (o *TCPOptions) Put(b []byte) int {
	n := 0
	put32 := func(v uint32) {
		binary.BigEndian.PutUint32(b[n:], v)
		n += 4
	}
	const nopNop = TCPOptNop<<24 | TCPOptNop<<16
	if o.Has&TCPHasMSS != 0 {
		put32(TCPOptMSS<<24 | tcpMSSSize<<16 | uint32(o.MSS))
	}
	sackPermitted := o.Has&TCPHasSACKPermitted != 0
	if o.Has&TCPHasTimestamp != 0 {
		if sackPermitted {
			put32(TCPOptSACKPermitted<<24 | tcpSACKPermSize<<16 | TCPOptTimestamp<<8 | tcpTSSize)
		} else {
			put32(tcpAlignedTS)
		}
		put32(o.TSVal)
		put32(o.TSEcr)
	} else if sackPermitted {
		put32(nopNop | TCPOptSACKPermitted<<8 | tcpSACKPermSize)
	}
	if o.Has&TCPHasWindowScale != 0 {
		put32(TCPOptNop<<24 | TCPOptWindowScale<<16 | tcpWScaleSize<<8 | uint32(o.WindowScale))
	}
	if k := o.sackThatFit(n); k > 0 {
		put32(nopNop | TCPOptSACK<<8 | uint32(2+8*k))
		for _, s := range o.SACK[:k] {
			put32(uint32(s.Start))
			put32(uint32(s.End))
		}
	}
	return n
}

// TCPOptionWalker yields options one by one, for kinds that TCPOptions does not hold. Begin with the option bytes:
//
//	for w := wire.TCPOptionWalker(seg.Options()); ; {
//		kind, data, ok := w.Next()
//		if !ok { break }
//	}
type TCPOptionWalker []byte

// Next is the next option's kind and the bytes after its length; ok is false at the end and at a malformed option.
func (w *TCPOptionWalker) Next() (kind uint8, data []byte, ok bool) {
	for len(*w) > 0 && (*w)[0] == TCPOptNop {
		*w = (*w)[1:]
	}
	b := *w
	if len(b) < 2 || b[0] == TCPOptEnd || b[1] < 2 || int(b[1]) > len(b) {
		*w = nil
		return 0, nil, false
	}
	n := int(b[1])
	*w = b[n:]
	return b[0], b[2:n:n], true
}
