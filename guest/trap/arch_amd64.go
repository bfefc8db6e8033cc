//go:build linux

package trap

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_X86_64

// registers are those of a thread that is stopped by ptrace(2).
type registers unix.PtraceRegsAmd64

// places are where the arguments of a system call are.
func (r *registers) places() [6]*uint64 {
	return [6]*uint64{&r.Rdi, &r.Rsi, &r.Rdx, &r.R10, &r.R8, &r.R9}
}

func (r *registers) argument(i int) uint64       { return *r.places()[i] }
func (r *registers) setArgument(i int, v uint64) { *r.places()[i] = v }

// call has a thread that has just ended a system call make another.
func (r *registers) call(number, argument uint64) {
	r.Rip -= 2 // syscall
	r.Rax, r.Orig_rax, r.Rdi = number, ^uint64(0), argument
}
