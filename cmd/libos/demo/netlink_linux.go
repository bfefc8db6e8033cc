package demo

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// kernel configures the kernel's interfaces by rtnetlink, so that iproute2 need
// not be there.
type kernel struct {
	fd  int
	seq uint32
}

func openKernel() (*kernel, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("rtnetlink: %w", err)
	}
	return &kernel{fd: fd}, nil
}

func (k *kernel) close() { _ = unix.Close(k.fd) }

// up sets an interface up.
func (k *kernel) up(name string) error {
	ifc, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	b := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b[4:], uint32(ifc.Index))
	binary.NativeEndian.PutUint32(b[8:], unix.IFF_UP)
	binary.NativeEndian.PutUint32(b[12:], unix.IFF_UP)
	return k.ask(unix.RTM_NEWLINK, 0, b, name+" up")
}

// address gives an interface an address, without duplicate address detection.
func (k *kernel) address(name, prefix string) error {
	ifc, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	p, err := netip.ParsePrefix(prefix)
	if err != nil {
		return err
	}
	family := byte(unix.AF_INET)
	if p.Addr().Is6() {
		family = unix.AF_INET6
	}
	b := make([]byte, unix.SizeofIfAddrmsg)
	b[0], b[1], b[2] = family, byte(p.Bits()), unix.IFA_F_NODAD
	binary.NativeEndian.PutUint32(b[4:], uint32(ifc.Index))
	for _, attribute := range []uint16{unix.IFA_LOCAL, unix.IFA_ADDRESS} {
		raw := p.Addr().AsSlice()
		b = binary.NativeEndian.AppendUint16(b, uint16(4+len(raw)))
		b = binary.NativeEndian.AppendUint16(b, attribute)
		b = append(b, raw...)
	}
	return k.ask(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, b, name+" "+prefix)
}

// ask sends a request and waits for its acknowledgement.
func (k *kernel) ask(typ, flags uint16, body []byte, what string) error {
	k.seq++
	b := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(body))
	binary.NativeEndian.PutUint32(b, uint32(unix.NLMSG_HDRLEN+len(body)))
	binary.NativeEndian.PutUint16(b[4:], typ)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK|flags)
	binary.NativeEndian.PutUint32(b[8:], k.seq)
	if err := unix.Sendto(k.fd, append(b, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("rtnetlink: %s: %w", what, err)
	}
	buf := make([]byte, 8192)
	for {
		n, _, err := unix.Recvfrom(k.fd, buf, 0)
		if err != nil {
			return fmt.Errorf("rtnetlink: %s: %w", what, err)
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return fmt.Errorf("rtnetlink: %s: %w", what, err)
		}
		for _, m := range messages {
			if m.Header.Seq != k.seq || m.Header.Type != unix.NLMSG_ERROR || len(m.Data) < 4 {
				continue
			}
			if errno := -int32(binary.NativeEndian.Uint32(m.Data)); errno != 0 {
				return fmt.Errorf("rtnetlink: %s: %w", what, syscall.Errno(errno))
			}
			return nil
		}
	}
}
