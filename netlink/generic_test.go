package netlink_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/posix"
)

const netlinkGeneric = 16

// greeter is a protocol without sockets that answers generic netlink.
func greeter() core.Protocol {
	p := core.Protocol{Name: "greeter", New: func(*core.Instance, core.SysctlView) core.Transport { return nobody{} }}
	p.Generic = []core.GenericFamily{{Name: "greeter", Version: 3, MaxAttr: 2, Groups: []string{"heard"}, Commands: []core.GenericCommand{
		{Number: 1, Answer: 2, Do: func(in *core.Instance, b []byte) ([]byte, error) {
			if len(b) == 0 {
				return nil, syscall.ERANGE
			}
			in.TellGeneric("greeter", "heard", 9, b)
			return b, nil
		}},
		{Number: 5, Answer: 6, Dump: func(*core.Instance, []byte) ([][]byte, error) {
			return [][]byte{attr(1, u32(1)), attr(1, u32(2))}, nil
		}},
		{Number: 7, Answer: 8, Do: func(_ *core.Instance, b []byte) ([]byte, error) { return b, nil }, Policy: []core.GenericAttribute{
			{Number: 1, Kind: core.GenericU32, Most: 9}, {Number: 2, Kind: core.GenericText, Most: 5}, {Number: 3, Kind: core.GenericBytes, Most: 4}}},
	}}}
	return p
}

type nobody struct{}

func (nobody) Input(batch []*core.Packet) {
	for _, p := range batch {
		p.Free()
	}
}
func (nobody) Error(*core.ErrorReport)                         {}
func (nobody) Event(*core.Event)                               {}
func (nobody) NewEndpoint(*core.Socket) (core.Endpoint, error) { return nil, syscall.EPROTONOSUPPORT }
func (nobody) Close()                                          {}

func (r *rig) generic() int {
	r.T.Helper()
	fd, err := r.Socket(afNetlink, posix.SOCK_RAW, netlinkGeneric)
	must(r.T, err)
	return fd
}

// family is a family as its controller tells of it.
func family(t testing.TB, m message) string {
	a := m.attributes(t, 4)
	s := fmt.Sprintf("%s %#x version %d commands", text(a[2]), ne.Uint16(a[1]), ne.Uint32(a[3]))
	ops := attributesOf(t, a[6])
	for i := uint16(1); ops[i] != nil; i++ {
		x := attributesOf(t, ops[i])
		s += fmt.Sprintf(" %d/%x", ne.Uint32(x[1]), ne.Uint32(x[2]))
	}
	groups := attributesOf(t, a[7])
	for i := uint16(1); groups[i] != nil; i++ {
		x := attributesOf(t, groups[i])
		s += fmt.Sprintf(" group %s %#x", text(x[1]), ne.Uint32(x[2]))
	}
	return s
}

func TestFamiliesAreFound(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.generic()
		get := func(flags uint16, attrs ...[]byte) (out []string) {
			all, errno := r.ask(fd, 0x10, flags, []byte{3, 1, 0, 0}, attrs...)
			if errno != 0 {
				return []string{errno.Error()}
			}
			for _, m := range all {
				out = append(out, family(t, m))
			}
			return out
		}
		nlctrl, greeter := "nlctrl 0x10 version 2 commands 3/e 10/c group notify 0x10", "greeter 0x13 version 3 commands 1/2 5/4 7/a group heard 0x13"
		same(t, "all", get(dumps), []string{nlctrl, greeter})
		same(t, "by name", get(asks, attr(2, []byte("greeter\x00"))), []string{greeter})
		same(t, "by number", get(asks, attr(1, []byte{0x10, 0})), []string{nlctrl})
		same(t, "of nobody", get(asks, attr(2, []byte("mptcp_pm\x00"))), []string{syscall.ENOENT.Error()})
		same(t, "without a name", get(asks), []string{syscall.EINVAL.Error()})
		same(t, "half a number", get(asks, attr(1, []byte{0x10})), []string{syscall.EINVAL.Error()})
		for _, x := range []struct {
			typ  uint16
			body []byte
			want syscall.Errno
		}{{0x10, []byte{99, 1, 0, 0}, syscall.EOPNOTSUPP}, {0x99, []byte{1, 1, 0, 0}, syscall.ENOENT}, {0x10, []byte{3}, syscall.EINVAL}, {0x10, nil, syscall.EINVAL}} {
			if _, errno := r.ask(fd, x.typ, changes, x.body); errno != x.want {
				t.Errorf("type %#x, header % x: %v, want %v", x.typ, x.body, errno, x.want)
			}
		}
	})
}

func TestAFamilyAnswersListsAndTells(t *testing.T) {
	run(t, func(r *rig) {
		fd, member := r.generic(), r.generic()
		must(t, r.Setsockopt(member, solNetlink, addMembership, u32(0x13)))
		word := attr(2, []byte("hello"))
		all, errno := r.ask(fd, 0x13, asks, []byte{1, 3, 0, 0}, word)
		if errno != 0 || len(all) != 1 || all[0].body[0] != 2 || !slices.Equal(all[0].body[4:], word) {
			t.Errorf("answered %v, %v", all, errno)
		}
		if _, errno = r.ask(fd, 0x13, changes, []byte{1, 3, 0, 0}); errno != syscall.ERANGE {
			t.Errorf("an error is %v", errno)
		}
		if all, errno = r.ask(fd, 0x13, dumps, []byte{5, 3, 0, 0}); errno != 0 || len(all) != 2 || ne.Uint32(all[1].body[8:]) != 2 {
			t.Errorf("listed %v, %v", all, errno)
		}
		if _, errno = r.ask(fd, 0x13, dumps, []byte{1, 3, 0, 0}); errno != syscall.EOPNOTSUPP {
			t.Errorf("a list of what has none: %v", errno)
		}
		if got := r.receive(member); len(got) != 1 || got[0].typ != 0x13 || got[0].body[0] != 9 || !slices.Equal(got[0].body[4:], word) {
			t.Errorf("the group heard %v", got)
		}
	})
}

// What genl ctrl policy asks.
func TestPoliciesAreTold(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.generic()
		get := func(attrs ...[]byte) (out []string) {
			all, errno := r.ask(fd, 0x10, dumps, []byte{10, 2, 0, 0}, attrs...)
			if errno != 0 {
				return []string{errno.Error()}
			}
			for _, m := range all {
				a := m.attributes(t, 4)
				s := fmt.Sprintf("%#x", ne.Uint16(a[1]))
				for number, op := range attributesOf(t, a[9]) {
					s += fmt.Sprintf(" command %d", number)
					x := attributesOf(t, op)
					for _, form := range []uint16{1, 2} {
						if x[form] != nil {
							s += fmt.Sprintf(" %d: %d", form, ne.Uint32(x[form]))
						}
					}
				}
				for index, policy := range attributesOf(t, a[8]) {
					for number, one := range attributesOf(t, policy) {
						x := attributesOf(t, one)
						s += fmt.Sprintf(" policy %d attribute %d kind %d", index, number, ne.Uint32(x[1]))
						if x[5] != nil {
							s += fmt.Sprintf(" %d to %d", ne.Uint64(x[4]), ne.Uint64(x[5]))
						}
						if x[7] != nil {
							s += fmt.Sprintf(" length %d", ne.Uint32(x[7]))
						}
					}
				}
				out = append(out, s)
			}
			return out
		}
		named := func(s string) []byte { return attr(2, append([]byte(s), 0)) }
		family := []string{"0x10 policy 0 attribute 1 kind 3 0 to 65535", "0x10 policy 0 attribute 2 kind 12 length 15"}
		same(t, "of the controller", get(named("nlctrl")), append(append([]string{"0x10 command 3 1: 0 2: 0", "0x10 command 10 2: 1"}, family...),
			"0x10 policy 1 attribute 1 kind 3 0 to 65535", "0x10 policy 1 attribute 2 kind 12 length 15", "0x10 policy 1 attribute 10 kind 4 0 to 4294967295"))
		same(t, "of one command", get(named("nlctrl"), attr(10, u32(3))), append([]string{"0x10 command 3 1: 0 2: 0"}, family...))
		same(t, "of a protocol's family", get(named("greeter")), []string{"0x13 command 7 1: 0",
			"0x13 policy 0 attribute 1 kind 4 0 to 9", "0x13 policy 0 attribute 2 kind 12 length 5", "0x13 policy 0 attribute 3 kind 10 length 4"})
		same(t, "of a command without one", get(named("greeter"), attr(10, u32(1))), []string{syscall.ENODATA.Error()})
		same(t, "of no command", get(named("greeter"), attr(10, u32(77))), []string{syscall.ENOENT.Error()})
		same(t, "of no family", get(named("nosuch")), []string{syscall.ENOENT.Error()})
		same(t, "without a name", get(), []string{syscall.EINVAL.Error()})
		if _, errno := r.ask(fd, 0x10, changes, []byte{10, 2, 0, 0}, named("nlctrl")); errno != syscall.EOPNOTSUPP {
			t.Errorf("other than as a list: %v", errno)
		}
	})
}

func TestAPolicyHolds(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.generic()
		for _, x := range []struct {
			what string
			attr []byte
			want syscall.Errno
		}{
			{"a number in its range", attr(1, u32(9)), 0},
			{"a number beyond it", attr(1, u32(10)), syscall.ERANGE},
			{"half a number", attr(1, []byte{1, 0}), syscall.EINVAL},
			{"a text", attr(2, []byte("hello\x00")), 0},
			{"a longer text", attr(2, []byte("hello!\x00")), syscall.EINVAL},
			{"a text without an end", attr(2, []byte("hello")), syscall.EINVAL},
			{"bytes", attr(3, []byte{1, 2, 3, 4}), 0},
			{"more bytes", attr(3, []byte{1, 2, 3, 4, 5}), syscall.ERANGE},
			{"what no policy names", attr(4, make([]byte, 100)), 0},
		} {
			if _, errno := r.ask(fd, 0x13, changes, []byte{7, 3, 0, 0}, x.attr); errno != x.want {
				t.Errorf("%s: %v, want %v", x.what, errno, x.want)
			}
		}
	})
}
