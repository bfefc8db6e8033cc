package sweep

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Parameter is something that varies, with its values in the user's words.
type Parameter struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// Campaign is what is run. Its units are counted from 0: the last parameter
// varies fastest but for the seed, which varies faster.
type Campaign struct {
	Name string
	// Base is the description that the units have in common, such as the text of a
	// file: results of another one are not taken for this one's.
	Base       string
	Parameters []Parameter
	Seeds      []uint64
}

// unitsMost bounds a campaign.
const unitsMost = 10_000_000

// ParseSet reads NAME=VALUE,VALUE,… A comma within brackets or quotes, and one
// behind a backslash, is part of a value.
func ParseSet(s string) (Parameter, error) {
	name, list, ok := strings.Cut(s, "=")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return Parameter{}, fmt.Errorf("%q sets nothing: write NAME=VALUE,VALUE,… such as link.loss=0,0.01,0.1", s)
	}
	p := Parameter{Name: name}
	var value strings.Builder
	depth, quoted, escaped := 0, rune(0), false
	for _, r := range list {
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
			continue
		case quoted != 0:
			if r == quoted {
				quoted = 0
			}
		case r == '"' || r == '\'':
			quoted = r
		case r == '[' || r == '{' || r == '(':
			depth++
		case r == ']' || r == '}' || r == ')':
			depth--
		case r == ',' && depth <= 0:
			p.Values = append(p.Values, strings.TrimSpace(value.String()))
			value.Reset()
			continue
		}
		value.WriteRune(r)
	}
	p.Values = append(p.Values, strings.TrimSpace(value.String()))
	for i, v := range p.Values {
		if slices.Contains(p.Values[:i], v) {
			return Parameter{}, fmt.Errorf("%s has the value %q twice", name, v)
		}
	}
	return p, nil
}

// ParseSeeds reads seeds and ranges of them: "1..30", "1,2,10..19".
func ParseSeeds(s string) (seeds []uint64, err error) {
	seen := map[uint64]bool{}
	for _, piece := range strings.Split(s, ",") {
		first, last, ranged := strings.Cut(strings.TrimSpace(piece), "..")
		a, err := strconv.ParseUint(first, 10, 64)
		b := a
		if err == nil && ranged {
			b, err = strconv.ParseUint(last, 10, 64)
		}
		if err != nil || b < a {
			return nil, fmt.Errorf("%q is no seed nor a range of seeds: write 1..30 or 1,2,5", piece)
		}
		if b-a >= unitsMost {
			return nil, fmt.Errorf("%q has %d seeds: a campaign has at most %d units", piece, b-a+1, unitsMost)
		}
		for n := a; ; n++ {
			if seen[n] {
				return nil, fmt.Errorf("the seed %d is there twice", n)
			}
			seen[n] = true
			seeds = append(seeds, n)
			if n == b {
				break
			}
		}
	}
	return seeds, nil
}

// Check finds what is missing or contradicts itself.
func (c *Campaign) Check() error {
	if len(c.Seeds) == 0 {
		return fmt.Errorf("campaign %s: there are no seeds: give 1..30", c.Name)
	}
	units := len(c.Seeds)
	for i, p := range c.Parameters {
		if len(p.Values) == 0 {
			return fmt.Errorf("campaign %s: parameter %s has no value", c.Name, p.Name)
		}
		for _, o := range c.Parameters[:i] {
			if o.Name == p.Name {
				return fmt.Errorf("campaign %s: parameter %s is there twice: give its values in one list", c.Name, p.Name)
			}
		}
		if units *= len(p.Values); units > unitsMost {
			return fmt.Errorf("campaign %s: more than %d units", c.Name, unitsMost)
		}
	}
	return nil
}

// Len is how many units there are.
func (c *Campaign) Len() int { return c.combinations() * len(c.Seeds) }

// combinations of values.
func (c *Campaign) combinations() int {
	n := 1
	for _, p := range c.Parameters {
		n *= len(p.Values)
	}
	return n
}

// Unit is one simulation of a campaign.
type Unit struct {
	Index  int
	Values []string // of the parameters, in their order
	Seed   uint64
	c      *Campaign
}

// Unit is the k-th.
func (c *Campaign) Unit(k int) (Unit, error) {
	if k < 0 || k >= c.Len() {
		return Unit{}, fmt.Errorf("campaign %s has units 0 to %d, and none of number %d", c.Name, c.Len()-1, k)
	}
	return Unit{Index: k, Values: c.values(k / len(c.Seeds)), Seed: c.Seeds[k%len(c.Seeds)], c: c}, nil
}

// values are those of a combination.
func (c *Campaign) values(k int) []string {
	v := make([]string, len(c.Parameters))
	for i := len(c.Parameters) - 1; i >= 0; i-- {
		of := c.Parameters[i].Values
		v[i] = of[k%len(of)]
		k /= len(of)
	}
	return v
}

// Params are the unit's values by the parameters' names.
func (u Unit) Params() map[string]string {
	m := make(map[string]string, len(u.Values))
	for i, p := range u.c.Parameters {
		m[p.Name] = u.Values[i]
	}
	return m
}

// String is the unit for messages.
func (u Unit) String() string {
	var b strings.Builder
	for i, p := range u.c.Parameters {
		fmt.Fprintf(&b, "%s=%s ", p.Name, u.Values[i])
	}
	fmt.Fprintf(&b, "seed %d", u.Seed)
	return b.String()
}

// File is the name of the unit's result: it tells description, parameters and
// seed, whatever else the campaign has.
func (u Unit) File() string {
	text, err := json.Marshal(struct {
		Base   string
		Params map[string]string
		Seed   uint64
	}{u.c.Base, u.Params(), u.Seed}) // a map's keys are sorted
	if err != nil {
		panic(err) // strings and numbers only
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16]) + ".json"
}
