package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// event is a line of `go test -json` (go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64 // seconds
}

// report gathers events and prints them as they become final.
type report struct {
	out                    io.Writer
	passed, failed, broken int // tests, tests, packages
	skips                  []string
	output                 map[[2]string][]string // package and test: lines so far
}

func newReport(out io.Writer) *report {
	return &report{out: out, output: map[[2]string][]string{}}
}

// read consumes the events of a whole run. Lines that are no events (of a
// package that does not build) are printed as they are.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				fmt.Fprint(r.out, line)
			} else {
				r.add(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) add(e event) {
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "output":
		if text, ok := strings.CutPrefix(e.Output, "progress: "); ok { // of a long test: told at once
			fmt.Fprint(r.out, text)
			return
		}
		r.output[key] = append(r.output[key], e.Output)
		return
	case "build-output":
		fmt.Fprint(r.out, e.Output)
		return
	case "build-fail":
		return // its package fails in turn
	case "pass", "fail", "skip":
	default:
		return
	}
	lines := r.output[key]
	delete(r.output, key)
	if e.Test == "" {
		r.endPackage(e, lines)
		return
	}
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		fmt.Fprintf(r.out, "%s %s\n%s", e.Package, e.Test, strings.Join(lines, ""))
	case "skip":
		skip := fmt.Sprintf("SKIP %s %s: %s", e.Package, e.Test, reason(lines))
		r.skips = append(r.skips, skip)
	}
}

func (r *report) endPackage(e event, lines []string) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(r.out, "ok   %s %.1fs\n", e.Package, e.Elapsed)
	case "fail":
		r.broken++
		fmt.Fprint(r.out, strings.Join(lines, ""))
		for key, rest := range r.output { // of the test that ran when the process died
			if key[0] == e.Package {
				fmt.Fprintf(r.out, "%s %s\n%s", key[0], key[1], strings.Join(rest, ""))
				delete(r.output, key)
			}
		}
		fmt.Fprintf(r.out, "FAIL %s %.1fs\n", e.Package, e.Elapsed)
	}
}

// reason joins what a skipped test printed, without go test's own framing.
func reason(lines []string) string {
	var said []string
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "=== ") || strings.HasPrefix(l, "--- ") {
			continue
		}
		if i := strings.Index(l, ": "); i > 0 && strings.Contains(l[:i], ".go:") {
			l = l[i+2:]
		}
		said = append(said, l)
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, "; ")
}

// note prints the skips and the closing line.
func (r *report) note(what string) {
	for _, s := range r.skips {
		fmt.Fprintln(r.out, s)
	}
	line := fmt.Sprintf("%s: %d tests passed, %d failed, %d skipped", what, r.passed, r.failed, len(r.skips))
	if r.broken > 0 {
		line += fmt.Sprintf("; %d packages failed", r.broken)
	}
	if len(r.skips) > 0 {
		line += " for the reasons above (.ci/run installs what they need)"
	}
	fmt.Fprintln(r.out, line)
}
