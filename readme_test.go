package libos_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// block is a fenced block of the README.
type block struct{ language, text string }

func readmeBlocks(t *testing.T) (all []block) {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		all = append(all, block{m[1], m[2]})
	}
	return all
}

// The program of the README builds against this tree, as a module of its own,
// and prints what the README says.
func TestTheProgramOfTheReadme(t *testing.T) {
	blocks := readmeBlocks(t)
	tree, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for i, b := range blocks {
		if b.language != "go" {
			continue
		}
		found = true
		dir := t.TempDir()
		for name, text := range map[string]string{
			"main.go": b.text,
			"go.sum":  string(sums), // so that no checksum database is asked
			"go.mod": "module example.com/program\n\ngo 1.26.0\n\nrequire github.com/libos-go/libos v0.0.0\n\n" +
				"replace github.com/libos-go/libos => " + tree + "\n",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		c := exec.Command("go", "run", ".")
		c.Dir = dir
		c.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "PWD="+dir)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if want := blocks[i+1].text; string(out) != want {
			t.Errorf("it prints %q, the README says %q", out, want)
		}
	}
	if !found {
		t.Error("the README has no program")
	}
}

// variable is what differs from run to run: numbers, sums, units of
// sizes, and where the control socket is.
var variable = regexp.MustCompile(`[0-9a-f]{64}|\S+/default\.sock|\d[\d,.]*( [KMG]i?B\b| [kMG]?bit/s)?`)

func constant(line string) string {
	return variable.ReplaceAllString(strings.TrimSpace(line), "#")
}

// The commands of the README run as written, one after the other in one shell, in
// a copy of the tree, and print the lines that it shows, in that order and maybe
// among others.
func TestTheCommandsOfTheReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds three stacks: not with -short")
	}
	for _, tool := range []string{"make", "sh"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	const mark = "@@ command "
	script := ""
	type command struct {
		line string
		want []string
	}
	var commands []command
	for _, b := range readmeBlocks(t) {
		if b.language != "console" || missing(t, b.text) {
			continue
		}
		for line := range strings.Lines(b.text) {
			line = strings.TrimRight(line, "\n")
			if c, ok := strings.CutPrefix(line, "$ "); ok {
				script += "echo '" + mark + strconv.Itoa(len(commands)) + "'\n" + c + "\n"
				commands = append(commands, command{line: c})
				continue
			}
			last := &commands[len(commands)-1]
			last.want = append(last.want, line)
		}
	}
	dir := copyOfTheTree(t)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "sh", "-c", script)
	defer inAGroup(c)()
	c.WaitDelay = 5 * time.Second // for what the shell left in the background
	c.Dir = dir
	c.Env = append(os.Environ(), "PWD="+dir, "XDG_RUNTIME_DIR="+t.TempDir())
	raw, err := c.CombinedOutput()
	if err != nil {
		t.Logf("the shell: %v", err) // the last command of the README is one that fails
	}
	said := make([][]string, len(commands))
	at := -1
	for line := range strings.Lines(string(raw)) {
		if n, ok := strings.CutPrefix(line, mark); ok {
			if at, err = strconv.Atoi(strings.TrimSpace(n)); err != nil {
				t.Fatal(err)
			}
		} else if at >= 0 {
			said[at] = append(said[at], strings.TrimRight(line, "\n"))
		}
	}
	for i, x := range commands {
		rest := said[i]
		for _, want := range x.want {
			k := 0
			for k < len(rest) && constant(rest[k]) != constant(want) {
				k++
			}
			if k == len(rest) {
				t.Errorf("$ %s\ndoes not print (or not in this order)\n  %s\nbut\n  %s", x.line, want, strings.Join(said[i], "\n  "))
				break
			}
			rest = rest[k+1:]
		}
	}
	// what leaving IPv6 out saves
	binary := regexp.MustCompile(`(?m)^binary +([\d,]+) bytes`).FindAllStringSubmatch(string(raw), -1)
	claim := regexp.MustCompile(`saves some ([\d.]+) MB`).FindStringSubmatch(readme(t))
	if len(binary) < 2 || claim == nil {
		t.Fatalf("%d sizes of binaries, claim %q", len(binary), claim)
	}
	var size [2]float64
	for i, m := range binary[:2] {
		if size[i], err = strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64); err != nil {
			t.Fatal(err)
		}
	}
	mb, err := strconv.ParseFloat(claim[1], 64)
	if saved := (size[0] - size[1]) / 1e6; err != nil || saved < mb/1.5 || saved > mb*1.5 {
		t.Errorf("leaving IPv6 out saves %.2f MB, the README says %s", saved, claim[1])
	}
}

// missing tells whether commands are of a program that is not installed, and says so.
func missing(t *testing.T, commands string) (is bool) {
	t.Helper()
	for _, tool := range []string{"curl", "python3"} {
		if _, err := exec.LookPath(tool); err != nil && slices.Contains(strings.Fields(commands), tool) {
			t.Run("with "+tool, func(t *testing.T) { t.Skipf("%s is not installed: left out is\n%s", tool, commands) })
			is = true
		}
	}
	return is
}

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// copyOfTheTree is where commands may write.
func copyOfTheTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == ".git" || path == "build" || path == ".config" || path == ".config.old" || path == "defconfig":
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir():
			return os.MkdirAll(filepath.Join(dir, path), 0o755)
		case !e.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, path), text, info.Mode().Perm()|0o200)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// The table of features names every symbol that has a prompt, and none that does
// not exist.
func TestTheFeaturesOfTheReadme(t *testing.T) {
	_, table, _ := strings.Cut(readme(t), "\n## Features\n")
	table, _, _ = strings.Cut(table, "\n## ")
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`([A-Z][A-Z0-9_]+)`").FindAllStringSubmatch(table, -1) {
		named[m[1]] = true
	}
	prompts, exist := map[string]bool{}, map[string]bool{}
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() != "Kconfig.toml" || strings.Contains(path, "testdata") || strings.HasPrefix(path, "build") ||
			strings.HasPrefix(path, "examples/modules/") { // which are no part of the tree, as those of third parties

			return err
		}
		text, err := os.ReadFile(path)
		for _, item := range strings.Split(string(text), "[[item") {
			m := regexp.MustCompile(`(?m)^\s*(?:menu)?config = "(\w+)"`).FindStringSubmatch(item)
			if m == nil {
				continue
			}
			exist[m[1]] = true
			if regexp.MustCompile(`(?m)^\s*prompt = `).MatchString(item) {
				prompts[m[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for s := range named {
		if !exist[s] {
			t.Errorf("%s is no symbol", s)
		}
	}
	for s := range prompts {
		if !named[s] {
			t.Errorf("%s is missing", s)
		}
	}
	if len(prompts) < 20 {
		t.Errorf("only %d symbols with a prompt were found", len(prompts))
	}
}
