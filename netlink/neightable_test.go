package netlink_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/libos-go/libos/posix"
)

func TestNeighbourTablesAreToldAndChanged(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		long := func(v uint64) []byte { return ne.AppendUint64(nil, v) }
		tell := func(family byte) (out []string) {
			all, errno := r.ask(fd, 66, dumps, []byte{family, 0, 0, 0})
			if errno != 0 {
				t.Fatal(errno)
			}
			for _, m := range all {
				a := m.attributes(t, 4)
				p := attributesOf(t, a[6])
				s := text(a[1])
				if p[1] != nil {
					s += fmt.Sprintf(" dev %d", ne.Uint32(p[1]))
				} else {
					s += fmt.Sprintf(" thresh3 %d", ne.Uint32(a[4]))
				}
				out = append(out, s+fmt.Sprintf(" base_reachable %d gc_stale %d queue %d ucast %d locktime %d",
					ne.Uint64(p[4]), ne.Uint64(p[6]), ne.Uint32(p[8]), ne.Uint32(p[10]), ne.Uint64(p[15])))
			}
			return out
		}
		usual := " base_reachable 30000 gc_stale 60000 queue 101 ucast 3 locktime "
		same(t, "all", tell(0), []string{
			"arp_cache thresh3 1024" + usual + "1000", "arp_cache dev 2" + usual + "1000", "arp_cache dev 1" + usual + "1000",
			"ndisc_cache thresh3 1024" + usual + "0", "ndisc_cache dev 2" + usual + "0", "ndisc_cache dev 1" + usual + "0"})
		arp := attr(1, []byte("arp_cache\x00"))
		params := func(list ...[]byte) []byte {
			var b []byte
			for _, x := range list {
				b = append(b, x...)
			}
			return attr(6, b)
		}
		for _, x := range []struct {
			what   string
			family byte
			attrs  [][]byte
			want   syscall.Errno
		}{
			{"of one interface", posix.AF_INET, [][]byte{arp, params(attr(1, u32(2)), attr(4, long(20000)), attr(6, long(90000)), attr(8, u32(7)))}, 0},
			{"of those to come", posix.AF_INET, [][]byte{arp, params(attr(10, u32(5)))}, 0},
			{"of no interface", posix.AF_INET, [][]byte{arp, params(attr(1, u32(9)), attr(10, u32(5)))}, syscall.ENOENT},
			{"of no table", posix.AF_INET, [][]byte{attr(1, []byte("nosuch\x00"))}, syscall.ENOENT},
			{"of another family's table", posix.AF_INET6, [][]byte{arp}, syscall.ENOENT},
			{"without a name", posix.AF_INET, nil, syscall.EINVAL},
			{"the bound", posix.AF_INET, [][]byte{arp, attr(2, u32(1))}, syscall.ENOENT},
			{"what is fixed", posix.AF_INET, [][]byte{arp, params(attr(14, u32(1)))}, syscall.EOPNOTSUPP},
			{"half a time", posix.AF_INET, [][]byte{arp, params(attr(4, u32(1)))}, syscall.EINVAL},
			{"beyond its range", posix.AF_INET, [][]byte{arp, params(attr(8, u32(1<<20)))}, syscall.EINVAL},
		} {
			if _, errno := r.ask(fd, 67, changes, []byte{x.family, 0, 0, 0}, x.attrs...); errno != x.want {
				t.Errorf("%s: %v, want %v", x.what, errno, x.want)
			}
		}
		same(t, "IPv4's at the end", tell(posix.AF_INET), []string{
			"arp_cache thresh3 1024 base_reachable 30000 gc_stale 60000 queue 101 ucast 5 locktime 1000",
			"arp_cache dev 2 base_reachable 20000 gc_stale 90000 queue 7 ucast 3 locktime 1000",
			"arp_cache dev 1" + usual + "1000"})
	})
}
