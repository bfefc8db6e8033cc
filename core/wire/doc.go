// Package wire holds the wire formats: pure functions over bytes, importing nothing but the standard library.
//
// Each header is a byte view (type IPv4 []byte) whose methods read and write fields in place at named offsets; its Parse
// function validates every length and returns the view cut to the header's own length field. Where a caller wants all
// fields at once there is a plain value beside it (IPv4Fields) that Encode writes into place.
//
// Promise: no Parse function panics on any input, and no method of a view that Parse accepted panics, allocates or
// reads outside the view. Methods of a view that was not parsed (a header being built) need its fixed size of room.
//
// What is not here: policy (which packet to answer, what to count), packets and buffers, anything with state or time.
//
// Start reading at addr.go, then ipv4.go; tcp_options.go and ipv6_ext.go are the ones with rules in them. The words that
// tests use to write and check whole frames are in the package wiretest below this one.
package wire
