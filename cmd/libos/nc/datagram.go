package nc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/libos-go/libos/cmd/libos/command"
)

// afterInput is how long answers are waited for once the input has ended.
const afterInput = time.Second

// maxDatagram is the largest UDP payload in bytes.
const maxDatagram = 65507

// network of the datagrams.
func (n *session) network() string {
	if n.protocol != 0 {
		return fmt.Sprint("datagram:", n.protocol)
	}
	return "udp"
}

// toDatagrams sends the input to an address and prints what comes back.
func (n *session) toDatagrams(ctx context.Context, s command.Stack, address string) error {
	c, err := s.DialContext(ctx, n.network(), address)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	sent := make(chan error, 1)
	go func() {
		err := n.send(func(b []byte) error { _, err := c.Write(b); return err })
		if wait := n.patience(); err == nil {
			_ = c.SetReadDeadline(time.Now().Add(wait))
		} else {
			_ = c.Close()
		}
		sent <- err
	}()
	b := make([]byte, maxDatagram+1)
	for {
		k, err := c.Read(b)
		if err != nil {
			select {
			case e := <-sent:
				return errors.Join(over(ctx, e), over(ctx, err))
			default:
				return over(ctx, err)
			}
		}
		if _, err := n.e.Stdout.Write(b[:k]); err != nil {
			return err
		}
	}
}

func (n *session) patience() time.Duration {
	if n.wait > 0 {
		return n.wait
	}
	return afterInput
}

// datagrams prints what arrives and sends the input to whoever sent last.
func (n *session) datagrams(ctx context.Context, s command.Stack, address string) error {
	c, err := s.ListenPacket(ctx, n.network(), address)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	n.say("listening on %s", c.LocalAddr())
	var mu sync.Mutex
	var peer net.Addr
	first := make(chan struct{})
	go func() {
		select {
		case <-first:
		case <-ctx.Done():
			return
		}
		_ = n.send(func(b []byte) error {
			mu.Lock()
			to := peer
			mu.Unlock()
			_, err := c.WriteTo(b, to)
			return err
		})
	}()
	b := make([]byte, maxDatagram+1)
	for {
		n.deadline(c)
		k, from, err := c.ReadFrom(b)
		if err != nil {
			return over(ctx, err)
		}
		mu.Lock()
		if peer == nil {
			close(first)
			n.say("datagrams from %s", from)
		}
		peer = from
		mu.Unlock()
		if _, err := n.e.Stdout.Write(b[:k]); err != nil {
			return err
		}
	}
}

// send passes the input on, a datagram each read.
func (n *session) send(write func([]byte) error) error {
	b := make([]byte, maxDatagram)
	for {
		k, err := n.e.Stdin.Read(b)
		if k > 0 {
			if err := write(b[:k]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
