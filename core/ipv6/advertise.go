package ipv6

import (
	"fmt"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// Advertisement is what a router tells the hosts of a link (RFC 4861 §6.2.1).
type Advertisement struct {
	Fields   wire.RouterAdvertFields
	MTU      uint32 // bytes, 0 says nothing
	Prefixes []wire.PrefixInfo
	Routes   []wire.RouteInfo // RFC 4191
	// Interval is the longest time between two, 4 s to 30 min; 0 is 10 minutes.
	Interval time.Duration
}

// Constants of RFC 4861 §10.
const (
	defaultAdvertInterval = 600 * time.Second
	initialAdverts        = 3
	initialAdvertInterval = 16 * time.Second
	minDelayBetweenRAs    = 3 * time.Second
	maxRADelay            = 500 * time.Millisecond
)

// advertiser sends the advertisements of one interface.
type advertiser struct {
	timer  timer.Timer
	device *device
	what   Advertisement
	sent   int
	last   core.Time // of the last one sent
}

// Advertise makes an interface of a router send advertisements, on time and
// when asked, as long as it is up and forwarding is on for it. Nil ends it: the
// hosts are told to leave this router. It keeps a copy of a, but not of its
// lists, which must not be changed. Inside an entry of the Domain. EAFNOSUPPORT
// without IPv6, EINVAL for an impossible interval or more than fits into 1280
// bytes.
func Advertise(ifc *core.Interface, a *Advertisement) error {
	for _, x := range ifc.Instance().Networks() {
		if n, ok := x.(*network); ok {
			return n.device(ifc).setAdvertisement(a)
		}
	}
	return syscall.EAFNOSUPPORT
}

func (d *device) setAdvertisement(a *Advertisement) error {
	if a == nil {
		if v := d.adverts; v != nil {
			d.stopAdvertising()
			if d.advertising() {
				v.what.Fields.Lifetime = 0
				v.send()
			}
			d.adverts = nil
		}
		return nil
	}
	if a.Interval != 0 && (a.Interval < 4*time.Second || a.Interval > 1800*time.Second) {
		return fmt.Errorf("ipv6: advertisements on %s: the interval %v is not in 4s..30m: %w", d.ifc.Name(), a.Interval, syscall.EINVAL)
	}
	if n := headerSize + a.size(); n > minMTU {
		return fmt.Errorf("ipv6: advertisements on %s: %d bytes are more than the 1280 that every link carries: %w", d.ifc.Name(), n, syscall.EINVAL)
	}
	d.stopAdvertising()
	d.adverts = &advertiser{device: d, what: *a, last: -core.Time(minDelayBetweenRAs)}
	if d.adverts.what.Interval == 0 {
		d.adverts.what.Interval = defaultAdvertInterval
	}
	d.startAdvertising()
	return nil
}

// size is the length of the message, in bytes.
func (a *Advertisement) size() int {
	n := wire.RouterAdvertSize + wire.NDLinkLayerSize + wire.NDPrefixInfoSize*len(a.Prefixes)
	if a.MTU != 0 {
		n += wire.NDMTUSize
	}
	for i := range a.Routes {
		n += a.Routes[i].Size()
	}
	return n
}

// advertising tells whether an interface may advertise now: only routers do,
// from a link-local address (RFC 4861 §6.2.2).
func (d *device) advertising() bool {
	return d.up && d.net.conf(d.ifc).Forwarding && !d.net.linkLocal(d.ifc).IsUnspecified()
}

// startAdvertising begins with the first of the initial advertisements.
func (d *device) startAdvertising() {
	if v := d.adverts; v != nil && d.up {
		v.sent = 0
		d.net.in.SetTimer(&v.timer, d.net.in.Now(), v)
	}
}

func (d *device) stopAdvertising() {
	if d.adverts != nil {
		d.net.in.CancelTimer(&d.adverts.timer)
	}
}

// Expire implements timer.Expirer.
func (v *advertiser) Expire(_ *timer.Timer, now core.Time) {
	n := v.device.net
	if !v.device.advertising() {
		n.in.SetTimer(&v.timer, now.Add(minDelayBetweenRAs), v) // not a router yet
		return
	}
	v.send()
	longest := v.what.Interval
	shortest := max(longest/3, minDelayBetweenRAs) // RFC 4861 §6.2.1: MinRtrAdvInterval
	wait := shortest + time.Duration(n.within(int64(longest-shortest)))
	if v.sent++; v.sent < initialAdverts {
		wait = min(wait, initialAdvertInterval)
	}
	n.in.SetTimer(&v.timer, now.Add(wait), v)
}

// solicited answers a Router Solicitation with an advertisement to all, soon
// but not more often than every three seconds (RFC 4861 §6.2.6).
func (v *advertiser) solicited() {
	n := v.device.net
	at := max(n.in.Now(), v.last.Add(minDelayBetweenRAs)).Add(time.Duration(n.within(int64(maxRADelay))))
	if at < v.timer.When() {
		n.in.SetTimer(&v.timer, at, v)
	}
}

// send sends one advertisement to all nodes.
func (v *advertiser) send() {
	d := v.device
	n := d.net
	p := n.newMessage(v.what.size())
	if p == nil {
		return
	}
	v.last = n.in.Now()
	b := p.Linear()
	wire.RouterAdvert(b).Encode(v.what.Fields)
	b = b[wire.RouterAdvertSize:]
	wire.PutNDLinkLayer(b, wire.NDOptSourceLL, d.ifc.HWAddr())
	b = b[wire.NDLinkLayerSize:]
	if v.what.MTU != 0 {
		wire.PutNDMTU(b, v.what.MTU)
		b = b[wire.NDMTUSize:]
	}
	for i := range v.what.Prefixes {
		v.what.Prefixes[i].Put(b)
		b = b[wire.NDPrefixInfoSize:]
	}
	for i := range v.what.Routes {
		b = b[v.what.Routes[i].Put(b):]
	}
	n.sendDiscovery(p, d.ifc, n.linkLocal(d.ifc), wire.IPv6AllNodes())
}
