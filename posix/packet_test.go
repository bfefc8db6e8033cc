package posix_test

import (
	"encoding/binary"
	"syscall"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/posix"
)

// Ethertypes as socket(2) and sockaddr_ll have them.
const (
	ethAll  = wire.EtherType(3)
	ethTest = wire.EtherType(0x88b5) // for experiments (IEEE 802)
)

// Options of SOL_PACKET (linux/if_packet.h).
const (
	solPacket           = 263
	packetAddMembership = 1
	packetStatistics    = 6
	packetAuxdata       = 8
	packetVersion       = 10
	packetFanout        = 18
	packetFanoutData    = 22
)

func networkOrder(t wire.EtherType) int {
	return int(binary.NativeEndian.Uint16([]byte{byte(t >> 8), byte(t)}))
}

// frames opens a non-blocking packet socket on eth0.
func (p *proc) frames(typ int, of wire.EtherType) int {
	p.t.Helper()
	fd, err := p.Socket(posix.AF_PACKET, typ|posix.SOCK_NONBLOCK, networkOrder(of))
	must(p.t, err)
	must(p.t, p.Bind(fd, link(core.LinkAddress{Ifindex: p.eth0().Index()})))
	return fd
}

func (p *proc) eth0() *core.Interface {
	ifc := p.Instance().InterfaceByName("eth0")
	if ifc == nil {
		p.t.Fatal("no eth0")
	}
	return ifc
}

func link(a core.LinkAddress) []byte { return posix.AppendSockAddr(nil, posix.AF_PACKET, a.SockAddr()) }

// settle waits until what the hosts say by themselves when a link comes up is over.
func (h *programs) settle() {
	h.T.Helper()
	h.sleep(60e9)
}

// frame is the next frame of a packet socket, nil if there is none.
func (p *proc) frame(fd int) ([]byte, core.LinkAddress) {
	p.t.Helper()
	b, name := make([]byte, 4096), make([]byte, 64)
	n, l, err := p.Recvfrom(fd, b, 0, name)
	if err == syscall.EAGAIN {
		return nil, core.LinkAddress{}
	}
	must(p.t, err)
	a, err := posix.SockAddr(name[:l])
	must(p.t, err)
	return b[:n], core.LinkAddressOf(a)
}

// attach attaches a filter.
func (p *proc) attach(fd int, list ...bpf.Instruction) error {
	raw, err := bpf.Assemble(list)
	must(p.t, err)
	var b []byte
	for _, x := range raw {
		b = append(binary.NativeEndian.AppendUint16(b, x.Op), x.Jt, x.Jf)
		b = binary.NativeEndian.AppendUint32(b, x.K)
	}
	return p.Setsockopt(fd, core.SolSocket, core.SoAttachFilter, b)
}

func TestAPacketSocketSeesBothDirections(t *testing.T) {
	run(t, func(h *programs) {
		h.settle()
		s := h.a.frames(posix.SOCK_RAW, ethAll)
		ping := h.a.raw(posix.AF_INET, int(wire.ProtoICMP))
		h.a.sends(ping, echo(1, 1, "x"), addrB)
		h.sleep(20e6)
		type seen struct {
			typ   core.PacketType
			proto wire.EtherType
		}
		got := map[seen]int{}
		for b, from := h.a.frame(s); b != nil; b, from = h.a.frame(s) {
			if from.HardwareType != 1 || from.Length != 6 || from.Ifindex != h.a.eth0().Index() {
				t.Errorf("address %+v", from)
			}
			if eth := wire.Ethernet(b); eth.Type() != from.Protocol {
				t.Errorf("ethertype %v in a frame of %v", eth.Type(), from.Protocol)
			}
			if from.Protocol == wire.EtherTypeIPv4 && !wire.IPv4(b[wire.EthernetSize:]).ChecksumOK() {
				t.Errorf("frame % x", b)
			}
			got[seen{from.Type, from.Protocol}]++
		}
		for _, x := range []seen{{core.PacketOutgoing, wire.EtherTypeIPv4}, {core.PacketHost, wire.EtherTypeIPv4}} {
			if got[x] != 1 {
				t.Errorf("%d frames of %+v in %v", got[x], x, got)
			}
		}
	})
}

func TestOneEthertypeIsHeardAsItComesInAlone(t *testing.T) {
	run(t, func(h *programs) {
		h.settle()
		ip, experiment := h.b.frames(posix.SOCK_DGRAM, wire.EtherTypeIPv4), h.b.frames(posix.SOCK_RAW, ethTest)
		ping := h.b.raw(posix.AF_INET, int(wire.ProtoICMP))
		h.b.sends(ping, echo(1, 1, "x"), addrA)
		h.sleep(20e6)
		b, from := h.b.frame(ip)
		if from.Type != core.PacketHost || len(b) < wire.IPv4MinSize || wire.IPv4(b).Src() != wire.MustAddr(addrA) {
			t.Errorf("% x from %+v", b, from)
		}
		if b, from := h.b.frame(ip); b != nil {
			t.Errorf("and % x from %+v", b, from)
		}
		if b, _ := h.b.frame(experiment); b != nil {
			t.Errorf("another ethertype: % x", b)
		}
	})
}

func TestFramesOfAPacketSocketArriveAtAnother(t *testing.T) {
	run(t, func(h *programs) {
		h.settle()
		in := h.b.frames(posix.SOCK_RAW, ethTest)
		out, own := h.a.frames(posix.SOCK_DGRAM, ethTest), h.a.frames(posix.SOCK_RAW, ethAll)
		to := core.LinkAddress{Ifindex: h.a.eth0().Index(), Protocol: ethTest, Length: 6}
		mac := h.b.eth0().HWAddr()
		copy(to.Addr[:], mac[:])
		_, err := h.a.Sendto(out, []byte("cooked"), 0, link(to))
		must(t, err)
		whole := make([]byte, wire.EthernetSize, 64)
		wire.Ethernet(whole).Encode(wire.HWBroadcast(), h.a.eth0().HWAddr(), ethTest)
		_, err = h.a.Write(own, append(whole, "whole"...))
		must(t, err)
		h.sleep(20e6)
		for _, x := range []struct {
			data string
			typ  core.PacketType
		}{{"cooked", core.PacketHost}, {"whole", core.PacketBroadcast}} {
			b, from := h.b.frame(in)
			if len(b) < wire.EthernetSize || string(b[wire.EthernetSize:]) != x.data || from.Type != x.typ {
				t.Errorf("got % x from %+v, want %q", b, from, x.data)
			}
		}
		b, from := h.a.frame(own) // of the other socket
		if from.Type != core.PacketOutgoing || len(b) < wire.EthernetSize || string(b[wire.EthernetSize:]) != "cooked" {
			t.Errorf("outgoing % x from %+v", b, from)
		}
		if b, _ := h.a.frame(own); b != nil {
			t.Errorf("a socket saw its own frame % x", b)
		}
	})
}

func TestAFilterChoosesAndCutsFrames(t *testing.T) {
	run(t, func(h *programs) {
		h.settle()
		s := h.b.frames(posix.SOCK_RAW, ethAll)
		must(t, h.b.attach(s,
			bpf.LoadExtension{Num: bpf.ExtProto},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(ethTest), SkipFalse: 3},
			bpf.LoadExtension{Num: bpf.ExtType},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(core.PacketBroadcast), SkipFalse: 1},
			bpf.RetConstant{Val: 16},
			bpf.RetConstant{Val: 0}))
		setInt(t, h.b, s, solPacket, packetAuxdata, 1)
		out := h.a.frames(posix.SOCK_RAW, ethTest)
		f := make([]byte, wire.EthernetSize, 64)
		wire.Ethernet(f).Encode(wire.HWBroadcast(), h.a.eth0().HWAddr(), ethTest)
		h.a.sends(h.a.raw(posix.AF_INET, unassigned), []byte("noise"), addrB)
		_, err := h.a.Write(out, append(f, "abcdef"...))
		must(t, err)
		h.sleep(20e6)
		m := &posix.Msghdr{Iov: [][]byte{make([]byte, 100)}, Control: make([]byte, 100)}
		n, err := h.b.Recvmsg(s, m, 0)
		must(t, err)
		if n != 16 || string(m.Iov[0][14:16]) != "ab" {
			t.Errorf("%d bytes % x", n, m.Iov[0][:n])
		}
		c, _, ok := core.NextControl(m.Control[:m.ControlLen])
		if !ok || c.Level != solPacket || c.Name != packetAuxdata || len(c.Data) != 20 || binary.NativeEndian.Uint32(c.Data[4:]) != 20 || binary.NativeEndian.Uint32(c.Data[8:]) != 16 {
			t.Errorf("auxdata %+v", c)
		}
		if b, from := h.b.frame(s); b != nil {
			t.Errorf("passed the filter: % x from %+v", b, from)
		}
		stats := make([]byte, 8)
		_, err = h.b.Getsockopt(s, solPacket, packetStatistics, stats)
		must(t, err)
		if p, d := binary.NativeEndian.Uint32(stats), binary.NativeEndian.Uint32(stats[4:]); p != 1 || d != 0 {
			t.Errorf("%d packets, %d dropped", p, d)
		}
	})
}

func TestFiltersOfUDPAndRawSocketsBeginAtTheirHeaders(t *testing.T) {
	run(t, func(h *programs) {
		udp, err := h.b.Socket(posix.AF_INET, posix.SOCK_DGRAM|posix.SOCK_NONBLOCK, 0)
		must(t, err)
		must(t, h.b.Bind(udp, sockaddr("0.0.0.0", 7)))
		// The destination port, then the first byte of the user's.
		must(t, h.b.attach(udp,
			bpf.LoadAbsolute{Off: 2, Size: 2},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 7, SkipFalse: 3},
			bpf.LoadAbsolute{Off: 8, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 'y', SkipFalse: 1},
			bpf.RetConstant{Val: 8 + 2},
			bpf.RetConstant{Val: 0}))
		raw := h.b.raw(posix.AF_INET, unassigned)
		must(t, h.b.attach(raw, // the protocol in the IP header, twice
			bpf.LoadAbsolute{Off: 9, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unassigned, SkipFalse: 3},
			bpf.LoadAbsolute{Off: 0xfff00000 + 9, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unassigned, SkipFalse: 1},
			bpf.RetConstant{Val: 21},
			bpf.RetConstant{Val: 0}))
		out, err := h.a.Socket(posix.AF_INET, posix.SOCK_DGRAM, 0)
		must(t, err)
		for _, s := range []string{"no", "yes"} {
			_, err := h.a.Sendto(out, []byte(s), 0, sockaddr(addrB, 7))
			must(t, err)
		}
		h.a.sends(h.a.raw(posix.AF_INET, unassigned), []byte("body"), addrB)
		h.sleep(20e6)
		h.b.reads(udp, 10, "ye")
		if b, _ := h.b.packet(raw); len(b) != 21 || b[20] != 'b' {
			t.Errorf("raw socket got % x", b)
		}
	})
}

func TestLoFramesHaveAnEthernetHeaderOfZeros(t *testing.T) {
	run(t, func(h *programs) {
		s, err := h.a.Socket(posix.AF_PACKET, posix.SOCK_RAW|posix.SOCK_NONBLOCK, networkOrder(wire.EtherTypeIPv4))
		must(t, err)
		must(t, h.a.attach(s,
			bpf.LoadAbsolute{Off: 12, Size: 2},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x800, SkipFalse: 3},
			bpf.LoadAbsolute{Off: 23, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unassigned, SkipFalse: 1},
			bpf.RetConstant{Val: 1000},
			bpf.RetConstant{Val: 0}))
		r := h.a.raw(posix.AF_INET, unassigned)
		h.a.sends(r, []byte("self"), "127.0.0.1")
		h.sleep(1e6)
		b, from := h.a.frame(s)
		if from.HardwareType != 772 || from.Type != core.PacketHost || len(b) != 14+20+4 || wire.Ethernet(b).Type() != wire.EtherTypeIPv4 || string(b[34:]) != "self" {
			t.Errorf("% x from %+v", b, from)
		}
	})
}

func TestErrorsOfPacketSocketsAndFilters(t *testing.T) {
	run(t, func(h *programs) {
		h.settle()
		s := h.a.frames(posix.SOCK_RAW, ethAll)
		loose, err := h.a.Socket(posix.AF_PACKET, posix.SOCK_RAW, 0)
		must(t, err)
		_, err = h.a.Write(loose, make([]byte, 60))
		want(t, "no interface", err, syscall.ENXIO)
		_, err = h.a.Write(s, make([]byte, 10))
		want(t, "half a link header", err, syscall.EINVAL)
		_, err = h.a.Write(s, make([]byte, 1515))
		want(t, "beyond the MTU", err, syscall.EMSGSIZE)
		want(t, "bind to no such interface", h.a.Bind(s, link(core.LinkAddress{Ifindex: 77})), syscall.ENODEV)
		want(t, "bind to an IPv4 address", h.a.Bind(s, sockaddr(addrA, 0)), syscall.EINVAL)
		want(t, "listen", h.a.Listen(s, 1), syscall.EOPNOTSUPP)
		want(t, "connect", h.a.Connect(s, link(core.LinkAddress{Ifindex: 1})), syscall.EOPNOTSUPP)
		_, err = h.a.Socket(posix.AF_PACKET, posix.SOCK_SEQPACKET, 0)
		want(t, "another type", err, syscall.ESOCKTNOSUPPORT)
		v := binary.NativeEndian.AppendUint32(nil, 1)
		mreq := append(binary.NativeEndian.AppendUint32(nil, 77), make([]byte, 12)...)
		want(t, "membership of no interface", h.a.Setsockopt(s, solPacket, packetAddMembership, mreq), syscall.ENODEV)

		filter := func(name int, b []byte) error { return h.a.Setsockopt(s, core.SolSocket, name, b) }
		want(t, "no program", filter(core.SoAttachFilter, nil), syscall.EINVAL)
		want(t, "nothing to detach", filter(core.SoDetachFilter, v), syscall.ENOENT)
		must(t, h.a.attach(s, bpf.RetConstant{Val: 1}))
		must(t, filter(core.SoLockFilter, v))
		want(t, "detach a locked one", filter(core.SoDetachFilter, v), syscall.EPERM)
		want(t, "replace a locked one", h.a.attach(s, bpf.RetConstant{Val: 2}), syscall.EPERM)
		want(t, "unlock", filter(core.SoLockFilter, make([]byte, 4)), syscall.EPERM)
	})
}

func TestPromiscuousMembershipsShowInTheInterfacesFlags(t *testing.T) {
	run(t, func(h *programs) {
		s := h.a.frames(posix.SOCK_RAW, ethAll)
		ifc := h.a.eth0()
		mreq := binary.NativeEndian.AppendUint32(nil, uint32(ifc.Index()))
		mreq = append(binary.NativeEndian.AppendUint16(mreq, 1), make([]byte, 10)...) // PACKET_MR_PROMISC
		must(t, h.a.Setsockopt(s, solPacket, packetAddMembership, mreq))
		if ifc.Flags()&core.FlagPromiscuous == 0 {
			t.Error("not promiscuous")
		}
		must(t, h.a.Close(s))
		if ifc.Flags()&core.FlagPromiscuous != 0 {
			t.Error("promiscuous after the socket is closed")
		}
	})
}

func TestALinkThatGoesDownIsTold(t *testing.T) {
	run(t, func(h *programs) {
		h.settle()
		s := h.a.frames(posix.SOCK_RAW, ethAll)
		must(t, h.a.eth0().SetUp(false))
		_, err := h.a.Read(s, make([]byte, 10))
		want(t, "read", err, syscall.ENETDOWN)
		_, err = h.a.Read(s, make([]byte, 10))
		want(t, "the next read", err, syscall.EAGAIN)
		_, err = h.a.Write(s, make([]byte, 60))
		want(t, "write", err, syscall.ENETDOWN)
		name := make([]byte, 20)
		_, err = h.a.Getsockname(s, name)
		must(t, err)
		a, err := posix.SockAddr(name)
		must(t, err)
		if x := core.LinkAddressOf(a); x.Ifindex != h.a.eth0().Index() || x.Length != 6 || x.Protocol != ethAll {
			t.Errorf("name %+v", x)
		}
	})
}
