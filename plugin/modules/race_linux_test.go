//go:build race

package modules_test

// slowdown is how much longer the race detector's programs take to start.
const slowdown = 4
