package replay_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipcommon"
	"github.com/libos-go/libos/core/ipv4"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/capture"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/device/replay"
	"github.com/libos-go/libos/device/shim"
	"github.com/libos-go/libos/host"
)

var epoch = time.Unix(1e9, 0)

// packet is packet n of a station, 60 bytes of raw IP.
func packet(n uint32) []byte {
	b := make([]byte, 60)
	devicetest.Fill(b, wire.MustAddr("10.0.0.1"), wire.MustAddr("10.0.0.2"), n)
	return b
}

// pcap is a file of packets 0, 1, … at these distances from the first.
func pcap(t *testing.T, at ...time.Duration) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriterNanos(&b)
	if err := w.WriteFileHeader(0, layers.LinkTypeRaw); err != nil {
		t.Fatal(err)
	}
	for i, d := range at {
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: epoch.Add(d), CaptureLength: 60, Length: 60}, packet(uint32(i))); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.pcap")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, o replay.Options) *replay.Device {
	t.Helper()
	d, err := replay.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// instants are when a station got which packets.
func instants(t *testing.T, s *devicetest.Station) (at []time.Duration, numbers []uint32) {
	t.Helper()
	for _, r := range s.Received() {
		n, err := devicetest.Number(r.Data)
		if err != nil {
			t.Error(err)
		}
		at, numbers = append(at, time.Duration(r.At-1)), append(numbers, n) // a nanosecond after the device came
	}
	return at, numbers
}

func TestPacketsComeAtTheirRecordedDistances(t *testing.T) {
	ms := time.Millisecond
	recorded := []time.Duration{0, 7, 1 * ms, 1*ms + 1, 3600 * time.Second}
	for _, tt := range []struct {
		name string
		o    replay.Options
		want []time.Duration
	}{
		{"as recorded", replay.Options{}, recorded},
		{"twice as fast", replay.Options{Speed: 2}, []time.Duration{0, 3, ms / 2, ms / 2, 1800 * time.Second}},
		{"ten times slower", replay.Options{Speed: 0.1}, []time.Duration{0, 70, 10 * ms, 10*ms + 10, 36000 * time.Second}},
		{"at once", replay.Options{Max: true}, []time.Duration{0, 0, 0, 0, 0}},
		{"twice over", replay.Options{Loop: 2}, []time.Duration{0, 7, 1 * ms, 1*ms + 1, 3600 * time.Second,
			4500 * time.Second, 4500*time.Second + 7, 4500*time.Second + ms, 4500*time.Second + ms + 1, 8100 * time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := host.NewVirtual(1)
			tt.o.File = file(t, pcap(t, recorded...))
			d := open(t, tt.o)
			s := devicetest.NewStation(t, h, nil, "a", d)
			h.RunFor(24 * time.Hour)
			at, numbers := instants(t, s)
			if len(at) != len(tt.want) {
				t.Fatalf("%d packets came, want %d: %v", len(at), len(tt.want), at)
			}
			for i := range at {
				if at[i] != tt.want[i] || numbers[i] != uint32(i%len(recorded)) {
					t.Errorf("packet %d is number %d at %v, want %v", i, numbers[i], at[i], tt.want[i])
				}
			}
			if st, ended, err := d.Stats(); st.Played != uint64(len(at)) || !ended || err != nil {
				t.Errorf("stats %+v, ended %v, %v", st, ended, err)
			}
		})
	}
}

func TestTimeDoesNotGoBack(t *testing.T) {
	h := host.NewVirtual(1)
	s := devicetest.NewStation(t, h, nil, "a", open(t, replay.Options{File: file(t, pcap(t, 0, 20, 10, 30))}))
	h.RunFor(time.Second)
	if at, _ := instants(t, s); len(at) != 4 || at[1] != 20 || at[2] != 20 || at[3] != 30 {
		t.Errorf("packets at %v, want 0 20 20 30", at)
	}
}

func TestNothingIsLostBeforeTheInterfaceIsUp(t *testing.T) {
	h := host.NewVirtual(1)
	r := coretest.New(t, h)
	s := devicetest.NewStation(t, h, r, "a", open(t, replay.Options{File: file(t, pcap(t, 0, 10))}))
	if err := s.Interface.SetUp(false); err != nil {
		t.Fatal(err)
	}
	h.RunFor(25 * time.Millisecond)
	if err := s.Interface.SetUp(true); err != nil {
		t.Fatal(err)
	}
	h.RunFor(time.Second)
	if at, n := instants(t, s); len(n) != 2 || at[1]-at[0] != 10 || at[0] < 25*time.Millisecond {
		t.Errorf("packets %v at %v", n, at)
	}
}

func TestALongFileAtFullSpeedIsCompleteAndBounded(t *testing.T) {
	h := host.NewVirtual(1)
	const n = 5000
	s := devicetest.NewStation(t, h, nil, "a", open(t, replay.Options{File: file(t, pcap(t, make([]time.Duration, n)...))}))
	h.RunFor(time.Second)
	if _, numbers := instants(t, s); len(numbers) != n || numbers[n-1] != n-1 {
		t.Errorf("%d of %d packets came", len(numbers), n)
	}
	if s.Peak() > 1<<20 {
		t.Errorf("%d bytes of slabs at once", s.Peak())
	}
}

func TestACompressedFileIsPlayed(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(pcap(t, 0, 5))
	_ = z.Close()
	h := host.NewVirtual(1)
	s := devicetest.NewStation(t, h, nil, "a", open(t, replay.Options{File: file(t, b.Bytes())}))
	h.RunFor(time.Second)
	if at, _ := instants(t, s); len(at) != 2 {
		t.Errorf("%d of 2 packets came", len(at))
	}
}

func TestErrorsNameFileAndPacket(t *testing.T) {
	good := pcap(t, 0, 1, 2)
	other := bytes.Clone(good)
	other[20] = 113 // Linux "cooked"
	long := bytes.Clone(good)
	long[24+16+60+8+3] = 0x7f // of the second packet
	for _, tt := range []struct {
		name    string
		content []byte
		atOpen  string
		later   string
		played  uint64
	}{
		{"empty", nil, "it is empty", "", 0},
		{"no capture", []byte("hello, world, this is no capture file"), "it is neither a pcap nor a pcapng file", "", 0},
		{"cut in the head", good[:20], "the file is cut off there", "", 0},
		{"without packets", good[:24], "there is no packet in it", "", 0},
		{"of another link", other, "packet 1: its link type is 113: this device plays Ethernet (1) and raw IP (101)", "", 0},
		{"cut in the first header", good[:30], "packet 1: the file is cut off there", "", 0},
		{"cut between header and data", good[:24+16+60+16], "", "packet 2: the file is cut off there", 1},
		{"cut in the data", good[:24+2*(16+60)+16+30], "", "packet 3: the file is cut off there", 2},
		{"a length that is damaged", long, "", "packet 2: capture length exceeds", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := file(t, tt.content)
			d, err := replay.Open(replay.Options{File: path})
			if tt.atOpen != "" {
				if err == nil || err.Error() != "replay: "+path+": "+tt.atOpen {
					t.Fatalf("got  %v\nwant replay: %s: %s", err, path, tt.atOpen)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			h := host.NewVirtual(1, host.WithLog(slog.New(slog.NewTextHandler(&log, nil))))
			devicetest.NewStation(t, h, nil, "a", d)
			h.RunFor(time.Second)
			st, ended, err := d.Stats()
			if err == nil || !strings.HasPrefix(err.Error(), "replay: "+path+": "+tt.later) || !ended || st.Played != tt.played {
				t.Errorf("%+v, ended %v, error %v; want %s after %d", st, ended, err, tt.later, tt.played)
			}
			if !strings.Contains(log.String(), "the replay ends early") {
				t.Errorf("the log says %q", log.String())
			}
		})
	}
	if _, err := replay.Open(replay.Options{File: t.TempDir()}); err == nil || !strings.HasSuffix(err.Error(), "it is no regular file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := replay.Open(replay.Options{File: "/nonexistent/x.pcap"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	path := file(t, good)
	if _, err := replay.Open(replay.Options{File: path, Out: path}); err == nil || !strings.HasSuffix(err.Error(), "is the file to play") {
		t.Errorf("writing to the file that is played: %v", err)
	}
	if b, _ := os.ReadFile(path); !bytes.Equal(b, good) {
		t.Error("the file that is played was written to")
	}
}

// pinged has a pinged by b over a wire of 5 ms and returns the capture of both
// ends.
func pinged(t *testing.T) (path string, hw wire.HWAddr) {
	t.Helper()
	h := host.NewVirtual(7, host.WithWallClock(epoch))
	r := coretest.New(t, h)
	ea, eb := pipe.New(pipe.Config{Name: "p", Wire: pipe.Wire{Delay: 5 * time.Millisecond}})
	a, b := r.Instance("a", wiring()), r.Instance("b", wiring())
	path = filepath.Join(t.TempDir(), "run.pcapng")
	c, err := capture.Create(path, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ia := r.Attach(a, ea, "eth0", "10.0.0.1/24")
	ib := r.Attach(b, eb, "eth0", "10.0.0.2/24")
	c.Add(ia)
	c.Add(ib)
	r.Do(func() {
		p, err := ipcommon.NewPinger(b, wire.MustAddr("10.0.0.1"), 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer p.Close()
		for i := range 3 {
			if _, err := p.Ping(uint16(i), []byte("are you there?"), time.Second); err != nil {
				t.Errorf("ping %d: %v", i, err)
			}
			_ = h.Sleep(time.Second)
		}
	})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return path, ia.HWAddr()
}

func wiring() *core.Wiring {
	return &core.Wiring{Name: "ping", Networks: []core.NetworkEntry{
		{Network: ipv4.Protocol(), Sysctls: sysctl.Of[ipv4.Sysctls](), Devices: sysctl.Of[ipv4.DeviceSysctls]()}},
		Protocols: []core.ProtocolEntry{{Protocol: ipv4.PingProtocol()}}}
}

// replies are the echo replies to b that a capture's interface sent, with their
// distance from the first.
func replies(t *testing.T, path, source string) (frames [][]byte, at []time.Duration) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewNgReader(bytes.NewReader(b), pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		t.Fatal(err)
	}
	var first time.Time
	for {
		data, ci, o, err := r.ReadPacketDataWithOptions()
		if errors.Is(err, io.EOF) {
			return frames, at
		}
		if err != nil {
			t.Fatal(err)
		}
		intf, _ := r.Interface(ci.InterfaceIndex)
		if intf.Name != source || o.Flags.Direction != pcapgo.NgEpbFlagDirectionOutbound || len(data) < 14+20+8 || data[23] != 1 || data[34] != 0 {
			continue
		}
		if first.IsZero() {
			first = ci.Timestamp
		}
		frames, at = append(frames, data[34:]), append(at, ci.Timestamp.Sub(first))
	}
}

func TestAPingIsAnsweredAgainOnReplay(t *testing.T) {
	path, hw := pinged(t)
	want, wantAt := replies(t, path, "a/eth0")
	if len(want) != 3 {
		t.Fatalf("%d replies in the capture, want 3", len(want))
	}
	for _, tt := range []struct {
		name   string
		o      replay.Options
		remote bool
	}{
		{"as the station it was sent to", replay.Options{HWAddr: hw}, false},
		{"addressed to us", replay.Options{Rewrite: true}, false},
		{"through the shim", replay.Options{HWAddr: hw}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var files [2][]byte
			for i := range files {
				tt.o.File, tt.o.Direction, tt.o.Source = path, replay.In, "a/eth0"
				tt.o.Out = filepath.Join(t.TempDir(), "out.pcapng")
				d := open(t, tt.o)
				var dev core.Device = d
				if tt.remote {
					var err error
					if dev, err = shim.Wrap(d); err != nil {
						t.Fatal(err)
					}
				}
				h := host.NewVirtual(99, host.WithWallClock(epoch))
				r := coretest.New(t, h)
				in := r.Instance("again", wiring())
				ifc := r.Attach(in, dev, "eth0", "10.0.0.1/24")
				h.RunFor(time.Minute)
				if err := in.RemoveDevice(ifc); err != nil {
					t.Fatal(err)
				}
				var err error
				if files[i], err = os.ReadFile(tt.o.Out); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(files[0], files[1]) {
				t.Error("two equal runs in virtual time gave different files")
			}
			got, at := replies(t, tt.o.Out, "again/eth0")
			if len(got) != 3 {
				t.Fatalf("%d of 3 pings were answered", len(got))
			}
			for i := range got {
				if !bytes.Equal(got[i], want[i]) || at[i] != wantAt[i] {
					t.Errorf("reply %d at %v: % x\nwant at %v: % x", i, at[i], got[i], wantAt[i], want[i])
				}
			}
		})
	}
}

func TestDirectionAndSourceChoosePackets(t *testing.T) {
	path, _ := pinged(t)
	count := func(o replay.Options) (played, passed uint64) {
		o.File = path
		d := open(t, o)
		h := host.NewVirtual(1)
		devicetest.NewStation(t, h, nil, "a", d)
		h.RunFor(time.Minute)
		st, ended, err := d.Stats()
		if !ended || err != nil {
			t.Errorf("%+v: ended %v, %v", o, ended, err)
		}
		return st.Played, st.Passed
	}
	all, none := count(replay.Options{})
	if all == 0 || none != 0 {
		t.Fatalf("%d packets played, %d left out", all, none)
	}
	for _, two := range [][2]replay.Options{{{Direction: replay.In}, {Direction: replay.Out}}, {{Source: "a/eth0"}, {Source: "b/eth0"}}} {
		x, notX := count(two[0])
		y, notY := count(two[1])
		if x == 0 || y == 0 || x+y != all || notX != y || notY != x {
			t.Errorf("%+v: %d and %d packets played, %d and %d left out of %d", two, x, y, notX, notY, all)
		}
	}
	if _, err := replay.Open(replay.Options{File: path, Source: "c/eth0"}); err == nil || !strings.HasSuffix(err.Error(), "no packet of it is to be played (see direction and source)") {
		t.Errorf("a source that is not there: %v", err)
	}
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		key, value, want string
	}{
		{"speed", "fast", `speed = "fast": it is a factor, such as 2 or 0.5, or max`},
		{"speed", "0", `speed = "0": it is a factor, such as 2 or 0.5, or max`},
		{"speed", "1e9", "speed = 1e+09: it is between 1e-06 and 1e+06, or max"},
		{"loop", "0", `loop = "0": it is how many times the file is played, from 1`},
		{"direction", "up", `direction = "up": it is in, out or both`},
		{"hwaddr", "x", `hwaddr = "x": it looks like 02:00:00:00:00:01`},
		{"hwaddr", "03:00:00:00:00:01", "hwaddr = 03:00:00:00:00:01: it is a multicast address; the lowest bit of the first byte must be 0"},
		{"rewrite", "maybe", `rewrite = "maybe": it is on or off`},
		{"mtu", "0", `mtu = "0": it is a number of bytes, such as 1500`},
		{"mtu", "67", "mtu = 67: it is between 68 and 65535"},
		{"rate", "1", "rate is no parameter of this device; there are direction, file, hwaddr, loop, mtu, out, rewrite, source, speed"},
		{"file", "", "file is missing: name a pcap or pcapng file"},
	} {
		given := map[string]string{"file": "x.pcap"}
		given[tt.key] = tt.value
		if _, err := replay.Parse(given); err == nil || err.Error() != tt.want {
			t.Errorf("%s = %q:\n got %v\nwant %s", tt.key, tt.value, err, tt.want)
		}
	}
	path := file(t, pcap(t, 0))
	d, err := replay.Kind().Open(map[string]string{"file": path, "speed": "max", "loop": "3", "direction": "in", "mtu": "9000", "rewrite": "off"})
	if err != nil {
		t.Fatal(err)
	}
	if p := d.Properties(); p.Kind != "replay" || p.Link != core.LinkRaw || p.MTU != 9000 {
		t.Errorf("properties %+v", p)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := replay.Kind().Open(map[string]string{"file": path, "rewrite": "on"}); err == nil || !strings.HasPrefix(err.Error(), "hwaddr and rewrite are for files of Ethernet frames") {
		t.Errorf("rewriting raw IP: %v", err)
	}
}
