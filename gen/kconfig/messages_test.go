package kconfig

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// notInCases are formats that no case can show, with the reason.
var notInCases = map[string]string{
	"writing the configuration: %w":    "needs a folder that root cannot write to",
	"saving the defconfig: %w":         "needs a folder that root cannot write to",
	"reading the answers: %v\n":        "needs an input that breaks",
	"more than %d files sourced":       "needs a thousand files",
	"expression nested deeper than %d": "needs a line of thousands of parentheses; the fuzz target has one",
}

// Every message that the tool can give is in the expected output of a case:
// each format with words in it, of every call that makes a message.
func TestEveryMessageHasACase(t *testing.T) {
	var output strings.Builder
	files, err := filepath.Glob("testdata/cases/*/expected_[cs]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		output.Write(data)
	}
	shown := output.String()
	formats := messageFormats(t)
	if len(formats) < 100 {
		t.Errorf("%d formats of messages found, there are more", len(formats))
	}
	for format, at := range formats {
		if shownBy(format, shown) {
			if notInCases[format] != "" {
				t.Errorf("%s: %q is in a case, and listed as one that cannot be", at, format)
			}
			continue
		}
		if notInCases[format] == "" {
			t.Errorf("%s: no case shows %q", at, format)
		}
	}
	t.Logf("%d messages, all but %d of them in cases", len(formats), len(notInCases))
}

var verb = regexp.MustCompile(`%[-+#*0-9]*[a-zA-Z]`)

// Every target and every variable of the environment is in a case.
func TestEveryTargetAndVariableHasACase(t *testing.T) {
	used := map[string]bool{}
	files, err := filepath.Glob("testdata/cases/*/cmd")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
			env, args := splitCommand(line)
			for name := range env {
				used[name] = true
			}
			if args[0] == "json" {
				used["json"], args = true, args[1:]
			}
			used[args[0]] = true
			switch { // the patterns
			case strings.HasSuffix(args[0], "_defconfig"):
				used["NAME_defconfig"] = true
			case strings.HasSuffix(args[0], ".config"):
				used["X.config"] = true
			}
		}
	}
	want := []string{"NAME_defconfig", "X.config", "set", "get", "explain", "diffconfig", "merge", "header", "json"}
	for _, target := range TargetHelp() {
		want = append(want, target[0])
	}
	variable := regexp.MustCompile(`KCONFIG_[A-Z_]+`)
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range sources {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, variable.FindAllString(string(data), -1)...)
	}
	for _, w := range want {
		// mod2yes is short for mod2yesconfig
		if !used[w] && !used[strings.TrimSuffix(w, "config")] {
			t.Errorf("no case for %s", w)
			used[w] = true
		}
	}
}

// shownBy tells whether the text holds what a format can print.
func shownBy(format, text string) bool {
	parts := verb.Split(strings.TrimSpace(format), -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(strings.Join(parts, `.*?`)).MatchString(text)
}

// messageFormats finds the formats and texts of messages in the sources, with
// their places.
func messageFormats(t *testing.T) map[string]string {
	t.Helper()
	set := token.NewFileSet()
	out := map[string]string{}
	words := regexp.MustCompile(`[a-z]{2}.* |[a-z]+ [a-z]`)
	add := func(e ast.Expr) {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		text, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		if words.MatchString(verb.ReplaceAllString(text, "")) {
			out[text] = set.Position(lit.Pos()).String()
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr: // Message{Text: …}
				if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Text" {
					add(n.Value)
				}
			case *ast.CallExpr:
				name := ""
				switch f := n.Fun.(type) {
				case *ast.Ident:
					name = f.Name
				case *ast.SelectorExpr:
					name = f.Sel.Name
				}
				switch name {
				case "Errorf", "Sprintf", "say":
					add(n.Args[0])
				case "errorf", "warnf", "warning", "warn", "add", "Fprintf", "Fprintln", "Fprint":
					if len(n.Args) > 1 {
						add(n.Args[1])
					}
				}
			}
			return true
		})
	}
	return out
}
