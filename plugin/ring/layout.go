package ring

import (
	"sync/atomic"
	"unsafe"
)

// The control page. Words that different sides write lie in different memfds;
// words that different goroutines write lie 128 bytes apart, because processors
// fetch cache lines of 64 bytes in pairs.
const (
	wordSpacing = 128

	// Of the host's page only: how the module finds the rest.
	atMagic   = 0
	atVersion = 8
	atMain    = 16
	atAnswers = 24
	headerLen = 32

	// Of a lane, from lanePlace on.
	atHead     = 0 * wordSpacing // of the ring that this side writes
	atWantRoom = 1 * wordSpacing // sleep word of this side's writer
	atTail     = 2 * wordSpacing // of the ring that this side reads
	atWantData = 3 * wordSpacing // sleep word of this side's reader
	laneLen    = 4 * wordSpacing

	magic   = 0x6c69626f_72696e67 // "libo" "ring"
	version = 1
)

// lanePlace returns where the words of lane i begin in a control page.
func lanePlace(i int) int { return wordSpacing + i*laneLen }

// word returns the control word at a place in a page.
func word(page []byte, place int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&page[place : place+8][0]))
}

// Records.
const (
	recordAlign  = 8
	recordHeader = 8
)

// footprint returns the bytes that a record of n bytes takes in a ring.
func footprint(n uint64) uint64 {
	return recordHeader + (n+recordAlign-1)&^(recordAlign-1)
}

// maxRecord returns the longest record of a ring of size bytes.
func maxRecord(size int) int { return size/2 - recordHeader }
