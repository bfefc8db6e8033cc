package sim

import (
	"fmt"
	"os"
	"strings"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/sim"
	"github.com/libos-go/libos/sim/file"
	"github.com/libos-go/libos/sim/plot"
	"github.com/libos-go/libos/sim/report"
)

// results writes and prints what the simulation found.
func (o *options) results(d *file.Description) error {
	r := d.Network.Results()
	if o.series != "" {
		err := write(o.series, func(f *os.File) error {
			if strings.HasSuffix(o.series, ".csv") {
				return r.WriteCSV(f)
			}
			return r.Write(f)
		})
		if err != nil {
			return err
		}
	}
	if o.report != "" {
		page := report.Options{Title: d.Name}
		for _, s := range o.set {
			name, value, _ := strings.Cut(s, "=")
			page.Parameters = append(page.Parameters, report.Parameter{Name: name, Value: value})
		}
		if err := write(o.report, func(f *os.File) error { return report.Write(f, r, page) }); err != nil {
			return err
		}
	}
	if o.plot != "" {
		if err := os.MkdirAll(o.plot, 0o777); err != nil {
			return err
		}
		if _, err := plot.All(o.plot, o.format, r); err != nil {
			return fmt.Errorf("--plot: %w", err)
		}
	}
	if o.e.JSON() {
		return nil
	}
	for _, v := range r.Values {
		o.e.Printf("%-24s %-20s %s\n", v.Node+"/"+v.Task, v.Metric, amount(v))
	}
	return nil
}

// amount is a value with its unit, as people read it.
func amount(v sim.Value) string {
	switch v.Unit {
	case "bit/s":
		return command.Bits(v.Value)
	case "B":
		return command.Bytes(int64(v.Value))
	}
	return strings.TrimSpace(command.Number(v.Value) + " " + v.Unit)
}
