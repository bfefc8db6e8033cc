package netlink

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"syscall"

	"github.com/libos-go/libos/core"
)

// The options of disciplines are TCA_OPTIONS between programs and the stack, and words
// and fields of the language of tc between here and the disciplines (core/qdisc).
// What differs between them is the tables below (include/uapi/linux/pkt_sched.h).

// unit is what a number is in an attribute.
type unit uint8

const (
	plain   unit = iota
	micros       // microseconds
	bytesPS      // bytes per second; words have bits
	log2         // its logarithm
	flag         // 1 and 0 for a word and the same with no before it
	flagOn       // likewise, 1 where nothing is said
	capDrop      // horizon_drop or horizon_cap
)

// option is an attribute of a discipline with the word that stands for it, which is
// also the key of its field.
type option struct {
	attr int
	word string
	unit unit
}

// qdiscOptions are those that are attributes of four bytes each.
func qdiscOptions(kind string) []option {
	switch kind {
	case "codel":
		return []option{{1, "target", micros}, {2, "limit", plain}, {3, "interval", micros}, {4, "ecn", flag}, {5, "ce_threshold", micros}}
	case "fq_codel":
		return []option{{1, "target", micros}, {2, "limit", plain}, {3, "interval", micros}, {4, "ecn", flag}, {6, "quantum", plain}, {7, "ce_threshold", micros},
			{8, "drop_batch", plain}, {9, "memory_limit", plain}, {5, "flows", plain}}
	case "pie":
		return []option{{1, "target", micros}, {2, "limit", plain}, {3, "tupdate", micros}, {4, "alpha", plain}, {5, "beta", plain}, {6, "ecn", flag}, {7, "bytemode", flag}}
	case "fq":
		return []option{{1, "limit", plain}, {2, "flow_limit", plain}, {3, "quantum", plain}, {4, "initial_quantum", plain}, {5, "pacing", flagOn}, {7, "maxrate", bytesPS},
			{8, "buckets", log2}, {9, "refill_delay", micros}, {11, "low_rate_threshold", bytesPS}, {12, "ce_threshold", micros}, {14, "horizon", micros}, {15, "horizon_drop", capDrop}}
	}
	return nil
}

// words are the option with the value of its attribute; nothing for one that is off.
func (o *option) words(v uint32) []string {
	switch {
	case o.unit == micros && o.word == "ce_threshold" && v == math.MaxUint32, o.unit == bytesPS && v == math.MaxUint32:
		return nil
	case o.unit == micros:
		return []string{o.word, fmt.Sprintf("%dus", v)}
	case o.unit == bytesPS:
		return []string{o.word, fmt.Sprintf("%dbit", uint64(v)*8)}
	case o.unit == log2:
		return []string{o.word, strconv.Itoa(1 << min(v, 30))}
	case o.unit == capDrop && v == 0:
		return []string{"horizon_cap"}
	case (o.unit == flag || o.unit == flagOn) && v == 0:
		return []string{"no" + o.word}
	case o.unit == flag || o.unit == flagOn || o.unit == capDrop:
		return []string{o.word}
	}
	return []string{o.word, strconv.FormatUint(uint64(v), 10)}
}

// value is the option's attribute by a discipline's fields, false to leave it out.
func (o *option) value(f fields) (uint32, bool) {
	n, has := f.number(o.word)
	switch o.unit {
	case flag, capDrop:
		return bit(has && n != 0), true
	case flagOn:
		return bit(!has || n != 0), true
	case log2:
		return uint32(bits.Len(uint(n)) - 1), has && n >= 1
	}
	return uint32(min(n, math.MaxUint32)), has
}

// fields are those of a discipline, by key.
type fields []core.QdiscField

func (f fields) find(key string) any {
	for i := range f {
		if f[i].Key == key {
			if f[i].Value == nil {
				return true
			}
			return f[i].Value
		}
	}
	return nil
}

func (f fields) number(key string) (float64, bool) {
	switch v := f.find(key).(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case uint32:
		return float64(v), true
	case float64:
		return v, true
	case bool:
		return float64(bit(v)), true
	}
	return 0, false
}

func (f fields) u32(key string) uint32 {
	n, _ := f.number(key)
	return uint32(max(0, min(n, math.MaxUint32)))
}

// within are the fields of one that is an object.
func (f fields) within(key string) fields {
	v, _ := f.find(key).([]core.QdiscField)
	return v
}

// writeQdiscOptions writes TCA_OPTIONS.
func writeQdiscOptions(w *writer, kind string, f fields) {
	at := w.nest(tcaOptions)
	switch kind {
	case "pfifo", "bfifo":
		w.u32(f.u32("limit"))
	case "pfifo_fast": // struct tc_prio_qopt
		w.u32(f.u32("bands"))
		m, _ := f.find("priomap").([]int)
		for _, b := range m {
			w.u8(uint8(b))
		}
	case "tbf":
		writeTBF(w, f)
	case "netem":
		writeNetem(w, f)
	case "red":
		writeRED(w, f)
	default:
		for _, o := range qdiscOptions(kind) {
			if v, ok := o.value(f); ok && o.unit == capDrop {
				w.attr8(o.attr, uint8(v))
			} else if ok {
				w.attr32(o.attr, v)
			}
		}
	}
	w.endNest(at)
}

// qdiscWords reads TCA_OPTIONS.
func qdiscWords(kind string, o attribute) (words []string, err error) {
	ne := binary.NativeEndian
	switch kind {
	case "pfifo", "bfifo":
		if len(o.data) < 4 {
			return nil, refuseAt(o.at, syscall.EINVAL, "the limit is missing")
		}
		return []string{"limit", strconv.FormatUint(uint64(ne.Uint32(o.data)), 10)}, nil
	case "netem":
		return netemWords(o)
	}
	nested, err := parseAttributes(o.data, o.at+4)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "tbf":
		return tbfWords(nested, o.at)
	case "red":
		return redWords(nested, o.at)
	}
	for _, x := range qdiscOptions(kind) {
		a, ok := nested.find(x.attr)
		if !ok {
			continue
		}
		v := uint32(0)
		switch {
		case len(a.data) >= 4:
			v = ne.Uint32(a.data)
		case len(a.data) == 1 && x.unit == capDrop:
			v = uint32(a.data[0])
		default:
			return nil, refuseAt(a.at, syscall.EINVAL, "option is shorter than its number")
		}
		words = append(words, x.words(v)...)
	}
	return words, nil
}

// qdiscStats are a discipline's own counters (TCA_STATS_APP) by its details, nil if it
// has none.
func qdiscStats(kind string, f fields) []byte {
	w := &writer{}
	put := func(keys ...string) []byte {
		for _, k := range keys {
			w.u32(f.u32(k))
		}
		return w.b
	}
	switch kind {
	case "codel": // struct tc_codel_xstats
		put("maxpacket", "count", "lastcount", "ldelay")
		next, _ := f.number("drop_next")
		w.u32(uint32(int32(next)))
		return put("drop_overlimit", "ecn_mark", "dropping", "ce_mark")
	case "fq_codel": // struct tc_fq_codel_xstats, of the discipline
		w.u32(0)
		return put("maxpacket", "drop_overlimit", "ecn_mark", "new_flow_count", "new_flows_len", "old_flows_len", "ce_mark", "memory_used", "drop_overmemory")
	case "red": // struct tc_red_xstats
		return put("early", "pdrop", "other", "marked")
	case "pie": // struct tc_pie_xstats
		prob, _ := f.number("prob")
		w.u64(uint64(prob * (1<<56 - 1)))
		return put("delay", "avg_dq_rate", "dq_rate_estimating", "pkts_in", "dropped", "overlimit", "maxq", "ecn_mark")
	case "fq": // struct tc_fq_qd_stats, as far as programs of every age read it
		for _, k := range [...]string{"gc", "highprio", "", "throttled_total", "flows_plimit", "pkts_too_long", "", "next_packet_delay"} {
			n, _ := f.number(k)
			w.u64(uint64(n))
		}
		put("flows", "inactive", "throttled", "")
		for _, k := range [...]string{"ce_mark", "horizon_drops", "horizon_caps"} {
			n, _ := f.number(k)
			w.u64(uint64(n))
		}
		return w.b
	}
	return nil
}
