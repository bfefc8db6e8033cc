package packetdrill

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc/tc"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/posix"
)

// device is the name of a script's device.
const device = "tun0"

// Virtual runs scripts against an instance of its own in virtual time.
type Virtual struct {
	// Wiring makes what the instance is made of.
	Wiring func() *core.Wiring
	// Seed of its random numbers.
	Seed uint64
	// Debug checks slabs as CONFIG_SLAB_DEBUG does.
	Debug bool
}

// Name implements Backend.
func (v *Virtual) Name() string { return "virtual" }

// virtual is the system of one script.
type virtual struct {
	*posix.Process
	host     *host.Virtual
	instance *core.Instance
	ifc      *core.Interface
	mtu      int
	sent     []livePacket
	waiter   *core.Waiter // of Await, nil outside
}

// Run implements Backend.
func (v *Virtual) Run(s *Settings, f func(System) bool) (err error) {
	h := host.NewVirtual(v.Seed)
	d := core.NewDomain(h, core.DomainOptions{Debug: v.Debug})
	x := &virtual{host: h, mtu: s.MTU}
	stuck := false
	defer func() {
		if stuck {
			err = errors.Join(err, h.Close()) // what blocks fails now
		}
		if x.Process != nil {
			err = errors.Join(err, x.CloseAll())
		}
		err = errors.Join(err, d.Close(), h.Close())
	}()
	in, err := core.New(core.Options{Name: "packetdrill", Wiring: v.Wiring(), Domain: d})
	if err != nil {
		return err
	}
	x.instance, x.Process = in, posix.NewProcess(in)
	if x.ifc, err = in.AddDevice(deviceOf{x}, device); err != nil {
		return err
	}
	if err := x.address(s); err != nil {
		return err
	}
	h.RunFor(10 * time.Second) // group membership is told of
	x.sent = nil
	if e := h.Do(func() { stuck = f(x) }); e != nil {
		stuck = true
		return e
	}
	return nil
}

// address gives the device the addresses and routes of the families that the
// instance has.
func (x *virtual) address(s *Settings) error {
	for i, v6 := range []bool{false, true} {
		if x.instance.Network(wire.FromNetIP(s.Local[i])) == nil {
			if v6 == (s.IPVersion == IPv6) {
				return fmt.Errorf("the instance has no %s: build it with CONFIG_%s", s.IPVersion, strings.ToUpper(s.IPVersion.String()[:4]))
			}
			continue
		}
		if err := x.ifc.Configure(netip.PrefixFrom(s.Local[i], s.Prefix[i]).String()); err != nil {
			return err
		}
		to := netip.PrefixFrom(s.Remote[i], s.RemotePrefix[i]).Masked()
		if err := x.instance.AddRoutes(fmt.Sprintf("%s via %s dev %s", to, s.Gateway[i], device)); err != nil {
			return err
		}
	}
	return nil
}

// Properties implements core.Device.
func (x *virtual) Properties() core.Properties {
	return core.Properties{Kind: "packetdrill", Link: core.LinkRaw, MTU: x.mtu, Flags: core.FlagMulticast | core.FlagPointToPoint | core.FlagNoARP}
}

// Attach implements core.Device.
func (x *virtual) Attach(ifc *core.Interface) { x.ifc = ifc }

// Send implements core.Device.
func (x *virtual) Send(batch []*core.Packet) int {
	for _, p := range batch {
		b := make([]byte, p.Len())
		p.CopyOut(0, b)
		p.Free()
		if len(x.sent) < 1<<16 {
			x.sent = append(x.sent, livePacket{time.Duration(x.host.Now()), b})
		}
	}
	x.notify()
	return len(batch)
}

func (x *virtual) notify() {
	if x.waiter != nil {
		x.host.Wake(x.waiter)
	}
}

// deviceOf is the device's side of a virtual: both have a method Close.
type deviceOf struct{ *virtual }

// Close implements core.Device.
func (deviceOf) Close() error { return nil }

func (x *virtual) Now() time.Duration { return time.Duration(x.host.Now()) }

func (x *virtual) Exact() bool { return true }

func (x *virtual) Sleep(t time.Duration) {
	if d := t - x.Now(); d > 0 {
		_ = x.host.Sleep(d)
	}
}

func (x *virtual) Inject(packet []byte) error {
	if x.ifc.Deliver([]core.Frame{{Data: packet}}) != 1 {
		return errors.New("the device's queue is full")
	}
	return nil
}

func (x *virtual) Packet() (livePacket, bool) {
	if len(x.sent) == 0 {
		return livePacket{}, false
	}
	p := x.sent[0]
	x.sent = x.sent[1:]
	return p, true
}

func (x *virtual) Await(t time.Duration, done func() bool) bool {
	w := &core.Waiter{}
	x.waiter = w
	defer func() { x.waiter = nil }()
	for !done() {
		if x.Now() >= t {
			return false
		}
		x.host.At(core.Time(t), func() { x.host.Wake(w) })
		if x.host.Park(w) != nil {
			return false
		}
	}
	return true
}

func (x *virtual) Start(f func(), _ bool) {
	x.host.Go("call", func() {
		f()
		x.notify()
	})
}

// SendfileZeros is a write here: the bytes do not say where they came from.
func (x *virtual) SendfileZeros(out, n int) (int, error) { return x.Write(out, make([]byte, n)) }

func (x *virtual) Shell(string) error {
	return errors.New("a command of a shell cannot reach an instance in virtual time: use sysctl, echo VALUE > /proc/sys/…, ip, tc, or run with --kernel")
}

// unknown marks an error of a setting's name for errors.Is, and adds no text.
type unknown struct{}

func (unknown) Error() string        { return "" }
func (unknown) Is(target error) bool { return target == fs.ErrNotExist }

// Configure implements System.
func (x *virtual) Configure(c *setup) error {
	switch c.Tool {
	case "sysctl":
		name := c.Name
		if err := x.instance.SetSysctl(name, c.Value); err != nil {
			if errors.Is(err, syscall.ENOENT) {
				return fmt.Errorf("the instance has no setting %s%w", name, unknown{})
			}
			return fmt.Errorf("%s=%s: %w", name, c.Value, err)
		}
		return nil
	case "ip":
		return x.ip(c.Args)
	case "tc":
		_, err := tc.Run(x.instance, c.Args)
		return err
	}
	return fmt.Errorf("%s is not known in virtual time", c.Tool)
}

// ip does what `ip` does, for the script's own device.
func (x *virtual) ip(w []string) error {
	for len(w) > 0 && strings.HasPrefix(w[0], "-") {
		w = w[1:]
	}
	if len(w) == 0 {
		return errors.New("ip has no words: use ip addr, ip route or ip link")
	}
	verb, rest := "show", w[1:]
	if len(rest) > 0 {
		verb, rest = rest[0], rest[1:]
	}
	is := func(object string, min int) bool { return len(w[0]) >= min && strings.HasPrefix(object, w[0]) }
	switch {
	case is("address", 1):
		return x.ipAddress(verb, rest)
	case is("route", 1):
		return x.ipRoute(verb, rest)
	case is("link", 1):
		return x.ipLink(verb, rest)
	case w[0] == "tcp_metrics" || w[0] == "tcpmetrics":
		return nil // a fresh instance remembers no peers
	}
	return fmt.Errorf("ip %s is not known here: use ip addr, ip route or ip link", w[0])
}

func (x *virtual) ipAddress(verb string, w []string) error {
	if len(w) < 3 || w[1] != "dev" || w[2] != device {
		return fmt.Errorf("write ip addr add ADDRESS/LENGTH dev %s", device)
	}
	p, err := netip.ParsePrefix(w[0])
	if err != nil {
		a, err := netip.ParseAddr(w[0])
		if err != nil {
			return fmt.Errorf("%s is no address", w[0])
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	switch verb {
	case "add", "replace":
		return x.ifc.Configure(p.String())
	case "del", "delete":
		return x.ifc.RemoveAddress(wire.FromNetIP(p.Addr()))
	}
	return fmt.Errorf("ip addr %s is not known here: add, del", verb)
}

func (x *virtual) ipRoute(verb string, w []string) error {
	if verb == "flush" && len(w) == 1 && w[0] == "cache" {
		return nil
	}
	var words []string
	for i := 0; i < len(w); i++ {
		switch w[i] {
		case "proto", "scope", "table": // and its value
			i++
		case "lock":
			return fmt.Errorf("a locked metric (%s) is not known here", strings.Join(w[max(0, i-1):], " "))
		default:
			words = append(words, w[i])
		}
	}
	e, dev, err := core.ParseRoute(strings.Join(words, " "))
	if err != nil {
		return err
	}
	e.Interface = x.ifc
	if dev != "" {
		if e.Interface = x.instance.InterfaceByName(dev); e.Interface == nil {
			return fmt.Errorf("no device is called %s: the script's is %s", dev, device)
		}
	}
	switch verb {
	case "add":
		return x.instance.AddRoute(e)
	case "change", "replace":
		for _, old := range x.instance.Routes() {
			if old.Prefix == e.Prefix && old.Metric == e.Metric {
				if e.Gateway.IsUnspecified() && e.Type == old.Type {
					e.Gateway = old.Gateway
				}
				if err := x.instance.RemoveRoute(old); err != nil {
					return err
				}
			}
		}
		return x.instance.AddRoute(e)
	case "del", "delete":
		return x.instance.RemoveRoute(e)
	}
	return fmt.Errorf("ip route %s is not known here: add, change, replace, del", verb)
}

func (x *virtual) ipLink(verb string, w []string) error {
	if verb != "set" {
		return fmt.Errorf("ip link %s is not known here: ip link set %s up|down|mtu N", verb, device)
	}
	if len(w) > 0 && w[0] == "dev" {
		w = w[1:]
	}
	if len(w) < 2 || w[0] != device {
		return fmt.Errorf("write ip link set %s up|down|mtu N", device)
	}
	for w = w[1:]; len(w) > 0; w = w[1:] {
		switch {
		case w[0] == "up" || w[0] == "down":
			if err := x.ifc.SetUp(w[0] == "up"); err != nil {
				return err
			}
		case w[0] == "mtu" && len(w) > 1:
			n, err := strconv.Atoi(w[1])
			if err != nil {
				return fmt.Errorf("mtu %s is no number", w[1])
			}
			if err := x.ifc.SetMTU(n); err != nil {
				return err
			}
			w = w[1:]
		default:
			return fmt.Errorf("ip link set %s %s is not known here: up, down, mtu N", device, w[0])
		}
	}
	return nil
}
