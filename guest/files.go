//go:build linux && (amd64 || arm64)

package guest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/posix/procfs"
)

// files are the stack's files as programs have them. What is read is the copy that was
// made when the file was opened. A directory is one of ours with the same names in it,
// so that listing it, and stat(2) of what is there, agree.
type files struct {
	fs      *procfs.FS
	instead map[string][]byte // see Guest.Replace

	root atomic.Pointer[string] // of the directories; nil until the first is wanted

	mu   sync.Mutex
	over bool

	pending  sync.Mutex
	settings map[uint64]*setting // open for writing, by the inode of the program's end
}

func newFiles(in *core.Instance) *files {
	return &files{fs: procfs.New(in), settings: make(map[uint64]*setting)}
}

// strip is a path below the root without it.
func (f *files) strip(name string) (string, bool) {
	root := f.root.Load()
	if root == nil {
		return "", false
	}
	rest, ok := strings.CutPrefix(name, *root)
	return rest, ok && strings.HasPrefix(rest, "/")
}

// place makes what stands for a node on the disk and tells where it is: of a directory
// with all that is in it.
func (f *files) place(n *procfs.Node) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return "", unix.ENETDOWN
	}
	if f.root.Load() == nil {
		root, err := os.MkdirTemp(inMemory(), "libos-files-")
		if err == nil {
			err = os.Chmod(root, 0o755)
		}
		if err != nil {
			return "", err
		}
		f.root.Store(&root)
	}
	at := *f.root.Load() + n.Path
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return "", err
	}
	if err := put(at, n); err != nil {
		return "", err
	}
	if n.Kind != procfs.Directory {
		return at, nil
	}
	names := n.Entries()
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
		c, err := f.fs.Lookup(n.Path + "/" + name)
		if err != nil {
			continue // it has just gone
		}
		if err := put(at+"/"+name, c); err != nil {
			return "", err
		}
	}
	old, err := os.ReadDir(at)
	if err != nil {
		return "", err
	}
	for _, x := range old {
		if !wanted[x.Name()] {
			_ = os.RemoveAll(at + "/" + x.Name())
		}
	}
	return at, nil
}

// inMemory is a directory in memory if there is one, "" for what is usual: there "." and
// ".." come first, as in /proc, and sysctl(8) passes over the first two names.
func inMemory() string {
	const shm = "/dev/shm"
	var st unix.Statfs_t
	if unix.Statfs(shm, &st) == nil && st.Type == unix.TMPFS_MAGIC && unix.Access(shm, unix.W_OK) == nil {
		return shm
	}
	return ""
}

// put makes one empty file, directory or link, unless it is there.
func put(at string, n *procfs.Node) error {
	if _, err := os.Lstat(at); err == nil {
		return nil
	}
	var err error
	switch n.Kind {
	case procfs.Directory:
		if err = os.Mkdir(at, 0o755); err == nil {
			err = os.Chmod(at, 0o755)
		}
	case procfs.Link:
		err = os.Symlink(n.Target, at)
	default:
		if err = os.WriteFile(at, nil, 0o600); err == nil {
			err = os.Chmod(at, os.FileMode(n.Mode))
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// close takes everything away.
func (f *files) close() error {
	f.mu.Lock()
	f.over = true
	root := f.root.Swap(nil)
	f.mu.Unlock()
	f.pending.Lock()
	for inode, s := range f.settings {
		f.drop(inode, s)
	}
	f.pending.Unlock()
	if root == nil {
		return nil
	}
	return os.RemoveAll(*root)
}

// content is a descriptor to read text by, as a file of that name.
func content(name string, text []byte) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	for b := text; len(b) > 0; {
		k, err := unix.Write(fd, b)
		if err != nil {
			return -1, err
		}
		b = b[k:]
	}
	return unix.Open("/proc/self/fd/"+itoa(fd), unix.O_RDONLY|unix.O_CLOEXEC, 0) // which cannot be written to
}
