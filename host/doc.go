// Package host holds the two hosts that drive stacks: [RealTime] runs them on
// the machine's clock with goroutines, [Virtual] in virtual time with
// coroutines, one task at a time, the same way every run. Both are values of
// core.Host. Blocking lives here and nowhere below.
//
// Start at virtual.go to simulate or test, at realtime.go to embed.
package host
