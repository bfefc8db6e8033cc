// Package expect compares what an example prints with what its doc comment says
// it does: the indented lines of main.go's package comment.
package expect

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"regexp"
	"strings"
	"testing"
)

// Exactly runs an example in its own folder and wants just the lines of its doc
// comment.
func Exactly(t *testing.T, run func(io.Writer) error) {
	t.Helper()
	compare(t, run, func(s string) string { return s })
}

// ButTimes is Exactly with all durations taken for equal.
func ButTimes(t *testing.T, run func(io.Writer) error) {
	t.Helper()
	duration := regexp.MustCompile(`\b[0-9.]+(ms|s)\b`)
	compare(t, run, func(s string) string { return duration.ReplaceAllString(s, "TIME") })
}

// ButFigures is Exactly with all numbers, durations and sums taken for equal.
func ButFigures(t *testing.T, run func(io.Writer) error) {
	t.Helper()
	figure := regexp.MustCompile(`\b([0-9a-f]{16}|[0-9][0-9.]*(ms|s)?)\b`)
	compare(t, run, func(s string) string { return figure.ReplaceAllString(s, "N") })
}

func compare(t *testing.T, run func(io.Writer) error, normal func(string) string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "main.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	want := promised(file.Doc)
	if want == "" {
		t.Fatal("the doc comment of main.go shows no output")
	}
	var got bytes.Buffer
	if err := run(&got); err != nil {
		t.Fatal(err)
	}
	if normal(got.String()) != normal(want) {
		t.Errorf("it printed\n%sthe doc comment says\n%s", got.String(), want)
	}
}

// promised is the indented lines of a comment.
func promised(c *ast.CommentGroup) string {
	var b strings.Builder
	if c == nil {
		return ""
	}
	for line := range strings.Lines(c.Text()) {
		if text, ok := strings.CutPrefix(line, "\t"); ok {
			b.WriteString(text)
		}
	}
	return b.String()
}
