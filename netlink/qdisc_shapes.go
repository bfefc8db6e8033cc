package netlink

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"syscall"
)

// Disciplines whose options are structures: tbf, red and netem.

// tick is the unit of times that are numbers of 32 bits, in nanoseconds
// (include/net/pkt_sched.h, PSCHED_SHIFT).
const tick = 64

// ticks are how long a rate in bytes per second takes for n bytes.
func ticks(rate, n float64) uint32 {
	if rate == 0 {
		return 0
	}
	return uint32(min(math.Round(n*1e9/rate/tick), math.MaxUint32))
}

// writeRateSpec writes struct tc_ratespec.
func (w *writer) rateSpec(rate float64) {
	link := uint8(0)
	if rate != 0 {
		link = 1 // TC_LINKLAYER_ETHERNET
	}
	w.u8(0, link, 0, 0, 0, 0, 0, 0)
	w.u32(uint32(min(rate, math.MaxUint32)))
}

const (
	tbfParms   = 1
	tbfRate64  = 4
	tbfPRate64 = 5
	tbfBurst   = 6
	tbfPBurst  = 7
	sizeofTBF  = 36
)

// writeTBF writes struct tc_tbf_qopt: the limit is what latency and rate come to.
func writeTBF(w *writer, f fields) {
	rate, _ := f.number("rate")
	burst, _ := f.number("burst")
	peak, _ := f.number("peakrate")
	mtu, _ := f.number("minburst")
	wait, _ := f.number("lat")
	limit := rate*wait/1e6 + burst
	if peak != 0 {
		limit = min(limit, peak*wait/1e6+mtu)
	}
	if given, ok := f.number("limit"); ok {
		limit = given
	}
	w.header(tbfParms, sizeofTBF)
	w.rateSpec(rate)
	w.rateSpec(peak)
	w.u32(uint32(min(math.Round(limit), math.MaxUint32)))
	w.u32(ticks(rate, burst))
	w.u32(ticks(peak, mtu))
	if rate >= math.MaxUint32 {
		w.attr64(tbfRate64, uint64(rate))
	}
	if peak >= math.MaxUint32 {
		w.attr64(tbfPRate64, uint64(peak))
	}
}

func tbfWords(a attributes, at int) ([]string, error) {
	p, ok := a.find(tbfParms)
	if !ok || len(p.data) < sizeofTBF {
		return nil, refuseAt(at, syscall.EINVAL, "rate and bucket are missing")
	}
	ne := binary.NativeEndian
	number := func(off int) uint64 { return uint64(ne.Uint32(p.data[off:])) }
	wide := func(attr int, narrow uint64) uint64 {
		if x, ok := a.find(attr); ok && len(x.data) >= 8 {
			return ne.Uint64(x.data)
		}
		return narrow
	}
	size := func(attr int, rate, ticks uint64) uint64 {
		if x, ok := a.find(attr); ok && len(x.data) >= 4 {
			return uint64(ne.Uint32(x.data))
		}
		return uint64(min(math.Round(float64(rate)*float64(ticks)*tick/1e9), math.MaxInt32))
	}
	rate, peak := wide(tbfRate64, number(8)), wide(tbfPRate64, number(20))
	if rate > math.MaxInt64/8 || peak > math.MaxInt64/8 {
		return nil, refuseAt(p.at, syscall.EINVAL, "no link is that fast")
	}
	words := []string{"rate", fmt.Sprintf("%dbit", rate*8), "burst", fmt.Sprint(size(tbfBurst, rate, number(28))), "limit", fmt.Sprint(number(24))}
	if peak != 0 {
		words = append(words, "peakrate", fmt.Sprintf("%dbit", peak*8), "mtu", fmt.Sprint(size(tbfPBurst, peak, number(32))))
	}
	return words, nil
}

const (
	redParms    = 1
	redMaxP     = 3
	redFlags    = 4
	sizeofRED   = 16
	redECN      = 1
	redHardDrop = 2
	redAdaptive = 4
	redNoDrop   = 8
	packetSize  = 1000 // taken for an average packet, of which the bytes do not tell
)

// writeRED writes struct tc_red_qopt. Its logarithms, of which nothing is shown, are 0.
func writeRED(w *writer, f fields) {
	flags := uint8(0)
	for i, k := range [...]string{"ecn", "harddrop", "adaptive", "nodrop"} {
		flags |= uint8(bit(f.u32(k) != 0)) << i
	}
	w.header(redParms, sizeofRED)
	for _, k := range [...]string{"limit", "min", "max"} {
		w.u32(f.u32(k))
	}
	w.u8(0, 0, 0, flags&(redECN|redHardDrop|redAdaptive))
	w.header(redFlags, 8)
	w.u32(uint32(flags))
	w.u32(redECN | redHardDrop | redAdaptive | redNoDrop)
}

func redWords(a attributes, at int) ([]string, error) {
	p, ok := a.find(redParms)
	if !ok || len(p.data) < sizeofRED {
		return nil, refuseAt(at, syscall.EINVAL, "the limits are missing")
	}
	ne := binary.NativeEndian
	low, high, flags := ne.Uint32(p.data[4:]), ne.Uint32(p.data[8:]), p.data[15]
	if x, ok := a.find(redFlags); ok && len(x.data) >= 8 {
		flags = flags&^uint8(ne.Uint32(x.data[4:])) | uint8(ne.Uint32(x.data)&ne.Uint32(x.data[4:]))
	}
	words := []string{"limit", fmt.Sprint(ne.Uint32(p.data)), "min", fmt.Sprint(low), "max", fmt.Sprint(high), "avpkt", strconv.Itoa(packetSize),
		"burst", fmt.Sprint(redBurst(low, p.data[12]))}
	if max, err := a.u32(redMaxP); err != nil {
		return nil, err
	} else if max != 0 {
		words = append(words, "probability", strconv.FormatFloat(float64(max)/(1<<32), 'g', -1, 64))
	} else if span := float64(high) - float64(low); span > 0 && p.data[13] < 64 {
		words = append(words, "probability", strconv.FormatFloat(min(span/float64(uint64(1)<<p.data[13]), 1), 'g', -1, 64))
	}
	for i, word := range [...]string{"ecn", "harddrop", "adaptive", "nodrop"} {
		if flags>>i&1 != 0 {
			words = append(words, word)
		}
	}
	return words, nil
}

// redBurst is the least burst for which tc would have chosen this weight (tc_red.c,
// tc_red_eval_ewma).
func redBurst(low uint32, weight uint8) int {
	least := int(low)/packetSize + 1
	for burst := least; burst < least+1<<12; burst++ {
		w, a := 0.5, float64(burst)+1-float64(low)/packetSize
		for n := uint8(1); n < 32; n, w = n+1, w/2 {
			if a <= (1-math.Pow(1-w, float64(burst)))/w {
				if n >= weight {
					return burst
				}
				break
			}
		}
	}
	return least
}

const (
	netemCorrelation = 1
	netemDelayTable  = 2
	netemReorder     = 3
	netemCorrupt     = 4
	netemLoss        = 5
	netemRate        = 6
	netemECN         = 7
	netemRate64      = 8
	netemLatency64   = 10
	netemJitter64    = 11
	netemSlot        = 12
	netemSlotTable   = 13
	netemSeed        = 14
	sizeofNetem      = 24
	netemFourState   = 1
	netemGilbert     = 2
)

// scaled is a probability as 32 bits.
func scaled(p float64) uint32 { return uint32(math.Round(p * math.MaxUint32)) }

func percent(v uint32) string {
	return strconv.FormatFloat(float64(v)/math.MaxUint32*100, 'f', -1, 64) + "%"
}

func writeNetem(w *writer, f fields) {
	nanos := func(g fields, key string) uint64 {
		s, _ := g.number(key)
		return uint64(math.Round(s * 1e9))
	}
	share := func(g fields, key string) uint32 {
		p, _ := g.number(key)
		return scaled(p)
	}
	delay, loss := f.within("delay"), f.within("loss-random")
	short := func(ns uint64) uint32 { return uint32(min(ns/tick, math.MaxUint32)) }
	w.u32(short(nanos(delay, "delay")))
	w.u32(f.u32("limit"))
	w.u32(share(loss, "loss"))
	w.u32(f.u32("gap"))
	w.u32(share(f.within("duplicate"), "duplicate"))
	w.u32(short(nanos(delay, "jitter")))
	w.attr64(netemLatency64, nanos(delay, "delay"))
	w.attr64(netemJitter64, nanos(delay, "jitter"))
	w.header(netemCorrelation, 12)
	w.u32(share(delay, "correlation"))
	w.u32(share(loss, "correlation"))
	w.u32(share(f.within("duplicate"), "correlation"))
	for _, x := range [...]struct {
		attr int
		key  string
	}{{netemReorder, "reorder"}, {netemCorrupt, "corrupt"}} {
		w.header(x.attr, 8)
		w.u32(share(f.within(x.key), x.key))
		w.u32(share(f.within(x.key), "correlation"))
	}
	if r := f.within("rate"); r != nil {
		rate, _ := r.number("rate")
		if rate >= 1<<32 {
			w.attr64(netemRate64, uint64(rate))
		}
		w.header(netemRate, 16)
		w.u32(uint32(min(rate, math.MaxUint32)))
		for _, k := range [...]string{"packetoverhead", "cellsize", "celloverhead"} {
			n, _ := r.number(k)
			w.u32(uint32(int32(n)))
		}
	}
	if f.u32("ecn") != 0 {
		w.attr32(netemECN, 1)
	}
	model := func(typ int, g fields, keys ...string) {
		if g == nil {
			return
		}
		at := w.nest(netemLoss) // without NLA_F_NESTED, which tc does not expect
		w.header(typ, 4*len(keys))
		for _, k := range keys {
			v := share(g, k)
			if k == "1-h" { // h itself
				v = math.MaxUint32 - v
			}
			w.u32(v)
		}
		w.endNest(at)
	}
	model(netemFourState, f.within("loss-state"), "p13", "p31", "p32", "p14", "p23")
	model(netemGilbert, f.within("loss-gemodel"), "p", "r", "1-h", "1-k")
	if s := f.within("slot"); s != nil {
		w.header(netemSlot, 40)
		w.u64(nanos(s, "min-delay"))
		w.u64(nanos(s, "max-delay"))
		w.u32(s.u32("packets"))
		w.u32(s.u32("bytes"))
		w.u64(nanos(s, "distribution"))
		w.u64(nanos(s, "jitter"))
	}
	if seed, ok := f.find("seed").(uint64); ok {
		w.attr64(netemSeed, seed)
	}
}

func netemWords(o attribute) (words []string, err error) {
	if len(o.data) < sizeofNetem {
		return nil, refuseAt(o.at, syscall.EINVAL, "the options are shorter than their header")
	}
	ne := binary.NativeEndian
	a, err := parseAttributes(o.data[sizeofNetem:], o.at+4+sizeofNetem)
	if err != nil {
		return nil, err
	}
	add := func(w ...string) { words = append(words, w...) }
	head := func(i int) uint32 { return ne.Uint32(o.data[4*i:]) }
	// part is a number within an attribute, 0 where there is none.
	part := func(attr, i int) uint32 {
		if x, ok := a.find(attr); ok && len(x.data) >= 4*i+4 {
			return ne.Uint32(x.data[4*i:])
		}
		return 0
	}
	wide := func(attr int, narrow uint64) uint64 {
		if x, ok := a.find(attr); ok && len(x.data) >= 8 {
			return ne.Uint64(x.data)
		}
		return narrow
	}
	for _, t := range [...]int{netemDelayTable, netemSlotTable} {
		if x, ok := a.find(t); ok {
			return nil, refuseAt(x.at, syscall.EOPNOTSUPP, "times are distributed evenly here")
		}
	}
	if n := head(1); n != 0 {
		add("limit", fmt.Sprint(n))
	}
	delay, jitter := wide(netemLatency64, uint64(head(0))*tick), wide(netemJitter64, uint64(head(5))*tick)
	if delay > math.MaxInt64 || jitter > math.MaxInt64 {
		return nil, refuseAt(o.at, syscall.EINVAL, "a time is negative")
	}
	if delay != 0 || jitter != 0 {
		if add("delay", fmt.Sprintf("%dns", delay)); jitter != 0 {
			add(fmt.Sprintf("%dns", jitter), percent(part(netemCorrelation, 0)))
		}
	}
	chance := func(word string, p, correlation uint32) {
		if p == 0 {
			return
		}
		if add(word, percent(p)); correlation != 0 {
			add(percent(correlation))
		}
	}
	chance("loss", head(2), part(netemCorrelation, 1))
	chance("duplicate", head(4), part(netemCorrelation, 2))
	chance("reorder", part(netemReorder, 0), part(netemReorder, 1))
	chance("corrupt", part(netemCorrupt, 0), part(netemCorrupt, 1))
	if n := head(3); n != 0 {
		add("gap", fmt.Sprint(n))
	}
	if x, ok := a.find(netemLoss); ok {
		m, err := parseAttributes(x.data, x.at+4)
		if err != nil {
			return nil, err
		}
		if g, ok := m.find(netemFourState); ok && len(g.data) >= 20 {
			add("loss", "state")
			for _, i := range [...]int{0, 1, 2, 4, 3} {
				add(percent(ne.Uint32(g.data[4*i:])))
			}
		} else if g, ok := m.find(netemGilbert); ok && len(g.data) >= 16 {
			n := func(i int) uint32 { return ne.Uint32(g.data[4*i:]) }
			add("loss", "gemodel", percent(n(0)), percent(n(1)), percent(math.MaxUint32-n(2)), percent(n(3)))
		} else {
			return nil, refuseAt(x.at, syscall.EINVAL, "there is no such model of loss")
		}
	}
	if rate := wide(netemRate64, uint64(part(netemRate, 0))); rate != 0 {
		if rate > math.MaxInt64/8 {
			return nil, refuseAt(o.at, syscall.EINVAL, "no link is that fast")
		}
		add("rate", fmt.Sprintf("%dbit", rate*8))
		for i := 1; i < 4 && (part(netemRate, 1)|part(netemRate, 2)|part(netemRate, 3)) != 0; i++ {
			add(strconv.Itoa(int(int32(part(netemRate, i)))))
		}
	}
	if part(netemECN, 0) != 0 {
		add("ecn")
	}
	if x, ok := a.find(netemSlot); ok {
		if len(x.data) < 40 {
			return nil, refuseAt(x.at, syscall.EINVAL, "slot is shorter than its structure")
		}
		times := func(i int) string { return fmt.Sprintf("%dns", int64(ne.Uint64(x.data[i:]))) }
		if add("slot"); ne.Uint64(x.data[24:]) != 0 || ne.Uint64(x.data[32:]) != 0 {
			return nil, refuseAt(x.at, syscall.EOPNOTSUPP, "times between slots are in a range here")
		}
		add(times(0), times(8))
		for i, word := range [...]string{"packets", "bytes"} {
			if n := ne.Uint32(x.data[16+4*i:]); n != 0 {
				add(word, fmt.Sprint(n))
			}
		}
	}
	if seed := wide(netemSeed, 0); seed != 0 {
		add("seed", fmt.Sprint(seed))
	}
	return words, nil
}
