package remote

import (
	"encoding/binary"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/sysctl"
)

// maxSettings bounds an encoded block of settings.
const maxSettings = 1 << 16

// appendSettings encodes a protocol's block of settings, empty if it has none.
func appendSettings(b []byte, t *sysctl.Table, block any) []byte {
	at := len(b)
	b = appendCount(b, 0)
	if t != nil && block != nil {
		b = t.AppendBlock(b, block)
		binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	}
	return b
}

// settings takes a block of settings, nil if there is none.
func (r *Reader) settings(t *sysctl.Table) any {
	x := r.Block(maxSettings)
	if len(x) == 0 {
		return nil
	}
	if t == nil {
		r.Fail()
		return nil
	}
	block, err := t.ParseBlock(x)
	if err != nil {
		r.Fail()
		return nil
	}
	return block
}

func appendEvent(b []byte, t *sysctl.Table, e *core.Event) []byte {
	b = append(b, byte(e.Kind))
	b = binary.LittleEndian.AppendUint32(b, uint32(e.Ifindex))
	b = appendAddr(b, e.Addr)
	b = binary.LittleEndian.AppendUint32(b, uint32(e.Socket))
	b = appendCount(b, e.Count)
	return appendSettings(b, t, e.Sysctls)
}

func (r *Reader) event(t *sysctl.Table, e *core.Event) error {
	*e = core.Event{Kind: core.EventKind(r.Uint8(uint8(core.LastEvent))), Ifindex: r.Count(1<<31 - 1), Addr: r.Addr(),
		Socket: core.SocketID(r.Uint32()), Count: r.Count(1<<31 - 1), Sysctls: r.settings(t)}
	return r.End()
}

// maxQuoted bounds what an error quotes of a packet.
const maxQuoted = 1 << 16

func appendReport(b []byte, e *core.ErrorReport) []byte {
	b = append(b, e.Protocol, e.Type, e.Code, e.TOS, e.HopLimit)
	b = appendBool(b, e.Hard)
	b = appendAddr(appendAddr(appendAddr(b, e.Src), e.Dst), e.Offender)
	b = binary.LittleEndian.AppendUint32(b, uint32(e.Errno))
	b = appendCount(appendCount(b, e.MTU), e.Ifindex)
	b = binary.LittleEndian.AppendUint32(b, e.Info)
	return appendBlock(b, e.Quoted[:min(len(e.Quoted), maxQuoted)])
}

// report takes an error. Quoted is part of the message.
func (r *Reader) report(e *core.ErrorReport) error {
	*e = core.ErrorReport{Protocol: r.Uint8(255), Type: r.Uint8(255), Code: r.Uint8(255), TOS: r.Uint8(255), HopLimit: r.Uint8(255), Hard: r.Bool(),
		Src: r.Addr(), Dst: r.Addr(), Offender: r.Addr(), Errno: r.Errno(), MTU: r.Count(1<<31 - 1), Ifindex: r.Count(1<<31 - 1), Info: r.Uint32(),
		Quoted: r.Block(maxQuoted)}
	return r.End()
}

func appendQuery(b []byte, q core.RouteQuery) []byte {
	return appendBool(appendCount(appendAddr(appendAddr(b, q.Dst), q.Src), q.Interface), q.OnLink)
}

func (r *Reader) query() (core.RouteQuery, error) {
	q := core.RouteQuery{Dst: r.Addr(), Src: r.Addr(), Interface: r.Count(1<<31 - 1), OnLink: r.Bool()}
	return q, r.End()
}

func appendRoute(b []byte, i core.RouteInfo) []byte {
	b = appendCount(appendCount(appendAddr(b, i.Src), i.Interface), i.MTU)
	return appendBool(appendBool(appendBool(b, i.Local), i.Broadcast), i.Multicast)
}

func (r *Reader) route() (core.RouteInfo, error) {
	i := core.RouteInfo{Src: r.Addr(), Interface: r.Count(1<<31 - 1), MTU: r.Count(1<<31 - 1), Local: r.Bool(), Broadcast: r.Bool(), Multicast: r.Bool()}
	return i, r.End()
}

// maxCounters bounds groups, and names in a group.
const maxCounters = 1 << 10

func appendCounters(b []byte, groups []core.Counters) []byte {
	b = appendCount(b, len(groups))
	for _, g := range groups {
		b = appendString(b, g.Group)
		b = appendCount(b, len(g.Names))
		for i, n := range g.Names {
			b = appendString(b, n)
			b = binary.LittleEndian.AppendUint64(b, g.Values[i])
		}
	}
	return b
}

func (r *Reader) counters() ([]core.Counters, error) {
	var out []core.Counters
	for range r.Count(maxCounters) {
		g := core.Counters{Group: string(r.Block(maxText))}
		for range r.Count(maxCounters) {
			g.Names = append(g.Names, string(r.Block(maxText)))
			g.Values = append(g.Values, r.Uint64())
			if r.bad {
				return nil, ErrMessage
			}
		}
		out = append(out, g)
		if r.bad {
			return nil, ErrMessage
		}
	}
	return out, r.End()
}
