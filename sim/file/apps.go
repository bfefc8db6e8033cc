package file

import (
	"net/netip"
	"reflect"
	"strings"

	"github.com/libos-go/libos/sim/apps"
)

// app reads [[app]]: one app on each of the nodes of on. Where to names nodes, the
// first of on talks to the first of to, and so on, beginning anew at its end.
func (r *reader) app(t *table) {
	name := t.text("kind")
	t.what = "app " + name
	t.text("name") // for --set
	var kind *apps.Kind
	var names []string
	for _, k := range apps.Kinds() {
		names = append(names, k.Name)
		if k.Name == name {
			kind = &k
		}
	}
	if name == "" {
		t.what = "app"
		t.wrong("kind", "it is missing: one of %s", strings.Join(names, ", "))
		return
	}
	if kind == nil {
		t.wrong("kind", "there is no app %q (apps: %s)", name, strings.Join(names, ", "))
		return
	}
	if !t.has("on") {
		t.wrong("on", "it is missing: the nodes that the app runs on")
		return
	}
	on := r.nodes(t, "on", true)
	a := kind.New()
	target := reflect.ValueOf(a).Elem().FieldByName("To")
	var to []string
	if target.IsValid() {
		to = r.targets(t)
		target.SetString("target")
		t.known["to"] = true
	}
	t.fill(a)
	t.done()
	if len(on) == 0 || target.IsValid() && len(to) == 0 {
		return
	}
	if err := a.Check(); err != nil {
		t.src.wrong(t.path, "%s: %w", t.what, err)
		return
	}
	for i, x := range on {
		one := reflect.New(reflect.TypeOf(a).Elem())
		one.Elem().Set(reflect.ValueOf(a).Elem())
		if target.IsValid() {
			y := to[i%len(to)]
			if y == x.Name() && len(to) > 1 {
				y = to[(i+1)%len(to)]
			}
			if y == x.Name() {
				t.wrong("to", "node %s would talk to itself", x.Name())
				continue
			}
			one.Elem().FieldByName("To").SetString(y)
		}
		one.Interface().(apps.App).Start(x)
	}
}

// targets are the names of the nodes that to means, or one address. The key is
// taken away: it is not a value of the app.
func (r *reader) targets(t *table) (out []string) {
	if !t.has("to") {
		t.wrong("to", "it is missing: the node or address to talk to")
		return nil
	}
	texts := t.strings("to")
	if len(texts) == 1 {
		if _, err := netip.ParseAddr(texts[0].Text); err == nil {
			out = []string{texts[0].Text}
		}
	}
	if out == nil {
		for _, x := range r.nodes(t, "to", true) {
			out = append(out, x.Name())
		}
	}
	delete(t.m, "to")
	return out
}
