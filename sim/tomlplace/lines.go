// Package tomlplace finds where in a TOML file its tables, keys and list elements
// are, for messages that name the line: parsers do not tell (lines.go). It finds what
// would exhaust a parser before that (nesting.go).
package tomlplace

import (
	"fmt"
	"strings"
)

// Lines is where keys of a TOML file are: the parser does not tell. Keys are
// written with the index of each table of a list: instance.0.device.1.mtu. What
// is not found is where the nearest table around it is.
type Lines map[string]int

// Locate finds the lines of tables, keys and elements of lists. text is known
// to be TOML.
func Locate(text string) Lines {
	lines := Lines{}
	counts := map[string]int{} // tables of a list, by the path to the list
	table, list := "", ""      // path of the open table, of the open list
	element := 0
	for i, raw := range strings.Split(text, "\n") {
		line := strings.TrimSpace(raw)
		if list == "" && strings.HasPrefix(line, "[") {
			many := strings.HasPrefix(line, "[[")
			table = ""
			parts, _ := splitKey(strings.TrimLeft(line, "["))
			for j, p := range parts {
				path := join(table, p)
				n, isList := counts[path]
				switch {
				case j == len(parts)-1 && many:
					counts[path] = n + 1
					table = fmt.Sprintf("%s.%d", path, n)
					for k := range counts { // lists inside begin anew
						if strings.HasPrefix(k, table+".") {
							delete(counts, k)
						}
					}
				case isList:
					table = fmt.Sprintf("%s.%d", path, n-1)
				default:
					table = path
				}
			}
			lines.put(table, i+1)
			continue
		}
		rest := line
		if list == "" {
			parts, value := splitKey(line)
			if len(parts) == 0 || !strings.HasPrefix(value, "=") {
				continue
			}
			key := join(table, strings.Join(parts, "."))
			lines.put(key, i+1)
			if rest = strings.TrimSpace(value[1:]); !strings.HasPrefix(rest, "[") {
				continue
			}
			list, element, rest = key, 0, rest[1:]
		}
		for rest != "" && list != "" { // strings of a list
			switch c := rest[0]; c {
			case '"', '\'':
				end := strings.IndexByte(rest[1:], c)
				if end < 0 {
					end = len(rest) - 2
				}
				lines.put(fmt.Sprintf("%s.%d", list, element), i+1)
				element++
				rest = rest[end+2:]
			case '#':
				rest = ""
			case ']':
				list = ""
			default:
				rest = rest[1:]
			}
		}
	}
	return lines
}

// splitKey takes a dotted key with bare and quoted parts from the front of text.
func splitKey(text string) (parts []string, rest string) {
	for {
		text = strings.TrimLeft(text, " \t")
		end := strings.IndexFunc(text, func(r rune) bool {
			return !(r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
		})
		if text != "" && (text[0] == '"' || text[0] == '\'') {
			if end = strings.IndexByte(text[1:], text[0]) + 2; end < 2 {
				return parts, text
			}
			parts, text = append(parts, text[1:end-1]), text[end:]
		} else if end > 0 {
			parts, text = append(parts, text[:end]), text[end:]
		} else {
			return parts, text
		}
		if text = strings.TrimLeft(text, " \t"); !strings.HasPrefix(text, ".") {
			return parts, text
		}
		text = text[1:]
	}
}

func join(table, key string) string {
	if table == "" {
		return key
	}
	return table + "." + key
}

func (l Lines) put(key string, line int) {
	if l[key] == 0 {
		l[key] = line
	}
}

// Of is the line of a key, or of the nearest table or list around it; 1 at least.
func (l Lines) Of(key string) int {
	for {
		if n := l[key]; n != 0 {
			return n
		}
		dot := strings.LastIndexByte(key, '.')
		if dot < 0 {
			return 1
		}
		key = key[:dot]
	}
}

// Anywhere is ":LINE" of the first key with a last name, or nothing.
func (l Lines) Anywhere(name string) string {
	first := 0
	for k, n := range l {
		if (k == name || strings.HasSuffix(k, "."+name)) && (first == 0 || n < first) {
			first = n
		}
	}
	if first == 0 {
		return ""
	}
	return fmt.Sprintf(":%d", first)
}
