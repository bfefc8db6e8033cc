//go:build linux && (amd64 || arm64)

package guest_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/guest"
)

// netlinkClient talks netlink by a library that others wrote, which checks framing,
// numbers and attributes of all that comes, and tells what it saw.
func netlinkClient(out io.Writer) {
	const (
		newLink, delLink, getLink = 16, 17, 18
		newAddr, newRoute         = 20, 24
		create                    = netlink.Request | netlink.Acknowledge | netlink.Create | netlink.Excl
	)
	conn, err := netlink.Dial(0, &netlink.Config{Strict: true})
	if err != nil {
		fmt.Fprintln(out, "dial:", err)
		return
	}
	defer conn.Close()
	monitor, err := netlink.Dial(0, nil)
	if err == nil {
		err = monitor.JoinGroup(1) // RTNLGRP_LINK
	}
	if err != nil {
		fmt.Fprintln(out, "monitor:", err)
		return
	}
	defer monitor.Close()
	attributes := func(f func(*netlink.AttributeEncoder)) []byte {
		e := netlink.NewAttributeEncoder()
		f(e)
		b, err := e.Encode()
		if err != nil {
			fmt.Fprintln(out, "encode:", err)
		}
		return b
	}
	do := func(what string, typ netlink.HeaderType, flags netlink.HeaderFlags, fixed []byte, f func(*netlink.AttributeEncoder)) []netlink.Message {
		m := netlink.Message{Header: netlink.Header{Type: typ, Flags: flags}, Data: append(fixed, attributes(f)...)}
		all, err := conn.Execute(m)
		var op *netlink.OpError
		switch {
		case errors.As(err, &op):
			fmt.Fprintf(out, "%s: %v %q\n", what, op.Err, op.Message)
		case err != nil:
			fmt.Fprintf(out, "%s: %v\n", what, err)
		default:
			fmt.Fprintf(out, "%s: done\n", what)
		}
		return all
	}
	link := func(m netlink.Message) string {
		if len(m.Data) < 16 {
			return "no link"
		}
		d, err := netlink.NewAttributeDecoder(m.Data[16:])
		if err != nil {
			return err.Error()
		}
		s := fmt.Sprintf("type %d index %d", m.Header.Type, binary.NativeEndian.Uint32(m.Data[4:]))
		for d.Next() {
			switch d.Type() {
			case 3:
				s += " name " + d.String()
			case 4:
				s += fmt.Sprint(" mtu ", d.Uint32())
			case 18:
				d.Nested(func(d *netlink.AttributeDecoder) error {
					for d.Next() {
						if d.Type() == 1 {
							s += " kind " + d.String()
						}
					}
					return nil
				})
			case 52:
				d.Nested(func(d *netlink.AttributeDecoder) error {
					for d.Next() {
						s += " also " + d.String()
					}
					return nil
				})
			}
		}
		if err := d.Err(); err != nil {
			s += " " + err.Error()
		}
		return s
	}
	none := func(*netlink.AttributeEncoder) {}
	ifinfo := func(index uint32, up bool) []byte {
		b := make([]byte, 16)
		binary.NativeEndian.PutUint32(b[4:], index)
		if up {
			b[8], b[12] = 1, 1
		}
		return b
	}
	veth := func(first, second string, mtu uint32) func(*netlink.AttributeEncoder) {
		return func(e *netlink.AttributeEncoder) {
			e.String(3, first)
			e.Nested(18, func(e *netlink.AttributeEncoder) error {
				e.String(1, "veth")
				e.Nested(2, func(e *netlink.AttributeEncoder) error {
					e.Bytes(1, append(ifinfo(31, false), attributes(func(e *netlink.AttributeEncoder) {
						e.String(3, second)
						e.Uint32(4, mtu)
					})...))
					return nil
				})
				return nil
			})
		}
	}
	do("a pair", newLink, create, ifinfo(32, false), veth("m0", "m1", 1400))
	do("a pair again", newLink, create, ifinfo(0, false), veth("m0", "m2", 1400))
	do("a pair with too small an MTU", newLink, create, ifinfo(0, false), veth("m3", "m4", 10))
	do("an unknown kind", newLink, create, ifinfo(0, false), func(e *netlink.AttributeEncoder) {
		e.Nested(18, func(e *netlink.AttributeEncoder) error { e.String(1, "nosuch"); return nil })
	})
	for _, index := range []uint32{31, 32} {
		do("up", newLink, netlink.Request|netlink.Acknowledge, ifinfo(index, true), none)
	}
	do("another name", 108, create, ifinfo(32, false), func(e *netlink.AttributeEncoder) {
		e.Nested(52, func(e *netlink.AttributeEncoder) error { e.String(53, "the-other-name-of-m0"); return nil })
	})
	do("an MTU beyond all", newLink, netlink.Request|netlink.Acknowledge, ifinfo(32, false), func(e *netlink.AttributeEncoder) { e.Uint32(4, 70000) })
	do("an address", newAddr, create, append([]byte{2, 24, 0, 0}, 32, 0, 0, 0), func(e *netlink.AttributeEncoder) {
		e.Bytes(2, []byte{10, 77, 0, 1})
		e.Bytes(1, []byte{10, 77, 0, 1})
	})
	route := func(last byte) func(*netlink.AttributeEncoder) {
		return func(e *netlink.AttributeEncoder) {
			e.Bytes(1, []byte{10, 78, 0, 0})
			e.Bytes(9, append([]byte{16, 0, 0, 1, 0, 0, 0, 0, 8, 0, 5, 0, 10, 77, 0, 2}, 16, 0, 0, 0, 0, 0, 0, 0, 8, 0, 5, 0, 10, 77, last, 3))
		}
	}
	rtmsg := func() []byte { return []byte{2, 16, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0} }
	do("a route with a gateway nowhere", newRoute, create, rtmsg(), route(9))
	do("a route of two", newRoute, create, rtmsg(), route(0))
	for _, m := range do("links", getLink, netlink.Request|netlink.Dump, ifinfo(0, false), none) {
		if s := link(m); !strings.Contains(s, "lo") && !strings.Contains(s, "eth") {
			fmt.Fprintln(out, " ", s)
		}
	}
	do("removed", delLink, netlink.Request|netlink.Acknowledge, ifinfo(31, false), none)
	do("removed again", delLink, netlink.Request|netlink.Acknowledge, ifinfo(31, false), none)
	_ = monitor.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	for gone := 0; gone < 2; {
		all, err := monitor.Receive()
		if err != nil {
			fmt.Fprintln(out, "monitor:", err)
			return
		}
		for _, m := range all {
			if m.Header.Type == delLink {
				gone++
				fmt.Fprintln(out, "heard", link(m))
			}
		}
	}
}

// makes tells whether programs can make links of a kind.
func makes(w *core.Wiring, kind string) bool {
	return slices.ContainsFunc(w.Devices, func(k core.DeviceKind) bool { return k.Link.Name == kind })
}

// A client of the distribution of Go modules sees the same of an instance as of Linux.
func TestANetlinkLibrarySeesOfAnInstanceWhatItSeesOfTheKernel(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may make network namespaces")
	}
	if w := libos.Wiring(); w.SocketKind(core.AFNetlink, core.SockRaw, 0) < 0 || len(w.Networks) < 2 || !makes(w, "veth") {
		t.Skip("this build lacks netlink, pipes, IPv4 or IPv6")
	}
	ip := need(t, "ip")
	name := fmt.Sprintf("libos-c-%d", os.Getpid())
	if out, err := exec.Command(ip, "netns", "add", name).CombinedOutput(); err != nil {
		t.Skipf("ip netns add: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command(ip, "netns", "del", name).Run() })
	c := again(t, "netlink", 0, 0)
	kernel := exec.Command(ip, append([]string{"netns", "exec", name}, c.Args...)...)
	kernel.Env = c.Env
	want, err := kernel.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, want)
	}
	var got bytes.Buffer
	c.Stdout, c.Stderr = &got, &got
	if err := lab(t).Run(c, guest.Wait); err != nil {
		t.Fatalf("%v\n%s", err, got.String())
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("the kernel (-) and the instance (+):\n%s", diff)
	}
	if !strings.Contains(string(want), "a pair: done") || strings.Count(string(want), "heard") != 2 {
		t.Errorf("the kernel tells\n%s", want)
	}
}
