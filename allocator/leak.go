package allocator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Leak is memory still in use: all of one cache that was allocated at one line.
type Leak struct {
	Cache   string   `json:"cache"`
	Count   int      `json:"count"`
	Bytes   int64    `json:"bytes"`
	Site    string   `json:"site,omitempty"`     // file:line of the allocating call; empty without Debug
	LastRef string   `json:"last_ref,omitempty"` // file:line of the last Ref of a page
	Stack   []string `json:"stack,omitempty"`    // Site and its callers
}

func (l Leak) String() string {
	s := fmt.Sprintf("%s: %d in use, %d bytes", l.Cache, l.Count, l.Bytes)
	if l.Site == "" {
		return s + " (allocating lines are known under SLAB_DEBUG)"
	}
	s += ", allocated at " + l.Site
	if from := l.calledFrom(); from != "" {
		s += " called from " + from
	}
	if l.LastRef != "" {
		s += ", last referenced at " + l.LastRef
	}
	return s
}

// calledFrom is the nearest caller in another file than the allocating line: what
// lies between them are helpers beside it.
func (l Leak) calledFrom() string {
	file, _, _ := strings.Cut(l.Site, ":")
	for _, at := range l.Stack[min(1, len(l.Stack)):] {
		if f, _, _ := strings.Cut(at, ":"); f != file {
			return at
		}
	}
	return ""
}

// leakList adds up leaks by cache and line.
type leakList struct{ list []Leak }

func (ll *leakList) add(l Leak) {
	for i := range ll.list {
		m := &ll.list[i]
		if m.Cache == l.Cache && slices.Equal(m.Stack, l.Stack) && m.LastRef == l.LastRef {
			m.Count += l.Count
			m.Bytes += l.Bytes
			return
		}
	}
	ll.list = append(ll.list, l)
}

// sorted keeps the order of caches; within one the most bytes come first.
func (ll *leakList) sorted() []Leak {
	order := make(map[string]int)
	for _, l := range ll.list {
		if _, ok := order[l.Cache]; !ok {
			order[l.Cache] = len(order)
		}
	}
	slices.SortStableFunc(ll.list, func(a, b Leak) int {
		return cmp.Or(order[a.Cache]-order[b.Cache], cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Site, b.Site))
	})
	return ll.list
}
