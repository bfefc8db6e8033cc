package session

import (
	"testing"

	"github.com/libos-go/libos/core"
)

// A socket that was closed leaves nothing, whenever its operations end, and an
// option is that of the socket that asked for it, whatever the module says.
func TestNothingIsKeptOfTheOptionsOfAClosedSocket(t *testing.T) {
	set := func(tag uint32, s core.SocketID) *core.Op {
		return &core.Op{Kind: core.OpSetOption, Tag: tag, Socket: s, Level: 17, Name: 1, Data: []byte{1}}
	}
	var s settings
	s.note(set(1, 5))
	s.note(set(2, 6))
	s.note(&core.Op{Kind: core.OpClose, Tag: 3, Socket: 5})
	s.ended(set(1, 5))
	if len(s.of[5]) > 0 || len(s.under) != 1 {
		t.Errorf("of a closed socket %v is kept; %v are under way", s.of[5], s.under)
	}
	s.ended(set(2, 7))
	if len(s.of[6]) != 1 || len(s.of[7]) > 0 {
		t.Errorf("an option of socket 6 is kept as %v", s.of)
	}
	s.note(&core.Op{Kind: core.OpClose, Tag: 4, Socket: 6})
	if len(s.of) > 0 || len(s.under) > 0 {
		t.Errorf("%v and %v are kept of closed sockets", s.of, s.under)
	}
}
