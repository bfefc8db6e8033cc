package packetdrill_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/packetdrill"
)

// listening is the beginning of the scripts below: seven lines, and the eighth is
// theirs.
const listening = `+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 32792
+0 accept(3, ..., ...) = 4
`

// Whatever a script says that is not so is told at its line.
func TestWhatIsNotSoIsTold(t *testing.T) {
	for _, c := range []struct{ name, lines, want string }{
		{"flags", "+0 write(4, ..., 10) = 10\n+0 > . 1:11(10) ack 1", "x.pkt:9: flags is P., expected ."},
		{"seq", "+0 write(4, ..., 10) = 10\n+0 > P. 2:12(10) ack 1", "x.pkt:9: seq is 1, expected 2"},
		{"length", "+0 write(4, ..., 10) = 10\n+0 > P. 1:12(11) ack 1", "x.pkt:9: length is 10, expected 11"},
		{"window", "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1 win 1", "expected 1"},
		{"options", "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1 <nop>", "x.pkt:9: options <>, expected <nop>"},
		{"ports", "+0 write(4, ..., 10) = 10\n+0 > 8081 > 40001 P. 1:11(10) ack 1", "x.pkt:9: ports 8080 > 40001, expected 8081 > 40001"},
		{"mark", "+0 write(4, ..., 10) = 10\n+0 > [ce] P. 1:11(10) ack 1", "x.pkt:9: ECN is noecn, expected ce"},
		{"df", "+0 write(4, ..., 10) = 10\n+0 > (nodf) P. 1:11(10) ack 1", "x.pkt:9: DF is df, expected nodf"},
		{"address", "+0 write(4, ..., 10) = 10\n+0 > (dst 192.0.2.9) P. 1:11(10) ack 1", "x.pkt:9: dst is 192.0.2.1, expected 192.0.2.9"},
		{"fragment", "+0 write(4, ..., 10) = 10\n+0 > (frag 0:16+) P. 1:11(10) ack 1", "x.pkt:9: it is whole, expected a fragment"},
		{"ttl", "+0 write(4, ..., 10) = 10\n+0 > (ttl 1) P. 1:11(10) ack 1", "x.pkt:9: ttl is 64, expected 1"},
		{"too early", "+0 write(4, ..., 10) = 10\n+.5 > P. 1:11(10) ack 1", "x.pkt:9: it was sent at 0.100000 s, 0.500000 s too early"},
		{"too late", "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n+0 > P. 1:11(10) ack 1", "too late (tolerance 0.004000 s)"},
		{"missing", "+0 > P. 1:11(10) ack 1", "x.pkt:8: no packet was sent until 2.104000 s"},
		{"another protocol", "+0 write(4, ..., 10) = 10\n+0 > udp (10)", "x.pkt:9: it is of IP protocol 6, expected 17"},
		{"result", "+0 write(4, ..., 10) = 9", "x.pkt:8: write: it returned 10, expected 9"},
		{"errno", "+0 write(9, ..., 10) = -1 EPIPE (Broken pipe)", "x.pkt:8: write: it returned -1 EBADF"},
		{"success for errno", "+0 write(4, ..., 10) = -1 EPIPE", "x.pkt:8: write: it returned 10, expected -1 EPIPE"},
		{"blocks", "+0 read(4, ..., 10) = 10\n+0 close(4) = 0", "x.pkt:8: read has not returned at 2.100000 s: write start...end if it is to block"},
		{"blocks too long", "+0...+.1 read(4, ..., 10) = 10\n+0 close(4) = 0", "x.pkt:8: read has not returned at"},
		{"returns early", "+0...+.5 read(4, ..., 10) = 10\n+.1 < P. 1:11(10) ack 1 win 1000", "x.pkt:8: read: it returned at 0.200000 s, expected 0.600000 s"},
		{"content", "+0 < P. 1:3(2) ack 1 win 1000\n+0 read(4, \"ab\", 10) = 2", `x.pkt:9: read: it read "\x00\x00", expected "ab"`},
		{"option", "+0 getsockopt(4, SOL_TCP, TCP_NODELAY, [1], [4]) = 0", "x.pkt:8: getsockopt: the option is 0, expected 1"},
		{"struct", "+0 getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=2}, [8]) = 0", "the option.l_onoff is 0, expected 1"},
		{"readiness", "+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}], 1, 0) = 1", "revents of entry 1 are POLLOUT, expected POLLIN"},
		{"assertion", "+0 %{\nassert tcpi_unacked == 1, \"why\"\n}%", `x.pkt:9: assert tcpi_unacked == 1, "why": 0 == 1 does not hold (why)`},
		{"name", "+0 %{ print(nothing) }%", "x.pkt:8: no value is called nothing"},
		{"timestamp", "+0 < . 1:1(0) ack 1 win 1000 <nop,nop,TS val 1 ecr 9>", "x.pkt:8: TS ecr 9: no segment that was sent had TS val 9"},
		{"setting", "+0 `sysctl -w net.ipv4.nothing=1`", "x.pkt:8: `sysctl -w net.ipv4.nothing=1`: the instance has no setting net.ipv4.nothing"},
		{"before", "0 close(4) = 0", "x.pkt:8: the event is at 0.000000 s, before the one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := listening + c.lines
			runs, err := packetdrill.Prepare("x.pkt", text, packetdrill.Defaults(), packetdrill.IPv4)
			if err != nil {
				t.Fatal(err)
			}
			res := packetdrill.Run(runs[0].Script, runs[0].Settings, &packetdrill.Virtual{Wiring: libos.Wiring, Debug: true}, nil)
			var got []string
			for _, f := range res.Failures {
				got = append(got, f.Format("x.pkt"))
			}
			if len(got) != 1 || !strings.Contains(got[0], c.want) || res.Passed {
				t.Errorf("expected one failure with %q, got:\n%s", c.want, strings.Join(got, "\n"))
			}
		})
	}
}

// What cannot be read is told at its line, with what to write.
func TestWhatCannotBeReadIsTold(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "x.pkt:1: the script has no events"},
		{"\n+0 sokcet() = 1", "x.pkt:2: no system call sokcet is known here"},
		{"+0 close(3) = -1 EWHAT", "x.pkt:1: no errno is called EWHAT"},
		{"+0 < S 0:1(0) win 1", "x.pkt:1: the numbers 0:1 are 1 bytes, and the length says (0)"},
		{"+0 < S 0:0(0)", "x.pkt:1: a segment that arrives needs a window"},
		{"+0 < S 0:0(0) win 1 <mss 1,sackOK>", "the options are 6 bytes, which is no multiple of 4"},
		{"+0 < S 0:0(0) win 1 <mss>", "a number is expected before"},
		{"+0 > S 0:0(0) <what>", `"what" is no TCP option: use eol, nop, mss`},
		{"+0 > Z 0:0(0)", "the flags of a TCP segment (S, F,"},
		{"+0 > [ect3] S 0:0(0)", `"ect3" is no mark of an IP header`},
		{"+0 < (frag 4:12) udp (20)", "x.pkt:1: a fragment 4:12: it begins at a multiple of 8"},
		{"+0 < (src 1.2.3) udp (20)", "x.pkt:1: an address is expected before"},
		{"* close(3) = 0", "only a packet that is expected (>) comes at any time (*)"},
		{"0...1 < S 0:0(0) win 1", "only a system call has a start...end time"},
		{"+0 close(3", "is expected before the end of the script"},
		{"+0 %{ import os }%", "import is not of the part of Python"},
		{"+0 %{\nif 1\n}%", "x.pkt:2: "},
		{"/* what", "x.pkt:1: the comment that begins here has no end"},
		{"+0 write(3, \"what, 3) = 3", "x.pkt:1: the string that begins here has no end"},
		{"--what=1\n+0 close(3) = 0", "x.pkt:1: no option is called --what"},
		{"--wire_client\n+0 close(3) = 0", "never between two"},
		{"+0 > icmp what", "no ICMP message is called what"},
		{"+0 > sctp: INIT", "no SCTP packets are known here"},
	} {
		_, err := packetdrill.Prepare("x.pkt", c.text, packetdrill.Defaults(), packetdrill.IPv4)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: expected %q, got %v", c.text, c.want, err)
		}
	}
}

func TestAMessageOfALongStatementIsShort(t *testing.T) {
	text := "+0 %{ assert " + strings.Repeat("(", 100_000) + " }%"
	_, err := packetdrill.Prepare("x.pkt", text, packetdrill.Defaults(), packetdrill.IPv4)
	if err == nil || !strings.HasPrefix(err.Error(), "x.pkt:1: assert ((((") || len(err.Error()) > 400 {
		t.Errorf("a message of %d bytes", len(fmt.Sprint(err)))
	}
}

// A script that marks where the kernel differs is not run there; sysctl -e passes
// over settings that the system does not have, and nothing else does.
func TestScriptsSayWhatASystemDoesNotHave(t *testing.T) {
	run := func(text string, b packetdrill.Backend) *packetdrill.Result {
		runs, err := packetdrill.Prepare("x.pkt", text, packetdrill.Defaults(), packetdrill.IPv4)
		if err != nil {
			t.Fatal(err)
		}
		return packetdrill.Run(runs[0].Script, runs[0].Settings, b, nil)
	}
	virtual := &packetdrill.Virtual{Wiring: libos.Wiring, Debug: true}
	marked := "// kernel: it is older than the rule\n`sysctl -q -e -w net.ipv4.nothing=1`\n" + listening
	if res := run(marked, packetdrill.Kernel{}); res.Skipped != "the kernel differs: it is older than the rule" || res.Passed {
		t.Errorf("on the kernel: %+v", res)
	}
	if res := run(marked, virtual); !res.Passed {
		t.Errorf("on an instance: %+v", res)
	}
	if res := run("`sysctl -q -e -w net.ipv4.tcp_sack=what`\n"+listening, virtual); res.Passed {
		t.Error("a value that is none was passed over")
	}
}
