package packetdrill

import (
	"bytes"
	"net/netip"
	"testing"
)

// Encapsulations that are put around a packet are taken off again, and any other is
// told of.
func TestEncapsulationsComeOffAsTheyWerePutOn(t *testing.T) {
	a4, b4 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.168.0.1")
	inner, err := appendIP(nil, a4, b4, protoUDP, 0, 64, 0, make([]byte, 20))
	if err != nil {
		t.Fatal(err)
	}
	prefixes := []string{
		"ipv4 10.0.0.1 > 10.0.0.2:",
		"ipv6 fd00::1 > fd00::2:",
		"ipv4 10.0.0.1 > 10.0.0.2: ipv6 fd00::1 > fd00::2:",
		"ipv4 10.0.0.1 > 10.0.0.2: gre:",
		"ipv4 10.0.0.1 > 10.0.0.2: gre [key 7, seq 9]:",
		"ipv6 fd00::1 > fd00::2: gre flags 0xb000, key 7, seq 9:",
		"ipv4 10.0.0.1 > 10.0.0.2: gre: mpls (label 16, tc 1, ttl 9) (17, 0, [S], 64):",
	}
	var wrapped [][]byte
	var packets []*Packet
	for _, text := range prefixes {
		c := newCursor("x.pkt", "> "+text+" udp (12)")
		p := packet(c)
		if c.err != nil {
			t.Fatalf("%s: %v", text, c.err)
		}
		b, err := p.wrap(inner)
		if err != nil {
			t.Fatal(err)
		}
		wrapped, packets = append(wrapped, b), append(packets, p)
	}
	for i, p := range packets {
		for j, b := range wrapped {
			got, out := p.unwrap(b)
			if same := bytes.Equal(got, inner) && len(out) == 0; same != (i == j) {
				t.Errorf("%s taken for %s: %q", prefixes[j], prefixes[i], out)
			}
		}
	}
	// A prefix of any length is no more than a difference.
	for i, p := range packets {
		for n := range wrapped[i] {
			p.unwrap(wrapped[i][:n])
		}
	}
}

// Structs lie as the C compiler lays them on x86-64.
func TestStructsHaveTheirSizes(t *testing.T) {
	for name, size := range map[string]int{"sockaddr_in": 16, "sockaddr_in6": 28, "linger": 8, "timeval": 16, "sock_extended_err": 16,
		"in_pktinfo": 12, "in6_pktinfo": 20, "ip_mreqn": 12, "ipv6_mreq": 20, "scm_timestamping": 48} {
		if l := layoutOf(name); l == nil || l.size != size {
			t.Errorf("%s: %+v, expected %d bytes", name, l, size)
		}
	}
	for name, offset := range map[string]int{"tcpi_rto": 8, "tcpi_snd_cwnd": 80, "tcpi_total_retrans": 100, "tcpi_pacing_rate": 104,
		"tcpi_delivery_rate": 160, "tcpi_delivered": 192, "tcpi_bytes_sent": 200, "tcpi_snd_wnd": 228, "tcpi_rcv_wscale": 6} {
		if f := layoutOf("tcp_info").field(name); f == nil || f.offset != offset {
			t.Errorf("%s: %+v, expected at %d", name, f, offset)
		}
	}
}
