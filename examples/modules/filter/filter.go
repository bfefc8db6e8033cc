// Package filter is a device that is stacked on another one and lets through what
// programs of the BSD packet filter choose (McCanne and Jacobson, 1993), as
// `tcpdump -ddd EXPRESSION` prints them: one for frames that come, one for frames
// that go. Start reading at Wrap.
package filter

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/replay"
	"github.com/libos-go/libos/device/tun"
)

// Programs choose frames. A nil one chooses all.
type Programs struct {
	In, Out []bpf.RawInstruction
}

// Stats of a device. What was refused on the way in is in the interface's
// RxDropped, on the way out in its TxDropped, as well.
type Stats struct {
	InRefused, OutRefused uint64
}

// Device is a device with a filter.
type Device struct {
	core.Device // the one below
	in, out     *bpf.VM
	ifc         *core.Interface
	scratch     []byte
	one         [1]*core.Packet
	stats       Stats
}

// Wrap stacks a filter on a device, which it then owns.
func Wrap(below core.Device, p Programs) (*Device, error) {
	d := &Device{Device: below}
	for _, x := range []struct {
		name string
		vm   **bpf.VM
		code []bpf.RawInstruction
	}{{"in", &d.in, p.In}, {"out", &d.out, p.Out}} {
		if x.code == nil {
			continue
		}
		program, ok := bpf.Disassemble(x.code)
		if !ok {
			return nil, fmt.Errorf("filter: %s: an instruction that the packet filter does not have", x.name)
		}
		vm, err := bpf.NewVM(program)
		if err != nil {
			return nil, fmt.Errorf("filter: %s: %w", x.name, err)
		}
		*x.vm = vm
	}
	return d, nil
}

// Attach implements core.Device.
func (d *Device) Attach(ifc *core.Interface) {
	d.ifc = ifc
	d.Device.Attach(ifc)
}

// Stats of the device so far. It enters the Domain.
func (d *Device) Stats() (s Stats) {
	d.ifc.Instance().Domain().Do(func() { s = d.stats })
	return s
}

// Admits implements core.Sieve.
func (d *Device) Admits(p *core.Packet) bool {
	if d.chosen(d.in, p) {
		return true
	}
	d.stats.InRefused++
	return false
}

// Send implements core.Device: what the program refuses counts as sent and goes
// nowhere.
func (d *Device) Send(batch []*core.Packet) int {
	if d.out == nil {
		return d.Device.Send(batch)
	}
	sent := 0
	for _, p := range batch {
		if d.chosen(d.out, p) {
			if d.one[0] = p; d.Device.Send(d.one[:]) == 0 {
				break
			}
		} else {
			d.stats.OutRefused++
			d.ifc.Stats().TxDropped++
			p.Free()
		}
		sent++
	}
	return sent
}

// chosen runs a program on a frame.
func (d *Device) chosen(vm *bpf.VM, p *core.Packet) bool {
	if vm == nil {
		return true
	}
	b := p.Linear()
	if len(p.Frags()) > 0 {
		d.scratch = append(d.scratch[:0], b...)
		for i := range p.Frags() {
			d.scratch = append(d.scratch, p.Frags()[i].Bytes()...)
		}
		b = d.scratch
	}
	n, err := vm.Run(b)
	return err == nil && n > 0
}

// Parse reads a program as `tcpdump -ddd` prints it: the number of instructions,
// then each as four numbers; lines may be separated by commas.
func Parse(text string) ([]bpf.RawInstruction, error) {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ',' })
	if len(lines) == 0 {
		return nil, fmt.Errorf("no program: give what `tcpdump -ddd EXPRESSION` prints")
	}
	n, err := strconv.ParseUint(strings.TrimSpace(lines[0]), 10, 12)
	if err != nil || int(n) != len(lines)-1 {
		return nil, fmt.Errorf("%q is to be the number of instructions, of which there are %d", strings.TrimSpace(lines[0]), len(lines)-1)
	}
	var program []bpf.RawInstruction
	for _, line := range lines[1:] {
		words := strings.Fields(line)
		var v [4]uint64
		for i, bits := range []int{16, 8, 8, 32} {
			if len(words) != 4 {
				return nil, fmt.Errorf("instruction %q: want four numbers", line)
			}
			if v[i], err = strconv.ParseUint(words[i], 10, bits); err != nil {
				return nil, fmt.Errorf("instruction %q: %w", line, err)
			}
		}
		program = append(program, bpf.RawInstruction{Op: uint16(v[0]), Jt: uint8(v[1]), Jf: uint8(v[2]), K: uint32(v[3])})
	}
	return program, nil
}

// Kind describes filters on TUN and TAP devices and on the packets of a file.
func Kind() core.DeviceKind { return On(tun.Kind(), replay.Kind()) }

// On describes filters on devices of some kinds.
func On(below ...core.DeviceKind) core.DeviceKind {
	k := core.DeviceKind{Kind: "filter", Needs: []string{"files"}, Parameters: map[string]string{
		"in":  "the program for frames that come, as `tcpdump -ddd` prints it, or @FILE with one; all is the default",
		"out": "likewise for frames that go",
	}}
	var names []string
	for _, b := range below {
		names = append(names, b.Kind)
		k.Needs = append(k.Needs, b.Needs...)
		for name, help := range b.Parameters {
			k.Parameters[name] = "of " + b.Kind + ": " + help
		}
	}
	k.Parameters["over"] = "the kind of the device below: " + strings.Join(names, ", ")
	k.Open = func(given map[string]string) (core.Device, error) {
		at := slices.IndexFunc(below, func(b core.DeviceKind) bool { return b.Kind == given["over"] && b.Open != nil })
		if at < 0 {
			return nil, fmt.Errorf("filter: over = %q: want one of %s", given["over"], strings.Join(names, ", "))
		}
		var p Programs
		for name, into := range map[string]*[]bpf.RawInstruction{"in": &p.In, "out": &p.Out} {
			text, err := given[name], error(nil)
			if text == "" {
				continue
			}
			if file, ok := strings.CutPrefix(text, "@"); ok {
				b, err := os.ReadFile(file)
				if err != nil {
					return nil, fmt.Errorf("filter: %s: %w", name, err)
				}
				text = string(b)
			}
			if *into, err = Parse(text); err != nil {
				return nil, fmt.Errorf("filter: %s: %w", name, err)
			}
		}
		rest := maps.Clone(given)
		for _, mine := range []string{"over", "in", "out"} {
			delete(rest, mine)
		}
		dev, err := below[at].Open(rest)
		if err != nil {
			return nil, err
		}
		d, err := Wrap(dev, p)
		if err != nil {
			_ = dev.Close()
			return nil, err
		}
		return d, nil
	}
	return k
}
