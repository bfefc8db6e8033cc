package coretest

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/libos-go/libos/core"
)

// PcapVariable names the environment variable that has every Rig write what its
// interfaces send into that directory, a file for each interface, so that a
// program we did not write can judge it. What tests inject is left out: it may
// be damaged on purpose.
const PcapVariable = "LIBOS_TEST_PCAP"

// pcapTap writes the frames that leave an interface in the format of
// draft-ietf-opsawg-pcap, with nanosecond time stamps.
type pcapTap struct {
	file *os.File
	in   *core.Instance
	rig  *Rig
	rec  []byte // the last record: tests count allocations
}

// Damaged declares that what the test's instances send from now on is damaged on
// purpose, or quotes or forwards what is: it is left out of the files.
func (r *Rig) Damaged() { r.damaged = true }

func (r *Rig) record(ifc *core.Interface) {
	dir := os.Getenv(PcapVariable)
	if dir == "" || ifc.Link() == core.LinkLoopback { // checksums are left out where both ends are the same memory
		return
	}
	clean := strings.NewReplacer("/", "_", " ", "_", "#", "_")
	name := fmt.Sprintf("%s-%s-%s-*.pcap", clean.Replace(r.T.Name()), clean.Replace(ifc.Instance().Name()), ifc.Name())
	f, err := os.CreateTemp(dir, name)
	if err != nil {
		r.T.Fatalf("coretest: %s: %v", filepath.Join(dir, name), err)
	}
	link := uint32(101) // LINKTYPE_RAW
	if ifc.Link() == core.LinkEthernet {
		link = 1
	}
	head := make([]byte, 24)
	for i, v := range []uint32{0xa1b23c4d, 2 | 4<<16, 0, 0, 1 << 18, link} {
		binary.LittleEndian.PutUint32(head[4*i:], v)
	}
	if _, err := f.Write(head); err != nil {
		r.T.Fatal(err)
	}
	r.T.Cleanup(func() { _ = f.Close() })
	r.Domain.Do(func() { ifc.AddTap(&pcapTap{file: f, in: ifc.Instance(), rig: r}) })
}

// Tap implements core.Tap.
func (x *pcapTap) Tap(_ *core.Interface, p *core.Packet, out bool) {
	if !out || x.rig.damaged || p.Checksum == core.ChecksumPartial || p.SegmentSize != 0 {
		return
	}
	n := p.Len()
	if cap(x.rec) < 16+n {
		x.rec = make([]byte, 16+n)
	}
	rec := x.rec[:16+n]
	now := uint64(x.in.Now())
	binary.LittleEndian.PutUint32(rec, uint32(now/1e9))
	binary.LittleEndian.PutUint32(rec[4:], uint32(now%1e9))
	binary.LittleEndian.PutUint32(rec[8:], uint32(n))
	binary.LittleEndian.PutUint32(rec[12:], uint32(n))
	p.CopyOut(0, rec[16:])
	_, _ = x.file.Write(rec)
}
