package sim

import (
	"bufio"
	"encoding/csv"
	"io"
	"math"
	"strconv"
)

// WriteCSV writes the series in long form, a line for each value that is known:
// time_s, node, kind, name, metric, value, unit. What tasks recorded is of the kind
// "value" and has the task's name.
func (r *Results) WriteCSV(w io.Writer) error {
	b := bufio.NewWriter(w)
	c := csv.NewWriter(b)
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	_ = c.Write([]string{"time_s", "node", "kind", "name", "metric", "value", "unit"})
	for i := range r.Series {
		s := &r.Series[i]
		for k, v := range s.Values {
			if !math.IsNaN(v) {
				_ = c.Write([]string{strconv.FormatFloat(r.Time(s, k), 'g', 12, 64), s.Node, s.Kind, s.Name, s.Metric, number(v), s.Unit})
			}
		}
	}
	for _, v := range r.Values {
		_ = c.Write([]string{strconv.FormatFloat(v.Time, 'g', 12, 64), v.Node, "value", v.Task, v.Metric, number(v.Value), v.Unit})
	}
	c.Flush() // which keeps the first error of all
	if err := c.Error(); err != nil {
		return err
	}
	return b.Flush()
}
