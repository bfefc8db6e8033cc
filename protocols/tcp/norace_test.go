//go:build !race

package tcp_test

func raceEnabled() bool { return false }
