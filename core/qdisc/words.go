package qdisc

import (
	"fmt"
	"strconv"
	"time"
)

// Words reads the options of one command. The first error stays (Err), and what is
// read after it is zero.
type Words struct {
	kind  string
	words []string
	last  string // the option whose arguments are read
	err   error
}

// NewWords reads the options of a discipline.
func NewWords(kind string, words []string) *Words { return &Words{kind: kind, words: words} }

// Option is the next option, "" at the end or after an error.
func (w *Words) Option() string {
	if w.err != nil || len(w.words) == 0 {
		return ""
	}
	w.last, w.words = w.words[0], w.words[1:]
	return w.last
}

// Err is the first error.
func (w *Words) Err() error { return w.err }

// Fail keeps an error that names the option.
func (w *Words) Fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("%s: %s: %s", w.kind, w.last, fmt.Sprintf(format, args...))
	}
}

// Unknown is for an option that the discipline lacks; known are those it has.
func (w *Words) Unknown(known string) {
	if w.err == nil {
		w.err = fmt.Errorf("%s: %q is no option: there are %s", w.kind, w.last, known)
	}
}

// word is the option's next argument.
func (w *Words) word() (string, bool) {
	if w.err != nil {
		return "", false
	}
	if len(w.words) == 0 {
		w.Fail("a value is missing")
		return "", false
	}
	s := w.words[0]
	w.words = w.words[1:]
	return s, true
}

// Text is an argument as it is.
func (w *Words) Text() string {
	s, _ := w.word()
	return s
}

// Take takes the next word if it is s.
func (w *Words) Take(s string) bool {
	if w.err == nil && len(w.words) > 0 && w.words[0] == s {
		w.words = w.words[1:]
		return true
	}
	return false
}

// Number tells whether the next word is an argument that begins like a number.
func (w *Words) Number() bool {
	if w.err != nil || len(w.words) == 0 {
		return false
	}
	s := w.words[0]
	return s != "" && (s[0] >= '0' && s[0] <= '9' || s[0] == '.' || s[0] == '-' && len(s) > 1)
}

func argument[T any](w *Words, parse func(string) (T, error)) (v T) {
	s, ok := w.word()
	if !ok {
		return v
	}
	v, err := parse(s)
	if err != nil {
		w.Fail("%v", err)
	}
	return v
}

// Time, Rate, Size and Percent read an argument in that unit.
func (w *Words) Time() time.Duration { return argument(w, ParseTime) }

// Rate is in bits per second.
func (w *Words) Rate() uint64 { return argument(w, ParseRate) }

// Size is in bytes.
func (w *Words) Size() int { return argument(w, ParseSize) }

// Percent is a probability.
func (w *Words) Percent() float64 { return argument(w, ParsePercent) }

// Float is a plain number.
func (w *Words) Float(low, high float64) float64 {
	return argument(w, func(s string) (float64, error) {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || !(v >= low && v <= high) {
			return 0, fmt.Errorf("%q is no number between %v and %v", s, low, high)
		}
		return v, nil
	})
}

// Int is a number between low and high.
func (w *Words) Int(low, high int) int {
	return argument(w, func(s string) (int, error) {
		v, err := strconv.Atoi(s)
		if err != nil || v < low || v > high {
			return 0, fmt.Errorf("%q is no number between %d and %d", s, low, high)
		}
		return v, nil
	})
}
