// Command tailored runs two instances of different features in one process: one
// has all that is built in, the other only what a .config of its own leaves it, as
// if the rest had never been written. (To leave the rest out of the binary, too,
// tailor the library: libosbuild export.) Expect:
//
//	whole   ipv4 ipv6, ping ping6 netlink tcp udp udplite raw packet, cubic by net.ipv4.tcp_congestion_control
//	whole   listens on tcp [::]:80
//	narrow  ipv4, ping netlink udp udplite raw packet
//	narrow  no tcp: listen tcp 0.0.0.0:80: socket: socket type not supported
//	narrow  no setting net.ipv4.tcp_congestion_control
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"strings"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/host"
)

// narrow is the text of a .config, as `libosbuild menuconfig` writes it, or of a
// part of one: what it does not name is as in the binary.
const narrow = `# CONFIG_IPV6 is not set
# CONFIG_TCP is not set
CONFIG_UDP=y
`

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	small, err := libos.Narrow("narrow.config", narrow)
	if err != nil {
		return err
	}
	for _, o := range []core.Options{{Name: "whole"}, {Name: "narrow", Wiring: small}} {
		o.Host = host.NewRealTime()
		in, err := libos.New(o)
		if err != nil {
			return err
		}
		show(out, in)
		if err := in.Domain().Close(); err != nil {
			return err
		}
	}
	return nil
}

// show tells what an instance has.
func show(out io.Writer, in *core.Instance) {
	say := func(format string, args ...any) {
		fmt.Fprintf(out, "%-7s "+format+"\n", append([]any{in.Name()}, args...)...)
	}
	var networks, protocols []string
	for _, n := range in.Wiring().Networks {
		networks = append(networks, n.Network.Name)
	}
	for _, p := range in.Wiring().Protocols {
		protocols = append(protocols, p.Protocol.Name)
	}
	text := strings.Join(networks, " ") + ", " + strings.Join(protocols, " ")
	const name = "net.ipv4.tcp_congestion_control"
	control, missing := in.Sysctl(name)
	if missing == nil {
		text += ", " + control + " by " + name
	}
	say("%s", text)
	if l, err := in.Listen("tcp", ":80"); err != nil {
		say("no tcp: %v", err)
	} else {
		say("listens on tcp %v", l.Addr())
		_ = l.Close()
	}
	if errors.Is(missing, fs.ErrNotExist) {
		say("no setting %s", name)
	}
}
