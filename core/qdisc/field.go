package qdisc

import (
	"fmt"
	"time"

	"github.com/libos-go/libos/core"
)

// Field is an option or counter whose text is made by format.
func Field(key string, value any, format string, args ...any) core.QdiscField {
	return core.QdiscField{Key: key, Value: value, Text: fmt.Sprintf(format, args...)}
}

// Micros is a time as tc's JSON has most of them: whole microseconds.
func Micros(d time.Duration) int64 { return int64(d / time.Microsecond) }

// Range is an error for a value outside of its limits, nil for one inside.
func Range(name string, v, low, high int) error {
	if v < low || v > high {
		return fmt.Errorf("%s %d is not in %d..%d", name, v, low, high)
	}
	return nil
}
