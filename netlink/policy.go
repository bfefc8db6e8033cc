package netlink

import (
	"bytes"
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
)

// Policies: what attributes the commands of a generic family take, which programs can ask
// for (net/netlink/policy.c; ctrl_dumppolicy, net/netlink/genetlink.c).

const (
	ctrlGetPolicy = 10

	ctrlPolicy   = 8
	ctrlOpPolicy = 9
	ctrlOp       = 10

	ctrlPolicyDo   = 1
	ctrlPolicyDump = 2

	policyType      = 1
	policyLeast     = 4 // NL_POLICY_TYPE_ATTR_MIN_VALUE_U
	policyMost      = 5
	policyMaxLength = 7
)

// controllerPolicies are those of the controller's own commands.
func controllerPolicies() (family, policy []core.GenericAttribute) {
	family = []core.GenericAttribute{{Number: ctrlFamilyID, Kind: core.GenericU16}, {Number: ctrlFamilyName, Kind: core.GenericText, Most: 15}}
	policy = append(family[:2:2], core.GenericAttribute{Number: ctrlOp, Kind: core.GenericU32})
	return family, policy
}

// opPolicy is a command with the policies of its two forms, nil for a form that it lacks
// or that takes anything.
type opPolicy struct {
	number   uint8
	do, list []core.GenericAttribute
}

func (f *genericFamily) policies() (out []opPolicy) {
	if f.id == genericController {
		family, policy := controllerPolicies()
		return []opPolicy{{ctrlGetFamily, family, family}, {ctrlGetPolicy, nil, policy}}
	}
	for _, c := range f.Commands {
		p := opPolicy{number: c.Number}
		if c.Do != nil {
			p.do = c.Policy
		}
		if c.Dump != nil {
			p.list = c.Policy
		}
		out = append(out, p)
	}
	return out
}

// checkPolicy refuses attributes that are shorter, longer or larger than a policy has
// them (nla_validate). Those that it does not name are no matter of it.
func checkPolicy(attrs attributes, policy []core.GenericAttribute) error {
	for _, p := range policy {
		for _, x := range attrs {
			if x.typ != int(p.Number) {
				continue
			}
			size := p.Kind.Size()
			switch {
			case size != 0 && len(x.data) < size, p.Kind == core.GenericText && !endsWithin(x.data, p.Most):
				return refuseAt(x.at, syscall.EINVAL, "Attribute failed policy validation")
			case p.Kind == core.GenericBytes && p.Most != 0 && uint64(len(x.data)) > p.Most:
				return refuseAt(x.at, syscall.ERANGE, "Attribute failed policy validation")
			case size != 0 && p.Most != 0 && numberOf(x.data[:size]) > p.Most:
				return refuseAt(x.at, syscall.ERANGE, "integer out of range")
			}
		}
	}
	return nil
}

// endsWithin tells whether a text has its zero byte after at most so many others.
func endsWithin(b []byte, most uint64) bool {
	i := bytes.IndexByte(b, 0)
	return i >= 0 && (most == 0 || uint64(i) <= most)
}

func numberOf(b []byte) uint64 {
	ne := binary.NativeEndian
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(ne.Uint16(b))
	case 4:
		return uint64(ne.Uint32(b))
	}
	return ne.Uint64(b)
}

// dumpPolicies is CTRL_CMD_GETPOLICY: which policy each command has, then the policies,
// which are numbered as the commands name them.
func (r *request) dumpPolicies() (*dump, error) {
	f, err := r.namedFamily()
	if err != nil {
		return nil, err
	}
	ops := f.policies()
	if x, ok := r.attrs.find(ctrlOp); ok {
		op, err := r.attrs.u32(ctrlOp)
		if err != nil {
			return nil, err
		}
		all := ops
		ops = nil
		for _, o := range all {
			if uint32(o.number) == op {
				ops = []opPolicy{o}
			}
		}
		if ops == nil {
			return nil, refuseAt(x.at, syscall.ENOENT, "there is no such command")
		}
	}
	var out []func(w *writer)
	var told [][]core.GenericAttribute
	index := func(p []core.GenericAttribute) int {
		for i := range told {
			if len(told[i]) == len(p) && &told[i][0] == &p[0] {
				return i
			}
		}
		told = append(told, p)
		return len(told) - 1
	}
	for _, o := range ops {
		if len(o.do) == 0 && len(o.list) == 0 {
			continue
		}
		do, list := -1, -1
		if len(o.do) > 0 {
			do = index(o.do)
		}
		if len(o.list) > 0 {
			list = index(o.list)
		}
		out = append(out, func(w *writer) { writeOpPolicy(w, o.number, do, list) })
	}
	if len(out) == 0 {
		return nil, refuse(syscall.ENODATA, "the family's commands have no policy")
	}
	for i, p := range told {
		for _, a := range p {
			out = append(out, func(w *writer) { writePolicy(w, i, a) })
		}
	}
	return listOf(out, func(w *writer, begin func(uint16), write func(*writer)) {
		begin(genericController)
		w.u8(ctrlGetPolicy, 2, 0, 0)
		w.header(ctrlFamilyID, 2)
		w.u16(f.id)
		w.pad()
		write(w)
	}), nil
}

func writeOpPolicy(w *writer, number uint8, do, list int) {
	at := w.nest(ctrlOpPolicy | attrNested)
	op := w.nest(int(number) | attrNested)
	if do >= 0 {
		w.attr32(ctrlPolicyDo, uint32(do))
	}
	if list >= 0 {
		w.attr32(ctrlPolicyDump, uint32(list))
	}
	w.endNest(op)
	w.endNest(at)
}

// writePolicy writes one attribute of a policy (__netlink_policy_dump_write_attr).
func writePolicy(w *writer, index int, a core.GenericAttribute) {
	at := w.nest(ctrlPolicy | attrNested)
	policy := w.nest(index | attrNested)
	one := w.nest(int(a.Number) | attrNested)
	if size := a.Kind.Size(); size != 0 {
		most := uint64(1)<<(8*size-1)<<1 - 1
		if a.Most != 0 {
			most = a.Most
		}
		w.attr64(policyLeast, 0)
		w.attr64(policyMost, most)
	} else if a.Most != 0 {
		w.attr32(policyMaxLength, uint32(a.Most))
	}
	w.attr32(policyType, uint32(a.Kind))
	w.endNest(one)
	w.endNest(policy)
	w.endNest(at)
}
