package capi_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/capi"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/posix"
)

// action is one of a stack's, as C sees it.
type action struct {
	kind, id uint64
	data     []byte
}

// caller is the host that C code would be: it has the clock.
type caller struct {
	t        *testing.T
	s        *capi.Stack
	now      int64
	flag     int32
	deadline uint64
	frames   [][]byte
	woken    []uint64
	lines    []string
}

func start(t *testing.T) *caller {
	t.Helper()
	c := &caller{t: t, deadline: ^uint64(0)}
	s, err := capi.New(capi.Options{Name: "c", Wiring: libos.Wiring(), Flag: &c.flag})
	if err != nil {
		t.Fatal(err)
	}
	c.s = s
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// cable gives the stack a device with 10.0.0.1 whose frames are IP packets.
func (c *caller) cable() int {
	c.t.Helper()
	index, err := c.s.AddDevice(77, "eth0", 1500, nil)
	if err == nil {
		err = errors.Join(c.s.Address(index, "10.0.0.1/24", true),
			c.s.OnDevice(index, func(ifc *core.Interface) error { return ifc.SetUp(true) }))
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.drain()
	c.frames = nil
	return index
}

// drain performs actions until there are none.
func (c *caller) drain() {
	c.t.Helper()
	buf := make([]byte, 512<<10)
	for c.flag != 0 {
		n := c.s.Host.Actions.Take(buf)
		if n == 0 {
			c.t.Fatal("the flag says that actions wait, and there are none")
		}
		for b := buf[:n]; len(b) > 0; {
			kind, size := binary.NativeEndian.Uint32(b), int(binary.NativeEndian.Uint32(b[4:]))
			id, data := binary.NativeEndian.Uint64(b[8:]), bytes.Clone(b[capi.HeaderSize:capi.HeaderSize+size])
			b = b[capi.HeaderSize+(size+7)&^7:]
			switch kind {
			case capi.Transmit:
				if id != 77 {
					c.t.Errorf("a frame of device %d", id)
				}
				c.frames = append(c.frames, data)
			case capi.Wake:
				c.woken = append(c.woken, id)
			case capi.Log:
				c.lines = append(c.lines, string(data))
			case capi.Arm:
				c.deadline = id
			default:
				c.t.Errorf("an action of kind %d", kind)
			}
		}
	}
}

// pass lets time pass.
func (c *caller) pass(d time.Duration) {
	end := c.now + int64(d)
	for c.drain(); c.deadline <= uint64(end); c.drain() {
		c.now = max(c.now, int64(c.deadline))
		c.deadline = ^uint64(0)
		c.s.Host.Show(c.now, c.now)
		c.s.Host.RunTimers(c.s.Domain)
	}
	c.now = end
	c.s.Host.Show(c.now, c.now)
}

func address(a string, port uint16) []byte {
	return posix.AppendSockAddr(nil, posix.AF_INET, core.SockAddr{Addr: wire.MustAddr(a), Port: port})
}

func TestACallThatWouldBlockIsWokenAndGoesOn(t *testing.T) {
	c := start(t)
	rx, err := c.s.Socket(posix.AF_INET, posix.SOCK_DGRAM, 0)
	if err == nil {
		err = c.s.Bind(rx, address("127.0.0.1", 7))
	}
	if err != nil {
		t.Fatal(err)
	}
	first, second := c.s.Take(), c.s.Take()
	b := make([]byte, 10)
	if second.Op.Read(rx, b) {
		t.Fatal("there is something to read")
	}
	if _, err := c.s.Sendto(rx, []byte("hello"), 0, address("127.0.0.1", 7)); err != nil {
		t.Fatal(err)
	}
	c.drain()
	if len(c.woken) == 0 || c.woken[0] != uint64(second.Number) {
		t.Errorf("woken are %v, the waiter is %d", c.woken, second.Number)
	}
	if !second.Op.Continue() {
		t.Fatal("it waits still")
	}
	if n, err := second.Op.Result(); n != 5 || err != nil || string(b[:n]) != "hello" {
		t.Errorf("%d %v %q", n, err, b)
	}
	c.s.Give(second)
	c.s.Give(first)
	if c.s.Take() != first {
		t.Error("a call that was given back is not used again")
	}
}

func TestATimeoutIsADeadlineOfTheCaller(t *testing.T) {
	c := start(t)
	x := c.s.Take()
	if x.Op.Poll(nil, 1500*time.Millisecond) {
		t.Fatal("it did not wait")
	}
	c.drain()
	if c.deadline != 1500e6 {
		t.Errorf("armed at %d", c.deadline)
	}
	c.pass(1499 * time.Millisecond)
	if x.Op.Continue() {
		t.Error("it ended early")
	}
	c.pass(time.Millisecond)
	if len(c.woken) != 1 || !x.Op.Continue() {
		t.Errorf("woken: %v", c.woken)
	}
	c.s.Give(x)
}

func TestBlockingCallsOfGoAreRefused(t *testing.T) {
	c := start(t)
	fd, err := c.s.Socket(posix.AF_INET, posix.SOCK_DGRAM, 0)
	if err == nil {
		_, err = c.s.Read(fd, make([]byte, 1))
	}
	if !errors.Is(err, capi.ErrPark) {
		t.Errorf("%v", err)
	}
}

// A caller that takes no frames for a while makes devices full, and no packet is
// lost in between.
func TestADeviceIsFullUntilFramesAreTaken(t *testing.T) {
	c := start(t)
	index := c.cable()
	if err := c.s.Route("default dev eth0", true); err != nil {
		t.Fatal(err)
	}
	fd, err := c.s.Socket(posix.AF_INET, posix.SOCK_DGRAM, 0)
	if err == nil {
		err = c.s.Setsockopt(fd, 1, 7, []byte{0, 0, 0, 1}) // SO_SNDBUF
	}
	if err != nil {
		t.Fatal(err)
	}
	sent := 0
	queued := func() (n uint64) {
		_ = c.s.OnDevice(index, func(ifc *core.Interface) error {
			c.s.Domain.Do(func() { n = ifc.Stats().TxPackets })
			return nil
		})
		return n
	}
	before := queued()
	for queued() == before+uint64(sent) { // until the device refuses one
		if _, err := c.s.Sendto(fd, make([]byte, 1400), posix.MSG_DONTWAIT, address("10.0.0.2", 9)); err != nil {
			t.Fatal(err)
		}
		if sent++; sent > 10000 {
			t.Fatal("it takes all")
		}
	}
	if size := sent * 1428; size < 4<<20 || size > 5<<20 {
		t.Errorf("full after %d bytes", size)
	}
	c.drain()
	came := 0
	for _, f := range c.frames {
		if len(f) == 1428 {
			came++
		} else {
			t.Logf("beside them %d bytes: %s", len(f), wire.Summary(f, wire.LinkRaw))
		}
	}
	if came != sent {
		t.Errorf("%d of %d packets came", came, sent)
	}
}

func TestErrorsOfTextNameThePlace(t *testing.T) {
	c := start(t)
	index := c.cable()
	for what, x := range map[string]struct {
		err  error
		code syscall.Errno
	}{
		`address "10.0.0.x"`:         {c.s.Address(index, "10.0.0.x", true), syscall.EINVAL},
		`route "default via"`:        {c.s.Route("default via", true), syscall.EINVAL},
		`there is no device eth9`:    {c.s.Route("10.1.0.0/16 dev eth9", true), syscall.ENODEV},
		`the device is gone`:         {c.s.Address(index+1, "10.0.0.1/24", true), syscall.ENODEV},
		`MTU 10 is not in 68..65535`: {func() error { _, err := c.s.AddDevice(1, "x", 10, nil); return err }(), syscall.EINVAL},
		`there is no such setting`:   {c.s.Instance().SetSysctl("net.ipv4.tcp_nothing", "1"), syscall.ENOENT},
	} {
		if x.err == nil || !strings.Contains(x.err.Error(), what) || capi.Errno(x.err) != x.code {
			t.Errorf("%s: %v, %v", what, x.err, capi.Errno(x.err))
		}
	}
}

func TestSettingsFollowAFolder(t *testing.T) {
	c := start(t)
	dir := t.TempDir()
	write := func(name, value string) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(value+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write("net/ipv4/tcp_sack", "0")
	write("net/ipv4/ip_default_ttl", "hello") // refused
	if n := c.s.FollowSettings(dir); n != 1 {
		t.Errorf("%d taken", n)
	}
	get := func() string {
		v, err := c.s.Instance().Sysctl("net.ipv4.tcp_sack")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(v)
	}
	if get() != "0" {
		t.Error("not followed")
	}
	if err := c.s.Instance().SetSysctl("net.ipv4.tcp_sack", "1"); err != nil {
		t.Fatal(err)
	}
	if n := c.s.FollowSettings(dir); n != 0 || get() != "1" {
		t.Error("a file that did not change was taken again")
	}
}

func TestTheClockNeverGoesBack(t *testing.T) {
	h := capi.NewHost([32]byte{})
	h.Show(100, 1000)
	h.Show(50, 1)
	if h.Now() != 100 || h.WallNow().UnixNano() != 1000 || h.Time(time.Unix(0, 1500)) != 600 || h.Time(time.Time{}) != 0 {
		t.Errorf("%v %v", h.Now(), h.WallNow())
	}
}

func TestEqualSeedsGiveEqualStreams(t *testing.T) {
	a, b := capi.NewHost([32]byte{1}), capi.NewHost([32]byte{2})
	x := a.Random("x").Uint64()
	if a.Random("x").Uint64() != x || a.Random("y").Uint64() == x || b.Random("x").Uint64() == x {
		t.Error("streams do not follow from seed and name")
	}
}
