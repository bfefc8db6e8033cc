package ping

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/cmd/libos/control"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/ipcommon"
	"github.com/libos-go/libos/core/wire"
)

// Arguments of the operation "ping".
type Arguments struct {
	Address  string        `json:"address"`
	Count    int           `json:"count"` // 0 goes on until the caller ends it
	Interval time.Duration `json:"interval"`
	Timeout  time.Duration `json:"timeout"`
	Size     int           `json:"size"` // bytes of data
}

// Reply is the event for one request.
type Reply struct {
	Seq   int     `json:"seq"`
	From  string  `json:"from,omitempty"`
	Bytes int     `json:"bytes,omitempty"`
	TTL   int     `json:"ttl,omitempty"`
	RTT   float64 `json:"rtt_ms,omitempty"`
	Error string  `json:"error,omitempty"`
}

// Summary is the last line.
type Summary struct {
	Address  string  `json:"address"`
	Sent     int     `json:"sent"`
	Received int     `json:"received"`
	Min      float64 `json:"min_ms"`
	Avg      float64 `json:"avg_ms"`
	Max      float64 `json:"max_ms"`
}

// Add counts a reply.
func (s *Summary) Add(r Reply) {
	s.Sent++
	if r.Error != "" {
		return
	}
	if s.Received == 0 {
		s.Min = math.Inf(1)
	}
	s.Avg = (s.Avg*float64(s.Received) + r.RTT) / float64(s.Received+1)
	s.Received++
	s.Min, s.Max = min(s.Min, r.RTT), max(s.Max, r.RTT)
}

// maxSize is the largest data of an echo request in an IPv4 packet.
const maxSize = 65535 - 20 - 8

// Command is `libos ping`.
func Command(e *command.Env) *cobra.Command {
	e.Handle("ping", handle)
	var a Arguments
	c := &cobra.Command{
		Use:   "ping ADDRESS",
		Short: "Send echo requests from an instance",
		Long: `Send ICMP or ICMPv6 echo requests from an instance and print the replies. The
exit status is 1 if there was none. ADDRESS is an IP address; a link-local one
names its device: fe80::1%eth0.`,
		Example: `  libos ping 10.1.0.1
  libos ping --instance left -c 3 -s 4000 fd02::2
  libos ping -f host.toml -c 1 10.1.0.1 -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			a.Address = args[0]
			switch {
			case a.Size < 0 || a.Size > maxSize:
				return fmt.Errorf("-s %d is not in 0..%d", a.Size, maxSize)
			case a.Count < 0:
				return fmt.Errorf("-c %d is negative", a.Count)
			case a.Interval < 0 || a.Timeout <= 0:
				return fmt.Errorf("-I and -W are times to wait, such as 200ms")
			}
			s, err := e.Open(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			sum := Summary{Address: a.Address}
			err = Run(c.Context(), s, a, func(r Reply) error {
				sum.Add(r)
				if e.JSON() {
					return e.Print(r)
				}
				if r.Error != "" {
					e.Printf("seq=%d: %s\n", r.Seq, r.Error)
				} else {
					e.Printf("%d bytes from %s: seq=%d ttl=%d time=%.3f ms\n", r.Bytes, r.From, r.Seq, r.TTL, r.RTT)
				}
				return nil
			})
			if c.Context().Err() == nil && err != nil {
				return err
			}
			if e.JSON() {
				err = e.Print(sum)
			} else {
				e.Printf("%s: %d sent, %d received", sum.Address, sum.Sent, sum.Received)
				if sum.Received > 0 {
					e.Printf(", round trip %.3f/%.3f/%.3f ms (min/avg/max)", sum.Min, sum.Avg, sum.Max)
				}
				e.Printf("\n")
				err = nil
			}
			if err == nil && sum.Received == 0 {
				return command.ExitError(1)
			}
			return err
		},
	}
	c.Flags().IntVarP(&a.Count, "count", "c", 0, "requests to send; 0 goes on until interrupted")
	c.Flags().DurationVarP(&a.Interval, "interval", "I", time.Second, "time from one request to the next")
	c.Flags().DurationVarP(&a.Timeout, "timeout", "W", 2*time.Second, "time to wait for a reply")
	c.Flags().IntVarP(&a.Size, "size", "s", 56, "bytes of data in a request")
	e.StackFlags(c)
	return c
}

// Run pings from a stack.
func Run(ctx context.Context, s command.Stack, a Arguments, each func(Reply) error) error {
	return s.Call(ctx, "ping", a, func(m json.RawMessage) error {
		var r Reply
		if err := json.Unmarshal(m, &r); err != nil {
			return err
		}
		return each(r)
	})
}

// handle carries out the operation on an instance.
func handle(ctx context.Context, call *control.Call) error {
	var a Arguments
	if err := json.Unmarshal(call.Args, &a); err != nil {
		return err
	}
	if a.Size < 0 || a.Size > maxSize || a.Count < 0 || a.Interval < 0 || a.Timeout <= 0 {
		return fmt.Errorf("ping: arguments out of range: %w", syscall.EINVAL)
	}
	in := call.Instance
	text, zone, _ := strings.Cut(a.Address, "%")
	dst, err := wire.ParseAddr(text)
	if err != nil {
		return fmt.Errorf("%q is not an IP address (an instance does not resolve names)", a.Address)
	}
	scope := uint32(0)
	if zone != "" {
		ifc := in.InterfaceByName(zone)
		if ifc == nil {
			return fmt.Errorf("%s: no device %s in instance %s", a.Address, zone, in.Name())
		}
		scope = uint32(ifc.Index())
	}
	p, err := ipcommon.NewPinger(in, dst, scope)
	if err != nil {
		return fmt.Errorf("%s: %w", a.Address, err)
	}
	defer p.Close()
	defer context.AfterFunc(ctx, func() { _ = p.Close() })()
	data := make([]byte, a.Size)
	for i := range data {
		data[i] = byte(i)
	}
	for seq := 1; a.Count == 0 || seq <= a.Count; seq++ {
		begun := time.Now()
		r := Reply{Seq: seq}
		reply, err := p.Ping(uint16(seq), data, a.Timeout)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, core.ErrDeadline):
			r.Error = "no reply within " + a.Timeout.String()
		case err != nil:
			r.Error = err.Error()
		default:
			r.From, r.Bytes, r.TTL = reply.From.String(), len(reply.Data)+wire.ICMPv4Size, int(reply.HopLimit)
			// The program's own clock: that of the stack stands still while frames
			// cross from one instance to another of the same Domain.
			r.RTT = float64(time.Since(begun)) / 1e6
		}
		if err := call.Emit(r); err != nil {
			return err
		}
		if a.Count != 0 && seq == a.Count {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(a.Interval - time.Since(begun)):
		}
	}
	return nil
}
