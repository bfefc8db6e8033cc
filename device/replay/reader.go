package replay

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/libos-go/libos/core"
)

const (
	// bufferBytes is how much of the file is read at once.
	bufferBytes = 256 << 10
	// longest is the largest frame that is played: an IP packet with a link header
	// and a tag.
	longest = 65535 + 18
)

var (
	errEmpty  = errors.New("it is empty")
	errFormat = errors.New("it is neither a pcap nor a pcapng file")
)

// record is one packet of a file.
type record struct {
	number    uint64 // in the file, from 1
	at        time.Time
	timed     bool // at is known
	data      []byte
	direction Direction // Both where the file does not tell
	source    string    // name of the interface, "" where the file does not tell
	link      layers.LinkType
}

// reader streams the packets of a pcap or pcapng file.
type reader struct {
	classic *pcapgo.Reader
	ng      *pcapgo.NgReader
	number  uint64
}

// newReader reads the head of a file.
func newReader(file io.Reader) (*reader, error) {
	b := bufio.NewReaderSize(file, bufferBytes)
	head, err := b.Peek(4)
	if len(head) >= 2 && head[0] == 0x1f && head[1] == 0x8b { // RFC 1952 §2.3.1
		z, e := gzip.NewReader(b)
		if e != nil {
			return nil, whole(e)
		}
		b = bufio.NewReaderSize(z, bufferBytes)
		head, err = b.Peek(4)
	}
	switch {
	case len(head) == 0 && err == io.EOF:
		return nil, errEmpty
	case len(head) < 4 && err == io.EOF:
		return nil, errFormat
	case err != nil:
		return nil, whole(err)
	}
	r := new(reader)
	if binary.LittleEndian.Uint32(head) == 0x0a0d0d0a { // a section header, in either byte order
		r.ng, err = pcapgo.NewNgReader(b, pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true})
		return r, whole(err)
	}
	for _, magic := range []uint32{0xa1b2c3d4, 0xa1b23c4d} {
		if binary.LittleEndian.Uint32(head) == magic || binary.BigEndian.Uint32(head) == magic {
			r.classic, err = pcapgo.NewReader(b)
			return r, whole(err)
		}
	}
	return nil, errFormat
}

// next reads a packet into rec, whose data stays valid until the next call. The
// error is io.EOF at the end of a whole file; any other one names the packet.
func (r *reader) next(rec *record) error {
	var ci gopacket.CaptureInfo
	var err error
	*rec = record{number: r.number + 1}
	if r.classic != nil {
		rec.data, ci, err = r.classic.ZeroCopyReadPacketData()
		if err == io.EOF && ci.CaptureLength > 0 { // its header is there
			err = io.ErrUnexpectedEOF
		}
		rec.link, rec.timed = r.classic.LinkType(), true
	} else {
		var options pcapgo.NgPacketOptions
		rec.data, ci, options, err = r.ng.ZeroCopyReadPacketDataWithOptions()
		if f := options.Flags; f != nil {
			switch f.Direction {
			case pcapgo.NgEpbFlagDirectionInbound:
				rec.direction = In
			case pcapgo.NgEpbFlagDirectionOutbound:
				rec.direction = Out
			}
		}
		if err == nil {
			var intf pcapgo.NgInterface
			intf, err = r.ng.Interface(ci.InterfaceIndex)
			rec.link, rec.source = intf.LinkType, intf.Name
		}
		rec.timed = !ci.Timestamp.IsZero() // a simple packet block has none
	}
	if err == io.EOF {
		return err
	}
	if err != nil {
		return fmt.Errorf("packet %d: %w", rec.number, whole(err))
	}
	rec.at = ci.Timestamp
	r.number++
	return nil
}

// whole says in words of ours that a file ends where it should not.
func whole(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file is cut off there")
	}
	return err
}

// linkOf is the kind of link that a packet of a file was on.
func linkOf(t layers.LinkType) (core.Link, error) {
	switch t {
	case layers.LinkTypeEthernet:
		return core.LinkEthernet, nil
	case layers.LinkTypeRaw, layers.LinkTypeIPv4, layers.LinkTypeIPv6,
		12, 14: // DLT_RAW of various systems
		return core.LinkRaw, nil
	}
	return 0, fmt.Errorf("its link type is %d: this device plays Ethernet (1) and raw IP (101)", uint32(t))
}
