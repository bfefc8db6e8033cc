package ipv6

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/sysctl"
)

// Sysctls are the settings of an instance (Documentation/networking/ip-sysctl).
type Sysctls struct {
	BindV6Only      bool          `sysctl:"net.ipv6.bindv6only" default:"0" help:"New IPv6 sockets take IPv6 only, as if IPV6_V6ONLY were set."`
	AutoFlowLabels  int           `sysctl:"net.ipv6.auto_flowlabels" default:"1" range:"0..3" help:"Give outgoing packets a flow label made from their flow (RFC 6437): 0 never, 1 and above always."`
	RateLimit       time.Duration `sysctl:"net.ipv6.icmp.ratelimit" unit:"ms" default:"1000" help:"Least time between two ICMPv6 errors to one destination, after a burst of six; 0 is no limit."`
	EchoIgnoreAll   bool          `sysctl:"net.ipv6.icmp.echo_ignore_all" default:"0" help:"Answer no echo request."`
	EchoIgnoreMcst  bool          `sysctl:"net.ipv6.icmp.echo_ignore_multicast" default:"0" help:"Answer no echo request to a multicast address."`
	FragHighThresh  int64         `sysctl:"net.ipv6.ip6frag_high_thresh" unit:"bytes" default:"4194304" range:"0.." help:"Memory that fragments waiting for reassembly may hold."`
	FragTime        time.Duration `sysctl:"net.ipv6.ip6frag_time" unit:"s" default:"60" range:"1..255" help:"Time after which an incomplete packet is dropped (RFC 8200: 60 seconds)."`
	MultipathPolicy int           `sysctl:"net.ipv6.fib_multipath_hash_policy" default:"0" range:"0..3" help:"What of a packet chooses among several paths of a route: 0 addresses, protocol and flow label, 1 addresses, protocol and ports, 2 as 0 of the innermost packet of a tunnel, 3 what fib_multipath_hash_fields says."`
	MultipathFields int           `sysctl:"net.ipv6.fib_multipath_hash_fields" default:"7" range:"1..4095" help:"Bits of what counts with fib_multipath_hash_policy 3: 1 source, 2 destination, 4 protocol, 8 flow label, 16 source port, 32 destination port, the next six likewise of the packet in a tunnel."`
	MTUExpires      time.Duration `sysctl:"net.ipv6.route.mtu_expires" unit:"s" default:"600" range:"1.." help:"Time for which a learnt path MTU holds (RFC 8201: 10 minutes)."`
}

// DeviceSysctls are the settings of an interface.
type DeviceSysctls struct {
	Forwarding       bool          `sysctl:"net.ipv6.conf.{dev}.forwarding" all:"set" default:"0" help:"Forward packets that arrive here: be a router on this link."`
	HopLimit         int           `sysctl:"net.ipv6.conf.{dev}.hop_limit" default:"64" range:"1..255" help:"Hop limit of packets sent, unless a router advertises another."`
	MTU              int           `sysctl:"net.ipv6.conf.{dev}.mtu" default:"0" range:"0..65535" unit:"bytes" help:"Largest IPv6 packet; 0 is the link's MTU. Values below 1280 count as 1280."`
	AcceptRA         int           `sysctl:"net.ipv6.conf.{dev}.accept_ra" default:"1" range:"0..2" help:"Accept router advertisements: 0 never, 1 unless forwarding, 2 always."`
	AcceptRADefrtr   bool          `sysctl:"net.ipv6.conf.{dev}.accept_ra_defrtr" default:"1" help:"Learn default routers from advertisements."`
	AcceptRAPinfo    bool          `sysctl:"net.ipv6.conf.{dev}.accept_ra_pinfo" default:"1" help:"Learn prefixes from advertisements."`
	AcceptRAMTU      bool          `sysctl:"net.ipv6.conf.{dev}.accept_ra_mtu" default:"1" help:"Take the MTU from advertisements."`
	AcceptRARtrPref  bool          `sysctl:"net.ipv6.conf.{dev}.accept_ra_rtr_pref" default:"1" help:"Heed router preferences (RFC 4191)."`
	AcceptRARtInfo   int           `sysctl:"net.ipv6.conf.{dev}.accept_ra_rt_info_max_plen" default:"0" range:"0..128" help:"Longest prefix taken from route information options (RFC 4191)."`
	AcceptRAMinHop   int           `sysctl:"net.ipv6.conf.{dev}.accept_ra_min_hop_limit" default:"1" range:"1..255" help:"Least hop limit taken from advertisements."`
	Autoconf         bool          `sysctl:"net.ipv6.conf.{dev}.autoconf" default:"1" help:"Form addresses from advertised prefixes (RFC 4862)."`
	DADTransmits     int           `sysctl:"net.ipv6.conf.{dev}.dad_transmits" default:"1" range:"0..100" help:"Solicitations sent to detect a duplicate address."`
	AcceptDAD        int           `sysctl:"net.ipv6.conf.{dev}.accept_dad" all:"max" default:"1" all_default:"0" range:"-1..2" help:"Duplicate address detection: 0 and below off, 1 on, 2 on and disable IPv6 if the link-local address is a duplicate."`
	AcceptRedirects  bool          `sysctl:"net.ipv6.conf.{dev}.accept_redirects" default:"1" help:"Accept redirects, unless forwarding."`
	DisableIPv6      bool          `sysctl:"net.ipv6.conf.{dev}.disable_ipv6" all:"set" default:"0" help:"Have no IPv6 on this interface."`
	RouterSolicits   int           `sysctl:"net.ipv6.conf.{dev}.router_solicitations" default:"3" range:"-1..1000" help:"Router solicitations sent; -1 goes on with growing intervals (RFC 7559)."`
	RouterSolicitInt time.Duration `sysctl:"net.ipv6.conf.{dev}.router_solicitation_interval" unit:"s" default:"4" range:"1.." help:"Time between router solicitations."`
	UseTempAddr      int           `sysctl:"net.ipv6.conf.{dev}.use_tempaddr" default:"0" range:"-1..2" help:"Source addresses: 2 and above prefers temporary addresses."`
	MaxAddresses     int           `sysctl:"net.ipv6.conf.{dev}.max_addresses" default:"16" range:"0.." help:"Most autoconfigured addresses; 0 is no limit."`
	AddrGenMode      int           `sysctl:"net.ipv6.conf.{dev}.addr_gen_mode" all:"set" default:"0" range:"0..3" help:"Interface identifiers: 0 EUI-64, 1 no link-local address, 2 and 3 stable-privacy (RFC 7217)."`
	NDiscNotify      bool          `sysctl:"net.ipv6.conf.{dev}.ndisc_notify" default:"0" help:"Advertise an address when it becomes usable, so that neighbours learn of its new place."`
	KeepAddrOnDown   int           `sysctl:"net.ipv6.conf.{dev}.keep_addr_on_down" all:"over" default:"0" help:"Keep permanent addresses, but for link-local ones, when the interface goes down: above 0."`
	ForceMLDVersion  int           `sysctl:"net.ipv6.conf.{dev}.force_mld_version" all:"over" default:"0" range:"0..2" help:"Speak this version of MLD only; 0 follows the querier."`

	BaseReachable   time.Duration `sysctl:"net.ipv6.neigh.{dev}.base_reachable_time_ms" unit:"ms" default:"30000" range:"1.." help:"Time for which a neighbour counts as reachable after proof, before randomisation."`
	DelayFirstProbe time.Duration `sysctl:"net.ipv6.neigh.{dev}.delay_first_probe_time" unit:"s" default:"5" help:"Time for an upper layer's proof before a stale neighbour is probed."`
	Retransmit      time.Duration `sysctl:"net.ipv6.neigh.{dev}.retrans_time_ms" unit:"ms" default:"1000" range:"1.." help:"Time between neighbour solicitations."`
	GCStale         time.Duration `sysctl:"net.ipv6.neigh.{dev}.gc_stale_time" unit:"s" default:"60" range:"1.." help:"Time after which an unused stale neighbour is forgotten."`
	MulticastProbes int           `sysctl:"net.ipv6.neigh.{dev}.mcast_solicit" default:"3" range:"1..100" help:"Multicast solicitations before an unknown neighbour is unreachable."`
	UnicastProbes   int           `sysctl:"net.ipv6.neigh.{dev}.ucast_solicit" default:"3" range:"0..100" help:"Unicast solicitations before a known neighbour is unreachable."`
	QueueLen        int           `sysctl:"net.ipv6.neigh.{dev}.unres_qlen" default:"101" range:"1..10000" help:"Packets kept while a neighbour is resolved."`
}

// sys is the instance's settings.
func (n *network) sys() *Sysctls {
	if s, ok := n.view.Block().(*Sysctls); ok {
		return s
	}
	return &n.untabled.instance
}

// conf is the interface's settings.
func (n *network) conf(ifc *core.Interface) *DeviceSysctls {
	if s, ok := n.view.Device(ifc).(*DeviceSysctls); ok {
		return s
	}
	return &n.untabled.device
}

// confAll is the settings under "all".
func (n *network) confAll() *DeviceSysctls {
	if s, ok := n.view.All().(*DeviceSysctls); ok {
		return s
	}
	return &n.untabled.all
}

// acceptDAD is accept_dad of an interface: the greater of its own and that of
// "all" (ip-sysctl.rst).
func (n *network) acceptDAD(ifc *core.Interface) int {
	return max(n.conf(ifc).AcceptDAD, n.confAll().AcceptDAD)
}

// forceMLDVersion is that of "all", unless it is 0 (mcast.c,
// mld_force_mld_version).
func (n *network) forceMLDVersion(ifc *core.Interface) int {
	if v := n.confAll().ForceMLDVersion; v != 0 {
		return v
	}
	return n.conf(ifc).ForceMLDVersion
}

// KeepsAddresses implements core.AddressKeeper: the setting of "all", unless it is 0
// (net/ipv6/addrconf.c, addrconf_ifdown).
func (n *network) KeepsAddresses(ifc *core.Interface) bool {
	if v := n.confAll().KeepAddrOnDown; v != 0 {
		return v > 0
	}
	return n.conf(ifc).KeepAddrOnDown > 0
}

// untabled is the default settings, for a wiring that has no sysctl tables.
type untabled struct {
	instance Sysctls
	device   DeviceSysctls
	all      DeviceSysctls
}

func newUntabled() *untabled {
	d := sysctl.Of[DeviceSysctls]()
	return &untabled{*sysctl.Of[Sysctls]().Default.(*Sysctls), *d.Default.(*DeviceSysctls), *d.ForAll().(*DeviceSysctls)}
}

// NeighbourParams are the timing of neighbour discovery on an interface: the
// settings, changed by what routers advertise (RFC 4861 §6.3.4). The result
// holds until the next call.
func (n *network) NeighbourParams(ifc *core.Interface) *core.NeighbourParams {
	c := n.conf(ifc)
	if n.params == nil {
		n.params = new(core.NeighbourParams)
	}
	*n.params = core.NeighbourParams{BaseReachable: c.BaseReachable, DelayFirstProbe: c.DelayFirstProbe, Retransmit: c.Retransmit,
		GCStale: c.GCStale, MulticastProbes: c.MulticastProbes, UnicastProbes: c.UnicastProbes, QueueLen: c.QueueLen}
	if d := n.known(ifc); d != nil && d.ra != nil {
		if d.ra.reachable != 0 {
			n.params.BaseReachable = d.ra.reachable
		}
		if d.ra.retransmit != 0 {
			n.params.Retransmit = d.ra.retransmit
		}
	}
	return n.params
}

// BindV6Only is IPV6_V6ONLY of new sockets.
func (n *network) BindV6Only() bool { return n.sys().BindV6Only }

// InterfaceMTU is the largest IPv6 packet on an interface: the link's MTU, less
// if the settings or a router say so, but never below 1280 for that.
func (n *network) InterfaceMTU(ifc *core.Interface) int {
	mtu := ifc.MTU()
	if c := n.conf(ifc); c.MTU != 0 {
		mtu = min(mtu, max(c.MTU, minMTU))
	}
	if d := n.known(ifc); d != nil && d.ra != nil && d.ra.mtu != 0 {
		mtu = min(mtu, max(d.ra.mtu, minMTU))
	}
	return mtu
}
