package pie

import (
	"cmp"
	"errors"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
)

// Config is PIE's (tc-pie(8)). The zero value is Linux's defaults. The delay is
// measured by timestamps; the estimate by the rate of departure is not here.
type Config struct {
	Limit    int           // packets; 0 is 1000
	Target   time.Duration // of the delay; 0 is 15 ms
	Update   time.Duration // how often the probability is computed; 0 is 15 ms
	Alpha    int           // gain by the distance from Target, in sixteenths of 1/s; 0 is 2
	Beta     int           // gain by the change, in the same units; 0 is 20
	ECN      bool          // marks in place of dropping while the probability is at most a tenth
	ByteMode bool          // small packets are dropped less
}

// Kind implements core.QdiscConfig.
func (c Config) Kind() string { return "pie" }

// Check implements core.QdiscConfig.
func (c Config) Check() error {
	if c.Target < 0 || c.Update < 0 || c.Target > time.Hour || c.Update > time.Hour || c.Update != 0 && c.Update < time.Millisecond {
		return errors.New("target is in 0…1h, tupdate in 1ms…1h")
	}
	return errors.Join(qdisc.Range("limit", c.Limit, 0, 1<<24), qdisc.Range("alpha", c.Alpha, 0, 32), qdisc.Range("beta", c.Beta, 0, 32))
}

func (c *Config) fill() {
	c.Limit, c.Alpha, c.Beta = cmp.Or(c.Limit, 1000), cmp.Or(c.Alpha, 2), cmp.Or(c.Beta, 20)
	c.Target, c.Update = cmp.Or(c.Target, 15*time.Millisecond), cmp.Or(c.Update, 15*time.Millisecond)
}

// Fields implements core.QdiscConfig.
func (c Config) Fields() []core.QdiscField {
	f := []core.QdiscField{
		qdisc.Field("limit", c.Limit, "limit %dp ", c.Limit), qdisc.Field("target", qdisc.Micros(c.Target), "target %s ", qdisc.FormatTime(c.Target)),
		qdisc.Field("tupdate", qdisc.Micros(c.Update), "tupdate %s ", qdisc.FormatTime(c.Update)), qdisc.Field("alpha", c.Alpha, "alpha %d ", c.Alpha), qdisc.Field("beta", c.Beta, "beta %d ", c.Beta),
	}
	if c.ECN {
		f = append(f, qdisc.Field("ecn", true, "ecn "))
	}
	if c.ByteMode {
		f = append(f, qdisc.Field("bytemode", true, "bytemode "))
	}
	return f
}

func parse(words []string, old core.QdiscConfig) (core.QdiscConfig, error) {
	c, _ := old.(Config)
	w := qdisc.NewWords("pie", words)
	for o := w.Option(); o != ""; o = w.Option() {
		switch o {
		case "limit":
			c.Limit = w.Int(0, 1<<24)
		case "target":
			c.Target = w.Time()
		case "tupdate":
			c.Update = w.Time()
		case "alpha":
			c.Alpha = w.Int(0, 32)
		case "beta":
			c.Beta = w.Int(0, 32)
		case "ecn", "noecn":
			c.ECN = o == "ecn"
		case "bytemode", "nobytemode":
			c.ByteMode = o == "bytemode"
		default:
			w.Unknown("limit, target, tupdate, alpha, beta, ecn, noecn, bytemode and nobytemode")
		}
	}
	return c, w.Err()
}

// Kind describes the discipline.
func Kind() core.QdiscKind {
	return core.QdiscKind{
		Name:  "pie",
		Parse: parse,
		New: func(c core.QdiscConfig, o core.QdiscOwner) (core.Qdisc, error) {
			x, ok := c.(Config)
			if !ok {
				return nil, errors.New("needs a pie.Config")
			}
			x.fill()
			p := &pie{Counter: qdisc.Counter{Link: o.Link()}, in: o.Instance(), owner: o, dice: o.Random(), config: x}
			p.restart()
			p.next = p.in.Now() + core.Time(x.Update)
			return p, nil
		},
	}
}
