package packetdrill

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// IPVersion is the family of a run.
type IPVersion uint8

const (
	IPv4 IPVersion = iota
	IPv6
	IPv4Mapped // IPv6 sockets that speak IPv4
)

// String is the value of --ip_version.
func (v IPVersion) String() string {
	return [...]string{"ipv4", "ipv6", "ipv4-mapped-ipv6"}[v]
}

// ParseIPVersion reads a value of --ip_version.
func ParseIPVersion(s string) (IPVersion, error) {
	for _, v := range []IPVersion{IPv4, IPv6, IPv4Mapped} {
		if v.String() == strings.ReplaceAll(s, "_", "-") {
			return v, nil
		}
	}
	return 0, fmt.Errorf("%q is no IP version: use ipv4, ipv6 or ipv4-mapped-ipv6", s)
}

// Settings are the options of a run.
type Settings struct {
	IPVersion   IPVersion
	Versioned   bool // an option said the family
	Tolerance   time.Duration
	MTU         int // 0: 1500 for IPv4, 1520 for IPv6
	BindPort    int
	ConnectPort int
	// Addresses by family (0 IPv4, 1 IPv6): of the instance, of the other side, of
	// the gateway, and the length of the local prefix.
	Local, Remote, Gateway [2]netip.Addr
	Prefix                 [2]int
	RemotePrefix           [2]int
	StampTick              time.Duration // of TCP timestamps; 0: not compared
	Speed                  int           // Mbit/s of the device, as ethtool tells it; 0: unsaid
	InitScripts            []string
	AllowShell             bool
	DryRun                 bool
	Verbose                bool
	NonFatalPacket         bool
	NonFatalSyscall        bool
	Defines                map[string]string
	congestion             string
}

// Defaults are the settings of a script that says nothing.
func Defaults() Settings {
	return Settings{
		Tolerance: 4 * time.Millisecond, BindPort: 8080, ConnectPort: 8080,
		Local:        [2]netip.Addr{netip.MustParseAddr("192.168.0.1"), netip.MustParseAddr("fd3d:fa7b:d17d::1")},
		Remote:       [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
		Gateway:      [2]netip.Addr{netip.MustParseAddr("192.168.0.2"), netip.MustParseAddr("fd3d:fa7b:d17d::2")},
		Prefix:       [2]int{16, 48},
		RemotePrefix: [2]int{24, 32},
	}
}

func index(v6 bool) int {
	if v6 {
		return 1
	}
	return 0
}

func (s *Settings) local(v6 bool) netip.Addr  { return s.Local[index(v6)] }
func (s *Settings) remote(v6 bool) netip.Addr { return s.Remote[index(v6)] }

// setting is an option of a script and of the command line.
type setting struct {
	name string
	help string
	set  func(s *Settings, value string) error
}

// Set applies one option by its name without dashes.
func (s *Settings) Set(name, value string) error {
	for _, x := range settings() {
		if x.name == name {
			if err := x.set(s, value); err != nil {
				return fmt.Errorf("--%s: %w", name, err)
			}
			return nil
		}
	}
	if strings.HasPrefix(name, "wire_") {
		return fmt.Errorf("--%s: scripts run on one machine here, never between two", name)
	}
	if name == "so_filename" || name == "so_flags" {
		return fmt.Errorf("--%s: the stack under test is this program's own (--kernel for the host's)", name)
	}
	return fmt.Errorf("no option is called --%s: docs/packetdrill.md lists them", name)
}

func settings() []setting {
	// An address; length is where that of its prefix goes, nil where it has none.
	addr := func(to func(*Settings) *[2]netip.Addr, length func(*Settings) *[2]int) func(*Settings, string) error {
		return func(s *Settings, value string) error {
			text, bits, prefixed := strings.Cut(value, "/")
			a, err := netip.ParseAddr(text)
			if err != nil || a.Zone() != "" || a.Is4In6() {
				return fmt.Errorf("%q is no address", value)
			}
			to(s)[index(a.Is6())] = a
			if prefixed && length == nil {
				return fmt.Errorf("%s has no length of a prefix here", value)
			}
			if prefixed {
				n, err := strconv.Atoi(bits)
				if err != nil || n < 0 || n > a.BitLen() {
					return fmt.Errorf("%q is no length of a prefix: 0 to %d", bits, a.BitLen())
				}
				length(s)[index(a.Is6())] = n
			}
			return nil
		}
	}
	whole := func(low, high int, to func(*Settings) *int) func(*Settings, string) error {
		return func(s *Settings, value string) error {
			n, err := strconv.Atoi(value)
			if err != nil || n < low || n > high {
				return fmt.Errorf("%q is no number from %d to %d", value, low, high)
			}
			*to(s) = n
			return nil
		}
	}
	micro := func(to func(*Settings) *time.Duration) func(*Settings, string) error {
		return func(s *Settings, value string) error {
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return fmt.Errorf("%q is no number of microseconds", value)
			}
			*to(s) = time.Duration(n) * time.Microsecond
			return nil
		}
	}
	flag := func(to func(*Settings) *bool) func(*Settings, string) error {
		return func(s *Settings, value string) error {
			if value != "" && value != "true" && value != "1" {
				return fmt.Errorf("it takes no value, not %q", value)
			}
			*to(s) = true
			return nil
		}
	}
	return []setting{
		{"ip_version", "family of the run: ipv4, ipv6 or ipv4-mapped-ipv6", func(s *Settings, value string) (err error) {
			s.IPVersion, err = ParseIPVersion(value)
			s.Versioned = err == nil
			return err
		}},
		{"tolerance_usecs", "how far a time may be off, in µs", micro(func(s *Settings) *time.Duration { return &s.Tolerance })},
		{"mtu", "MTU of the device", whole(68, 65535, func(s *Settings) *int { return &s.MTU })},
		{"local_ip", "address of the stack under test", addr(func(s *Settings) *[2]netip.Addr { return &s.Local }, func(s *Settings) *[2]int { return &s.Prefix })},
		{"remote_ip", "address of the other side, with the length of its prefix", addr(func(s *Settings) *[2]netip.Addr { return &s.Remote }, func(s *Settings) *[2]int { return &s.RemotePrefix })},
		{"gateway_ip", "gateway to the other side", addr(func(s *Settings) *[2]netip.Addr { return &s.Gateway }, nil)},
		{"netmask_ip", "netmask of the local address", netmask},
		{"bind_port", "port of bind(fd, ..., ...)", whole(1, 65535, func(s *Settings) *int { return &s.BindPort })},
		{"connect_port", "port of connect(fd, ..., ...)", whole(1, 65535, func(s *Settings) *int { return &s.ConnectPort })},
		{"speed", "speed of the device in Mbit/s", speed},
		{"tcp_ts_tick_usecs", "tick of TCP timestamps, in µs, to compare them", micro(func(s *Settings) *time.Duration { return &s.StampTick })},
		{"init_scripts", "files of commands to run first, joined by commas", func(s *Settings, value string) error {
			for _, f := range strings.Split(value, ",") {
				if f = strings.TrimSpace(f); f != "" {
					s.InitScripts = append(s.InitScripts, f)
				}
			}
			return nil
		}},
		{"non_fatal", "what does not end a script at its first failure: packet, syscall", func(s *Settings, value string) error {
			for _, w := range strings.Split(value, ",") {
				switch strings.TrimSpace(w) {
				case "packet", "packets":
					s.NonFatalPacket = true
				case "syscall", "syscalls":
					s.NonFatalSyscall = true
				default:
					return fmt.Errorf("%q is not packet or syscall", w)
				}
			}
			return nil
		}},
		{"dry_run", "parse and run nothing", flag(func(s *Settings) *bool { return &s.DryRun })},
		{"verbose", "show every event and packet", flag(func(s *Settings) *bool { return &s.Verbose })},
		{"define", "NAME=value: a word to replace", func(s *Settings, value string) error { return s.Define(value) }},
		{"D", "NAME=value: a word to replace", func(s *Settings, value string) error { return s.Define(value) }},
	}
}

func netmask(s *Settings, value string) error {
	a, err := netip.ParseAddr(value)
	if err != nil || !a.Is4() {
		return fmt.Errorf("%q is no netmask, such as 255.255.0.0", value)
	}
	b := a.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n := 0
	for ; v&(1<<31) != 0; v <<= 1 {
		n++
	}
	if v != 0 {
		return fmt.Errorf("the netmask %s has bits behind its end", value)
	}
	s.Prefix[0] = n
	return nil
}

func speed(s *Settings, value string) error {
	n, err := strconv.Atoi(strings.TrimSuffix(value, "Mbps"))
	if err != nil || n < 0 || n > 1<<30 {
		return fmt.Errorf("%q is no speed in Mbit/s", value)
	}
	s.Speed = n
	return nil
}

// Define notes NAME=value of -D: the word NAME stands for value in the script.
func (s *Settings) Define(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" || !letter(name[0]) || strings.ContainsFunc(name, func(r rune) bool { return r > 127 || !letter(byte(r)) && !digit(byte(r)) }) {
		return fmt.Errorf("%q: write NAME=value", text)
	}
	m := make(map[string]string, len(s.Defines)+1)
	for k, v := range s.Defines {
		m[k] = v
	}
	m[name] = value
	s.Defines = m
	return nil
}
