package sysctl

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// Of reads the tags of T's fields into a table. It panics when a tag is wrong:
// T is part of the program, and a test of its package finds out.
func Of[T any]() *Table {
	t, err := Parse(reflect.TypeFor[T]())
	if err != nil {
		panic(err)
	}
	block := new(T)
	for i := range t.Entries {
		if err := t.Entries[i].Set(block, t.Entries[i].Default); err != nil {
			panic(err)
		}
	}
	t.Default = block
	t.Clone = func(b any) any {
		c := *b.(*T)
		return &c
	}
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.AllDefault == "" {
			continue
		}
		if t.DefaultAll == nil {
			t.DefaultAll = t.Clone(t.Default)
		}
		if err := e.Set(t.DefaultAll, e.AllDefault); err != nil {
			panic(err)
		}
	}
	return t
}

// OfType is Of for a type that is known when the program runs: the settings of a
// module. The error is that of a tag.
func OfType(typ reflect.Type) (*Table, error) {
	t, err := Parse(typ)
	if err != nil {
		return nil, err
	}
	block := reflect.New(typ).Interface()
	for i := range t.Entries {
		if err := t.Entries[i].Set(block, t.Entries[i].Default); err != nil {
			return nil, err
		}
	}
	t.Default = block
	t.Clone = func(b any) any {
		c := reflect.New(typ)
		c.Elem().Set(reflect.ValueOf(b).Elem())
		return c.Interface()
	}
	return t, nil
}

// Parse reads the tags of a struct type. The table has no Default nor Clone.
func Parse(typ reflect.Type) (*Table, error) {
	t := &Table{Owner: typ.PkgPath() + "." + typ.Name()}
	for i := 0; i < typ.NumField(); i++ {
		f := typ.Field(i)
		name, ok := f.Tag.Lookup("sysctl")
		if !ok {
			continue
		}
		e := Entry{Name: name, Field: f.Name, Default: f.Tag.Get("default"), Help: f.Tag.Get("help"),
			Unit: f.Tag.Get("unit"), All: f.Tag.Get("all"), AllDefault: f.Tag.Get("all_default"), Alias: f.Tag.Get("alias")}
		e.Pointer = func(b any) any { return reflect.ValueOf(b).Elem().Field(i).Addr().Interface() }
		if err := e.describe(f.Type.String(), f.Tag.Get("range")); err != nil {
			return nil, fmt.Errorf("sysctl: %s.%s: %w", t.Owner, f.Name, err)
		}
		t.Entries = append(t.Entries, e)
	}
	return t, nil
}

// Describe completes an entry by the Go type and range tag of its field, as
// Parse does; the generator uses it so that both agree.
func (e *Entry) Describe(goType, rng string) error { return e.describe(goType, rng) }

func (e *Entry) describe(goType, rng string) error {
	switch goType {
	case "bool":
		e.Kind, e.Min, e.Max = Bool, 0, 1
	case "int", "int32":
		e.Kind, e.Min, e.Max = Int, math.MinInt32, math.MaxInt32
	case "int64":
		e.Kind, e.Min, e.Max = Int, math.MinInt64, math.MaxInt64
	case "uint32":
		e.Kind, e.Min, e.Max = Int, 0, math.MaxUint32
	case "uint64":
		e.Kind, e.Min, e.Max = Int, 0, math.MaxInt64
	case "string":
		e.Kind = String
	case "time.Duration":
		e.Kind, e.Min, e.Max = Duration, 0, math.MaxInt32
	case "[2]int32", "[3]int32":
		e.Kind, e.Min, e.Max = Ints, math.MinInt32, math.MaxInt32
	default:
		return fmt.Errorf("a field of type %s cannot be a sysctl", goType)
	}
	if e.Default == "" && e.Kind != String {
		return fmt.Errorf("no default tag")
	}
	if e.Help == "" {
		return fmt.Errorf("no help tag")
	}
	switch e.All {
	case "":
	case "or", "and", "max", "over", "set":
		if !e.PerDevice() {
			return fmt.Errorf("all tag %q on a name without {dev}", e.All)
		}
	default:
		return fmt.Errorf("all tag %q is none of or, and, max, over, set", e.All)
	}
	if e.AllDefault != "" && !e.PerDevice() {
		return fmt.Errorf("all_default tag on a name without {dev}")
	}
	if rng == "" {
		return nil
	}
	lo, hi, ok := strings.Cut(rng, "..")
	if !ok {
		return fmt.Errorf("range tag %q is not LOW..HIGH", rng)
	}
	var err error
	if lo != "" {
		if e.Min, err = strconv.ParseInt(lo, 0, 64); err != nil {
			return fmt.Errorf("range tag %q: %w", rng, err)
		}
	}
	if hi != "" {
		if e.Max, err = strconv.ParseInt(hi, 0, 64); err != nil {
			return fmt.Errorf("range tag %q: %w", rng, err)
		}
	}
	return nil
}
