package main

import "time"

// Budget says how much work a child process should do.
type Budget struct {
	CPU time.Duration // CPU time to spend measuring, warm-up not included
}

// Figure is what one side of one benchmark measured in one child process.
type Figure struct {
	Value  float64            `json:"value"`            // in the unit of the benchmark
	Detail map[string]float64 `json:"detail,omitempty"` // further facts by name, for example heap and resident bytes
}

// Side measures one side of a benchmark. It runs alone in a process of its own, pinned to as many CPUs as the benchmark
// wants with GOMAXPROCS set to that, and may leave its sockets and goroutines behind: the process ends when it returns.
type Side func(Budget) (Figure, error)

// Direction says which of two values of a benchmark is the better one.
type Direction int

const (
	LowerIsBetter  Direction = iota // costs: time, memory
	HigherIsBetter                  // rates
)

func (d Direction) String() string {
	if d == HigherIsBetter {
		return "higher"
	}
	return "lower"
}

// Benchmark is one row of the table: what is measured and who measures it.
type Benchmark struct {
	Name   string
	Unit   string
	Better Direction
	Help   string // one line for -list
	Detail bool   // print the Detail of both sides below the figure
	CPUs   int    // that a measurement runs on; 0 is one
	Ours   Side   // nil while there is no side of ours: only -peer-only works
	Peer   Side
	// PeerName is the module path of the peer, or a phrase where the peer is no module.
	PeerName string
}

const (
	gvisorModule   = "gvisor.dev/gvisor"
	grpcModulePath = "google.golang.org/grpc"
)

// benchmarks lists everything the program can measure, in the order it prints. To add a figure, write its driver and
// its sides and add a row.
func benchmarks() []Benchmark {
	return []Benchmark{
		{
			Name: "tcp-bulk-1500", Unit: "ns/byte", PeerName: gvisorModule,
			Help: "CPU per byte of one TCP flow between two stacks in memory, MTU 1500, checksums on, writes of 64 KiB",
			Ours: oursTCPBulk, Peer: peerTCPBulk,
		},
		{
			Name: "tcp-bulk-1500-pipe", Unit: "ns/byte", PeerName: gvisorModule,
			Help: "the same, the peer over its own in-memory link as it comes, without the offloads of its other links",
			Ours: oursTCPBulk, Peer: peerTCPBulkPipe,
		},
		{
			Name: "tcp-rr", Unit: "us/roundtrip", PeerName: gvisorModule,
			Help: "CPU per request and response of 1 byte, a goroutine blocked in net.Conn.Read on either side",
			Ours: oursTCPRR, Peer: peerTCPRR,
		},
		{
			Name: "udp-1400", Unit: "us/datagram", PeerName: gvisorModule,
			Help: "CPU per UDP datagram of 1400 bytes, one way, written and read through net.Conn",
			Ours: oursUDP, Peer: peerUDP,
		},
		{
			Name: "forward-8", Unit: "ns/packet/hop", PeerName: gvisorModule,
			Help: "CPU per packet and hop of UDP datagrams of 1400 bytes through 8 forwarding stacks, less the same through 1",
			Ours: oursForward, Peer: peerForward,
		},
		{
			Name: "sim-chain-ns3", Unit: "ns/packet/hop", PeerName: "ns-3", Detail: true,
			Help: "CPU per packet and hop of a simulated chain of routers: datagrams of 1470 bytes, links of 100 Mbit/s and 1 ms; slope from 8 to 64 routers",
			Ours: oursChain, Peer: ns3Chain,
		},
		{
			Name: "sim-chain-gvisor", Unit: "ns/packet/hop", PeerName: gvisorModule, Detail: true,
			Help: "the same beside a chain of its stacks over its in-memory links, which have neither rate nor delay",
			Ours: oursChain, Peer: gvisorChain,
		},
		{
			Name: "sim-large", Unit: "s", PeerName: "two copies on a core each", Detail: true, CPUs: 2,
			Help: "real time of a simulation of 2,000 hosts with a TCP flow each, on two cores, against half of what two independent copies on one core each take at once",
			Ours: oursLarge, Peer: copiesLarge,
		},
		{
			Name: "exec-python", Unit: "us/start", PeerName: "natively", CPUs: 2,
			Help: "real time of a start of python3 that does nothing, as a program on an instance, against the same on the host",
			Ours: oursExecPython, Peer: nativeExecPython,
		},
		{
			Name: "program-tcp", Unit: "MB/s", Better: HigherIsBetter, PeerName: "kernel, veth", CPUs: 2,
			Help: "iperf3's stream between programs on two instances joined in memory, against the same over veth of the kernel without offloads",
			Ours: between(oursInMemory, tcpProgram()), Peer: between(kernelOverVeth, tcpProgram()),
		},
		{
			Name: "program-udp-64", Unit: "datagrams/s", Better: HigherIsBetter, PeerName: "kernel, veth", CPUs: 2,
			Help: "iperf3's datagrams of 64 bytes that arrive, likewise",
			Ours: between(oursInMemory, udpProgram()), Peer: between(kernelOverVeth, udpProgram()),
		},
		{
			Name: "program-http", Unit: "requests/s", Better: HigherIsBetter, PeerName: "kernel, veth", CPUs: 2,
			Help: "wrk's requests of nginx over 64 connections, likewise",
			Ours: between(oursInMemory, httpProgram()), Peer: between(kernelOverVeth, httpProgram()),
		},
		{
			Name: "program-tcp-tun", Unit: "MB/s", Better: HigherIsBetter, PeerName: "kernel, veth", CPUs: 2,
			Help: "iperf3's stream from a program on an instance over TUN to one on the kernel, against the same over veth of the kernel without offloads",
			Ours: between(oursOverTUN, tcpProgram()), Peer: between(kernelOverVeth, tcpProgram()),
		},
		{
			Name: "program-udp-64-tun", Unit: "datagrams/s", Better: HigherIsBetter, PeerName: "kernel, veth", CPUs: 2,
			Help: "iperf3's datagrams of 64 bytes that arrive, likewise",
			Ours: between(oursOverTUN, udpProgram()), Peer: between(kernelOverVeth, udpProgram()),
		},
		{
			Name: "program-http-tun", Unit: "requests/s", Better: HigherIsBetter, PeerName: "kernel, veth", CPUs: 2,
			Help: "wrk's requests, on an instance, of nginx on the kernel over TUN, likewise",
			Ours: between(oursOverTUN, httpProgram()), Peer: between(kernelOverVeth, httpProgram()),
		},
		{
			Name: "instance", Unit: "bytes", PeerName: gvisorModule, Detail: true,
			Help: "memory of an idle stack with one device, an IPv4 and an IPv6 address",
			Ours: oursInstance, Peer: peerInstance,
		},
		{
			Name: "tcp-idle-mem", Unit: "bytes/endpoint", PeerName: gvisorModule, Detail: true,
			Help: "memory of an established, idle TCP endpoint that has carried a byte each way, net.Conn included",
			Ours: oursTCPIdle, Peer: peerTCPIdle,
		},
		{
			Name: "instance-10k", Unit: "bytes", PeerName: "fixed bound", Detail: true,
			Help: "memory each of 10,000 instances with a device, addresses, an open UDP socket and a ping answered, against a bound",
			Ours: oursInstance10k, Peer: boundInstance10k,
		},
		{
			Name: "module-64", Unit: "datagrams/s", Better: HigherIsBetter, PeerName: grpcModulePath, Detail: true, CPUs: 2,
			Help: "64-byte datagrams echoed by a protocol in a module, over rings in batches of 64, against a gRPC stream with a message for each",
			Ours: oursModule64, Peer: peerModule64,
		},
		{
			Name: "module-cpu", Unit: "ns/crossing", PeerName: grpcModulePath, Detail: true, CPUs: 2,
			Help: "CPU of both processes per record of 64 bytes and crossing, over rings in batches of 64, against packed gRPC messages of 1,024",
			Ours: oursModuleCPU, Peer: peerModuleCPU,
		},
		{
			Name: "module-bulk", Unit: "MB/s", Better: HigherIsBetter, PeerName: "linked in", Detail: true, CPUs: 2,
			Help: "bytes a second of 1400-byte datagrams between two hosts whose UDP is a module, against the same protocol linked in",
			Ours: oursModuleBulk, Peer: peerModuleBulk,
		},
		{
			Name: "module-rtt", Unit: "us/roundtrip", PeerName: grpcModulePath, Detail: true, CPUs: 2,
			Help: "closed-loop round trip of a datagram to a protocol in a module over rings, against a gRPC unary call over AutoMTLS",
			Ours: oursModuleRTT, Peer: peerModuleRTT,
		},
	}
}
