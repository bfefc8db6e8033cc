package main

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// peerTCPBulk is gVisor at its fastest: every offload it has in software, and buffers of the size found best.
func peerTCPBulk(b Budget) (Figure, error) {
	client, server, err := gvisorTCP(gvisorOffload, bulkBuffers)
	if err != nil {
		return Figure{}, err
	}
	return driveBulk(b, client, server)
}

// peerTCPBulkPipe is gVisor over its own pipe, as it comes.
func peerTCPBulkPipe(b Budget) (Figure, error) {
	client, server, err := gvisorTCP(gvisorPipe)
	if err != nil {
		return Figure{}, err
	}
	return driveBulk(b, client, server)
}

// bulkBuffers fixes socket buffers at 512 KiB.
func bulkBuffers(s *stack.Stack) error {
	const size = 512 << 10
	send := tcpip.TCPSendBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: size, Max: tcp.MaxBufferSize}
	recv := tcpip.TCPReceiveBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: size, Max: tcp.MaxBufferSize}
	moderate := tcpip.TCPModerateReceiveBufferOption(false)
	for _, o := range []tcpip.SettableTransportProtocolOption{&send, &recv, &moderate} {
		if err := check(s.SetTransportProtocolOption(tcp.ProtocolNumber, o), "set %T", o); err != nil {
			return err
		}
	}
	return nil
}
