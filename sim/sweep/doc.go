// Package sweep runs campaigns: one simulation for every combination of
// parameters' values and every seed, on all cores, each result in a file of its
// own, so that an interrupted campaign goes on where it stopped and several
// machines can share one.
//
//	c := &sweep.Campaign{Name: "loss", Parameters: []sweep.Parameter{{Name: "link.loss", Values: []string{"0", "0.01"}}}, Seeds: seeds}
//	o, err := sweep.Run(ctx, c, func(params map[string]string, seed uint64) (*sim.Results, error) { … }, sweep.Options{Dir: "out"})
//	err = o.Report(w, sweep.View{})
//
// Start reading at campaign.go, then run.go; statistics are in interval.go and
// outcome.go, job scripts for clusters in jobs.go.
package sweep
