package tunio

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core/wire"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		in   map[string]string
		want Options
		err  string
	}{
		{nil, Options{MTU: 1500}, ""},
		{map[string]string{"name": "t0", "mtu": "9000"}, Options{Name: "t0", MTU: 9000}, ""},
		{map[string]string{"mode": "tap", "mac": "02:00:00:00:00:07"}, Options{TAP: true, MTU: 1500, HWAddr: wire.HWAddr{2, 0, 0, 0, 0, 7}}, ""},
		{map[string]string{"mode": "tan"}, Options{}, `mode = "tan": it is tun or tap`},
		{map[string]string{"mtu": "big"}, Options{}, `mtu = "big": it is a number of bytes, such as 1500`},
		{map[string]string{"mtu": "67"}, Options{}, "mtu = 67: it is between 68 and 65535"},
		{map[string]string{"mtu": "0"}, Options{}, "mtu = 0: it is between 68 and 65535"},
		{map[string]string{"mac": "02:00:00:00:00:07"}, Options{}, "mac is for mode = tap: a TUN device has no hardware address"},
		{map[string]string{"mode": "tap", "mac": "03:00:00:00:00:07"}, Options{}, "mac = 03:00:00:00:00:07: it is a multicast address; the lowest bit of the first byte must be 0"},
		{map[string]string{"mode": "tap", "mac": "x"}, Options{}, `mac = "x": it looks like 02:00:00:00:00:01`},
		{map[string]string{"name": "a-name-far-too-long"}, Options{}, `name = "a-name-far-too-long": an interface name has 1 to 15 bytes without slash, colon and space`},
		{map[string]string{"speed": "1"}, Options{}, "speed is no parameter of this device; there are mac, mode, mtu, name"},
	} {
		got, err := Parse(tt.in)
		if tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("%v:\n got %v\nwant %s", tt.in, err, tt.err)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("%v: %+v, %v; want %+v", tt.in, got, err, tt.want)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{os.NewSyscallError("ioctl", syscall.EPERM), "/dev/net/tun: operation not permitted: run as root or grant CAP_NET_ADMIN"},
		{&fs.PathError{Op: "open", Path: "/dev/net/tun", Err: syscall.ENOENT}, "/dev/net/tun: no such file or directory: the system has no TUN driver: on Linux run modprobe tun, in a container give it the device /dev/net/tun"},
		{syscall.EBUSY, "/dev/net/tun: device or resource busy: another program has tun9 open: choose another name"},
		{syscall.EINVAL, "/dev/net/tun: invalid argument: tun9 exists and is of another kind: choose another name or delete it (ip link del tun9)"},
		{fmt.Errorf("strange"), "/dev/net/tun: tun9: strange"},
	} {
		got := Explain("tun9", tt.err)
		if got.Error() != tt.want {
			t.Errorf("got  %v\nwant %s", got, tt.want)
		}
	}
	if err := Explain("", syscall.EPERM); !errors.Is(err, syscall.EPERM) {
		t.Errorf("%v does not wrap EPERM", err)
	}
}
