package posix_test

import (
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/libos-go/libos/posix"
)

func TestRequestsOfEthtoolThatAreAnsweredShortly(t *testing.T) {
	run(t, func(h *programs) {
		ne := binary.NativeEndian
		words := func(v ...uint32) (b []byte) {
			for _, x := range v {
				b = ne.AppendUint32(b, x)
			}
			return b
		}
		at := func(b []byte, words int, v uint32) []byte {
			b = append(b, make([]byte, max(0, 4*words+4-len(b)))...)
			ne.PutUint32(b[4*words:], v)
			return b
		}
		for _, x := range []struct {
			what   string
			device string
			b      []byte
			answer int // its length
			word   int // one of its words
			value  uint32
			n      int
			want   error
		}{
			{"no such device", "eth9", words(10, 0), 0, 0, 0, 0, syscall.ENODEV},
			{"no whole request", "eth0", []byte{1, 0, 0}, 0, 0, 0, 0, syscall.EFAULT},
			{"no such request", "eth0", words(0x7fff, 0), 0, 0, 0, 0, syscall.EOPNOTSUPP},
			{"link", "eth0", words(10, 0), 8, 1, 1, 0, nil},
			{"how long masks are", "eth0", at(words(0x4c), 11, 0), 48, 3, 0xfc << 24, 0, nil},
			{"settings", "eth0", at(at(words(0x4c), 11, 0), 3, 4<<24), 96, 1, 1<<32 - 1, 0, nil},
			{"older settings", "eth0", at(words(1), 10, 0), 44, 7, 0xffff, 0, nil},
			{"settings of lo", "lo", at(words(1), 10, 0), 0, 0, 0, 0, syscall.EOPNOTSUPP},
			{"which sets", "eth0", at(words(0x37, 0, 1<<1|1<<2|1<<4), 3, 0), 24, 5, 64, 0, nil},
			{"which sets of lo", "lo", at(words(0x37, 0, 1<<1), 3, 0), 16, 2, 0, 0, nil},
			{"names of counters", "eth0", words(0x1b, 1, 10), 12 + 32*10, 2, 10, 0, nil},
			{"names of features", "eth0", words(0x1b, 4, 64), 12 + 32*64, 2, 64, 0, nil},
			{"names of tests", "eth0", words(0x1b, 0, 0), 0, 0, 0, 0, syscall.EOPNOTSUPP},
			{"counters", "eth0", words(0x1d, 10), 8 + 8*10, 1, 10, 0, nil},
			{"counters of lo", "lo", words(0x1d, 10), 0, 0, 0, 0, syscall.EOPNOTSUPP},
			{"features without room", "eth0", words(0x3a, 0), 8, 1, 2, 0, nil},
			{"features with half the room", "eth0", words(0x3a, 1), 24, 1, 2, 0, nil},
			{"features with too much room", "eth0", words(0x3a, 1<<31), 40, 1, 2, 0, nil},
			{"a feature on", "eth0", words(0x3b, 2, 1<<16, 1<<16, 0, 0), 24, 1, 2, 1, nil},
			{"no feature on", "eth0", words(0x3b, 2, 0, 0, 0, 0), 24, 1, 2, 0, nil},
			{"features of another number", "eth0", words(0x3b, 1, 0, 0), 0, 0, 0, 0, syscall.EINVAL},
			{"segmentation", "eth0", words(0x1f, 0), 0, 0, 0, 0, syscall.EOPNOTSUPP},
			{"flags as they are", "eth0", words(0x26, 0), 8, 1, 0, 0, nil},
			{"other flags", "eth0", words(0x26, 1<<15), 0, 0, 0, 0, syscall.EOPNOTSUPP},
			{"the permanent address", "eth0", words(0x20, 32), 14, 1, 6, 0, nil},
			{"the permanent address without room", "eth0", words(0x20, 3), 11, 1, 3, 0, nil},
			{"time stamps", "eth0", at(words(0x41), 10, 0), 44, 1, 0x18, 0, nil},
			{"channels", "eth0", at(words(0x3c), 8, 0), 36, 5, 1, 0, nil},
		} {
			answer, n, err := h.a.Ethtool(ifreq(x.device), x.b)
			if err != x.want || n != x.n || len(answer) != x.answer || err == nil && ne.Uint32(answer[4*x.word:]) != x.value {
				t.Errorf("%s: % x, %d, %v", x.what, answer[:min(len(answer), 48)], n, err)
			}
			if len(x.b) >= 4 && posix.EthtoolSize(x.b) > len(x.b) {
				t.Errorf("%s has %d bytes of %d", x.what, len(x.b), posix.EthtoolSize(x.b))
			}
		}
	})
}

func FuzzEthtool(f *testing.F) {
	f.Add([]byte{0x3b, 0, 0, 0, 2, 0, 0, 0})
	f.Add([]byte{0x4c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		run(t, func(h *programs) {
			for n := posix.EthtoolSize(b); len(b) < n; n = posix.EthtoolSize(b) {
				if n > 1<<13 {
					t.Fatalf("a request of %d bytes", n)
				}
				b = append(b, make([]byte, n-len(b))...)
			}
			for _, name := range []string{"lo", "eth0"} {
				if answer, _, _ := h.a.Ethtool(ifreq(name), b); len(answer) > 1<<13 {
					t.Errorf("%d bytes of an answer", len(answer))
				}
			}
		})
	})
}
