package kconfig

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Session runs the configuration targets on one source tree, as the
// libosbuild command does.
type Session struct {
	Dir  string // directory relative paths count from; "" is the current one
	Root string // menu file or its directory, relative to Dir; "" is Kconfig.toml
	// Home is where .config and what users name are, where that is not Dir: a
	// third party configures from its own folder.
	Home string
	// Find finds third parties' trees; nil: there are none. With are those to be
	// taken into the menus beside those that .config records, relative to Home.
	Find   Finder
	With   []string
	Env    Env
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	JSON   bool             // machine-readable output where there is any
	Quiet  bool             // only warnings and errors
	Now    func() time.Time // for the seed of an unseeded randconfig; nil: time.Now
}

// ErrFailed is returned by targets that have told everything in messages.
var ErrFailed = errors.New("failed")

// path is where a file is: configs is with the tree unless Home has it, anything
// else is at home.
func (s *Session) path(p string) string {
	dir := s.Dir
	if s.Home != "" {
		dir = s.Home
		if strings.HasPrefix(filepath.ToSlash(p), "configs/") {
			if _, err := os.Stat(filepath.Join(dir, p)); err != nil {
				dir = s.Dir
			}
		}
	}
	if dir == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(dir, p)
}

// Load loads the menu files, with the third parties' trees that the .config and
// other configuration files record, and prints what they get wrong.
func (s *Session) Load(configs ...string) (*Tree, error) {
	asked, err := s.asked(configs)
	if err != nil {
		return nil, err
	}
	root := s.Root
	if root == "" {
		root = "."
	}
	at := root
	if s.Dir != "" && !filepath.IsAbs(root) {
		at = filepath.Join(s.Dir, root)
	}
	dir, name := filepath.Dir(root), filepath.Base(root)
	if st, err := os.Stat(at); err == nil && st.IsDir() {
		dir, name = root, FileName
	} else {
		at = filepath.Dir(at)
	}
	home := s.Home
	if home == "" {
		home = s.Dir
	}
	t, ms := Menus{FS: os.DirFS(at), File: name, Shown: dir, Env: s.Env, Dir: at, Home: home, Find: s.Find, With: asked}.Load()
	s.print(ms)
	if ms.Errors() {
		return nil, ErrFailed
	}
	return t, nil
}

// asked are the third parties' trees of the user and of configuration files, the
// .config first.
func (s *Session) asked(configs []string) ([]Asked, error) {
	var recorded []Asked
	for _, name := range append([]string{configPath(s.Env)}, configs...) {
		data, err := os.ReadFile(s.path(name))
		if err != nil {
			continue // whoever needs the file tells
		}
		recorded = append(recorded, Recorded(name, data)...)
	}
	home := s.Home
	if home == "" {
		home = s.Dir
	}
	return With(s.With, recorded, home, s.Find)
}

func (s *Session) print(ms Messages) { io.WriteString(s.Stderr, ms.String()) }

func (s *Session) say(format string, args ...any) {
	if !s.Quiet {
		fmt.Fprintf(s.Stdout, format, args...)
	}
}

// read takes the values of a file, prints its messages and obeys
// KCONFIG_WERROR.
func (s *Session) read(t *Tree, name string) error {
	data, err := os.ReadFile(s.path(name))
	if err != nil {
		return err
	}
	ms := t.ParseConfig(name, data)
	s.print(ms)
	if s.Env.On("KCONFIG_WERROR") && ms.Strict() {
		return ErrFailed
	}
	return nil
}

// LoadConfigured loads the tree and the .config. Without a .config it has the
// defaults, and says so.
func (s *Session) LoadConfigured() (*Tree, error) {
	t, err := s.Load()
	if err != nil {
		return nil, err
	}
	err = s.read(t, t.ConfigPath())
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(s.Stderr, "%s does not exist: starting from the defaults\n", t.ConfigPath())
		t.changed = true // there is something to save
		return t, nil
	}
	if data, err := os.ReadFile(s.path(t.ConfigPath())); err == nil && !t.RecordedIn(data) {
		t.changed = true
	}
	return t, err
}

// settle reports unmet dependencies. With KCONFIG_WERROR they fail.
func (s *Session) settle(t *Tree) error {
	ms := t.UnmetDependencies()
	s.print(ms)
	if s.Env.On("KCONFIG_WERROR") && ms.Strict() {
		return ErrFailed
	}
	return nil
}

func (s *Session) warnChanged(t *Tree) {
	if !s.Env.On("KCONFIG_WARN_CHANGED_INPUT") {
		return
	}
	if m, any := t.overruledMessage(); any {
		s.print(Messages{m})
	}
}

// save writes the .config and says so.
func (s *Session) save(t *Tree) error {
	if err := s.settle(t); err != nil {
		return err
	}
	s.warnChanged(t)
	name := t.ConfigPath()
	written, err := t.WriteConfig(s.path(name))
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	if written {
		s.say("#\n# configuration written to %s\n#\n", name)
	} else {
		s.say("#\n# No change to %s\n#\n", name)
	}
	return nil
}

type target struct {
	name string
	help string
	run  func(*Session, []string) error
}

// targets in the order they are listed in.
func targets() []target {
	seeded := func(name string, mode Mode, ask bool) func(*Session, []string) error {
		return func(s *Session, args []string) error { return s.all(name, mode, ask) }
	}
	rewrite := func(from, to Tristate) func(*Session, []string) error {
		return func(s *Session, args []string) error { return s.rewrite(from, to) }
	}
	return []target{
		{"config", "answer every question on the command line", (*Session).config},
		{"oldconfig", "keep .config, ask about new symbols", (*Session).oldconfig},
		{"olddefconfig", "keep .config, new symbols get their defaults", (*Session).olddefconfig},
		{"defconfig", "the defaults, or those of a file [FILE]", (*Session).defconfig},
		{"savedefconfig", "write what differs from the defaults to defconfig [FILE]", (*Session).savedefconfig},
		{"allnoconfig", "answer n to everything", seeded("allno.config", AllNo, true)},
		{"allyesconfig", "answer y to everything", seeded("allyes.config", AllYes, true)},
		{"allmodconfig", "answer m where possible, else y", seeded("allmod.config", AllMod, true)},
		{"alldefconfig", "every symbol at its default", seeded("alldef.config", AllNo, false)},
		{"randconfig", "random answers (KCONFIG_SEED, KCONFIG_PROBABILITY)", seeded("allrandom.config", AllRandom, true)},
		{"tinyconfig", "as little as possible: configs/tiny.config over n", (*Session).tinyconfig},
		{"listnewconfig", "list the symbols that .config does not know", (*Session).listnew},
		{"helpnewconfig", "list the symbols that .config does not know, with their help", (*Session).helpnew},
		{"mod2yesconfig", "turn m into y", rewrite(Mod, Yes)},
		{"yes2modconfig", "turn y into m", rewrite(Yes, Mod)},
		{"mod2noconfig", "turn m into n", rewrite(Mod, No)},
	}
}

// TargetHelp lists the configuration targets with one line of help each.
func TargetHelp() [][2]string {
	var list [][2]string
	for _, t := range targets() {
		list = append(list, [2]string{t.name, t.help})
	}
	return list
}

// IsTarget tells whether Run knows the name: a fixed target, NAME_defconfig or
// NAME.config.
func IsTarget(name string) bool {
	return findTarget(name) != nil || strings.HasSuffix(name, "_defconfig") || strings.HasSuffix(name, ".config")
}

func findTarget(name string) func(*Session, []string) error {
	for _, t := range targets() {
		if t.name == name || t.name == name+"config" && strings.Contains(name, "2") {
			return t.run
		}
	}
	return nil
}

// Run runs one target.
func (s *Session) Run(name string, args []string) error {
	if f := findTarget(name); f != nil {
		return f(s, args)
	}
	switch {
	case strings.HasSuffix(name, "_defconfig"):
		return s.namedDefconfig(name)
	case strings.HasSuffix(name, ".config"):
		return s.fragments([]string{name})
	}
	return fmt.Errorf("unknown target %q", name)
}

func (s *Session) olddefconfig([]string) error {
	t, err := s.Load()
	if err != nil {
		return err
	}
	if err := s.readExisting(t); err != nil {
		return err
	}
	return s.save(t)
}

// readExisting reads .config if there is one.
func (s *Session) readExisting(t *Tree) error {
	err := s.read(t, t.ConfigPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s *Session) defconfig(args []string) error {
	name := s.Env.Value("KCONFIG_DEFCONFIG")
	if len(args) > 0 {
		name = args[0]
	}
	if name == "" {
		name = filepath.Join("configs", "defconfig")
		if _, err := os.Stat(s.path(name)); err != nil {
			return s.all("", AllNo, false)
		}
	}
	return s.defconfigFrom(name)
}

func (s *Session) defconfigFrom(name string) error {
	t, err := s.Load(name)
	if err != nil {
		return err
	}
	if err := s.read(t, name); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot find the default configuration %s%s", name, s.defconfigHint())
	} else if err != nil {
		return err
	}
	return s.save(t)
}

func (s *Session) namedDefconfig(name string) error {
	return s.defconfigFrom(filepath.Join("configs", name))
}

func (s *Session) defconfigHint() string {
	found, _ := filepath.Glob(filepath.Join(s.path("configs"), "*_defconfig"))
	if len(found) == 0 {
		return ""
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	sort.Strings(found)
	return " (there are: " + strings.Join(found, " ") + ")"
}

func (s *Session) savedefconfig(args []string) error {
	name := "defconfig"
	if len(args) > 0 {
		name = args[0]
	}
	t, err := s.Load()
	if err != nil {
		return err
	}
	if err := s.readExisting(t); err != nil {
		return err
	}
	if err := s.settle(t); err != nil {
		return err
	}
	s.warnChanged(t)
	if err := os.WriteFile(s.path(name), t.MinimalConfig(), 0o644); err != nil {
		return fmt.Errorf("saving the defconfig: %w", err)
	}
	return nil
}

// all runs the all…config targets: symbols that KCONFIG_ALLCONFIG's file sets
// keep that, the rest get the mode's answer (or, without ask, the default).
func (s *Session) all(preset string, mode Mode, ask bool) error {
	t, err := s.Load()
	if err != nil {
		return err
	}
	if preset != "" {
		if err := s.preset(t, preset); err != nil {
			return err
		}
	}
	return s.answer(t, mode, ask)
}

func (s *Session) answer(t *Tree, mode Mode, ask bool) error {
	if ask {
		var rng *rand.Rand
		var prob Probability
		if mode == AllRandom {
			var err error
			if prob, err = ParseProbability(s.Env.Value("KCONFIG_PROBABILITY")); err != nil {
				return err
			}
			seed := s.seed()
			s.say("KCONFIG_SEED=0x%X\n", seed)
			rng = rand.New(rand.NewPCG(uint64(seed), 0))
		}
		t.SetAll(mode, rng, prob)
	}
	return s.save(t)
}

// seed is KCONFIG_SEED, or one made of the clock.
func (s *Session) seed() uint32 {
	if text := s.Env.Value("KCONFIG_SEED"); text != "" {
		if n, err := strconv.ParseInt(text, 0, 64); err == nil {
			return uint32(n)
		}
	}
	now := time.Now
	if s.Now != nil {
		now = s.Now
	}
	at := now()
	return uint32((at.Unix() + 1) * (int64(at.Nanosecond())/1000 + 1))
}

// preset reads the file KCONFIG_ALLCONFIG names; for "1", or set to nothing,
// the target's own file or all.config.
func (s *Session) preset(t *Tree, own string) error {
	name := s.Env.Value("KCONFIG_ALLCONFIG")
	switch name {
	case "", "1":
		if name == "" && !s.Env.On("KCONFIG_ALLCONFIG") {
			return nil
		}
		for _, f := range []string{own, "all.config"} {
			err := s.read(t, f)
			if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return fmt.Errorf("KCONFIG_ALLCONFIG=%s, but there is neither %s nor all.config", name, own)
	}
	if err := s.read(t, name); err != nil && !errors.Is(err, ErrFailed) {
		return fmt.Errorf("cannot read the seed configuration %s (KCONFIG_ALLCONFIG): %w", name, err)
	} else {
		return err
	}
}

func (s *Session) tinyconfig([]string) error {
	t, err := s.Load()
	if err != nil {
		return err
	}
	if err := s.read(t, filepath.Join("configs", "tiny.config")); err != nil {
		return err
	}
	return s.answer(t, AllNo, true)
}

func (s *Session) rewrite(from, to Tristate) error {
	t, err := s.Load()
	if err != nil {
		return err
	}
	if err := s.readExisting(t); err != nil {
		return err
	}
	t.RewriteTristates(from, to)
	return s.save(t)
}
