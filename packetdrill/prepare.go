package packetdrill

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Prepared is a script with the settings of one run.
type Prepared struct {
	Script   *Script
	Settings Settings
}

// Prepare parses a script and applies its options to s: one run for each family,
// or the one that the script or s says. What s defines (-D) holds in its text.
func Prepare(file, text string, s Settings, families ...IPVersion) ([]Prepared, error) {
	options, err := ParseOptions(file, text)
	if err != nil {
		return nil, err
	}
	for _, o := range options {
		if err := s.Set(o.Name, o.Value); err != nil {
			return nil, &Error{file, o.Line, err.Error()}
		}
	}
	script, err := Parse(file, text, s.Defines)
	if err != nil {
		return nil, err
	}
	script.Kernel = kernelMark(text)
	if err := script.include(&s); err != nil {
		return nil, err
	}
	if s.Versioned {
		families = []IPVersion{s.IPVersion}
	}
	var list []Prepared
	for _, f := range families {
		one := s
		one.IPVersion = f
		if one.MTU == 0 {
			one.MTU = defaultMTU
			if f == IPv6 {
				one.MTU += 20 // the same segments as in IPv4
			}
		}
		list = append(list, Prepared{script, one})
	}
	return list, nil
}

// kernelMark is the reason behind a line "// kernel: REASON": why the script cannot
// run on the kernel.
func kernelMark(text string) string {
	for line := range strings.Lines(text) {
		if why, ok := strings.CutPrefix(strings.TrimSpace(line), "// kernel:"); ok {
			return strings.TrimSpace(why)
		}
	}
	return ""
}

// defaultMTU is that of IPv4. IPv6 has 20 bytes more for its longer header.
const defaultMTU = 1500

// include puts the init scripts of the settings before the script's own commands.
func (s *Script) include(set *Settings) error {
	var list []Command
	for _, name := range set.InitScripts {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(s.Name), name)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("%s: --init_scripts: %w", s.Name, err)
		}
		list = append(list, Command{Line: 1, Text: string(b)})
	}
	s.Init = append(list, s.Init...)
	return nil
}

// Files are the scripts of paths: files as they are, and *.pkt in directories, in
// order of their names.
func Files(paths ...string) (files []string, err error) {
	for _, p := range paths {
		st, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		if !st.IsDir() {
			files = append(files, p)
			continue
		}
		var found []string
		err = filepath.WalkDir(p, func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && strings.HasSuffix(path, ".pkt") {
				found = append(found, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		sort.Strings(found)
		files = append(files, found...)
	}
	return files, nil
}

// OptionInfo describes an option of scripts, for command lines.
type OptionInfo struct {
	Name, Help string
	Bare       bool // it takes no value
}

// Options are the options that a script or a command line may say.
func Options() (list []OptionInfo) {
	for _, x := range settings() {
		list = append(list, OptionInfo{x.name, x.help, x.name == "dry_run" || x.name == "verbose"})
	}
	return list
}

// FailureOf is an error of parsing as a failure at its line.
func FailureOf(err error) Failure {
	var e *Error
	if errors.As(err, &e) {
		return Failure{Line: e.Line, Text: e.Text}
	}
	return Failure{Line: 1, Text: err.Error()}
}
