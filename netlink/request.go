package netlink

import (
	"encoding/binary"
	"errors"
	"slices"
	"syscall"

	"github.com/libos-go/libos/core"
)

// request is one message of a program.
type request struct {
	e          *endpoint
	in         *core.Instance
	typ, flags uint16
	seq, pid   uint32
	whole      []byte // the message
	fixed      []byte // the fixed header of its kind, whole
	attrs      attributes
}

// serve carries out the messages of one datagram; what is no message ends it
// (netlink_rcv_skb).
func (e *endpoint) serve(b []byte) {
	ne := binary.NativeEndian
	for len(b) >= sizeofHeader {
		n := uint64(ne.Uint32(b))
		if n < sizeofHeader || n > uint64(len(b)) {
			return
		}
		r := &request{e: e, in: e.t.in, typ: ne.Uint16(b[4:]), flags: ne.Uint16(b[6:]), seq: ne.Uint32(b[8:]), pid: e.pid, whole: b[:n]}
		b = b[min(align(int(n)), len(b)):]
		var err error
		answered := false
		if r.flags&flagRequest != 0 && r.typ >= typeLeast {
			e.t.cause = r
			answered, err = r.run()
			e.t.cause = nil
		}
		if err != nil || r.flags&flagAck != 0 && !answered {
			r.acknowledge(err)
		}
	}
}

// kind is what a type of message is: the length of its fixed header and what it does.
type kind struct {
	header int
	do     func(*request) error
	dump   func(*request) (*dump, error)
}

// kindOf is the kind of a type (rtnetlink_rcv_msg, net/core/rtnetlink.c).
func kindOf(typ uint16) (kind, bool) {
	switch typ {
	case getLink:
		return kind{16, (*request).getLink, (*request).dumpLinks}, true
	case newLink, setLink:
		return kind{16, (*request).changeLink, nil}, true
	case delLink:
		return kind{16, (*request).removeLink, nil}, true
	case newLinkProp:
		return kind{16, (*request).addLinkNames, nil}, true
	case delLinkProp:
		return kind{16, (*request).removeLinkNames, nil}, true
	case getAddr:
		return kind{8, (*request).getAddress, (*request).dumpAddresses}, true
	case newAddr:
		return kind{8, (*request).addAddress, nil}, true
	case delAddr:
		return kind{8, (*request).removeAddress, nil}, true
	case getRoute:
		return kind{12, (*request).getRoute, (*request).dumpRoutes}, true
	case newRoute:
		return kind{12, (*request).addRoute, nil}, true
	case delRoute:
		return kind{12, (*request).removeRoute, nil}, true
	case getNeigh:
		return kind{12, (*request).getNeighbour, (*request).dumpNeighbours}, true
	case newNeigh:
		return kind{12, (*request).addNeighbour, nil}, true
	case delNeigh:
		return kind{12, (*request).removeNeighbour, nil}, true
	case getNeighTbl:
		return kind{4, nil, (*request).dumpNeighTables}, true
	case setNeighTbl:
		return kind{4, (*request).setNeighTable, nil}, true
	case getQdisc:
		return kind{20, (*request).getQdisc, (*request).dumpQdiscs}, true
	case newQdisc:
		return kind{20, (*request).changeQdisc, nil}, true
	case delQdisc:
		return kind{20, (*request).removeQdisc, nil}, true
	case getTclass:
		return kind{20, nil, (*request).dumpClasses}, true
	case getTfilter, getChain:
		return kind{20, nil, (*request).dumpFilters}, true
	case getNetconf:
		return kind{1, (*request).getNetconf, (*request).dumpNetconf}, true
	case newRule:
		return kind{12, (*request).addRule, nil}, true
	case delRule:
		return kind{12, (*request).removeRule, nil}, true
	case getRule:
		return kind{12, nil, (*request).dumpRules}, true
	case newNexthop:
		return kind{8, (*request).addNexthop, nil}, true
	case delNexthop:
		return kind{8, (*request).removeNexthop, nil}, true
	case getNexthop:
		return kind{8, (*request).getNexthop, (*request).dumpNexthops}, true
	case newAddrLabel, delAddrLabel:
		return kind{12, (*request).changeLabel, nil}, true
	case getAddrLabel:
		return kind{12, (*request).getLabel, (*request).dumpLabels}, true
	case getNSID:
		return kind{4, (*request).getNamespace, (*request).dumpNamespaces}, true
	case getNexthopBucket:
		return kind{8, (*request).getBucket, (*request).dumpBuckets}, true
	}
	return kind{}, false
}

// run carries a request out. answered tells that a dump began, whose end is its
// acknowledgement.
func (r *request) run() (answered bool, err error) {
	body := r.whole[sizeofHeader:]
	var k kind
	dumps := r.flags&flagDump != 0
	switch r.e.protocol {
	case protoRoute:
		known := false
		if k, known = kindOf(r.typ); !known {
			return false, refuse(syscall.EOPNOTSUPP, "there is no such request here")
		}
		if len(body) == 0 {
			return false, nil
		}
		dumps = dumps && r.typ%4 == 2
	case protoSockDiag:
		if k, err = diagKind(r.typ, body); err != nil {
			return false, err
		}
		dumps = dumps && r.typ == sockDiagByFamily
	case protoGeneric:
		if k, err = genericKind(r.in, r.typ, body); err != nil {
			return false, err
		}
		dumps = r.flags&flagDump == flagDump
	}
	if dumps && k.dump == nil || !dumps && k.do == nil {
		return false, refuse(syscall.EOPNOTSUPP, "the request has no such form here")
	}
	r.fixed = make([]byte, k.header)
	rest := min(align(copy(r.fixed, body)), len(body))
	if len(body) < k.header {
		// An old program sends the address family alone with a dump.
		if !dumps || r.e.strict || r.e.protocol != protoRoute {
			return false, refuse(syscall.EINVAL, "the request is shorter than its header")
		}
		r.fixed = make([]byte, k.header)
		r.fixed[0], rest = body[0], min(4, len(body))
	}
	if r.attrs, err = parseAttributes(body[rest:], sizeofHeader+rest); err != nil {
		return false, err
	}
	if !dumps {
		return false, k.do(r)
	}
	if r.e.dump != nil {
		return false, refuse(syscall.EBUSY, "a dump is under way on the socket")
	}
	d, err := k.dump(r)
	if err != nil {
		return false, err
	}
	d.seq, d.pid = r.seq, r.pid
	r.e.dump = d
	if len(r.e.queue) == 0 {
		r.e.fill()
	}
	return true, nil
}

// family is the first byte of every fixed header.
func (r *request) family() uint8 { return r.fixed[0] }

// answer writes messages to the socket that asked.
func (r *request) answer(write func(w *writer)) error {
	w := &writer{}
	write(w)
	r.e.put(datagram{b: w.b})
	return nil
}

// acknowledge answers with NLMSG_ERROR, of errno 0 if err is nil (netlink_ack).
func (r *request) acknowledge(err error) {
	var why refusal
	if err != nil {
		var x *refusal
		var y *core.Refusal
		if errors.As(err, &x) {
			why = *x
		} else if errors.As(err, &y) {
			why = refusal{errno: y.Errno, text: y.Text}
		} else if !errors.As(err, &why.errno) {
			why = refusal{errno: syscall.EINVAL, text: err.Error()}
		}
	}
	flags, quoted := uint16(0), r.whole
	if err == nil || r.e.capAck {
		flags, quoted = flagCapped, r.whole[:sizeofHeader]
	}
	tell := r.e.extAck && err != nil && why.text != ""
	if tell {
		flags |= flagAckTLVs
	}
	w := &writer{}
	w.begin(typeError, flags, r.seq, r.pid)
	w.u32(uint32(-int32(why.errno)))
	w.b = append(w.b, quoted...)
	w.pad()
	if tell {
		w.text(errAttrMsg, why.text)
		if why.at != 0 {
			w.attr32(errAttrOffset, uint32(why.at))
		}
	}
	w.end()
	r.e.put(datagram{b: w.b})
}

// dump is a list that is being told.
type dump struct {
	seq, pid uint32
	// next writes the next message, which begin begins, and returns false at the end.
	next func(w *writer, begin func(typ uint16)) bool
	rest []byte // a message that did not fit
	over bool
}

// fill goes on with a dump: as many messages as one datagram takes, and the end.
func (e *endpoint) fill() {
	d := e.dump
	if d == nil {
		return
	}
	w := &writer{b: d.rest}
	d.rest = nil
	begin := func(typ uint16) { w.begin(typ, flagMulti, d.seq, d.pid) }
	for !d.over && len(w.b) <= e.most {
		last := len(w.b)
		if !d.next(w, begin) {
			begin(typeDone)
			w.u32(0)
			d.over = true
		}
		w.end()
		if last > 0 && len(w.b) > e.most {
			d.rest = slices.Clone(w.b[last:])
			w.b = w.b[:last]
			break
		}
	}
	if d.over && d.rest == nil {
		e.dump = nil
	}
	e.put(datagram{b: w.b})
}

// none is a dump of what there can be none of.
func none() *dump { return &dump{next: func(*writer, func(uint16)) bool { return false }} }

// listOf dumps the items of a list; write may leave one out by writing nothing.
func listOf[T any](items []T, write func(w *writer, begin func(uint16), x T)) *dump {
	return &dump{next: func(w *writer, begin func(uint16)) bool {
		for len(items) > 0 {
			x := items[0]
			items = items[1:]
			n := len(w.b)
			write(w, begin, x)
			if len(w.b) > n {
				return true
			}
		}
		return false
	}}
}
