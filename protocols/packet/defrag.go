package packet

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/ipcommon"
	"github.com/libos-go/libos/core/wire"
)

// defragmenter puts fragments of IPv4 together before a group shares frames out, so that
// those of a flow go to one socket (PACKET_FANOUT_FLAG_DEFRAG; ip_check_defrag,
// net/ipv4/ip_fragment.c).
type defragmenter struct {
	in *core.Instance
	r  *ipcommon.Reassembler
}

// What a group's fragments may take, and for how long: Linux's ipfrag_high_thresh and
// ipfrag_time.
const (
	defragMemory = 4 << 20 // bytes
	defragTime   = 30 * time.Second
)

func newDefragmenter(in *core.Instance) *defragmenter {
	return &defragmenter{in: in, r: ipcommon.NewReassembler(in, defragMemory, defragTime, nil)}
}

func (d *defragmenter) close() { d.r.Close() }

// frame is f if it is no fragment, nil for one whose others are still to come, or a frame
// with the whole packet, which the caller frees.
func (d *defragmenter) frame(f *frame) *frame {
	var b [wire.IPv4MinSize]byte
	if f.from.Protocol != wire.EtherTypeIPv4 || f.p.CopyOut(f.header, b[:]) < len(b) {
		return f
	}
	h := wire.IPv4(b[:])
	size, total := h.HeaderLen(), h.TotalLen()
	if b[0]>>4 != 4 || size < wire.IPv4MinSize || total < size || f.p.Len() < f.header+total || !h.IsFragment() {
		return f
	}
	p := f.p.Copy()
	if p == nil || !p.Pullup(f.header+size) {
		if p != nil {
			p.Free()
		}
		return f
	}
	p.Trim(f.header + total)
	p.Pull(f.header)
	p.SetNetworkHeader()
	p.Pull(size)
	key := ipcommon.FragmentKey{Src: h.Src(), Dst: h.Dst(), ID: uint32(h.ID()), Protocol: h.Protocol(), Interface: f.ifc.Index()}
	if f.from.Type == core.PacketOutgoing { // lo shows each twice
		key.Interface = -key.Interface
	}
	whole, ecn, o := d.r.Add(key, p, h.FragmentOffset(), h.MoreFragments(), h.ECN())
	if o != ipcommon.FragmentDone {
		return nil
	}
	whole.RestoreNetworkHeader()
	if whole.Len() > wire.IPv4MaxSize || !whole.Unshare() {
		whole.Free()
		return nil
	}
	ip := wire.IPv4(whole.Linear())
	ip.SetTotalLen(whole.Len())
	ip.SetFragment(0, 0)
	ip.SetTOS(ip.TOS()&^3 | ecn)
	ip.UpdateChecksum()
	out := *f
	if f.header > 0 {
		var link [wire.EthernetSize]byte
		f.p.CopyOut(0, link[:])
		if !whole.EnsureHeadroom(f.header) {
			whole.Free()
			return nil
		}
		copy(whole.Push(f.header), link[:f.header])
	}
	out.p = whole
	return &out
}
