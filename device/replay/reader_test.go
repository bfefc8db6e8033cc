package replay

import (
	"bytes"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Whatever a file holds, reading it ends, and no packet is larger than the file.
func FuzzReader(f *testing.F) {
	ci := gopacket.CaptureInfo{Timestamp: time.Unix(1e9, 1), CaptureLength: 20, Length: 40}
	var classic, ng bytes.Buffer
	w := pcapgo.NewWriterNanos(&classic)
	_ = w.WriteFileHeader(0, layers.LinkTypeRaw)
	_ = w.WritePacket(ci, make([]byte, 20))
	n, err := pcapgo.NewNgWriterInterface(&ng, pcapgo.NgInterface{Name: "a/eth0", LinkType: layers.LinkTypeEthernet}, pcapgo.NgWriterOptions{})
	if err != nil {
		f.Fatal(err)
	}
	_ = n.WritePacketWithOptions(ci, make([]byte, 20), pcapgo.NgPacketOptions{Flags: &pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionInbound}})
	_ = n.Flush()
	f.Add(classic.Bytes())
	f.Add(ng.Bytes())
	f.Add(ng.Bytes()[:ng.Len()-5])
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 2 && b[0] == 0x1f && b[1] == 0x8b {
			return // what is compressed may be longer than the file
		}
		r, err := newReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		c := clock{speed: 3}
		last := c.due()
		for range len(b) + 1 {
			var rec record
			if err := r.next(&rec); err != nil {
				return
			}
			if len(rec.data) > len(b) {
				t.Fatalf("packet %d has %d bytes, the file %d", rec.number, len(rec.data), len(b))
			}
			c.read(&rec)
			if due := c.due(); due < last {
				t.Fatalf("packet %d is due at %v, after one at %v", rec.number, due, last)
			} else {
				last = due
			}
		}
		t.Error("more packets than bytes")
	})
}
