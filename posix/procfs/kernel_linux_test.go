package procfs_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// arrangement makes on the kernel what TestFormatsAreTheKernels makes on the stack, and
// prints the files.
const arrangement = `
ip link set lo up; ip link add eth0 type veth peer name eth1; ip link set eth0 address 02:00:00:00:00:01 addrgenmode none
ip addr add 10.9.0.1/24 dev eth0; ip link set eth0 up; ip link set eth1 up; ip addr add fd09::1/64 dev eth0 nodad
ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev eth0
ip route add default via 10.9.0.2; ip route add unreachable 10.3.0.0/16; ip route add 10.4.0.1/32 dev eth0 metric 7; ip -6 route add fd08::/64 via fd09::2
exec python3 -c '
import socket as S, sys
held = []
def sock(family, typ, protocol, bound, to=None, listens=0):
    s = S.socket(family, typ, protocol)
    held.append(s)
    if bound: s.bind(bound)
    if to: s.connect(to)
    if listens: s.listen(listens)
    return s
l = sock(S.AF_INET, S.SOCK_STREAM, 0, ("127.0.0.1", 8080), listens=3)
sock(S.AF_INET6, S.SOCK_STREAM, 0, ("::", 8081), listens=1)
sock(S.AF_INET, S.SOCK_STREAM, 0, ("127.0.0.1", 40000), ("127.0.0.1", 8080)).send(b"hello")
sock(S.AF_INET, S.SOCK_DGRAM, 0, ("127.0.0.1", 5000), ("127.0.0.1", 5001))
sock(S.AF_INET, S.SOCK_DGRAM, S.IPPROTO_UDPLITE, ("0.0.0.0", 5002))
sock(S.AF_INET6, S.SOCK_DGRAM, 0, ("::1", 5003))
sock(S.AF_INET, S.SOCK_RAW, 1, None)
sock(S.AF_INET6, S.SOCK_RAW, 58, None)
sock(S.AF_PACKET, S.SOCK_RAW, 0, None)
for name in sys.argv[1:]:
    print("==", name)
    print(open("/proc/self/net/" + name).read(), end="")
' "$@"`

// Fields in which two systems differ, by file: the place in a hash table, inode,
// references and address of a socket, and so on.
func masked(name, text string) string {
	mask := func(pattern, to string) { text = regexp.MustCompile("(?m)"+pattern).ReplaceAllString(text, to) }
	switch name {
	case "fib_trie": // how Linux joins the leaves
		mask(`^ *\+-- .*\n`, "")
		mask(`^ *(\||/)`, "$1")
		mask(`\|-- 127.255.255.255\n.*\n`, "") // an address of lo here
	case "softnet_stat": // of the first processor
		mask(`\n(.*\n)*`, "\n")
		mask(`[0-9a-f]{8}`, "N")
	case "tcp", "tcp6":
		mask(`^ *\d+:`, "SL:")
		mask(`( +\d+ +\d+) \d+ \d [0-9a-f]{16}( \d+ \d+) \d+`, "$1 INODE REF POINTER$2 PINGPONG")
		mask(` 2\d \d+ PINGPONG \d+ `, " RTO ATO PINGPONG CWND ") // measured; less packets fill the window that begins
		mask(` +$`, "")
		text = sorted(text)
	case "udp", "udp6", "udplite", "udplite6", "raw", "raw6":
		mask(`^ *\d+:`, "SL:")
		mask(` \d+ \d [0-9a-f]{16} `, " INODE REF POINTER ")
		mask(` +$`, "")
	case "packet":
		mask(`^[0-9a-f]{16} `, "POINTER ")
		mask(` \d+ *$`, " INODE")
		mask(`[01] 0     `, "R 0     ")
	case "dev", "snmp", "netstat", "sockstat", "sockstat6":
		mask(`^ *eth1:.*\n`, "") // the other end
		mask(`\b\d+\b`, "N")
		mask(` +`, " ")
		mask(`^MPTcpExt:.*\n`, "")
		mask(`^IcmpMsg:.*\n`, "")
	case "snmp6":
		mask(`\t\d+$`, "\tN")
		mask(`^Icmp6(In|Out)Type.*\n`, "")
	case "if_inet6":
		mask(`^fe80.*\n`, "")
		mask(` 0\d `, " IF ")
		text = sorted("\n" + text)
	case "ipv6_route":
		mask(`^(fe80|ff00).*\n`, "")
		mask(`(.{71} .{32} .{8}) .{8} .{8}`, "$1 REF USE")
		mask(`^.* +eth1\n`, "")
		mask(`^\w+ 80 .* 00000000 80300001 .*\n`, "")
	case "igmp", "igmp6", "dev_mcast":
		mask(`^\d+\teth1 .*\n(\t.*\n)*`, "")
		mask(`^\d+ +eth1 .*\n`, "")
		mask(`^.*ff0200000000000000000001ff[^0].*\n`, "") // of the address that is made of the link's
		mask(`^.* 3333ff[^0].*\n`, "")
		mask(`^\d+`, "IF")
		mask(`:[0-9A-F]{8}\t`, ":TIMER\t")
	}
	return text
}

// sorted has the lines behind the first in order.
func sorted(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	slices.Sort(lines[1:])
	return strings.Join(lines, "\n")
}

// What the kernel writes for the same sockets, routes and addresses is the same to the
// letter, but for the numbers that no two systems share.
func TestFormatsAreTheKernels(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("making a network namespace takes root")
	}
	for _, name := range []string{"unshare", "ip", "python3"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed", name)
		}
	}
	names := []string{"dev", "tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6", "packet", "arp", "route", "ipv6_route",
		"if_inet6", "snmp", "snmp6", "netstat", "sockstat", "sockstat6", "igmp", "igmp6", "unix", "psched", "mcfilter", "mcfilter6", "rt_cache", "fib_trie", "softnet_stat"}
	out, err := exec.Command("unshare", append([]string{"-n", "sh", "-c", arrangement, "sh"}, names...)...).CombinedOutput()
	if err != nil {
		t.Skipf("the kernel cannot be asked: %v\n%s", err, out)
	}
	kernel := make(map[string]string)
	for _, part := range strings.Split(string(out), "== ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		kernel[name] = text
	}

	l := newLab(t)
	eth := l.eth()
	l.Domain.Do(func() { l.check(eth.SetHWAddrLocked(wire.HWAddr{2, 0, 0, 0, 0, 1})) })
	l.check(eth.AddAddress(wire.MustPrefix("fd09::1/64")))
	l.Domain.Do(func() {
		eth.Address(wire.MustAddr("fd09::1")).Flags = core.AddressPermanent | core.AddressNoDAD
		eth.SetNeighbour(wire.MustAddr("10.9.0.2"), wire.HWAddr{2, 0, 0, 0, 0, 2})
	})
	for _, text := range []string{"default via 10.9.0.2", "unreachable 10.3.0.0/16", "10.4.0.1/32 dev eth0 metric 7", "fd08::/64 via fd09::2"} {
		e, dev, err := core.ParseRoute(text)
		l.check(err)
		if dev != "" {
			e.Interface, e.Scope = eth, core.ScopeLink
		}
		if e.Prefix.Addr.Is6() {
			e.Metric = 1024
		}
		l.check(l.in.AddRoute(e))
	}
	l.Advance(3 * time.Second) // addresses are found to be nobody else's
	sock := func(family, typ, protocol int, bound core.SockAddr) *core.Socket {
		s := l.socket(family, typ, protocol)
		if bound.Port != 0 {
			l.check(s.Bind(bound))
		}
		return s
	}
	l.check(sock(core.AFInet, core.SockStream, 0, at("127.0.0.1", 8080)).Listen(3))
	l.check(sock(core.AFInet6, core.SockStream, 0, at("::", 8081)).Listen(1))
	c := sock(core.AFInet, core.SockStream, 0, at("127.0.0.1", 40000))
	l.check(c.Connect(at("127.0.0.1", 8080)))
	l.Advance(0)
	_, err = c.Send(&core.Message{Data: []byte("hello")})
	l.check(err)
	l.Advance(0)
	l.check(sock(core.AFInet, core.SockDgram, 0, at("127.0.0.1", 5000)).Connect(at("127.0.0.1", 5001)))
	sock(core.AFInet, core.SockDgram, 136, at("0.0.0.0", 5002))
	sock(core.AFInet6, core.SockDgram, 0, at("::1", 5003))
	sock(core.AFInet, core.SockRaw, 1, core.SockAddr{})
	sock(core.AFInet6, core.SockRaw, 58, core.SockAddr{})
	sock(core.AFPacket, core.SockRaw, 0, core.SockAddr{})
	for _, name := range names {
		if d := cmp.Diff(strings.Split(masked(name, kernel[name]), "\n"), strings.Split(masked(name, l.file("/proc/net/"+name)), "\n")); d != "" {
			t.Errorf("%s, kernel (-), stack (+):\n%s", name, d)
		}
	}
}
