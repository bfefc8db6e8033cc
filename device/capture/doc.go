// Package capture writes the frames of interfaces to pcapng files, as Wireshark
// and tshark read them, with interface names, directions and nanoseconds.
//
// It is a core.Tap and knows nothing of protocols, but for unfinished transport
// checksums, which it completes in its own copy. The file format itself is
// gopacket's pcapgo. Start reading at capture.go; file.go has limits and rings.
package capture
