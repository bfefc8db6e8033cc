package core_test

import (
	"bytes"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
)

func TestControlMessagesOfAPacketConn(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		s, err := h.b.ListenPacket("udp4", addrB+":7")
		ok(t, err)
		defer s.Close()
		ok(t, s.Socket().SetInt(core.SolIP, core.IPRecvTTL, 1))
		ok(t, s.Socket().SetInt(core.SolIP, core.IPRecvTOS, 1))
		c, err := h.a.ListenPacket("udp4", addrA+":8")
		ok(t, err)
		defer c.Close()
		to, from := &net.UDPAddr{IP: net.ParseIP(addrB), Port: 7}, netip.MustParseAddrPort(addrA+":8")
		ttl, tos := cmsg(core.SolIP, core.IPTTL, int32s(9)), cmsg(core.SolIP, core.IPTOS, []byte{4})
		b, oob := make([]byte, 9), make([]byte, 64)
		n, oobn, err := c.WriteMsgUDP([]byte("hello"), cat(ttl, tos), to)
		if n != 5 || oobn != len(ttl)+len(tos) || err != nil {
			t.Errorf("sent %d and %d bytes, %v", n, oobn, err)
		}
		n, oobn, flags, addr, err := s.ReadMsgUDP(b, oob)
		if string(b[:n]) != "hello" || !bytes.Equal(oob[:oobn], cat(ttl, tos)) || flags != 0 || err != nil || addr.AddrPort() != from {
			t.Errorf("%q from %v with % x, flags %#x, %v", b[:n], addr, oob[:oobn], flags, err)
		}
		_, _, err = c.WriteMsgUDPAddrPort([]byte("hello"), ttl, to.AddrPort())
		ok(t, err)
		n, oobn, flags, ap, err := s.ReadMsgUDPAddrPort(b[:2], oob[:len(ttl)])
		if string(b[:n]) != "he" || !bytes.Equal(oob[:oobn], ttl) || flags != core.MsgTrunc|core.MsgCTrunc || err != nil || ap != from {
			t.Errorf("%q from %v with % x, flags %#x, %v", b[:n], ap, oob[:oobn], flags, err)
		}
		_, _, err = c.WriteMsgUDP(nil, nil, nil)
		opError(t, err, "write", syscall.EDESTADDRREQ)
		_, _, err = c.WriteMsgUDP(nil, []byte{1}, to)
		ok(t, err) // shorter than a header, as for the kernel: none
		_, _, err = c.WriteMsgUDP(nil, make([]byte, 16), to)
		opError(t, err, "write", einval)
		x, err := h.a.Dial("udp4", addrB+":7")
		ok(t, err)
		defer x.Close()
		_, _, err = x.(*core.PacketConn).WriteMsgUDP([]byte("x"), nil, to)
		opError(t, err, "write", net.ErrWriteToConnected)
		_, _, err = x.(*core.PacketConn).WriteMsgUDPAddrPort([]byte("x"), ttl, netip.AddrPort{})
		ok(t, err)
	})
}
