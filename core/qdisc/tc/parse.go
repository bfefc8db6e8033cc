package tc

import (
	"fmt"
	"strings"

	"github.com/libos-go/libos/core"
)

// Verb is what a command does.
type Verb uint8

const (
	Show Verb = iota
	Add
	Replace
	Change
	Delete
)

// Command is one command, as a value.
type Command struct {
	Verb  Verb
	Stats bool // -s
	JSON  bool // -j
	// Dev is the interface; "" shows all.
	Dev    string
	Parent core.QdiscHandle // core.QdiscRoot, or below which discipline
	Handle core.QdiscHandle // 0 if none was given
	// Kind and Options are those of the discipline. Config is what Options say,
	// where that does not depend on what is in force (Add, Replace).
	Kind    string
	Options []string
	Config  core.QdiscConfig
}

const usage = "qdisc add|replace|change|del dev DEVICE root|parent HANDLE [handle HANDLE] KIND OPTIONS…, or [-s] [-j] qdisc show [dev DEVICE]"

// Parse reads what follows the word tc, for an instance of wiring w. Errors name
// the word and the cure.
func Parse(w *core.Wiring, words []string) (*Command, error) {
	c := &Command{}
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		switch words[0] {
		case "-s", "-stats", "-statistics":
			c.Stats = true
		case "-j", "-json":
			c.JSON = true
		case "-d", "-details", "-p", "-pretty":
		default:
			return nil, fmt.Errorf("tc: %q is no flag: there are -s and -j", words[0])
		}
		words = words[1:]
	}
	if len(words) == 0 || !isPrefix(words[0], "qdisc", 1) {
		return nil, fmt.Errorf("tc: write %s", usage)
	}
	if words = words[1:]; len(words) == 0 {
		words = []string{"show"}
	}
	switch verb := words[0]; {
	case verb == "show" || verb == "list" || verb == "ls":
		c.Verb = Show
	case isPrefix(verb, "add", 1):
		c.Verb = Add
	case isPrefix(verb, "replace", 1):
		c.Verb = Replace
	case isPrefix(verb, "change", 1):
		c.Verb = Change
	case isPrefix(verb, "delete", 1):
		c.Verb = Delete
	default:
		return nil, fmt.Errorf("tc: qdisc %q: there are add, replace, change, del and show", verb)
	}
	return c, c.arguments(w, words[1:])
}

// isPrefix tells whether s is word or its beginning of at least n letters.
func isPrefix(s, word string, n int) bool { return len(s) >= n && strings.HasPrefix(word, s) }

// arguments reads what follows the verb.
func (c *Command) arguments(w *core.Wiring, words []string) error {
	root, placed := false, false
	for len(words) > 0 {
		word := words[0]
		value := ""
		switch word {
		case "dev", "parent", "handle":
			if len(words) < 2 {
				return fmt.Errorf("tc: %s: a value is missing behind it", word)
			}
			value, words = words[1], words[1:]
		}
		words = words[1:]
		switch word {
		case "dev":
			if c.Dev != "" {
				return fmt.Errorf("tc: dev %q: the device is %s already", value, c.Dev)
			}
			if value == "" || len(value) > 15 || strings.ContainsAny(value, "/ \t\n") {
				return fmt.Errorf("tc: dev %q is no name of a device", value)
			}
			c.Dev = value
		case "root":
			if placed {
				return fmt.Errorf("tc: root: a discipline has one place: write root or parent once")
			}
			root, placed, c.Parent = true, true, core.QdiscRoot
		case "parent", "handle":
			h, err := core.ParseQdiscHandle(value)
			if err != nil {
				return fmt.Errorf("tc: %s: %w", word, err)
			}
			if word == "handle" {
				if h != h.Major() {
					return fmt.Errorf("tc: handle %q: a discipline's handle has no minor number: write %v", value, h.Major())
				}
				c.Handle = h
				continue
			}
			if placed {
				return fmt.Errorf("tc: parent: a discipline has one place: write root or parent once")
			}
			placed, c.Parent = true, h
		default:
			if c.Verb == Show {
				return fmt.Errorf("tc: qdisc show: %q: there is dev DEVICE", word)
			}
			c.Kind, c.Options, words = word, words, nil
		}
	}
	if c.Verb == Show {
		if placed || c.Handle != 0 {
			return fmt.Errorf("tc: qdisc show: takes dev DEVICE alone")
		}
		return nil
	}
	switch {
	case c.Dev == "":
		return fmt.Errorf("tc: which device? write dev and its name")
	case !placed:
		return fmt.Errorf("tc: dev %s: where? write root, or parent and the handle of a discipline", c.Dev)
	case c.Verb == Delete:
		if len(c.Options) > 0 {
			return fmt.Errorf("tc: qdisc del: %q: del takes no options", c.Options[0])
		}
		return nil
	case c.Kind == "":
		return fmt.Errorf("tc: dev %s: which discipline? there are %s", c.Dev, kinds(w))
	}
	if root && c.Kind == "noqueue" && (c.Verb == Add || c.Verb == Replace) {
		if len(c.Options) > 0 {
			return fmt.Errorf("tc: noqueue: %q: noqueue has no options", c.Options[0])
		}
		return nil
	}
	k := w.Qdisc(c.Kind)
	if k == nil {
		return fmt.Errorf("tc: %q is no discipline of this configuration: there are %s", c.Kind, kinds(w))
	}
	config, err := k.Parse(c.Options, nil)
	if err == nil {
		err = config.Check()
		if err != nil {
			err = fmt.Errorf("%s: %w", c.Kind, err)
		}
	}
	if err != nil {
		if c.Verb == Change {
			return nil // options may be complete with those in force
		}
		return fmt.Errorf("tc: %w", err)
	}
	c.Config = config
	return nil
}

func kinds(w *core.Wiring) string {
	names := make([]string, len(w.Qdiscs))
	for i := range w.Qdiscs {
		names[i] = w.Qdiscs[i].Name
	}
	if len(names) == 0 {
		return "none: add NET_SCHED to the configuration"
	}
	return strings.Join(names, " ")
}
