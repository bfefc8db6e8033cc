// Package sim is the command `libos sim`: networks in virtual time, described by a
// TOML file (sim/file). sim.go has the command, run.go one simulation, and sweep.go
// campaigns of many.
package sim
