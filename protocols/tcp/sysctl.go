package tcp

import (
	"strings"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
)

// Sysctls are the settings of an instance's TCP, under Linux's names and with
// its defaults (Documentation/networking/ip-sysctl.rst).
type Sysctls struct {
	SACK            bool          `sysctl:"net.ipv4.tcp_sack" default:"1" help:"Selective acknowledgements (RFC 2018)."`
	DSACK           bool          `sysctl:"net.ipv4.tcp_dsack" default:"1" help:"Report duplicate segments by SACK (RFC 2883)."`
	ECN             int32         `sysctl:"net.ipv4.tcp_ecn" default:"2" range:"0..2" help:"Explicit congestion notification (RFC 3168): 0 never, 1 asked for and granted, 2 granted to peers that ask for it."`
	ECNFallback     bool          `sysctl:"net.ipv4.tcp_ecn_fallback" default:"1" help:"A SYN that is sent again does not ask for ECN: something on the path may drop those that do (RFC 3168 §6.1.1.1)."`
	WindowScaling   bool          `sysctl:"net.ipv4.tcp_window_scaling" default:"1" help:"Windows beyond 64 KiB (RFC 7323)."`
	Timestamps      int32         `sysctl:"net.ipv4.tcp_timestamps" default:"1" range:"0..2" help:"Timestamps (RFC 7323): 0 off, 1 with a random offset for each peer, 2 without."`
	SlowStartIdle   bool          `sysctl:"net.ipv4.tcp_slow_start_after_idle" default:"1" help:"Start slowly again after an idle time (RFC 5681 §4.1)."`
	Congestion      string        `sysctl:"net.ipv4.tcp_congestion_control" config:"DEFAULT_TCP_CONG" help:"Congestion control of new connections; empty for the first that is built in."`
	Available       string        `sysctl:"net.ipv4.tcp_available_congestion_control" help:"Congestion controls that are built in, the default one first; cannot be written."`
	Allowed         string        `sysctl:"net.ipv4.tcp_allowed_congestion_control" help:"Congestion controls that programs may choose (TCP_CONGESTION); empty for all."`
	RMem            [3]int32      `sysctl:"net.ipv4.tcp_rmem" default:"4096 131072 6291456" range:"1..2147483647" unit:"bytes" help:"Receive buffer of a socket: least, initial, most."`
	WMem            [3]int32      `sysctl:"net.ipv4.tcp_wmem" default:"4096 16384 4194304" range:"1..2147483647" unit:"bytes" help:"Send buffer of a socket: least, initial, most."`
	AdvWinScale     int32         `sysctl:"net.ipv4.tcp_adv_win_scale" default:"1" range:"-31..31" help:"Without effect, as on Linux since 6.6: for programs that read it."`
	ModerateRcvbuf  bool          `sysctl:"net.ipv4.tcp_moderate_rcvbuf" default:"1" help:"Let receive buffers grow as the path needs."`
	SynRetries      int32         `sysctl:"net.ipv4.tcp_syn_retries" default:"6" range:"1..127" help:"How often a SYN is sent again before connect fails."`
	SynackRetries   int32         `sysctl:"net.ipv4.tcp_synack_retries" default:"5" range:"0..255" help:"How often a SYN-ACK is sent again."`
	Retries1        int32         `sysctl:"net.ipv4.tcp_retries1" default:"3" range:"1..255" help:"Retransmissions after which the route is looked up anew."`
	Retries2        int32         `sysctl:"net.ipv4.tcp_retries2" default:"15" range:"0..2147483647" help:"Retransmissions after which a connection is given up."`
	OrphanRetries   int32         `sysctl:"net.ipv4.tcp_orphan_retries" default:"0" range:"0..255" help:"The same for a connection that its program has closed; 0 stands for 8."`
	MaxOrphans      int32         `sysctl:"net.ipv4.tcp_max_orphans" default:"8192" range:"0..2147483647" help:"Connections that no program has any more and that still send; beyond it they are reset."`
	SynCookies      int32         `sysctl:"net.ipv4.tcp_syncookies" default:"1" range:"0..2" help:"SYN cookies (RFC 4987): 0 never, 1 when the queue of requests overflows, 2 always."`
	MaxSynBacklog   int32         `sysctl:"net.ipv4.tcp_max_syn_backlog" default:"128" range:"0..2147483647" help:"Connection requests that a listener keeps."`
	AbortOverflow   bool          `sysctl:"net.ipv4.tcp_abort_on_overflow" default:"0" help:"Reset a connection that finds the accept queue full."`
	FinTimeout      time.Duration `sysctl:"net.ipv4.tcp_fin_timeout" default:"60" range:"0..2147483" unit:"s" help:"How long a closed connection waits for the peer's FIN."`
	KeepaliveTime   time.Duration `sysctl:"net.ipv4.tcp_keepalive_time" default:"7200" range:"1..32767" unit:"s" help:"Idle time before the first keepalive probe."`
	KeepaliveIntvl  time.Duration `sysctl:"net.ipv4.tcp_keepalive_intvl" default:"75" range:"1..32767" unit:"s" help:"Time between keepalive probes."`
	KeepaliveProbes int32         `sysctl:"net.ipv4.tcp_keepalive_probes" default:"9" range:"0..127" help:"Probes without an answer that end a connection."`
	ChallengeLimit  int32         `sysctl:"net.ipv4.tcp_challenge_ack_limit" default:"1000" range:"0..2147483647" help:"Challenge ACKs a second (RFC 5961 §7)."`
	InvalidLimit    time.Duration `sysctl:"net.ipv4.tcp_invalid_ratelimit" default:"500" range:"0..2147483647" unit:"ms" help:"Least time between answers to invalid segments of one connection."`
	TWReuse         int32         `sysctl:"net.ipv4.tcp_tw_reuse" default:"2" range:"0..2" help:"Reuse ports in TIME-WAIT for new outgoing connections (RFC 6191): 0 never, 1 always, 2 on loopback."`
	RFC1337         bool          `sysctl:"net.ipv4.tcp_rfc1337" default:"0" help:"Let no RST end TIME-WAIT (RFC 1337)."`
	MaxTWBuckets    int32         `sysctl:"net.ipv4.tcp_max_tw_buckets" default:"8192" range:"0..2147483647" help:"Connections in TIME-WAIT; beyond it they end at once."`
	MTUProbing      int32         `sysctl:"net.ipv4.tcp_mtu_probing" default:"0" range:"0..2" help:"Smaller segments after repeated timeouts on a path that may drop ICMP (RFC 4821): 0 never, 1 and 2 after tcp_retries1 timeouts."`
	BaseMSS         int32         `sysctl:"net.ipv4.tcp_base_mss" default:"1024" range:"48..65535" unit:"bytes" help:"Segment size to try on such a path."`
	MinSendMSS      int32         `sysctl:"net.ipv4.tcp_min_snd_mss" default:"48" range:"48..65535" unit:"bytes" help:"Smallest segment size a peer or a router can impose."`
	NotsentLowat    uint32        `sysctl:"net.ipv4.tcp_notsent_lowat" default:"4294967295" unit:"bytes" help:"Unsent bytes beyond which a socket is not writable."`
	StdUrg          bool          `sysctl:"net.ipv4.tcp_stdurg" default:"0" help:"The urgent pointer shows the last urgent byte (RFC 1122 §4.2.2.4), not the byte behind it."`
	Somaxconn       int32         `sysctl:"net.core.somaxconn" default:"4096" range:"0..2147483647" help:"Longest accept queue of a listener."`
}

var _ core.SysctlKeeper = (*door)(nil)

const (
	sysctlControl   = "net.ipv4.tcp_congestion_control"
	sysctlAvailable = "net.ipv4.tcp_available_congestion_control"
	sysctlAllowed   = "net.ipv4.tcp_allowed_congestion_control"
)

// ReadSysctl implements core.SysctlKeeper: the lists of congestion controls follow
// from what is built in.
func (d *door) ReadSysctl(name, value string) string {
	switch {
	case name == sysctlAvailable, name == sysctlAllowed && value == "":
		return strings.Join(d.controls.names(), " ")
	case name == sysctlControl && value == "":
		if a := d.controls.preset(); a != nil {
			return a.Name
		}
	}
	return value
}

// CheckSysctl implements core.SysctlKeeper (net/ipv4/sysctl_net_ipv4.c,
// proc_tcp_congestion_control): ENOENT for a congestion control that is not built
// in.
func (d *door) CheckSysctl(name string, block any) error {
	s := block.(*Sysctls)
	var asked []string
	switch name {
	case sysctlAvailable:
		return syscall.EACCES
	case sysctlControl:
		if s.Congestion != "" {
			asked = []string{s.Congestion}
		}
	case sysctlAllowed:
		asked = strings.Fields(s.Allowed)
	}
	for _, x := range asked {
		if d.controls.named(x) == nil {
			return syscall.ENOENT
		}
	}
	return nil
}
