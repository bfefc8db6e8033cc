// Package rawnic joins an instance to a real network card (or any Ethernet
// interface) of the Linux host by a packet socket, packet(7): the instance is
// one more station on that link, with a hardware address of its own, beside the
// host's kernel.
//
// The host and the instance do not see each other on a card that they share, as
// with macvlan: what one sends leaves by the cable. Checksums and segmentation
// are left to the host (core/vnethdr). On other systems Kind reports an error
// when it is opened. Start reading at options.go; device_linux.go is the driver,
// socket_linux.go the packet socket, news_linux.go what the host says of its
// interface.
package rawnic
