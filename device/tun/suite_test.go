//go:build unix

package tun

import (
	"os"
	"syscall"
	"testing"

	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/shim"
	"github.com/libos-go/libos/device/tunio"
	"github.com/libos-go/libos/host"
)

// joined are two drivers whose files are the ends of a socket pair that keeps
// frames apart, in the kernel's place.
func joined(t *testing.T, tap bool) (a, b *link) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*link
	for i, fd := range fds {
		if err := syscall.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
		o := tunio.Options{TAP: tap, MTU: 1500}
		ends[i] = new(link)
		ends[i].init(os.NewFile(uintptr(fd), "end"), o.Properties("tun", []string{"x", "y"}[i]))
	}
	return ends[0], ends[1]
}

func TestContract(t *testing.T) {
	for _, tap := range []bool{false, true} {
		for _, remote := range []bool{false, true} {
			name := map[bool]string{false: "tun", true: "tap"}[tap] + map[bool]string{false: "", true: " through the shim"}[remote]
			t.Run(name, func(t *testing.T) {
				devicetest.Run(t, func(t *testing.T) devicetest.Link {
					a, b := joined(t, tap)
					l := devicetest.Link{Host: host.NewRealTime(), A: a, B: b, Pass: devicetest.RealTime}
					if remote {
						var err error
						if l.A, err = shim.Wrap(a); err != nil {
							t.Fatal(err)
						}
					}
					return l
				})
			})
		}
	}
}
