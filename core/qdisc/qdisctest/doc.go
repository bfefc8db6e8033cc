// Package qdisctest is the surroundings in which disciplines are tested: an
// interface on a line of a given rate in virtual time, whose packets are numbered
// by flow and recorded as they leave. Start reading at line.go.
package qdisctest
