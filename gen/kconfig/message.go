package kconfig

import (
	"fmt"
	"strings"
)

// Pos is a place in a source file. Line counts from 1; 0 means the file as a
// whole.
type Pos struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

// String gives file:line, or only the file where no line is known.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Severity orders messages.
type Severity uint8

const (
	// Warning leaves the exit status alone (unless KCONFIG_WERROR is set).
	Warning Severity = iota
	// Error makes the command fail.
	Error
)

func (s Severity) String() string {
	if s == Error {
		return "error"
	}
	return "warning"
}

// Note is a further fact of a message, with its own place.
type Note struct {
	Pos  Pos
	Text string
}

// Message is something a person should read: what is wrong, where, and how to
// cure it.
type Message struct {
	Severity Severity
	Pos      Pos
	Text     string
	Notes    []Note
	// werror: KCONFIG_WERROR turns this warning into a failure.
	werror bool
}

// String gives "file:line: severity: text" and one tab-indented line for each
// note.
func (m Message) String() string {
	var b strings.Builder
	if m.Pos.File != "" {
		fmt.Fprintf(&b, "%s: ", m.Pos)
	}
	fmt.Fprintf(&b, "%s: %s", m.Severity, m.Text)
	for _, n := range m.Notes {
		b.WriteString("\n\t")
		if n.Pos.File != "" {
			fmt.Fprintf(&b, "%s: ", n.Pos)
		}
		b.WriteString(n.Text)
	}
	return b.String()
}

// Messages is what an operation had to say, in order.
type Messages []Message

// Errors tells whether any message is an error.
func (ms Messages) Errors() bool {
	for _, m := range ms {
		if m.Severity == Error {
			return true
		}
	}
	return false
}

// Strict tells whether any message counts as a failure under KCONFIG_WERROR:
// errors, whatever a configuration file got wrong, and unmet dependencies.
func (ms Messages) Strict() bool {
	for _, m := range ms {
		if m.Severity == Error || m.werror {
			return true
		}
	}
	return false
}

// String joins the messages, each ending in a newline.
func (ms Messages) String() string {
	var b strings.Builder
	for _, m := range ms {
		b.WriteString(m.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// Err is nil without errors, else an error whose text is all messages.
func (ms Messages) Err() error {
	if !ms.Errors() {
		return nil
	}
	return fmt.Errorf("%s", strings.TrimSuffix(ms.String(), "\n"))
}
