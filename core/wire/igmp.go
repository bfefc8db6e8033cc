package wire

import "encoding/binary"

// IGMP is a view of an IGMP message of version 1 to 3 (RFC 1112, RFC 2236, RFC 3376).
type IGMP []byte

// Sizes of messages.
const (
	IGMPSize        = 8  // versions 1 and 2, and the fixed part of a version 3 report
	IGMPv3QuerySize = 12 // the fixed part of a version 3 query
)

// Types of messages.
const (
	IGMPQuery    = 0x11
	IGMPv1Report = 0x12
	IGMPv2Report = 0x16
	IGMPv2Leave  = 0x17
	IGMPv3Report = 0x22
)

// ParseIGMP returns a view of the message b. For a query, the length is one of a known version and all sources are
// there; for a version 3 report all records are there. The checksum is ChecksumOK's.
//
// Errors: ErrTruncated, ErrLength for a query of 9 to 11 bytes, which must be ignored (RFC 3376 §7.1).
func ParseIGMP(b []byte) (IGMP, error) {
	if len(b) < IGMPSize {
		return nil, ErrTruncated
	}
	m := IGMP(b)
	switch m.Type() {
	case IGMPQuery:
		if len(b) > IGMPSize && len(b) < IGMPv3QuerySize {
			return nil, ErrLength
		}
		if len(b) >= IGMPv3QuerySize && IGMPv3QuerySize+4*int(binary.BigEndian.Uint16(b[10:])) > len(b) {
			return nil, ErrTruncated
		}
	case IGMPv3Report:
		if !m.Records().whole() {
			return nil, ErrTruncated
		}
	}
	return m, nil
}

func (m IGMP) Type() uint8      { return m[0] }
func (m IGMP) Checksum() uint16 { return binary.BigEndian.Uint16(m[2:]) }

// Group is the group of a query or of a report or leave of version 1 or 2; 0.0.0.0 in a general query.
func (m IGMP) Group() Addr { return addr4(m[4:]) }

// ChecksumOK reports whether the message's checksum is right.
func (m IGMP) ChecksumOK() bool { return Sum(m, 0) == 0xffff }

// QueryVersion is the version of a query: 1, 2 or 3 (RFC 3376 §7.1).
func (m IGMP) QueryVersion() int {
	switch {
	case len(m) >= IGMPv3QuerySize:
		return 3
	case m[1] == 0:
		return 1
	}
	return 2
}

// MaxResponse is the time within which a query is to be answered, in tenths of a second; 100 for version 1.
func (m IGMP) MaxResponse() uint32 {
	switch m.QueryVersion() {
	case 1:
		return 100
	case 2:
		return uint32(m[1])
	}
	return decodeFloat(uint(m[1]), 4)
}

// Suppress is the S flag of a version 3 query: routers keep their timers.
func (m IGMP) Suppress() bool { return len(m) >= IGMPv3QuerySize && m[8]&8 != 0 }

// Robustness is the querier's robustness variable, 0 if not said.
func (m IGMP) Robustness() uint8 {
	if len(m) < IGMPv3QuerySize {
		return 0
	}
	return m[8] & 7
}

// QueryInterval is the querier's query interval in seconds, 0 if not said.
func (m IGMP) QueryInterval() uint32 {
	if len(m) < IGMPv3QuerySize {
		return 0
	}
	return decodeFloat(uint(m[9]), 4)
}

// Sources is the sources of a version 3 query.
func (m IGMP) Sources() AddrList {
	if len(m) < IGMPv3QuerySize {
		return AddrList{}
	}
	return AddrList{m[IGMPv3QuerySize : IGMPv3QuerySize+4*int(binary.BigEndian.Uint16(m[10:]))], 4}
}

// Records begins a walk along the records of a version 3 report.
func (m IGMP) Records() GroupRecordWalker {
	if m.Type() != IGMPv3Report {
		return GroupRecordWalker{}
	}
	return GroupRecordWalker{m[IGMPSize:], int(binary.BigEndian.Uint16(m[6:])), 4}
}

// UpdateChecksum computes the checksum over the view, which holds the whole message, and writes it.
func (m IGMP) UpdateChecksum() {
	binary.BigEndian.PutUint16(m[2:], 0)
	binary.BigEndian.PutUint16(m[2:], Finish(Sum(m, 0)))
}

// Encode writes a message of version 1 or 2 with a checksum of zero; maxResponse is in tenths of a second and of queries
// only.
func (m IGMP) Encode(typ uint8, maxResponse uint8, group Addr) {
	_ = m[IGMPSize-1]
	m[0], m[1], m[2], m[3] = typ, maxResponse, 0, 0
	group.Put4(m[4:])
}

// EncodeV3Report writes the fixed part of a report with a checksum of zero; PutGroupRecord writes the records behind it.
func (m IGMP) EncodeV3Report(records int) {
	_ = m[IGMPSize-1]
	clear(m[:IGMPSize])
	m[0] = IGMPv3Report
	binary.BigEndian.PutUint16(m[6:], uint16(records))
}

// MulticastQuery is a query of IGMPv3 or MLDv2 as a plain value.
type MulticastQuery struct {
	MaxResponse uint32 // tenths of a second for IGMP, milliseconds for MLD; cut to what the code can say
	Group       Addr   // unspecified in a general query
	Suppress    bool
	Robustness  uint8  // 0..7
	Interval    uint32 // seconds, cut to what the code can say
}

func (q *MulticastQuery) flags() uint8 {
	f := q.Robustness & 7
	if q.Suppress {
		f |= 8
	}
	return f
}

// EncodeV3Query writes a query of 12 bytes and four for each source, with a checksum of zero, and returns its size.
func (m IGMP) EncodeV3Query(q *MulticastQuery, sources ...Addr) int {
	n := IGMPv3QuerySize + 4*len(sources)
	_ = m[n-1]
	m.Encode(IGMPQuery, uint8(encodeFloat(q.MaxResponse, 4)), q.Group)
	m[8], m[9] = q.flags(), uint8(encodeFloat(q.Interval, 4))
	binary.BigEndian.PutUint16(m[10:], uint16(len(sources)))
	for i, s := range sources {
		s.Put4(m[IGMPv3QuerySize+4*i:])
	}
	return n
}
