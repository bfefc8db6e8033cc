package kconfig

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	oracleTrees = 1000
	oracleBatch = 20 // trees in one file, each with names of its own
)

// An oracle is kconfig-frontends' kconfig-conf (Linux 4.11's kconfig).
type oracle struct {
	t    *testing.T
	conf string
	dir  string

	compared  int            // configurations of single trees
	unsolved  int            // of their randconfigs, that their own olddefconfig changed
	explained map[string]int // those left out, by the difference that explains it
}

func newOracle(t *testing.T) *oracle {
	conf, err := exec.LookPath("kconfig-conf")
	if err != nil {
		t.Skip("kconfig-conf is not installed (Debian package kconfig-frontends-nox): nothing to compare with")
	}
	return &oracle{t: t, conf: conf, dir: t.TempDir(), explained: map[string]int{}}
}

// run runs one target in the oracle's directory, with .config as given (nil:
// none), and returns the .config after it and its standard output.
func (o *oracle) run(config []byte, env []string, args ...string) (string, string) {
	o.t.Helper()
	path := filepath.Join(o.dir, ".config")
	os.Remove(path)
	if config != nil {
		o.write(".config", config)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.conf, append(args, "Kconfig")...)
	cmd.Dir = o.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}, env...)
	var stderr bytes.Buffer
	out := filepath.Join(o.dir, "stdout")
	file, err := os.Create(out)
	if err != nil {
		o.t.Fatal(err)
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, &stderr
	if err := cmd.Run(); err != nil {
		o.t.Fatalf("%s: %v\n%s", cmd, err, stderr.String())
	}
	data, _ := os.ReadFile(path)
	return string(data), o.read("stdout")
}

func (o *oracle) write(name string, data []byte) {
	o.t.Helper()
	if err := os.WriteFile(filepath.Join(o.dir, name), data, 0o644); err != nil {
		o.t.Fatal(err)
	}
}

// batch is several random trees in one file.
type batch struct {
	numbers bool // every int and hex has a default
	gens    []*treegen
	items   []*gnode
	toml    string
	klang   string
}

func newBatch(seed uint64) *batch {
	r := rand.New(rand.NewPCG(seed, 1))
	b := &batch{numbers: seed%2 == 1}
	mod := &gnode{kind: "config", name: "MODULES", typ: "bool", modules: true}
	switch r.IntN(4) {
	case 0:
		mod.defaults = []string{"y"}
	case 1:
		mod.prompt, mod.defaults = "Modules", []string{"y"}
	case 2:
		mod.prompt = "Modules"
	case 3:
		mod.defaults = []string{"n"}
	}
	b.items = append(b.items, mod)
	for i := range oracleBatch {
		g := &treegen{r: r, numbers: b.numbers, prefix: fmt.Sprintf("T%d_", int(seed)*oracleBatch+i)}
		items := g.tree(6 + r.IntN(30))
		g.repair(items)
		b.gens = append(b.gens, g)
		b.items = append(b.items, items...)
	}
	var k, tm strings.Builder
	k.WriteString("mainmenu \"Random trees\"\n\n")
	kconfigText(&k, b.items)
	tm.WriteString("mainmenu = \"Random trees\"\n")
	tomlText(&tm, b.items, 0)
	b.toml, b.klang = tm.String(), k.String()
	return b
}

func (b *batch) load(t *testing.T) *Tree {
	t.Helper()
	tree, ms := loadText(b.toml, nil)
	if ms.Errors() {
		t.Fatalf("%s\n%s", ms, b.toml)
	}
	return tree
}

// userConfig makes a random .config. Symbols are mentioned or not; of a choice
// one member at most is y, and the others are n only where no member can be
// hidden (see the difference choice-explicit-n).
func (b *batch) userConfig(r *rand.Rand) []byte {
	var out strings.Builder
	line := func(name, val string) {
		if val == "n" {
			fmt.Fprintf(&out, "# CONFIG_%s is not set\n", name)
		} else {
			fmt.Fprintf(&out, "CONFIG_%s=%s\n", name, val)
		}
	}
	if r.IntN(2) == 0 {
		line("MODULES", pick(r, "y", "n", "y"))
	}
	for _, g := range b.gens {
		chosen, quiet := map[int]int{}, map[int]bool{}
		for _, s := range g.syms {
			if s.member {
				if _, ok := chosen[s.choice]; !ok {
					chosen[s.choice] = r.IntN(6) - 1
				}
				quiet[s.choice] = quiet[s.choice] || s.hidden
			}
		}
		at := map[int]int{}
		for _, s := range g.syms {
			if s.member {
				n := at[s.choice]
				at[s.choice]++
				if chosen[s.choice] == n {
					line(s.name, "y")
				} else if chosen[s.choice] >= 0 && !quiet[s.choice] && chosen[s.choice] < g.count(s.choice) {
					line(s.name, "n")
				}
				continue
			}
			if r.IntN(3) == 0 {
				continue
			}
			switch s.typ {
			case "bool":
				line(s.name, pick(r, "y", "n"))
			case "tristate":
				line(s.name, pick(r, "y", "m", "n"))
			case "string":
				line(s.name, pick(r, `"abc"`, `"x \"y\" \\z"`, `""`))
			case "int":
				line(s.name, fmt.Sprint(r.IntN(220)-60))
			case "hex":
				line(s.name, fmt.Sprintf("0x%x", r.IntN(220)))
			}
		}
	}
	return []byte(out.String())
}

func (g *treegen) count(choice int) int {
	n := 0
	for _, s := range g.syms {
		if s.choice == choice {
			n++
		}
	}
	return n
}

func TestRandomTreesAgainstKconfigFrontends(t *testing.T) {
	o := newOracle(t)
	for seed := range uint64(oracleTrees / oracleBatch) {
		compareBatch(o, seed)
		if t.Failed() {
			return
		}
	}
	left := 0
	for why, n := range o.explained {
		t.Logf("%s: %d configurations left out", why, n)
		left += n
	}
	t.Logf("randconfig-unsolved: %d of %d of their randconfigs", o.unsolved, oracleTrees/oracleBatch)
	t.Logf("%d trees, %d configurations compared", oracleTrees, o.compared-left)
	if left > o.compared/20 {
		t.Errorf("%d of %d configurations left out: more than a twentieth", left, o.compared)
	}
}

func compareBatch(o *oracle, seed uint64) {
	t := o.t
	b := newBatch(seed)
	o.write("Kconfig", []byte(b.klang))
	r := rand.New(rand.NewPCG(seed, 2))
	same := func(target, theirs string, tree *Tree) {
		t.Helper()
		ours := asLinux411(tree)
		for _, g := range b.gens {
			if why := differs411(tree, g.prefix); why != "" {
				o.explained[why]++
				theirs, ours = without(theirs, g.prefix), without(ours, g.prefix)
			}
		}
		o.compared += len(b.gens)
		if d := firstDifference(theirs, ours); d != "" {
			keep := filepath.Join(os.TempDir(), "kconfig-oracle")
			os.MkdirAll(keep, 0o755)
			os.WriteFile(filepath.Join(keep, "Kconfig"), []byte(b.klang), 0o644)
			os.WriteFile(filepath.Join(keep, "Kconfig.toml"), []byte(b.toml), 0o644)
			os.WriteFile(filepath.Join(keep, "theirs"), []byte(theirs), 0o644)
			os.WriteFile(filepath.Join(keep, "ours"), []byte(ours), 0o644)
			t.Errorf("batch %d, %s: %s (files in %s)", seed, target, d, keep)
		}
	}
	for _, m := range []struct {
		name string
		mode Mode
	}{{"allnoconfig", AllNo}, {"allyesconfig", AllYes}, {"allmodconfig", AllMod}} {
		theirs, _ := o.run(nil, nil, "--"+m.name)
		tree := b.load(t)
		tree.SetAll(m.mode, nil, Probability{})
		same(m.name, theirs, tree)
	}
	theirs, _ := o.run(nil, nil, "--alldefconfig")
	same("alldefconfig", theirs, b.load(t))

	user := b.userConfig(r)
	tree := b.load(t)
	if ms := tree.ParseConfig(".config", user); len(ms) > 0 {
		t.Errorf("batch %d: %s", seed, ms)
	}
	theirs, _ = o.run(user, nil, "--olddefconfig")
	same("olddefconfig", theirs, tree)
	solved := theirs

	// oldconfig with no answers keeps the defaults. (Linux 4.11 asks without end
	// for a number that has none.)
	if b.numbers {
		theirs, _ = o.run(user, nil, "--oldconfig")
		old := b.load(t)
		old.ParseConfig(".config", user)
		(&asker{t: old, in: bufio.NewReader(strings.NewReader("")), out: io.Discard, errOut: io.Discard}).news()
		same("oldconfig", theirs, old)
	}

	_, theirs = o.run(user, nil, "--listnewconfig")
	tree = b.load(t)
	tree.ParseConfig(".config", user)
	theirs = onlyConfig(theirs) // without remarks on expressions
	o.sameLines("listnewconfig", seed, b, tree, theirs, listNew411(tree))

	o.run(user, nil, "--savedefconfig=minimal")
	minimal := o.read("minimal")
	tree = b.load(t)
	tree.ParseConfig(".config", user)
	o.sameLines("savedefconfig", seed, b, tree, minimal, minimal411(tree))

	o.write("minimal", []byte(minimal))
	theirs, _ = o.run(nil, nil, "--defconfig=minimal")
	tree = b.load(t)
	tree.ParseConfig("minimal", []byte(minimal))
	same("defconfig", theirs, tree)

	// What either side's randconfig makes, the other side keeps.
	theirs, _ = o.run(nil, []string{fmt.Sprintf("KCONFIG_SEED=%d", seed+1)}, "--randconfig")
	tree = b.load(t)
	tree.ParseConfig(".config", []byte(theirs))
	// randconfig-unsolved: Linux 4.11's randconfig at times leaves a symbol out
	// that its own olddefconfig then adds.
	fixed, _ := o.run([]byte(theirs), nil, "--olddefconfig")
	if fixed != theirs {
		o.unsolved++
	}
	same("olddefconfig of their randconfig", fixed, tree)
	tree = b.load(t)
	tree.SetAll(AllRandom, rand.New(rand.NewPCG(seed, 3)), Probability{50, 33, 33})
	random := tree.Config()
	theirs, _ = o.run(random, nil, "--olddefconfig")
	tree = b.load(t)
	tree.ParseConfig(".config", random)
	if !bytes.Equal(tree.Config(), random) {
		t.Errorf("batch %d: our own olddefconfig changes our randconfig", seed)
	}
	same("their olddefconfig of our randconfig", theirs, tree)

	// A preset under allyesconfig.
	o.write("preset", []byte(solved))
	theirs, _ = o.run(nil, []string{"KCONFIG_ALLCONFIG=preset"}, "--allyesconfig")
	tree = b.load(t)
	tree.ParseConfig("preset", []byte(solved))
	tree.SetAll(AllYes, nil, Probability{})
	same("allyesconfig over a preset", theirs, tree)
}

func (o *oracle) read(name string) string {
	data, err := os.ReadFile(filepath.Join(o.dir, name))
	if err != nil {
		o.t.Fatal(err)
	}
	return string(data)
}

// sameLines compares output that is not a .config.
func (o *oracle) sameLines(target string, seed uint64, b *batch, tree *Tree, theirs, ours string) {
	o.t.Helper()
	for _, g := range b.gens {
		if why := differs411(tree, g.prefix); why != "" {
			o.explained[why]++
			theirs, ours = without(theirs, g.prefix), without(ours, g.prefix)
		}
	}
	o.compared += len(b.gens)
	if d := firstDifference(theirs, ours); d != "" {
		keep := filepath.Join(os.TempDir(), "kconfig-oracle")
		os.MkdirAll(keep, 0o755)
		os.WriteFile(filepath.Join(keep, "Kconfig"), []byte(b.klang), 0o644)
		os.WriteFile(filepath.Join(keep, "theirs"), []byte(theirs), 0o644)
		os.WriteFile(filepath.Join(keep, "ours"), []byte(ours), 0o644)
		o.t.Errorf("batch %d, %s: %s (files in %s)", seed, target, d, keep)
	}
}

// firstDifference names the first line that differs.
func firstDifference(theirs, ours string) string {
	a, b := strings.Split(theirs, "\n"), strings.Split(ours, "\n")
	for i := range max(len(a), len(b)) {
		get := func(l []string) string {
			if i < len(l) {
				return l[i]
			}
			return "(end)"
		}
		if get(a) != get(b) {
			return fmt.Sprintf("line %d: theirs %q, ours %q", i+1, get(a), get(b))
		}
	}
	return ""
}

// without drops the lines about one tree.
func without(config, prefix string) string {
	var keep []string
	for _, l := range strings.Split(config, "\n") {
		if !strings.Contains(l, "CONFIG_"+prefix) && !strings.HasSuffix(l, " "+prefix) && !strings.Contains(l, " "+prefix) {
			keep = append(keep, l)
		}
	}
	return strings.Join(keep, "\n")
}

func onlyConfig(out string) string {
	var b strings.Builder
	for _, l := range strings.SplitAfter(out, "\n") {
		if strings.HasPrefix(l, prefix) {
			b.WriteString(l)
		}
	}
	return b.String()
}
