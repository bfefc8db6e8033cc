package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"time"
)

const (
	datagram = 1400 // bytes of UDP payload
	burst    = 32   // datagrams written before the same number is read; fits any side's receive buffer
)

// datagrams sends bursts from one connected socket to another and reads each back before the next, in one goroutine:
// no datagram is dropped for want of buffer, and none waits for the scheduler, whichever the stack.
type datagrams struct {
	send, recv net.Conn
	out        [datagram]byte
	in         [datagram + 1]byte
	seq        uint64
}

func newDatagrams(send, recv net.Conn) (*datagrams, error) {
	return &datagrams{send: send, recv: recv}, recv.SetReadDeadline(time.Now().Add(patience))
}

// burst moves one burst and checks length and order of what arrives.
func (d *datagrams) burst() (int64, error) {
	first := d.seq
	for range burst {
		binary.BigEndian.PutUint64(d.out[:], d.seq)
		d.seq++
		if _, err := d.send.Write(d.out[:]); err != nil {
			return 0, fmt.Errorf("sending: %w", err)
		}
	}
	for i := range uint64(burst) {
		n, err := d.recv.Read(d.in[:])
		if err != nil {
			return 0, fmt.Errorf("receiving datagram %d: %w", first+i, err)
		}
		if got := binary.BigEndian.Uint64(d.in[:]); n != datagram || got != first+i {
			return 0, fmt.Errorf("received %d bytes numbered %d, want %d numbered %d", n, got, datagram, first+i)
		}
	}
	return burst, nil
}

// driveUDP measures microseconds of CPU per datagram, one way.
func driveUDP(b Budget, send, recv net.Conn) (Figure, error) {
	d, err := newDatagrams(send, recv)
	if err != nil {
		return Figure{}, err
	}
	v, err := cpuPer(b, d.burst)
	return Figure{Value: v / 1000}, err
}

const (
	forwardMany = 8 // forwarding stacks of the long path
	forwardFew  = 1 // and of the short one, whose cost is taken off
)

// driveForward measures nanoseconds of CPU per packet and hop: the difference between a path of forwardMany forwarding
// stacks and one of forwardFew, by the number of stacks between. path returns the two connected ends of a path; cost of
// sockets, sending and receiving hosts cancels out.
func driveForward(b Budget, path func(hops int) (send, recv net.Conn, err error)) (Figure, error) {
	var cost [2]float64
	for i, hops := range []int{forwardFew, forwardMany} {
		send, recv, err := path(hops)
		if err != nil {
			return Figure{}, err
		}
		d, err := newDatagrams(send, recv)
		if err != nil {
			return Figure{}, err
		}
		if cost[i], err = cpuPer(Budget{CPU: b.CPU / 2}, d.burst); err != nil {
			return Figure{}, fmt.Errorf("path of %d forwarding stacks: %w", hops, err)
		}
	}
	return Figure{Value: (cost[1] - cost[0]) / (forwardMany - forwardFew), Detail: map[string]float64{
		fmt.Sprintf("path%d", forwardFew):  cost[0],
		fmt.Sprintf("path%d", forwardMany): cost[1],
	}}, nil
}
