package sysctl

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Table describes the settings declared by one struct.
type Table struct {
	// Owner names the struct: import path, a dot and the type.
	Owner string
	// Entries in the order of the fields.
	Entries []Entry
	// Default is a block with the defaults, shared by all who have not written.
	// Nobody writes to it.
	Default any
	// DefaultAll is that of "all", where some entry has an AllDefault; nil: Default.
	DefaultAll any
	// Clone returns a copy of a block.
	Clone func(block any) any
}

// Kind is the type of a setting as users see it.
type Kind string

const (
	Bool     Kind = "bool"
	Int      Kind = "int"
	Ints     Kind = "ints" // several integers separated by white space
	String   Kind = "string"
	Duration Kind = "duration" // an integer in Unit
)

// Entry is one setting.
type Entry struct {
	Name    string // dotted; {dev} stands for an interface name
	Kind    Kind
	Min     int64
	Max     int64
	Unit    string // "s", "ms", "us", "bytes", … or ""
	Default string
	Help    string
	Field   string
	// All tells how the value under "all" works together with a device's own:
	// "or", "and", "max", "over" (all's counts, unless it is 0), "set" (writing
	// all writes every device), "" (all is not looked at).
	All string
	// AllDefault is the default under "all", where that is another one.
	AllDefault string
	// Alias is the name whose value this one stands for: reads and writes go
	// there, and the field says nothing (net.ipv4.ip_forward for
	// net.ipv4.conf.all.forwarding).
	Alias string
	// Pointer is the address of the field in a block: one of *bool, *int, *int32,
	// *int64, *uint32, *uint64, *string, *time.Duration, *[2]int32, *[3]int32.
	Pointer func(block any) any
}

// ForAll is the block that "all" starts with.
func (t *Table) ForAll() any {
	if t.DefaultAll != nil {
		return t.DefaultAll
	}
	return t.Default
}

// PerDevice tells whether the name has a {dev} segment.
func (e *Entry) PerDevice() bool { return strings.Contains(e.Name, "{dev}") }

// Get is the value in a block as /proc/sys shows it.
func (e *Entry) Get(block any) string {
	switch p := e.Pointer(block).(type) {
	case *bool:
		if *p {
			return "1"
		}
		return "0"
	case *int:
		return strconv.Itoa(*p)
	case *int32:
		return strconv.Itoa(int(*p))
	case *int64:
		return strconv.FormatInt(*p, 10)
	case *uint32:
		return strconv.FormatUint(uint64(*p), 10)
	case *uint64:
		return strconv.FormatUint(*p, 10)
	case *string:
		return *p
	case *time.Duration:
		return strconv.FormatInt(int64(*p/e.unit()), 10)
	case *[2]int32:
		return join(p[:])
	case *[3]int32:
		return join(p[:])
	}
	return ""
}

// Set parses text into a block, which is the caller's own copy. EINVAL with
// the place and the allowed range.
func (e *Entry) Set(block any, text string) error {
	text = strings.TrimSpace(text)
	switch p := e.Pointer(block).(type) {
	case *bool:
		v, err := e.number(text)
		if err == nil {
			*p = v != 0
		}
		return err
	case *int:
		v, err := e.number(text)
		if err == nil {
			*p = int(v)
		}
		return err
	case *int32:
		v, err := e.number(text)
		if err == nil {
			*p = int32(v)
		}
		return err
	case *int64:
		v, err := e.number(text)
		if err == nil {
			*p = v
		}
		return err
	case *uint32:
		v, err := e.number(text)
		if err == nil {
			*p = uint32(v)
		}
		return err
	case *uint64:
		v, err := e.number(text)
		if err == nil {
			*p = uint64(v)
		}
		return err
	case *string:
		*p = text
		return nil
	case *time.Duration:
		v, err := e.number(text)
		if err == nil {
			*p = time.Duration(v) * e.unit()
		}
		return err
	case *[2]int32:
		return e.numbers(text, p[:])
	case *[3]int32:
		return e.numbers(text, p[:])
	}
	return fmt.Errorf("sysctl %s: the field %s has a type without text form: %w", e.Name, e.Field, syscall.EINVAL)
}

func (e *Entry) unit() time.Duration {
	switch e.Unit {
	case "ms":
		return time.Millisecond
	case "us":
		return time.Microsecond
	case "min":
		return time.Minute
	}
	return time.Second
}

func (e *Entry) number(text string) (int64, error) {
	v, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		return 0, fmt.Errorf("sysctl %s: %q is not a number: %w", e.Name, text, syscall.EINVAL)
	}
	if v < e.Min || v > e.Max {
		return 0, fmt.Errorf("sysctl %s: %d is not in %d..%d: %w", e.Name, v, e.Min, e.Max, syscall.EINVAL)
	}
	return v, nil
}

func (e *Entry) numbers(text string, out []int32) error {
	f := strings.Fields(text)
	if len(f) == 0 || len(f) > len(out) {
		return fmt.Errorf("sysctl %s: wants %d numbers, got %d: %w", e.Name, len(out), len(f), syscall.EINVAL)
	}
	var v [4]int32
	for i := range f {
		n, err := e.number(f[i])
		if err != nil {
			return err
		}
		v[i] = int32(n)
	}
	copy(out[:len(f)], v[:])
	return nil
}

func join(v []int32) string {
	var b strings.Builder
	for i, x := range v {
		if i > 0 {
			b.WriteByte('\t')
		}
		b.WriteString(strconv.Itoa(int(x)))
	}
	return b.String()
}
