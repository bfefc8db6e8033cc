package ipv4_test

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
)

// FuzzInput lets frames come in by a router's two links, in the order and with
// the pauses that the input says: first byte the link and the pause, second the
// length, then the frame; a set bit mends the header checksum so that the rest
// is reached. Nothing may panic, what is sent must be sound, and at the end the
// slabs are empty (the rig checks both).
func FuzzInput(f *testing.F) {
	add := func(control byte, packets ...Packet) {
		var in []byte
		for _, p := range packets {
			b := p.Bytes()
			in = append(append(in, control, byte(len(b))), b...)
		}
		f.Add(in)
	}
	add(0, IPv4(peer, us).Echo(1, 1).PayloadLen(20))
	add(0, IPv4(peer, far).UDP(Ports(5, 6)).PayloadLen(20))
	add(0, IPv4(peer, us, IPOptions(7, 7, 4, 0, 0, 0, 0, 0)).Echo(1, 1))
	add(0, IPv4(peer, us, IPOptions(131, 7, 4, 10, 1, 0, 9, 0)).Echo(1, 1))
	add(0, IPv4(peer, us).ICMP("unreachable", Code(4), MTU(1300), Quote(IPv4(us, peer).UDP(Ports(5, 6)))))
	add(0, IPv4(peer, us).ICMP("redirect", Code(1), Gateway(other), Quote(IPv4(us, "192.0.2.9").UDP(Ports(5, 6)))))
	add(0, IPv4(peer, us, Proto(1), ID(1), MF(true)).PayloadLen(16), IPv4(peer, us, Proto(1), ID(1), Offset(16)).PayloadLen(8))
	add(0x40, IPv4(peer, us, Proto(1), ID(1), MF(true)).PayloadLen(16))
	add(0, query(3, "0.0.0.0"), query(2, group), query(1, "0.0.0.0"))
	add(1, Ethernet(mac2, all).ARPRequest(mac2, "10.3.0.2", "10.3.0.1"))
	add(1, Ethernet(mac2, mac).ARPReply(mac2, "10.3.0.2", mac, "10.3.0.1"))
	add(1, Ethernet(mac2, mac).IPv4("10.3.0.2", far).UDP(Ports(5, 6)))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := newBench(t)
		w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
		b.WireWith(b.in, "w1", core.Properties{Kind: "wire", Link: core.LinkRaw, MTU: 68, Flags: core.FlagNoARP}, "10.1.0.1/24")
		e := b.Wire(b.in, "eth0", core.LinkEthernet, "10.3.0.1/24")
		b.set(t, "net.ipv4.ip_forward", "1")
		b.join(w, group)
		for len(data) >= 2 {
			control, n := data[0], int(data[1])
			data = data[2:]
			n = min(n, len(data))
			frame := append([]byte(nil), data[:n]...)
			data = data[n:]
			ip := frame
			if control&1 != 0 && n > 14 {
				ip = frame[14:]
			}
			if control&2 != 0 {
				if h, err := wire.ParseIPv4(ip); err == nil {
					h.UpdateChecksum()
				}
			}
			if control&1 != 0 {
				e.InjectBytes(frame)
			} else {
				w.InjectBytes(frame)
			}
			b.Advance(time.Duration(control>>4) * 5 * time.Second)
		}
		b.Advance(40 * time.Second)
		for _, x := range []interface{ Sent() []core.Frame }{w, e} {
			for _, f := range x.Sent() {
				ip := f.Data
				if x == e {
					if len(ip) < 14 {
						t.Fatalf("a frame of %d bytes was sent", len(ip))
					}
					if wire.Ethernet(ip).Type() != wire.EtherTypeIPv4 {
						continue
					}
					ip = ip[14:]
				}
				h, err := wire.ParseIPv4(ip)
				if err != nil || len(h) != len(ip) || !h.ChecksumOK() {
					t.Fatalf("a bad packet was sent: %v: % x", err, ip)
				}
			}
		}
	})
}
