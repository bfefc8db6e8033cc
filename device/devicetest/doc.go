// Package devicetest is one suite for every device kind, and the stations that
// tests of devices put at both ends of a link.
//
// A Station is an instance whose only protocol is a probe: it sends numbered
// packets and checks what it receives, byte by byte. It needs no IP stack. The
// host is the caller's (virtual or real time). Start reading at station.go,
// then suite.go.
package devicetest
