package fifo

import (
	"errors"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
)

// FastConfig is pfifo_fast: three bands by the type of service, of which the first
// that holds a packet is served. The interface's queue length is the limit of each.
type FastConfig struct{}

// bands is how many there are.
const bands = 3

// priomap is the band of a packet's priority (sch_generic.c, prio2band).
var priomap = [16]uint8{1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}

// tosPriority is the priority of the four TOS bits of RFC 1349 (route.c,
// ip_tos2prio): best effort 0, bulk 2, interactive 6, interactive bulk 4, filler 1.
var tosPriority = [16]uint8{0, 1, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4}

// Kind implements core.QdiscConfig.
func (FastConfig) Kind() string { return "pfifo_fast" }

// Check implements core.QdiscConfig.
func (FastConfig) Check() error { return nil }

// Fields implements core.QdiscConfig.
func (FastConfig) Fields() []core.QdiscField {
	text, m := "", make([]int, len(priomap))
	for i, b := range priomap {
		m[i] = int(b)
		text += " " + string('0'+rune(b))
	}
	return []core.QdiscField{qdisc.Field("bands", bands, "bands %d priomap", bands), {Key: "priomap", Value: m, Text: text}, {Key: "multiqueue", Value: false}}
}

// Fast is the kind pfifo_fast.
func Fast() core.QdiscKind {
	return core.QdiscKind{
		Name: "pfifo_fast",
		Parse: func(words []string, _ core.QdiscConfig) (core.QdiscConfig, error) {
			if len(words) > 0 {
				return nil, errors.New("pfifo_fast has no options: its limit is the interface's queue length")
			}
			return FastConfig{}, nil
		},
		New: func(c core.QdiscConfig, o core.QdiscOwner) (core.Qdisc, error) {
			if _, ok := c.(FastConfig); !ok {
				return nil, errors.New("needs a fifo.FastConfig")
			}
			return &fast{Counter: qdisc.Counter{Link: o.Link()}, limit: o.QueueLen()}, nil
		},
	}
}

type fast struct {
	qdisc.Counter
	bands [bands]qdisc.Queue
	limit int
}

// Enqueue implements core.Qdisc.
func (f *fast) Enqueue(p *core.Packet) {
	f.Measure(p)
	q := &f.bands[priomap[tosPriority[p.ServiceType(f.Link)>>1&15]]]
	if q.Len() >= f.limit {
		f.Drop(p)
		return
	}
	q.Push(p)
}

// Dequeue implements core.Qdisc.
func (f *fast) Dequeue() *core.Packet {
	for i := range f.bands {
		if p := f.bands[i].Pop(); p != nil {
			f.Sent(p)
			return p
		}
	}
	return nil
}

func (f *fast) Len() (n int) {
	for i := range f.bands {
		n += f.bands[i].Len()
	}
	return n
}

func (f *fast) Backlog() (n int) {
	for i := range f.bands {
		n += f.bands[i].Bytes()
	}
	return n
}

func (f *fast) Purge() {
	for i := range f.bands {
		f.bands[i].Free()
	}
}

func (f *fast) Config() core.QdiscConfig      { return FastConfig{} }
func (f *fast) Details() []core.QdiscField    { return nil }
func (f *fast) Change(core.QdiscConfig) error { return nil }
