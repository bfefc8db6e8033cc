package main

import (
	"strings"
	"testing"
)

func TestReportTellsFailuresSkipsAndCounts(t *testing.T) {
	for _, c := range []struct {
		name, in       string
		want           []string
		not            []string
		failed, broken int
	}{
		{
			name: "passing tests are counted and silent",
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Elapsed":0.5}`,
			want: []string{"ok   p 0.5s\n", "x: 1 tests passed, 0 failed, 0 skipped\n"},
			not:  []string{"noise"},
		},
		{
			name: "progress of a test that passes is told",
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"progress: 1 of 2\n"}
{"Action":"pass","Package":"p","Test":"TestA"}`,
			want: []string{"1 of 2\nx: 1 tests passed"},
			not:  []string{"progress"},
		},
		{
			name: "a skip gives its reason",
			in: `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: needs root\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"skip","Package":"q"}`,
			want: []string{"SKIP p TestA: needs root\n", "1 skipped for the reasons above"},
			not:  []string{"q"},
		},
		{
			name:   "a failure shows its output",
			in:     `{"Action":"output","Package":"p","Test":"TestA","Output":"got 1\n"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestA"}` + "\n" + `{"Action":"fail","Package":"p"}`,
			want:   []string{"p TestA\ngot 1\n", "FAIL p", "0 tests passed, 1 failed", "1 packages failed"},
			failed: 1, broken: 1,
		},
		{
			name:   "a crash shows what the running test had printed",
			in:     `{"Action":"output","Package":"p","Test":"TestA","Output":"panic: x\n"}` + "\n" + `{"Action":"fail","Package":"p"}`,
			want:   []string{"p TestA\npanic: x\n"},
			broken: 1,
		},
		{
			name:   "a package that does not build shows the compiler's words",
			in:     `{"Action":"build-output","ImportPath":"p","Output":"p.go:1: bad\n"}` + "\n" + `{"Action":"build-fail","ImportPath":"p"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\nplain line",
			want:   []string{"p.go:1: bad\n", "plain line", "1 packages failed"},
			broken: 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			r := newReport(&out)
			if err := r.read(strings.NewReader(c.in)); err != nil {
				t.Fatal(err)
			}
			r.note("x")
			for _, w := range c.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("no %q in:\n%s", w, out.String())
				}
			}
			for _, w := range c.not {
				if strings.Contains(out.String(), w) {
					t.Errorf("%q in:\n%s", w, out.String())
				}
			}
			if r.failed != c.failed || r.broken != c.broken {
				t.Errorf("failed %d, broken %d; want %d, %d", r.failed, r.broken, c.failed, c.broken)
			}
		})
	}
}
