package loopback_test

import (
	"slices"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/loopback"
	"github.com/libos-go/libos/host"
)

func TestWhatIsSentComesBackInOrder(t *testing.T) {
	s := devicetest.NewStation(t, host.NewVirtual(1), nil, "a", loopback.Device())
	s.Send(100, 500)
	if got := s.Numbers(); !slices.Equal(got, devicetest.Range(0, 100)) {
		t.Errorf("received %v", got)
	}
	if st := s.Stats(); st.RxPackets != 100 || st.TxBytes != 100*500 {
		t.Errorf("counters %+v, want 100 packets in and 50000 bytes out", st)
	}
	if s.Peak() == 0 {
		t.Error("no slab was in use while packets were sent")
	}
}

func TestChecksumsAreTakenOnTrust(t *testing.T) {
	s := devicetest.NewStation(t, host.NewVirtual(1), nil, "a", loopback.Device())
	s.Send(1, 100)
	if r := s.Received(); len(r) != 1 || r[0].Meta.Checksum != core.ChecksumVerified {
		t.Errorf("received %+v, want one packet with its checksum vouched for", r)
	}
}
