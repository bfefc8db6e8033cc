//go:build amd64 || arm64

package packetdrill

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTheKernelsDeviceHasTheSpeed(t *testing.T) {
	if err := (Kernel{}).Check(); err != nil {
		t.Skipf("no script runs on the kernel here: %v", err)
	}
	for _, n := range []int{10, 100000} {
		s := Defaults()
		s.MTU, s.Speed = defaultMTU, n
		err := Kernel{}.Run(&s, func(System) bool {
			var l linkSettings
			if err := l.ethtool(unix.ETHTOOL_GSET); err != nil {
				t.Error(err)
			}
			got := int(binary.NativeEndian.Uint16(l[settingsSpeed:])) | int(binary.NativeEndian.Uint16(l[settingsSpeedHigh:]))<<16
			if got != n {
				t.Errorf("the device has %d Mbit/s, expected %d", got, n)
			}
			return false
		})
		if err != nil {
			t.Error(err)
		}
	}
}
