package main

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"time"
)

const (
	instanceWarm  = 20   // instances made before measuring
	instanceCount = 1000 // instances measured
	idleWarm      = 50   // connections made before measuring
	idleCount     = 4000 // connections measured; two endpoints each
)

// driveInstance measures the bytes of an idle stack. build makes two of them, joined by a link, each with an IPv4 and
// an IPv6 address, and returns what keeps them alive.
func driveInstance(build func(i int) (any, error)) (Figure, error) {
	var kept []any
	f, err := memoryPer(instanceWarm/2, instanceCount/2, 2, func(i int) error {
		s, err := build(i)
		kept = append(kept, s)
		return err
	})
	runtime.KeepAlive(kept)
	return f, err
}

// driveIdle measures the bytes of an idle established endpoint. dial makes a connection and returns both of its ends;
// a byte goes each way before it idles.
func driveIdle(dial func() (client, server net.Conn, err error)) (Figure, error) {
	kept := make([]net.Conn, 0, 2*(idleWarm+idleCount))
	f, err := memoryPer(idleWarm, idleCount, 2, func(i int) error {
		client, server, err := dial()
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		kept = append(kept, client, server)
		for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
			if err := oneByte(way[0], way[1]); err != nil {
				return fmt.Errorf("connection %d: %w", i, err)
			}
		}
		return nil
	})
	runtime.KeepAlive(kept)
	return f, err
}

// oneByte sends a byte from one connection to another, and leaves no deadline behind.
func oneByte(from, to net.Conn) error {
	if err := to.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	var one [1]byte
	if _, err := from.Write(one[:]); err != nil {
		return err
	}
	if _, err := io.ReadFull(to, one[:]); err != nil {
		return err
	}
	return to.SetReadDeadline(time.Time{})
}
