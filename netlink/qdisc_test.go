package netlink_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc/codel"
	"github.com/libos-go/libos/core/qdisc/fifo"
	"github.com/libos-go/libos/core/qdisc/fq"
	"github.com/libos-go/libos/core/qdisc/fqcodel"
	"github.com/libos-go/libos/core/qdisc/netem"
	"github.com/libos-go/libos/core/qdisc/pie"
	"github.com/libos-go/libos/core/qdisc/red"
	"github.com/libos-go/libos/core/qdisc/tbf"
	"github.com/libos-go/libos/core/qdisc/tc"
)

const (
	rtmNewQdisc, rtmDelQdisc, rtmGetQdisc = 36, 37, 38

	replaces = 0x505 // NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE
	root     = 0xffffffff
)

func qdiscs() []core.QdiscKind {
	return []core.QdiscKind{fifo.Packets(), fifo.Bytes(), fifo.Fast(), tbf.Kind(), netem.Kind(), fq.Kind(), fqcodel.Kind(), codel.Kind(), pie.Kind(), red.Kind()}
}

// tcmsg is of eth0.
func tcmsg(handle, parent uint32) []byte {
	b := append(make([]byte, 4), u32(2)...)
	return append(append(append(b, u32(handle)...), u32(parent)...), 0, 0, 0, 0)
}

func kindAttr(kind string) []byte { return attr(1, append([]byte(kind), 0)) }

func (r *rig) tc(command string) string {
	r.T.Helper()
	out, err := tc.Run(r.in, strings.Fields(command))
	if err != nil {
		r.T.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// What a discipline tells of its options makes the same discipline.
func TestTheOptionsOfADisciplineComeBack(t *testing.T) {
	for _, options := range []string{
		"pfifo limit 77", "bfifo limit 9000", "pfifo_fast",
		"tbf rate 1mbit burst 5000 latency 50ms", "tbf rate 40gbit burst 1280000 limit 2560000", "tbf rate 1mbit burst 5000 latency 70ms peakrate 2mbit mtu 1540",
		"codel limit 100 target 7ms interval 90ms ecn", "codel ce_threshold 3ms",
		"fq_codel limit 100 flows 16 quantum 300 target 3ms interval 50ms memory_limit 1mb drop_batch 9 noecn", "fq_codel",
		"pie limit 10 target 20ms tupdate 30ms alpha 3 beta 21 ecn bytemode",
		"fq limit 50 flow_limit 5 quantum 2000 initial_quantum 9000 maxrate 10mbit buckets 64 refill_delay 20ms ce_threshold 4ms horizon 5s horizon_cap nopacing", "fq",
		"red limit 100kb min 10kb max 30kb avpkt 1000 burst 20 probability 0.1 ecn harddrop",
		"netem limit 99 delay 10ms 3ms 25% loss 1.5% 5% duplicate 2% reorder 10% 50% gap 5 corrupt 1%",
		"netem loss state 1% 90% 2% 80% 3%", "netem loss gemodel 1% 10% 70% 0.5%", "netem delay 3us rate 1mbit 20 48 5 loss 1% ecn seed 12345",
		"netem slot 10ms 20ms packets 7 bytes 900",
	} {
		run(t, func(r *rig) {
			fd := r.open(0)
			r.tc("qdisc add dev eth0 root handle 1: " + options)
			want := r.tc("-s qdisc show dev eth0")
			all, errno := r.ask(fd, rtmGetQdisc, asks, tcmsg(1<<16, 0))
			if errno != 0 || len(all) != 1 {
				t.Fatalf("%s: %d messages, %v", options, len(all), errno)
			}
			told, ok := all[0].attributes(t, 20)[2]
			if !ok {
				t.Fatalf("%s: no options", options)
			}
			r.tc("qdisc del dev eth0 root")
			kind := strings.Fields(options)[0]
			attrs := [][]byte{kindAttr(kind)}
			if kind != "pfifo_fast" {
				attrs = append(attrs, attr(2, told))
			}
			if _, errno := r.ask(fd, rtmNewQdisc, creates, tcmsg(1<<16, root), attrs...); errno != 0 {
				t.Fatalf("%s: %v", options, errno)
			}
			if got := r.tc("-s qdisc show dev eth0"); got != want {
				t.Errorf("told:\n%s\nof\n%s", got, want)
			}
		})
	}
}

func TestDisciplinesAreAddedChangedReplacedAndDeleted(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(1 << 3) // RTNLGRP_TC
		pfifo := func(limit uint32) [][]byte { return [][]byte{kindAttr("pfifo"), attr(2, u32(limit))} }
		for _, x := range []struct {
			what       string
			typ, flags uint16
			fixed      []byte
			attrs      [][]byte
			want       syscall.Errno
			shows      string
		}{
			{"change what is not there", rtmNewQdisc, changes, tcmsg(0, root), pfifo(1), syscall.ENOENT, "noqueue 0:"},
			{"add", rtmNewQdisc, creates, tcmsg(1<<16, root), pfifo(5), 0, "pfifo 1: limit 5p"},
			{"add again", rtmNewQdisc, creates, tcmsg(0, root), pfifo(6), syscall.EEXIST, "pfifo 1: limit 5p"},
			{"change", rtmNewQdisc, changes, tcmsg(0, root), pfifo(7), 0, "pfifo 1: limit 7p"},
			{"change of a handle to another kind", rtmNewQdisc, changes, tcmsg(1<<16, root), [][]byte{kindAttr("bfifo")}, syscall.EINVAL, "pfifo 1: limit 7p"},
			{"change to another kind", rtmNewQdisc, changes, tcmsg(0, root), [][]byte{kindAttr("bfifo")}, 0, "bfifo 8002: limit 1514000b"},
			{"replace by another kind", rtmNewQdisc, replaces, tcmsg(0, root), pfifo(8), 0, "pfifo 8003: limit 8p"},
			{"replace by the same kind", rtmNewQdisc, replaces, tcmsg(0, root), pfifo(9), 0, "pfifo 8003: limit 9p"},
			{"replace by another handle", rtmNewQdisc, replaces, tcmsg(2<<16, root), pfifo(9), 0, "pfifo 2: limit 9p"},
			{"a child of what has none", rtmNewQdisc, creates, tcmsg(0, 2<<16|1), pfifo(9), syscall.EOPNOTSUPP, "pfifo 2: limit 9p"},
			{"a child of nobody", rtmNewQdisc, creates, tcmsg(0, 7<<16), pfifo(9), syscall.ENOENT, "pfifo 2: limit 9p"},
			{"a minor handle", rtmNewQdisc, replaces, tcmsg(2<<16|1, root), pfifo(9), syscall.EINVAL, "pfifo 2: limit 9p"},
			{"a kind that nobody has", rtmNewQdisc, replaces, tcmsg(0, root), [][]byte{kindAttr("cake")}, syscall.ENOENT, "pfifo 2: limit 9p"},
			{"half an option", rtmNewQdisc, replaces, tcmsg(0, root), [][]byte{kindAttr("pfifo"), attr(2, []byte{1})}, syscall.EINVAL, "pfifo 2: limit 9p"},
			{"ingress", rtmNewQdisc, creates, tcmsg(0xffff0000, 0xfffffff1), [][]byte{kindAttr("ingress")}, syscall.EOPNOTSUPP, "pfifo 2: limit 9p"},
			{"delete by a wrong handle", rtmDelQdisc, changes, tcmsg(3<<16, root), nil, syscall.EINVAL, "pfifo 2: limit 9p"},
			{"delete", rtmDelQdisc, changes, tcmsg(0, root), nil, 0, "noqueue 0:"},
			{"delete again", rtmDelQdisc, changes, tcmsg(0, root), nil, syscall.ENOENT, "noqueue 0:"},
			{"on no interface", rtmDelQdisc, changes, make([]byte, 20), nil, syscall.ENODEV, "noqueue 0:"},
		} {
			sender, err := r.Socket(afNetlink, 3, 0)
			must(t, err)
			if _, errno := r.ask(sender, x.typ, x.flags, x.fixed, x.attrs...); errno != x.want {
				t.Errorf("%s: %v, want %v", x.what, errno, x.want)
			}
			must(t, r.Close(sender))
			got := strings.NewReplacer("qdisc ", "", " root refcnt 2", "").Replace(r.tc("qdisc show dev eth0"))
			if got != x.shows {
				t.Errorf("%s: there is %q, want %q", x.what, got, x.shows)
			}
		}
		var heard []string
		for range 7 {
			for _, m := range r.receive(fd) {
				heard = append(heard, fmt.Sprintf("%d %s", m.typ, text(m.attributes(t, 20)[1])))
			}
		}
		same(t, "heard", heard, []string{"36 pfifo", "36 pfifo", "36 bfifo", "36 pfifo", "36 pfifo", "36 pfifo", "37 pfifo"})
	})
}

func TestADisciplineBelowAnotherIsAdded(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		r.tc("qdisc add dev eth0 root handle 1: tbf rate 1mbit burst 5000 limit 9000")
		if _, errno := r.ask(fd, rtmNewQdisc, creates, tcmsg(10<<16, 1<<16|1), kindAttr("fq_codel")); errno != 0 {
			t.Fatal(errno)
		}
		all, errno := r.ask(fd, rtmGetQdisc, dumps, tcmsg(0, 0))
		if errno != 0 || len(all) != 2 || ne.Uint32(all[1].body[12:]) != 1<<16|1 || ne.Uint32(all[1].body[8:]) != 10<<16 {
			t.Errorf("%d disciplines, %v", len(all), errno)
		}
		if x := attributesOf(t, all[1].attributes(t, 20)[7]); len(x[4]) != 40 || len(x[1]) != 16 || len(x[3]) != 20 {
			t.Errorf("counters are %v", x)
		}
	})
}

// A discipline with a child has the class that the child hangs in, others have none.
func TestClassesAreThoseOfDisciplinesWithAChild(t *testing.T) {
	const getTclass, getTfilter = 42, 46
	run(t, func(r *rig) {
		fd := r.open(0)
		for _, x := range []struct{ command, want string }{
			{"", ""},
			{"qdisc add dev eth0 root handle 1: fq_codel", ""},
			{"qdisc replace dev eth0 root handle 1: tbf rate 1mbit burst 5k latency 50ms", "tbf 10001 parent 10000 leaf 0"},
			{"qdisc add dev eth0 parent 1:1 handle 2: pfifo", "tbf 10001 parent 10000 leaf 20000"},
		} {
			if x.command != "" {
				r.tc(x.command)
			}
			all, errno := r.ask(fd, getTclass, dumps, tcmsg(0, 0))
			var got []string
			for _, m := range all {
				kind := strings.TrimRight(string(m.attributes(t, 20)[1]), "\x00")
				got = append(got, fmt.Sprintf("%s %x parent %x leaf %x", kind, ne.Uint32(m.body[8:]), ne.Uint32(m.body[12:]), ne.Uint32(m.body[16:])))
			}
			if strings.Join(got, ", ") != x.want || errno != 0 {
				t.Errorf("after %q: %q, %v; want %q", x.command, got, errno, x.want)
			}
		}
		if all, errno := r.ask(fd, getTfilter, dumps, tcmsg(0, 0)); errno != 0 || len(all) != 0 {
			t.Errorf("%d filters, %v", len(all), errno)
		}
	})
}

func TestNoLinkIsAPortOfABridge(t *testing.T) {
	const getLink, bridges = 18, 7
	run(t, func(r *rig) {
		if all, errno := r.ask(r.open(0), getLink, dumps, append([]byte{bridges}, make([]byte, 15)...)); errno != 0 || len(all) != 0 {
			t.Errorf("%d ports, %v", len(all), errno)
		}
	})
}
