package netlink_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/libos-go/libos/posix"
)

func TestSettingsOfInterfacesAreTold(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		must(t, r.in.SetSysctl("net.ipv4.conf.eth0.forwarding", "1"))
		must(t, r.in.SetSysctl("net.ipv4.conf.eth0.rp_filter", "2"))
		tell := func(m message) string {
			a := m.attributes(t, 4)
			s := fmt.Sprintf("%d: %d forwarding %d", m.body[0], int32(ne.Uint32(a[1])), ne.Uint32(a[2]))
			if v, ok := a[3]; ok {
				s += fmt.Sprintf(" rp_filter %d", ne.Uint32(v))
			}
			return s
		}
		all, errno := r.ask(fd, 82, dumps, []byte{0})
		if errno != 0 {
			t.Fatal(errno)
		}
		var got []string
		for _, m := range all {
			got = append(got, tell(m))
		}
		same(t, "all", got, []string{"2: 1 forwarding 0 rp_filter 0", "2: 2 forwarding 1 rp_filter 2", "2: -1 forwarding 0 rp_filter 0", "2: -2 forwarding 0 rp_filter 0",
			"10: 1 forwarding 0", "10: 2 forwarding 0", "10: -1 forwarding 0", "10: -2 forwarding 0"})
		if all, errno = r.ask(fd, 82, asks, []byte{posix.AF_INET, 0, 0, 0}, attr(1, u32(2))); errno != 0 || len(all) != 1 || tell(all[0]) != got[1] {
			t.Errorf("of one: %v, %v", all, errno)
		}
		if _, errno = r.ask(fd, 82, changes, []byte{posix.AF_INET, 0, 0, 0}, attr(1, u32(9))); errno != syscall.ENODEV {
			t.Errorf("of none: %v", errno)
		}
	})
}
