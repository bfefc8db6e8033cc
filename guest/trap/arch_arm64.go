//go:build linux

package trap

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// registers are those of a thread that is stopped by ptrace(2).
type registers unix.PtraceRegsArm64

func (r *registers) argument(i int) uint64       { return r.Regs[i] }
func (r *registers) setArgument(i int, v uint64) { r.Regs[i] = v }

// call has a thread that has just ended a system call make another.
func (r *registers) call(number, argument uint64) {
	r.Pc -= 4 // svc
	r.Regs[8], r.Regs[0] = number, argument
}
