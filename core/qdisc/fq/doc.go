// Package fq is fair queueing with pacing (tc-fq(8)): flows are served in turn, a
// packet waits for its departure time, and a flow for the rate of its socket or of
// the discipline. Start reading at fq.go; flows.go has the table, config.go the
// options.
package fq
