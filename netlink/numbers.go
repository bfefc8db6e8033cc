package netlink

// Linux's numbers, defined here because golang.org/x/sys has them on Linux alone
// (include/uapi/linux/{netlink,rtnetlink,if_link,if_addr,neighbour,fib_rules}.h).
const (
	solNetlink = 270

	optAddMembership   = 1
	optDropMembership  = 2
	optPktInfo         = 3
	optBroadcastError  = 4
	optNoENOBUFS       = 5
	optListenAllNSID   = 8
	optListMemberships = 9
	optCapAck          = 10
	optExtAck          = 11
	optStrictCheck     = 12

	typeError = 2
	typeDone  = 3
	typeLeast = 16 // NLMSG_MIN_TYPE

	flagRequest = 0x001
	flagMulti   = 0x002
	flagAck     = 0x004
	flagEcho    = 0x008
	flagDump    = 0x300 // NLM_F_ROOT, NLM_F_MATCH
	flagReplace = 0x100
	flagExcl    = 0x200
	flagCreate  = 0x400
	flagAppend  = 0x800
	flagCapped  = 0x100 // of an acknowledgement
	flagAckTLVs = 0x200

	errAttrMsg    = 1
	errAttrOffset = 2

	attrNested = 1 << 15
	attrMask   = 1<<14 - 1 // without NLA_F_NESTED, NLA_F_NET_BYTEORDER
)

const (
	newLink    = 16
	delLink    = 17
	getLink    = 18
	setLink    = 19
	newAddr    = 20
	delAddr    = 21
	getAddr    = 22
	newRoute   = 24
	delRoute   = 25
	getRoute   = 26
	newNeigh   = 28
	delNeigh   = 29
	getNeigh   = 30
	newRule    = 32
	delRule    = 33
	getRule    = 34
	newNetconf = 80
	getNetconf = 82
	newQdisc   = 36
	delQdisc   = 37
	getQdisc   = 38
	newTclass  = 40
	getTclass  = 42
	getTfilter = 46

	delNetconf  = 81
	newLinkProp = 108
	delLinkProp = 109
)

// Multicast groups (enum rtnetlink_groups).
const (
	groupLink      = 1
	groupNeigh     = 3
	groupTC        = 4
	groupIPv4Addr  = 5
	groupIPv4Route = 7
	groupIPv4Rule  = 8
	groupIPv6Addr  = 9
	groupIPv6Route = 11
	groupIPv6Rule  = 19
	groupNetconf4  = 24
	groupNetconf6  = 25
	lastGroup      = 36
)

const (
	afUnspec = 0
	afInet   = 2
	afInet6  = 10
	afBridge = 7
)

const (
	iflaAddress      = 1
	iflaBroadcast    = 2
	iflaIfname       = 3
	iflaMTU          = 4
	iflaLink         = 5
	iflaQdisc        = 6
	iflaStats        = 7
	iflaMaster       = 10
	iflaTxqlen       = 13
	iflaMap          = 14
	iflaOperstate    = 16
	iflaLinkmode     = 17
	iflaLinkinfo     = 18
	iflaNetNSPID     = 19
	iflaStats64      = 23
	iflaAFSpec       = 26
	iflaGroup        = 27
	iflaNetNSFD      = 28
	iflaExtMask      = 29
	iflaPromiscuity  = 30
	iflaNumTxQueues  = 31
	iflaNumRxQueues  = 32
	iflaCarrier      = 33
	iflaCarrierMoves = 35
	iflaProtoDown    = 39
	iflaGSOMaxSegs   = 40
	iflaGSOMaxSize   = 41
	iflaMinMTU       = 50
	iflaAllmulti     = 61
	iflaMaxMTU       = 51
	iflaPropList     = 52
	iflaAltIfname    = 53

	iflaInfoKind = 1
	iflaInfoData = 2

	vethInfoPeer  = 1
	sizeofIfinfo  = 16
	mostQueues    = 4096
	leastMTU      = 68
	mostMTU       = 65535
	addressLength = 6

	iflaProtinfo   = 12
	iflaGROMaxSize = 58
	iflaTSOMaxSize = 59
	iflaTSOMaxSegs = 60
	inet6Ready     = 1 << 31 // IF_READY

	iflaInet6Stats = 3
	ipCounters     = 38 // __IPSTATS_MIB_MAX

	iflaInet6Flags   = 1
	iflaInet6GenMode = 8

	extSkipStats = 1 << 3 // RTEXT_FILTER_SKIP_STATS

	operUnknown   = 0
	operDown      = 2
	operLowerDown = 3
	operUp        = 6

	flagLowerUp = 1 << 16

	arphrdEther    = 1
	arphrdLoopback = 772
	arphrdNone     = 0xfffe
)

const (
	ifaAddress   = 1
	ifaLocal     = 2
	ifaLabel     = 3
	ifaBroadcast = 4
	ifaCacheinfo = 6
	ifaFlags     = 8
	ifaPriority  = 9
)

const (
	rtaDst       = 1
	rtaSrc       = 2
	rtaIif       = 3
	rtaOif       = 4
	rtaGateway   = 5
	rtaPriority  = 6
	rtaPrefsrc   = 7
	rtaMetrics   = 8
	rtaMultipath = 9
	rtaCacheinfo = 12
	rtaTable     = 15
	rtaMark      = 16
	rtaVia       = 18
	rtaPref      = 20
	rtaEncap     = 22
	rtaExpires   = 23
	rtaUID       = 25
	rtaIPProto   = 27
	rtaSport     = 28
	rtaDport     = 29
	rtaNHID      = 30

	tableUnspec  = 0
	tableDefault = 253
	tableMain    = 254
	tableLocal   = 255

	routeCloned      = 0x200      // RTM_F_CLONED
	routeFIBMatch    = 0x2000     // RTM_F_FIB_MATCH
	routeLookupTable = 0x1000     // RTM_F_LOOKUP_TABLE
	routeRedirects   = 0x01000000 // RTCF_DOREDIRECT
	routeIsLocal     = 0x80000000 // RTCF_LOCAL
	routeIsBroadcast = 0x10000000 // RTCF_BROADCAST
	routeIsMulticast = 0x20000000 // RTCF_MULTICAST

	nexthopOnLink = 4

	metricIPv6 = 1024 // IP6_RT_PRIO_USER
)

const (
	tcaKind       = 1
	tcaOptions    = 2
	tcaStats      = 3
	tcaXStats     = 4
	tcaStats2     = 7
	tcaHWOffload  = 12
	tcaStatsBasic = 1
	tcaStatsQueue = 3
	tcaStatsApp   = 4

	ingressPlace = 0xfffffff1 // TC_H_INGRESS
)

const (
	ndaDst       = 1
	ndaLLAddr    = 2
	ndaCacheinfo = 3
	ndaProbes    = 4
	ndaIfindex   = 8

	neighRouter = 0x80 // NTF_ROUTER
	neighProxy  = 0x08 // NTF_PROXY

	userHZ = 100 // of times in struct nda_cacheinfo and ifa_cacheinfo
)

const (
	fraPriority  = 6
	fraSuppress  = 14
	fraTable     = 15
	fraProtocol  = 21
	forever      = 1<<32 - 1
	noSuppress   = 1<<32 - 1
	sizeofHeader = 16
)
