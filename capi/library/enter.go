//go:build cgo

package main

/*
#cgo CFLAGS: -O2 -Wall -D_GNU_SOURCE
#include "crossing.h"
*/
import "C"

import (
	"errors"
	"runtime/cgo"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/capi"
	"github.com/libos-go/libos/core"
)

// stack is what a handle of C stands for.
type stack struct {
	*capi.Stack
	mu   sync.Mutex
	text string // of the last error
}

// libos_enter is the one door: it does what c asks, and hands out the actions if
// nobody performs any.
//
//export libos_enter
func libos_enter(c *C.struct_crossing) {
	var s *stack
	if c.fn == C.FN_CREATE {
		s = create(c)
	} else {
		s = cgo.Handle(uintptr(c.stack)).Value().(*stack)
		s.Host.Show(int64(c.now), int64(c.wall))
		c.result = C.int64_t(s.do(c))
	}
	if s == nil || c.fn == C.FN_FREE {
		return
	}
	if c.performer == 0 {
		if atomic.LoadInt32((*int32)(c.queued)) == 0 || !atomic.CompareAndSwapInt32((*int32)(c.performing), 0, 1) {
			return
		}
		c.performer = 1
	}
	c.used = C.uint32_t(s.Host.Actions.Take(memory(unsafe.Pointer(c.actions), int64(c.room))))
}

// memory is C's memory as a slice.
func memory(p unsafe.Pointer, n int64) []byte {
	if p == nil || n <= 0 {
		return nil
	}
	return unsafe.Slice((*byte)(p), n)
}

// text copies a string of C, "" for NULL.
func text(p unsafe.Pointer) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}

// tell copies what fits of text, ended by 0, and returns its length.
func tell(text string, p unsafe.Pointer, size int64) int64 {
	if b := memory(p, size); len(b) > 0 {
		b[copy(b[:len(b)-1], text)] = 0
	}
	return int64(len(text))
}

func create(c *C.struct_crossing) *stack {
	o := capi.Options{Name: text(c.p[1]), Memory: int64(c.a[1]), Now: int64(c.now), Wall: int64(c.wall), Flag: (*int32)(c.queued)}
	copy(o.Seed[:], memory(c.p[0], 32))
	var err error
	if c.p[2] != nil {
		o.Wiring, err = libos.Narrow("lib_options.config", text(c.p[2]))
	} else {
		o.Wiring = libos.Wiring()
	}
	var made *capi.Stack
	if err == nil {
		made, err = capi.New(o)
	}
	if err != nil {
		tell(err.Error(), c.p[3], int64(c.a[0]))
		c.result = -C.int64_t(capi.Errno(err))
		return nil
	}
	s := &stack{Stack: made}
	c.stack = C.uint64_t(cgo.NewHandle(s))
	return s
}

// number is a result that C is told: a value, or an errno.
func number(n int, err error) int64 {
	if err != nil {
		return -int64(capi.Errno(err))
	}
	return int64(n)
}

// said is number for errors with a text.
func (s *stack) said(n int, err error) int64 {
	if err != nil {
		s.mu.Lock()
		s.text = err.Error()
		s.mu.Unlock()
	}
	return number(n, err)
}

// do is everything but the making of a stack.
func (s *stack) do(c *C.struct_crossing) int64 {
	if c.blocked != 0 {
		return s.proceed(c)
	}
	switch c.fn {
	case C.FN_TAKE:
		return 0
	case C.FN_TIMERS:
		s.Host.RunTimers(s.Domain)
		return 0
	case C.FN_DELIVER:
		return s.deliver(c)
	}
	if c.fn < C.FN_SOCKET {
		return s.manage(c)
	}
	return s.call(c)
}

func (s *stack) deliver(c *C.struct_crossing) int64 {
	frame := [1]core.Frame{{Data: memory(c.p[0], int64(c.a[1]))}}
	taken := 0
	err := s.OnDevice(int(c.a[0]), func(ifc *core.Interface) error {
		taken = ifc.Deliver(frame[:])
		return nil
	})
	if err == nil && taken == 0 {
		err = syscall.ENOBUFS
	}
	return number(0, err)
}

// manage is what an administrator does.
func (s *stack) manage(c *C.struct_crossing) int64 {
	on := func(f func(*core.Interface) error) int64 { return s.said(0, s.OnDevice(int(c.a[0]), f)) }
	switch c.fn {
	case C.FN_CLOSE:
		if err := s.Close(); err != nil {
			tell(err.Error(), c.p[0], int64(c.a[0]))
			return -int64(syscall.EUCLEAN)
		}
		return 0
	case C.FN_FREE:
		cgo.Handle(uintptr(c.stack)).Delete()
		return 0
	case C.FN_ERROR:
		s.mu.Lock()
		defer s.mu.Unlock()
		return tell(s.text, c.p[0], int64(c.a[0]))
	case C.FN_DEVICE_ADD:
		return s.said(s.AddDevice(uint64(c.a[0]), text(c.p[0]), int(c.a[1]), memory(c.p[1], 6)))
	case C.FN_DEVICE_REMOVE:
		return on(s.Instance().RemoveDevice)
	case C.FN_DEVICE_UP:
		return on(func(ifc *core.Interface) error { return ifc.SetUp(c.a[1] != 0) })
	case C.FN_DEVICE_MTU:
		return on(func(ifc *core.Interface) error { return ifc.SetMTU(int(c.a[1])) })
	case C.FN_ADDRESS:
		return s.said(0, s.Address(int(c.a[0]), text(c.p[0]), c.a[1] != 0))
	case C.FN_ROUTE:
		return s.said(0, s.Route(text(c.p[0]), c.a[0] != 0))
	case C.FN_SYSCTL_GET:
		v, err := s.Instance().Sysctl(text(c.p[0]))
		if err != nil {
			return s.said(0, err)
		}
		return tell(strings.TrimSuffix(v, "\n"), c.p[1], int64(c.a[0]))
	case C.FN_SYSCTL_SET:
		return s.said(0, s.Instance().SetSysctl(text(c.p[0]), text(c.p[1])))
	case C.FN_FOLLOW:
		return int64(s.FollowSettings(text(c.p[0])))
	}
	return s.said(0, errors.ErrUnsupported)
}
