package emit

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/gen/scan"
)

// SysctlPagePath is the reference of all sysctls.
const SysctlPagePath = "docs/sysctls.md"

// SysctlPage is the reference of the sysctls of all packages given, those of
// every symbol, sorted by name.
func SysctlPage(b *Build) File {
	type row struct {
		*scan.Field
		symbol string
	}
	var rows []row
	for _, p := range b.Packages {
		symbol := ""
		for i := range b.Symbols {
			if s := &b.Symbols[i]; s.Package == p.Rel && symbol == "" {
				symbol = s.Name
			}
		}
		for i := range p.Structs {
			for j := range p.Structs[i].Fields {
				rows = append(rows, row{&p.Structs[i].Fields[j], symbol})
			}
		}
	}
	sort.SliceStable(rows, func(i, j int) bool { return rows[i].Entry.Name < rows[j].Entry.Name })
	var w strings.Builder
	w.WriteString(`<!-- ` + Header + ` -->

# Sysctls

The settings of an instance, under Linux's names. Read and write them with
` + "`libos sysctl`, with `Instance.Sysctl` and `Instance.SetSysctl`" + `, each instance on
its own. A value outside of the range is refused with EINVAL. In names with
` + "`{dev}`" + ` that segment is an interface, ` + "`all` or `default`" + `: ` + "`default`" + ` holds for
interfaces made later (and for those without an IPv4 address yet, in the settings of IPv4), and
what ` + "`all`" + ` does is told for each: *or*, *and*, *max* combine it with the device's own
value, *over* puts it in place of that unless it is 0, *set* writes it to every device.

`)
	fmt.Fprintf(&w, "%d settings:\n\n", len(rows))
	for _, r := range rows {
		e := &r.Entry
		fmt.Fprintf(&w, "## %s\n\n%s\n\n", e.Name, e.Help)
		w.WriteString("| type | default | range | unit | all | declared in | needs |\n|---|---|---|---|---|---|---|\n")
		def := e.Default
		if def == "" {
			def = "(empty)"
		}
		if r.Config != "" {
			def += " (CONFIG_" + r.Config + ")"
		}
		if e.AllDefault != "" {
			def += ", all: " + e.AllDefault
		}
		declared := r.Pos[:strings.LastIndexByte(r.Pos, ':')]
		needs := "—"
		if r.symbol != "" {
			needs = "CONFIG_" + r.symbol
		}
		fmt.Fprintf(&w, "| %s | %s | %s | %s | %s | %s | %s |\n\n", e.Kind, def, span(e), dash(e.Unit), allRule(e), declared, needs)
	}
	return File{SysctlPagePath, []byte(strings.TrimRight(w.String(), "\n") + "\n")}
}

func dash(s string) string {
	if s == "" {
		return "—"
	}
	return s
}

func allRule(e *sysctl.Entry) string {
	if !e.PerDevice() {
		return "—"
	}
	if e.All == "" {
		return "not looked at"
	}
	return e.All
}

// span is the range, without limits that are only those of the type.
func span(e *sysctl.Entry) string {
	if e.Kind == sysctl.String {
		return "—"
	}
	lo, hi := fmt.Sprint(e.Min), fmt.Sprint(e.Max)
	if e.Min == math.MinInt32 || e.Min == math.MinInt64 {
		lo = ""
	}
	if e.Max == math.MaxInt32 || e.Max == math.MaxUint32 || e.Max == math.MaxInt64 {
		hi = ""
	}
	if lo == "" && hi == "" {
		return "any"
	}
	return lo + "…" + hi
}
