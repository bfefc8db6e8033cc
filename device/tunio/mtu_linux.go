package tunio

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// SetMTU sets the MTU of the kernel's side of a link (SIOCSIFMTU).
func SetMTU(name string, mtu int) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("MTU of %s: %w", name, err)
	}
	defer unix.Close(s)
	req, err := unix.NewIfreq(name)
	if err != nil {
		return fmt.Errorf("MTU of %s: %w", name, err)
	}
	req.SetUint32(uint32(mtu))
	if err := unix.IoctlIfreq(s, unix.SIOCSIFMTU, req); err != nil {
		return fmt.Errorf("MTU %d of %s: %w", mtu, name, err)
	}
	return nil
}
