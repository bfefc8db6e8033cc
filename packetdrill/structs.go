package packetdrill

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"sync"
)

// fieldKind is the type of a struct's field.
type fieldKind uint8

const (
	fieldUint  fieldKind = iota // of the machine's order
	fieldInt                    // the same, signed
	fieldNet                    // of the network's order
	fieldAddr4                  // an IPv4 address
	fieldAddr6                  // an IPv6 address
	fieldBits                   // some bits of a byte
)

// structField is one field of a struct, at its place.
type structField struct {
	name   string
	kind   fieldKind
	offset int
	size   int
	shift  int // of fieldBits
	bits   int
}

// layout is a struct of Linux's x86-64 ABI.
type layout struct {
	name   string
	size   int
	fields []structField
}

// layoutSource is a struct as it is declared: NAME TYPE in C's order. Adding one is
// adding a row. A script may leave out the prefix of a name up to its first
// underscore (onoff for l_onoff).
var layoutSource = []struct{ name, fields string }{
	{"sockaddr_in", "sin_family u16, sin_port n16, sin_addr a4, sin_zero n64"},
	{"sockaddr_in6", "sin6_family u16, sin6_port n16, sin6_flowinfo n32, sin6_addr a6, sin6_scope_id u32"},
	{"linger", "l_onoff i32, l_linger i32"},
	{"timeval", "tv_sec i64, tv_usec i64"},
	{"timespec", "tv_sec i64, tv_nsec i64"},
	{"scm_timestamping", "scm_sec i64, scm_nsec i64, scm_sec1 i64, scm_nsec1 i64, scm_sec2 i64, scm_nsec2 i64"},
	{"sock_extended_err", "ee_errno u32, ee_origin u8, ee_type u8, ee_code u8, ee_pad u8, ee_info u32, ee_data u32"},
	{"in_pktinfo", "ipi_ifindex i32, ipi_spec_dst a4, ipi_addr a4"},
	{"in6_pktinfo", "ipi6_addr a6, ipi6_ifindex i32"},
	{"ip_mreq", "imr_multiaddr a4, imr_interface a4"},
	{"ip_mreqn", "imr_multiaddr a4, imr_address a4, imr_ifindex i32"},
	{"ip_mreq_source", "imr_multiaddr a4, imr_interface a4, imr_sourceaddr a4"},
	{"ipv6_mreq", "ipv6mr_multiaddr a6, ipv6mr_interface i32"},
	{"ip6_mtuinfo", "ip6m_family u16, ip6m_port n16, ip6m_flowinfo n32, ip6m_addr a6, ip6m_scope_id u32, ip6m_mtu u32"},
	{"sock_txtime", "clockid i32, flags u32"},
	{"so_timestamping", "ts_flags i32, ts_bind_phc i32"},
	{"tcp_repair_window", "snd_wl1 u32, snd_wnd u32, max_window u32, rcv_wnd u32, rcv_wup u32"},
	{"tcp_info", tcpInfoFields},
}

const tcpInfoFields = "tcpi_state u8, tcpi_ca_state u8, tcpi_retransmits u8, tcpi_probes u8, tcpi_backoff u8, tcpi_options u8, " +
	"tcpi_snd_wscale b0.4, tcpi_rcv_wscale b4.4, tcpi_delivery_rate_app_limited b0.1, tcpi_fastopen_client_fail b1.2, " +
	"tcpi_rto u32, tcpi_ato u32, tcpi_snd_mss u32, tcpi_rcv_mss u32, tcpi_unacked u32, tcpi_sacked u32, tcpi_lost u32, tcpi_retrans u32, " +
	"tcpi_fackets u32, tcpi_last_data_sent u32, tcpi_last_ack_sent u32, tcpi_last_data_recv u32, tcpi_last_ack_recv u32, tcpi_pmtu u32, " +
	"tcpi_rcv_ssthresh u32, tcpi_rtt u32, tcpi_rttvar u32, tcpi_snd_ssthresh u32, tcpi_snd_cwnd u32, tcpi_advmss u32, tcpi_reordering u32, " +
	"tcpi_rcv_rtt u32, tcpi_rcv_space u32, tcpi_total_retrans u32, tcpi_pacing_rate u64, tcpi_max_pacing_rate u64, tcpi_bytes_acked u64, " +
	"tcpi_bytes_received u64, tcpi_segs_out u32, tcpi_segs_in u32, tcpi_notsent_bytes u32, tcpi_min_rtt u32, tcpi_data_segs_in u32, " +
	"tcpi_data_segs_out u32, tcpi_delivery_rate u64, tcpi_busy_time u64, tcpi_rwnd_limited u64, tcpi_sndbuf_limited u64, tcpi_delivered u32, " +
	"tcpi_delivered_ce u32, tcpi_bytes_sent u64, tcpi_bytes_retrans u64, tcpi_dsack_dups u32, tcpi_reord_seen u32, tcpi_rcv_ooopack u32, " +
	"tcpi_snd_wnd u32, tcpi_rcv_wnd u32, tcpi_rehash u32, tcpi_total_rto u16, tcpi_total_rto_recoveries u16, tcpi_total_rto_time u32"

// layouts are the structs of the language, computed once.
var layouts = sync.OnceValue(func() []*layout {
	var list []*layout
	for _, src := range layoutSource {
		list = append(list, newLayout(src.name, src.fields))
	}
	return list
})

// newLayout gives every field its place by C's rules.
func newLayout(name, source string) *layout {
	l := &layout{name: name}
	at, widest := 0, 1
	for _, part := range strings.Split(source, ", ") {
		n, typ, _ := strings.Cut(part, " ")
		f := structField{name: n}
		bits, align := 0, 0
		_, _ = fmt.Sscanf(typ[1:], "%d", &bits)
		f.size = bits / 8
		switch typ[0] {
		case 'u':
			f.kind = fieldUint
		case 'i':
			f.kind = fieldInt
		case 'n':
			f.kind = fieldNet
			if bits == 64 {
				align = 1 // padding
			}
		case 'a':
			f.kind, f.size, align = fieldAddr4, 4, 4
			if bits == 6 {
				f.kind, f.size = fieldAddr6, 16
			}
		case 'b':
			f.kind, f.size = fieldBits, 1
			_, _ = fmt.Sscanf(typ, "b%d.%d", &f.shift, &f.bits)
			if f.shift > 0 {
				at-- // in the byte before
			}
		}
		if align == 0 {
			align = f.size
		}
		at = (at + align - 1) / align * align
		f.offset = at
		at += f.size
		widest = max(widest, align)
		l.fields = append(l.fields, f)
	}
	l.size = (at + widest - 1) / widest * widest
	return l
}

// layoutOf is a struct by its name.
func layoutOf(name string) *layout {
	for _, l := range layouts() {
		if l.name == name {
			return l
		}
	}
	return nil
}

// field finds a field by its name, with its prefix or without.
func (l *layout) field(name string) *structField {
	for i := range l.fields {
		f := &l.fields[i]
		if _, bare, ok := strings.Cut(f.name, "_"); f.name == name || ok && bare == name {
			return f
		}
	}
	return nil
}

// layoutFor is the struct that has all named fields of x; nil if there is none.
func layoutFor(x *Expr) *layout {
next:
	for _, l := range layouts() {
		for _, f := range x.Fields {
			if f.Name == "" || l.field(f.Name) == nil {
				continue next
			}
		}
		return l
	}
	return nil
}

// get reads a field of b; ok is false when b ends before it.
func (f *structField) get(b []byte) (v int64, ok bool) {
	if len(b) < f.offset+f.size {
		return 0, false
	}
	b = b[f.offset : f.offset+f.size]
	switch f.kind {
	case fieldBits:
		return int64(b[0] >> f.shift & (1<<f.bits - 1)), true
	case fieldNet:
		for _, x := range b {
			v = v<<8 | int64(x)
		}
		return v, true
	}
	switch f.size {
	case 1:
		v = int64(b[0])
	case 2:
		v = int64(binary.LittleEndian.Uint16(b))
	case 4:
		v = int64(binary.LittleEndian.Uint32(b))
		if f.kind == fieldInt {
			v = int64(int32(v))
		}
	case 8:
		v = int64(binary.LittleEndian.Uint64(b))
	}
	return v, true
}

// put writes a number into a field of b, which is long enough.
func (f *structField) put(b []byte, v int64) {
	b = b[f.offset : f.offset+f.size]
	for i := range b {
		switch {
		case f.kind == fieldBits:
			mask := byte(1<<f.bits-1) << f.shift
			b[0] = b[0]&^mask | byte(v)<<f.shift&mask
		case f.kind == fieldNet:
			b[len(b)-1-i] = byte(v >> (8 * i))
		default:
			b[i] = byte(v >> (8 * i))
		}
	}
}

// encode makes the bytes of a struct; what is not named is zero, `...` as well.
func (c *callRun) encode(l *layout, x *Expr) []byte {
	b := make([]byte, l.size)
	for i, fx := range x.Fields {
		var f *structField
		switch {
		case fx.Name != "":
			f = l.field(fx.Name)
		case i < len(l.fields):
			f = &l.fields[i]
		}
		if f == nil {
			c.fail(x, "struct %s has no field %s", l.name, fx.Name)
			return b
		}
		if fx.Value.Kind == ExprEllipsis {
			continue
		}
		switch f.kind {
		case fieldAddr4, fieldAddr6:
			copy(b[f.offset:f.offset+f.size], c.addressBytes(fx.Value, f.kind == fieldAddr6))
		default:
			f.put(b, c.network(fx.Value, f))
		}
	}
	return b
}

// network is a number for a field: htons(8080) in a field of the network's order is
// 8080.
func (c *callRun) network(x *Expr, f *structField) int64 {
	if f.kind == fieldNet && x.Kind == ExprApply && (x.Text == "htons" || x.Text == "htonl") && len(x.Items) == 1 {
		return c.value(x.Items[0])
	}
	return c.value(x)
}

// compare compares the bytes of a struct with what was expected.
func (c *callRun) compare(what string, l *layout, x *Expr, b []byte) {
	for i, fx := range x.Fields {
		var f *structField
		switch {
		case fx.Name != "":
			f = l.field(fx.Name)
		case i < len(l.fields):
			f = &l.fields[i]
		}
		if f == nil {
			c.fail(x, "struct %s has no field %s", l.name, fx.Name)
			return
		}
		if fx.Value.Kind == ExprEllipsis {
			continue
		}
		switch f.kind {
		case fieldAddr4, fieldAddr6:
			if len(b) < f.offset+f.size {
				c.differ("%s has no %s", what, f.name)
				continue
			}
			got, _ := netip.AddrFromSlice(b[f.offset : f.offset+f.size])
			want, _ := netip.AddrFromSlice(c.addressBytes(fx.Value, f.kind == fieldAddr6))
			if got != want {
				c.differ("%s.%s is %s, expected %s", what, f.name, got, want)
			}
		default:
			got, ok := f.get(b)
			if want := c.network(fx.Value, f); !ok {
				c.differ("%s has no %s", what, f.name)
			} else if c.err == nil && got != want {
				c.differ("%s.%s is %d, expected %d", what, f.name, got, want)
			}
		}
	}
}

// addressBytes is the value of inet_addr("10.0.0.1") and its like.
func (c *callRun) addressBytes(x *Expr, v6 bool) []byte {
	n := 4
	if v6 {
		n = 16
	}
	if x.Kind == ExprStruct && len(x.Fields) == 1 { // {s_addr=…}
		x = x.Fields[0].Value
	}
	if x.Kind == ExprApply && len(x.Items) > 0 {
		switch x.Text {
		case "inet_addr", "inet6_addr", "inet_pton":
			x = x.Items[len(x.Items)-1]
		case "htonl":
			v := c.value(x.Items[0])
			if !v6 {
				return binary.BigEndian.AppendUint32(nil, uint32(v))
			}
		}
	}
	if x.Kind == ExprString {
		a, err := netip.ParseAddr(x.Text)
		if err == nil && a.Zone() == "" && len(a.AsSlice()) == n {
			return a.AsSlice()
		}
		c.fail(x, "%q is no address of this family", x.Text)
		return make([]byte, n)
	}
	if v6 {
		if x.Kind == ExprSymbol && x.Text == "in6addr_any" {
			return make([]byte, 16)
		}
		c.fail(x, `an IPv6 address is written inet_pton(AF_INET6, "…") or "…"`)
		return make([]byte, n)
	}
	return binary.BigEndian.AppendUint32(nil, uint32(c.value(x)))
}
