package ipv4

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// recordForward writes this router into the record route and timestamp options
// of a packet on its way by r (RFC 1812 §5.3.13.5 and .6), and adapts the
// checksum.
func (s *stack) recordForward(h wire.IPv4, r *core.Route, o *wire.IPv4Options) {
	a, ok := s.Source(r.Interface, r.Gateway)
	if !ok {
		return
	}
	if o.RecordRoute != 0 {
		wire.IPv4RecordRoute(h, o.RecordRoute, a)
	}
	if o.Timestamp != 0 {
		wire.IPv4RecordTime(h, o.Timestamp, a, s.milliseconds())
	}
	h.UpdateChecksum()
}

// replyOptions appends to b the options of an answer to a packet with header h:
// its record route and timestamp options with our entry (RFC 1122 §3.2.2.6).
// Source routes are not answered along.
func (s *stack) replyOptions(h wire.IPv4, p *core.Packet, b []byte) []byte {
	if h.HeaderLen() == wire.IPv4MinSize {
		return nil
	}
	var o wire.IPv4Options
	if _, err := wire.ParseIPv4Options(h.Options(), &o); err != nil {
		return nil
	}
	var copied [wire.IPv4MaxHeaderSize]byte
	own := wire.IPv4(copied[:copy(copied[:], h.Header())])
	for _, at := range [2]uint8{o.RecordRoute, o.Timestamp} {
		if at == 0 {
			continue
		}
		if at == o.RecordRoute {
			wire.IPv4RecordRoute(own, at, p.Dst)
		} else {
			wire.IPv4RecordTime(own, at, p.Dst, s.milliseconds())
		}
		b = append(b, own[at:int(at)+int(own[at+1])]...)
	}
	for len(b)&3 != 0 {
		b = append(b, wire.IPv4OptEnd)
	}
	return b
}
