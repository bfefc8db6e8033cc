package tbf

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
)

func parse(words []string, _ core.QdiscConfig) (core.QdiscConfig, error) {
	var c Config
	w := qdisc.NewWords("tbf", words)
	for o := w.Option(); o != ""; o = w.Option() {
		switch o {
		case "rate":
			c.Rate = w.Rate()
		case "burst", "buffer", "maxburst":
			c.Burst = w.Size()
		case "peakrate":
			c.PeakRate = w.Rate()
		case "mtu", "minburst":
			c.MTU = w.Size()
		case "limit":
			c.Limit = w.Size()
		case "latency":
			c.Latency = w.Time()
		default:
			w.Unknown("rate, burst, limit, latency, peakrate and mtu")
		}
	}
	return c, w.Err()
}

// Fields implements core.QdiscConfig: the latency also where a limit was given, but
// where it holds less than the bucket (tc/q_tbf.c).
func (c Config) Fields() []core.QdiscField {
	f := []core.QdiscField{qdisc.Field("rate", c.Rate/8, "rate %s ", qdisc.FormatRate(c.Rate)), qdisc.Field("burst", c.Burst, "burst %s ", qdisc.FormatSize(c.Burst))}
	if c.PeakRate != 0 {
		f = append(f, qdisc.Field("peakrate", c.PeakRate/8, "peakrate %s ", qdisc.FormatRate(c.PeakRate)), qdisc.Field("minburst", c.MTU, "minburst %s ", qdisc.FormatSize(c.MTU)))
	}
	lat := c.Latency
	if lat == 0 && c.Limit < c.Burst && (c.PeakRate == 0 || c.Limit < c.MTU) {
		return append(f, qdisc.Field("limit", c.Limit, "limit %s ", qdisc.FormatSize(c.Limit)))
	}
	if lat == 0 { // what the limit comes to
		lat = time.Duration(timeOf(c.Rate, max(c.Limit-c.Burst, 0)))
		if c.PeakRate != 0 {
			lat = max(lat, time.Duration(timeOf(c.PeakRate, max(c.Limit-c.MTU, 0))))
		}
	}
	return append(f, qdisc.Field("lat", qdisc.Micros(lat), "lat %s ", qdisc.FormatTime(lat)))
}
