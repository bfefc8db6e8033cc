// Package codel is the discipline of RFC 8289: one queue under CoDel's law
// (core/qdisc/law). Start reading at codel.go.
package codel
