package sim

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/capture"
)

// Merged is one pcapng file of what several interfaces sent and received. Its
// frames are in the order of time, then of nodes, of their interfaces, and of what
// an interface saw. Parts gather frames in boxes of their own; between two windows
// the boxes are emptied, and what lies before all that may still come is written.
type Merged struct {
	net     *Network
	options capture.Options
	ng      *pcapgo.NgWriter
	sum     hash.Hash
	taps    []*mergedTap
	waiting []mergedFrame
	frames  uint64
	err     error
	closed  bool
}

// mergedTap is an interface of the file.
type mergedTap struct {
	m      *Merged
	part   *part
	index  int // in the file: the order of nodes and their interfaces
	remove func()
}

type mergedFrame struct {
	at     core.Time
	tap    *mergedTap
	length int
	out    bool
	data   []byte
}

// CaptureMerged captures every interface that choose accepts (nil: all) from the
// next event on, into one file with the interfaces' names. Of the options Snaplen,
// Count and Comment hold. It builds the network. Close it before the network; w
// stays open.
func (n *Network) CaptureMerged(w io.Writer, o capture.Options, choose func(x *Node, ifc *core.Interface) bool) (*Merged, error) {
	if err := n.Build(); err != nil {
		return nil, err
	}
	m := &Merged{net: n, options: o, sum: sha256.New()}
	w = io.MultiWriter(w, m.sum)
	for _, x := range n.nodes {
		for _, p := range x.ports {
			if choose != nil && !choose(x, p.ifc) {
				continue
			}
			info := pcapgo.NgInterface{Name: p.fullName(), LinkType: layers.LinkTypeEthernet, SnapLength: uint32(max(0, o.Snaplen))}
			if p.ifc.Link() != core.LinkEthernet {
				info.LinkType = layers.LinkTypeRaw
			}
			var err error
			if m.ng == nil {
				m.ng, err = pcapgo.NewNgWriterInterface(w, info, pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "libos", Comment: o.Comment}})
			} else {
				_, err = m.ng.AddInterface(info)
			}
			if err != nil {
				return nil, errors.Join(fmt.Errorf("capture: %w", err), m.Close())
			}
			t := &mergedTap{m: m, part: x.part, index: len(m.taps)}
			x.in.Domain().Do(func() { t.remove = p.ifc.AddTap(t) })
			m.taps = append(m.taps, t)
		}
	}
	if len(m.taps) == 0 {
		return nil, errors.New("capture: no interface was chosen: a file has at least one")
	}
	n.merged = append(n.merged, m)
	return m, nil
}

// Tap implements core.Tap.
func (t *mergedTap) Tap(ifc *core.Interface, p *core.Packet, out bool) {
	f := mergedFrame{at: ifc.Instance().Now(), tap: t, length: p.Len(), out: out, data: capture.Append(nil, p)}
	if s := t.m.options.Snaplen; s > 0 && len(f.data) > s {
		f.data = f.data[:s]
	}
	t.part.seen = append(t.part.seen, f)
}

// hand lays what the part has seen open. The part calls it, before it meets the
// others.
func (p *part) hand() {
	if len(p.seen) > 0 {
		p.handed, p.seen = append(p.handed, p.seen...), p.seen[:0]
	}
}

// settle writes the frames of before an instant. Nobody hands frames over
// meanwhile.
func (n *Network) settle(before core.Time) {
	if len(n.merged) == 0 {
		return
	}
	for _, p := range n.parts {
		for _, f := range p.handed {
			f.tap.m.waiting = append(f.tap.m.waiting, f)
		}
		clear(p.handed)
		p.handed = p.handed[:0]
	}
	for _, m := range n.merged {
		m.write(before)
	}
}

func (m *Merged) write(before core.Time) {
	slices.SortStableFunc(m.waiting, func(a, b mergedFrame) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.tap.index, b.tap.index))
	})
	n := 0
	for ; n < len(m.waiting) && m.waiting[n].at < before; n++ {
		f := &m.waiting[n]
		if m.err != nil || m.closed || m.options.Count > 0 && m.frames >= m.options.Count {
			continue
		}
		way := pcapgo.NgEpbFlagDirectionInbound
		if f.out {
			way = pcapgo.NgEpbFlagDirectionOutbound
		}
		m.frames++
		m.err = m.ng.WritePacketWithOptions(gopacket.CaptureInfo{Timestamp: m.net.options.Start.Add(time.Duration(f.at)).Round(0), CaptureLength: len(f.data),
			Length: f.length, InterfaceIndex: f.tap.index}, f.data, pcapgo.NgPacketOptions{Flags: &pcapgo.NgEpbFlags{Direction: way}})
	}
	rest := copy(m.waiting, m.waiting[n:])
	clear(m.waiting[rest:])
	m.waiting = m.waiting[:rest]
}

// Close ends the capture and returns the first error of writing. Between runs.
func (m *Merged) Close() error {
	if m.closed {
		return m.err
	}
	for _, t := range m.taps {
		t.part.domain.Do(t.remove)
	}
	for _, p := range m.net.parts {
		p.hand()
	}
	m.net.settle(core.Never)
	m.closed = true
	m.net.merged = slices.DeleteFunc(m.net.merged, func(x *Merged) bool { return x == m })
	if m.ng != nil {
		m.err = errors.Join(m.err, m.ng.Flush())
	}
	if m.err != nil {
		m.err = fmt.Errorf("capture: %w", m.err)
	}
	return m.err
}

// Sum is the SHA-256 of the file, after Close.
func (m *Merged) Sum() string { return hex.EncodeToString(m.sum.Sum(nil)) }

// Frames are those written so far.
func (m *Merged) Frames() uint64 { return m.frames }
