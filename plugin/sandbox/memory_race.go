//go:build race

package sandbox

// The race detector maps terabytes of writable memory that it hardly touches.
const defaultMemory = Unlimited
