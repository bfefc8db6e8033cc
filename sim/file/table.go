package file

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/sim"
	"github.com/libos-go/libos/sim/tomlplace"
)

// source is a file, for messages.
type source struct {
	name  string
	lines tomlplace.Lines
	set   map[string]string // keys that came from elsewhere, as they were written there (--set)
	errs  []error
}

func (s *source) place(key string) string {
	if change, ok := s.set[key]; ok {
		return "--set " + change
	}
	return fmt.Sprintf("%s:%d", s.name, s.lines.Of(key))
}

func (s *source) wrong(key, format string, args ...any) {
	s.errs = append(s.errs, fmt.Errorf("%s: %w", s.place(key), fmt.Errorf(format, args...)))
}

// table is a table of the file whose keys are asked for one by one; what nobody
// asked for is unknown.
type table struct {
	src   *source
	path  string // link.3
	what  string // link core
	m     map[string]any
	known map[string]bool
}

func (s *source) table(path, what string, m map[string]any) *table {
	return &table{src: s, path: path, what: what, m: m, known: map[string]bool{}}
}

func (t *table) key(name string) string {
	if t.path == "" {
		return name
	}
	return t.path + "." + name
}

func (t *table) place() string { return t.src.place(t.path) }

func (t *table) placeOf(name string) string { return t.src.place(t.key(name)) }

func (t *table) wrong(name, format string, args ...any) {
	t.src.wrong(t.key(name), "%s: %s: %w", t.what, name, fmt.Errorf(format, args...))
}

// has tells whether the table has a key, and notes that it may.
func (t *table) has(name string) bool {
	t.known[name] = true
	_, ok := t.m[name]
	return ok
}

// get is the value of a key, of a type.
func get[T any](t *table, name, want string) (v T, ok bool) {
	if !t.has(name) {
		return v, false
	}
	v, ok = t.m[name].(T)
	if !ok {
		t.wrong(name, "it is %s, not %v", want, t.m[name])
	}
	return v, ok
}

func (t *table) text(name string) string {
	if !t.has(name) {
		return ""
	}
	switch v := t.m[name].(type) {
	case string:
		return v
	case int64, float64, bool:
		return fmt.Sprint(v)
	}
	t.wrong(name, "write a string in quotes, or a number")
	return ""
}

func (t *table) bool(name string) bool {
	if s, ok := t.m[name].(string); ok { // from --set
		t.known[name] = true
		v, err := strconv.ParseBool(s)
		if err != nil {
			t.wrong(name, "it is true or false, not %q", s)
		}
		return v
	}
	v, _ := get[bool](t, name, "true or false")
	return v
}

func (t *table) int(name string, least, most int64) int64 {
	if !t.has(name) {
		return 0
	}
	v, err := strconv.ParseInt(t.text(name), 10, 64)
	if err != nil || v < least || v > most {
		t.wrong(name, "it is a whole number from %d to %d, not %v", least, most, t.m[name])
		return 0
	}
	return v
}

func (t *table) float(name string) float64 {
	if !t.has(name) {
		return 0
	}
	v, err := strconv.ParseFloat(t.text(name), 64)
	if err != nil || !isFinite(v) {
		t.wrong(name, "it is a number, not %v", t.m[name])
	}
	return v
}

// probability is a number from 0 to 1, or a percentage.
func (t *table) probability(name string) float64 {
	if !t.has(name) {
		return 0
	}
	v, err := pipe.ParseProbability(t.text(name))
	if err != nil {
		t.wrong(name, "%v: %w", t.m[name], err)
	}
	return v
}

func (t *table) duration(name string) time.Duration {
	if !t.has(name) {
		return 0
	}
	d, err := parseDuration(t.text(name))
	if err != nil {
		t.wrong(name, "%w", err)
	}
	return d
}

func parseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is no time: write a number with a unit, such as 20ms or 1.5s", s)
	}
	if d < 0 {
		return 0, fmt.Errorf("%q is negative", s)
	}
	return d, nil
}

func (t *table) rate(name string) int64 {
	if !t.has(name) {
		return 0
	}
	r, err := pipe.ParseRate(t.text(name))
	if err != nil {
		t.wrong(name, "%q: %w", t.text(name), err)
	}
	return r
}

// size is a number of bytes, with K, M or G for 1024.
func (t *table) size(name string) int64 {
	if !t.has(name) {
		return 0
	}
	s := t.text(name)
	unit := int64(1)
	if s != "" {
		if i := strings.IndexByte("KMG", s[len(s)-1]&^0x20); i >= 0 {
			unit, s = 1<<(10*(i+1)), s[:len(s)-1]
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > 1<<62/unit {
		t.wrong(name, "it is a number of bytes, with K, M or G for 1024, not %q", t.text(name))
		return 0
	}
	return n * unit
}

// strings is a string or a list of them, each with its place.
func (t *table) strings(name string) (out []sim.Text) {
	if !t.has(name) {
		return nil
	}
	return t.texts(name, t.key(name), t.m[name])
}

func (t *table) texts(name, key string, v any) (out []sim.Text) {
	switch v := v.(type) {
	case string:
		return []sim.Text{{Text: v, Place: t.src.place(key)}}
	case []any:
		for i, x := range v {
			s, ok := x.(string)
			if !ok {
				t.wrong(name, "element %d is not a string", i+1)
				continue
			}
			out = append(out, sim.Text{Text: s, Place: t.src.place(fmt.Sprintf("%s.%d", key, i))})
		}
		return out
	}
	t.wrong(name, "it is a string or a list of strings")
	return nil
}

// sub is a table inside the table, nil if there is none.
func (t *table) sub(name, what string) *table {
	m, ok := get[map[string]any](t, name, "a table")
	if !ok {
		return nil
	}
	return t.src.table(t.key(name), what, m)
}

// tables are those of a list [[name]].
func (s *source) tables(m map[string]any, name string) (out []*table) {
	list, ok := m[name].([]map[string]any)
	if !ok {
		if _, there := m[name]; there {
			s.wrong(name, "%s is a list of tables: write [[%s]]", name, name)
		}
		return nil
	}
	for i, x := range list {
		out = append(out, s.table(fmt.Sprintf("%s.%d", name, i), name, x))
	}
	return out
}

// done tells of keys that nobody asked for.
func (t *table) done() {
	for _, k := range slices.Sorted(maps.Keys(t.m)) {
		if !t.known[k] {
			t.src.wrong(t.key(k), "%s has no key %s: it has %s", t.what, k, strings.Join(slices.Sorted(maps.Keys(t.known)), ", "))
		}
	}
}

// fill sets the fields of the struct that v points to from the keys of their `sim`
// tags ("key,help").
func (t *table) fill(v any) {
	x := reflect.ValueOf(v).Elem()
	for i := range x.NumField() {
		name, _, _ := strings.Cut(x.Type().Field(i).Tag.Get("sim"), ",")
		if name == "" || !t.has(name) {
			continue
		}
		f := x.Field(i)
		if u, ok := f.Addr().Interface().(encoding.TextUnmarshaler); ok {
			if err := u.UnmarshalText([]byte(t.text(name))); err != nil {
				t.wrong(name, "%w", err)
			}
			continue
		}
		switch p := f.Addr().Interface().(type) {
		case *time.Duration:
			*p = t.duration(name)
		case *string:
			*p = t.text(name)
		case *int:
			*p = int(t.int(name, -1<<31, 1<<31))
		case *int64:
			*p = t.size(name)
		case *bool:
			*p = t.bool(name)
		case *float64:
			*p = t.float(name)
		default:
			t.wrong(name, "a value of type %v cannot be read", f.Type())
		}
	}
}

// set reads a key into a variable that keeps its value where there is none.
func set[T any](t *table, name string, to *T, read func(string) T) {
	if t.has(name) {
		*to = read(name)
	}
}
