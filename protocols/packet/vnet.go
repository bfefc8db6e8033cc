package packet

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/vnethdr"
)

// putVnet writes the header that tells of a frame's checksum and segments into b, which is
// longer than it by two bytes where the number of buffers follows, that is always 0
// (packet_rcv_vnet, net/packet/af_packet.c).
func putVnet(b []byte, p *core.Packet, linkSize int) {
	clear(b)
	vnethdr.Encode(b, p, linkSize)
	if b[0] == 0 && p.Checksum == core.ChecksumVerified {
		b[0] = dataValid
	}
}

// dataValid is VIRTIO_NET_HDR_F_DATA_VALID.
const dataValid = 2

// linkSize is how long the link header is that the socket's frames of an interface have.
func (e *endpoint) linkSize(ifc *core.Interface) int {
	if !e.raw || ifc == nil {
		return 0
	}
	return linkHeader(ifc)
}

// receiveVnet puts that header and then a frame into the buffers of m, and returns how
// many bytes of the frame fitted; -1 if the header does not.
func (e *endpoint) receiveVnet(m *core.Message, p *core.Packet) int {
	var h [vnethdr.HeaderSize + 2]byte
	b := h[:e.vnet]
	if m.Len() < len(b) {
		return -1
	}
	putVnet(b, p, e.linkSize(p.Interface))
	n := 0
	for i := -1; i < len(m.Vector); i++ {
		d := m.Data
		if i >= 0 {
			d = m.Vector[i]
		}
		k := copy(d, b)
		b = b[k:]
		n += p.CopyOut(n, d[k:])
	}
	return n
}
