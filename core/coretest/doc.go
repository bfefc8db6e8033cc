// Package coretest is the surroundings of a test on instances: a Domain whose
// slabs must be empty at the end, and a device that is a bare wire, on which
// the test itself speaks frames.
//
//	rig := coretest.New(t, host.NewVirtual(1))
//	in := rig.Instance("a", wiring)
//	eth := rig.Wire(in, "eth0", core.LinkRaw, "10.0.0.1/24", "fd00::1/64")
//	eth.Inject(wiretest.IPv4("10.0.0.2", "10.0.0.1").UDP(wiretest.Ports(1, 7)))
//	eth.Expect(wiretest.ICMP("unreachable"))
//
// It is for tests only and knows no protocol; what packets mean is said in
// core/wire/wiretest. The host is the caller's choice, since hosts live above
// the core. Start reading at rig.go.
package coretest
