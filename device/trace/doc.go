// Package trace prints one line for each frame of an interface, in the manner
// of tcpdump, for people and for test logs.
//
// It writes in the entry that carries the frame; device/capture writes files
// and can leave them to a goroutine. What a frame means is said by
// core/wire's Summary. Start and end reading at trace.go.
package trace
