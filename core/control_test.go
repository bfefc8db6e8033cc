package core_test

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

func cmsg(level, name int, data []byte) []byte {
	ne := binary.NativeEndian
	b := ne.AppendUint64(nil, uint64(16+len(data)))
	b = ne.AppendUint32(ne.AppendUint32(b, uint32(level)), uint32(name))
	b = append(b, data...)
	return append(b, make([]byte, -len(b)&7)...)
}

func int32s(v ...int32) (b []byte) {
	for _, x := range v {
		b = binary.NativeEndian.AppendUint32(b, uint32(x))
	}
	return b
}

func cat(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func TestControlMessagesOfAReceive(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		four, six := at(addrB, 0).Addr.As4(), at(addrB6, 0).Addr.As16()
		mapped := at(addrB, 0).Addr.As16()
		for _, x := range []struct {
			name    string
			k       kind
			from    kind
			to      string
			level   int
			options []int
			want    []byte
		}{
			{"none", datagrams[0], datagrams[0], addrB, core.SolIP, nil, nil},
			{"IPv4", datagrams[0], datagrams[0], addrB, core.SolIP, []int{core.IPPktInfo, core.IPRecvTTL, core.IPRecvTOS},
				cat(cmsg(core.SolIP, core.IPPktInfo, cat(int32s(2), four[:], four[:])), cmsg(core.SolIP, core.IPTTL, int32s(9)), cmsg(core.SolIP, core.IPTOS, []byte{0x10}))},
			{"IPv6", datagrams[1], datagrams[1], addrB6, core.SolIPv6, []int{core.IPv6RecvPktInfo, core.IPv6RecvHopLimit, core.IPv6RecvTClass},
				cat(cmsg(core.SolIPv6, core.IPv6PktInfo, cat(six[:], int32s(2))), cmsg(core.SolIPv6, core.IPv6HopLimit, int32s(9)), cmsg(core.SolIPv6, core.IPv6TClass, int32s(0x10)))},
			{"IPv4 on IPv6", datagrams[1], datagrams[0], addrB, core.SolIPv6, []int{core.IPv6RecvPktInfo},
				cmsg(core.SolIPv6, core.IPv6PktInfo, cat(mapped[:], int32s(2)))},
			{"IPv4 on IPv6, as IPv4 tells it", datagrams[1], datagrams[0], addrB, core.SolIP, []int{core.IPPktInfo, core.IPRecvTTL, core.IPRecvTOS},
				cat(cmsg(core.SolIP, core.IPPktInfo, cat(int32s(2), four[:], four[:])), cmsg(core.SolIP, core.IPTTL, int32s(9)), cmsg(core.SolIP, core.IPTOS, []byte{0x10}))},
			{"IPv4 on IPv6, flags of IPv6", datagrams[1], datagrams[0], addrB, core.SolIPv6, []int{core.IPv6RecvHopLimit, core.IPv6RecvTClass}, nil},
			{"IPv6, flags of IPv4", datagrams[1], datagrams[1], addrB6, core.SolIP, []int{core.IPPktInfo, core.IPRecvTTL, core.IPRecvTOS}, nil},
		} {
			s := open(t, h.b, x.k)
			any := "0.0.0.0"
			if x.k.family == core.AFInet6 {
				any = "::"
			}
			ok(t, s.Bind(at(any, 7)))
			for _, o := range x.options {
				ok(t, s.SetInt(x.level, o, 1))
			}
			c := open(t, h.a, x.from)
			level, ttl, tos := core.SolIP, core.IPTTL, core.IPTOS
			if x.from.family == core.AFInet6 {
				level, ttl, tos = core.SolIPv6, core.IPv6HopLimit, core.IPv6TClass
			}
			m := core.Message{Data: []byte("x"), Addr: at(x.to, 7), HasAddr: true}
			ok(t, m.ParseControl(cat(cmsg(level, ttl, int32s(9)), cmsg(level, tos, int32s(0x10)))))
			_, err := c.Send(&m)
			ok(t, err)
			in := core.Message{Data: make([]byte, 9)}
			_, err = s.Receive(&in)
			ok(t, err)
			if got := s.AppendControl(nil, &in); string(got) != string(x.want) {
				t.Errorf("%s:\n% x, want\n% x", x.name, got, x.want)
			}
			ok(t, s.Close())
		}
	})
}

func TestTheTimeOfArrivalIsAControlMessage(t *testing.T) {
	for _, opt := range []int{core.SoTimestamp, core.SoTimestampNS} {
		h := newHosts(t)
		h.Do(func() {
			c, s, _ := h.pair(t, datagrams[0], 7)
			ok(t, s.SetInt(core.SolSocket, opt, 1))
			ok(t, h.a.Sleep(1234567891*time.Nanosecond))
			when := h.Host.WallNow()
			send(t, c, "x")
			ok(t, h.a.Sleep(time.Hour))
			m := core.Message{Data: make([]byte, 9)}
			_, err := s.Receive(&m)
			ok(t, err)
			part := int64(when.Nanosecond())
			if opt == core.SoTimestamp {
				part /= 1000
			}
			if got, w := s.AppendControl(nil, &m), cmsg(core.SolSocket, opt, timeval(when.Unix(), part)); string(got) != string(w) {
				t.Errorf("% x, want % x", got, w)
			}
		})
	}
}

// The address to answer a group's datagram from is the interface's.
func TestPacketInfoOfAGroup(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		s := open(t, h.b, datagrams[0])
		ok(t, s.SetOption(core.SolIP, core.IPAddMembership, mreqn("224.1.1.1", addrB, 0)))
		ok(t, s.SetInt(core.SolIP, core.IPPktInfo, 1))
		ok(t, s.Bind(at("0.0.0.0", 7)))
		c := open(t, h.a, datagrams[0])
		_, err := c.Send(&core.Message{Addr: at("224.1.1.1", 7), HasAddr: true})
		ok(t, err)
		m := core.Message{}
		_, err = s.Receive(&m)
		ok(t, err)
		group, own := at("224.1.1.1", 0).Addr.As4(), at(addrB, 0).Addr.As4()
		if got, w := s.AppendControl(nil, &m), cmsg(core.SolIP, core.IPPktInfo, cat(int32s(2), own[:], group[:])); string(got) != string(w) {
			t.Errorf("% x, want % x", got, w)
		}
	})
}

func TestControlMessagesOfASend(t *testing.T) {
	own := at(addrA, 0).Addr.As4()
	own6 := at(addrA6, 0).Addr.As16()
	good := core.Message{}
	ok(t, good.ParseControl(cat(cmsg(core.SolIP, core.IPPktInfo, cat(int32s(3), own[:], make([]byte, 4))), cmsg(77, 1, nil), cmsg(core.SolIP, core.IPTOS, []byte{4}))))
	if i := good.PacketInfo; !good.HasPacketInfo || i.Addr != at(addrA, 0).Addr || i.Interface != 3 || !good.HasTOS || good.TOS != 4 || good.HasHopLimit || string(good.Ancillary) != string(cmsg(77, 1, nil)) {
		t.Errorf("parsed %+v", good)
	}
	good = core.Message{}
	ok(t, good.ParseControl(cat(cmsg(core.SolIPv6, core.IPv6PktInfo, cat(own6[:], int32s(4))), cmsg(core.SolIPv6, core.IPv6HopLimit, int32s(-1)))))
	if i := good.PacketInfo; i.Addr != at(addrA6, 0).Addr || i.Interface != 4 || good.HasHopLimit {
		t.Errorf("parsed %+v", good)
	}
	for name, b := range map[string][]byte{
		"longer than the buffer":  cmsg(core.SolIP, core.IPTTL, int32s(1))[:18],
		"shorter than its header": make([]byte, 16),
		"TTL of 0":                cmsg(core.SolIP, core.IPTTL, int32s(0)),
		"TTL of 256":              cmsg(core.SolIP, core.IPTTL, int32s(256)),
		"TTL of two bytes":        cmsg(core.SolIP, core.IPTTL, []byte{1, 0}),
		"hop limit of -2":         cmsg(core.SolIPv6, core.IPv6HopLimit, int32s(-2)),
		"traffic class of 256":    cmsg(core.SolIPv6, core.IPv6TClass, int32s(256)),
		"short in_pktinfo":        cmsg(core.SolIP, core.IPPktInfo, make([]byte, 11)),
		"short in6_pktinfo":       cmsg(core.SolIPv6, core.IPv6PktInfo, make([]byte, 19)),
		"unknown of IP":           cmsg(core.SolIP, 99, int32s(1)),
		"unknown of IPv6":         cmsg(core.SolIPv6, 99, int32s(1)),
		"SCM_RIGHTS":              cmsg(core.SolSocket, 1, int32s(1)),
	} {
		want(t, name, new(core.Message).ParseControl(b), einval)
	}
}

// A receiver with little room gets the control messages that fit whole.
func TestControlMessagesAreGivenWhole(t *testing.T) {
	all := cat(cmsg(300, 1, []byte("a")), cmsg(300, 2, []byte("second")))
	for room, want := range map[int]int{0: 0, 23: 0, 24: 24, 47: 24, 48: 48, 60: 48} {
		b := make([]byte, room)
		if n, whole := core.FitControl(b, all); n != want || whole != (want == 48) || string(b[:n]) != string(all[:n]) {
			t.Errorf("%d bytes of room take %d, all: %v", room, n, whole)
		}
	}
}

func FuzzParseControl(f *testing.F) {
	f.Add(cat(cmsg(300, 1, []byte("own")), cmsg(core.SolIP, core.IPTTL, int32s(7)), cmsg(300, 2, nil)))
	f.Add(cmsg(core.SolIP, core.IPTTL, int32s(7)))
	f.Add(cmsg(core.SolIPv6, core.IPv6PktInfo, make([]byte, 20)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m core.Message
		if err := m.ParseControl(b); err != nil && !errors.Is(err, einval) {
			t.Errorf("%v, want EINVAL or nothing", err)
		}
		if len(m.Ancillary) <= core.MaxAncillary && !core.ControlMessages(m.Ancillary) {
			t.Errorf("% x are left for the protocol", m.Ancillary)
		}
		room := make([]byte, len(b)/2)
		n, whole := core.FitControl(room, m.Ancillary)
		if string(room[:n]) != string(m.Ancillary[:n]) || whole != (n == len(m.Ancillary)) || !core.ControlMessages(room[:min(n, core.MaxAncillary&^7)]) && n <= core.MaxAncillary {
			t.Errorf("%d of % x fit into %d bytes", n, m.Ancillary, len(room))
		}
	})
}
