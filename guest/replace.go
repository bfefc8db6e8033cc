//go:build linux && (amd64 || arm64)

package guest

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Replace has programs that open a file by its absolute name find text in it, which they
// cannot write to: the name servers of an instance, say, in /etc/resolv.conf. It is called
// before there are programs. Other calls than open(2) find what is there.
func (g *Guest) Replace(name string, text []byte) {
	if g.files.instead == nil {
		g.files.instead = make(map[string][]byte)
	}
	g.files.instead[path.Clean(name)] = text
}

// replaces tells whether there is a text for a name.
func (f *files) replaces(name string) bool {
	if len(f.instead) == 0 || strings.HasSuffix(name, "/") {
		return false
	}
	_, ok := f.instead[path.Clean(name)]
	return ok
}

// openInstead answers a call with the name of a replaced file.
func (r *request) openInstead(name string) error {
	var flags int
	var err error
	switch r.c.Number {
	case unix.SYS_OPENAT:
		flags = r.arg(2)
	case unix.SYS_OPENAT2:
		flags, err = r.how()
	case sysOpen:
		flags = r.arg(1)
	default:
		r.goOn()
		return nil
	}
	switch {
	case err != nil:
		return err
	case flags&unix.O_PATH != 0:
		r.goOn()
		return nil
	case flags&unix.O_ACCMODE != unix.O_RDONLY:
		return unix.EROFS
	case flags&(unix.O_CREAT|unix.O_EXCL) == unix.O_CREAT|unix.O_EXCL:
		return unix.EEXIST
	case flags&unix.O_DIRECTORY != 0:
		return unix.ENOTDIR
	}
	return r.openText(name, r.g.files.instead[name], flags)
}
