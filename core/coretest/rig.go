package coretest

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

// Rig is one Domain with the instances of one test. When the test ends they are
// closed, and the test fails by what Domain.Close reports: anything that is left in
// their slabs, or an instance that moved packets and never held a slab.
type Rig struct {
	T      testing.TB
	Host   core.Host
	Domain *core.Domain

	damaged bool
}

// Option changes how a Rig is made.
type Option func(*options)

type options struct{ release, exact bool }

// Release makes the Domain without red zones, poison and owners, as a user has
// it: for benchmarks and for tests that count allocations.
func Release() Option { return func(o *options) { o.release = true } }

// Exact makes the Domain as simulations have it: DomainOptions.Exact.
func Exact() Option { return func(o *options) { o.exact = true } }

// New makes the surroundings of test t, driven by h: host.NewVirtual(seed) in
// most tests. Slabs are checked as CONFIG_SLAB_DEBUG does.
func New(t testing.TB, h core.Host, choices ...Option) *Rig {
	t.Helper()
	var o options
	for _, f := range choices {
		f(&o)
	}
	r := &Rig{T: t, Host: h, Domain: core.NewDomain(h, core.DomainOptions{Debug: !o.release, Exact: o.exact})}
	t.Cleanup(r.close)
	return r
}

// Instance makes an instance in the Rig's Domain.
func (r *Rig) Instance(name string, w *core.Wiring) *core.Instance {
	r.T.Helper()
	return r.Adopt(core.New(core.Options{Name: name, Wiring: w, Domain: r.Domain}))
}

// Adopt is for an instance whose options a test chooses itself. They must name
// the Rig's Domain:
//
//	in := rig.Adopt(core.New(core.Options{Domain: rig.Domain, MemoryLimit: 1 << 20, Wiring: w}))
func (r *Rig) Adopt(in *core.Instance, err error) *core.Instance {
	r.T.Helper()
	if err != nil {
		r.T.Fatalf("coretest: %v", err)
	}
	if in.Domain() != r.Domain {
		r.T.Fatalf("coretest: instance %s is not in the Rig's Domain: set Domain in its core.Options", in.Name())
	}
	return in
}

// Attach gives in a device as Instance.Attach does, and records what it sends
// from the first frame on if PcapVariable is set.
func (r *Rig) Attach(in *core.Instance, dev core.Device, name string, addresses ...string) *core.Interface {
	r.T.Helper()
	ifc, err := in.AddDevice(dev, name)
	if err != nil {
		r.T.Fatalf("coretest: device %s: %v", name, err)
	}
	r.record(ifc)
	if err := ifc.Configure(addresses...); err != nil {
		r.T.Fatalf("coretest: %v", err)
	}
	return ifc
}

// Do runs f as a task in virtual time, in which socket calls may block, until
// it returns. The test fails if nothing is left to happen before that.
func (r *Rig) Do(f func()) {
	r.T.Helper()
	h, ok := r.Host.(interface{ Do(func()) error })
	if !ok {
		f()
		return
	}
	if err := h.Do(f); err != nil {
		r.T.Fatal(err)
	}
}

// Go starts f as a task that runs beside the test.
func (r *Rig) Go(name string, f func()) { r.Host.Start(name, f) }

// Advance lets d of virtual time pass; 0 runs what is due now.
func (r *Rig) Advance(d time.Duration) {
	r.T.Helper()
	h, ok := r.Host.(interface{ RunFor(time.Duration) })
	if !ok {
		r.T.Fatal("coretest: Advance needs a host in virtual time")
	}
	h.RunFor(d)
}

// Counter reads an SNMP counter by group and name ("Udp", "InDatagrams"). The
// test fails if there is none of that name.
func (r *Rig) Counter(in *core.Instance, group, name string) uint64 {
	r.T.Helper()
	for _, c := range in.Counters() {
		if c.Group != group {
			continue
		}
		for i, n := range c.Names {
			if n == name {
				return c.Values[i]
			}
		}
	}
	r.T.Fatalf("coretest: no counter %s of group %s", name, group)
	return 0
}

func (r *Rig) close() {
	r.T.Helper()
	if err := r.Domain.Close(); err != nil { // and every instance that is still open
		r.T.Error(err)
	}
	if h, ok := r.Host.(interface{ Close() error }); ok {
		if err := h.Close(); err != nil {
			r.T.Error(err)
		}
	}
}
