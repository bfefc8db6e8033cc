package segment

import (
	"fmt"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// HubConfig describes a Hub. The zero value is ideal.
type HubConfig struct {
	// Name tells segments apart: names of ports are derived from it.
	Name string
	// Rate in bits per second of frame bytes that all ports share, 0 for no limit.
	Rate int64
	// Delay from the departure of a frame's last bit to its arrival at every port.
	Delay time.Duration
}

// Check finds values out of range.
func (c *HubConfig) Check() error {
	if err := (&Cable{Rate: c.Rate, Delay: c.Delay}).check(); err != nil {
		return fmt.Errorf("hub %q: %w", c.Name, err)
	}
	return nil
}

// Hub is one shared medium: a bus, or a repeater with several ports. Frames go to
// all other ports, one at a time; who has one while another is on its way
// waits for its turn, in the order in which ports began to wait. Nothing collides.
type Hub struct {
	cfg HubConfig
	b   base
	bus bus
}

// NewHub makes a hub. Values that cfg.Check would refuse are taken for the nearest
// legal ones.
func NewHub(cfg HubConfig) *Hub {
	cfg.Rate, cfg.Delay = max(0, cfg.Rate), max(0, cfg.Delay)
	return &Hub{cfg: cfg, b: base{name: cfg.Name}}
}

// Port makes a port of the hub, for a new interface of any instance in the Domain of
// the others.
func (h *Hub) Port(cfg PortConfig) *Port { return newPort(h, cfg) }

// Set changes rate and delay for frames that are sent from now on. Inside an entry
// of the ports' Domain.
func (h *Hub) Set(cfg HubConfig) error {
	if err := cfg.Check(); err != nil {
		return err
	}
	h.cfg.Rate, h.cfg.Delay = cfg.Rate, cfg.Delay
	return nil
}

func (h *Hub) base() *base  { return &h.b }
func (h *Hub) joined(*Port) {}
func (h *Hub) left(p *Port) { h.bus.left(p) }
func (h *Hub) room(p *Port) int {
	if h.cfg.Rate == 0 {
		return 64
	}
	return h.bus.room(p)
}

func (h *Hub) send(p *Port, batch []*core.Packet) {
	now := p.ifc.Instance().Now()
	for _, x := range batch {
		depart := now
		if h.cfg.Rate > 0 {
			depart = max(now, h.bus.free).Add(transmission(x.Len(), h.cfg.Rate))
			h.bus.taken(p, depart)
		}
		h.spread(p, x, depart.Add(h.cfg.Delay))
	}
}

// spread gives a frame to every port that wants it but its sender.
func (h *Hub) spread(p *Port, x *core.Packet, at core.Time) {
	if x.LinearLen() < wire.EthernetSize && !x.Pullup(wire.EthernetSize) {
		p.ifc.Stats().TxErrors++
		x.Free()
		return
	}
	dst := wire.Ethernet(x.Linear()).Dst()
	c := copies{x: x}
	for _, to := range h.b.ports {
		if to != p && to.wants(dst) {
			c.give(to, at)
		}
	}
	c.end()
}
