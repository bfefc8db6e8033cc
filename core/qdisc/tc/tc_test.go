package tc_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc/fifo"
	"github.com/libos-go/libos/core/qdisc/qdisctest"
	"github.com/libos-go/libos/core/qdisc/tc"
	"github.com/libos-go/libos/host"
)

func kinds() []core.QdiscKind {
	return []core.QdiscKind{fifo.Packets(), fifo.Bytes(), fifo.Fast()}
}

// The texts are those of tc of iproute2 6.1 on Linux, but for refcnt and handles.
func TestShowIsWhatTcPrints(t *testing.T) {
	for _, tt := range []struct{ add, show, want string }{
		{"", "qdisc show dev q0", "qdisc noqueue 0: root refcnt 2 \n"},
		{"", "qdisc", "qdisc noqueue 0: dev q0 root refcnt 2 \n"},
		{"qdisc add dev q0 root handle 1: pfifo", "-s qdisc show dev q0",
			"qdisc pfifo 1: root refcnt 2 limit 1000p\n Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) \n backlog 0b 0p requeues 0\n"},
		{"qdisc add dev q0 root bfifo", "qdisc ls", "qdisc bfifo 8001: dev q0 root refcnt 2 limit 1500000b\n"},
		{"qdisc add dev q0 root handle 1: pfifo_fast", "qdisc show dev q0", "qdisc pfifo_fast 1: root refcnt 2 bands 3 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1\n"},
		{"qdisc add dev q0 root handle 1: bfifo limit 10kb", "-s -j qdisc show dev q0",
			`[{"kind":"bfifo","handle":"1:","root":true,"refcnt":2,"options":{"limit":10240},"bytes":0,"packets":0,"drops":0,"overlimits":0,"requeues":0,"backlog":0,"qlen":0}]` + "\n"},
		{"", "-j qdisc", `[{"kind":"noqueue","handle":"0:","dev":"q0","root":true,"refcnt":2,"options":{}}]` + "\n"},
	} {
		l := qdisctest.New(t, host.NewVirtual(1), kinds()...)
		if tt.add != "" {
			l.TC(tt.add)
		}
		if got := l.TC(tt.show); got != tt.want {
			t.Errorf("%s; %s:\n%swant\n%s", tt.add, tt.show, got, tt.want)
		}
	}
}

func TestReplaceChangeAndDelete(t *testing.T) {
	l := qdisctest.New(t, host.NewVirtual(1), kinds()...)
	handle := func() string { return l.Root().Handle.String() }
	l.TC("qdisc replace dev q0 root handle 5: pfifo limit 10") // replace where there is none adds
	l.Shut = true
	l.Send(1, 4, 100)
	l.TC("qdisc change dev q0 root pfifo limit 20")
	if n := l.Root(); n.Len != 4 || handle() != "5:" {
		t.Errorf("change: %+v", n)
	}
	l.TC("qdisc replace dev q0 root pfifo limit 30") // the same kind is changed
	if n := l.Root(); n.Len != 4 || handle() != "5:" {
		t.Errorf("replace by the same kind: %+v", n)
	}
	l.TC("qdisc change dev q0 root bfifo") // without a handle it becomes another kind
	if n := l.Root(); n.Qdisc.Config().Kind() != "bfifo" || handle() == "5:" {
		t.Errorf("change to another kind: %+v", n)
	}
	l.TC("qdisc replace dev q0 root handle 5: pfifo")
	l.Send(1, 4, 100)
	l.TC("qdisc replace dev q0 root handle 6: pfifo")
	if n := l.Root(); n.Len != 0 || handle() != "6:" {
		t.Errorf("replace with another handle: %+v", n)
	}
	l.TC("qdisc del dev q0 root")
	if got := l.TC("qdisc show dev q0"); got != "qdisc noqueue 0: root refcnt 2 \n" {
		t.Errorf("after del: %s", got)
	}
}

func TestErrorsNameTheWordAndTheCure(t *testing.T) {
	for _, tt := range []struct {
		command, want string
		errno         syscall.Errno // 0 for an error of the words
	}{
		{"", "write qdisc add", 0},
		{"filter show", "write qdisc add", 0},
		{"-x qdisc", `"-x" is no flag`, 0},
		{"qdisc put dev q0 root pfifo", `"put": there are add, replace, change, del and show`, 0},
		{"qdisc add root pfifo", "which device? write dev", 0},
		{"qdisc add dev", "dev: a value is missing", 0},
		{"qdisc add dev q0 pfifo", "where? write root, or parent", 0},
		{"qdisc add dev q0 root parent 1: pfifo", "write root or parent once", 0},
		{"qdisc add dev q0 root handle 1:1 pfifo", "handle has no minor number: write 1:", 0},
		{"qdisc add dev q0 root handle x pfifo", "such as 1: or 10:1", 0},
		{"qdisc add dev q0 root", "which discipline? there are pfifo bfifo pfifo_fast", 0},
		{"qdisc add dev q0 root cake", `"cake" is no discipline of this configuration: there are pfifo`, 0},
		{"qdisc add dev q0 root pfifo limit", "pfifo: limit: a value is missing", 0},
		{"qdisc add dev q0 root pfifo limit x", `limit: "x" is no number between 0 and`, 0},
		{"qdisc add dev q0 root bfifo limit 3mm", `"3mm" is no size`, 0},
		{"qdisc add dev q0 root pfifo depth 3", `"depth" is no option: there are limit`, 0},
		{"qdisc add dev q0 root pfifo_fast limit 3", "has no options", 0},
		{"qdisc show dev q0 root", "takes dev DEVICE alone", 0},
		{"qdisc add dev q1 root pfifo", `no device "q1"`, syscall.ENODEV},
		{"qdisc change dev q0 root pfifo", "nothing to change", syscall.ENOENT},
		{"qdisc del dev q0 root", "no discipline at root", syscall.ENOENT},
		{"qdisc add dev q0 parent 1: pfifo", "no discipline with a place 1:", syscall.ENOENT},
	} {
		l := qdisctest.New(t, host.NewVirtual(1), kinds()...)
		_, err := tc.Run(l.Instance, strings.Fields(tt.command))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("tc %s: %v, want %q in it", tt.command, err, tt.want)
		}
		if tt.errno != 0 && !errors.Is(err, tt.errno) {
			t.Errorf("tc %s: %v does not wrap %v", tt.command, err, tt.errno)
		}
	}
	l := qdisctest.New(t, host.NewVirtual(1), kinds()...)
	l.TC("qdisc add dev q0 root handle 1: pfifo")
	for command, want := range map[string]syscall.Errno{
		"qdisc add dev q0 root pfifo":                syscall.EEXIST,
		"qdisc change dev q0 root handle 1: bfifo":   syscall.EINVAL,
		"qdisc change dev q0 root handle 2: bfifo":   syscall.EINVAL,
		"qdisc add dev q0 parent 1: handle 2: pfifo": syscall.EOPNOTSUPP,
		"qdisc add dev q0 parent 3: pfifo":           syscall.ENOENT,
		"qdisc del dev q0 parent 1:":                 syscall.ENOENT,
	} {
		if _, err := tc.Run(l.Instance, strings.Fields(command)); !errors.Is(err, want) {
			t.Errorf("tc %s: %v, want %v", command, err, want)
		}
	}
}
