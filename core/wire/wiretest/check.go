package wiretest

import (
	"errors"
	"fmt"

	"github.com/libos-go/libos/core/wire"
)

// T is the part of testing.TB that Check needs.
type T interface {
	Helper()
	Errorf(format string, args ...any)
}

// Check reports an error if the frame is not as described, and whether it was.
//
// The described layers, all given packets put together, must stand in the frame in this order without others between
// them; the first may lie deeper in the frame, and the last may be followed by more. Of each layer the named fields are
// compared and the others are free. Lengths and checksums must be right in every layer of the frame, described or not,
// but for a checksum that the description says is bad.
func Check(t T, frame []byte, want ...Packet) bool {
	t.Helper()
	if err := Match(frame, want...); err != nil {
		link := wire.LinkRaw
		if v := wire.IPVersion(frame); v != 4 && v != 6 {
			link = wire.LinkEthernet
		}
		t.Errorf("%v\nframe: %s\n       %x", err, wire.Summary(frame, link), frame)
		return false
	}
	return true
}

// Match is Check's judgement as an error, nil if the frame is as described: to look for one among many.
func Match(frame []byte, want ...Packet) error {
	var w Packet
	for _, p := range want {
		w = w.Then(p)
	}
	ethernet := wire.IPVersion(frame) != 4 && wire.IPVersion(frame) != 6
	if len(w.layers) > 0 && (w.layers[0].kind == kindEthernet || w.layers[0].kind == kindARP) {
		ethernet = true
	}
	return match(read(frame, ethernet).layers, w.layers)
}

func match(got, want []layer) error {
	var errs []error
	at := 0
	if len(want) > 0 {
		for at < len(got) && got[at].kind != want[0].kind {
			at++
		}
	}
	for i := range got {
		g := &got[i]
		if g.kind == kindBroken {
			errs = append(errs, fmt.Errorf("%s: malformed: %v", g.fields[0].name, g.fields[0].value))
		}
		described := i >= at && i-at < len(want) && want[i-at].says("checksum")
		if g.text("checksum") == "bad" && !described {
			errs = append(errs, fmt.Errorf("%s: checksum is wrong", g.kind))
		}
	}
	for i := range want {
		w := &want[i]
		if at+i >= len(got) || got[at+i].kind != w.kind {
			there := "nothing"
			if at+i < len(got) {
				there = string(got[at+i].kind)
			} else if i == 0 {
				there = "no such layer"
			}
			return errors.Join(append(errs, fmt.Errorf("%s: frame has %s there", w.kind, there))...)
		}
		for _, f := range w.fields {
			if err := compare(&got[at+i], f); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", w.kind, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (l *layer) says(name string) bool {
	for _, f := range l.fields {
		if f.name == name {
			return true
		}
	}
	return false
}

func compare(got *layer, want Field) error {
	v, ok := got.find(want.name)
	if _, absent := want.value.(absence); absent {
		if ok {
			return fmt.Errorf("%s is %v, want none", want.name, show(v))
		}
		return nil
	}
	if !ok {
		return fmt.Errorf("%s is absent, want %v", want.name, show(want.value))
	}
	if q, isPacket := want.value.(Packet); isPacket {
		if err := match(v.(Packet).layers, q.layers); err != nil {
			return fmt.Errorf("%s: %w", want.name, err)
		}
		return nil
	}
	if v != want.value {
		return fmt.Errorf("%s is %v, want %v", want.name, show(v), show(want.value))
	}
	return nil
}
