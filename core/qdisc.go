package core

import (
	"fmt"
	"strconv"
	"strings"
)

// Qdisc is a queueing discipline: it decides in which order, when, and whether
// the packets of an interface leave. All calls happen inside an entry of its
// owner's Domain, and none may call back into the interface.
type Qdisc interface {
	// Enqueue takes ownership of p, a complete frame. A packet that the discipline
	// drops is counted and freed.
	Enqueue(p *Packet)
	// Dequeue is the packet that leaves now, the caller's own; nil if none may. If
	// packets wait for their time, it has told the owner when (QdiscOwner.WakeAt).
	Dequeue() *Packet
	// Len and Backlog are the packets and bytes that wait, those of a child
	// included.
	Len() int
	Backlog() int
	// Purge frees all that waits and forgets what was learned from it. Counters
	// and configuration stay.
	Purge()
	// Config is the configuration in force, complete with what New filled in.
	Config() QdiscConfig
	// Change puts another configuration of the same kind in force and keeps the
	// packets. An error changes nothing.
	Change(c QdiscConfig) error
	// Counts are the counters that every discipline has, Details its own, as
	// tc -s qdisc shows them.
	Counts() QdiscCounts
	Details() []QdiscField
}

// QdiscParent is a discipline whose packets wait in another one (tbf, netem,
// red).
type QdiscParent interface {
	Qdisc
	// SetChild puts q in the place of the present child, whose packets are freed;
	// nil restores the one that the discipline has by itself.
	SetChild(q Qdisc)
}

// QdiscCounts are the counters of tc -s qdisc. Packets of more than one segment
// count as their segments in Packets, and as one in the others.
type QdiscCounts struct {
	Bytes, Packets uint64 // left the discipline, with the headers that cutting will add
	Dropped        uint64
	Overlimits     uint64
	Requeues       uint64 // taken, but not by the device
}

// QdiscField is one piece of what tc prints of a discipline: Text, as it stands
// in the line, and Key and Value in JSON. One of them may be empty.
type QdiscField struct {
	Text  string
	Key   string
	Value any // string, bool, int64, uint64, float64, []QdiscField
}

// QdiscConfig is the configuration of a discipline: a value of its package.
type QdiscConfig interface {
	// Kind is the discipline's name: "netem".
	Kind() string
	// Check finds values out of range and contradictions.
	Check() error
	// Fields are the options as tc qdisc show prints them.
	Fields() []QdiscField
}

// QdiscKind describes a discipline: a value that the wiring names.
type QdiscKind struct {
	Name string
	// Parse reads the options of a tc command, the words after the kind. old is the
	// configuration in force where the command is change, nil otherwise. Errors
	// name the word and the cure.
	Parse func(words []string, old QdiscConfig) (QdiscConfig, error)
	// New makes the discipline for c, a configuration of this kind that passed
	// Check, where zeros stand for defaults.
	New func(c QdiscConfig, o QdiscOwner) (Qdisc, error)
}

// QdiscOwner is what a discipline knows of its place: an interface, or a device
// that queues by itself.
type QdiscOwner interface {
	// Instance whose clock and memory the discipline uses.
	Instance() *Instance
	// Link is the link layer that packets begin with.
	Link() Link
	// MTU in bytes of network packet.
	MTU() int
	// QueueLen is the number of packets that a queue holds by default (txqueuelen).
	QueueLen() int
	// Random is the owner's own stream: the same host seed, instance and interface
	// give the same numbers.
	Random() Source
	// WakeAt asks that Dequeue be tried again at t, which lies ahead. The earliest
	// asked for since the last try counts.
	WakeAt(t Time)
}

// HeaderLen is the size of the link header that packets of l begin with.
func (l Link) HeaderLen() int {
	if l == LinkEthernet {
		return 14
	}
	return 0
}

// QdiscHandle names a discipline of an interface, or a place below one:
// major<<16 | minor, written "MAJOR:MINOR" in hexadecimal.
type QdiscHandle uint32

// QdiscRoot is the place of the discipline that the interface itself uses.
const QdiscRoot QdiscHandle = 0xffffffff

// Major is the discipline that a place belongs to.
func (h QdiscHandle) Major() QdiscHandle { return h &^ 0xffff }

// String is h as tc prints it: "1:", "1:1", "root".
func (h QdiscHandle) String() string {
	if h == QdiscRoot {
		return "root"
	}
	s := strconv.FormatUint(uint64(h>>16), 16) + ":"
	if minor := h & 0xffff; minor != 0 {
		s += strconv.FormatUint(uint64(minor), 16)
	}
	return s
}

// ParseQdiscHandle reads "MAJOR:MINOR"; a missing minor is 0.
func ParseQdiscHandle(s string) (QdiscHandle, error) {
	major, minor, _ := strings.Cut(s, ":")
	a, err := strconv.ParseUint(major, 16, 16)
	var b uint64
	if err == nil && minor != "" {
		b, err = strconv.ParseUint(minor, 16, 16)
	}
	h := QdiscHandle(a<<16 | b)
	if err != nil || h == QdiscRoot || a == 0 {
		return 0, fmt.Errorf("%q is no handle: write MAJOR: or MAJOR:MINOR in hexadecimal, such as 1: or 10:1", s)
	}
	return h, nil
}

// Qdisc is the discipline of a name, nil if the wiring lacks it.
func (w *Wiring) Qdisc(name string) *QdiscKind {
	for i := range w.Qdiscs {
		if w.Qdiscs[i].Name == name {
			return &w.Qdiscs[i]
		}
	}
	return nil
}

// QueueMark is what the discipline that holds a packet notes of it.
type QueueMark struct {
	At     Time  // when it came, or may leave
	Bytes  int32 // on the wire, see Packet.WireLen
	Memory int32 // that it held when it came
}

// WireLen is how many bytes the packet, which begins with the header of link,
// takes on the wire and in how many segments: a super-segment has its headers
// once for each (Linux: qdisc_pkt_len_init).
func (p *Packet) WireLen(link Link) (bytes, segments int) {
	n := p.Len()
	size := int(p.SegmentSize)
	if size == 0 {
		return n, 1
	}
	head := link.HeaderLen() + p.headersLen(link)
	if n-head <= size {
		return n, 1
	}
	segments = (n - head + size - 1) / size
	return n + (segments-1)*head, segments
}
