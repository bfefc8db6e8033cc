package bpf_test

import (
	"encoding/binary"
	"syscall"
	"testing"

	xbpf "golang.org/x/net/bpf"

	"github.com/libos-go/libos/core/bpf"
)

// bytesView is a packet of plain bytes with an Ethernet header.
type bytesView []byte

func (v bytesView) Len() int     { return len(v) }
func (v bytesView) Network() int { return 14 }
func (v bytesView) Link() int    { return 0 }
func (v bytesView) Load(off, n int) (value uint32, ok bool) {
	if off < 0 || off+n > len(v) {
		return 0, false
	}
	for _, b := range v[off : off+n] {
		value = value<<8 | uint32(b)
	}
	return value, true
}

// Extension tells of each extension its number, so that tests see which was asked.
func (v bytesView) Extension(e bpf.Extension) uint32 { return 1000 + uint32(e) }

// assemble is a program as SO_ATTACH_FILTER takes it.
func assemble(t testing.TB, list ...xbpf.Instruction) []byte {
	t.Helper()
	raw, err := xbpf.Assemble(list)
	if err != nil {
		t.Fatal(err)
	}
	return encode(raw)
}

func encode(raw []xbpf.RawInstruction) (b []byte) {
	for _, x := range raw {
		b = append(binary.NativeEndian.AppendUint16(b, x.Op), x.Jt, x.Jf)
		b = binary.NativeEndian.AppendUint32(b, x.K)
	}
	return b
}

func one(code uint16, jt, jf uint8, k uint32) []byte {
	return encode([]xbpf.RawInstruction{{Op: code, Jt: jt, Jf: jf, K: k}})
}

func TestAFilterTellsHowManyBytesAreWanted(t *testing.T) {
	arp := make(bytesView, 42)
	arp[12], arp[13] = 8, 6
	b := assemble(t,
		xbpf.LoadAbsolute{Off: 12, Size: 2},
		xbpf.JumpIf{Cond: xbpf.JumpEqual, Val: 0x806, SkipFalse: 1},
		xbpf.RetConstant{Val: 96},
		xbpf.RetConstant{Val: 0})
	p, err := bpf.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if n := p.Run(arp); n != 96 {
		t.Errorf("ARP: %d bytes", n)
	}
	arp[13] = 0
	if n := p.Run(arp); n != 0 {
		t.Errorf("IPv4: %d bytes", n)
	}
	if n := p.Run(arp[:12]); n != 0 {
		t.Errorf("a frame without an ethertype: %d bytes", n)
	}
	if p.Len() != 4 || string(p.AppendTo(nil)) != string(b) {
		t.Errorf("read back % x", p.AppendTo(nil))
	}
}

func TestExtensionsAskForMoreThanBytes(t *testing.T) {
	for e := uint32(0); e < 64; e += 4 {
		p, err := bpf.Parse(append(one(0x20, 0, 0, 0xfffff000+e), one(0x16, 0, 0, 0)...))
		if err != nil {
			t.Fatalf("extension %d: %v", e, err)
		}
		want := 1000 + e
		if e == 12 || e == 16 || e == 40 { // netlink attributes; A ^= X
			want = 0
		}
		if n := p.Run(make(bytesView, 60)); n != want {
			t.Errorf("extension %d: %d, want %d", e, n, want)
		}
	}
	network := append(one(0x30, 0, 0, 0xfff00000), one(0x16, 0, 0, 0)...) // ldb [SKF_NET_OFF]
	p, err := bpf.Parse(network)
	if err != nil {
		t.Fatal(err)
	}
	v := make(bytesView, 60)
	v[14] = 0x45
	if n := p.Run(v); n != 0x45 {
		t.Errorf("first byte of the network header: %#x", n)
	}
}

func TestProgramsThatAreNotSoundAreRefused(t *testing.T) {
	ret := one(0x06, 0, 0, 1)
	for name, b := range map[string][]byte{
		"empty":                      nil,
		"half an instruction":        ret[:5],
		"no return at the end":       one(0x00, 0, 0, 1),
		"unknown code":               append(one(0xffff, 0, 0, 0), ret...),
		"jump past the end":          append(one(0x15, 1, 0, 0), ret...),
		"ja past the end":            append(one(0x05, 0, 0, 0xffffffff), ret...),
		"division by zero":           append(one(0x34, 0, 0, 0), ret...),
		"shift by 32":                append(one(0x64, 0, 0, 32), ret...),
		"memory word 16":             append(one(0x02, 0, 0, 16), ret...),
		"a word that was not stored": append(one(0x60, 0, 0, 3), ret...),
		"unknown extension":          append(one(0x20, 0, 0, 0xfffff000+64), ret...),
		"a word stored on one way only": append(append(append(one(0x15, 0, 1, 7), one(0x02, 0, 0, 5)...),
			one(0x60, 0, 0, 5)...), ret...),
		"too many instructions": func() (b []byte) {
			for range bpf.MaxLen + 1 {
				b = append(b, ret...)
			}
			return b
		}(),
	} {
		if _, err := bpf.Parse(b); err != syscall.EINVAL {
			t.Errorf("%s: %v, want EINVAL", name, err)
		}
	}
}

// FuzzProgram runs what passes the check beside the virtual machine of
// golang.org/x/net/bpf, as far as that one knows the instructions.
func FuzzProgram(f *testing.F) {
	packet := make([]byte, 60)
	packet[12], packet[13], packet[14] = 8, 0, 0x45
	f.Add(append(one(0x28, 0, 0, 12), one(0x16, 0, 0, 0)...), packet)
	f.Add(append(one(0xb1, 0, 0, 14), append(one(0x48, 0, 0, 2), one(0x16, 0, 0, 0)...)...), packet)
	f.Add(append(one(0x20, 0, 0, 0xfffff000), one(0x06, 0, 0, 9)...), packet)
	f.Add(append(one(0x94, 0, 0, 7), append(one(0xa4, 0, 0, 3), one(0x16, 0, 0, 0)...)...), packet)
	f.Fuzz(func(t *testing.T, program, packet []byte) {
		p, err := bpf.Parse(program)
		if err != nil {
			return
		}
		got := p.Run(bytesView(packet))
		list := make([]xbpf.Instruction, 0, p.Len())
		for b := program; len(b) > 0; b = b[8:] {
			x := xbpf.RawInstruction{Op: binary.NativeEndian.Uint16(b), Jt: b[2], Jf: b[3], K: binary.NativeEndian.Uint32(b[4:])}
			i := x.Disassemble()
			switch y := i.(type) {
			case xbpf.RawInstruction, xbpf.LoadExtension:
				return
			case xbpf.LoadAbsolute:
				if y.Off >= 1<<20 { // it has no negative offsets
					return
				}
			case xbpf.LoadMemShift:
				if y.Off >= 1<<20 {
					return
				}
			case xbpf.LoadIndirect, xbpf.ALUOpX: // sums that overflow and shifts by 32 differ
				return
			}
			list = append(list, i)
		}
		vm, err := xbpf.NewVM(list)
		if err != nil {
			return
		}
		if want, err := vm.Run(packet); err == nil && uint32(want) != got {
			t.Errorf("%d bytes, want %d", got, want)
		}
	})
}
