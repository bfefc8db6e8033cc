package main

func peerTCPRR(b Budget) (Figure, error) {
	client, server, err := gvisorTCP(gvisorPipe)
	if err != nil {
		return Figure{}, err
	}
	return driveRR(b, client, server)
}
