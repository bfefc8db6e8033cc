package procfs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// attribute is a file of an interface's directory in /sys/class/net
// (net/core/net-sysfs.c). Both functions run inside an entry.
type attribute struct {
	show  func(*core.Interface) (string, error)
	store func(*core.Interface, string) error // nil if it is only read
}

func fixed(text string) attribute {
	return attribute{show: func(*core.Interface) (string, error) { return text, nil }}
}

func number10(f func(*core.Interface) int) attribute {
	return attribute{show: func(ifc *core.Interface) (string, error) { return strconv.Itoa(f(ifc)), nil }}
}

// unknown is what Linux does not tell of interfaces without such a thing.
func unknown() attribute {
	return attribute{show: func(*core.Interface) (string, error) { return "", syscall.EINVAL }}
}

// attributes are the files of an interface.
func attributes() map[string]attribute {
	mtu := number10((*core.Interface).MTU)
	mtu.store = stores(func(ifc *core.Interface, v int) error { return ifc.SetMTULocked(v) })
	queue := number10((*core.Interface).QueueLen)
	queue.store = stores(func(ifc *core.Interface, v int) error { return ifc.SetQueueLenLocked(v) })
	list := map[string]attribute{
		"addr_assign_type": fixed("0"), "carrier_changes": fixed("0"), "carrier_down_count": fixed("0"), "carrier_up_count": fixed("0"),
		"dev_id": fixed("0x0"), "dev_port": fixed("0"), "dormant": fixed("0"), "testing": fixed("0"), "link_mode": fixed("0"),
		"netdev_group": fixed("0"), "proto_down": fixed("0"), "ifalias": {show: func(*core.Interface) (string, error) { return "", nil }},
		"speed": unknown(), "duplex": unknown(),
		"mtu": mtu, "tx_queue_len": queue,
		"ifindex": number10((*core.Interface).Index), "iflink": number10((*core.Interface).Index),
		"type": number10(func(ifc *core.Interface) int { return int(ifc.HardwareType()) }),
		"addr_len": number10(func(ifc *core.Interface) int {
			if ifc.Link() == core.LinkRaw {
				return 0
			}
			return len(wire.HWAddr{})
		}),
		"address":   {show: func(ifc *core.Interface) (string, error) { return hardware(ifc, ifc.HWAddr()), nil }},
		"broadcast": {show: showBroadcast},
		"operstate": {show: showState},
		"carrier":   {show: showCarrier},
		"flags":     {show: showFlags, store: storeFlags},
		"name_assign_type": number10(func(ifc *core.Interface) int {
			if ifc.Flags()&core.FlagIsLoopback != 0 {
				return 2 // predictable
			}
			return 3 // by a user
		}),
		"uevent": {show: func(ifc *core.Interface) (string, error) {
			return fmt.Sprintf("INTERFACE=%s\nIFINDEX=%d", ifc.Name(), ifc.Index()), nil
		}},
	}
	return list
}

func stores(f func(*core.Interface, int) error) func(*core.Interface, string) error {
	return func(ifc *core.Interface, text string) error {
		v, err := strconv.ParseUint(strings.TrimSpace(text), 0, 31)
		if err != nil {
			return syscall.EINVAL
		}
		return f(ifc, int(v))
	}
}

func hardware(ifc *core.Interface, a wire.HWAddr) string {
	if ifc.Link() == core.LinkRaw {
		return ""
	}
	return a.String()
}

func showBroadcast(ifc *core.Interface) (string, error) {
	if ifc.Flags()&core.FlagIsLoopback != 0 {
		return wire.HWAddr{}.String(), nil
	}
	return hardware(ifc, wire.HWBroadcast()), nil
}

func showState(ifc *core.Interface) (string, error) {
	switch {
	case !ifc.Up() || !ifc.Carrier():
		return "down", nil
	case ifc.Link() != core.LinkEthernet:
		return "unknown", nil
	}
	return "up", nil
}

// showCarrier is EINVAL while the interface is down.
func showCarrier(ifc *core.Interface) (string, error) {
	switch {
	case !ifc.Up():
		return "", syscall.EINVAL
	case ifc.Carrier():
		return "1", nil
	}
	return "0", nil
}

// showFlags has those that a user sets: what a device reports, such as IFF_RUNNING, is
// not among them.
func showFlags(ifc *core.Interface) (string, error) {
	flags := ifc.Flags() &^ core.FlagRunning
	if flags&core.FlagIsLoopback != 0 {
		flags &^= core.FlagNoARP
	}
	return fmt.Sprintf("0x%x", uint32(flags)), nil
}

func storeFlags(ifc *core.Interface, text string) error {
	v, err := strconv.ParseUint(strings.TrimSpace(text), 0, 32)
	if err != nil {
		return syscall.EINVAL
	}
	return ifc.SetFlagsLocked(core.InterfaceFlags(v), ^core.InterfaceFlags(0))
}

// statistics are the files of statistics/, by struct rtnl_link_stats64.
func statistics() map[string]func(*core.InterfaceStats) uint64 {
	list := map[string]func(*core.InterfaceStats) uint64{
		"rx_packets":   func(s *core.InterfaceStats) uint64 { return s.RxPackets },
		"rx_bytes":     func(s *core.InterfaceStats) uint64 { return s.RxBytes },
		"rx_errors":    func(s *core.InterfaceStats) uint64 { return s.RxErrors },
		"rx_dropped":   func(s *core.InterfaceStats) uint64 { return s.RxDropped },
		"multicast":    func(s *core.InterfaceStats) uint64 { return s.Multicast },
		"tx_packets":   func(s *core.InterfaceStats) uint64 { return s.TxPackets },
		"tx_bytes":     func(s *core.InterfaceStats) uint64 { return s.TxBytes },
		"tx_errors":    func(s *core.InterfaceStats) uint64 { return s.TxErrors },
		"tx_dropped":   func(s *core.InterfaceStats) uint64 { return s.TxDropped },
		"rx_nohandler": func(s *core.InterfaceStats) uint64 { return s.RxUnknown },
	}
	for _, name := range [...]string{"collisions", "rx_compressed", "rx_crc_errors", "rx_fifo_errors", "rx_frame_errors", "rx_length_errors",
		"rx_missed_errors", "rx_over_errors", "tx_aborted_errors", "tx_carrier_errors", "tx_compressed", "tx_fifo_errors",
		"tx_heartbeat_errors", "tx_window_errors"} {
		list[name] = func(*core.InterfaceStats) uint64 { return 0 }
	}
	return list
}

// class finds a file of /sys/class/net. There the name of an interface is a link to
// its directory elsewhere; here it is the directory.
func (f *FS) class(parts []string) (*Node, error) {
	if len(parts) == 0 {
		return &Node{Kind: Directory, Mode: 0o755, entries: f.names}, nil
	}
	if f.in.InterfaceByName(parts[0]) == nil {
		return nil, syscall.ENOENT
	}
	files := attributes()
	switch len(parts) {
	case 1:
		return &Node{Kind: Directory, Mode: 0o755, entries: func() []string {
			return append(slices.Collect(maps.Keys(files)), "statistics", "subsystem")
		}}, nil
	case 2:
		switch parts[1] {
		case "statistics":
			return &Node{Kind: Directory, Mode: 0o755, entries: func() []string { return slices.Collect(maps.Keys(statistics())) }}, nil
		case "subsystem":
			return &Node{Kind: Link, Mode: 0o777, Target: classDir}, nil
		}
		a, ok := files[parts[1]]
		if !ok {
			return nil, syscall.ENOENT
		}
		return f.attribute(parts[0], a), nil
	case 3:
		count := statistics()[parts[2]]
		if parts[1] != "statistics" || count == nil {
			break
		}
		return f.attribute(parts[0], attribute{show: func(ifc *core.Interface) (string, error) {
			s := ifc.StatsNow()
			return strconv.FormatUint(count(&s), 10), nil
		}}), nil
	}
	if _, file := files[parts[1]]; file || parts[1] == "statistics" && statistics()[parts[2]] != nil {
		return nil, syscall.ENOTDIR
	}
	return nil, syscall.ENOENT
}

func (f *FS) names() []string {
	var list []string
	f.in.Domain().Do(func() {
		for _, ifc := range f.in.Interfaces() {
			list = append(list, ifc.Name())
		}
	})
	return list
}

// attribute is a file of the interface with a name.
func (f *FS) attribute(name string, a attribute) *Node {
	n := &Node{Mode: 0o444, Size: 4096, read: func() ([]byte, error) {
		text, err := "", error(syscall.ENODEV)
		f.with(name, func(ifc *core.Interface) { text, err = a.show(ifc) })
		if err != nil || text == "" {
			return nil, err
		}
		return append([]byte(text), '\n'), nil
	}}
	if a.store != nil {
		n.Mode = 0o644
		n.write = func(text string) error {
			err := error(syscall.ENODEV)
			f.with(name, func(ifc *core.Interface) { err = a.store(ifc, text) })
			if err == nil {
				return nil
			}
			return errnoOf(err)
		}
	}
	return n
}

// with calls g with an interface inside an entry, if it is there.
func (f *FS) with(name string, g func(*core.Interface)) {
	f.in.Domain().Do(func() {
		for _, ifc := range f.in.Interfaces() {
			if ifc.Name() == name {
				g(ifc)
			}
		}
	})
}

// errnoOf is the number in an error of the instance.
func errnoOf(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return syscall.EIO
}
