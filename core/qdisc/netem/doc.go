// Package netem delays, loses, duplicates, damages, reorders and paces packets as
// tc-netem(8) does, with the decisions of core/impair. Start reading at config.go,
// then netem.go; parse.go is the language of tc.
package netem
