//go:build amd64 || arm64

package packetdrill

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// linkSettings is struct ethtool_cmd (include/uapi/linux/ethtool.h).
type linkSettings [44]byte

// Places in linkSettings. The speed is in two halves.
const (
	settingsSpeed     = 12
	settingsSpeedHigh = 28
)

// ethtool makes a request about the script's device in the thread's namespace.
func (l *linkSettings) ethtool(request uint32) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	binary.NativeEndian.PutUint32(l[:], request)
	r := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(l)}
	copy(r.name[:], device)
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&r)))
	return errnoOrNil(e)
}

// setSpeed gives the device a speed in Mbit/s.
func setSpeed(n int) error {
	var l linkSettings
	err := l.ethtool(unix.ETHTOOL_GSET)
	if err == nil {
		binary.NativeEndian.PutUint16(l[settingsSpeed:], uint16(n))
		binary.NativeEndian.PutUint16(l[settingsSpeedHigh:], uint16(n>>16))
		err = l.ethtool(unix.ETHTOOL_SSET)
	}
	if err != nil {
		return fmt.Errorf("--speed: %s takes no speed of %d Mbit/s: %w", device, n, err)
	}
	return nil
}
