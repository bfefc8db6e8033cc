package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/ipcommon"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/capture"
)

// lab is the host file of the demo. Words in angle brackets are lists of the
// families that the configuration has.
const lab = `# Two hosts and a router, as libos demo runs them. To have them by yourself:
#   libos up FILE
#   libos httpd --instance right .
#   libos get --instance left http://10.2.0.2/FILE

[[instance]]
name = "left"
routes = [<"default via 10.1.0.1", "default via fd01::1">]
[[instance.device]]
name = "eth0"
link = "west"
usable = true
addresses = [<"10.1.0.2/24", "fd01::2/64">]

[[instance]]
name = "router"
[instance.sysctl]
<"net.ipv4.ip_forward" = 1
"net.ipv6.conf.all.forwarding" = 1>
[[instance.device]]
name = "eth0"
link = "west"
usable = true
addresses = [<"10.1.0.1/24", "fd01::1/64">]
[[instance.device]]
name = "eth1"
link = "east"
usable = true
addresses = [<"10.2.0.1/24", "fd02::1/64">]

[[instance]]
name = "right"
routes = [<"default via 10.2.0.1", "default via fd02::1">]
[[instance.device]]
name = "eth0"
link = "east"
usable = true
addresses = [<"10.2.0.2/24", "fd02::2/64">]

[[link]]
name = "west"
%[1]s
[[link]]
name = "east"
%[1]s`

// target is the right host's address in a family.
type target struct{ network, address string }

func (t target) url(name string) string {
	host := t.address
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return "http://" + host + "/" + name
}

// plan is the lab for the families of the wiring.
func (o *options) plan() (text string, targets []target) {
	var has [2]bool
	for i := range o.e.Built().Networks {
		switch o.e.Built().Networks[i].Network.Family {
		case core.AFInet:
			has[0] = true
			targets = append(targets, target{"tcp4", "10.2.0.2"})
		case core.AFInet6:
			has[1] = true
			targets = append(targets, target{"tcp6", "fd02::2"})
		}
	}
	link := ""
	for _, p := range [][2]string{{"rate", o.rate}, {"delay", o.delay}, {"loss", o.loss}} {
		if p[1] != "" {
			link += fmt.Sprintf("%s = %q\n", p[0], p[1])
		}
	}
	var b strings.Builder
	for rest := fmt.Sprintf(lab, link); ; {
		before, list, found := strings.Cut(rest, "<")
		b.WriteString(before)
		if !found {
			return b.String(), targets
		}
		list, rest, _ = strings.Cut(list, ">")
		sep := ", "
		if strings.Contains(list, "\n") {
			sep = "\n"
		}
		var kept []string
		for i, item := range strings.Split(list, sep) {
			if has[i] {
				kept = append(kept, item)
			}
		}
		b.WriteString(strings.Join(kept, sep))
	}
}

// three runs the lab in memory.
func (o *options) three(ctx context.Context) (err error) {
	text, targets := o.plan()
	hostFile := filepath.Join(o.dir, "demo.toml")
	if err := os.WriteFile(hostFile, []byte(text), 0o644); err != nil {
		return err
	}
	f, err := o.e.ParseHostFile(hostFile, text)
	if err != nil {
		return err
	}
	files, err := o.files(ctx)
	if err != nil {
		return err
	}
	defer os.Remove(files[len(files)-1].path)

	s, err := f.Start(o.e)
	if err != nil {
		return err
	}
	closed := false
	defer func() {
		if !closed {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := command.WaitAddresses(ctx, s.Instances...); err != nil {
		return err
	}
	left, router, right := s.Instances[0], s.Instances[1], s.Instances[2]
	o.say("Three stacks in this process:  left ──west── router ──east── right\n")

	pcap := filepath.Join(o.dir, "demo.pcapng")
	tap, err := capture.Create(pcap, capture.Options{Limit: o.captureLimit, Comment: "libos demo: the router's side of the link west"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tap.Close()) }()
	tap.Add(router.InterfaceByName("eth0"))

	for _, t := range targets {
		if err := o.ping(ctx, left, t.address); err != nil {
			return err
		}
	}
	l, err := right.Listen("tcp", ":80")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler(files)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	transport := &http.Transport{DialContext: left.DialContext, DisableCompression: true, ReadBufferSize: 64 << 10}
	err = o.fetchAll(ctx, &http.Client{Transport: transport}, targets, files)
	transport.CloseIdleConnections()
	err = errors.Join(err, server.Close())
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	if err != nil {
		return err
	}
	r := o.report(left, router, right)
	if err := tap.Close(); err != nil {
		return err
	}
	closed = true
	if err := s.Close(); err != nil {
		return err // what was not given back
	}
	r.Capture, r.HostFile = pcap, hostFile
	r.CapturedFrames = tap.Stats().Frames
	return o.show(r)
}

// files are those to fetch: the repository's README where the demo runs in it,
// and last the big one.
func (o *options) files(ctx context.Context) ([]source, error) {
	var files []source
	readme := "README.md"
	if n, sum, err := sumFile(readme); err == nil {
		files = append(files, source{readme, readme, n, sum})
	} else {
		o.say("README.md is not in this folder: only the big file is fetched")
	}
	name := strings.NewReplacer(" ", "", ".0", "").Replace(command.Bytes(o.size)) + ".bin"
	big, err := makeFile(ctx, filepath.Join(o.dir, "."+name), name, o.size)
	return append(files, big), err
}

func handler(files []source) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		for _, f := range files {
			if q.URL.Path == "/"+f.name {
				http.ServeFile(w, q, f.path)
				return
			}
		}
		http.NotFound(w, q)
	})
}

// pinged is what came of the echo requests to one address.
type pinged struct {
	Ping     string  `json:"ping"`
	Sent     int     `json:"sent"`
	Received int     `json:"received"`
	BestMS   float64 `json:"best_ms"`
}

func (o *options) ping(ctx context.Context, from *core.Instance, address string) error {
	p, err := ipcommon.NewPinger(from, wire.MustAddr(address), 0)
	if err != nil {
		return fmt.Errorf("ping %s: %w", address, err)
	}
	defer p.Close()
	defer context.AfterFunc(ctx, func() { _ = p.Close() })()
	const count = 5
	r := pinged{Ping: address}
	for seq := range count {
		begun := time.Now()
		r.Sent++
		if _, err := p.Ping(uint16(seq+1), make([]byte, 56), 2*time.Second); err != nil {
			if o.loss != "" && errors.Is(err, core.ErrDeadline) {
				continue // as asked for
			}
			return fmt.Errorf("ping %s: %w", address, err)
		}
		ms := float64(time.Since(begun)) / 1e6
		if r.Received++; r.Received == 1 || ms < r.BestMS {
			r.BestMS = ms
		}
	}
	if o.e.JSON() {
		err = o.e.Print(r)
	}
	o.say("%-10s %s  %d of %d came back, the fastest in %.3f ms", "ping", address, r.Received, r.Sent, r.BestMS)
	if err == nil && r.Received == 0 {
		return fmt.Errorf("ping %s: no reply", address)
	}
	return err
}

func (o *options) fetchAll(ctx context.Context, client *http.Client, targets []target, files []source) error {
	for _, f := range files {
		for _, t := range targets {
			if err := o.fetch(ctx, client, t, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// fetch downloads a file into a new one beside the capture and compares it.
func (o *options) fetch(ctx context.Context, client *http.Client, t target, s source) (err error) {
	url := t.url(s.name)
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	begun := time.Now()
	a, err := client.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: the server answered %s", url, a.Status)
	}
	path := filepath.Join(o.dir, ".received")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	defer func() { err = errors.Join(err, f.Close()) }()
	bar := &command.Progress{}
	if !o.e.JSON() && s.size >= 1<<20 {
		bar = o.e.Bar(o.e.Stdout, "fetching", s.size)
	}
	sum := sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(f, sum, bar), struct{ io.Reader }{a.Body}, make([]byte, 256<<10))
	took := time.Since(begun)
	bar.Done()
	if err != nil {
		return fmt.Errorf("%s: after %s bytes: %w", url, command.Thousands(n), err)
	}
	return o.check(s, &transfer{What: "get", URL: url, Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, took)
}

// report is what the demo tells at its end.
type report struct {
	Segments       uint64 `json:"segments"`
	Retransmitted  uint64 `json:"retransmitted"`
	Forwarded      uint64 `json:"forwarded_packets"`
	SlabBytes      int64  `json:"slab_bytes"`      // of the Domain, in use or free
	SlabPeakBytes  int64  `json:"slab_peak_bytes"` // held by the three at most, each at its own time
	SlabHeldBytes  int64  `json:"slab_held_bytes"` // held by the three now
	Capture        string `json:"capture"`
	CapturedFrames uint64 `json:"captured_frames"`
	HostFile       string `json:"host_file"`
	command.Info
}

func (o *options) report(left, router, right *core.Instance) *report {
	r := &report{Info: o.e.About()}
	for _, in := range []*core.Instance{left, right} {
		r.Segments += counter(in, "Tcp", "OutSegs")
		r.Retransmitted += counter(in, "Tcp", "RetransSegs")
	}
	r.Forwarded = counter(router, "Ip", "ForwDatagrams") + counter(router, "Ip6", "OutForwDatagrams")
	for _, in := range []*core.Instance{left, router, right} {
		in.Domain().Do(func() {
			r.SlabPeakBytes += in.Account().Peak()
			r.SlabHeldBytes += in.Account().Bytes()
		})
	}
	var caches []allocator.CacheInfo
	left.Domain().Do(func() { caches = left.Domain().Pool().SlabInfo() })
	for _, c := range caches {
		r.SlabBytes += c.Bytes
	}
	return r
}

// counter is an SNMP counter of an instance, 0 where it has none.
func counter(in *core.Instance, group, name string) uint64 {
	for _, c := range in.Counters() {
		if i := slices.Index(c.Names, name); c.Group == group && i >= 0 {
			return c.Values[i]
		}
	}
	return 0
}

func (o *options) show(r *report) error {
	if o.e.JSON() {
		return o.e.Print(r)
	}
	self := shown(r.Binary)
	o.say("")
	o.say("TCP        %s segments sent, %s of them again; %s packets forwarded", command.Thousands(int64(r.Segments)), command.Thousands(int64(r.Retransmitted)), command.Thousands(int64(r.Forwarded)))
	o.say("slabs      %s held at most, %s now; all given back when the stacks closed", command.Bytes(r.SlabPeakBytes), command.Bytes(r.SlabHeldBytes))
	o.say("built in   %s", strings.Join(slices.Concat(r.Networks, r.Protocols, r.Devices), " "))
	o.say("binary     %s bytes, configuration %s", command.Thousands(r.BinaryBytes), r.Configuration)
	o.say("capture    %s (%s frames; open it with Wireshark, or tshark -r)", shown(r.Capture), command.Thousands(int64(r.CapturedFrames)))
	o.say("")
	o.say("Try next:")
	for _, line := range [][2]string{
		{self + " demo --size 16M --delay 1ms --loss 0.1%", "the same over bad links"},
		{self + " up " + shown(r.HostFile), "these stacks, to ping, get, nc, sysctl and capture by yourself"},
		{"build/libosbuild menuconfig", "choose what is built in"},
		{"build/libosbuild size", "what each choice adds to the binary"},
		{"sudo make run-tun", "a stack against this kernel's own ping and curl"},
	} {
		o.say("  %-64s %s", line[0], line[1])
	}
	return nil
}
