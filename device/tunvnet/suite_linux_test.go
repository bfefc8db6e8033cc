package tunvnet

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/tunio"
	"github.com/libos-go/libos/host"
)

func TestContract(t *testing.T) {
	for _, tap := range []bool{false, true} {
		t.Run(map[bool]string{false: "tun", true: "tap"}[tap], func(t *testing.T) {
			devicetest.Run(t, func(t *testing.T) devicetest.Link {
				fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)
				if err != nil {
					t.Fatal(err)
				}
				var ends [2]*Device
				for i, fd := range fds {
					o := tunio.Options{TAP: tap, MTU: 1500}
					if ends[i], err = newDevice(fd, o.Properties("tunvnet", []string{"x", "y"}[i]), true); err != nil {
						t.Fatal(err)
					}
				}
				return devicetest.Link{Host: host.NewRealTime(), A: ends[0], B: ends[1], Pass: devicetest.RealTime}
			})
		})
	}
}
