package ring

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The seals of the two memfds, memfd_create(2) and fcntl(2). Neither may change
// its size: whoever touches a page behind the end of a file dies by SIGBUS. The
// host's cannot be written by any mapping made, or write(2) done, after the seal.
const (
	sealsOfModule = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
	sealsOfHost   = sealsOfModule | unix.F_SEAL_FUTURE_WRITE
)

// extent is the size of the parts of a memfd: a page of control words, main
// ring, ring of answers.
type extent struct{ page, main, answers int }

func (e extent) file() int64 { return int64(e.page + e.main + e.answers) }

// mapped is the address space of a memfd whose rings lie twice in a row.
func (e extent) mapped() int { return e.page + 2*e.main + 2*e.answers }

// createMemory returns a memfd of the extent's size that can be sealed.
func createMemory(name string, e extent) (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return -1, fmt.Errorf("ring: memfd_create %s: %w", name, err)
	}
	if err := unix.Ftruncate(fd, e.file()); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("ring: memory of %d bytes: %w", e.file(), err)
	}
	return fd, nil
}

func seal(fd, seals int) error {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("ring: seal memory: %w", err)
	}
	return nil
}

// checkMemory refuses a descriptor that is no memfd of the size and with the
// seals that make it safe to map.
func checkMemory(fd int, e extent, seals int) error {
	have, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil {
		return fmt.Errorf("ring: descriptor is no memory with seals: %w", err)
	}
	if have&seals != seals {
		return fmt.Errorf("ring: memory has the seals %#x, %#x are wanted", have, seals)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("ring: size of memory: %w", err)
	}
	if st.Size != e.file() {
		return fmt.Errorf("ring: memory has %d bytes, %d are wanted", st.Size, e.file())
	}
	return nil
}

// A mapping is address space of ours. It is no memory of the Go heap: the garbage
// collector follows no pointer into it.
type mapping struct {
	base unsafe.Pointer
	len  int
}

func (m mapping) unmap() { _ = unix.MunmapPtr(m.base, uintptr(m.len)) }

func (m mapping) bytes(from, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(m.base, from)), n)
}

// mapMemory maps a memfd with its rings twice in a row, in one range that is
// reserved first, so that nothing else can come between.
func mapMemory(fd int, e extent, prot int) (mapping, error) {
	base, err := unix.MmapPtr(-1, 0, nil, uintptr(e.mapped()), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return mapping{}, fmt.Errorf("ring: reserve %d bytes of addresses: %w", e.mapped(), err)
	}
	m := mapping{base, e.mapped()}
	at, offset := 0, int64(0)
	for _, part := range []struct{ len, times int }{{e.page, 1}, {e.main, 2}, {e.answers, 2}} {
		for range part.times {
			if _, err := unix.MmapPtr(fd, offset, unsafe.Add(base, at), uintptr(part.len), prot, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
				m.unmap()
				return mapping{}, fmt.Errorf("ring: map memory: %w", err)
			}
			at += part.len
		}
		offset += int64(part.len)
	}
	return m, nil
}

// page and rings cut a mapping into its parts.
func (m mapping) page(e extent) []byte { return m.bytes(0, e.page) }

func (m mapping) rings(e extent) [2][]byte {
	return [2][]byte{m.bytes(e.page, 2*e.main), m.bytes(e.page+2*e.main, 2*e.answers)}
}
