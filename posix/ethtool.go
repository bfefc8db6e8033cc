package posix

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// SIOCETHTOOL: what ethtool(8) asks of a device, and what it would change
// (include/uapi/linux/ethtool.h; net/ethtool/ioctl.c).

// Requests, the first four bytes of what a struct ifreq points to.
const (
	ethtoolGetSettings     = 0x01
	ethtoolGetDriver       = 0x03
	ethtoolGetLink         = 0x0a
	ethtoolGetRxChecksum   = 0x14
	ethtoolSetRxChecksum   = 0x15
	ethtoolGetTxChecksum   = 0x16
	ethtoolSetTxChecksum   = 0x17
	ethtoolGetScatter      = 0x18
	ethtoolSetScatter      = 0x19
	ethtoolGetStrings      = 0x1b
	ethtoolGetStats        = 0x1d
	ethtoolGetTSO          = 0x1e
	ethtoolSetTSO          = 0x1f
	ethtoolGetPermanent    = 0x20
	ethtoolGetUFO          = 0x21
	ethtoolSetUFO          = 0x22
	ethtoolGetGSO          = 0x23
	ethtoolSetGSO          = 0x24
	ethtoolGetFlags        = 0x25
	ethtoolSetFlags        = 0x26
	ethtoolGetGRO          = 0x2b
	ethtoolSetGRO          = 0x2c
	ethtoolGetSets         = 0x37
	ethtoolGetFeatures     = 0x3a
	ethtoolSetFeatures     = 0x3b
	ethtoolGetChannels     = 0x3c
	ethtoolGetTimestamping = 0x41
	ethtoolGetLinkSettings = 0x4c
)

const (
	setOfStats    = 1 // ETH_SS_STATS
	setOfFeatures = 4 // ETH_SS_FEATURES
	nameOfString  = 32
	driverSize    = 196 // struct ethtool_drvinfo
	settingsSize  = 48  // struct ethtool_link_settings without its masks
	maskWords     = 4   // of each of its three masks
	speedUnknown  = 1<<32 - 1
	portNone      = 0xef
	duplexFull    = 1
	unsupported   = 1 // ETHTOOL_F_UNSUPPORTED, which a request returns
	mostEthtool   = 1 << 13
)

// EthtoolPointer is where a struct ifreq has the address of a request.
const EthtoolPointer = ifNameSize

// EthtoolSize is how many bytes the request has of which b is the beginning; it is asked
// again when there are that many. 4 are enough to begin with.
func EthtoolSize(b []byte) int {
	ne := binary.NativeEndian
	if len(b) < 4 {
		return 4
	}
	switch ne.Uint32(b) {
	case ethtoolGetSettings:
		return 44
	case ethtoolGetDriver:
		return driverSize
	case ethtoolGetStrings:
		return 12
	case ethtoolGetSets:
		return 16
	case ethtoolGetChannels:
		return 36
	case ethtoolGetTimestamping:
		return 44
	case ethtoolGetLinkSettings:
		return settingsSize
	case ethtoolSetFeatures:
		if len(b) >= 8 {
			return int(min(8+8*uint64(ne.Uint32(b[4:])), mostEthtool))
		}
	}
	return 8
}

// featureNames are Linux's (netdev_features_strings), by the number of their bit.
func featureNames() []string {
	return []string{"tx-scatter-gather", "tx-checksum-ipv4", "", "tx-checksum-ip-generic", "tx-checksum-ipv6", "highdma",
		"tx-scatter-gather-fraglist", "tx-vlan-hw-insert", "rx-vlan-hw-parse", "rx-vlan-filter", "vlan-challenged",
		"tx-generic-segmentation", "", "", "rx-gro", "rx-lro", "tx-tcp-segmentation", "tx-gso-robust", "tx-tcp-ecn-segmentation",
		"tx-tcp-mangleid-segmentation", "tx-tcp6-segmentation", "tx-fcoe-segmentation", "tx-gre-segmentation",
		"tx-gre-csum-segmentation", "tx-ipxip4-segmentation", "tx-ipxip6-segmentation", "tx-udp_tnl-segmentation",
		"tx-udp_tnl-csum-segmentation", "tx-gso-partial", "tx-tunnel-remcsum-segmentation", "tx-sctp-segmentation",
		"tx-esp-segmentation", "", "tx-udp-segmentation", "tx-gso-list", "tx-tcp-accecn-segmentation", "tx-checksum-fcoe-crc",
		"tx-checksum-sctp", "rx-ntuple-filter", "rx-hashing", "rx-checksum", "tx-nocache-copy", "loopback", "rx-fcs", "rx-all",
		"tx-vlan-stag-hw-insert", "rx-vlan-stag-hw-parse", "rx-vlan-stag-filter", "l2-fwd-offload", "hw-tc-offload", "esp-hw-offload",
		"esp-tx-csum-hw-offload", "rx-udp_tunnel-port-offload", "tls-hw-tx-offload", "tls-hw-rx-offload", "rx-gro-hw", "tls-hw-record",
		"rx-gro-list", "macsec-hw-offload", "rx-udp-gro-forwarding", "hsr-tag-ins-offload", "hsr-tag-rm-offload", "hsr-fwd-offload",
		"hsr-dup-offload"}
}

// Bits of featureNames that a device can have.
const (
	featScatter     = 0
	featTxChecksum  = 3
	featNoVLAN      = 10
	featGSO         = 11
	featTSO4        = 16
	featTSOECN      = 18
	featTSO6        = 20
	featUDPSegments = 33
	featRxChecksum  = 40
	featLoopback    = 42
)

// features are what is true of an interface. None can be changed: a device has what it
// has, and the stack cuts segments where a device does not.
func features(ifc *core.Interface) (on uint64) {
	on = 1<<featGSO | 1<<featNoVLAN
	for _, x := range [...]struct {
		offload core.Offloads
		bits    uint64
	}{
		{core.OffloadScatter, 1 << featScatter}, {core.OffloadTxChecksum, 1 << featTxChecksum}, {core.OffloadRxVerified, 1 << featRxChecksum},
		{core.OffloadSegmentation, 1<<featTSO4 | 1<<featTSOECN | 1<<featTSO6 | 1<<featUDPSegments},
	} {
		if ifc.Offloads()&x.offload != 0 {
			on |= x.bits
		}
	}
	if ifc.Link() == core.LinkLoopback {
		on |= 1 << featLoopback
	}
	return on
}

// statistics are the counters of an interface that ethtool -S prints, with their names.
func statistics(ifc *core.Interface) (names []string, values []uint64) {
	if ifc.Link() == core.LinkLoopback {
		return nil, nil
	}
	s := ifc.StatsNow()
	for _, x := range [...]struct {
		name  string
		value uint64
	}{
		{"rx_packets", s.RxPackets}, {"rx_bytes", s.RxBytes}, {"rx_errors", s.RxErrors}, {"rx_dropped", s.RxDropped},
		{"rx_multicast", s.Multicast}, {"rx_unknown_protocol", s.RxUnknown},
		{"tx_packets", s.TxPackets}, {"tx_bytes", s.TxBytes}, {"tx_errors", s.TxErrors}, {"tx_dropped", s.TxDropped},
	} {
		names, values = append(names, x.name), append(values, x.value)
	}
	return names, values
}

// Ethtool answers the request b, which is as long as EthtoolSize says, of the interface
// that a struct ifreq names: answer belongs in b's place, and n is what ioctl(2) returns.
// EFAULT for one that is shorter, ENODEV if there is no such interface, EOPNOTSUPP for what its device does not have.
func (p *Process) Ethtool(ifreq, b []byte) (answer []byte, n int, err error) {
	if len(ifreq) < ifNameSize || len(b) < EthtoolSize(b) {
		return nil, 0, syscall.EFAULT
	}
	p.domain.Do(func() {
		ifc := p.instance.InterfaceNamed(cString(ifreq[:ifNameSize-1]))
		if ifc == nil {
			err = syscall.ENODEV
			return
		}
		answer, n, err = ethtool(ifc, b)
	})
	return answer, n, err
}

func ethtool(ifc *core.Interface, b []byte) (answer []byte, n int, err error) {
	ne := binary.NativeEndian
	request, loopback := ne.Uint32(b), ifc.Link() == core.LinkLoopback
	value := ne.Uint32(b[4:])
	on := features(ifc)
	switch has := func(bits uint64) ([]byte, int, error) {
		return putWords(request, boolWord(on&bits != 0)), 0, nil
	}; request {
	case ethtoolGetRxChecksum:
		return has(1 << featRxChecksum)
	case ethtoolGetTxChecksum:
		return has(1 << featTxChecksum)
	case ethtoolGetScatter:
		return has(1 << featScatter)
	case ethtoolGetTSO:
		return has(1<<featTSO4 | 1<<featTSO6)
	case ethtoolGetGSO:
		return has(1 << featGSO)
	case ethtoolGetUFO, ethtoolGetGRO, ethtoolGetFlags:
		return has(0)
	case ethtoolSetFlags:
		if value == 0 { // as they are
			return b, 0, nil
		}
	case ethtoolGetLink:
		return putWords(request, boolWord(ifc.Up() && ifc.Carrier())), 0, nil
	case ethtoolGetFeatures:
		out := putWords(request, 2)
		for i := range min(value, 2) {
			never := uint32(uint64(1<<featNoVLAN) >> (32 * i))
			out = append(out, putWords(0, 0, uint32(on>>(32*i)), never)...)
		}
		return out, 0, nil
	case ethtoolSetFeatures:
		if value != 2 {
			return nil, 0, syscall.EINVAL
		}
		if ne.Uint32(b[8:])|ne.Uint32(b[16:]) != 0 {
			n = unsupported
		}
		return b, n, nil
	case ethtoolGetPermanent:
		return permanent(ifc, value), 0, nil
	case ethtoolGetTimestamping: // SOF_TIMESTAMPING_RX_SOFTWARE, SOF_TIMESTAMPING_SOFTWARE; no clock of hardware
		return append(putWords(request, 1<<3|1<<4, 1<<32-1), make([]byte, 32)...), 0, nil
	case ethtoolGetSets, ethtoolGetStrings, ethtoolGetStats:
		return stringSets(ifc, request, b)
	case ethtoolGetDriver:
		if !loopback {
			return driver(ifc), 0, nil
		}
	case ethtoolGetLinkSettings:
		if !loopback {
			return linkSettings(ifc, int8(b[15])), 0, nil
		}
	case ethtoolGetSettings:
		if !loopback {
			return settings(ifc), 0, nil
		}
	case ethtoolGetChannels: // a queue in each direction
		if !loopback {
			return putWords(request, 1, 1, 0, 0, 1, 1, 0, 0), 0, nil
		}
	}
	return nil, 0, syscall.EOPNOTSUPP
}

func boolWord(v bool) uint32 {
	if v {
		return 1
	}
	return 0
}

func putWords(v ...uint32) (b []byte) {
	for _, x := range v {
		b = binary.NativeEndian.AppendUint32(b, x)
	}
	return b
}

// permanent is the address that the device has by itself, zero where it has none.
func permanent(ifc *core.Interface, room uint32) []byte {
	a := ifc.Device().Properties().HWAddr
	n := uint32(0)
	if ifc.Link() != core.LinkRaw {
		n = uint32(len(a))
	}
	if room < n || a == (wire.HWAddr{}) { // ethtool calls zeros "not set"
		a, n = wire.HWAddr{}, min(n, room)
	}
	return append(putWords(ethtoolGetPermanent, n), a[:n]...)
}

// driver is struct ethtool_drvinfo.
func driver(ifc *core.Interface) []byte {
	b := make([]byte, driverSize)
	binary.NativeEndian.PutUint32(b, ethtoolGetDriver)
	copy(b[4:35], ifc.Device().Properties().Kind)
	names, _ := statistics(ifc)
	binary.NativeEndian.PutUint32(b[180:], uint32(len(names)))
	return b
}

// speed is in Mb/s.
func speed(ifc *core.Interface) uint32 {
	if s, ok := ifc.Device().(core.Speeder); ok {
		if v := s.Speed() / 1e6; v > 0 && v < speedUnknown {
			return uint32(v)
		}
	}
	return speedUnknown
}

// linkSettings is struct ethtool_link_settings with masks of modes, all zero. A program
// asks first how long they are.
func linkSettings(ifc *core.Interface, words int8) []byte {
	b := make([]byte, settingsSize, settingsSize+12*maskWords)
	binary.NativeEndian.PutUint32(b, ethtoolGetLinkSettings)
	if words != maskWords {
		b[15] = byte(256 - maskWords)
		return b
	}
	binary.NativeEndian.PutUint32(b[4:], speed(ifc))
	b[8], b[9], b[15] = duplexFull, portNone, maskWords
	return b[:cap(b)]
}

// settings is struct ethtool_cmd, which older programs ask for.
func settings(ifc *core.Interface) []byte {
	b := make([]byte, 44)
	ne := binary.NativeEndian
	ne.PutUint32(b, ethtoolGetSettings)
	v := speed(ifc)
	ne.PutUint16(b[12:], uint16(v))
	b[14], b[15] = duplexFull, portNone
	ne.PutUint16(b[28:], uint16(v>>16))
	return b
}

// stringSets answers how many strings there are of which kind, which they are, and the
// counters that some of them name.
func stringSets(ifc *core.Interface, request uint32, b []byte) ([]byte, int, error) {
	ne := binary.NativeEndian
	names, values := statistics(ifc)
	switch request {
	case ethtoolGetSets:
		mask, counts := ne.Uint64(b[8:]), []byte(nil)
		if len(names) == 0 {
			mask &^= 1 << setOfStats
		}
		mask &= 1<<setOfStats | 1<<setOfFeatures
		if mask&(1<<setOfStats) != 0 {
			counts = ne.AppendUint32(counts, uint32(len(names)))
		}
		if mask&(1<<setOfFeatures) != 0 {
			counts = ne.AppendUint32(counts, uint32(len(featureNames())))
		}
		return append(ne.AppendUint64(putWords(request, 0), mask), counts...), 0, nil
	case ethtoolGetStrings:
		set := ne.Uint32(b[4:])
		if set == setOfFeatures {
			names = featureNames()
		}
		if set != setOfFeatures && set != setOfStats || len(names) == 0 {
			return nil, 0, syscall.EOPNOTSUPP
		}
		out := putWords(request, set, uint32(len(names)))
		for _, s := range names {
			var one [nameOfString]byte
			copy(one[:nameOfString-1], s)
			out = append(out, one[:]...)
		}
		return out, 0, nil
	}
	if len(values) == 0 {
		return nil, 0, syscall.EOPNOTSUPP
	}
	out := putWords(request, uint32(len(values)))
	for _, v := range values {
		out = ne.AppendUint64(out, v)
	}
	return out, 0, nil
}
