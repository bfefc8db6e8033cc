package packetdrill_test

import (
	"flag"
	"os"
	"testing"

	"github.com/libos-go/libos/packetdrill/packetdrilltest"
)

// Scripts on the kernel spend their time waiting: more of them run at once than there
// are cores, unless -parallel says how many.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("32")
	}
	os.Exit(m.Run())
}

// The scripts of this package show the language, each a feature.
func TestScripts(t *testing.T) { packetdrilltest.Run(t, "testdata/*.pkt") }

// The suite of protocols: scripts/tcp, scripts/udp, scripts/ip, scripts/icmp.
func TestSuite(t *testing.T) { packetdrilltest.Run(t, "scripts") }
