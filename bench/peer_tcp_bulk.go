package main

func peerTCPBulk(b Budget) (Figure, error) {
	client, server, err := gvisorTCP()
	if err != nil {
		return Figure{}, err
	}
	return driveBulk(b, client, server)
}
