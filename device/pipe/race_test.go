//go:build race

package pipe_test

func raceEnabled() bool { return true }
