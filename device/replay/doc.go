// Package replay is a link whose other side is a capture file: it plays the
// packets of a pcap or pcapng file into the instance, at their recorded distances
// on the host's clock, and drops or records what the instance sends.
//
// In virtual time the instants are exact and equal runs are equal. The file is
// streamed, however long it is. Start reading at options.go; reader.go has the
// file formats (gopacket's pcapgo), device.go the clock.
package replay
