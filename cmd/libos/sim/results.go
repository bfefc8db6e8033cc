package sim

import (
	"errors"
	"os"
	"strings"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/sim"
	"github.com/libos-go/libos/sim/file"
)

// results writes and prints what the simulation found.
func (o *options) results(d *file.Description) error {
	r := d.Network.Results()
	if o.series != "" {
		f, err := os.Create(o.series)
		if err != nil {
			return err
		}
		if err := errors.Join(r.Write(f), f.Close()); err != nil {
			return err
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
