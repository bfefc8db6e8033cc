// Package segment is an Ethernet with any number of stations: each is a Port, a
// device of an instance, and a medium carries frames between the ports that are
// plugged into it: a Hub (hub.go), a learning Switch (switch.go), which trunks join
// to others, or a Radio (radio.go) with positions and losses. All ports of a medium
// are in one Domain; a pipe (device/pipe) joins two.
//
// Frames are cut and have complete checksums, and payload pages are shared among all
// that receive a frame. Ports come and go while frames are under way. Start reading
// at port.go.
package segment
