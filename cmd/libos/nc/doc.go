// Package nc is `libos nc`: standard input and output joined to a TCP or UDP
// socket of an instance. Start at nc.go; stream.go is TCP, datagram.go UDP.
package nc
