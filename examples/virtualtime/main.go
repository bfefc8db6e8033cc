// Command virtualtime sends 1 MiB over TCP through a link of 10 Mbit/s with a
// delay of 20 ms that loses 1 % of all frames, in virtual time: seconds of the
// stacks take milliseconds, and the same seed gives the same run, down to the
// bytes of the capture. -seed chooses another one, -w keeps the capture, which
// Wireshark and tshark read. Expect one line like
//
//	1048576 bytes in 1.3166144s of virtual time, 7 segments sent again, capture cf3225ec73128713
//
// that is the same in every run.
package main

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/capture"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

func main() {
	seed := flag.Uint64("seed", 1, "seed of all randomness")
	file := flag.String("w", "", "file for the capture (pcapng)")
	flag.Parse()
	result, pcap, err := transfer(*seed, 1<<20)
	if err == nil && *file != "" {
		err = os.WriteFile(*file, pcap, 0o644)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result)
}

// Result is what came of a transfer.
type Result struct {
	Bytes  int
	Took   time.Duration // of virtual time
	Resent uint64        // segments
	Sum    [32]byte      // of the capture
}

func (r Result) String() string {
	return fmt.Sprintf("%d bytes in %v of virtual time, %d segments sent again, capture %x", r.Bytes, r.Took, r.Resent, r.Sum[:8])
}

// transfer carries n bytes and returns the capture of the sender's device.
func transfer(seed uint64, n int) (r Result, pcap []byte, err error) {
	h := host.NewVirtual(seed)
	d := core.NewDomain(h, core.DomainOptions{})
	defer func() {
		if e := d.Close(); err == nil {
			err = e
		}
	}()
	a, b := pipe.New(pipe.Config{Name: "line", Wire: pipe.Wire{Rate: 10e6, Delay: 20 * time.Millisecond, Loss: 0.01, QueueLen: 100}})
	from, err := libos.New(core.Options{Name: "from", Domain: d})
	if err != nil {
		return r, nil, err
	}
	line, err := from.Attach(a, "eth0", "10.0.0.1/24")
	if err != nil {
		return r, nil, err
	}
	to, err := libos.New(core.Options{Name: "to", Domain: d})
	if err != nil {
		return r, nil, err
	}
	if _, err := to.Attach(b, "eth0", "10.0.0.2/24"); err != nil {
		return r, nil, err
	}

	var file bytes.Buffer
	tape := capture.New(&file, capture.Options{Comment: "examples/virtualtime"})
	tape.Add(line)
	// Only tasks may block in virtual time: Go starts one, Do runs one to its end.
	failed := make(chan error, 1)
	h.Go("sender", func() { failed <- send(from, "10.0.0.2:9", n) })
	err = h.Do(func() { r.Bytes, err = receive(to, ":9") })
	if err == nil {
		err = <-failed // it has ended: all its bytes are here
	}
	if err != nil {
		return r, nil, err
	}
	r.Took = time.Duration(h.Now())
	for _, c := range from.Counters() {
		for i, name := range c.Names {
			if c.Group == "Tcp" && name == "RetransSegs" {
				r.Resent = c.Values[i]
			}
		}
	}
	if err := tape.Close(); err != nil {
		return r, nil, err
	}
	r.Sum = sha256.Sum256(file.Bytes())
	return r, file.Bytes(), nil
}

func receive(in *core.Instance, address string) (int, error) {
	l, err := in.Listen("tcp", address)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	c, err := l.Accept()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	n, err := io.Copy(io.Discard, c)
	return int(n), err
}

func send(in *core.Instance, address string, n int) error {
	c, err := in.Dial("tcp", address)
	if err != nil {
		return err
	}
	if _, err := c.Write(make([]byte, n)); err != nil {
		return err
	}
	return c.Close()
}
