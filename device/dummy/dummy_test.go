package dummy_test

import (
	"strings"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/dummy"
	"github.com/libos-go/libos/host"
)

func TestWhatIsSentIsCountedAndGone(t *testing.T) {
	s := devicetest.NewStation(t, host.NewVirtual(1), nil, "a", dummy.New(dummy.Config{MTU: 1000}))
	s.Send(100, 500)
	if st := s.Stats(); st.TxPackets != 100 || st.TxDropped != 0 || st.RxPackets != 0 || s.Count() != 0 {
		t.Errorf("counters %+v and %d packets received, want 100 sent and none received", st, s.Count())
	}
	if s.Peak() == 0 {
		t.Error("no slab was in use while packets were sent")
	}
	if a := s.Interface.HWAddr(); a.IsZero() || a.IsMulticast() || s.Interface.MTU() != 1000 {
		t.Errorf("address %v, MTU %d", a, s.Interface.MTU())
	}
}

func TestParametersOfAHostFile(t *testing.T) {
	k := dummy.Kind()
	dev, err := k.Open(map[string]string{"mtu": "9000"})
	if err != nil || dev.Properties().MTU != 9000 {
		t.Errorf("%v, %v", dev, err)
	}
	for _, x := range []struct{ name, value, want string }{
		{"mtu", "67", `mtu = "67": it is a number in 68..65535`},
		{"mtu", "many", `mtu = "many"`},
		{"rate", "1", `a dummy has no parameter "rate"`},
	} {
		if _, err := k.Open(map[string]string{x.name: x.value}); err == nil || !strings.HasPrefix(err.Error(), x.want) {
			t.Errorf("%s = %s: %v, want %s", x.name, x.value, err, x.want)
		}
	}
	if all := k.Link.Make(); len(all) != 1 || all[0].Partner() != (*core.Interface)(nil) || all[0].Close() != nil {
		t.Errorf("a program gets %d devices", len(all))
	}
}
