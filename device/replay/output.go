package replay

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/libos-go/libos/core"
)

// output is a pcapng file of what an instance sends.
type output struct {
	file  *os.File
	w     *pcapgo.NgWriter
	epoch time.Time // civil time of the host's instant 0
	buf   []byte
	err   error // the first one; nothing is written after it
}

func create(path string) (*output, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("replay: out: %w", err)
	}
	return &output{file: f}, nil
}

// start describes the interface.
func (o *output) start(ifc *core.Interface) (err error) {
	in := ifc.Instance()
	info := pcapgo.NgInterface{Name: in.Name() + "/" + ifc.Name(), LinkType: layers.LinkTypeEthernet}
	if ifc.Link() != core.LinkEthernet {
		info.LinkType = layers.LinkTypeRaw
	}
	h := in.Domain().Host()
	o.epoch = h.WallNow().Add(-time.Duration(h.Now())).Round(0)
	o.w, err = pcapgo.NewNgWriterInterface(o.file, info, pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "libos"}})
	return err
}

// write writes one packet.
func (o *output) write(ifc *core.Interface, p *core.Packet) error {
	if o.err != nil {
		return nil
	}
	o.buf = append(o.buf[:0], p.Linear()...)
	for i := range p.Frags() {
		o.buf = append(o.buf, p.Frags()[i].Bytes()...)
	}
	ci := gopacket.CaptureInfo{Timestamp: o.epoch.Add(time.Duration(ifc.Instance().Now())), CaptureLength: len(o.buf), Length: len(o.buf)}
	return o.w.WritePacketWithOptions(ci, o.buf, pcapgo.NgPacketOptions{Flags: &pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionOutbound}})
}

func (o *output) close() error {
	if o.w != nil && o.err == nil {
		o.err = o.w.Flush()
	}
	if err := errors.Join(o.err, o.file.Close()); err != nil {
		return fmt.Errorf("replay: out: %w", err)
	}
	return nil
}
