package core

import "github.com/libos-go/libos/core/wire"

// AddressLabel gives the addresses of a prefix a label: sources and destinations of the
// same go together (RFC 6724 §2.1; ip-addrlabel(8)).
type AddressLabel struct {
	Prefix  wire.Prefix // of IPv6; its length counts from the first of 128 bits also for ::ffff:0:0
	Ifindex int         // for addresses of one interface; 0 for all
	Label   uint32
}

// AddressLabels is a Network that has such a table. All of it is for callers inside an
// entry.
type AddressLabels interface {
	// Labels are those that count, the longest prefix first, and how often one was added.
	Labels() (list []AddressLabel, added uint32)
	// LabelOf is the one of an address, which may be of an interface.
	LabelOf(a wire.Addr, ifindex int) (AddressLabel, bool)
	// AddLabel adds one. EEXIST if its prefix and interface have one and it does not
	// replace that, EINVAL for a prefix that cannot have one, ENOBUFS if there are too many.
	AddLabel(l AddressLabel, replace bool) error
	// RemoveLabel removes the one of a prefix and interface. ESRCH if there is none.
	RemoveLabel(l AddressLabel) error
}
