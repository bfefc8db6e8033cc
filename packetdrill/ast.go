package packetdrill

import (
	"fmt"
	"net/netip"
	"time"
)

// Script is a parsed script.
type Script struct {
	Name    string // of the file, for messages
	Kernel  string // why it cannot run on the kernel, "" for most
	Options []Option
	Init    []Command
	Events  []Event
	Cleanup []Command
}

// Option is a line --name=value of a script, or one of the command line.
type Option struct {
	Line        int // 0 on the command line
	Name, Value string
}

// Command is text in backticks: one or several lines of a shell.
type Command struct {
	Line int
	Text string
}

// Error is a failure at a line of a script.
type Error struct {
	File string
	Line int
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// TimeKind says what an event's time counts from.
type TimeKind uint8

const (
	Absolute TimeKind = iota // from the start of the script
	Relative                 // from the event before
	Anytime                  // no time is expected
)

// Time is when an event happens or is expected.
type Time struct {
	Kind  TimeKind
	From  time.Duration
	To    time.Duration // the end of a range a~b; From without one
	Range bool
	// End is when a blocking call returns, counted as From is.
	End    time.Duration
	Blocks bool
}

// Event is one line of a script: one of Packet, Call, Command and Code is set.
type Event struct {
	Line    int
	Time    Time
	Text    string // as it was written, in one line
	Packet  *Packet
	Call    *Call
	Command *Command
	Code    *Code
}

// Call is a system call with what is expected of it.
type Call struct {
	Name   string
	Args   []*Expr
	Result *Expr // what it returns
	Errno  string
}

// ExprKind is the kind of an Expr.
type ExprKind uint8

const (
	ExprEllipsis ExprKind = iota // ...: whatever is right here
	ExprInt
	ExprString
	ExprSymbol // a constant by its name
	ExprList   // [a, b]
	ExprStruct // {name=value, …} or {value, …}
	ExprApply  // name(a, …): htons, inet_addr
	ExprBinary // Text is the operator, Items its two sides
)

// Expr is an argument of a system call.
type Expr struct {
	Line   int
	Kind   ExprKind
	Int    int64
	Text   string // string, symbol, function, operator
	Items  []*Expr
	Fields []Field
}

// Field is one field of a struct. Name is "" for one that is given by its place.
type Field struct {
	Name  string
	Len   *Expr // name(len)=value
	Value *Expr
}

// Packet is a packet that arrives or that is expected.
type Packet struct {
	Inbound bool
	Outer   []Layer // encapsulations, outermost first
	IP      IPInfo
	// Source and Target are the ports that were written, Ported if any were.
	Source, Target uint16
	Ported         bool
	Body           Body
}

// IPInfo are the marks of an IP header that a script names.
type IPInfo struct {
	TOS, ECN, TTL, FlowLabel int // -1 where nothing is said
	DF, ID                   int // likewise
	Frag                     *fragSpan
	Sum                      sumKind
	Src, Dst                 netip.Addr // instead of the run's
}

// ECN codes that stand for more than one value of the field.
const (
	ecnEither = 4 // ect01
)
