package tc

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
)

// show is the disciplines of interfaces as tc qdisc show prints them.
func (c *Command) show(list []*core.Interface) (string, error) {
	var b strings.Builder
	var items []core.QdiscField
	for _, ifc := range list {
		nodes := ifc.Qdiscs()
		if len(nodes) == 0 {
			nodes = []core.QdiscNode{{Parent: core.QdiscRoot}}
		}
		for i := range nodes {
			head, options, stats := c.describe(ifc, &nodes[i])
			if !c.JSON {
				text(&b, head, options)
				b.WriteByte('\n')
				if text(&b, stats); len(stats) > 0 && !strings.HasSuffix(b.String(), "\n") {
					b.WriteByte('\n')
				}
				continue
			}
			all := append(head, core.QdiscField{Key: "options", Value: options})
			items = append(items, core.QdiscField{Value: append(all, stats...)})
		}
	}
	if !c.JSON {
		return b.String(), nil
	}
	out := []byte{'['}
	for i := range items {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendJSON(out, items[i].Value); err != nil {
			return "", err
		}
	}
	return string(append(out, "]\n"...)), nil
}

func text(b *strings.Builder, lists ...[]core.QdiscField) {
	for _, l := range lists {
		for i := range l {
			b.WriteString(l[i].Text)
		}
	}
}

// describe is one discipline: what comes before its options, they, and counters
// where they are wanted.
func (c *Command) describe(ifc *core.Interface, n *core.QdiscNode) (head, options, stats []core.QdiscField) {
	kind := "noqueue"
	if n.Qdisc != nil {
		config := n.Qdisc.Config()
		kind, options = config.Kind(), config.Fields()
	}
	handle := fmt.Sprintf("%x:", uint32(n.Handle)>>16)
	head = []core.QdiscField{qdisc.Field("kind", kind, "qdisc %s ", kind), qdisc.Field("handle", handle, "%s ", handle)}
	if c.Dev == "" {
		head = append(head, qdisc.Field("dev", ifc.Name(), "dev %s ", ifc.Name()))
	}
	if n.Parent == core.QdiscRoot {
		// refcnt: the kernel's own two users of a root.
		head = append(head, qdisc.Field("root", true, "root "), qdisc.Field("refcnt", 2, "refcnt 2 "))
	} else {
		head = append(head, qdisc.Field("parent", n.Parent.String(), "parent %v ", n.Parent))
	}
	if !c.Stats {
		return head, options, nil
	}
	x := &n.Counts
	stats = []core.QdiscField{
		qdisc.Field("bytes", x.Bytes, " Sent %d bytes", x.Bytes), qdisc.Field("packets", x.Packets, " %d pkt", x.Packets),
		qdisc.Field("drops", x.Dropped, " (dropped %d", x.Dropped), qdisc.Field("overlimits", x.Overlimits, ", overlimits %d", x.Overlimits),
		qdisc.Field("requeues", x.Requeues, " requeues %d) \n", x.Requeues),
		qdisc.Field("backlog", n.Backlog, " backlog %s", qdisc.FormatSize(n.Backlog)),
		qdisc.Field("qlen", n.Len, " %dp requeues %d\n", n.Len, x.Requeues),
	}
	if n.Qdisc != nil {
		stats = append(stats, n.Qdisc.Details()...)
	}
	return head, options, stats
}

// appendJSON writes v, with fields as objects in their order.
func appendJSON(b []byte, v any) ([]byte, error) {
	fields, ok := v.([]core.QdiscField)
	if !ok {
		x, err := json.Marshal(v)
		return append(b, x...), err
	}
	b = append(b, '{')
	first := true
	for _, f := range fields {
		if f.Key == "" {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(append(append(b, '"'), f.Key...), '"', ':')
		var err error
		if b, err = appendJSON(b, f.Value); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}
