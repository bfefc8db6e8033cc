// Package device is the house of the link drivers: each folder is one kind of
// device behind core.Device, and exports what the wiring names.
//
// loopback, dummy, pipe, segment (hub, switch, radio), tun, tunvnet, rawnic and replay (of a capture file) are links;
// fault and shim wrap any of them; capture and trace are taps that write files and lines; devicetest holds
// every kind to the contract. tunio and vnethdr are what drivers share. What an
// interface does with a device (queues, taps, link headers) lives in
// core/interface.go. Start reading at pipe/end.go, the shortest whole device
// that has two sides.
package device
