package main

func oursTCPBulk(b Budget) (Figure, error) {
	d, err := newDialer(newNetwork())
	if err != nil {
		return Figure{}, err
	}
	send, recv, err := d.dial()
	if err != nil {
		return Figure{}, err
	}
	return driveBulk(b, send, recv)
}

func oursTCPRR(b Budget) (Figure, error) {
	d, err := newDialer(newNetwork())
	if err != nil {
		return Figure{}, err
	}
	client, server, err := d.dial()
	if err != nil {
		return Figure{}, err
	}
	return driveRR(b, client, server)
}

func oursTCPIdle(Budget) (Figure, error) {
	d, err := newDialer(newNetwork())
	if err != nil {
		return Figure{}, err
	}
	return driveIdle(d.dial)
}
