package main

func peerUDP(b Budget) (Figure, error) {
	s1, s2, err := gvisorPair(gvisorPipe)
	if err != nil {
		return Figure{}, err
	}
	send, recv, err := gvisorUDP(s1, "10.0.0.1", s2, "10.0.0.2")
	if err != nil {
		return Figure{}, err
	}
	return driveUDP(b, send, recv)
}
