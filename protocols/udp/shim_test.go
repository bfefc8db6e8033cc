package udp_test

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
	"github.com/libos-go/libos/protocols/udp"
)

// suite is every test of this package but those of this file.
func suite() []testing.InternalTest {
	return []testing.InternalTest{
		{Name: "TestADatagramReachesItsPort", F: TestADatagramReachesItsPort},
		{Name: "TestADatagramLeavesWithItsChecksum", F: TestADatagramLeavesWithItsChecksum},
		{Name: "TestAnUnknownPortIsUnreachable", F: TestAnUnknownPortIsUnreachable},
		{Name: "TestABadChecksumIsCountedAndDropped", F: TestABadChecksumIsCountedAndDropped},
		{Name: "TestAZeroChecksumIsForIPv4Only", F: TestAZeroChecksumIsForIPv4Only},
		{Name: "TestLengthsThatDoNotFitAreErrors", F: TestLengthsThatDoNotFitAreErrors},
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

// The ways to run the suite a second time, by what the test is called.
const (
	throughTheShim = "TestThroughTheShim"
	atOnce         = "/at_once/"
	later          = "/later/"
)

// entry is UDP as the test of this name wants it: linked in or behind the wall.
func entry(t testing.TB) core.ProtocolEntry {
	e := core.ProtocolEntry{Protocol: udp.Protocol(), Sysctls: sysctl.Of[udp.Sysctls]()}
	if !strings.HasPrefix(t.Name(), throughTheShim+"/") {
		return e
	}
	return shim.Wrap(e, shim.Options{Later: strings.Contains(t.Name(), later), Failed: func(err error) { t.Errorf("behind the wall: %v", err) }})
}

func TestThroughTheShim(t *testing.T) {
	for _, way := range []string{atOnce, later} {
		t.Run(strings.Trim(way, "/"), func(t *testing.T) {
			for _, x := range suite() {
				t.Run(x.Name, x.F)
			}
		})
	}
}

// A test that is missing in the table would run linked in only.
func TestTheSuiteIsWhole(t *testing.T) {
	packages, err := parser.ParseDir(token.NewFileSet(), ".", nil, 0) //nolint:staticcheck // names are all that is wanted
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, x := range suite() {
		have = append(have, x.Name)
	}
	for file, f := range packages["udp_test"].Files {
		if strings.HasSuffix(file, "shim_test.go") {
			continue
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") && !slices.Contains(have, fn.Name.Name) {
				t.Errorf("%s: %s is not in the table of suite (shim_test.go)", file, fn.Name.Name)
			}
		}
	}
}
