package main

func peerTCPIdle(Budget) (Figure, error) {
	a, b, err := gvisorPair(gvisorPipe)
	if err != nil {
		return Figure{}, err
	}
	dial, err := gvisorDialer(a, b)
	if err != nil {
		return Figure{}, err
	}
	return driveIdle(dial)
}
