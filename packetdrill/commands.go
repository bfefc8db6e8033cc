package packetdrill

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// setup is one command of init or cleanup that is known: sysctl, a write under
// /proc/sys, ip or tc.
type setup struct {
	Tool string   // sysctl, ip, tc
	Args []string // of ip and tc
	// Name and Value are of sysctl, with dots.
	Name, Value string
	Optional    bool // -e: a name that is not known is passed over
}

// commandError is a failure at a line of a command, from 0.
type commandError struct {
	line int
	text string
}

func (e *commandError) Error() string { return e.text }

// runCommands runs the lines of a command in backticks.
func runCommands(sys System, text string, shell bool) *commandError {
	type step struct {
		line int
		text string
		list []setup
	}
	var steps []step
	for i, line := range strings.Split(strings.ReplaceAll(text, "\\\n", " \n"), "\n") {
		for _, part := range splitCommands(line) {
			list, err := parseCommand(part)
			if err != nil && shell {
				if err := sys.Shell(text); err != nil {
					return &commandError{i, fmt.Sprintf("%s: %v", strings.TrimSpace(text), err)}
				}
				return nil
			}
			if err != nil {
				return &commandError{i, fmt.Sprintf("`%s`: %v", part, err)}
			}
			steps = append(steps, step{i, part, list})
		}
	}
	for _, s := range steps {
		for i := range s.list {
			if err := sys.Configure(&s.list[i]); err != nil && !(s.list[i].Optional && errors.Is(err, fs.ErrNotExist)) {
				return &commandError{s.line, fmt.Sprintf("`%s`: %v", s.text, err)}
			}
		}
	}
	return nil
}

// splitCommands cuts a line at ; and &&, outside of quotes and comments.
func splitCommands(line string) (list []string) {
	quote, start := byte(0), 0
	add := func(end int) {
		if t := strings.TrimSpace(line[start:end]); t != "" {
			list = append(list, t)
		}
	}
	for i := 0; i < len(line); i++ {
		switch ch := line[i]; {
		case quote != 0:
			if ch == quote {
				quote = 0
			}
		case ch == '"' || ch == '\'':
			quote = ch
		case ch == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			add(i)
			return list
		case ch == ';':
			add(i)
			start = i + 1
		case ch == '&' && i+1 < len(line) && line[i+1] == '&':
			add(i)
			start = i + 2
			i++
		}
	}
	add(len(line))
	return list
}

// words splits a command as a shell does, without its substitutions.
func words(text string) (list []string, err error) {
	var w strings.Builder
	quote, open := byte(0), false
	for i := range len(text) {
		switch ch := text[i]; {
		case quote != 0 && ch == quote:
			quote = 0
		case quote != 0:
			w.WriteByte(ch)
		case ch == '"' || ch == '\'':
			quote, open = ch, true
		case ch == '$' || ch == '|' || ch == '*' || ch == '(' || ch == '\\':
			return nil, fmt.Errorf("%q needs a shell: run with --allow-shell", string(ch))
		case ch == ' ' || ch == '\t' || ch == '\r':
			if open {
				list = append(list, w.String())
				w.Reset()
				open = false
			}
		case ch == '>':
			if open {
				list = append(list, w.String())
				w.Reset()
				open = false
			}
			list = append(list, ">")
		default:
			w.WriteByte(ch)
			open = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote has no end")
	}
	if open {
		list = append(list, w.String())
	}
	return list, nil
}

// parseCommand reads one command.
func parseCommand(text string) ([]setup, error) {
	w, err := words(text)
	if err != nil {
		return nil, err
	}
	if len(w) == 0 {
		return nil, nil
	}
	tool := w[0][strings.LastIndexByte(w[0], '/')+1:]
	switch tool {
	case "true", ":":
		return nil, nil
	case "sysctl":
		return parseSysctl(w[1:])
	case "echo", "printf":
		return parseEcho(w[1:])
	case "ip", "tc":
		args := w[1:]
		// 2>/dev/null and its like change nothing here.
		for i, a := range args {
			if a == ">" {
				n := i
				if n > 0 && args[n-1] == "2" {
					n--
				}
				args = args[:n]
				break
			}
		}
		return []setup{{Tool: tool, Args: args}}, nil
	}
	return nil, fmt.Errorf("%s is no command that is known here: use sysctl, echo VALUE > /proc/sys/…, ip or tc, or run with --allow-shell", w[0])
}

func parseSysctl(w []string) (list []setup, err error) {
	optional := false
	for i := 0; i < len(w); i++ {
		switch {
		case w[i] == ">":
			return list, nil
		case strings.HasPrefix(w[i], "-"):
			if strings.Trim(w[i], "-qweinN") != "" {
				return nil, fmt.Errorf("sysctl %s is not known here: use sysctl -q -w NAME=VALUE", w[i])
			}
			optional = optional || strings.Contains(w[i], "e")
			continue
		}
		name, value, ok := strings.Cut(w[i], "=")
		if !ok {
			return nil, fmt.Errorf("sysctl %s: write NAME=VALUE", w[i])
		}
		list = append(list, setup{Tool: "sysctl", Name: strings.ReplaceAll(name, "/", "."), Value: value, Optional: optional})
	}
	return list, nil
}

func parseEcho(w []string) ([]setup, error) {
	for len(w) > 0 && (w[0] == "-n" || w[0] == "-e") {
		w = w[1:]
	}
	n := len(w)
	if n < 2 || w[n-2] != ">" {
		return nil, errors.New("echo goes into a setting here: echo VALUE > /proc/sys/…")
	}
	name, ok := strings.CutPrefix(w[n-1], "/proc/sys/")
	if !ok || strings.Contains(name, "..") {
		return nil, fmt.Errorf("%s is no setting: echo VALUE > /proc/sys/…", w[n-1])
	}
	return []setup{{Tool: "sysctl", Name: strings.ReplaceAll(name, "/", "."), Value: strings.Join(w[:n-2], " ")}}, nil
}
