// Package capture is `libos capture`: the frames of a device of an instance as a
// pcapng file. Taps and the file format are device/capture's. Start at
// capture.go.
package capture
