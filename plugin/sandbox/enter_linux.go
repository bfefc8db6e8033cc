package sandbox

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// Available is nil where both walls can be built, else why not.
func Available() error {
	if _, err := arch.GetInfo(""); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if !seccomp.Supported() {
		return fmt.Errorf("%w: the kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)", ErrUnsupported)
	}
	return nil
}

// Enter builds the inner wall around this process, all its threads at once. What
// the process needs from outside of it must be open.
func Enter(p Privileges) error {
	unix.Umask(0o077)
	_ = time.Now().Local().String() // reads the time zone while files can be opened
	list, err := inner(p, os.Getpid())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if err := seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: list}); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}

// Call is the name of the system call for which a Go program was ended by SIGSYS,
// by what its runtime printed about the registers; "" if it did not.
func Call(printed string) string {
	register := map[string]string{"x86_64": "rax", "i386": "eax", "aarch64": "r8"}
	info, err := arch.GetInfo("")
	if err != nil || register[info.Name] == "" {
		return ""
	}
	m := regexp.MustCompile(`(?m)^` + register[info.Name] + `\s+0x([0-9a-f]+)`).FindStringSubmatch(printed)
	if m == nil {
		return ""
	}
	n, err := strconv.ParseUint(m[1], 16, 31)
	if err != nil {
		return ""
	}
	return info.SyscallNumbers[int(n)]
}
