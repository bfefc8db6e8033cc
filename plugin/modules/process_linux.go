package modules

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// socketPair makes the socket between host and module.
func socketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "module socket")
	f := os.NewFile(uintptr(fds[0]), "module socket, our end")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return c.(*net.UnixConn), theirs, nil
}

// confine has the process end with us, and in a process group of its own, so that
// a Ctrl-C at the terminal reaches the host first.
func confine(cmd *exec.Cmd, _ *Options) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
