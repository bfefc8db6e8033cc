package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	mtu       = 1500     // of every link
	bulkWrite = 64 << 10 // bytes a Write of tcp-bulk-1500
	bulkRead  = 64 << 10 // bytes offered to a Read
	bulkBlock = 4 << 20  // bytes between two readings of the CPU clock
	rrBlock   = 200      // round trips between two readings of the CPU clock
)

// patience bounds every wait for a peer: a lost byte or datagram becomes an error instead of a hang.
const patience = time.Minute

// driveBulk sends on one connection from a goroutine and receives on the other: nanoseconds of CPU per byte.
func driveBulk(b Budget, send, recv net.Conn) (Figure, error) {
	if err := recv.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return Figure{}, err
	}
	go func() {
		buf := make([]byte, bulkWrite)
		for i := range buf {
			buf[i] = byte(i * 7)
		}
		for {
			if _, err := send.Write(buf); err != nil {
				recv.SetReadDeadline(time.Unix(1, 0)) // the reader fails at once
				return
			}
		}
	}()
	buf := make([]byte, bulkRead)
	v, err := cpuPer(b, func() (int64, error) {
		var got int64
		for got < bulkBlock {
			n, err := recv.Read(buf)
			if err != nil {
				return 0, fmt.Errorf("receiving: %w", err)
			}
			got += int64(n)
		}
		return got, nil
	})
	return Figure{Value: v}, err
}

// driveRR exchanges one byte there and one back, an echoing goroutine on the other side: microseconds of CPU per round
// trip.
func driveRR(b Budget, client, server net.Conn) (Figure, error) {
	for _, c := range []net.Conn{client, server} {
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			return Figure{}, err
		}
	}
	echoed := make(chan error, 1)
	go func() {
		var one [1]byte
		for {
			_, err := server.Read(one[:])
			if err == nil {
				_, err = server.Write(one[:])
			}
			if err != nil {
				echoed <- err
				client.SetDeadline(time.Unix(1, 0))
				return
			}
		}
	}()
	var one [1]byte
	seq := byte(0)
	v, err := cpuPer(b, func() (int64, error) {
		for range rrBlock {
			seq++
			one[0] = seq
			if _, err := client.Write(one[:]); err != nil {
				return 0, errors.Join(err, pending(echoed))
			}
			if _, err := io.ReadFull(client, one[:]); err != nil {
				return 0, errors.Join(err, pending(echoed))
			}
			if one[0] != seq {
				return 0, fmt.Errorf("sent byte %d, got back %d", seq, one[0])
			}
		}
		return rrBlock, nil
	})
	return Figure{Value: v / 1000}, err
}

func pending(c <-chan error) error {
	select {
	case err := <-c:
		return err
	default:
		return nil
	}
}
