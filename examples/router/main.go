// Command router makes a host, three routers in a row and a server, and finds the
// way through them as traceroute does: by echo requests whose TTL grows from 1,
// of which each router answers the one that runs out at it. All of it is in
// virtual time, so that the 2 ms of each link are exactly that. Expect:
//
//	1  10.0.0.2  4ms
//	2  10.0.1.2  8ms
//	3  10.0.2.2  12ms
//	4  10.0.3.2  16ms  the server
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/ipcommon"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// routers between the host and the server. Link i is 10.0.i.0/24, with .1 on the
// host's side of it and .2 on the server's.
const routers = 3

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) (err error) {
	h := host.NewVirtual(1)
	d := core.NewDomain(h, core.DomainOptions{})
	defer func() {
		if e := d.Close(); err == nil {
			err = e
		}
	}()
	first, err := chain(d)
	if err != nil {
		return err
	}
	// Only tasks may block in virtual time; Do runs one to its end.
	if e := h.Do(func() { err = trace(out, first, fmt.Sprintf("10.0.%d.2", routers)) }); e != nil {
		return e
	}
	return err
}

// chain makes the stacks and links, and returns the host.
func chain(d *core.Domain) (first *core.Instance, err error) {
	w := libos.Wiring()
	var left core.Device // the end of the link to the stack before
	for i := 0; i <= routers+1; i++ {
		in, err := libos.New(core.Options{Name: fmt.Sprint("stack", i), Domain: d, Wiring: w})
		if err != nil {
			return nil, err
		}
		if i == 0 {
			first = in
		} else {
			if _, err := in.Attach(left, "west", fmt.Sprintf("10.0.%d.2/24", i-1)); err != nil {
				return nil, err
			}
			if err := in.AddRoutes(fmt.Sprintf("default via 10.0.%d.1", i-1)); err != nil {
				return nil, err
			}
		}
		if i == routers+1 {
			break
		}
		var right core.Device
		right, left = pipe.New(pipe.Config{Name: fmt.Sprint("link", i), Raw: true, Wire: pipe.Wire{Delay: 2 * time.Millisecond}})
		if _, err := in.Attach(right, "east", fmt.Sprintf("10.0.%d.1/24", i)); err != nil {
			return nil, err
		}
		for j := i + 1; j <= routers; j++ {
			if err := in.AddRoutes(fmt.Sprintf("10.0.%d.0/24 via 10.0.%d.2", j, i)); err != nil {
				return nil, err
			}
		}
		if i > 0 {
			if err := in.SetSysctl("net.ipv4.ip_forward", "1"); err != nil {
				return nil, err
			}
		}
	}
	return first, nil
}

// trace prints who answers at each TTL until the destination does.
func trace(out io.Writer, in *core.Instance, to string) error {
	seen, east := &answers{}, in.InterfaceByName("east")
	in.Domain().Do(func() { east.AddTap(seen) }) // as one entry of the Domain
	p, err := ipcommon.NewPinger(in, wire.MustAddr(to), 0)
	if err != nil {
		return err
	}
	defer p.Close()
	for ttl := 1; ttl <= routers+1; ttl++ {
		if err := p.Socket().SetInt(core.SolIP, core.IPTTL, ttl); err != nil {
			return err
		}
		sent := in.Domain().Host().Now()
		reply, err := p.Ping(uint16(ttl), nil, time.Second)
		if err == nil {
			fmt.Fprintf(out, "%d  %v  %v  the server\n", ttl, reply.From, reply.RoundTrip)
			return nil
		}
		fmt.Fprintf(out, "%d  %v  %v\n", ttl, seen.from, seen.at.Sub(sent))
	}
	return fmt.Errorf("no answer from %s", to)
}

// answers is a tap that keeps the latest ICMP "time exceeded" that came in.
type answers struct {
	from wire.Addr
	at   core.Time
}

// Tap implements core.Tap: frames of a raw link begin at the IP header.
func (x *answers) Tap(ifc *core.Interface, p *core.Packet, out bool) {
	b := make([]byte, p.Len())
	p.CopyOut(0, b)
	ip, err := wire.ParseIPv4(b)
	if err != nil || out || ip.Protocol() != wire.ProtoICMP {
		return
	}
	if message := ip.Payload(); len(message) > 0 && message[0] == wire.ICMPv4TimeExceeded {
		x.from, x.at = ip.Src(), ifc.Instance().Now()
	}
}
