package procfs

import (
	"fmt"
	"strings"

	"github.com/libos-go/libos/core"
)

// Counters (net/ipv4/proc.c, net/ipv6/proc.c). What the stack does not count, since it
// has no such thing, is 0.

const udpNames = "InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors"

const udpLite6Names = "InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors MemErrors"

const tcpExtNames = "SyncookiesSent SyncookiesRecv SyncookiesFailed EmbryonicRsts PruneCalled RcvPruned OfoPruned OutOfWindowIcmps " +
	"LockDroppedIcmps ArpFilter TW TWRecycled TWKilled PAWSActive PAWSEstab BeyondWindow TSEcrRejected PAWSOldAck PAWSTimewait DelayedACKs " +
	"DelayedACKLocked DelayedACKLost ListenOverflows ListenDrops TCPHPHits TCPPureAcks TCPHPAcks TCPRenoRecovery TCPSackRecovery " +
	"TCPSACKReneging TCPSACKReorder TCPRenoReorder TCPTSReorder TCPFullUndo TCPPartialUndo TCPDSACKUndo TCPLossUndo TCPLostRetransmit " +
	"TCPRenoFailures TCPSackFailures TCPLossFailures TCPFastRetrans TCPSlowStartRetrans TCPTimeouts TCPLossProbes TCPLossProbeRecovery " +
	"TCPRenoRecoveryFail TCPSackRecoveryFail TCPRcvCollapsed TCPBacklogCoalesce TCPDSACKOldSent TCPDSACKOfoSent TCPDSACKRecv " +
	"TCPDSACKOfoRecv TCPAbortOnData TCPAbortOnClose TCPAbortOnMemory TCPAbortOnTimeout TCPAbortOnLinger TCPAbortFailed " +
	"TCPMemoryPressures TCPMemoryPressuresChrono TCPSACKDiscard TCPDSACKIgnoredOld TCPDSACKIgnoredNoUndo TCPSpuriousRTOs " +
	"TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure TCPSackShifted TCPSackMerged TCPSackShiftFallback TCPBacklogDrop PFMemallocDrop " +
	"TCPMinTTLDrop TCPDeferAcceptDrop IPReversePathFilter TCPTimeWaitOverflow TCPReqQFullDoCookies TCPReqQFullDrop TCPRetransFail " +
	"TCPRcvCoalesce TCPOFOQueue TCPOFODrop TCPOFOMerge TCPChallengeACK TCPSYNChallenge TCPFastOpenActive TCPFastOpenActiveFail " +
	"TCPFastOpenPassive TCPFastOpenPassiveFail TCPFastOpenListenOverflow TCPFastOpenCookieReqd TCPFastOpenBlackhole " +
	"TCPSpuriousRtxHostQueues BusyPollRxPackets TCPAutoCorking TCPFromZeroWindowAdv TCPToZeroWindowAdv TCPWantZeroWindowAdv " +
	"TCPSynRetrans TCPOrigDataSent TCPHystartTrainDetect TCPHystartTrainCwnd TCPHystartDelayDetect TCPHystartDelayCwnd " +
	"TCPACKSkippedSynRecv TCPACKSkippedPAWS TCPACKSkippedSeq TCPACKSkippedFinWait2 TCPACKSkippedTimeWait TCPACKSkippedChallenge " +
	"TCPWinProbe TCPKeepAlive TCPMTUPFail TCPMTUPSuccess TCPDelivered TCPDeliveredCE TCPAckCompressed TCPZeroWindowDrop TCPRcvQDrop " +
	"TCPWqueueTooBig TCPFastOpenPassiveAltKey TcpTimeoutRehash TcpDuplicateDataRehash TCPDSACKRecvSegs TCPDSACKIgnoredDubious " +
	"TCPMigrateReqSuccess TCPMigrateReqFailure TCPPLBRehash TCPAORequired TCPAOBad TCPAOKeyNotFound TCPAOGood TCPAODroppedIcmps"

const ip6Names = "InReceives InHdrErrors InTooBigErrors InNoRoutes InAddrErrors InUnknownProtos InTruncatedPkts InDiscards InDelivers " +
	"OutForwDatagrams OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates " +
	"InMcastPkts OutMcastPkts InOctets OutOctets InMcastOctets OutMcastOctets InBcastOctets OutBcastOctets InNoECTPkts InECT1Pkts " +
	"InECT0Pkts InCEPkts OutTransmits"

// group is a group of counters, nil if the instance has none of that name.
func (p *page) group(name string) *core.Counters {
	for i := range p.counters {
		if p.counters[i].Group == name {
			return &p.counters[i]
		}
	}
	return nil
}

// value is a counter of a group, 0 if there is none.
func value(g *core.Counters, name string) uint64 {
	for i, n := range g.Names {
		if n == name {
			return g.Values[i]
		}
	}
	return 0
}

// pair is the two lines of a group, with these names or its own.
func (p *page) pair(group, names string) {
	g := p.group(group)
	if g == nil || len(g.Names) == 0 {
		return
	}
	list := strings.Fields(names)
	if len(list) == 0 {
		list = g.Names
	}
	fmt.Fprintf(p, "%s: %s\n%s:", group, strings.Join(list, " "), group)
	for _, n := range list {
		v := value(g, n)
		if n == "MaxConn" { // the one with a sign
			fmt.Fprintf(p, " %d", int64(v))
			continue
		}
		fmt.Fprintf(p, " %d", v)
	}
	p.WriteByte('\n')
}

func (p *page) snmp() {
	for _, g := range [...][2]string{{"Ip"}, {"Icmp"}, {"IcmpMsg"}, {"Tcp"}, {"Udp", udpNames}, {"UdpLite", udpNames}} {
		p.pair(g[0], g[1])
	}
}

func (p *page) netstat() {
	p.pair("TcpExt", tcpExtNames)
	p.pair("IpExt", "")
}

func (p *page) snmp6() {
	for _, x := range [...][2]string{{"Ip6", ip6Names}, {"Icmp6"}, {"Udp6", udpNames}, {"UdpLite6", udpLite6Names}} {
		g := p.group(x[0])
		if g == nil {
			continue
		}
		list := strings.Fields(x[1])
		if len(list) == 0 {
			list = g.Names
		}
		for _, n := range list {
			fmt.Fprintf(p, "%-32s\t%d\n", x[0]+n, value(g, n))
		}
	}
}
