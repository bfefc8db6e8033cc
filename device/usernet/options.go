package usernet

import (
	"bufio"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/libos-go/libos/core"
)

// Options describe the device. The zero value reaches all that the host reaches.
type Options struct {
	// MTU in bytes of network packet, 1280 to 65520; 0 is 65520, since nothing is
	// gained by cutting what is put together again.
	MTU int
	// NameServer is who answers at 10.0.2.3; the zero value is the first of the
	// host's /etc/resolv.conf.
	NameServer netip.Addr
	// HostOnly has the guest reach the host alone (10.0.2.2, fec0::2).
	HostOnly bool
	// Forwards are ports of the host that lead to the guest.
	Forwards []Forward
}

// Forward has connections to Listen, an address of the host (port 0: any free one),
// go on to Guest.
type Forward struct{ Listen, Guest netip.AddrPort }

const (
	defaultMTU = 65520
	minMTU     = 1280 // of IPv6
	guest4     = "10.0.2.15"
)

func parameters() map[string]string {
	return map[string]string{
		"mtu":     "largest network packet in bytes, 1280 to 65520, which is the default",
		"dns":     "address of the name server that answers at 10.0.2.3; the first of /etc/resolv.conf if it is missing",
		"reach":   "all (the default) or host: the guest reaches nothing but 10.0.2.2 and fec0::2",
		"forward": "connections from the host to the guest, with commas between: 127.0.0.1:8080=80, or 127.0.0.1:8080=10.0.2.15:80",
	}
}

// Kind makes the device for host files.
func Kind() core.DeviceKind {
	return core.DeviceKind{Kind: "user", Parameters: parameters(), Needs: []string{"network", "files"}, Open: func(given map[string]string) (core.Device, error) {
		o, err := Parse(given)
		if err != nil {
			return nil, err
		}
		d, err := New(o)
		if err != nil {
			return nil, err
		}
		return d, nil
	}}
}

// Parse reads parameters of a host file.
func Parse(given map[string]string) (o Options, err error) {
	for _, k := range slices.Sorted(maps.Keys(given)) {
		switch v := given[k]; k {
		case "mtu":
			o.MTU, err = strconv.Atoi(v)
			if err == nil && (o.MTU < minMTU || o.MTU > defaultMTU) {
				err = fmt.Errorf("it is not in %d..%d", minMTU, defaultMTU)
			}
		case "dns":
			o.NameServer, err = netip.ParseAddr(v)
		case "reach":
			if o.HostOnly = v == "host"; !o.HostOnly && v != "all" {
				err = fmt.Errorf("it is all or host")
			}
		case "forward":
			for _, text := range strings.Split(v, ",") {
				var f Forward
				if f, err = parseForward(strings.TrimSpace(text)); err != nil {
					break
				}
				o.Forwards = append(o.Forwards, f)
			}
		default:
			return o, fmt.Errorf("user has no parameter %q (parameters: %s)", k, strings.Join(slices.Sorted(maps.Keys(parameters())), " "))
		}
		if err != nil {
			return o, fmt.Errorf("%s = %q: %w", k, given[k], err)
		}
	}
	return o, nil
}

func parseForward(text string) (f Forward, err error) {
	from, to, ok := strings.Cut(text, "=")
	if !ok {
		return f, fmt.Errorf("write HOST:PORT=PORT or HOST:PORT=ADDRESS:PORT, as in 127.0.0.1:8080=80")
	}
	if f.Listen, err = netip.ParseAddrPort(from); err != nil {
		return f, fmt.Errorf("%s: write an address of the host and a port, as in 127.0.0.1:8080", from)
	}
	if port, perr := strconv.ParseUint(to, 10, 16); perr == nil && port != 0 {
		f.Guest = netip.AddrPortFrom(netip.MustParseAddr(guest4), uint16(port))
	} else if f.Guest, err = netip.ParseAddrPort(to); err != nil || f.Guest.Port() == 0 {
		return f, fmt.Errorf("%s: write a port of the guest, or its address and port", to)
	}
	return f, nil
}

// nameServer is the host's first name server: itself if its list has none.
func nameServer() netip.Addr {
	local := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	f, err := os.Open("/etc/resolv.conf")
	if err != nil {
		return local
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		if w := strings.Fields(s.Text()); len(w) >= 2 && w[0] == "nameserver" {
			if a, err := netip.ParseAddr(w[1]); err == nil {
				return a
			}
		}
	}
	return local
}
