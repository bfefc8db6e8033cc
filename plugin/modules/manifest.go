package modules

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/libos-go/libos/core/remote"
	"github.com/libos-go/libos/plugin/control"
	"github.com/libos-go/libos/plugin/sandbox"
)

// Manifest is what is known of a module without running it: NAME.json beside the
// program NAME.
type Manifest struct {
	// Symbol of Kconfig whose m the module is, "" for none.
	Symbol string `json:"symbol,omitempty"`
	// Needs are symbols that the stack must have, or other modules.
	Needs []string `json:"needs,omitempty"`
	// SHA256 of the program, in hexadecimal digits.
	SHA256 string `json:"sha256"`
	// Description is what the program says of itself.
	Description json.RawMessage `json:"description"`

	description *control.Description
	privileges  sandbox.Privileges // once granted
	program     string
	file        string
}

// Name of the module.
func (m *Manifest) Name() string { return m.description.GetName() }

// Described is what the module serves.
func (m *Manifest) Described() *control.Description { return m.description }

// Program is the path of the executable.
func (m *Manifest) Program() string { return m.program }

// File is the path of the manifest itself.
func (m *Manifest) File() string { return m.file }

// program is the file of a module's program.
func program(dir, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(dir, name)
}

// maxManifest bounds the size of a manifest file.
const maxManifest = 1 << 20

// ReadManifest reads NAME.json in dir. The error names the file and the cure.
func ReadManifest(dir, name string) (*Manifest, error) {
	file := filepath.Join(dir, name+".json")
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(b) > maxManifest {
		return nil, fmt.Errorf("%s: a manifest has at most %d bytes: build the module again", file, maxManifest)
	}
	m := &Manifest{program: program(dir, name), file: file, description: new(control.Description)}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%s: not a manifest: %w: build the module again (libosbuild build)", file, err)
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(m.Description, m.description); err != nil {
		return nil, fmt.Errorf("%s: the description is malformed: %w: build the module again (libosbuild build)", file, err)
	}
	for _, s := range append([]string{m.Symbol}, m.Needs...) {
		if remote.Plain(s) != s {
			return nil, fmt.Errorf("%s: %q is no symbol: build the module again (libosbuild build)", file, s)
		}
	}
	if m.Name() != name {
		return nil, fmt.Errorf("%s: it is the manifest of %q: a manifest and its program have the module's name", file, m.Name())
	}
	return m, nil
}

// check holds the manifest against the program and the stack, and returns the
// digest of the program.
func (m *Manifest) check(o *Options) ([]byte, error) {
	ours, theirs := o.Contract.Known(), m.description.Spoken()
	if _, ok := ours.Agree(theirs); !ok {
		return nil, fmt.Errorf("%s: module %s speaks version %v of the contract, this libos %v: build the module against this version of libos",
			m.file, m.Name(), theirs, ours)
	}
	var missing []string
	for _, s := range m.Needs {
		if !o.Have(s) {
			missing = append(missing, "CONFIG_"+s)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s: module %s needs %s, which this libos was built without and no module here is: set it and build again (libosbuild set %s y)",
			m.file, m.Name(), strings.Join(missing, ", "), strings.TrimPrefix(missing[0], "CONFIG_"))
	}
	want, err := hex.DecodeString(m.SHA256)
	if err != nil || len(want) != sha256.Size {
		return nil, fmt.Errorf("%s: sha256 %q is no digest: build the module again (libosbuild build)", m.file, m.SHA256)
	}
	got, err := digest(m.program)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(got, want) {
		return nil, fmt.Errorf("%s: the program's sha256 is %x, its manifest %s says %x: it was changed or built anew: build the module again (libosbuild build), or trust neither",
			m.program, got, m.file, want)
	}
	return want, nil
}

func digest(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return h.Sum(nil), nil
}

// find reads a module's manifest from the first directory that has it.
func find(dirs []string, name string) (*Manifest, error) {
	if name == "" || strings.ContainsAny(name, "/\\\x00") || name == "." || name == ".." {
		return nil, fmt.Errorf("modules: %q is no name of a module", name)
	}
	for _, d := range dirs {
		m, err := ReadManifest(d, name)
		if !errors.Is(err, fs.ErrNotExist) {
			return m, err
		}
	}
	return nil, fmt.Errorf("modules: no module %s in %s: %w", name, strings.Join(dirs, ", "), fs.ErrNotExist)
}

// all reads every manifest of the directories; what cannot be read is an error
// beside the others.
func all(dirs []string) ([]*Manifest, error) {
	var out []*Manifest
	var errs []error
	seen := map[string]bool{}
	for _, d := range dirs {
		files, err := filepath.Glob(filepath.Join(d, "*.json"))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			name := strings.TrimSuffix(filepath.Base(f), ".json")
			if seen[name] {
				continue
			}
			seen[name] = true
			m, err := ReadManifest(d, name)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			out = append(out, m)
		}
	}
	return out, errors.Join(errs...)
}

// WriteManifest describes the program dir/name by running it with --describe, and
// writes NAME.json beside it.
func WriteManifest(dir, name, symbol string, needs []string) (*Manifest, error) {
	program := program(dir, name)
	text, err := describe(program)
	if err != nil {
		return nil, err
	}
	sum, err := digest(program)
	if err != nil {
		return nil, err
	}
	m := &Manifest{Symbol: symbol, Needs: needs, SHA256: hex.EncodeToString(sum), Description: text}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("%s --describe: %w", program, err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".json"), append(b, '\n'), 0o644); err != nil {
		return nil, err
	}
	return ReadManifest(dir, name)
}
