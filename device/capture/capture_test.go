package capture_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/capture"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/loopback"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

type record struct {
	gopacket.CaptureInfo
	data []byte
	out  bool
	intf pcapgo.NgInterface
}

// read parses a whole file.
func read(t testing.TB, file []byte) (records []record) {
	t.Helper()
	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, ci, opts, err := r.ReadPacketDataWithOptions()
		if errors.Is(err, io.EOF) {
			return records
		}
		if err != nil {
			t.Fatal(err)
		}
		intf, err := r.Interface(ci.InterfaceIndex)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record{ci, bytes.Clone(data), opts.Flags != nil && opts.Flags.Direction == pcapgo.NgEpbFlagDirectionOutbound, intf})
	}
}

// pair joins two stations by a wire of 1 ms.
func pair(t testing.TB, h core.Host, raw bool) (a, b *devicetest.Station) {
	ea, eb := pipe.New(pipe.Config{Name: "p", Raw: raw, Wire: pipe.Wire{Delay: time.Millisecond}})
	r := coretest.New(t, h, coretest.Release())
	return devicetest.NewStation(t, h, r, "a", ea), devicetest.NewStation(t, h, r, "b", eb)
}

func TestBothDirectionsWithNamesAndInstants(t *testing.T) {
	h := host.NewVirtual(1, host.WithWallClock(time.Unix(1e9, 5)))
	a, b := pair(t, h, false)
	lo := devicetest.NewStation(t, h, a.Rig, "c", loopback.Device())
	var file bytes.Buffer
	c := capture.New(&file, capture.Options{})
	c.Add(a.Interface)
	c.Add(b.Interface)
	c.Add(lo.Interface)
	h.RunFor(time.Second)
	a.Send(1, 100)
	h.RunFor(time.Second)
	lo.Send(1, 60)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	a.Send(1, 100) // too late for the file
	h.RunFor(time.Second)

	rs := read(t, file.Bytes())
	if len(rs) != 4 {
		t.Fatalf("%d frames in the file, want 4", len(rs))
	}
	start := time.Unix(1e9, 5).UTC()
	for i, want := range []struct {
		name string
		link layers.LinkType
		out  bool
		at   time.Duration
		size int
	}{
		{"a/pipe0", layers.LinkTypeEthernet, true, time.Second, 114},
		{"b/pipe0", layers.LinkTypeEthernet, false, time.Second + time.Millisecond, 114},
		{"c/loopback0", layers.LinkTypeRaw, true, 2 * time.Second, 60},
		{"c/loopback0", layers.LinkTypeRaw, false, 2 * time.Second, 60},
	} {
		r := rs[i]
		if r.intf.Name != want.name || r.intf.LinkType != want.link || r.out != want.out || !r.Timestamp.Equal(start.Add(want.at)) || r.Length != want.size || len(r.data) != want.size {
			t.Errorf("frame %d: %s link %v out %v at %v, %d of %d bytes; want %+v", i, r.intf.Name, r.intf.LinkType, r.out, r.Timestamp, len(r.data), r.Length, want)
		}
	}
	if st := c.Stats(); st.Frames != 4 || st.Bytes != 114+114+60+60 {
		t.Errorf("stats %+v", st)
	}
}

func TestSnaplenKeepsTheTrueLength(t *testing.T) {
	h := host.NewVirtual(1)
	a, _ := pair(t, h, true)
	var file bytes.Buffer
	c := capture.New(&file, capture.Options{Snaplen: 64})
	c.Add(a.Interface)
	a.Send(1, 1000)
	a.Send(1, 40)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	rs := read(t, file.Bytes())
	if len(rs) != 2 || len(rs[0].data) != 64 || rs[0].Length != 1000 || len(rs[1].data) != 40 {
		t.Errorf("kept %d of %d bytes and %d of %d", len(rs[0].data), rs[0].Length, len(rs[1].data), rs[1].Length)
	}
}

func TestUnfinishedChecksumsAreCompletedInTheCopyOnly(t *testing.T) {
	h := host.NewVirtual(1)
	s := devicetest.NewStation(t, h, nil, "a", loopback.Device())
	var file bytes.Buffer
	c := capture.New(&file, capture.Options{})
	c.Add(s.Interface)
	const size = 200
	s.Instance.Domain().Do(func() {
		b := make([]byte, size)
		devicetest.Fill(b, s.Addr, s.To, 0)
		b[26], b[27] = 0, 0
		sum := wire.Fold(wire.PseudoHeader(s.Addr, s.To, 17, size-20))
		b[26], b[27] = byte(sum>>8), byte(sum)
		p := s.Instance.NewInput(core.Frame{Data: b, Meta: core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: 20, ChecksumField: 6}})
		p.EtherType = wire.EtherTypeIPv4
		s.Interface.TransmitTo(p, s.ToHW)
	})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	rs := read(t, file.Bytes())
	if len(rs) != 2 {
		t.Fatalf("%d frames, want out and in", len(rs))
	}
	for _, r := range rs {
		if _, err := devicetest.Number(r.data); err != nil {
			t.Errorf("out %v: %v", r.out, err)
		}
	}
	got := s.Received()
	if len(got) != 1 || got[0].Meta.Checksum != core.ChecksumPartial {
		t.Fatalf("received %+v, want one packet whose checksum is still partial", got)
	}
	if _, err := devicetest.Number(got[0].Data); err == nil {
		t.Error("the capture completed the packet itself")
	}
}

func TestEqualRunsGiveEqualFiles(t *testing.T) {
	run := func() []byte {
		h := host.NewVirtual(7)
		ea, eb := pipe.New(pipe.Config{Name: "p", Wire: pipe.Wire{Rate: 1e8, Jitter: time.Millisecond, Loss: 0.1, Duplicate: 0.1}})
		a, b := devicetest.NewStation(t, h, nil, "a", ea), devicetest.NewStation(t, h, nil, "b", eb)
		var file bytes.Buffer
		c := capture.New(&file, capture.Options{Comment: "twice the same"})
		c.Add(a.Interface)
		c.Add(b.Interface)
		for range 50 {
			a.Send(3, 300)
			b.Send(2, 900)
			h.RunFor(time.Millisecond)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	if x, y := run(), run(); len(x) < 50*3*300 || !bytes.Equal(x, y) {
		t.Errorf("files of %d and %d bytes differ", len(x), len(y))
	}
}

func TestALimitEndsTheFile(t *testing.T) {
	h := host.NewVirtual(1)
	a, _ := pair(t, h, true)
	var file bytes.Buffer
	c := capture.New(&file, capture.Options{Limit: 10_000})
	c.Add(a.Interface)
	for range 20 {
		a.Send(1, 1000)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	st := c.Stats()
	if file.Len() > 10_000 || file.Len() < 8_000 || st.Frames+st.Dropped != 20 || len(read(t, file.Bytes())) != int(st.Frames) {
		t.Errorf("%d bytes, %+v", file.Len(), st)
	}
}

// As tcpdump -c: the first Count frames, and none after them.
func TestACountEndsTheCapture(t *testing.T) {
	for _, background := range []bool{false, true} {
		h := host.NewVirtual(1)
		a, _ := pair(t, h, true)
		var file bytes.Buffer
		c := capture.New(&file, capture.Options{Count: 7, Background: background})
		c.Add(a.Interface)
		a.Send(20, 100)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		rs := read(t, file.Bytes())
		if st := c.Stats(); len(rs) != 7 || st.Frames != 7 || st.Dropped != 13 {
			t.Errorf("%d frames in the file, %+v", len(rs), st)
		}
		for i := range rs {
			if n, err := devicetest.Number(rs[i].data); err != nil || n != uint32(i) {
				t.Errorf("frame %d is number %d, %v", i, n, err)
			}
		}
	}
}

func TestARingKeepsTheNewestFiles(t *testing.T) {
	for _, background := range []bool{false, true} {
		h := host.NewVirtual(1)
		a, _ := pair(t, h, true)
		path := filepath.Join(t.TempDir(), "x.pcapng")
		c, err := capture.Create(path, capture.Options{Limit: 5_000, Files: 3, Background: background})
		if err != nil {
			t.Fatal(err)
		}
		c.Add(a.Interface)
		a.Send(40, 1000)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		want := uint32(40)
		for _, name := range []string{path, path + ".1", path + ".2"} {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			rs := read(t, b)
			if len(b) > 5_000 || len(rs) == 0 {
				t.Errorf("%s: %d bytes, %d frames", name, len(b), len(rs))
			}
			for i := len(rs) - 1; i >= 0; i-- {
				want--
				if n, err := devicetest.Number(rs[i].data); err != nil || n != want {
					t.Errorf("%s: frame %d, %v; want %d", name, n, err, want)
				}
			}
		}
		if files, _ := filepath.Glob(path + "*"); len(files) != 3 {
			t.Errorf("files %v, want 3", files)
		}
	}
}

func TestABackgroundCaptureOfBusyDomainsIsComplete(t *testing.T) {
	h := host.NewRealTime()
	ea, eb := pipe.New(pipe.Config{Name: "p"})
	a, b := devicetest.NewStation(t, h, nil, "a", ea), devicetest.NewStation(t, h, nil, "b", eb)
	path := filepath.Join(t.TempDir(), "x.pcapng")
	c, err := capture.Create(path, capture.Options{Background: true})
	if err != nil {
		t.Fatal(err)
	}
	c.Add(a.Interface)
	c.Add(b.Interface)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			b.Send(5, 300)
		}
	}()
	for range 100 {
		a.Send(5, 300)
	}
	<-done
	for deadline := time.Now().Add(20 * time.Second); a.Count() < 500 || b.Count() < 500; {
		select {
		case <-a.Notice():
		case <-b.Notice():
		case <-time.After(time.Until(deadline)):
			t.Fatalf("%d and %d of 500 frames arrived", a.Count(), b.Count())
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(read(t, file)); n != 2000 || c.Stats().Dropped != 0 {
		t.Errorf("%d frames in the file, want 2000; %+v", n, c.Stats())
	}
}

type fullDisk struct{ room int }

func (d *fullDisk) Write(b []byte) (int, error) {
	if len(b) > d.room {
		return 0, errors.New("no space left on device")
	}
	d.room -= len(b)
	return len(b), nil
}

func TestAFullDiskEndsTheCaptureNotTheTraffic(t *testing.T) {
	for _, background := range []bool{false, true} {
		h := host.NewVirtual(1)
		a, b := pair(t, h, true)
		c := capture.New(&fullDisk{20_000}, capture.Options{Background: background})
		c.Add(a.Interface)
		for range 100 {
			a.Send(1, 1000)
		}
		h.RunFor(time.Second)
		if b.Count() != 100 {
			t.Errorf("%d of 100 frames arrived", b.Count())
		}
		if err := c.Close(); err == nil || err.Error() != "capture: no space left on device" {
			t.Errorf("Close: %v", err)
		}
	}
}

func TestTsharkReadsTheFile(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed (Debian: apt install tshark)")
	}
	h := host.NewVirtual(1)
	a, b := pair(t, h, false)
	path := filepath.Join(t.TempDir(), "x.pcapng")
	c, err := capture.Create(path, capture.Options{Comment: "for tshark"})
	if err != nil {
		t.Fatal(err)
	}
	c.Add(a.Interface)
	c.Add(b.Interface)
	a.Send(3, 200)
	h.RunFor(time.Second)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tshark, "-r", path, "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-T", "fields",
		"-e", "frame.interface_name", "-e", "frame.packet_flags_direction", "-e", "frame.len", "-e", "udp.checksum.status", "-e", "ip.checksum.status").Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	want := strings.Repeat("a/pipe0\t0x00000002\t214\t1\t1\n", 3) + strings.Repeat("b/pipe0\t0x00000001\t214\t1\t1\n", 3)
	got := string(out)
	if got != want {
		t.Errorf("tshark says\n%s\nwant\n%s", got, want)
	}
}

func BenchmarkCapture(b *testing.B) {
	for _, background := range []bool{false, true} {
		name := map[bool]string{false: "in the entry", true: "background"}[background]
		b.Run(name, func(b *testing.B) {
			h := host.NewVirtual(1)
			s := devicetest.NewStation(b, h, coretest.New(b, h, coretest.Release()), "a", loopback.Device())
			c := capture.New(io.Discard, capture.Options{Background: background})
			c.Add(s.Interface)
			for b.Loop() {
				s.Blast(1, 64, 1400)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*128), "ns/frame")
			if err := c.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
