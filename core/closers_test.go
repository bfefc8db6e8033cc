package core_test

import (
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
)

func TestWhoAskedIsToldOnceOfAnInstancesEnd(t *testing.T) {
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Instance("a", &core.Wiring{Name: "nothing"})
	told := 0
	in.OnClose(func() { told++ })
	cancel, _ := in.OnClose(func() { told += 100 })
	cancel()
	for range 2 {
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	if _, ok := in.OnClose(func() { told++ }); ok || told != 1 {
		t.Errorf("after the end: %v, told %d times", ok, told)
	}
}
