package mem

import (
	"os"
	"syscall"
)

func mapPages() {
	_, _ = syscall.Mmap(-1, 0, 4096, 0, 0)
	_ = os.Getenv("X") // want `os.Getenv inside a Domain`
}
