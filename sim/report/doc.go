// Package report makes one self-contained HTML page of a simulation or a campaign:
// the topology with a timeline that shows how busy its links were, plots, and
// tables of flows, queues and recorded values. The page asks for nothing from
// anywhere, has no figure of the real clock, and equal results give equal bytes.
//
// Start reading at report.go; data.go is what the page's script gets, page.js the
// script, layout.go places nodes that have no place.
package report
