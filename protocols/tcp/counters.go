package tcp

import "github.com/libos-go/libos/core"

// counters are the SNMP counters of /proc/net/snmp (Tcp, RFC 4022) and
// /proc/net/netstat (TcpExt) that have a meaning here, by Linux's names.
type counters struct {
	activeOpens, passiveOpens, attemptFails, estabResets uint64
	currEstab                                            int64
	inSegs, outSegs, retransSegs, inErrs, outRsts        uint64
	inCsumErrors                                         uint64

	syncookiesSent, syncookiesRecv, syncookiesFailed  uint64
	embryonicRsts, listenOverflows, listenDrops       uint64
	reqQFullDrop, reqQFullDoCookies                   uint64
	timeWaits, timeWaitRecycled, timeWaitOverflow     uint64
	pawsActive, pawsEstab                             uint64
	delayedACKs, delayedACKLost                       uint64
	pureACKs, hpHits                                  uint64
	sackRecovery, renoRecovery, sackReneging          uint64
	timeouts, lossUndo, fullUndo, dsackUndo           uint64
	lostRetransmit, fastRetrans, slowStartRetrans     uint64
	sackRecoveryFail, renoRecoveryFail                uint64
	dsackOldSent, dsackOfoSent, dsackRecv, dsackOfo   uint64
	abortOnData, abortOnClose, abortOnMemory          uint64
	abortOnTimeout, abortOnLinger, abortFailed        uint64
	memoryPressures, rcvPruned, ofoPruned             uint64
	rcvCollapsed, backlogDrop, rcvQDrop               uint64
	ofoQueue, ofoDrop, ofoMerge                       uint64
	challengeACK, synChallenge                        uint64
	spuriousRTOs, spuriousRtxHostQueues               uint64
	keepAlive, winProbe, fromZeroWindow, toZeroWindow uint64
	wantZeroWindow, synRetrans, origDataSent          uint64
	outOfWindowICMPs, deferAcceptDrop                 uint64
	skippedSynRecv, skippedPAWS, skippedSeq           uint64
	skippedFinWait2, skippedTimeWait                  uint64
	skippedChallenge, deliveredCE                     uint64
}

// groups are the counters as /proc shows them.
func (c *counters) groups() []core.Counters {
	var tcp, ext core.Counters
	tcp.Group, ext.Group = "Tcp", "TcpExt"
	add := func(g *core.Counters, name string, v uint64) {
		g.Names = append(g.Names, name)
		g.Values = append(g.Values, v)
	}
	for _, x := range [...]struct {
		name string
		v    uint64
	}{
		{"RtoAlgorithm", 1}, {"RtoMin", 200}, {"RtoMax", 120000}, {"MaxConn", 1<<64 - 1},
		{"ActiveOpens", c.activeOpens}, {"PassiveOpens", c.passiveOpens}, {"AttemptFails", c.attemptFails},
		{"EstabResets", c.estabResets}, {"CurrEstab", uint64(c.currEstab)}, {"InSegs", c.inSegs}, {"OutSegs", c.outSegs},
		{"RetransSegs", c.retransSegs}, {"InErrs", c.inErrs}, {"OutRsts", c.outRsts}, {"InCsumErrors", c.inCsumErrors},
	} {
		add(&tcp, x.name, x.v)
	}
	for _, x := range [...]struct {
		name string
		v    uint64
	}{
		{"SyncookiesSent", c.syncookiesSent}, {"SyncookiesRecv", c.syncookiesRecv}, {"SyncookiesFailed", c.syncookiesFailed},
		{"EmbryonicRsts", c.embryonicRsts}, {"OutOfWindowIcmps", c.outOfWindowICMPs}, {"TCPDeferAcceptDrop", c.deferAcceptDrop}, {"TW", c.timeWaits}, {"TWRecycled", c.timeWaitRecycled},
		{"PAWSActive", c.pawsActive}, {"PAWSEstab", c.pawsEstab}, {"DelayedACKs", c.delayedACKs}, {"DelayedACKLost", c.delayedACKLost},
		{"ListenOverflows", c.listenOverflows}, {"ListenDrops", c.listenDrops}, {"TCPHPHits", c.hpHits}, {"TCPPureAcks", c.pureACKs},
		{"TCPRenoRecovery", c.renoRecovery}, {"TCPSackRecovery", c.sackRecovery}, {"TCPSACKReneging", c.sackReneging},
		{"TCPFullUndo", c.fullUndo}, {"TCPDSACKUndo", c.dsackUndo}, {"TCPLossUndo", c.lossUndo},
		{"TCPLostRetransmit", c.lostRetransmit}, {"TCPFastRetrans", c.fastRetrans}, {"TCPSlowStartRetrans", c.slowStartRetrans},
		{"TCPTimeouts", c.timeouts}, {"TCPRenoRecoveryFail", c.renoRecoveryFail}, {"TCPSackRecoveryFail", c.sackRecoveryFail},
		{"TCPBacklogDrop", c.backlogDrop}, {"PruneCalled", c.rcvPruned}, {"OfoPruned", c.ofoPruned}, {"TCPRcvCollapsed", c.rcvCollapsed},
		{"TCPDSACKOldSent", c.dsackOldSent}, {"TCPDSACKOfoSent", c.dsackOfoSent}, {"TCPDSACKRecv", c.dsackRecv}, {"TCPDSACKOfoRecv", c.dsackOfo},
		{"TCPAbortOnData", c.abortOnData}, {"TCPAbortOnClose", c.abortOnClose}, {"TCPAbortOnMemory", c.abortOnMemory},
		{"TCPAbortOnTimeout", c.abortOnTimeout}, {"TCPAbortOnLinger", c.abortOnLinger}, {"TCPAbortFailed", c.abortFailed},
		{"TCPMemoryPressures", c.memoryPressures}, {"TCPTimeWaitOverflow", c.timeWaitOverflow},
		{"TCPReqQFullDoCookies", c.reqQFullDoCookies}, {"TCPReqQFullDrop", c.reqQFullDrop}, {"TCPRcvQDrop", c.rcvQDrop},
		{"TCPOFOQueue", c.ofoQueue}, {"TCPOFODrop", c.ofoDrop}, {"TCPOFOMerge", c.ofoMerge},
		{"TCPChallengeACK", c.challengeACK}, {"TCPSYNChallenge", c.synChallenge}, {"TCPSpuriousRTOs", c.spuriousRTOs},
		{"TCPSynRetrans", c.synRetrans}, {"TCPOrigDataSent", c.origDataSent}, {"TCPKeepAlive", c.keepAlive}, {"TCPWinProbe", c.winProbe},
		{"TCPFromZeroWindowAdv", c.fromZeroWindow}, {"TCPToZeroWindowAdv", c.toZeroWindow}, {"TCPWantZeroWindowAdv", c.wantZeroWindow},
		{"TCPACKSkippedSynRecv", c.skippedSynRecv}, {"TCPACKSkippedPAWS", c.skippedPAWS}, {"TCPACKSkippedSeq", c.skippedSeq},
		{"TCPACKSkippedFinWait2", c.skippedFinWait2}, {"TCPACKSkippedTimeWait", c.skippedTimeWait},
		{"TCPACKSkippedChallenge", c.skippedChallenge}, {"TCPDeliveredCE", c.deliveredCE},
	} {
		add(&ext, x.name, x.v)
	}
	return []core.Counters{tcp, ext}
}
