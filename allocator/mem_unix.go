//go:build unix && !race

package allocator

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const offHeap = true

// mapMemory maps size bytes of zeroes, aligned to size (a power of two), so that slabs lie
// side by side in few mappings of the kernel and large ones can be backed by huge pages.
func mapMemory(size int) ([]byte, error) {
	n := uintptr(size)
	p, err := mmap(n)
	if err != nil {
		return nil, err
	}
	if off := uintptr(p) & (n - 1); off != 0 {
		if err := unix.MunmapPtr(p, n); err != nil {
			return nil, err
		}
		if p, err = mmap(2 * n); err != nil {
			return nil, err
		}
		head := (n - uintptr(p)&(n-1)) & (n - 1)
		base := unsafe.Add(p, head)
		if head > 0 {
			if err := unix.MunmapPtr(p, head); err != nil {
				return nil, err
			}
		}
		if err := unix.MunmapPtr(unsafe.Add(base, n), n-head); err != nil {
			return nil, err
		}
		p = base
	}
	return unsafe.Slice((*byte)(p), size), nil
}

func mmap(n uintptr) (unsafe.Pointer, error) {
	return unix.MmapPtr(-1, 0, nil, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
}

func unmapMemory(b []byte) error {
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)))
}
