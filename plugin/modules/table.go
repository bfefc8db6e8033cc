package modules

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/plugin/control"
)

// types are those that a setting can have, by the name by which it crosses.
var types = map[string]reflect.Type{
	"bool": reflect.TypeFor[bool](), "int": reflect.TypeFor[int](), "int32": reflect.TypeFor[int32](), "int64": reflect.TypeFor[int64](),
	"uint32": reflect.TypeFor[uint32](), "uint64": reflect.TypeFor[uint64](), "string": reflect.TypeFor[string](),
	"time.Duration": reflect.TypeFor[time.Duration](), "[2]int32": reflect.TypeFor[[2]int32](), "[3]int32": reflect.TypeFor[[3]int32](),
}

// maxSysctls bounds the settings of one protocol.
const maxSysctls = 1 << 10

// table makes the table of a protocol's settings out of their description: the
// same fields in the same order as the module's own, so that blocks can cross.
func table(p *control.Protocol) (*sysctl.Table, error) {
	if len(p.GetSysctls()) == 0 {
		return nil, nil
	}
	if len(p.GetSysctls()) > maxSysctls {
		return nil, fmt.Errorf("protocol %s has %d settings, more than %d", p.GetName(), len(p.GetSysctls()), maxSysctls)
	}
	var fields []reflect.StructField
	for i, s := range p.GetSysctls() {
		typ := types[s.GetType()]
		if s.GetName() == "" {
			return nil, fmt.Errorf("protocol %s: setting %d has no name", p.GetName(), i)
		}
		if typ == nil {
			return nil, fmt.Errorf("protocol %s: setting %s has the unknown type %q", p.GetName(), s.GetName(), s.GetType())
		}
		tag := ""
		for _, kv := range [][2]string{{"sysctl", s.GetName()}, {"default", s.GetDefaultValue()}, {"help", s.GetHelp()}, {"range", s.GetRange()}, {"unit", s.GetUnit()}} {
			if kv[1] != "" {
				tag += kv[0] + ":" + strconv.Quote(kv[1]) + " "
			}
		}
		fields = append(fields, reflect.StructField{Name: "F" + strconv.Itoa(i), Type: typ, Tag: reflect.StructTag(tag)})
	}
	t, err := sysctl.OfType(reflect.StructOf(fields))
	if err != nil {
		return nil, fmt.Errorf("protocol %s: %w", p.GetName(), err)
	}
	t.Owner = p.GetSysctlOwner()
	return t, nil
}

// maxSockets bounds the kinds of sockets, and the numbers, of one protocol.
const maxSockets = 64

// protocol is a description as the core has it.
func protocol(p *control.Protocol) (core.Protocol, error) {
	out := core.Protocol{Name: p.GetName(), Numbers: p.GetNumbers(), ControlLevel: int(p.GetControlLevel())}
	switch out.ControlLevel {
	case core.SolSocket, core.SolIPv6: // 0, which is SOL_IP, is none
		return out, fmt.Errorf("protocol %q wants the control messages of level %d, which are not its own", p.GetName(), out.ControlLevel)
	}
	if p.GetName() == "" || len(p.GetSockets()) > maxSockets || len(p.GetNumbers()) > maxSockets {
		return out, fmt.Errorf("protocol %q has %d kinds of sockets and %d numbers", p.GetName(), len(p.GetSockets()), len(p.GetNumbers()))
	}
	for _, k := range p.GetSockets() {
		out.Sockets = append(out.Sockets, core.SocketKind{Family: int(k.GetFamily()), Type: int(k.GetType()), Protocol: int(k.GetProtocol())})
	}
	return out, nil
}
