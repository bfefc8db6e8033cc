package rawnic

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core/wire"
)

const (
	// socketBytes is what the host may keep for us in each direction, and for us
	// to send.
	socketBytes = 4 << 20

	// Offsets of what a socket filter can ask beside the frame, from
	// linux/filter.h (SKF_AD_OFF + SKF_AD_…).
	askType    = 0xfffff000 + 4
	askTag     = 0xfffff000 + 44
	askTagging = 0xfffff000 + 48
)

// openSocket makes a packet socket that is bound to the interface and takes what
// concerns us. own is the interface's address.
func openSocket(o *Options) (fd int, own wire.HWAddr, err error) {
	// Protocol 0 receives nothing: frames come from bind on, when all is set.
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, own, explain(err)
	}
	if own, err = prepare(fd, o); err != nil {
		_ = unix.Close(fd)
		return -1, own, fmt.Errorf("packet: interface %s: %w", o.Interface, err)
	}
	return fd, own, nil
}

func prepare(fd int, o *Options) (own wire.HWAddr, err error) {
	nic, err := net.InterfaceByName(o.Interface)
	if err != nil {
		return own, missing(err)
	}
	if len(nic.HardwareAddr) != len(own) || nic.Flags&net.FlagLoopback != 0 {
		return own, errors.New("it is no Ethernet: choose a network card, or a TAP of device kind tun")
	}
	copy(own[:], nic.HardwareAddr)
	if o.HWAddr.IsZero() {
		o.HWAddr = derive(own)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
		return own, fmt.Errorf("PACKET_VNET_HDR: %w", err)
	}
	// Since Linux 4.20; before, the filter alone leaves out what goes out.
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil && err != unix.ENOPROTOOPT {
		return own, fmt.Errorf("PACKET_IGNORE_OUTGOING: %w", err)
	}
	for _, opt := range [][2]int{{unix.SO_RCVBUFFORCE, unix.SO_RCVBUF}, {unix.SO_SNDBUFFORCE, unix.SO_SNDBUF}} {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, opt[0], socketBytes) != nil { // needs CAP_NET_ADMIN
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, opt[1], socketBytes); err != nil {
				return own, fmt.Errorf("socket buffers: %w", err)
			}
		}
	}
	f := filter(o.HWAddr, o.Promiscuous)
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}); err != nil {
		return own, fmt.Errorf("socket filter: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL), Ifindex: nic.Index}); err != nil {
		return own, missing(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return own, err
	}
	if ll, ok := sa.(*unix.SockaddrLinklayer); !ok || ll.Hatype != unix.ARPHRD_ETHER {
		return own, errors.New("it is no Ethernet: choose a network card, or a TAP of device kind tun")
	}
	return own, join(fd, nic.Index, o)
}

// join has the card take frames to our address and to all groups, or simply all
// frames. A card that cannot filter by a second address is made to take all by
// the host.
func join(fd, index int, o *Options) error {
	kinds := []uint16{unix.PACKET_MR_UNICAST, unix.PACKET_MR_ALLMULTI}
	if o.Promiscuous {
		kinds = []uint16{unix.PACKET_MR_PROMISC}
	}
	for _, kind := range kinds {
		m := unix.PacketMreq{Ifindex: int32(index), Type: kind}
		if kind == unix.PACKET_MR_UNICAST {
			m.Alen = uint16(len(o.HWAddr))
			copy(m.Address[:], o.HWAddr[:])
		}
		err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &m)
		if err == unix.EOPNOTSUPP && kind == unix.PACKET_MR_UNICAST {
			m = unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC}
			err = unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &m)
		}
		if err != nil {
			return fmt.Errorf("PACKET_ADD_MEMBERSHIP: %w", err)
		}
	}
	return nil
}

// filter is a program of the socket filter (classic BPF). It leaves out what the
// host sends, and frames of virtual LANs, whose tag the host has already taken
// off: without it they would look like frames of ours.
func filter(own wire.HWAddr, all bool) []unix.SockFilter {
	const (
		loadWord = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		loadHalf = unix.BPF_LD | unix.BPF_H | unix.BPF_ABS
		loadByte = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS
		equal    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		anyBit   = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		end      = unix.BPF_RET | unix.BPF_K
	)
	low := uint32(own[2])<<24 | uint32(own[3])<<16 | uint32(own[4])<<8 | uint32(own[5])
	f := []unix.SockFilter{
		{Code: loadWord, K: askType},
		{Code: equal, K: unix.PACKET_OUTGOING, Jf: 1},
		{Code: end, K: 0},
		{Code: loadWord, K: askTagging},
		{Code: equal, K: 0, Jt: 3},
		{Code: loadWord, K: askTag},
		{Code: anyBit, K: 0xfff, Jf: 1}, // VLAN 0 is a priority only (IEEE 802.1Q §6.9.1)
		{Code: end, K: 0},
	}
	if !all {
		f = append(f,
			unix.SockFilter{Code: loadByte, K: 0},
			unix.SockFilter{Code: anyBit, K: 1, Jt: 5}, // a group
			unix.SockFilter{Code: loadWord, K: 2},
			unix.SockFilter{Code: equal, K: low, Jf: 2},
			unix.SockFilter{Code: loadHalf, K: 0},
			unix.SockFilter{Code: equal, K: uint32(own[0])<<8 | uint32(own[1]), Jt: 1},
			unix.SockFilter{Code: end, K: 0},
		)
	}
	return append(f, unix.SockFilter{Code: end, K: 0xffffffff})
}

// message is struct mmsghdr: one frame of a batch.
type message struct {
	header unix.Msghdr
	length uint32
}

// sendBatch is sendmmsg(2).
func sendBatch(fd uintptr, ms []message) (int, error) {
	n, _, e := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&ms[0])), uintptr(len(ms)), unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// receiveBatch is recvmmsg(2).
func receiveBatch(fd uintptr, ms []message) (int, error) {
	n, _, e := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&ms[0])), uintptr(len(ms)), unix.MSG_DONTWAIT, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

func bigEndian(v uint16) uint16 {
	b := [2]byte{byte(v >> 8), byte(v)}
	return *(*uint16)(unsafe.Pointer(&b))
}

// explain adds the cure to an error of opening a packet socket.
func explain(err error) error {
	switch err {
	case unix.EPERM, unix.EACCES:
		return fmt.Errorf("packet: %w: run as root or grant CAP_NET_RAW (setcap cap_net_raw+ep PROGRAM)", err)
	case unix.EAFNOSUPPORT:
		return fmt.Errorf("packet: %w: the host's kernel has no packet sockets (CONFIG_PACKET, module af_packet)", err)
	}
	return fmt.Errorf("packet: opening a packet socket: %w", err)
}

// missing names the interfaces that there are.
func missing(err error) error {
	all, e := net.Interfaces()
	if e != nil {
		return err
	}
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fmt.Errorf("%w (interfaces: %s)", err, strings.Join(names, " "))
}
