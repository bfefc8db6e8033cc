package main

func peerTCPRR(b Budget) (Figure, error) {
	client, server, err := gvisorTCP()
	if err != nil {
		return Figure{}, err
	}
	return driveRR(b, client, server)
}
