// Package plot draws results of simulations into PNG and SVG files: lines over
// time or over a parameter, distributions, and bars, with confidence intervals.
// Axes have units, legends stand beside the lines, colours can be told apart by
// everybody, and equal results give equal bytes.
//
// Start reading at chart.go; from.go makes charts of results. The page that shows
// all of a run is made by sim/report.
package plot
