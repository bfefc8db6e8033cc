package wire

import "encoding/binary"

// MLD is a view of a multicast listener message of version 1 or 2 (RFC 2710, RFC 3810): an ICMPv6 message of type
// ICMPv6MLDQuery, ICMPv6MLDReport, ICMPv6MLDDone or ICMPv6MLDv2Report.
type MLD []byte

// Sizes of messages.
const (
	MLDSize         = 24 // version 1
	MLDv2QuerySize  = 28 // the fixed part of a version 2 query
	MLDv2ReportSize = 8  // the fixed part of a version 2 report
)

// MLDHopLimit is the hop limit of every message: they stay on the link.
const MLDHopLimit = 1

// ParseMLD applies the rules of validity that need no state (RFC 2710 §3, RFC 3810 §5.1.14, §5.2.13) to a message whose
// checksum is right: a hop limit of 1; a link-local source address, or for reports the unspecified one (RFC 3590); code 0
// is not demanded; a length that is one of a known version, with all sources and records there. That the packet carried a
// Router Alert is the caller's to check.
func ParseMLD(m ICMPv6, src Addr, hopLimit uint8) (MLD, error) {
	if hopLimit != MLDHopLimit {
		return nil, ErrHopLimit
	}
	typ := m.Type()
	report := typ == ICMPv6MLDReport || typ == ICMPv6MLDv2Report
	if src.Is4() || !src.IsLinkLocalUnicast() && !(report && src.IsUnspecified()) {
		return nil, ErrAddress
	}
	switch typ {
	case ICMPv6MLDQuery:
		if len(m) < MLDSize {
			return nil, ErrTruncated
		}
		if len(m) > MLDSize && len(m) < MLDv2QuerySize { // RFC 3810 §8.1: must be ignored
			return nil, ErrLength
		}
		if len(m) >= MLDv2QuerySize && MLDv2QuerySize+16*int(binary.BigEndian.Uint16(m[26:])) > len(m) {
			return nil, ErrTruncated
		}
	case ICMPv6MLDReport, ICMPv6MLDDone:
		if len(m) < MLDSize {
			return nil, ErrTruncated
		}
	case ICMPv6MLDv2Report:
		if len(m) < MLDv2ReportSize || !MLD(m).Records().whole() {
			return nil, ErrTruncated
		}
	default:
		return nil, ErrFormat
	}
	return MLD(m), nil
}

func (m MLD) Type() uint8 { return m[icmpType] }

// Group is the group of a query, or of a report or done of version 1; "::" in a general query.
func (m MLD) Group() Addr { return addr16(m[8:]) }

// QueryVersion is the version of a query: 1 or 2 (RFC 3810 §8.1).
func (m MLD) QueryVersion() int {
	if len(m) >= MLDv2QuerySize {
		return 2
	}
	return 1
}

// MaxResponse is the time within which a query is to be answered, in milliseconds.
func (m MLD) MaxResponse() uint32 {
	code := binary.BigEndian.Uint16(m[4:])
	if m.QueryVersion() == 1 {
		return uint32(code)
	}
	return decodeFloat(uint(code), 12)
}

// Suppress is the S flag of a version 2 query: routers keep their timers.
func (m MLD) Suppress() bool { return len(m) >= MLDv2QuerySize && m[24]&8 != 0 }

// Robustness is the querier's robustness variable, 0 if not said.
func (m MLD) Robustness() uint8 {
	if len(m) < MLDv2QuerySize {
		return 0
	}
	return m[24] & 7
}

// QueryInterval is the querier's query interval in seconds, 0 if not said.
func (m MLD) QueryInterval() uint32 {
	if len(m) < MLDv2QuerySize {
		return 0
	}
	return decodeFloat(uint(m[25]), 4)
}

// Sources is the sources of a version 2 query.
func (m MLD) Sources() AddrList {
	if len(m) < MLDv2QuerySize {
		return AddrList{}
	}
	return AddrList{m[MLDv2QuerySize : MLDv2QuerySize+16*int(binary.BigEndian.Uint16(m[26:]))], 16}
}

// Records begins a walk along the records of a version 2 report.
func (m MLD) Records() GroupRecordWalker {
	if m.Type() != ICMPv6MLDv2Report {
		return GroupRecordWalker{}
	}
	return GroupRecordWalker{m[MLDv2ReportSize:], int(binary.BigEndian.Uint16(m[6:])), 16}
}

// Encode writes a message of version 1 with a checksum of zero; maxResponse is in milliseconds and of queries only.
func (m MLD) Encode(typ uint8, maxResponse uint16, group Addr) {
	_ = m[MLDSize-1]
	ICMPv6(m).Encode(typ, 0, uint32(maxResponse)<<16)
	group.Put16(m[8:])
}

// EncodeV2Report writes the fixed part of a report with a checksum of zero; PutGroupRecord writes the records behind it.
func (m MLD) EncodeV2Report(records int) {
	ICMPv6(m).Encode(ICMPv6MLDv2Report, 0, uint32(uint16(records)))
}

// EncodeV2Query writes a query of 28 bytes and 16 for each source, with a checksum of zero, and returns its size.
func (m MLD) EncodeV2Query(q *MulticastQuery, sources ...Addr) int {
	n := MLDv2QuerySize + 16*len(sources)
	_ = m[n-1]
	m.Encode(ICMPv6MLDQuery, uint16(encodeFloat(q.MaxResponse, 12)), q.Group)
	m[24], m[25] = q.flags(), uint8(encodeFloat(q.Interval, 4))
	binary.BigEndian.PutUint16(m[26:], uint16(len(sources)))
	for i, s := range sources {
		s.Put16(m[MLDv2QuerySize+16*i:])
	}
	return n
}
