package tomlplace

import (
	"strings"
	"testing"
)

func TestTextThatNestsTooDeepIsFoundBeforeItIsParsed(t *testing.T) {
	deep := func(open, middle, end string, n int) string {
		return strings.Repeat(open, n) + middle + strings.Repeat(end, n)
	}
	for _, c := range []struct {
		name, text string
		line       int
	}{
		{"a file as they are", "[a]\nb = [[1.5, 2.5], [\"x\"]]\n[[c.d]]\ne = {f = 1}\n", 0},
		{"lists at the limit", "a = " + deep("[", "", "]", MaxNesting), 0},
		{"lists", "\n\na = " + deep("[", "", "]", MaxNesting+1), 3},
		{"lists over lines", "a = " + deep("[\n", "", "]", MaxNesting+1), MaxNesting + 1},
		{"tables", "a = " + deep("{b=", "1", "}", 100_000), 1},
		{"parts of a key", "x = 1\n" + strings.Repeat("a.", MaxNesting) + "b = 1", 2},
		{"parts of a table's name", "[" + strings.Repeat("a.", MaxNesting) + "b]", 1},
		{"many numbers are no parts", "a = [" + strings.Repeat("1.5, ", 1000) + "]", 0},
		{"brackets of a comment", "# " + deep("[", "", "", 100) + "\na = 1", 0},
		{"brackets of strings", "a = \"" + deep("[", `\"`, "{", 100) + "\"\nb = '" + deep("[", "", "", 100) + "'", 0},
		{"brackets of strings of several lines", "a = \"\"\"" + deep("[\n", "\"\" ", "", 100) + "\"\"\"\"\"\nb = '''" + deep("[", "\n", "", 100) + "'''", 0},
		{"lists behind them", "a = \"\"\"\n\n\"\"\"\"\"\nb = " + deep("[", "", "]", MaxNesting+1), 4},
		{"a string without end", "a = \"[\nb = " + deep("[", "", "", MaxNesting+1), 2},
	} {
		if line := TooDeep(c.text); line != c.line {
			t.Errorf("%s: line %d, want %d", c.name, line, c.line)
		}
	}
}

func FuzzTooDeep(f *testing.F) {
	f.Add("a = [[1.5], {b.c = '''x'''}] # [\n\"d\\\"\" = \"\"\"[\"\"\"\"")
	f.Fuzz(func(t *testing.T, text string) {
		if line, lines := TooDeep(text), strings.Count(text, "\n")+1; line < 0 || line > lines {
			t.Errorf("line %d of %d", line, lines)
		}
	})
}
