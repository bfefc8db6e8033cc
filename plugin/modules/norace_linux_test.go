//go:build !race

package modules_test

// slowdown is how much longer programs take to start than without the race detector.
const slowdown = 1
