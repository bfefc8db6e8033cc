package capture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/cmd/libos/control"
	"github.com/libos-go/libos/device/capture"
)

// arguments of the operation "capture".
type arguments struct {
	Devices []string      `json:"devices"` // none: all but the loopback
	Snaplen int           `json:"snaplen"`
	Limit   int64         `json:"limit"`
	Count   int64         `json:"count"`
	For     time.Duration `json:"for"`
}

// Command is `libos capture`.
func Command(e *command.Env) *cobra.Command {
	e.Handle("capture", handle)
	var a arguments
	var file, size string
	c := &cobra.Command{
		Use:   "capture [DEVICE...] -w FILE",
		Short: "Write the frames of devices to a pcapng file",
		Long: `Write the frames of an instance's devices (by default all but the loopback) to a
pcapng file, which Wireshark and tshark read, until interrupted, or as far as
--count, --limit or --for say. "-" writes to standard output.`,
		Example: `  libos capture -w all.pcapng
  libos capture eth0 -w - | tshark -r -
  libos capture eth0 -c 100 -w first.pcapng
  libos capture --instance router eth0 eth1 --for 10s -w router.pcapng`,
		ValidArgsFunction: e.CompleteDevices,
		RunE: func(c *cobra.Command, args []string) (err error) {
			a.Devices = args
			if a.Limit, err = command.ParseSize(size); err != nil {
				return fmt.Errorf("--limit: %w", err)
			}
			if a.Snaplen < 0 || a.Count < 0 || a.For < 0 {
				return errors.New("--snaplen, --count and --for are not negative")
			}
			if file == "-" && e.JSON() {
				return errors.New("-o json and the capture cannot both go to standard output: name a file with -w")
			}
			s, err := e.Open(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			// The interrupt ends the capture in the instance, which then sends
			// what is left: the stream outlives it.
			stream, err := s.Stream(context.WithoutCancel(c.Context()), "capture", a)
			if err != nil {
				return err
			}
			defer stream.Close()
			to := e.Stdout
			if file != "-" {
				f, err := os.Create(file)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, f.Close()) }()
				to = f
			}
			e.Note("capturing to %s; end with Ctrl-C", file)
			defer context.AfterFunc(c.Context(), func() { _, _ = stream.Write([]byte{'\n'}) })()
			n, err := io.Copy(to, stream)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if e.JSON() {
				return e.Print(struct {
					File  string `json:"file"`
					Bytes int64  `json:"bytes"`
				}{file, n})
			}
			e.Note("%s: %s", file, command.Bytes(n))
			return nil
		},
	}
	f := c.Flags()
	f.StringVarP(&file, "write", "w", "", "file to write")
	f.IntVarP(&a.Snaplen, "snaplen", "s", 0, "bytes to keep of each frame; 0 for all")
	f.Int64VarP(&a.Count, "count", "c", 0, "end after this many frames; 0 for no limit")
	f.StringVar(&size, "limit", "0", "end at this size: bytes, or a number with K, M or G; 0 for no limit")
	f.DurationVar(&a.For, "for", 0, "end after this time; 0 for no limit")
	_ = c.MarkFlagRequired("write")
	_ = c.MarkFlagFilename("write", "pcapng")
	e.StackFlags(c)
	return c
}

// handle captures until ctx ends, or the caller sends anything or goes.
func handle(ctx context.Context, call *control.Call) (err error) {
	var a arguments
	if err := json.Unmarshal(call.Args, &a); err != nil {
		return err
	}
	if a.Snaplen < 0 || a.Limit < 0 || a.Count < 0 || a.For < 0 {
		return fmt.Errorf("capture: arguments out of range: %w", syscall.EINVAL)
	}
	in := call.Instance
	var have []string
	for _, ifc := range in.Interfaces() {
		have = append(have, ifc.Name())
	}
	for _, name := range a.Devices {
		if in.InterfaceByName(name) == nil {
			return fmt.Errorf("no device %s in instance %s (devices: %s)", name, in.Name(), strings.Join(have, " "))
		}
	}
	w := &late{ready: make(chan struct{})}
	c := capture.New(w, capture.Options{Snaplen: a.Snaplen, Limit: a.Limit, Count: uint64(a.Count), Background: true, Comment: "instance " + in.Name()})
	for _, ifc := range in.Interfaces() {
		wanted := len(a.Devices) == 0 && ifc != in.Loopback()
		for _, name := range a.Devices {
			wanted = wanted || name == ifc.Name()
		}
		if wanted {
			c.Add(ifc)
		}
	}
	// All is tapped by the time that the caller hears of it.
	stream, err := call.Stream(struct{}{})
	w.conn = stream
	close(w.ready)
	if err != nil {
		return errors.Join(err, c.Close())
	}
	if a.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.For)
		defer cancel()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = stream.Read(make([]byte, 1))
	}()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for open := true; open; {
		select {
		case <-ctx.Done():
			open = false
		case <-ended:
			open = false
		case <-look.C:
			s := c.Stats()
			open = (a.Limit == 0 || s.Dropped == 0) && (a.Count == 0 || s.Frames < uint64(a.Count))
		}
	}
	err = c.Close()
	_ = stream.Close()
	return err
}

// late is a stream that there will be.
type late struct {
	ready chan struct{}
	conn  net.Conn // set when ready is closed
}

func (l *late) Write(b []byte) (int, error) {
	<-l.ready
	if l.conn == nil {
		return 0, io.ErrClosedPipe
	}
	return l.conn.Write(b)
}
