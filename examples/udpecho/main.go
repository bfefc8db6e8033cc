// Command udpecho sends datagrams to an echo server behind a link with a delay of
// 5 ms each way, over IPv4 and over IPv6. The server answers both from one
// socket. Expect (times are at least 10 ms):
//
//	10.0.0.2:7       "hello" came back after 10ms
//	[fd00::2]:7      "hello" came back after 10ms
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) (err error) {
	d := core.NewDomain(host.NewRealTime(), core.DomainOptions{})
	defer func() {
		if e := d.Close(); err == nil {
			err = e
		}
	}()
	a, b := pipe.New(pipe.Config{Wire: pipe.Wire{Delay: 5 * time.Millisecond}})
	client, err := libos.New(core.Options{Name: "client", Domain: d})
	if err != nil {
		return err
	}
	if _, err := client.Attach(a, "eth0", "10.0.0.1/24", "fd00::1/64"); err != nil {
		return err
	}
	server, err := libos.New(core.Options{Name: "server", Domain: d})
	if err != nil {
		return err
	}
	if _, err := server.Attach(b, "eth0", "10.0.0.2/24", "fd00::2/64"); err != nil {
		return err
	}

	s, err := server.ListenPacket("udp", ":7") // IPv4 and IPv6
	if err != nil {
		return err
	}
	go echo(s)
	for _, address := range []string{"10.0.0.2:7", "[fd00::2]:7"} {
		text, took, err := ask(client, address, "hello")
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-16s %q came back after %v\n", address, text, took.Round(time.Millisecond))
	}
	return nil
}

// echo sends every datagram back until the socket is closed.
func echo(s *core.PacketConn) {
	b := make([]byte, 2048)
	for {
		n, from, err := s.ReadFromAddrPort(b)
		if err != nil {
			return
		}
		_, _ = s.WriteToAddrPort(b[:n], from)
	}
}

// ask sends a datagram, and once more after a second: datagrams can be lost.
func ask(in *core.Instance, address, text string) (answer string, took time.Duration, err error) {
	c, err := in.Dial("udp", address)
	if err != nil {
		return "", 0, err
	}
	defer c.Close()
	b := make([]byte, 2048)
	begun := time.Now()
	for range 2 {
		if _, err = io.WriteString(c, text); err != nil {
			break
		}
		if err = c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			break
		}
		n := 0
		if n, err = c.Read(b); err == nil {
			return string(b[:n]), time.Since(begun), nil
		}
	}
	return "", 0, err
}
