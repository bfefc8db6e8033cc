package packetdrill_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// mutation changes one rule of the stack. The suite must notice.
type mutation struct {
	file     string // from the root of the repository
	old, new string // old occurs exactly once
	rule     string
	script   string // that must fail, from scripts/ and without .pkt; "" for any
}

// A suite that cannot fail proves nothing: each mutation of one rule makes a script
// fail. The stack is built with `go test -overlay`, so that no source is written. A
// build takes some ten seconds: all of them when LIBOS_SOAK is 1, four of them
// otherwise, none with -short.
func TestMutationsAreNoticedSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("each mutation is a build of some ten seconds: run without -short")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	rows := mutations()
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(rows))
	if os.Getenv("LIBOS_SOAK") != "1" {
		order = order[:4]
	}
	began := time.Now()
	for i, k := range order {
		m := rows[k]
		t.Run(strings.ReplaceAll(m.rule, " ", "-"), func(t *testing.T) {
			failed := m.run(t, root)
			line := fmt.Sprintf("mutation %d of %d, %.0f s: %s (%s): %d scripts failed", i+1, len(order), time.Since(began).Seconds(), m.rule, m.file, len(failed))
			fmt.Println("progress: " + line)
			t.Log(strings.Join(failed, " "))
		})
	}
}

// A row that no longer fits the source is told at once, without a build.
func TestMutationsFitTheSource(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range mutations() {
		if seen[m.rule] {
			t.Errorf("two mutations are called %q", m.rule)
		}
		seen[m.rule] = true
		if _, err := m.apply(".."); err != nil {
			t.Error(err)
		}
		if m.script == "" {
			continue
		}
		if _, err := os.Stat(m.path()); err != nil {
			t.Errorf("%s: the script that should notice is missing: %v", m.rule, err)
		}
	}
	if len(seen) < 50 {
		t.Errorf("%d mutations, 50 are the least", len(seen))
	}
}

// path is the script that must fail.
func (m *mutation) path() string {
	if strings.HasPrefix(m.script, "testdata/") {
		return m.script + ".pkt"
	}
	return "scripts/" + m.script + ".pkt"
}

// apply is the text of the file with the mutation.
func (m *mutation) apply(root string) (string, error) {
	b, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return "", fmt.Errorf("%s: %w", m.rule, err)
	}
	if n := strings.Count(string(b), m.old); n != 1 || m.old == m.new {
		return "", fmt.Errorf("%s: %s has %q %d times, not once: write the row anew", m.rule, m.file, m.old, n)
	}
	return strings.Replace(string(b), m.old, m.new, 1), nil
}

var failedScript = regexp.MustCompile(`(?m)^\s+--- FAIL: Test\w+/((?:scripts|testdata)/\S+\.pkt) `)

// run builds the scripts' test with the mutation and runs it; it returns the scripts
// that failed.
func (m *mutation) run(t *testing.T, root string) (failed []string) {
	t.Helper()
	text, err := m.apply(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mutant, overlay, binary := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "scripts.test")
	table, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, m.file): mutant}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{mutant: []byte(text), overlay: table} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("the mutant of %s does not build: %v\n%s", m.file, err, out)
	}
	out, err := exec.CommandContext(ctx, binary, "-test.run=^(TestScripts|TestSuite)$", "-test.timeout=60s").CombinedOutput()
	if err == nil {
		t.Fatalf("no script noticed that %s has %q for %q", m.file, m.new, m.old)
	}
	for _, x := range failedScript.FindAllStringSubmatch(string(out), -1) {
		failed = append(failed, x[1])
	}
	if len(failed) == 0 && !strings.Contains(string(out), "panic: ") {
		t.Fatalf("the scripts did not run: %v\n%s", err, out)
	}
	if m.script == "" {
		return failed
	}
	for _, f := range failed {
		if f == m.path() {
			return failed
		}
	}
	if len(failed) > 0 {
		t.Errorf("%s did not notice, only %s", m.path(), strings.Join(failed, " "))
	}
	return failed
}
