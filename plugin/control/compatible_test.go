package control

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// TestTheContractOnlyGrows holds module.proto to what was published under version 1
// (testdata/v1.txt): every field keeps its name, number, type and cardinality,
// every method its messages. What is new may be added to the file.
func TestTheContractOnlyGrows(t *testing.T) {
	now := lines(File_module_proto)
	text, err := os.ReadFile("testdata/v1.txt")
	if err != nil {
		t.Fatal(err)
	}
	published := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, l := range published {
		if !slices.Contains(now, l) {
			t.Errorf("published in version 1 and gone: %s (what breaks the contract is another version)", l)
		}
	}
	for _, l := range now {
		if !slices.Contains(published, l) {
			t.Errorf("new: add this line to testdata/v1.txt: %s", l)
		}
	}
}

func lines(f protoreflect.FileDescriptor) []string {
	var out []string
	for i := range f.Messages().Len() {
		m := f.Messages().Get(i)
		out = append(out, "message "+string(m.Name()))
		for j := range m.Fields().Len() {
			x := m.Fields().Get(j)
			kind := x.Kind().String()
			if x.IsMap() {
				kind = fmt.Sprintf("map<%v, %v>", x.MapKey().Kind(), x.MapValue().Kind())
			} else if x.Message() != nil {
				kind = string(x.Message().Name())
			}
			out = append(out, fmt.Sprintf("%s.%s = %d %v %s", m.Name(), x.Name(), x.Number(), x.Cardinality(), kind))
		}
	}
	for i := range f.Services().Len() {
		s := f.Services().Get(i)
		for j := range s.Methods().Len() {
			m := s.Methods().Get(j)
			stream := func(on bool) string {
				if on {
					return "stream "
				}
				return ""
			}
			out = append(out, fmt.Sprintf("rpc %s.%s(%s%s) %s%s", s.Name(), m.Name(), stream(m.IsStreamingClient()), m.Input().Name(),
				stream(m.IsStreamingServer()), m.Output().Name()))
		}
	}
	return out
}
