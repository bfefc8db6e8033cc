// Package red is random early detection (Floyd and Jacobson 1993, RFC 2309):
// packets are dropped or marked before the queue is full, by its average length.
// Start reading at red.go; config.go has the options.
package red
