package datagram_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/shim"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire/wiretest"
	"github.com/libos-go/libos/protocols/udp"
	"github.com/libos-go/libos/protocols/udplite"
)

// suite is what UDP and UDP-Lite do alike.
func suite() []testing.InternalTest {
	return []testing.InternalTest{
		{Name: "TestADatagramReachesItsPort", F: TestADatagramReachesItsPort},
		{Name: "TestADatagramLeavesWithItsChecksum", F: TestADatagramLeavesWithItsChecksum},
		{Name: "TestAnUnknownPortIsUnreachable", F: TestAnUnknownPortIsUnreachable},
		{Name: "TestABadChecksumIsCountedAndDropped", F: TestABadChecksumIsCountedAndDropped},
		{Name: "TestAConnectedSocketHearsItsPeerAlone", F: TestAConnectedSocketHearsItsPeerAlone},
		{Name: "TestPortUnreachableRefusesAConnectedSocket", F: TestPortUnreachableRefusesAConnectedSocket},
		{Name: "TestBindRules", F: TestBindRules},
		{Name: "TestADualStackSocketTakesBothFamilies", F: TestADualStackSocketTakesBothFamilies},
		{Name: "TestErrnosOfSending", F: TestErrnosOfSending},
		{Name: "TestAFullReceiveBufferDropsAndCounts", F: TestAFullReceiveBufferDropsAndCounts},
		{Name: "TestPeekAndTruncation", F: TestPeekAndTruncation},
		{Name: "TestMulticastReachesEveryMember", F: TestMulticastReachesEveryMember},
		{Name: "TestASocketMayHearItsOwnGroupsAlone", F: TestASocketMayHearItsOwnGroupsAlone},
		{Name: "TestABlockedReadWakesAndTimesOut", F: TestABlockedReadWakesAndTimesOut},
		{Name: "TestCloseWakesAReader", F: TestCloseWakesAReader},
		{Name: "TestLargeDatagramsCrossInFragments", F: TestLargeDatagramsCrossInFragments},
		{Name: "TestADatagramAllocatesNothing", F: TestADatagramAllocatesNothing},
		{Name: "TestAnICMPErrorComesWithTheDatagramItIsAbout", F: TestAnICMPErrorComesWithTheDatagramItIsAbout},
		{Name: "TestWhoHearsOfAnICMPError", F: TestWhoHearsOfAnICMPError},
		{Name: "TestThePendingErrorIsThatOfTheNextInTheQueue", F: TestThePendingErrorIsThatOfTheNextInTheQueue},
		{Name: "TestALocalErrorIsQueuedWithoutAPacket", F: TestALocalErrorIsQueuedWithoutAPacket},
		{Name: "TestTheErrorQueueIsBoundedByTheReceiveBuffer", F: TestTheErrorQueueIsBoundedByTheReceiveBuffer},
		{Name: "TestWhoAsksNoMoreHasNoErrorsLeft", F: TestWhoAsksNoMoreHasNoErrorsLeft},
		{Name: "TestAnErrorLongerThanTheBufferIsCut", F: TestAnErrorLongerThanTheBufferIsCut},
		{Name: "TestAnErrorWakesWhoPolls", F: TestAnErrorWakesWhoPolls},
		{Name: "TestAnErrorAsControlMessages", F: TestAnErrorAsControlMessages},
	}
}

// ofOne is what a flavour does otherwise than its sibling.
func ofOne(f flavour) []testing.InternalTest {
	if !f.lite {
		return []testing.InternalTest{
			{Name: "TestAZeroChecksumIsForIPv4Only", F: TestAZeroChecksumIsForIPv4Only},
			{Name: "TestLengthsThatDoNotFitAreErrors", F: TestLengthsThatDoNotFitAreErrors},
			{Name: "TestUDPHasNoCoverage", F: TestUDPHasNoCoverage},
		}
	}
	return []testing.InternalTest{
		{Name: "TestACoverageMayLeaveTheEndUnchecked", F: TestACoverageMayLeaveTheEndUnchecked},
		{Name: "TestACoverageOfZeroIsTheWholeDatagram", F: TestACoverageOfZeroIsTheWholeDatagram},
		{Name: "TestAnIllegalCoverageIsDropped", F: TestAnIllegalCoverageIsDropped},
		{Name: "TestACoverageWithinTheHeaderIsDroppedWhateverItSumsTo", F: TestACoverageWithinTheHeaderIsDroppedWhateverItSumsTo},
		{Name: "TestAChecksumIsMandatory", F: TestAChecksumIsMandatory},
		{Name: "TestWhatIsSentCoversWhatTheSocketSays", F: TestWhatIsSentCoversWhatTheSocketSays},
		{Name: "TestACoverageIsRoundedUpToTheHeader", F: TestACoverageIsRoundedUpToTheHeader},
		{Name: "TestAReceiverRefusesWhatIsCoveredTooLittle", F: TestAReceiverRefusesWhatIsCoveredTooLittle},
		{Name: "TestAGroupReachesTheMembersThatAreContentWithTheCoverage", F: TestAGroupReachesTheMembersThatAreContentWithTheCoverage},
		{Name: "TestACoverageEndsInsideAnyPieceOfALargeDatagram", F: TestACoverageEndsInsideAnyPieceOfALargeDatagram},
		{Name: "TestUDPAndUDPLiteHavePortsOfTheirOwn", F: TestUDPAndUDPLiteHavePortsOfTheirOwn},
	}
}

// flavour is what the tests must know of a protocol of the family.
type flavour struct {
	network  string // of ListenPacket and Dial, for both families
	protocol int    // of socket(2)
	group    string // of the counters for IPv4
	lite     bool
}

func overUDP() flavour     { return flavour{network: "udp", group: "Udp"} }
func overUDPLite() flavour { return flavour{"udplite", core.SolUDPLite, "UdpLite", true} }

// datagram adds the header of the flavour to a packet of IP.
func (f flavour) datagram(p wiretest.Packet, fields ...wiretest.Field) wiretest.Packet {
	if f.lite {
		return p.UDPLite(fields...)
	}
	return p.UDP(fields...)
}

// The ways to run the suite again, by what the test is called.
const (
	again    = "TestTheSuiteAgain"
	lite     = "/udplite/"
	linkedIn = "/linked_in/"
	atOnce   = "/at_once/"
	later    = "/later/"
	module   = "/module/" // in another process
)

// flavourOf is the protocol that the test of this name is about.
func flavourOf(t testing.TB) flavour {
	if strings.Contains(t.Name(), lite) {
		return overUDPLite()
	}
	return overUDP()
}

// plain is the entry of the flavour linked in.
func (f flavour) plain() core.ProtocolEntry {
	if f.lite {
		return core.ProtocolEntry{Protocol: udplite.Protocol()}
	}
	return core.ProtocolEntry{Protocol: udp.Protocol(), Sysctls: sysctl.Of[udp.Sysctls]()}
}

// isModule tells whether the test of this name wants its protocol in another
// process.
func isModule(t testing.TB) bool { return strings.Contains(t.Name(), module) }

// entry is the flavour as the test of this name wants it: linked in or behind the
// wall.
func entry(t testing.TB, f flavour) core.ProtocolEntry {
	e := f.plain()
	if !strings.HasPrefix(t.Name(), again+"/") || strings.Contains(t.Name(), linkedIn) {
		return e
	}
	return shim.Wrap(e, shim.Options{Later: strings.Contains(t.Name(), later), Failed: func(err error) { t.Errorf("behind the wall: %v", err) }})
}

// UDP linked in is what runs without this.
func TestTheSuiteAgain(t *testing.T) {
	for _, f := range []flavour{overUDP(), overUDPLite()} {
		t.Run(f.network, func(t *testing.T) {
			for _, way := range []string{linkedIn, atOnce, later} {
				if way == linkedIn && !f.lite {
					continue
				}
				t.Run(strings.Trim(way, "/"), func(t *testing.T) { all(t, f) })
			}
			t.Run(strings.Trim(module, "/"), func(t *testing.T) { inAProcess(t, f, func() { all(t, f) }) })
		})
	}
}

func all(t *testing.T, f flavour) {
	for _, x := range slices.Concat(suite(), ofOne(f)) {
		t.Run(x.Name, x.F)
	}
}

// A test that is missing in the table would run linked in only.
func TestTheSuiteIsWhole(t *testing.T) {
	packages, err := parser.ParseDir(token.NewFileSet(), ".", nil, 0) //nolint:staticcheck // names are all that is wanted
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, x := range slices.Concat(suite(), ofOne(overUDP()), ofOne(overUDPLite())) {
		have = append(have, x.Name)
	}
	for file, f := range packages["datagram_test"].Files {
		if strings.HasSuffix(file, "suite_test.go") || strings.HasSuffix(file, "module_test.go") {
			continue
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") && !slices.Contains(have, fn.Name.Name) {
				t.Errorf("%s: %s is in no table of suite_test.go", file, fn.Name.Name)
			}
		}
	}
}
