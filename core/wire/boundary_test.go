package wire

import "testing"

func TestWhatEndsExactlyAtTheEndIsTaken(t *testing.T) {
	if _, err := ParseEthernet(make([]byte, EthernetSize)); err != nil {
		t.Errorf("an Ethernet header alone: %v", err)
	}
	w := TCPOptionWalker(unhexBytes(t, "020405b4"))
	if kind, _, ok := w.Next(); !ok || kind != TCPOptMSS {
		t.Error("a TCP option that ends the header was not found")
	}
	nd := NDOptionWalker(unhexBytes(t, srcLL))
	if kind, _, ok := nd.Next(); !ok || kind != NDOptSourceLL {
		t.Error("a discovery option of eight bytes was not found")
	}
	var o IPv4Options
	if at, err := ParseIPv4Options(unhexBytes(t, "070304"), &o); err != nil || o.RecordRoute != IPv4MinSize {
		t.Errorf("a record route without slots: pointer %d, %v", at, err)
	}
	b := unhexBytes(t, "4404 0500")
	if IPv4KeepCopiedOptions(b); b[0] != IPv4OptNop {
		t.Errorf("a timestamp option that ends the header was kept: %x", b)
	}
	m := MLD(make([]byte, MLDv2QuerySize))
	m.EncodeV2Query(&MulticastQuery{Robustness: 3, Interval: 9, Suppress: true, Group: group6})
	if m.Robustness() != 3 || m.QueryInterval() != 9 || !m.Suppress() {
		t.Errorf("a query without sources reads %x", []byte(m))
	}
}
