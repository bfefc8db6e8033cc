package tcp_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

// infoAt are the places of fields of struct tcp_info (include/uapi/linux/tcp.h), and
// their sizes.
var infoAt = map[string]struct{ at, size int }{
	"state": {0, 1}, "ca_state": {1, 1}, "retransmits": {2, 1},
	"snd_mss": {16, 4}, "unacked": {24, 4}, "sacked": {28, 4}, "lost": {32, 4}, "retrans": {36, 4},
	"last_data_sent": {44, 4}, "last_data_recv": {52, 4}, "last_ack_recv": {56, 4},
	"rtt": {68, 4}, "snd_ssthresh": {76, 4}, "snd_cwnd": {80, 4}, "advmss": {84, 4}, "reordering": {88, 4},
	"rcv_space": {96, 4}, "total_retrans": {100, 4}, "pacing_rate": {104, 8}, "bytes_acked": {120, 8},
	"bytes_received": {128, 8}, "segs_out": {136, 4}, "segs_in": {140, 4}, "notsent_bytes": {144, 4}, "min_rtt": {148, 4},
	"data_segs_in": {152, 4}, "data_segs_out": {156, 4}, "delivery_rate": {160, 8}, "busy_time": {168, 8},
	"rwnd_limited": {176, 8}, "sndbuf_limited": {184, 8}, "delivered": {192, 4}, "bytes_sent": {200, 8},
	"bytes_retrans": {208, 8}, "dsack_dups": {216, 4}, "reord_seen": {220, 4}, "rcv_ooopack": {224, 4},
	"snd_wnd": {228, 4}, "total_rto": {240, 2}, "total_rto_recoveries": {242, 2}, "total_rto_time": {244, 4},
}

type info map[string]uint64

// shows checks fields of TCP_INFO.
func (s *sock) shows(when string, expected info) {
	s.p.T.Helper()
	var b [300]byte
	if _, err := s.Option(core.SolTCP, tcpInfo, b[:]); err != nil {
		s.p.T.Errorf("TCP_INFO: %v", err)
	}
	for name, v := range expected {
		f, ok := infoAt[name]
		if !ok {
			s.p.T.Fatalf("no field %s", name)
		}
		var x [8]byte
		copy(x[:], b[f.at:f.at+f.size])
		if got := binary.LittleEndian.Uint64(x[:]); got != v {
			s.p.T.Errorf("%s: %s is %d, want %d", when, name, got, v)
		}
	}
}

// What Linux shows of connections that carried nothing, and of a socket that is
// none yet.
func TestInfoOfFreshSockets(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.socket().shows("new", info{"state": 7, "snd_mss": 536, "snd_cwnd": 10, "reordering": 3, "snd_ssthresh": 0x7fffffff, "min_rtt": 1<<32 - 1,
		"pacing_rate": 1<<64 - 1})
	l := p.listen(3)
	l.shows("listening", info{"state": 10, "unacked": 0, "sacked": 3, "snd_cwnd": 10, "reordering": 3})
	p.accepted(l).shows("accepted", info{"segs_in": 2, "segs_out": 0, "bytes_acked": 0, "delivered": 1, "bytes_received": 0, "rcv_space": 14600})
	p = newPeer(t, addrA, addrB)
	p.established().shows("connected", info{"segs_in": 1, "segs_out": 2, "bytes_acked": 1, "delivered": 1, "busy_time": 0, "unacked": 0})
}

func TestInfoCountsPacketsAsTheyWereCut(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established(sackOK(), mss(1000))
	c.sets(core.SolTCP, tcpNoDelay, 1)
	for _, n := range []int{10, 10, 20, 1000} {
		c.writes(text(n))
	}
	p.drop()
	c.shows("sent", info{"unacked": 4, "data_segs_out": 4, "bytes_sent": 1040, "segs_out": 6, "notsent_bytes": 0, "last_data_sent": 0})
	p.wait(50 * time.Millisecond)
	p.in(plain, ack(1), sack(11, 41))
	c.shows("two sacked", info{"unacked": 4, "sacked": 2, "delivered": 3, "ca_state": 1, "last_data_sent": 50, "last_ack_recv": 0})
	p.in(plain, ack(1041))
	c.shows("all acknowledged", info{"unacked": 0, "sacked": 0, "delivered": 5, "bytes_acked": 1041, "busy_time": 50_000, "reord_seen": 1})
}

func TestInfoOfATimeout(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established(sackOK(), mss(1000))
	c.writes(text(3000))
	p.drop()
	p.wait(300 * time.Millisecond)
	p.drop()
	c.shows("after the timeout", info{"unacked": 3, "lost": 3, "retrans": 1, "retransmits": 1, "total_retrans": 1, "ca_state": 4, "snd_cwnd": 1,
		"bytes_sent": 4000, "bytes_retrans": 1000, "data_segs_out": 4, "total_rto": 1, "total_rto_recoveries": 1})
	p.in(plain, ack(3001))
	c.shows("acknowledged", info{"unacked": 0, "lost": 0, "retrans": 0, "retransmits": 0})
}

func TestInfoOfAFastRetransmission(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established(sackOK(), mss(1000))
	c.writes(text(6000))
	p.drop()
	p.in(plain, ack(1), sack(1001, 2001))
	p.in(plain, ack(1), sack(1001, 3001))
	p.in(plain, ack(1), sack(1001, 4001))
	p.drop()
	c.shows("in recovery", info{"unacked": 6, "sacked": 3, "lost": 1, "retrans": 1, "ca_state": 3, "delivered": 4})
	p.in(plain, ack(6001), sack(1, 1001))
	c.shows("over", info{"unacked": 0, "dsack_dups": 1, "delivered": 7})
}

func TestInfoOfWhatHeldTheSenderUp(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established(mss(1000), win(1000))
	c.writes(text(3000))
	p.drop()
	p.wait(100 * time.Millisecond)
	c.shows("window full", info{"notsent_bytes": 2000, "snd_wnd": 1000, "rwnd_limited": 100_000, "busy_time": 100_000})
	p.in(plain, ack(1001), win(5000))
	p.drop()
	p.wait(50 * time.Millisecond)
	p.in(plain, ack(3001), win(5000))
	c.shows("over", info{"rwnd_limited": 100_000, "busy_time": 150_000, "unacked": 0})
	p.wait(time.Second)
	c.shows("idle", info{"busy_time": 150_000, "last_ack_recv": 1000, "last_data_sent": 1050})
}

func TestInfoOfTheReceiver(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established(sackOK(), mss(1000))
	p.in(plain, ack(1), seq(11), data("0123456789"))
	p.in(plain, ack(1), seq(1), data("0123456789"))
	p.in(plain, ack(1), seq(21), data("x"))
	p.wait(200 * time.Millisecond)
	p.drop()
	c.shows("received", info{"rcv_ooopack": 1, "data_segs_in": 3, "bytes_received": 21, "segs_in": 4, "last_data_recv": 200})
	p.in(fin, ack(1), seq(22))
	p.drop()
	c.shows("the FIN counts", info{"bytes_received": 22, "data_segs_in": 3})
}

func TestInfoOfTheDeliveryRate(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established(sackOK(), mss(1000))
	c.writes(text(10000))
	p.drop()
	p.wait(100 * time.Millisecond)
	p.in(plain, ack(10001))
	c.shows("ten segments in 100 ms", info{"delivery_rate": 100_000})
}
