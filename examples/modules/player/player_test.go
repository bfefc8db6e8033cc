package player

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/host"
)

// recording is a file with n packets of a station, a tenth of a second apart.
func recording(t testing.TB, link layers.LinkType, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	if err := w.WriteFileHeader(65535, link); err != nil {
		t.Fatal(err)
	}
	start := time.Date(2020, 2, 2, 0, 0, 0, 0, time.UTC)
	for i := range n {
		frame := make([]byte, 14+100)
		copy(frame, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x08\x00")
		devicetest.Fill(frame[14:], wire.FromV4(0x0a000002), wire.FromV4(0x0a000001), uint32(i))
		if link == layers.LinkTypeRaw {
			frame = frame[14:]
		}
		info := gopacket.CaptureInfo{Timestamp: start.Add(time.Duration(i) * 100 * time.Millisecond), CaptureLength: len(frame), Length: len(frame)}
		if err := w.WritePacket(info, frame); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func file(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "recording.pcap")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// station has a device play to it for a while of virtual time.
func station(t *testing.T, d core.Device, d1 time.Duration) *devicetest.Station {
	rig := coretest.New(t, host.NewVirtual(1))
	s := devicetest.NewStation(t, rig.Host, rig, "a", d)
	rig.Host.(*host.Virtual).RunFor(d1)
	return s
}

func TestFramesComeWhenTheyWereRecorded(t *testing.T) {
	for _, link := range []layers.LinkType{layers.LinkTypeEthernet, layers.LinkTypeRaw} {
		d, err := Kind().Open(map[string]string{"file": file(t, recording(t, link, 5))})
		if err != nil {
			t.Fatal(err)
		}
		s := station(t, d, time.Minute)
		if got := s.Numbers(); !slices.Equal(got, devicetest.Range(0, 5)) {
			t.Fatalf("%v: %v came", link, got)
		}
		r := s.Received()
		for i := range r {
			if got := r[i].At.Sub(r[0].At); got != time.Duration(i)*100*time.Millisecond {
				t.Errorf("%v: frame %d came after %v", link, i, got)
			}
		}
	}
}

func TestPassesAreCounted(t *testing.T) {
	for passes, want := range map[string]int{"1": 3, "2": 6, "0": 9} { // a pass of 200 ms every 1.2 s
		d, err := Kind().Open(map[string]string{"file": file(t, recording(t, layers.LinkTypeRaw, 3)), "passes": passes})
		if err != nil {
			t.Fatal(err)
		}
		if got := station(t, d, 3*time.Second).Count(); got != want {
			t.Errorf("%s passes: %d frames in three seconds, want %d", passes, got, want)
		}
	}
}

// A file in which no time passes comes whole.
func TestManyFramesOfOneInstantCome(t *testing.T) {
	d := new(Device)
	if err := d.parse(recording(t, layers.LinkTypeRaw, 1000)); err != nil {
		t.Fatal(err)
	}
	d.passes = 1
	for i := range d.frames {
		d.frames[i].at = 0
	}
	if got := station(t, d, time.Second).Numbers(); !slices.Equal(got, devicetest.Range(0, 1000)) {
		t.Errorf("%d frames came", len(got))
	}
}

func TestAWrongParameterIsNamed(t *testing.T) {
	good := recording(t, layers.LinkTypeRaw, 1)
	for _, c := range []struct {
		given map[string]string
		want  string
	}{
		{nil, "which file"},
		{map[string]string{"file": file(t, good), "passes": "-1"}, `passes = "-1"`},
		{map[string]string{"file": "/nowhere/x"}, "/nowhere/x"},
		{map[string]string{"file": os.TempDir()}, "no regular file"},
		{map[string]string{"file": file(t, []byte("text"))}, "no pcap file"},
		{map[string]string{"file": file(t, recording(t, layers.LinkTypeRaw, 0))}, "no frame"},
		{map[string]string{"file": file(t, recording(t, layers.LinkTypePPP, 1))}, "link layer is PPP"},
		{map[string]string{"file": file(t, good[:len(good)-1])}, "frame 1"},
	} {
		if _, err := Kind().Open(c.given); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.given, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(recording(f, layers.LinkTypeEthernet, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := new(Device)
		if err := d.parse(b); err == nil && (len(d.frames) == 0 || d.mtu < 1500 || d.mtu > 65535) {
			t.Errorf("%d frames, MTU %d", len(d.frames), d.mtu)
		}
	})
}
