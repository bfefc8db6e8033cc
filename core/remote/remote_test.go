package remote

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"reflect"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
)

type settings struct {
	Level int32    `sysctl:"net.test.level" default:"7" range:"0..9" help:"A number."`
	Names string   `sysctl:"net.test.names" help:"A list."`
	On    bool     `sysctl:"net.test.on" default:"1" help:"A switch."`
	Range [2]int32 `sysctl:"net.test.range" default:"1 2" help:"Two numbers."`
}

// everything is a message of each kind's content with what decodes it.
func everything(tb testing.TB) map[string]struct {
	b    []byte
	want any
	read func(r *Reader) (any, error)
} {
	table := sysctl.Of[settings]()
	a, b := wire.MustAddr("10.0.0.1"), wire.MustAddr("fd00::2")
	op := core.Op{Kind: core.OpSetOption, Flags: core.OpReusePort, Tag: 9, Socket: 5, Family: 2, Type: 1, Device: 3, Value: -1, Level: 132, Name: -7,
		ReceiveBuffer: 1 << 20, SendBuffer: 4096, Addr: core.SockAddr{Addr: a, Port: 7, Scope: 1}, Local: core.SockAddr{Addr: b, Port: 8},
		Ports: core.PortRange{Low: 1, High: 65535, Reserved: "8080"}, Data: []byte("value")}
	get := core.Op{Kind: core.OpGetOption, Tag: 1, Data: make([]byte, 40)}
	done := core.Op{Kind: core.OpGetOption, Tag: 9, Socket: 5, Local: op.Local, Peer: op.Addr, Given: core.Given{Set: true, Own: 1 << 31, Next: 8}, Err: syscall.EINVAL, Done: true, Data: []byte("out")}
	event := core.Event{Kind: core.EventSysctl, Ifindex: 4, Addr: b, Socket: 3, Count: 17, Sysctls: &settings{3, "a,b", false, [2]int32{-1, 5}}}
	report := core.ErrorReport{Protocol: 17, Src: a, Dst: a, Offender: b, Errno: syscall.EMSGSIZE, Hard: true, Type: 3, Code: 4, MTU: 1400, Info: 1401, Ifindex: 7, TOS: 0xc0, HopLimit: 63, Quoted: []byte("12345678")}
	query := core.RouteQuery{Dst: a, Src: b, Interface: 2, OnLink: true}
	info := core.RouteInfo{Src: a, Interface: 2, MTU: 1500, Local: true, Multicast: true}
	counters := []core.Counters{{Group: "Udp", Names: []string{"In", "Out"}, Values: []uint64{1, 1 << 60}}, {Group: "Udp6"}}
	encodedDone, ok := appendDone(nil, &done)
	if !ok {
		tb.Error("an errno does not encode")
	}
	type x = struct {
		b    []byte
		want any
		read func(r *Reader) (any, error)
	}
	readOp := func(r *Reader) (any, error) { var o core.Op; err := r.op(&o); return o, err }
	return map[string]x{
		"op":       {appendOp(nil, &op), op, readOp},
		"get":      {appendOp(nil, &get), get, readOp},
		"done":     {encodedDone, done, func(r *Reader) (any, error) { var o core.Op; err := r.done(&o); return o, err }},
		"event":    {appendEvent(nil, table, &event), event, func(r *Reader) (any, error) { var e core.Event; err := r.event(table, &e); return e, err }},
		"report":   {appendReport(nil, &report), report, func(r *Reader) (any, error) { var e core.ErrorReport; err := r.report(&e); return e, err }},
		"query":    {appendQuery(nil, query), query, func(r *Reader) (any, error) { return r.query() }},
		"route":    {appendRoute(nil, info), info, func(r *Reader) (any, error) { return r.route() }},
		"counters": {appendCounters(nil, counters), counters, func(r *Reader) (any, error) { return r.counters() }},
	}
}

func TestEveryValueSurvivesEncodingAndNoPrefixDoes(t *testing.T) {
	for name, x := range everything(t) {
		r := NewReader(x.b)
		got, err := x.read(&r)
		if err != nil || !reflect.DeepEqual(got, x.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, x.want)
		}
		for n := range x.b {
			if r := NewReader(x.b[:n]); true {
				if _, err := x.read(&r); err == nil {
					t.Errorf("%s: %d of %d bytes decode", name, n, len(x.b))
				}
			}
		}
		if r := NewReader(append(bytes.Clone(x.b), 0)); true {
			if _, err := x.read(&r); err == nil {
				t.Errorf("%s: a byte too many decodes", name)
			}
		}
	}
}

// instance is where packets of a test live.
func instance(t testing.TB) *core.Instance {
	return coretest.New(t, host.NewVirtual(1)).Instance("a", &core.Wiring{})
}

func TestAPacketCrossesWithItsHeadersAndMetadata(t *testing.T) {
	in := instance(t)
	for _, n := range []int{0, 1, 1400, 9000, 65507, 70000} {
		in.Domain().Do(func() {
			p := in.NewPacket(core.Headroom, 2000)
			copy(p.Put(28), "a network header of 28 bytes")
			p.SetNetworkHeader()
			p.Pull(28)
			p.SetTransportHeader()
			body := bytes.Repeat([]byte("payload"), n/7+1)[:n]
			if !p.Append(body) {
				t.Fatal("no memory")
			}
			p.Src, p.Dst, p.SrcPort, p.DstPort = wire.MustAddr("10.0.0.1"), wire.MustAddr("fd00::1"), 1, 2
			p.TOS, p.HopLimit, p.Protocol, p.Flags, p.Arrival = 3, 64, 17, core.FlagDontFragment|core.FlagNoLoop, 12345
			p.FlowLabel = 0xfffff
			p.SetIfindex(7)
			b := appendPacket(nil, p, true, false)
			r := NewReader(b)
			got, lost, err := r.packets(in, nil)
			if err != nil || lost != 0 || len(got) != 1 {
				t.Fatalf("%d bytes: %d packets, %d lost, %v", n, len(got), lost, err)
			}
			q := got[0]
			back := make([]byte, q.Len())
			q.CopyOut(0, back)
			if !bytes.Equal(back, body) || string(q.NetworkHeader()[:28]) != "a network header of 28 bytes" || q.Ifindex() != 7 || q.Arrival != 12345 {
				t.Errorf("%d bytes arrive as %d, interface %d", n, len(back), q.Ifindex())
			}
			if again := appendPacket(nil, q, true, false); !bytes.Equal(again, b) {
				t.Errorf("%d bytes: encoded again it is another message", n)
			}
			p.Free()
			q.Free()
		})
	}
}

func TestEncodingADatagramAllocatesNothing(t *testing.T) {
	in := coretest.New(t, host.NewVirtual(1), coretest.Release()).Instance("a", &core.Wiring{})
	in.Domain().Do(func() {
		p := in.NewPacket(core.Headroom, 1400)
		p.Put(1400)
		var b []byte
		var batch []*core.Packet
		cross := func() {
			b = Finish(appendPacket(Begin(b, KindInput, 5), p, true, false))
			_, _, r, err := Open(b)
			if err != nil {
				t.Fatal(err)
			}
			if batch, _, err = r.packets(in, batch[:0]); err != nil {
				t.Fatal(err)
			}
			batch[0].Free()
		}
		cross()
		if n := testing.AllocsPerRun(100, cross); n != 0 {
			t.Errorf("%v allocations", n)
		}
		p.Free()
	})
}

func TestOnlyErrnosCross(t *testing.T) {
	if _, ok := appendError(nil, errors.New("text")); ok {
		t.Error("an error without number was encoded")
	}
}

// lender is a peer that lends a place of its own.
type lender struct {
	void
	place []byte
	came  [][]byte
}

func (l *lender) Borrow() []byte {
	if l.place == nil {
		return nil
	}
	return l.place[:0]
}
func (l *lender) Post(msg []byte) { l.came = append(l.came, msg) }

// What is lent is written once and never again, whatever comes of the message.
func TestAMessageIsMadeWhereThePeerWantsIt(t *testing.T) {
	l := &lender{place: make([]byte, 100)}
	var d desk
	d.serve(l)
	l.Post(d.finish(append(d.begin(KindLog, 1), "short"...)))
	if m := l.came[0]; &m[0] != &l.place[0] || string(m[HeaderSize:]) != "short" {
		t.Errorf("%q is elsewhere", m)
	}
	l.Post(d.finish(append(d.begin(KindLog, 1), make([]byte, 100)...)))
	if m := l.came[1]; &m[0] == &l.place[0] || len(m) != HeaderSize+100 {
		t.Errorf("%d bytes are in a place of 100", len(m))
	}
	lent := bytes.Clone(l.place)
	l.place = nil
	l.Post(d.finish(append(d.begin(KindLog, 1), "own"...)))
	if m := l.came[2]; string(m[HeaderSize:]) != "own" || !bytes.Equal(l.came[0][:cap(l.came[0])], lent) {
		t.Errorf("%q, over what was lent before", m)
	}
}

// void is both ends' peer, an Env and a Handler that do nothing but give back.
type void struct{ in *core.Instance }

func (void) Post([]byte)          {}
func (void) Call(m []byte) []byte { return Finish(Begin(nil, KindAnswer, 0)) }

func (v void) free(batch []*core.Packet) {
	for _, p := range batch {
		p.Free()
	}
}
func (v void) Now() core.Time                                                  { return 0 }
func (v void) Random() uint64                                                  { return 4 }
func (v void) Log() *slog.Logger                                               { return slog.New(slog.DiscardHandler) }
func (v void) NewPacket(a, b int) *core.Packet                                 { return v.in.NewPacket(a, b) }
func (v void) Output(b []*core.Packet) error                                   { v.free(b); return nil }
func (v void) Deliver(_ core.SocketID, b []*core.Packet)                       { v.free(b) }
func (v void) Unreachable(*core.Packet, core.Unreachable)                      {}
func (v void) Notify(core.SocketID, core.Ready, syscall.Errno)                 {}
func (v void) Report(core.SocketID, *core.ErrorReport, uint16, int)            {}
func (v void) Route(core.RouteQuery) (core.RouteInfo, error)                   { return core.RouteInfo{}, nil }
func (v void) SetTimer(uint64, core.Time)                                      {}
func (v void) Spawn(core.SocketID, core.SockAddr, core.SockAddr) core.SocketID { return 1 }
func (v void) Complete(*core.Op)                                               {}
func (v void) Sysctls() any                                                    { return nil }
func (v void) Input(b []*core.Packet)                                          { v.free(b) }
func (v void) Error(*core.ErrorReport)                                         {}
func (v void) Timer(uint64)                                                    {}
func (v void) Event(*core.Event)                                               {}
func (v void) Control(op *core.Op)                                             { op.Done = true }
func (v void) Send(_ core.SocketID, b []*core.Packet) error                    { v.free(b); return nil }
func (v void) Counters() []core.Counters                                       { return nil }
func (v void) Close()                                                          {}

// Whatever comes over the wall, neither end breaks nor keeps a packet, and what
// one of them takes was a whole message.
func FuzzHandle(f *testing.F) {
	for _, x := range everything(f) {
		for k := range Kind(64) {
			f.Add(byte(k), x.b)
		}
	}
	var packet []byte
	for groups := range byte(knownGroups + 1) {
		packet = make([]byte, headLength(groups))
		binary.LittleEndian.PutUint32(packet, 8)
		packet[atGroups] = groups
		packet = append(packet, "12345678"...)
		f.Add(byte(KindInput), packet)
	}
	control := core.ControlMessage{Level: 300, Name: 1, Data: []byte("abc")}.AppendTo(nil)
	told := append(make([]byte, headSize, 64), control...)
	binary.LittleEndian.PutUint32(told, uint32(len(control)))
	copy(told[atNetwork:], "\xff\xff\xff\xff")
	told[atAncillary] = byte(len(control) / ancillaryUnit)
	f.Add(byte(KindSendOn), append([]byte{1, 0, 0, 0}, told...))
	f.Add(byte(KindDeliver), append([]byte{1, 0, 0, 0}, told...))
	f.Add(byte(KindReport), append(make([]byte, 10), everything(f)["report"].b...))
	f.Add(byte(KindSend), append([]byte{1, 0, 0, 0}, packet...))
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		if len(body) > fullMessage {
			return
		}
		v := void{instance(t)}
		v.in.Domain().Do(func() {
			var far Far
			far.Start(v.in, func(core.Env) core.Handler { return v }, sysctl.Of[settings](), v)
			var near Near
			near.Start(v, sysctl.Of[settings](), v)
			hello := binary.LittleEndian.AppendUint64(Begin(nil, KindHello, 0), 1)
			hello = append(binary.LittleEndian.AppendUint64(hello, 2), 0, 0, 0, 0)
			if far.Handle(Finish(hello)) == nil {
				t.Fatal("the greeting was refused")
			}
			msg := Finish(append(Begin(nil, Kind(kind), 1), body...))
			failed := 0
			near.Failed = func(error) { failed++ }
			far.Failed = near.Failed
			for _, end := range []func([]byte) []byte{near.Handle, far.Handle} {
				for n := range min(len(msg), HeaderSize) {
					before := failed
					if end(msg[:n]); failed == before {
						t.Fatalf("%d bytes are a message", n)
					}
				}
				end(msg)
			}
		})
	})
}
