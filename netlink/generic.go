package netlink

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
)

// Generic netlink: families of requests that programs find by name (net/netlink/genetlink.c).
// The controller, nlctrl, is the family that tells of them.

const (
	genericController = 0x10 // GENL_ID_CTRL, and its group's number
	genericFirst      = 0x13 // the first number of other families, and of their groups
	genericGroups     = 64
	sizeofGeneric     = 4 // struct genlmsghdr

	ctrlNewFamily = 1
	ctrlGetFamily = 3

	ctrlFamilyID   = 1
	ctrlFamilyName = 2
	ctrlVersion    = 3
	ctrlHeaderSize = 4
	ctrlMaxAttr    = 5
	ctrlOps        = 6
	ctrlGroups     = 7

	ctrlOpID      = 1
	ctrlOpFlags   = 2
	ctrlGroupName = 1
	ctrlGroupID   = 2

	capDo        = 0x02 // GENL_CMD_CAP_…
	capDump      = 0x04
	capHasPolicy = 0x08
)

// genericFamily is a family with the numbers that it has in an instance.
type genericFamily struct {
	core.GenericFamily
	id         uint16
	firstGroup uint32
}

// controller is nlctrl, of which the commands are here.
func controller() genericFamily {
	return genericFamily{id: genericController, firstGroup: genericController, GenericFamily: core.GenericFamily{
		Name: "nlctrl", Version: 2, MaxAttr: 10, Groups: []string{"notify"}}}
}

// families are those of the instance in the order of its wiring, which numbers them.
func families(in *core.Instance) []genericFamily {
	list := []genericFamily{controller()}
	id, group := uint16(genericFirst), uint32(genericFirst)
	for i := range in.Wiring().Protocols {
		for _, f := range in.Wiring().Protocols[i].Protocol.Generic {
			list = append(list, genericFamily{f, id, group})
			id, group = id+1, group+uint32(len(f.Groups))
		}
	}
	return list
}

// genericKind is what a request to a family is, by the command that its header begins
// with (genl_family_rcv_msg).
func genericKind(in *core.Instance, typ uint16, body []byte) (kind, error) {
	for _, f := range families(in) {
		if f.id != typ {
			continue
		}
		if len(body) < sizeofGeneric {
			return kind{}, refuse(syscall.EINVAL, "the request is shorter than its header")
		}
		if f.id == genericController {
			switch body[0] {
			case ctrlGetFamily:
				return kind{sizeofGeneric, (*request).getFamily, (*request).dumpFamilies}, nil
			case ctrlGetPolicy:
				return kind{sizeofGeneric, nil, (*request).dumpPolicies}, nil
			}
			return kind{}, refuse(syscall.EOPNOTSUPP, "there is no such command")
		}
		for _, c := range f.Commands {
			if c.Number == body[0] {
				return commandKind(&f, &c), nil
			}
		}
		return kind{}, refuse(syscall.EOPNOTSUPP, "there is no such command")
	}
	return kind{}, refuse(syscall.ENOENT, "there is no such family")
}

// commandKind is a command of a protocol's family.
func commandKind(f *genericFamily, c *core.GenericCommand) kind {
	k := kind{header: sizeofGeneric}
	head := []byte{c.Answer, f.Version, 0, 0}
	rest := func(r *request) []byte { return r.whole[sizeofHeader+sizeofGeneric:] }
	if c.Do != nil {
		k.do = func(r *request) error {
			if err := checkPolicy(r.attrs, c.Policy); err != nil {
				return err
			}
			b, err := c.Do(r.in, rest(r))
			if err != nil {
				return explain(err)
			}
			if len(b) == 0 {
				return nil
			}
			return r.answer(func(w *writer) {
				w.begin(f.id, 0, r.seq, r.pid)
				w.b = append(append(w.b, head...), b...)
				w.end()
			})
		}
	}
	if c.Dump != nil {
		k.dump = func(r *request) (*dump, error) {
			if err := checkPolicy(r.attrs, c.Policy); err != nil {
				return nil, err
			}
			list, err := c.Dump(r.in, rest(r))
			if err != nil {
				return nil, explain(err)
			}
			return listOf(list, func(w *writer, begin func(uint16), b []byte) {
				begin(f.id)
				w.b = append(append(w.b, head...), b...)
			}), nil
		}
	}
	return k
}

// writeFamily writes a family as an open message (ctrl_fill_info).
func writeFamily(w *writer, f genericFamily) {
	w.u8(ctrlNewFamily, 2, 0, 0)
	w.text(ctrlFamilyName, f.Name)
	w.header(ctrlFamilyID, 2)
	w.u16(f.id)
	w.pad()
	w.attr32(ctrlVersion, uint32(f.Version))
	w.attr32(ctrlHeaderSize, 0)
	w.attr32(ctrlMaxAttr, f.MaxAttr)
	ops := w.nest(ctrlOps)
	op := func(i int, number uint8, flags uint32) {
		at := w.nest(i + 1)
		w.attr32(ctrlOpID, uint32(number))
		w.attr32(ctrlOpFlags, flags)
		w.endNest(at)
	}
	if f.id == genericController {
		op(0, ctrlGetFamily, capDo|capDump|capHasPolicy)
		op(1, ctrlGetPolicy, capDump|capHasPolicy)
	}
	for i, c := range f.Commands {
		op(i, c.Number, capDo*bit(c.Do != nil)|capDump*bit(c.Dump != nil)|capHasPolicy*bit(len(c.Policy) > 0))
	}
	w.endNest(ops)
	if len(f.Groups) == 0 {
		return
	}
	groups := w.nest(ctrlGroups)
	for i, name := range f.Groups {
		at := w.nest(i + 1)
		w.attr32(ctrlGroupID, f.firstGroup+uint32(i))
		w.text(ctrlGroupName, name)
		w.endNest(at)
	}
	w.endNest(groups)
}

// namedFamily is the family that a request names by number or name.
func (r *request) namedFamily() (*genericFamily, error) {
	id, byID := r.attrs.find(ctrlFamilyID)
	name, byName, err := r.attrs.text(ctrlFamilyName, 15)
	switch {
	case byID && len(id.data) < 2:
		return nil, refuseAt(id.at, syscall.EINVAL, "attribute is shorter than its two bytes")
	case err != nil:
		return nil, err
	case !byID && !byName:
		return nil, refuse(syscall.EINVAL, "the request names no family")
	}
	for _, f := range families(r.in) {
		if (!byID || binary.NativeEndian.Uint16(id.data) == f.id) && (!byName || name == f.Name) {
			return &f, nil
		}
	}
	return nil, refuse(syscall.ENOENT, "there is no such family")
}

// getFamily tells of a family by number or name.
func (r *request) getFamily() error {
	f, err := r.namedFamily()
	if err != nil {
		return err
	}
	return r.answer(func(w *writer) {
		w.begin(genericController, 0, r.seq, r.pid)
		writeFamily(w, *f)
		w.end()
	})
}

func (r *request) dumpFamilies() (*dump, error) {
	return listOf(families(r.in), func(w *writer, begin func(uint16), f genericFamily) {
		begin(genericController)
		writeFamily(w, f)
	}), nil
}

// TellGeneric implements core.GenericTeller.
func (t *transport) TellGeneric(family, group string, command uint8, attributes []byte) {
	if len(t.sockets) == 0 {
		return
	}
	for _, f := range families(t.in) {
		for i, name := range f.Groups {
			if f.Name != family || name != group {
				continue
			}
			w := &writer{}
			w.begin(f.id, 0, 0, 0)
			w.u8(command, f.Version, 0, 0)
			w.b = append(w.b, attributes...)
			w.end()
			number := f.firstGroup + uint32(i)
			for _, e := range t.sockets {
				if e.protocol == protoGeneric && number <= genericGroups && e.member(number) {
					e.put(datagram{b: w.b, group: number})
				}
			}
		}
	}
}
