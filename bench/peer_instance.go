package main

import "gvisor.dev/gvisor/pkg/tcpip/stack"

func peerInstance(Budget) (Figure, error) {
	return driveInstance(func(int) (any, error) {
		a, b, err := gvisorPair(gvisorPipe)
		return [2]*stack.Stack{a, b}, err
	})
}
