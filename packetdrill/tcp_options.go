package packetdrill

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// TCPOption is one option of a segment, as the script writes it.
type TCPOption struct {
	row    *optionRow
	values []uint32
	data   []byte
	any    bool // its data is not compared
}

// optionRow is an option of the language. Adding one is adding a row.
type optionRow struct {
	name  string
	kind  byte
	magic []byte // the experiment's identifier behind kind and length (RFC 6994)
	// parse takes what follows the name.
	parse func(c *cursor, o *TCPOption)
	// data is what follows kind, length and magic on the wire; nil if nothing does.
	// live is that of a segment that was sent, nil for one that arrives.
	data func(o *TCPOption, x *exchange, live []byte) ([]byte, error)
	// text is a live option's data in words.
	text func(f *flow, data []byte) string
}

// Kinds of options (IANA's TCP parameters).
const (
	kindEOL = 0
	kindNOP = 1
)

// optionRows is the table of options.
func optionRows() []optionRow {
	return []optionRow{
		{name: "eol", kind: kindEOL},
		{name: "nop", kind: kindNOP},
		{name: "mss", kind: 2, parse: numbers(1, 65535), data: wide(2), text: wideText(2)},
		{name: "wscale", kind: 3, parse: numbers(1, 255), data: wide(1), text: wideText(1)},
		{name: "sackOK", kind: 4},
		{name: "sack", kind: 5, parse: parseSack, data: sackData, text: sackText},
		{name: "TS", kind: 8, parse: parseStamp, data: stampData, text: stampText},
		{name: "md5", kind: 19, parse: parseDigest, data: rawData, text: hexText},
		{name: "FO", kind: 34, parse: parseHex, data: rawData, text: hexText},
		{name: "FOEXP", kind: 254, magic: []byte{0xf9, 0x89}, parse: parseHex, data: rawData, text: hexText},
	}
}

// options takes the list behind <.
func (s *TCPSegment) options(c *cursor) {
	if c.take("...") {
		s.AnyOther = true
		c.need(">")
		return
	}
	rows := optionRows()
next:
	for !c.take(">") && c.err == nil {
		name := c.word()
		for i := range rows {
			if rows[i].name != name {
				continue
			}
			o := TCPOption{row: &rows[i]}
			if o.row.parse != nil {
				o.row.parse(c, &o)
			}
			s.Options = append(s.Options, o)
			if len(s.Options) > 40 {
				c.fail("more than 40 bytes of options")
			}
			if !c.sees(">") {
				c.need(",")
			}
			continue next
		}
		c.fail("%q is no TCP option: use %s", name, optionNames())
	}
}

func optionNames() string {
	var names []string
	for _, r := range optionRows() {
		names = append(names, r.name)
	}
	return strings.Join(names, ", ")
}

// bytes is the option on the wire. For a segment that is expected, live is what
// was sent in its place.
func (o *TCPOption) bytes(x *exchange, inbound bool, live []byte) ([]byte, error) {
	r := o.row
	if r.kind <= kindNOP {
		return []byte{r.kind}, nil
	}
	b := append([]byte{r.kind, 0}, r.magic...)
	if r.data != nil {
		var data []byte
		if !inbound {
			data = []byte{}
			if n := len(b); len(live) >= n && live[0] == r.kind {
				data = live[n:]
			}
		}
		d, err := r.data(o, x, data)
		if err != nil {
			return nil, err
		}
		b = append(b, d...)
	}
	b[1] = byte(len(b))
	return b, nil
}

func (s *TCPSegment) optionsLen() (n int) {
	x := &exchange{flow: &flow{}, settings: &Settings{}}
	for i := range s.Options {
		o := &s.Options[i]
		switch {
		case o.row.kind <= kindNOP:
			n++
		case o.row.name == "TS":
			n += 10
		default:
			b, _ := o.bytes(x, true, nil)
			n += len(b)
		}
	}
	return n
}

func (s *TCPSegment) optionsText() string {
	var list []string
	for _, o := range s.Options {
		t := o.row.name
		switch {
		case o.row.name == "TS":
			t += fmt.Sprintf(" val %d ecr %d", o.values[0], o.values[1])
		case o.row.name == "sack":
			for i := 0; i+1 < len(o.values); i += 2 {
				t += fmt.Sprintf(" %d:%d", o.values[i], o.values[i+1])
			}
		case len(o.values) > 0:
			t += fmt.Sprintf(" %d", o.values[0])
		case len(o.data) > 0:
			t += " " + hex.EncodeToString(o.data)
		}
		list = append(list, t)
	}
	return strings.Join(list, ",")
}

// splitOptions cuts the options of a header. What follows eol is kept as eols.
func splitOptions(b []byte) (list [][]byte, err error) {
	for len(b) > 0 {
		n := 1
		if b[0] > kindNOP {
			if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
				return list, errors.New("its options are malformed")
			}
			n = int(b[1])
		}
		list = append(list, b[:n])
		b = b[n:]
	}
	return list, nil
}

func optionsText(f *flow, live [][]byte) string {
	var list []string
next:
	for _, b := range live {
		for _, r := range optionRows() {
			n := 2 + len(r.magic)
			switch {
			case r.kind != b[0]:
				continue
			case r.kind <= kindNOP:
				list = append(list, r.name)
				continue next
			case len(b) < n || string(b[2:n]) != string(r.magic):
				continue
			}
			t := r.name
			if r.text != nil {
				t = strings.TrimSpace(t + " " + r.text(f, b[n:]))
			}
			list = append(list, t)
			continue next
		}
		list = append(list, fmt.Sprintf("kind %d %x", b[0], b[min(2, len(b)):]))
	}
	return strings.Join(list, ",")
}

func numbers(n int, limit uint64) func(*cursor, *TCPOption) {
	return func(c *cursor, o *TCPOption) {
		for range n {
			o.values = append(o.values, uint32(c.number(limit)))
		}
	}
}

// wide encodes the first number in n bytes.
func wide(n int) func(*TCPOption, *exchange, []byte) ([]byte, error) {
	return func(o *TCPOption, _ *exchange, _ []byte) ([]byte, error) {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], o.values[0])
		return b[4-n:], nil
	}
}

func wideText(n int) func(*flow, []byte) string {
	return func(_ *flow, b []byte) string {
		v := 0
		for _, x := range b[:min(n, len(b))] {
			v = v<<8 | int(x)
		}
		return fmt.Sprint(v)
	}
}

func parseSack(c *cursor, o *TCPOption) {
	for c.err == nil && (c.peekDigit() || c.sees("-")) && len(o.values) < 8 {
		o.values = append(o.values, c.sequence())
		c.need(":")
		o.values = append(o.values, c.sequence())
	}
}

// sackData: edges are numbers of the one who receives the option.
func sackData(o *TCPOption, x *exchange, live []byte) (b []byte, err error) {
	for _, v := range o.values {
		if live == nil {
			v += x.flow.offset
		}
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b, nil
}

func sackText(_ *flow, b []byte) string {
	var list []string
	for ; len(b) >= 8; b = b[8:] {
		list = append(list, fmt.Sprintf("%d:%d", binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])))
	}
	return strings.Join(list, " ")
}

func parseStamp(c *cursor, o *TCPOption) {
	o.values = make([]uint32, 2)
	for i, w := range []string{"val", "ecr"} {
		if !c.takeWord(w) {
			c.fail("a timestamp is TS val N ecr N")
			return
		}
		o.values[i] = uint32(c.number(1<<32 - 1))
	}
}

func stampData(o *TCPOption, x *exchange, live []byte) ([]byte, error) {
	val, ecr := o.values[0], o.values[1]
	if live == nil {
		v, err := x.flow.stampSent(ecr)
		if err != nil {
			return nil, err
		}
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, val), v), nil
	}
	if len(live) == 8 {
		v := binary.BigEndian.Uint32(live)
		if err := x.flow.stamp(val, v, x.at, x.settings); err != nil {
			return nil, err
		}
		val = v
	}
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, val), ecr), nil
}

// stamp learns that the script's timestamp stands for a live one.
func (f *flow) stamp(script, live uint32, at time.Duration, s *Settings) error {
	if f.stamps == nil {
		f.stamps = map[uint32]uint32{}
		f.firstStamp, f.firstLive = script, live
	}
	if len(f.stamps) < 1<<16 {
		f.stamps[script] = live
	}
	if s.StampTick > 0 {
		want := time.Duration(int32(script-f.firstStamp)) * s.StampTick
		got := time.Duration(int32(live-f.firstLive)) * s.StampTick
		if d := (got - want).Abs(); d > max(s.Tolerance, want.Abs()/8, s.StampTick) {
			return fmt.Errorf("TS val is %d ticks after the first, expected %d", int32(live-f.firstLive), int32(script-f.firstStamp))
		}
	}
	return nil
}

// stampSent is the live timestamp that the script calls v.
func (f *flow) stampSent(v uint32) (uint32, error) {
	if v == 0 {
		return 0, nil
	}
	if live, ok := f.stamps[v]; ok {
		return live, nil
	}
	return 0, fmt.Errorf("TS ecr %d: no segment that was sent had TS val %d", v, v)
}

func stampText(f *flow, b []byte) string {
	if len(b) != 8 {
		return hex.EncodeToString(b)
	}
	v := binary.BigEndian.Uint32(b)
	if f != nil && f.stamps != nil {
		v = v - f.firstLive + f.firstStamp
	}
	return fmt.Sprintf("val %d ecr %d", v, binary.BigEndian.Uint32(b[4:]))
}

// parseHex takes a cookie in hexadecimal, or none.
func parseHex(c *cursor, o *TCPOption) {
	c.space()
	i := c.at
	for i < len(c.src) && (digit(c.src[i]) || letter(c.src[i])) {
		i++
	}
	b, err := hex.DecodeString(c.src[c.at:i])
	if err != nil || len(b) > 38 {
		c.fail("up to 38 bytes in hexadecimal are expected before %s", c.next())
		return
	}
	c.at = i
	o.data = b
}

// parseDigest takes the 16 bytes of a digest; without them any is right.
func parseDigest(c *cursor, o *TCPOption) {
	parseHex(c, o)
	switch len(o.data) {
	case 16:
	case 0:
		o.data, o.any = make([]byte, 16), true
	default:
		c.fail("a digest has 16 bytes")
	}
}

func rawData(o *TCPOption, _ *exchange, live []byte) ([]byte, error) {
	if o.any && len(live) == len(o.data) {
		return live, nil
	}
	return o.data, nil
}

func hexText(_ *flow, b []byte) string { return hex.EncodeToString(b) }
