package main

import (
	"bytes"
	"io"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

func TestOffloadLinkCarriesSegmentsOfTheMTUAndTheBytesSent(t *testing.T) {
	var a, b *offloadLink
	link := func() (stack.LinkEndpoint, stack.LinkEndpoint, func(stack.LinkEndpoint) stack.QueueingDiscipline) {
		la, lb, qdisc := gvisorOffload()
		a, b = la.(*offloadLink), lb.(*offloadLink)
		return la, lb, qdisc
	}
	s1, s2, err := gvisorPair(link, bulkBuffers)
	if err != nil {
		t.Fatal(err)
	}
	dial, err := gvisorDialer(s1, s2)
	if err != nil {
		t.Fatal(err)
	}
	client, server, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	sent := make([]byte, 1<<20)
	for i := range sent {
		sent[i] = byte(i * i >> 3)
	}
	go func() {
		client.Write(sent)
		client.Close()
	}()
	got, err := io.ReadAll(server)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("received %d bytes of %d (%v), equal: %v", len(got), len(sent), err, bytes.Equal(got, sent))
	}
	server.Close()
	for _, s := range []*stack.Stack{s1, s2} {
		s.Close() // and with it the queueing goroutines, before their counters are read
		s.Wait()
	}
	if a.largest > mtu || a.packets < len(sent)/mtu {
		t.Errorf("%d bytes crossed in %d packets of at most %d bytes, MTU %d", len(sent), a.packets, a.largest, mtu)
	}
	if a.dropped+b.dropped != 0 {
		t.Errorf("%d packets dropped for their checksum", a.dropped+b.dropped)
	}
}

func TestOffloadLinkDropsASegmentWithABadChecksum(t *testing.T) {
	la, lb, _ := gvisorOffload()
	a, b := la.(*offloadLink), lb.(*offloadLink)
	var delivered counter
	b.Attach(&delivered)
	for _, damage := range []byte{0, 1} {
		segment := tcpSegment()
		segment[len(segment)-1] ^= damage
		p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(segment)})
		p.NetworkProtocolNumber = header.IPv4ProtocolNumber
		var batch stack.PacketBufferList
		batch.PushBack(p)
		if n, err := a.WritePackets(batch); n != 1 || err != nil {
			t.Fatalf("wrote %d packets: %v", n, err)
		}
	}
	if delivered.packets != 1 || b.dropped != 1 {
		t.Errorf("a good and a damaged segment: %d delivered, %d dropped, want 1 and 1", delivered.packets, b.dropped)
	}
}

// tcpSegment is an IPv4 packet with a TCP segment of a few bytes, both checksums right.
func tcpSegment() []byte {
	payload := []byte("some bytes")
	src, dst := gvisorAddr("10.0.0.1", 1).Addr, gvisorAddr("10.0.0.2", 2).Addr
	p := make([]byte, header.IPv4MinimumSize+header.TCPMinimumSize+len(payload))
	ip := header.IPv4(p)
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(p)), TTL: 64, Protocol: uint8(header.TCPProtocolNumber), SrcAddr: src, DstAddr: dst,
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	tcp := header.TCP(ip.Payload())
	tcp.Encode(&header.TCPFields{SrcPort: 1, DstPort: 2, SeqNum: 1, AckNum: 1, DataOffset: header.TCPMinimumSize,
		Flags: header.TCPFlagAck, WindowSize: 1000})
	copy(tcp[header.TCPMinimumSize:], payload)
	sum := header.PseudoHeaderChecksum(header.TCPProtocolNumber, src, dst, uint16(len(tcp)))
	tcp.SetChecksum(^tcp.CalculateChecksum(checksum.Checksum(payload, sum)))
	return p
}

// counter is a stack that only counts what a device delivers to it.
type counter struct {
	stack.NetworkDispatcher
	packets int
}

func (c *counter) DeliverNetworkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) { c.packets++ }

func TestOffloadLinkToAClosedStackCarriesNothing(t *testing.T) {
	la, lb, _ := gvisorOffload()
	a, b := la.(*offloadLink), lb.(*offloadLink)
	var delivered counter
	b.Attach(&delivered)
	b.Attach(nil)
	p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(tcpSegment())})
	p.NetworkProtocolNumber = header.IPv4ProtocolNumber
	var batch stack.PacketBufferList
	batch.PushBack(p)
	if n, err := a.WritePackets(batch); n != 1 || err != nil || delivered.packets != 0 {
		t.Errorf("wrote %d packets to a closed stack: %v, %d delivered", n, err, delivered.packets)
	}
}
