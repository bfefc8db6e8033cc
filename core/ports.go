package core

import (
	"strconv"
	"strings"
)

// PortSysctls are the settings by which every transport chooses local ports.
type PortSysctls struct {
	Range    [2]int32 `sysctl:"net.ipv4.ip_local_port_range" default:"32768 60999" range:"1..65535" help:"First and last port chosen for sockets that ask for none (RFC 6056)."`
	Reserved string   `sysctl:"net.ipv4.ip_local_reserved_ports" help:"Ports that are never chosen, as a list of numbers and ranges: 8080,9000-9010."`
}

// PortRange is where a transport chooses a port for a socket that asks for
// none.
type PortRange struct {
	Low, High uint16 // both included
	Reserved  string // net.ipv4.ip_local_reserved_ports
}

// PortRange is the range of the instance's sysctls now. Inside an entry.
func (in *Instance) PortRange() PortRange {
	s, _ := in.sysctls.blocks[in.sysctls.ports].(*PortSysctls)
	if s == nil || s.Range[0] > s.Range[1] {
		return PortRange{Low: 32768, High: 60999}
	}
	return PortRange{Low: uint16(s.Range[0]), High: uint16(s.Range[1]), Reserved: s.Reserved}
}

// IsReserved tells whether port is on the list of reserved ports. What is not a
// number or a range is passed over.
func (r *PortRange) IsReserved(port uint16) bool {
	for rest := r.Reserved; rest != ""; {
		var item string
		item, rest, _ = strings.Cut(rest, ",")
		lo, hi, isRange := strings.Cut(strings.TrimSpace(item), "-")
		a, err := strconv.ParseUint(lo, 10, 16)
		if err != nil {
			continue
		}
		b := a
		if isRange {
			if b, err = strconv.ParseUint(hi, 10, 16); err != nil {
				continue
			}
		}
		if uint64(port) >= a && uint64(port) <= b {
			return true
		}
	}
	return false
}
