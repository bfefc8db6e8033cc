// Package wiretest is the vocabulary in which tests speak of frames. One description serves both to build a frame, with
// what is not said filled in and every length and checksum right, and to check one, with what is not said left open:
//
//	in := wiretest.IPv4(peer, us).TCP(Ports(1000, 80), Flags("S"), Seq(100), MSS(1460)).Bytes()
//	wiretest.Check(t, out, wiretest.IPv4(us, peer), wiretest.TCP(Ports(80, 1000), Flags("S."), Ack(101)))
//
// Tests import it with a dot or name the words they use. It is for tests only: bad descriptions panic. What is not here:
// devices, time and instances; that is the test rig of the package under test.
//
// Start reading at packet.go for the layers, fields.go for the words, check.go for the rules of comparison.
package wiretest
