package ipv4

import (
	"time"

	"github.com/libos-go/libos/core"
)

// Sysctls are the settings of IPv4 in one instance, with Linux's names and
// defaults (Documentation/networking/ip-sysctl.rst).
type Sysctls struct {
	Forward                bool          `sysctl:"net.ipv4.ip_forward" alias:"net.ipv4.conf.all.forwarding" default:"0" help:"Forward packets between interfaces; another name of net.ipv4.conf.all.forwarding."`
	DefaultTTL             int32         `sysctl:"net.ipv4.ip_default_ttl" default:"64" range:"1..255" help:"TTL of packets whose socket sets none."`
	NoPMTUDisc             int32         `sysctl:"net.ipv4.ip_no_pmtu_disc" default:"0" range:"0..3" help:"1: no path MTU discovery, packets go without DF and Fragmentation Needed cuts to min_pmtu. 2 and 3: its messages are ignored."`
	NonlocalBind           bool          `sysctl:"net.ipv4.ip_nonlocal_bind" default:"0" help:"Sockets may bind to addresses that are not local."`
	ForwardUsePMTU         bool          `sysctl:"net.ipv4.ip_forward_use_pmtu" default:"0" help:"Forwarding respects path MTUs learnt by ICMP, which anybody can forge."`
	MultipathPolicy        int32         `sysctl:"net.ipv4.fib_multipath_hash_policy" default:"0" range:"0..3" help:"What of a packet chooses among several paths of a route: 0 its addresses, 1 protocol and ports, too, 2 the addresses of the innermost packet of a tunnel, 3 what fib_multipath_hash_fields says."`
	NexthopCompat          bool          `sysctl:"net.ipv4.nexthop_compat_mode" default:"1" help:"Tell of routes by a next hop object with the ways that it has, too."`
	MultipathFields        int32         `sysctl:"net.ipv4.fib_multipath_hash_fields" default:"7" range:"1..4095" help:"Bits of what counts with fib_multipath_hash_policy 3: 1 source, 2 destination, 4 protocol, 8 flow label, 16 source port, 32 destination port, the next six likewise of the packet in a tunnel."`
	MinPMTU                int32         `sysctl:"net.ipv4.route.min_pmtu" default:"552" range:"68..65535" unit:"bytes" help:"Smallest path MTU that is believed."`
	MTUExpires             time.Duration `sysctl:"net.ipv4.route.mtu_expires" default:"600" range:"1..2147483647" unit:"s" help:"Time for which a learnt path MTU holds (RFC 1191 §6.3)."`
	EchoIgnoreAll          bool          `sysctl:"net.ipv4.icmp_echo_ignore_all" default:"0" help:"Answer no echo request."`
	EchoIgnoreBroadcasts   bool          `sysctl:"net.ipv4.icmp_echo_ignore_broadcasts" default:"1" help:"Answer no echo and timestamp requests to broadcast and multicast addresses."`
	IgnoreBogusErrors      bool          `sysctl:"net.ipv4.icmp_ignore_bogus_error_responses" default:"1" help:"Do not log ICMP errors about broadcasts."`
	ErrorsUseInboundIfaddr bool          `sysctl:"net.ipv4.icmp_errors_use_inbound_ifaddr" default:"0" help:"ICMP errors about forwarded packets come from the address of the interface they came in by."`
	ICMPRateLimit          int32         `sysctl:"net.ipv4.icmp_ratelimit" default:"1000" range:"0..2147483647" unit:"ms" help:"Least time between ICMP messages of the types in icmp_ratemask to one destination, after a burst of six; 0 for no limit."`
	ICMPRateMask           uint32        `sysctl:"net.ipv4.icmp_ratemask" default:"6168" help:"Bit set of the ICMP types that are rate limited."`
	ICMPMsgsPerSec         int32         `sysctl:"net.ipv4.icmp_msgs_per_sec" default:"1000" range:"0..2147483647" help:"Most ICMP messages of the types in icmp_ratemask in a second."`
	ICMPMsgsBurst          int32         `sysctl:"net.ipv4.icmp_msgs_burst" default:"50" range:"0..2147483647" help:"Most of them at once."`
	PingGroupRange         [2]int32      `sysctl:"net.ipv4.ping_group_range" default:"0 2147483647" range:"0..2147483647" help:"Groups that may open ping sockets. Programs of an instance have no groups: all may, whatever is set. Linux's default is none."`
	FragHighThresh         int32         `sysctl:"net.ipv4.ipfrag_high_thresh" default:"4194304" range:"0..2147483647" unit:"bytes" help:"Memory for packets under reassembly; the oldest give way."`
	FragTime               time.Duration `sysctl:"net.ipv4.ipfrag_time" default:"30" range:"0..2147483647" unit:"s" help:"Time for which fragments wait for the rest."`
	IGMPQrv                int32         `sysctl:"net.ipv4.igmp_qrv" default:"2" range:"1..7" help:"IGMP robustness: how often a change of membership is reported."`
}

// DeviceSysctls are the settings of one interface.
type DeviceSysctls struct {
	Forwarding        bool  `sysctl:"net.ipv4.conf.{dev}.forwarding" all:"set" default:"0" help:"Forward packets that come in by this interface."`
	AcceptRedirects   bool  `sysctl:"net.ipv4.conf.{dev}.accept_redirects" all:"and" default:"1" help:"Accept ICMP redirects. A router needs it under all and the interface, a host under one of them."`
	SendRedirects     bool  `sysctl:"net.ipv4.conf.{dev}.send_redirects" all:"or" default:"1" help:"Send ICMP redirects, if a router."`
	SecureRedirects   bool  `sysctl:"net.ipv4.conf.{dev}.secure_redirects" all:"or" default:"1" help:"Accept redirects only to gateways that a route names; shared_media overrides it."`
	SharedMedia       bool  `sysctl:"net.ipv4.conf.{dev}.shared_media" all:"or" default:"1" help:"Several networks share this link (RFC 1620): redirects between them are sent and accepted."`
	AcceptSourceRoute bool  `sysctl:"net.ipv4.conf.{dev}.accept_source_route" all:"and" default:"1" all_default:"0" help:"Accept packets with a source route option."`
	AcceptLocal       bool  `sysctl:"net.ipv4.conf.{dev}.accept_local" all:"or" default:"0" help:"Accept packets with one of our own addresses as source."`
	RouteLocalnet     bool  `sysctl:"net.ipv4.conf.{dev}.route_localnet" all:"or" default:"0" help:"Loopback addresses are not martian on this link."`
	RPFilter          int32 `sysctl:"net.ipv4.conf.{dev}.rp_filter" all:"max" default:"0" range:"0..2" help:"Source validation: 1 strict (the way back is this interface), 2 loose (there is a way back) (RFC 3704)."`
	LogMartians       bool  `sysctl:"net.ipv4.conf.{dev}.log_martians" all:"or" default:"0" help:"Log packets with impossible addresses."`
	ArpFilter         bool  `sysctl:"net.ipv4.conf.{dev}.arp_filter" all:"or" default:"0" help:"Answer ARP requests only if the way back to the sender is this interface."`
	ArpIgnore         int32 `sysctl:"net.ipv4.conf.{dev}.arp_ignore" all:"max" default:"0" range:"0..8" help:"Which ARP requests are answered: 0 for any local address, 1 for this interface's, 2 also with the sender in the same network, 3 not for addresses of host scope, 8 none."`
	ArpAnnounce       int32 `sysctl:"net.ipv4.conf.{dev}.arp_announce" all:"max" default:"0" range:"0..2" help:"Sender address of ARP requests: 0 the packet's, 1 the packet's if in the target's network, 2 the best of this interface."`
	ArpAccept         int32 `sysctl:"net.ipv4.conf.{dev}.arp_accept" all:"max" default:"0" range:"0..2" help:"Make neighbour entries from gratuitous ARP: 1 always, 2 for senders in a network of this interface."`
	ArpNotify         bool  `sysctl:"net.ipv4.conf.{dev}.arp_notify" all:"or" default:"1" help:"Announce addresses by gratuitous ARP when they are added or the link comes up (RFC 5227 §2.3). Linux's default is 0."`
	DropUnicastInL2   bool  `sysctl:"net.ipv4.conf.{dev}.drop_unicast_in_l2_multicast" all:"or" default:"0" help:"Drop unicast packets in broadcast frames (RFC 1122 §3.3.6)."`
	DropGratuitousArp bool  `sysctl:"net.ipv4.conf.{dev}.drop_gratuitous_arp" all:"or" default:"0" help:"Ignore gratuitous ARP."`
	ForceIGMPVersion  int32 `sysctl:"net.ipv4.conf.{dev}.force_igmp_version" all:"over" default:"0" range:"0..3" help:"Speak this version of IGMP only; 0 follows the querier."`
	IGMPLinkLocal     bool  `sysctl:"net.ipv4.conf.{dev}.igmp_link_local_mcast_reports" default:"1" help:"Report also groups of 224.0.0.0/24."`

	NeighBaseReachable   time.Duration `sysctl:"net.ipv4.neigh.{dev}.base_reachable_time_ms" default:"30000" range:"1..2147483647" unit:"ms" help:"Mean time for which a neighbour is held reachable after a proof."`
	NeighDelayFirstProbe time.Duration `sysctl:"net.ipv4.neigh.{dev}.delay_first_probe_time" default:"5" range:"0..2147483647" unit:"s" help:"Time that upper layers have to confirm a stale neighbour before it is probed."`
	NeighRetransmit      time.Duration `sysctl:"net.ipv4.neigh.{dev}.retrans_time_ms" default:"1000" range:"1..2147483647" unit:"ms" help:"Time between ARP requests."`
	NeighGCStale         time.Duration `sysctl:"net.ipv4.neigh.{dev}.gc_stale_time" default:"60" range:"1..2147483647" unit:"s" help:"Time after which an unused entry goes."`
	NeighBroadcastProbes int32         `sysctl:"net.ipv4.neigh.{dev}.mcast_solicit" default:"3" range:"1..255" help:"Broadcast requests before a neighbour counts as unreachable."`
	NeighUnicastProbes   int32         `sysctl:"net.ipv4.neigh.{dev}.ucast_solicit" default:"3" range:"0..255" help:"Unicast requests before a known neighbour counts as unreachable."`
	NeighQueue           int32         `sysctl:"net.ipv4.neigh.{dev}.unres_qlen" default:"101" range:"1..10000" help:"Packets that wait for one address resolution."`
}

// settings are what holds for an interface: its own values and those of "all",
// put together by Linux's rules (include/linux/inetdevice.h).
type settings struct {
	forwarding, acceptRedirects, sendRedirects, secureRedirects, sharedMedia bool
	acceptSourceRoute, acceptLocal, routeLocalnet, logMartians               bool
	arpFilter, arpNotify, dropUnicastInL2, dropGratuitousArp, igmpLinkLocal  bool
	rpFilter, arpIgnore, arpAnnounce, arpAccept, igmpVersion                 int8
	own, all                                                                 *DeviceSysctls
	neigh                                                                    core.NeighbourParams
}

// configure reads the instance's settings.
func (s *stack) configure() {
	if c, ok := s.view.Block().(*Sysctls); ok {
		s.conf = c
	} else {
		s.conf = &Sysctls{DefaultTTL: 64, MinPMTU: 552, MTUExpires: 600 * time.Second, EchoIgnoreBroadcasts: true,
			IgnoreBogusErrors: true, ICMPRateLimit: 1000, ICMPRateMask: 6168, ICMPMsgsPerSec: 1000, ICMPMsgsBurst: 50,
			MultipathFields: 7, FragHighThresh: 4 << 20, FragTime: 30 * time.Second, IGMPQrv: 2}
	}
	s.base = nil
}

// bareDevice are the defaults for a wiring without a table of sysctls.
func bareDevice() *DeviceSysctls {
	return &DeviceSysctls{AcceptRedirects: true, SendRedirects: true, SecureRedirects: true, SharedMedia: true,
		AcceptSourceRoute: true, ArpNotify: true, IGMPLinkLocal: true,
		NeighBaseReachable: 30 * time.Second, NeighDelayFirstProbe: 5 * time.Second, NeighRetransmit: time.Second,
		NeighGCStale: time.Minute, NeighBroadcastProbes: 3, NeighUnicastProbes: 3, NeighQueue: 101}
}

// settingsOf puts together what holds for ifc. Interfaces with the same
// blocks share the result.
func (s *stack) settingsOf(ifc *core.Interface) *settings {
	own, _ := s.view.Device(ifc).(*DeviceSysctls)
	all, _ := s.view.All().(*DeviceSysctls)
	if b := s.base; b != nil && (own == b.own && all == b.all || own == nil) {
		return b
	}
	var x *settings
	switch {
	case own == nil || all == nil:
		bare, all := bareDevice(), bareDevice()
		all.AcceptSourceRoute = false
		x = combine(bare, all)
	case s.view.Untouched(ifc): // as in the other instances of this wiring
		x = s.in.Domain().Shared(own, func() any { return combine(own, all) }).(*settings)
	default:
		x = combine(own, all)
	}
	if s.base == nil {
		s.base = x
	}
	return x
}

// combine puts together an interface's values and those of "all".
func combine(own, all *DeviceSysctls) *settings {
	x := &settings{
		forwarding: own.Forwarding, acceptRedirects: own.AcceptRedirects && all.AcceptRedirects,
		sendRedirects: own.SendRedirects || all.SendRedirects, secureRedirects: own.SecureRedirects || all.SecureRedirects,
		sharedMedia: own.SharedMedia || all.SharedMedia, acceptSourceRoute: own.AcceptSourceRoute && all.AcceptSourceRoute,
		acceptLocal: own.AcceptLocal || all.AcceptLocal, routeLocalnet: own.RouteLocalnet || all.RouteLocalnet,
		logMartians: own.LogMartians || all.LogMartians, arpFilter: own.ArpFilter || all.ArpFilter,
		arpNotify: own.ArpNotify || all.ArpNotify, dropUnicastInL2: own.DropUnicastInL2 || all.DropUnicastInL2,
		dropGratuitousArp: own.DropGratuitousArp || all.DropGratuitousArp, igmpLinkLocal: own.IGMPLinkLocal,
		rpFilter: int8(max(own.RPFilter, all.RPFilter)), arpIgnore: int8(max(own.ArpIgnore, all.ArpIgnore)),
		arpAnnounce: int8(max(own.ArpAnnounce, all.ArpAnnounce)), arpAccept: int8(max(own.ArpAccept, all.ArpAccept)),
		igmpVersion: int8(own.ForceIGMPVersion),
		own:         own, all: all,
		neigh: core.NeighbourParams{BaseReachable: own.NeighBaseReachable, DelayFirstProbe: own.NeighDelayFirstProbe,
			Retransmit: own.NeighRetransmit, GCStale: own.NeighGCStale, MulticastProbes: int(own.NeighBroadcastProbes),
			UnicastProbes: int(own.NeighUnicastProbes), QueueLen: int(own.NeighQueue)},
	}
	if !own.Forwarding { // IN_DEV_RX_REDIRECTS: a host needs one of them, a router both
		x.acceptRedirects = own.AcceptRedirects || all.AcceptRedirects
	}
	if all.ForceIGMPVersion != 0 {
		x.igmpVersion = int8(all.ForceIGMPVersion)
	}
	return x
}

// DefaultHops is the TTL of packets whose socket sets none.
func (s *stack) DefaultHops(*core.Interface) int { return int(s.conf.DefaultTTL) }

// NonlocalBind tells whether sockets may bind to any address.
func (s *stack) NonlocalBind() bool { return s.conf.NonlocalBind }

// NeighbourParams are the neigh settings of ifc, for the neighbour cache.
func (s *stack) NeighbourParams(ifc *core.Interface) *core.NeighbourParams {
	return &s.device(ifc).neigh
}
