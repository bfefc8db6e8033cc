package main

import "gvisor.dev/gvisor/pkg/tcpip/stack"

func peerInstance(Budget) (Figure, error) {
	return driveInstance(func(int) (any, error) {
		a, b, err := gvisorPair()
		return [2]*stack.Stack{a, b}, err
	})
}
