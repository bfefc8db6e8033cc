package rawnic

import (
	"encoding/binary"
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core/wire"
)

const linkSize = wire.EthernetSize

// news is a routing socket, rtnetlink(7), on which the host tells of changes of
// its interfaces.
type news struct {
	file    *os.File
	index   int
	mtu     int
	carrier bool
}

func openNews() (*news, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("netlink", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("netlink", err)
	}
	return &news{file: os.NewFile(uintptr(fd), "netlink")}, nil
}

// watch says which interface is of interest, and what is known of it.
func (n *news) watch(index, mtu int, carrier bool) { n.index, n.mtu, n.carrier = index, mtu, carrier }

func (n *news) close() { _ = n.file.Close() }

// ask has the host tell of the interface's state (RTM_GETLINK).
func (n *news) ask() {
	b := make([]byte, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg)
	ne := binary.NativeEndian
	ne.PutUint32(b, uint32(len(b)))
	ne.PutUint16(b[4:], unix.RTM_GETLINK)
	ne.PutUint16(b[6:], unix.NLM_F_REQUEST)
	ne.PutUint32(b[unix.SizeofNlMsghdr+4:], uint32(n.index))
	_, _ = n.file.Write(b)
}

// take reads one message; changed tells whether mtu or carrier are new, gone
// that the interface is.
func (n *news) take(m *syscall.NetlinkMessage) (changed, gone bool) {
	ne := binary.NativeEndian
	if len(m.Data) < unix.SizeofIfInfomsg || m.Data[0] != unix.AF_UNSPEC || int(int32(ne.Uint32(m.Data[4:]))) != n.index {
		return false, false // of another interface, or of a bridge's view of it
	}
	switch m.Header.Type {
	case unix.RTM_DELLINK:
		return false, true
	case unix.RTM_NEWLINK:
	default:
		return false, false
	}
	mtu, carrier := n.mtu, ne.Uint32(m.Data[8:])&unix.IFF_RUNNING != 0
	attributes, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return false, false
	}
	for _, a := range attributes {
		if a.Attr.Type == unix.IFLA_MTU && len(a.Value) == 4 {
			mtu = int(ne.Uint32(a.Value))
		}
	}
	changed = mtu != n.mtu || carrier != n.carrier
	n.mtu, n.carrier = mtu, carrier
	return changed, false
}

// listen is the goroutine that follows the host's interface.
func (d *Device) listen() {
	defer d.done.Done()
	buf := make([]byte, 64<<10)
	dom := d.ifc.Instance().Domain()
	for {
		n, err := d.news.file.Read(buf)
		if errors.Is(err, unix.ENOBUFS) { // something was missed
			d.news.ask()
			continue
		}
		if err != nil {
			return // closed
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			continue
		}
		for i := range messages {
			mtu := d.news.mtu
			changed, gone := d.news.take(&messages[i])
			if gone {
				d.lose("the host's interface is gone", unix.ENODEV)
				return
			}
			if !changed {
				continue
			}
			dom.Do(func() { d.ifc.SetCarrier(d.news.carrier) })
			if d.news.mtu != mtu {
				if err := d.ifc.SetMTU(d.news.mtu); err != nil {
					dom.Host().Log().Warn("device: the host's interface has an MTU that this device does not follow",
						"instance", d.ifc.Instance().Name(), "interface", d.ifc.Name(), "host", d.name, "mtu", d.news.mtu)
				}
			}
		}
	}
}
