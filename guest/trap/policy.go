//go:build linux && (amd64 || arm64)

package trap

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Rule says when one system call is stopped.
type Rule struct {
	Call int // its number
	// Any of these makes it so; none at all, always.
	When []Condition
	// None of these may hold.
	Unless []Condition
	// Errno, if not 0, is what the call fails with; nobody is asked.
	Errno unix.Errno
}

// Condition is about one argument: its low 32 bits, masked, are between From and To,
// or, with NotNull, the argument is not 0.
type Condition struct {
	Argument int // 0 to 5
	Mask     uint32
	From, To uint32
	NotNull  bool
}

// Is is the condition that an argument is one of a value.
func Is(argument int, value uint32) Condition { return Between(argument, value, value) }

// Between is the condition that an argument, as an unsigned number of 32 bits, is in
// a range.
func Between(argument int, from, to uint32) Condition {
	return Condition{Argument: argument, Mask: math.MaxUint32, From: from, To: to}
}

// Has is the condition that any of some bits is set.
func Has(argument int, bits uint32) Condition {
	return Condition{Argument: argument, Mask: bits, From: 1, To: math.MaxUint32}
}

// NotNull is the condition that an argument is not 0.
func NotNull(argument int) Condition { return Condition{Argument: argument, NotNull: true} }

// Policy is the rules that a program runs under. Calls without a rule are the
// kernel's, as are those whose conditions do not hold.
type Policy []Rule

// Offsets in struct seccomp_data.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

const (
	retAllow  = unix.SECCOMP_RET_ALLOW
	retNotify = unix.SECCOMP_RET_USER_NOTIF
	retErrno  = unix.SECCOMP_RET_ERRNO
)

// x32 calls have this bit; nobody uses them.
const x32 = 0x40000000

// program is the filter. Calls of another architecture (a 32-bit program) fail with
// ENOSYS: they would go past the rules.
func (p Policy) program() ([]bpf.RawInstruction, error) {
	code := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: auditArch, SkipTrue: 1},
		bpf.RetConstant{Val: retErrno | uint32(unix.ENOSYS)},
		bpf.LoadAbsolute{Off: offNumber, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: x32, SkipTrue: 1},
		bpf.RetConstant{Val: retErrno | uint32(unix.ENOSYS)},
	}
	for _, r := range p {
		body, err := r.body()
		if err != nil {
			return nil, err
		}
		if len(body) > 255 {
			return nil, fmt.Errorf("trap: too many conditions for call %d", r.Call)
		}
		code = append(code, bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(r.Call), SkipFalse: uint8(len(body))})
		code = append(code, body...)
	}
	code = append(code, bpf.RetConstant{Val: retAllow})
	if len(code) > 4096 { // BPF_MAXINSNS
		return nil, errors.New("trap: too many rules")
	}
	return bpf.Assemble(code)
}

// body is what follows the number of a rule; it ends with a verdict.
func (r Rule) body() ([]bpf.Instruction, error) {
	verdict := bpf.RetConstant{Val: retNotify}
	if r.Errno != 0 {
		verdict.Val = retErrno | uint32(r.Errno)
	}
	code, err := r.tests(r.Unless, bpf.RetConstant{Val: retAllow})
	if err != nil {
		return nil, err
	}
	if len(r.When) == 0 {
		return append(code, verdict), nil
	}
	when, err := r.tests(r.When, verdict)
	return append(append(code, when...), bpf.RetConstant{Val: retAllow}), err
}

// tests ends with a verdict if any of the conditions holds.
func (r Rule) tests(list []Condition, verdict bpf.RetConstant) ([]bpf.Instruction, error) {
	var code []bpf.Instruction
	for _, c := range list {
		if c.Argument < 0 || c.Argument > 5 {
			return nil, fmt.Errorf("trap: call %d has no argument %d", r.Call, c.Argument)
		}
		low := uint32(offArgs + 8*c.Argument) // little-endian
		switch {
		case c.NotNull:
			code = append(code,
				bpf.LoadAbsolute{Off: low, Size: 4},
				bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1},
				verdict,
				bpf.LoadAbsolute{Off: low + 4, Size: 4},
				bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1},
				verdict)
		default:
			code = append(code,
				bpf.LoadAbsolute{Off: low, Size: 4},
				bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: c.Mask},
				bpf.JumpIf{Cond: bpf.JumpLessThan, Val: c.From, SkipTrue: 2},
				bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: c.To, SkipTrue: 1},
				verdict)
		}
	}
	return code, nil
}
