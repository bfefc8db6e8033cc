package build

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// stateVersion changes when the meaning of the state file does.
const stateVersion = 2

// state is what a build was made from. It is kept in build/NAME/.gen/state.json.
type state struct {
	Version int
	Key     string // configuration, menu files, generator, Go and its flags
	// ScanDirs are the folders that the scan read, Extra single files beside
	// their Go files.
	ScanDirs, Extra []string
	// Files of ScanDirs and Extra, and of those of the programs.
	Files map[string]stamp
	// Outputs of the generator.
	Outputs map[string]stamp
	// Libos and the modules, by name.
	Libos   *program            `json:",omitempty"`
	Modules map[string]*program `json:",omitempty"`
}

// program is what a program was compiled from, and what was written.
type program struct {
	Dirs, Extra []string
	Inputs      string           // hash of all that decides what it is
	Files       map[string]stamp // the program; a module's manifest
}

// hash tells two programs apart; "" for none.
func (p *program) hash() string {
	if p == nil {
		return ""
	}
	files := make([]string, 0, len(p.Files))
	for f, s := range p.Files {
		files = append(files, f+"\x00"+s.Hash)
	}
	sort.Strings(files)
	return hash([]byte(strings.Join(files, "\x00")))
}

// inputs is the hash of what a program is made of: of s.Key, of its sources, and
// of the generated files that are its.
func (s *state) inputs(p *program, files map[string]stamp, generated func(path string) bool) string {
	dirs, extra := map[string]bool{}, map[string]bool{}
	for _, d := range p.Dirs {
		dirs[filepath.Clean(d)] = true
	}
	for _, e := range p.Extra {
		extra[e] = true
	}
	var lines []string
	for f, st := range files {
		if dirs[filepath.Dir(f)] && goFile(filepath.Base(f)) || extra[f] {
			lines = append(lines, "source\x00"+f+"\x00"+st.Hash)
		}
	}
	for f, st := range s.Outputs {
		if generated(f) {
			lines = append(lines, "generated\x00"+f+"\x00"+st.Hash)
		}
	}
	sort.Strings(lines)
	return hash([]byte(s.Key + "\x00" + strings.Join(lines, "\x00")))
}

// stamp tells whether a file is as it was: size and time first, and where
// these differ its content.
type stamp struct {
	Size  int64
	MTime int64
	Hash  string
}

func (b *Builder) statePath(name string) string { return filepath.Join(b.gen(name), "state.json") }

func (b *Builder) readState(name string) *state {
	s := &state{}
	data, err := os.ReadFile(b.statePath(name))
	if err != nil || json.Unmarshal(data, s) != nil || s.Version != stateVersion {
		return &state{Version: stateVersion}
	}
	return s
}

func (b *Builder) writeState(name string, s *state) error {
	s.Version = stateVersion
	data, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	_, err = writeIfChanged(b.statePath(name), append(data, '\n'))
	return err
}

// take stamps a file; false if it is not there.
func take(path string, old stamp) (stamp, bool) {
	st, err := os.Stat(path)
	if err != nil || st.IsDir() {
		return stamp{}, false
	}
	now := stamp{Size: st.Size(), MTime: st.ModTime().UnixNano(), Hash: old.Hash}
	if now != old || old.Hash == "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return stamp{}, false
		}
		now.Hash = hash(data)
	}
	return now, true
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// goFile tells whether a file of a package folder can change a build.
func goFile(name string) bool {
	switch filepath.Ext(name) {
	case ".go":
		return !strings.HasSuffix(name, "_test.go")
	case ".s", ".h", ".syso":
		return true
	}
	return false
}

// stampAll stamps the sources of dirs and the extra files (all relative to the
// root), with the stamps of old where size and time agree.
func (b *Builder) stampAll(dirs, extra []string, old map[string]stamp) map[string]stamp {
	out := map[string]stamp{}
	add := func(rel string) {
		if _, have := out[rel]; have {
			return
		}
		if s, ok := take(b.abs(rel), old[rel]); ok {
			out[rel] = s
		}
	}
	for _, d := range dirs {
		entries, err := os.ReadDir(b.abs(d))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if goFile(e.Name()) {
				add(filepath.Join(d, e.Name()))
			}
		}
	}
	for _, e := range extra {
		add(e)
	}
	return out
}

// same tells whether the files of dirs and extra have the content they had.
func same(now, old map[string]stamp, dirs []string, extra []string) bool {
	in := map[string]bool{}
	for _, d := range dirs {
		in[filepath.Clean(d)] = true
	}
	for _, e := range extra {
		in[e] = true
	}
	counts := func(f string) bool { return in[f] || in[filepath.Dir(f)] }
	for f, s := range now {
		if counts(f) && old[f].Hash != s.Hash {
			return false
		}
	}
	for f := range old {
		if _, ok := now[f]; counts(f) && !ok {
			return false
		}
	}
	return len(dirs) > 0
}

// sameOutputs tells whether nobody touched what was written.
func (b *Builder) sameOutputs(old map[string]stamp) bool {
	for f, s := range old {
		if now, ok := take(b.abs(f), s); !ok || now.Hash != s.Hash {
			return false
		}
	}
	return len(old) > 0
}

// key is the hash of all that decides a build besides source files.
func (b *Builder) key(c *configuration) (string, error) {
	h := sha256.New()
	put := func(parts ...string) {
		for _, p := range parts {
			h.Write([]byte(p))
			h.Write([]byte{0})
		}
	}
	self, err := b.generatorHash(c.name)
	if err != nil {
		return "", err
	}
	toolchain, err := output(b.goCommand("env", "GOVERSION", "GOROOT", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT", "GOFLAGS", "GOWORK"))
	if err != nil {
		return "", err
	}
	put(self, string(toolchain), strings.Join(flags(), " "), c.name, c.text)
	sources := append(c.sources[:0:0], c.sources...)
	sort.Slice(sources, func(i, j int) bool { return sources[i].Path < sources[j].Path })
	for _, s := range sources {
		put(s.Path, s.Hash)
	}
	for _, o := range c.outside {
		put(o.Spec, o.Dir)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// generatorHash is the hash of this program, remembered beside the state by
// size and time.
func (b *Builder) generatorHash(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(b.gen(name), "generator.json")
	memory := map[string]stamp{}
	if data, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(data, &memory) // an unreadable memory is only slower
	}
	now, ok := take(self, memory[self])
	if !ok {
		return "", &os.PathError{Op: "read", Path: self, Err: os.ErrNotExist}
	}
	if now != memory[self] {
		data, err := json.Marshal(map[string]stamp{self: now})
		if err != nil {
			return "", err
		}
		if _, err := writeIfChanged(path, data); err != nil {
			return "", err
		}
	}
	return now.Hash, nil
}
