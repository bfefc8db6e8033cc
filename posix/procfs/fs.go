package procfs

import (
	"slices"
	"strings"
	"syscall"

	"github.com/libos-go/libos/core"
)

// Kind is what a path leads to.
type Kind uint8

const (
	File Kind = iota
	Directory
	Link
)

// Node is a file, a directory or a symbolic link.
type Node struct {
	Path string // from the root on, without links
	Kind Kind
	Mode uint32 // permissions
	// Size is what stat(2) tells: 4096 in /sys, 0 in /proc.
	Size int64
	// Target of a link.
	Target string

	read    func() ([]byte, error)
	write   func(text string) error
	entries func() []string
}

// Read renders the file: EISDIR for a directory, EACCES for one that is only written,
// EINVAL for a value that the interface does not have.
func (n *Node) Read() ([]byte, error) {
	switch {
	case n.Kind == Directory:
		return nil, syscall.EISDIR
	case n.read == nil:
		return nil, syscall.EACCES
	}
	return n.read()
}

// Write takes what one write(2) to the file's beginning has: EINVAL for a value that is
// not one, EACCES for a file that is only read.
func (n *Node) Write(text string) error {
	switch {
	case n.Kind == Directory:
		return syscall.EISDIR
	case n.write == nil:
		return syscall.EACCES
	}
	return n.write(text)
}

// Writable tells whether the file takes writes.
func (n *Node) Writable() bool { return n.write != nil }

// Entries are the names in a directory, sorted.
func (n *Node) Entries() []string {
	if n.entries == nil {
		return nil
	}
	list := n.entries()
	slices.Sort(list)
	return list
}

// The trees that are served.
const (
	netDir   = "/proc/net"
	sysDir   = "/proc/sys/net"
	classDir = "/sys/class/net"
)

// FS is the files of one instance. Its methods are called outside of an entry, from any
// goroutine.
type FS struct{ in *core.Instance }

// New is the files of in.
func New(in *core.Instance) *FS { return &FS{in} }

// Inside tells whether a clean absolute path lies in a tree that is served.
func Inside(path string) bool {
	for _, d := range [...]string{netDir, sysDir, classDir} {
		if rest, ok := strings.CutPrefix(path, d); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// Lookup finds what is at a path, which begins with one of the three trees and has no
// empty parts, "." or "..": ENOENT if there is nothing, ENOTDIR behind a file.
func (f *FS) Lookup(path string) (*Node, error) {
	for _, t := range [...]struct {
		dir  string
		find func(*FS, []string) (*Node, error)
	}{{netDir, (*FS).netFile}, {sysDir, (*FS).setting}, {classDir, (*FS).class}} {
		rest, ok := strings.CutPrefix(path, t.dir)
		if !ok || rest != "" && rest[0] != '/' {
			continue
		}
		// Several slashes are one, and one at the end is none (path_resolution(7)).
		n, err := t.find(f, strings.FieldsFunc(rest, func(r rune) bool { return r == '/' }))
		if n != nil {
			n.Path = path
		}
		return n, err
	}
	return nil, syscall.ENOENT
}

func directory(entries func() []string) *Node {
	return &Node{Kind: Directory, Mode: 0o555, entries: entries}
}

// tree is a directory of the names that begin with a part, which are separated from
// what follows by a '/': the parts that follow.
func tree(names []string, prefix string) []string {
	var list []string
	for _, n := range names {
		if rest, ok := strings.CutPrefix(n, prefix); ok {
			first, _, _ := strings.Cut(rest, "/")
			list = append(list, first)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
