// Package sim runs networks of hosts and routers in one process, in virtual time:
// every node is an instance of the stack, every link a device in memory, and the
// same description with the same seed gives the same bytes, on any number of cores.
//
//	n := sim.New(sim.Options{Seed: 1, Wiring: libos.Wiring()})
//	a, r, b := n.Node("a", sim.NodeConfig{}), n.Node("r", sim.NodeConfig{}), n.Node("b", sim.NodeConfig{})
//	n.Link("a-r", a, r, sim.LinkConfig{Wire: pipe.Wire{Rate: 10e6, Delay: 5 * time.Millisecond}})
//	n.Link("r-b", r, b, sim.LinkConfig{})
//	b.Go("server", 0, func(t *sim.Task) { l, err := t.Listen("tcp", ":80"); … })
//	err := n.Run(10 * time.Second)
//
// Nodes, links and tasks are described first (network.go, node.go, link.go), then
// Build gives addresses and routes (address.go, routes.go) and makes the instances
// (build.go), and the loop runs them (run.go). Start reading at network.go. What the
// nodes do is in sim/apps, files that describe all of it are read by sim/file,
// graphs without a stack are in sim/topology.
//
// Results: captures (capture.go, merged.go), and with Sample the flows that tasks
// track (flow.go), the queues of interfaces (sample.go) and what tasks record
// (results.go, csv.go). sim/plot draws them, sim/report makes a page of them,
// sim/sweep runs one simulation for many parameters and seeds.
package sim
