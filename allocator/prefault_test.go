//go:build linux && !race

package allocator

import (
	"syscall"
	"testing"
	"unsafe"
)

func resident(t *testing.T, b []byte) (n int) {
	t.Helper()
	vec := make([]byte, len(b)/unitSize)
	_, _, errno := syscall.Syscall(syscall.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(unsafe.Pointer(&vec[0])))
	if errno != 0 {
		t.Fatal(errno)
	}
	for _, v := range vec {
		n += int(v & 1)
	}
	return n
}

func TestPrefaultBacksWhatIsLent(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		ar := NewArena(ArenaOptions{Prefault: ahead})
		l, ok := ar.lend(64 << 10)
		if !ok {
			t.Fatal("refused")
		}
		want := 0
		if ahead {
			want = 16
		}
		if n := resident(t, l.mem); n != want {
			t.Errorf("Prefault %v: %d of 16 pages resident, want %d", ahead, n, want)
		}
		clear(l.mem[:unitSize])
		touch(l.mem) // what systems without such a call do
		if n := resident(t, l.mem); n != 16 {
			t.Errorf("touched, %d of 16 pages resident", n)
		}
		ar.giveBack(l)
		if err := ar.Close(); err != nil {
			t.Error(err)
		}
	}
}
