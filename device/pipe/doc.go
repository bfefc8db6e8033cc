// Package pipe joins two instances in memory: a cable whose ends are devices.
//
// An ideal pipe moves packets to the other side within the entry that sent
// them. With a rate, delay, loss or queue it is a wire (wire.go). Ends in two
// Domains exchange copies through an outbox (outbox.go). Filters that work on
// any device live in device/fault. Start reading at config.go and end.go.
package pipe
