package filter

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/bpf"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// odd chooses the packets of stations with an odd number, behind an Ethernet header.
func odd(t *testing.T) []bpf.RawInstruction {
	t.Helper()
	p, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 14 + 28, Size: 4},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 1, SkipFalse: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// filtered are two stations on a link, of which a has a filter.
func filtered(t *testing.T, p Programs) (rig *coretest.Rig, a, b *devicetest.Station, d *Device) {
	t.Helper()
	rig = coretest.New(t, host.NewVirtual(1))
	da, db := pipe.New(pipe.Config{})
	d, err := Wrap(da, p)
	if err != nil {
		t.Fatal(err)
	}
	a = devicetest.NewStation(t, rig.Host, rig, "a", d)
	b = devicetest.NewStation(t, rig.Host, rig, "b", db)
	return rig, a, b, d
}

func TestADeviceWithoutProgramsIsTheOneBelow(t *testing.T) {
	devicetest.Run(t, func(t *testing.T) devicetest.Link {
		h := host.NewVirtual(1)
		a, b := pipe.New(pipe.Config{})
		d, err := Wrap(a, Programs{})
		if err != nil {
			t.Fatal(err)
		}
		return devicetest.Link{Host: h, A: d, B: b, OneDomain: true, Pass: devicetest.Virtual(func(d time.Duration) { h.RunFor(d) })}
	})
}

func TestWhatAProgramRefusesDoesNotPass(t *testing.T) {
	numbers := []uint32{1, 3, 5, 7, 9}
	t.Run("out", func(t *testing.T) {
		rig, a, b, d := filtered(t, Programs{Out: odd(t)})
		a.Send(10, 100)
		b.Send(10, 3000-1500)
		rig.Host.(*host.Virtual).RunFor(time.Second)
		if got := b.Numbers(); !slices.Equal(got, numbers) {
			t.Errorf("%v came to b", got)
		}
		if got := a.Numbers(); !slices.Equal(got, devicetest.Range(0, 10)) {
			t.Errorf("%v came to a", got)
		}
		if d.Stats() != (Stats{OutRefused: 5}) || a.Stats().TxDropped != 5 {
			t.Errorf("counted: %+v, %+v", d.Stats(), a.Stats())
		}
	})
	t.Run("in", func(t *testing.T) {
		rig, a, b, d := filtered(t, Programs{In: odd(t)})
		a.Send(10, 100)
		b.Send(10, 1500)
		rig.Host.(*host.Virtual).RunFor(time.Second)
		if got := a.Numbers(); !slices.Equal(got, numbers) {
			t.Errorf("%v came to a", got)
		}
		if got := b.Numbers(); !slices.Equal(got, devicetest.Range(0, 10)) {
			t.Errorf("%v came to b", got)
		}
		if d.Stats() != (Stats{InRefused: 5}) || a.Stats().RxDropped != 5 {
			t.Errorf("counted: %+v, %+v", d.Stats(), a.Stats())
		}
	})
}

// What tcpdump compiles is what we read.
func TestProgramsOfTcpdumpAreRead(t *testing.T) {
	text := "4\n40 0 0 12\n21 0 1 2048\n6 0 0 262144\n6 0 0 0\n" // tcpdump -y EN10MB -ddd ip
	if tcpdump, err := exec.LookPath("tcpdump"); err == nil {
		out, err := exec.Command(tcpdump, "-y", "EN10MB", "-ddd", "ip").Output()
		if err == nil {
			text = string(out)
		}
	}
	for _, form := range []string{text, strings.ReplaceAll(strings.TrimSpace(text), "\n", ",")} {
		p, err := Parse(form)
		if err != nil {
			t.Fatal(err)
		}
		rig, a, b, _ := filtered(t, Programs{Out: p})
		a.Send(3, 100)
		rig.Host.(*host.Virtual).RunFor(time.Second)
		if b.Count() != 3 {
			t.Errorf("%d of 3 packets of IPv4 passed", b.Count())
		}
	}
}

func TestAKindOpensTheDeviceBelow(t *testing.T) {
	var got map[string]string
	below, other := pipe.New(pipe.Config{})
	k := On(core.DeviceKind{Kind: "wire", Parameters: map[string]string{"length": "in metres"},
		Open: func(given map[string]string) (core.Device, error) { got = given; return below, nil }})
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte("1\n6 0 0 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := k.Open(map[string]string{"over": "wire", "length": "3", "in": "1,6 0 0 1", "out": "@" + file})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got["length"] != "3" {
		t.Errorf("the device below was given %v", got)
	}
	if f := d.(*Device); f.in == nil || f.out == nil {
		t.Error("a program was lost")
	}
	d.Close()
	other.Close()
	for _, c := range []struct {
		given map[string]string
		want  string
	}{
		{nil, `over = ""`},
		{map[string]string{"over": "rope"}, "want one of wire"},
		{map[string]string{"over": "wire", "in": "x"}, "number of instructions"},
		{map[string]string{"over": "wire", "in": "2,6 0 0 1"}, "of which there are 1"},
		{map[string]string{"over": "wire", "in": "1,6 0 0"}, "four numbers"},
		{map[string]string{"over": "wire", "in": "1,6 0 256 0"}, "out of range"},
		{map[string]string{"over": "wire", "in": "1,255 0 0 0"}, "does not have"},
		{map[string]string{"over": "wire", "in": "1,40 0 0 0"}, "in: "},
		{map[string]string{"over": "wire", "out": "@/nowhere"}, "nowhere"},
	} {
		if _, err := k.Open(c.given); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.given, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := Parse(text); err == nil {
			if len(p) > 4095 {
				t.Errorf("%d instructions", len(p))
			}
			a, b := pipe.New(pipe.Config{})
			if d, err := Wrap(a, Programs{In: p}); err == nil {
				_, _ = d.in.Run(make([]byte, 60))
			}
			a.Close()
			b.Close()
		}
	})
}
