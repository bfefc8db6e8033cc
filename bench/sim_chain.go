package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/sim"
)

// The experiment of Tazaki et al., "Direct Code Execution", CoNEXT 2013, §4.1: datagrams of a constant rate through a
// chain of routers, and how many arrive in a second of the machine.
const (
	chainSize  = 1470
	chainGap   = 200 * time.Microsecond
	chainRate  = 100_000_000
	chainDelay = time.Millisecond
)

// chainLengths are the routers between the two hosts. The figure is the slope between the second and the last.
var chainLengths = [4]int{1, 8, 32, 64}

// chainSlope runs each length and returns nanoseconds of CPU per packet and hop; the details are packets a second.
func chainSlope(b Budget, perPacket func(routers int, b Budget) (float64, error)) (Figure, error) {
	f := Figure{Detail: map[string]float64{}}
	var cost [len(chainLengths)]float64
	for i, routers := range chainLengths {
		var err error
		if cost[i], err = perPacket(routers, Budget{CPU: b.CPU / time.Duration(len(chainLengths))}); err != nil {
			return f, fmt.Errorf("chain of %d routers: %w", routers, err)
		}
		f.Detail[fmt.Sprintf("packets-per-s-%d", routers)] = 1e9 / cost[i]
	}
	last := len(cost) - 1
	f.Value = (cost[last] - cost[1]) / float64(chainLengths[last]-chainLengths[1])
	return f, nil
}

func oursChain(b Budget) (Figure, error) { return chainSlope(b, simulatedChain) }

// simulatedChain is nanoseconds of CPU for a packet that a chain of our simulator passes.
func simulatedChain(routers int, b Budget) (float64, error) {
	n := sim.New(sim.Options{Seed: 1, Wiring: libos.Wiring(), Families: sim.IPv4})
	ttl := sim.NodeConfig{Sysctls: []sim.Sysctl{{Name: "net.ipv4.ip_default_ttl", Value: "255"}}}
	link := sim.LinkConfig{Wire: pipe.Wire{Rate: chainRate, Delay: chainDelay}}
	first := n.Node("source", ttl)
	before := first
	for i := range routers {
		r := n.Node(fmt.Sprint("r", i), sim.NodeConfig{})
		n.Link("", before, r, link)
		before = r
	}
	last := n.Node("sink", sim.NodeConfig{})
	n.Link("", before, last, link)
	received := int64(0)
	last.Go("sink", 0, func(t *sim.Task) {
		c, err := t.ListenPacket("udp4", ":9")
		t.Assert(err == nil, "%v", err)
		var b [chainSize]byte
		for {
			if _, _, err := c.ReadFromAddrPort(b[:]); err != nil {
				return
			}
			received++
		}
	})
	first.Go("source", time.Millisecond, func(t *sim.Task) {
		c, err := t.Dial("udp4", last.Address()+":9")
		t.Assert(err == nil, "%v", err)
		var b [chainSize]byte
		for {
			if _, err := c.Write(b[:]); err != nil {
				return
			}
			if t.Sleep(chainGap) != nil {
				return
			}
		}
	})
	now := time.Second
	if err := n.Run(now); err != nil {
		return 0, err
	}
	if received == 0 {
		return 0, errors.New("no packet arrived in the first second")
	}
	cost, err := cpuPer(b, func() (int64, error) {
		from := received
		now += 20 * time.Millisecond
		err := n.Run(now)
		return received - from, err
	})
	return cost, errors.Join(err, n.Close())
}

func gvisorChain(b Budget) (Figure, error) {
	return chainSlope(b, func(routers int, b Budget) (float64, error) {
		send, recv, err := gvisorPathOf(routers, func() *stack.Stack {
			s := newGVisor()
			ttl := tcpip.DefaultTTLOption(255)
			if err := s.SetNetworkProtocolOption(ipv4.ProtocolNumber, &ttl); err != nil {
				panic(err)
			}
			return s
		})
		if err != nil {
			return 0, err
		}
		return cpuPer(b, (&chainBurst{send: send, recv: recv}).burst)
	})
}

// chainBurst sends datagrams of chainSize and reads them back, burst by burst.
type chainBurst struct {
	send, recv net.Conn
	b          [chainSize + 1]byte
}

func (c *chainBurst) burst() (int64, error) {
	if err := c.recv.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	for range burst {
		if _, err := c.send.Write(c.b[:chainSize]); err != nil {
			return 0, fmt.Errorf("sending: %w", err)
		}
	}
	for i := range burst {
		if n, err := c.recv.Read(c.b[:]); err != nil || n != chainSize {
			return 0, fmt.Errorf("datagram %d: %d bytes, %w", i, n, err)
		}
	}
	return burst, nil
}

// errNoPeer tells that the peer is not here.
var errNoPeer = errors.New("ns-3 is the peer: install libns3-dev and g++ (Debian: apt install libns3-dev g++)")

// ns3Chain builds the chain of ns3/chain.cc and runs it.
func ns3Chain(b Budget) (Figure, error) {
	if _, err := exec.LookPath("g++"); err != nil {
		return Figure{}, errNoPeer
	}
	if _, err := os.Stat("/usr/include/ns3/core-module.h"); err != nil {
		return Figure{}, errNoPeer
	}
	dir, err := os.MkdirTemp("", "ns3-chain")
	if err != nil {
		return Figure{}, err
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "chain")
	out, err := exec.Command("g++", "-O2", "-std=c++17", "-o", bin, filepath.Join("ns3", "chain.cc"),
		"-lns3-internet", "-lns3-point-to-point", "-lns3-network", "-lns3-core").CombinedOutput()
	if err != nil {
		return Figure{}, fmt.Errorf("%w\n%s", err, out)
	}
	return chainSlope(b, func(routers int, b Budget) (float64, error) {
		run := func(seconds float64) (packets, ns int64, err error) {
			c := exec.Command(bin, fmt.Sprint(routers), fmt.Sprint(seconds), fmt.Sprint(chainSize), fmt.Sprint(chainGap.Nanoseconds()),
				fmt.Sprint(chainRate), fmt.Sprint(chainDelay.Nanoseconds()))
			out, err := c.Output()
			if err != nil {
				return 0, 0, fmt.Errorf("ns-3: %w", err)
			}
			var events int64
			_, err = fmt.Sscan(string(out), &packets, &ns, &events)
			if err == nil && packets == 0 {
				err = errors.New("ns-3: no packet arrived")
			}
			return packets, ns, err
		}
		packets, ns, err := run(0.05) // how much virtual time the budget is worth
		if err != nil {
			return 0, err
		}
		if packets, ns, err = run(max(0.05, 0.05*float64(b.CPU)/float64(ns))); err != nil {
			return 0, err
		}
		return float64(ns) / float64(packets), nil
	})
}
