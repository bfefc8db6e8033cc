package netlink_test

import (
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipv4"
	"github.com/libos-go/libos/core/ipv6"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/device/dummy"
	"github.com/libos-go/libos/device/loopback"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/netlink"
	"github.com/libos-go/libos/posix"
	"github.com/libos-go/libos/protocols/tcp"
	"github.com/libos-go/libos/protocols/tcp/reno"
	"github.com/libos-go/libos/protocols/udp"
)

const (
	afNetlink = posix.AF_NETLINK

	dumps   = 0x301 // NLM_F_REQUEST | NLM_F_DUMP
	asks    = 0x001
	changes = 0x005 // NLM_F_REQUEST | NLM_F_ACK
	creates = 0x605 // … NLM_F_CREATE | NLM_F_EXCL

	rtmNewLink, rtmDelLink, rtmGetLink    = 16, 17, 18
	rtmNewAddr, rtmDelAddr, rtmGetAddr    = 20, 21, 22
	rtmNewRoute, rtmDelRoute, rtmGetRoute = 24, 25, 26
	rtmNewNeigh, rtmDelNeigh, rtmGetNeigh = 28, 29, 30
	rtmGetRule                            = 34
)

var ne = binary.NativeEndian

// rig is a program on a host with a link eth0 to another.
type rig struct {
	*coretest.Rig
	*posix.Process
	in  *core.Instance
	eth *core.Interface
	seq uint32
}

// wiring is the same in every configuration.
func wiring() *core.Wiring {
	return &core.Wiring{
		Name: "netlink-test",
		Networks: []core.NetworkEntry{
			{Network: ipv4.Protocol(), Sysctls: sysctl.Of[ipv4.Sysctls](), Devices: sysctl.Of[ipv4.DeviceSysctls]()},
			{Network: ipv6.Protocol(), Sysctls: sysctl.Of[ipv6.Sysctls](), Devices: sysctl.Of[ipv6.DeviceSysctls]()},
		},
		Protocols: []core.ProtocolEntry{{Protocol: netlink.Protocol()}, {Protocol: udp.Protocol(), Sysctls: sysctl.Of[udp.Sysctls]()},
			{Protocol: greeter()},
			{Protocol: tcp.Protocol(nil, reno.Algorithm()), Sysctls: sysctl.Of[tcp.Sysctls]()}},
		Sysctls:  []*sysctl.Table{sysctl.Of[core.PortSysctls]()},
		Devices:  []core.DeviceKind{dummy.Kind(), pipe.Kind()},
		Qdiscs:   qdiscs(),
		Loopback: loopback.Device,
	}
}

func run(t *testing.T, f func(r *rig)) {
	t.Helper()
	r := &rig{Rig: coretest.New(t, host.NewVirtual(1))}
	w := wiring()
	r.in = r.Rig.Instance("a", w)
	b := r.Rig.Instance("b", w)
	da, db := pipe.New(pipe.Config{})
	r.eth = r.Attach(r.in, da, "eth0", "10.0.0.1/24", "fd00::1/64")
	r.Attach(b, db, "eth0", "10.0.0.2/24", "fd00::2/64")
	r.Process = posix.NewProcess(r.in)
	t.Cleanup(func() { _ = r.CloseAll() })
	r.Do(func() {
		f(r)
		send(t, r)
	})
}

// send has a datagram go over the link, as every network does once.
func send(t *testing.T, r *rig) {
	t.Helper()
	fd, err := r.Socket(posix.AF_INET, posix.SOCK_DGRAM, 0)
	must(t, err)
	_, err = r.Sendto(fd, []byte("x"), 0, posix.AppendSockAddr(nil, posix.AF_INET, core.SockAddr{Addr: addr("127.0.0.1"), Port: 9}))
	must(t, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) open(groups uint32) int {
	r.T.Helper()
	fd, err := r.Socket(afNetlink, posix.SOCK_RAW, 0)
	if err == nil {
		err = r.Bind(fd, posix.AppendSockAddr(nil, afNetlink, core.NetlinkAddr(0, groups)))
	}
	if err != nil {
		r.T.Fatal(err)
	}
	return fd
}

// request is a message with a fixed header and attributes.
func (r *rig) request(typ, flags uint16, fixed []byte, attrs ...[]byte) []byte {
	r.seq++
	b := ne.AppendUint32(nil, 0)
	b = ne.AppendUint16(ne.AppendUint16(b, typ), flags)
	b = append(ne.AppendUint32(ne.AppendUint32(b, r.seq), 0), fixed...)
	for _, a := range attrs {
		b = append(b, a...)
	}
	ne.PutUint32(b, uint32(len(b)))
	return b
}

func attr(typ uint16, data []byte) []byte {
	b := append(ne.AppendUint16(ne.AppendUint16(nil, uint16(4+len(data))), typ), data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func u32(v uint32) []byte { return ne.AppendUint32(nil, v) }

// message is one that came.
type message struct {
	typ, flags uint16
	seq, pid   uint32
	body       []byte
}

// receive reads one datagram as iproute2 does: its length first.
func (r *rig) receive(fd int) []message {
	r.T.Helper()
	n, _, err := r.Recvfrom(fd, nil, posix.MSG_PEEK|posix.MSG_TRUNC|posix.MSG_DONTWAIT, nil)
	if err != nil {
		r.T.Fatalf("peek: %v", err)
	}
	b, from := make([]byte, n), make([]byte, 12)
	got, length, err := r.Recvfrom(fd, b, posix.MSG_DONTWAIT, from)
	if err != nil || got != n || length != 12 || ne.Uint32(from[4:]) != 0 {
		r.T.Fatalf("%d of %d bytes from % x, %v", got, n, from[:length], err)
	}
	return split(r.T, b)
}

func split(t testing.TB, b []byte) (out []message) {
	t.Helper()
	for len(b) > 0 {
		if len(b) < 16 || int(ne.Uint32(b)) < 16 || int(ne.Uint32(b)) > len(b) {
			t.Fatalf("no message: % x", b)
		}
		n := int(ne.Uint32(b))
		out = append(out, message{ne.Uint16(b[4:]), ne.Uint16(b[6:]), ne.Uint32(b[8:]), ne.Uint32(b[12:]), b[16:n]})
		b = b[min((n+3)&^3, len(b)):]
	}
	return out
}

// ask sends a request and returns all of its answers but NLMSG_DONE, and the errno of
// NLMSG_ERROR.
func (r *rig) ask(fd int, typ, flags uint16, fixed []byte, attrs ...[]byte) (out []message, errno syscall.Errno) {
	r.T.Helper()
	b := r.request(typ, flags, fixed, attrs...)
	if n, err := r.Sendto(fd, b, 0, posix.AppendSockAddr(nil, afNetlink, core.NetlinkAddr(0, 0))); err != nil || n != len(b) {
		r.T.Fatalf("sent %d of %d, %v", n, len(b), err)
	}
	for {
		for _, m := range r.receive(fd) {
			if m.seq != r.seq {
				r.T.Fatalf("an answer to request %d, not %d", m.seq, r.seq)
			}
			switch m.typ {
			case 2:
				return out, syscall.Errno(-int32(ne.Uint32(m.body)))
			case 3:
				return out, 0
			}
			out = append(out, m)
			if flags&0x304 == 0 {
				return out, 0
			}
		}
	}
}

// attributes are those behind a fixed header of n bytes.
func (m message) attributes(t testing.TB, n int) map[uint16][]byte {
	t.Helper()
	return attributesOf(t, m.body[n:])
}

func attributesOf(t testing.TB, b []byte) map[uint16][]byte {
	t.Helper()
	out := map[uint16][]byte{}
	for len(b) > 0 {
		n := int(ne.Uint16(b))
		if n < 4 || n > len(b) {
			t.Fatalf("no attribute: % x", b)
		}
		out[ne.Uint16(b[2:])&0x3fff] = b[4:n]
		b = b[min((n+3)&^3, len(b)):]
	}
	return out
}
