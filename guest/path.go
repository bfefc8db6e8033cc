//go:build linux && (amd64 || arm64)

package guest

import (
	"bytes"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/posix/procfs"
)

// Which paths are the stack's: those below /proc/net, /proc/sys/net and
// /sys/class/net, by whatever name, and those that others stand in for. Nearly all that a
// program opens is not, and is told by its first bytes.

// maxPath is PATH_MAX.
const maxPath = 4096

// firstBytes is how much of a path is read at once.
const firstBytes = 128

// path is the path of the call in the files of the stack, cleaned; false if it is none
// of theirs, or cannot be read: the kernel has it then.
func (r *request) path(dirfd int, at uint64) (string, bool) {
	var buf [firstBytes]byte
	n := min(firstBytes, 4096-int(at%4096)) // what follows a page may not be there
	if at == 0 || r.c.Read(at, buf[:n]) != nil {
		return "", false
	}
	b, whole := buf[:n], false
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b, whole = b[:i], true
	}
	if len(b) == 0 && whole {
		return "", false
	}
	if whole && r.g.files.replaces(string(b)) {
		return path.Clean(string(b)), true
	}
	if len(b) > 0 && b[0] == '/' && !mayLead(b) {
		if root := r.g.files.root.Load(); root == nil || !strings.HasPrefix(string(b), *root) {
			return "", false
		}
	}
	name := string(b)
	if !whole {
		var err error
		if name, err = r.c.String(at, maxPath); err != nil {
			return "", false
		}
	}
	if name == "" {
		return "", false
	}
	if name[0] != '/' {
		dir, ok := r.directory(dirfd)
		if !ok {
			return "", false
		}
		name = dir + "/" + name
	}
	return r.g.files.served(name)
}

// mayLead tells whether an absolute path can lead to /proc or /sys.
func mayLead(b []byte) bool {
	rest := bytes.TrimLeft(b, "/")
	return len(rest) < 4 || bytes.HasPrefix(rest, []byte("proc")) || bytes.HasPrefix(rest, []byte("sys/")) ||
		rest[0] == '.' || bytes.Contains(rest, []byte("/.."))
}

// directory is the path of a descriptor of the caller, or of its working directory, if
// paths from there can be the stack's.
func (r *request) directory(dirfd int) (string, bool) {
	var b [80]byte
	link := append(b[:0], "/proc/"...)
	link = strconv.AppendUint(link, uint64(r.c.Thread), 10)
	if dirfd == unix.AT_FDCWD {
		link = append(link, "/cwd"...)
	} else {
		link = append(link, "/fd/"...)
		link = strconv.AppendInt(link, int64(dirfd), 10)
	}
	var to [maxPath]byte
	n, err := unix.Readlink(string(link), to[:])
	if err != nil || n == 0 || to[0] != '/' {
		return "", false
	}
	dir := string(to[:n])
	if rest, ok := r.g.files.strip(dir); ok {
		return rest, true
	}
	if dir == "/" || strings.HasPrefix(dir, "/proc") || strings.HasPrefix(dir, "/sys") {
		return dir, true
	}
	return "", false
}

// served cleans an absolute path and tells whether it is the stack's. Links of /proc and
// /sys are followed as far as they lead there; ".." is taken by name.
func (f *files) served(name string) (string, bool) {
	if rest, ok := f.strip(name); ok {
		name = rest
	}
	name = path.Clean(name)
	if rest, ok := strings.CutPrefix(name, "/proc/"); ok {
		first, rest, _ := strings.Cut(rest, "/")
		if first == "self" || first == "thread-self" || isNumber(first) {
			if task, ok := strings.CutPrefix(rest, "task/"); ok {
				_, rest, _ = strings.Cut(task, "/")
			}
			if rest == "net" || strings.HasPrefix(rest, "net/") {
				name = "/proc/" + rest
			}
		}
	} else if rest, ok := strings.CutPrefix(name, "/sys/devices/virtual/net"); ok {
		name = "/sys/class/net" + rest
	}
	return name, procfs.Inside(name)
}

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
