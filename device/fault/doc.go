// Package fault wraps any device and damages what is sent through it: frames
// are dropped, corrupted, doubled or overtaken, by dice from a seed.
//
// It is for tests and demonstrations on devices that have no faults of their
// own; device/pipe has rate, delay and faults built in. What a wrapped device
// receives is not touched: wrap the other end. Start and end reading at
// fault.go.
package fault
