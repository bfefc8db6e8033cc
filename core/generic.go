package core

// GenericFamily is a family of generic netlink (NETLINK_GENERIC, genetlink(7)) by which
// programs talk to a protocol. A protocol names its families (Protocol.Generic), so
// that an instance has those of what its wiring has.
type GenericFamily struct {
	Name     string // by which programs look for it, at most 15 bytes
	Version  uint8
	MaxAttr  uint32 // the highest number of its attributes
	Groups   []string
	Commands []GenericCommand
}

// GenericCommand is a request of a family. Bytes are netlink attributes: those behind
// the request's header, and those of messages in answer, which have Answer as their
// command. All calls happen inside an entry; an error is told by its errno and words.
type GenericCommand struct {
	Number, Answer uint8
	// Do carries a request out; nil if there is none but a dump. No bytes are no answer.
	Do func(in *Instance, request []byte) (answer []byte, err error)
	// Dump lists: a message for each. nil if there is no list.
	Dump func(in *Instance, request []byte) ([][]byte, error)
	// Policy is what the attributes of its requests are, for who asks (genl ctrl policy);
	// others are refused before Do and Dump see them. Empty if it takes anything.
	Policy []GenericAttribute
}

// GenericAttribute is an attribute of a command's requests.
type GenericAttribute struct {
	Number uint16
	Kind   GenericKind
	// Most is the largest number, or the greatest length of a text (without its zero
	// byte) or of bytes; 0 for no bound of its own.
	Most uint64
}

// GenericKind is what an attribute holds, with Linux's NL_ATTR_TYPE_ numbers.
type GenericKind uint8

const (
	GenericFlag   GenericKind = 1 // nothing: it is there, or not
	GenericU8     GenericKind = 2
	GenericU16    GenericKind = 3
	GenericU32    GenericKind = 4
	GenericU64    GenericKind = 5
	GenericBytes  GenericKind = 10
	GenericText   GenericKind = 12 // ends with a zero byte
	GenericNested GenericKind = 13
)

// Size is how many bytes a number has, 0 for what is none.
func (k GenericKind) Size() int {
	if k >= GenericU8 && k <= GenericU64 {
		return 1 << (k - GenericU8)
	}
	return 0
}

// GenericTeller is a Transport of AF_NETLINK sockets.
type GenericTeller interface {
	TellGeneric(family, group string, command uint8, attributes []byte)
}

// TellGeneric tells the members of a group of a family, if there are any. Inside an
// entry.
func (in *Instance) TellGeneric(family, group string, command uint8, attributes []byte) {
	for _, t := range in.transports {
		if g, ok := t.(GenericTeller); ok {
			g.TellGeneric(family, group, command, attributes)
		}
	}
}
