package packetdrill

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Result is what came of one script in one family.
type Result struct {
	File     string        `json:"file"`
	Family   string        `json:"family"`
	Backend  string        `json:"backend"`
	Passed   bool          `json:"passed"`
	Skipped  string        `json:"skipped,omitempty"` // why it was not run
	Events   int           `json:"events"`
	Time     time.Duration `json:"time_ns"` // of the script's clock
	Late     time.Duration `json:"late_ns"` // by how much the machine was late most, on a clock that it keeps itself
	Failures []Failure     `json:"failures,omitempty"`
}

// Failure is one thing that went another way than the script says.
type Failure struct {
	Line     int    `json:"line"`
	Text     string `json:"text"`
	Expected string `json:"expected,omitempty"`
	Actual   string `json:"actual,omitempty"`
}

// Format writes a failure for people: the place, and both sides one above the other.
func (f *Failure) Format(file string) string {
	s := fmt.Sprintf("%s:%d: %s", file, f.Line, f.Text)
	if f.Expected != "" {
		s += "\n    expected: " + f.Expected
	}
	if f.Actual != "" {
		s += "\n    actual:   " + f.Actual
	}
	return s
}

// run is one script under way.
type run struct {
	script   *Script
	settings Settings
	sys      System
	result   *Result
	log      func(string)

	start   time.Duration // of the script, on the system's clock
	slipped time.Duration // how long its clock stood still
	prev    time.Duration // time of the event before, from start
	fds     map[int64]int
	files   map[int64]bool // descriptors of open
	sockets map[int]*socket
	order   []*socket // oldest first
	flows   []*flow
	current *flow
	ports   int
	pending *callRun
	ids     map[int]uint32 // of fragments that were sent, by the script's number
	subject int            // live descriptor of the last TCP socket, -1 for none
	scope   *scope
	stopped bool
	stuck   bool
}

// attempts is how often a script may fail of what a busy machine does to its times,
// and belated how late an event may be without that: a quarter of the shortest timer
// that scripts meet on a kernel, the one of delayed acknowledgements (40 ms).
const (
	attempts = 5
	belated  = 10 * time.Millisecond
)

// alone is held for writing by a run that no other one shall disturb.
var alone sync.RWMutex

// Run runs a script. log gets what print statements and --verbose say.
//
// A script that fails on a clock of the machine's own, while the machine gave the
// runner no processor for longer than timers of the system under test take, has said
// nothing of that system, which then saw other times than the script's. It is run
// again with no other one beside it, up to attempts times; the last result stands.
func Run(script *Script, s Settings, b Backend, log func(string)) *Result {
	if log == nil {
		log = func(string) {}
	}
	alone.RLock()
	res := once(script, s, b, log)
	alone.RUnlock()
	for again := 1; again < attempts && !res.Passed && res.Late > belated; again++ {
		log(fmt.Sprintf("%s: an event was %s late on this machine, and the script failed: once more", script.Name, stamp(res.Late)))
		alone.Lock()
		res = once(script, s, b, log)
		alone.Unlock()
	}
	if !res.Passed && res.Late > belated {
		res.Failures = append(res.Failures, Failure{Line: 1, Text: fmt.Sprintf("an event was %s late, %d times in a row: this machine is too busy to judge the script", stamp(res.Late), attempts)})
	}
	return res
}

// once runs a script one time.
func once(script *Script, s Settings, b Backend, log func(string)) *Result {
	res := &Result{File: script.Name, Family: s.IPVersion.String(), Backend: b.Name(), Events: len(script.Events)}
	r := &run{script: script, settings: s, result: res, log: log, fds: map[int64]int{}, files: map[int64]bool{}, sockets: map[int]*socket{}, subject: -1}
	r.scope = &scope{vars: map[string]value{}, look: r.info, print: log}
	if script.Kernel != "" && b.Name() == "kernel" {
		res.Skipped = "the kernel differs: " + script.Kernel
		return res
	}
	if s.DryRun {
		res.Passed = true
		return res
	}
	if err := b.Run(&r.settings, r.whole); err != nil {
		r.failure(Failure{Line: 1, Text: err.Error()})
	}
	res.Passed = len(res.Failures) == 0 && res.Skipped == ""
	return res
}

// Backend makes the systems that scripts run on.
type Backend interface {
	// Name is "virtual" or "kernel".
	Name() string
	// Run makes a system, runs f where blocking calls are legal, and ends the
	// system. Its error is that of making or ending it.
	Run(s *Settings, f func(System) (stuck bool)) error
}

func (r *run) failure(f Failure) {
	if len(r.result.Failures) < 100 {
		r.result.Failures = append(r.result.Failures, f)
	}
}

// stop notes a failure that ends the script.
func (r *run) stop(f Failure) {
	r.failure(f)
	r.stopped = true
}

// whole runs the script from init to cleanup.
func (r *run) whole(sys System) (stuck bool) {
	r.sys = sys
	if r.configure(r.script.Init) {
		r.start = sys.Now()
		for i := range r.script.Events {
			if r.stopped {
				break
			}
			r.event(&r.script.Events[i])
		}
		if !r.stopped {
			r.finish()
		}
		r.result.Time = sys.Now() - r.start
	}
	if !r.stuck {
		r.configure(r.script.Cleanup)
	}
	return r.stuck
}

// configure runs commands, false if one failed.
func (r *run) configure(list []Command) bool {
	for _, c := range list {
		if err := runCommands(r.sys, c.Text, r.settings.AllowShell); err != nil {
			line := c.Line + err.line
			r.stop(Failure{Line: line, Text: err.Error()})
			return false
		}
	}
	return true
}

// now is the script's clock.
func (r *run) now() time.Duration { return r.sys.Now() - r.start }

func (r *run) tolerance(at time.Duration) time.Duration {
	return max(r.settings.Tolerance, (at-r.prev)/8)
}

// event runs one event.
func (r *run) event(e *Event) {
	at, to, end := e.Time.From, e.Time.To, e.Time.End
	if e.Time.Kind == Relative {
		at, to, end = at+r.prev, to+r.prev, end+r.prev
	}
	if r.settings.Verbose {
		r.log(fmt.Sprintf("%s:%d: %9.6f %s", r.script.Name, e.Line, r.now().Seconds(), e.Text))
	}
	if e.Packet != nil && !e.Packet.Inbound {
		r.prev = r.expect(e, at, to)
		return
	}
	if at < r.prev {
		r.stop(Failure{Line: e.Line, Text: fmt.Sprintf("the event is at %s, before the one that stands before it (%s)", stamp(at), stamp(r.prev))})
		return
	}
	if e.Call != nil || e.Code != nil || e.Command != nil {
		r.await(e.Line)
	}
	if r.stopped {
		return
	}
	r.sys.Sleep(r.start + at)
	if late := r.now() - at; late > 0 && !r.slip(late, at) {
		r.stop(Failure{Line: e.Line, Text: fmt.Sprintf("it is %s late: what stands before it took until %s", stamp(late), stamp(r.now()))})
		return
	}
	r.prev = at
	switch {
	case e.Packet != nil:
		r.inject(e)
	case e.Call != nil:
		r.call(e, end)
	case e.Command != nil:
		if err := runCommands(r.sys, e.Command.Text, r.settings.AllowShell); err != nil {
			r.stop(Failure{Line: e.Line + err.line, Text: err.Error()})
		}
	case e.Code != nil:
		if err := r.scope.exec(e.Code.body); err != nil {
			r.stop(Failure{Line: err.line, Text: err.text})
		}
	}
}

// slip tells whether an event may come late. On a machine that does other work as
// well, the script's clock stops for as long as the runner could not run.
func (r *run) slip(late, at time.Duration) bool {
	if r.sys.Exact() {
		return late <= r.tolerance(at)
	}
	r.start += late
	r.slipped += late
	r.result.Late = max(r.result.Late, late)
	return r.slipped <= 5*time.Second
}

func stamp(d time.Duration) string { return fmt.Sprintf("%.6f s", d.Seconds()) }

// inject has a packet arrive.
func (r *run) inject(e *Event) {
	p := e.Packet
	f := r.flowIn(p)
	x := r.exchange(p, f)
	x.src, x.dst = f.remote.Addr(), f.local.Addr()
	if p.IP.Src.IsValid() {
		x.src = p.IP.Src
	}
	if p.IP.Dst.IsValid() {
		x.dst = p.IP.Dst
	}
	x.sport, x.dport = f.remote.Port(), f.local.Port()
	body, err := p.Body.encode(x)
	if err == nil {
		err = p.IP.spoil(body, p.Body.protocol(x.v6))
	}
	if err == nil {
		body, err = p.IP.header(x.src, x.dst, p.Body.protocol(x.v6), body)
	}
	if err == nil {
		body, err = p.wrap(body)
	}
	if err == nil {
		err = r.sys.Inject(body)
	}
	if err != nil {
		r.stop(Failure{Line: e.Line, Text: err.Error()})
		return
	}
	if _, icmp := p.Body.(*ICMPMessage); !icmp {
		r.current = f
	}
}

func (r *run) exchange(p *Packet, f *flow) *exchange {
	return &exchange{settings: &r.settings, packet: p, flow: f, v6: r.wireV6()}
}

// patience is how long a packet may be missing after its time.
const patience = 2 * time.Second

// expect waits for a packet and compares it; it returns when it was sent, or should
// have been.
func (r *run) expect(e *Event, at, to time.Duration) time.Duration {
	deadline := to + r.tolerance(to) + patience
	if e.Time.Kind == Anytime {
		deadline = r.now() + 60*time.Second
	}
	var live livePacket
	arrived := r.sys.Await(r.start+deadline, func() bool {
		for {
			p, ok := r.sys.Packet()
			if !ok {
				return false
			}
			if !e.Packet.ignores(p.frame) {
				live = p
				return true
			}
		}
	})
	if !arrived {
		r.packetFailure(Failure{Line: e.Line, Text: fmt.Sprintf("no packet was sent until %s", stamp(deadline)), Expected: e.Text})
		return at
	}
	when := live.at - r.start
	text := r.liveText(live.frame)
	if r.settings.Verbose {
		r.log(fmt.Sprintf("%s:%d: %9.6f sent %s", r.script.Name, e.Line, when.Seconds(), text))
	}
	out := r.compare(e.Packet, live)
	if e.Time.Kind != Anytime {
		if t := r.tolerance(at); when < at-t {
			out = append(out, fmt.Sprintf("it was sent at %s, %s too early (tolerance %s)", stamp(when), stamp(at-when), stamp(t)))
		}
		if t := r.tolerance(to); when > to+t {
			out = append(out, fmt.Sprintf("it was sent at %s, %s too late (tolerance %s)", stamp(when), stamp(when-to), stamp(t)))
		}
	}
	if len(out) > 0 {
		r.packetFailure(Failure{Line: e.Line, Text: strings.Join(out, "; "), Expected: e.Text,
			Actual: fmt.Sprintf("%.6f %s", when.Seconds(), r.liveText(live.frame))})
	}
	if e.Time.Kind == Anytime || e.Time.Range {
		return max(when, r.prev)
	}
	return at
}

func (r *run) packetFailure(f Failure) {
	r.failure(f)
	r.stopped = r.stopped || !r.settings.NonFatalPacket
}

// ignores tells whether a packet that was sent is none of the script's: group
// membership and neighbour discovery.
func (p *Packet) ignores(frame []byte) bool {
	if len(p.Outer) > 0 {
		return false
	}
	h, err := parseIP(frame)
	if err != nil {
		return false
	}
	_, icmp := p.Body.(*ICMPMessage)
	switch {
	case h.proto == 2:
		return true
	case h.proto == protoICMPv6 && len(h.payload) > 0:
		t := h.payload[0]
		return t >= 130 && t <= 143 && !icmp || t == 143 || t >= 130 && t <= 132
	case h.dst.IsMulticast() && !icmp:
		_, udp := p.Body.(*UDPDatagram)
		return !udp
	}
	return false
}

// compare compares a packet that was sent with the one that is expected.
func (r *run) compare(p *Packet, live livePacket) []string {
	inner, out := p.unwrap(live.frame)
	if len(out) > 0 {
		return out
	}
	h, err := parseIP(inner)
	if err != nil {
		return []string{err.Error()}
	}
	if proto := p.Body.protocol(h.v6); h.proto != proto {
		return []string{fmt.Sprintf("it is of IP protocol %d, expected %d", h.proto, proto)}
	}
	if out = r.sameFragment(&p.IP, &h); len(out) > 0 {
		return out
	}
	out = p.IP.differences(&h)
	if h.fragment {
		return out
	}
	x := r.exchange(p, nil)
	x.v6, x.src, x.dst, x.at = h.v6, h.src, h.dst, live.at-r.start
	if like, ok := r.tuple(&h); ok {
		x.flow = r.findFlow(like)
		if x.flow == nil {
			x.flow = r.addFlow(like)
		}
		x.sport, x.dport = like.local.Port(), like.remote.Port()
		if p.Ported {
			out = append(out, r.samePorts(p, x.flow)...)
		}
		r.current = x.flow
	} else {
		x.flow = r.flowIn(p)
	}
	return append(out, p.Body.match(x, h.payload)...)
}

// samePorts compares the ports of a flow with those that are written, or learns how
// the script calls them.
func (r *run) samePorts(p *Packet, f *flow) (out []string) {
	if f.localName == 0 && !r.isExplicit(f.proto, f.local.Port()) {
		f.localName = p.Source
	}
	if f.remoteName == 0 && f.remote.Port() == uint16(r.settings.ConnectPort) {
		f.remoteName = p.Target
	}
	if s, d := port(f.localName, f.local.Port()), port(f.remoteName, f.remote.Port()); s != p.Source || d != p.Target {
		out = append(out, fmt.Sprintf("ports %d > %d, expected %d > %d", s, d, p.Source, p.Target))
	}
	return out
}

// call begins a system call and waits for it, unless it is to block.
func (r *run) call(e *Event, end time.Duration) {
	row, _ := findCall(e.Call.Name)
	c := &callRun{r: r, call: e.Call, line: e.Line, text: e.Text}
	if n := len(e.Call.Args); n < row.min || n > row.max {
		r.stop(Failure{Line: e.Line, Text: fmt.Sprintf("%s has %d arguments here, and takes %d", row.name, n, row.max)})
		return
	}
	row.run(c)
	if c.err != nil {
		r.stop(Failure{Line: c.err.Line, Text: c.err.Text})
		return
	}
	c.began = r.now()
	r.pending = c
	r.sys.Start(func() {
		c.n, c.errno = c.do()
		c.at = r.sys.Now() - r.start
		c.ended.Store(true)
	}, e.Time.Blocks)
	c.end = -1
	if e.Time.Blocks {
		c.end = end
		return
	}
	r.await(e.Line)
}

// await waits for the call under way and compares its result.
func (r *run) await(int) {
	c := r.pending
	if c == nil {
		return
	}
	limit := c.began + patience
	if c.end >= 0 {
		limit = c.end + max(r.settings.Tolerance, (c.end-c.began)/8) + patience
	}
	r.sys.Await(r.start+max(limit, r.now()), c.ended.Load)
	r.pending = nil
	if !c.ended.Load() {
		r.stuck = true
		cure := ": write start...end if it is to block"
		if c.end >= 0 {
			cure = fmt.Sprintf(", expected %s", stamp(c.end))
		}
		r.stop(Failure{Line: c.line, Text: fmt.Sprintf("%s has not returned at %s%s", c.call.Name, stamp(r.now()), cure), Expected: c.text})
		return
	}
	c.check()
	if c.end < 0 && !r.sys.Exact() {
		r.result.Late = max(r.result.Late, c.at-c.began)
	}
	if c.end >= 0 {
		if off, t := (c.at - c.end).Abs(), max(r.settings.Tolerance, (c.end-c.began)/8); off > t {
			c.differ("it returned at %s, expected %s (tolerance %s)", stamp(c.at), stamp(c.end), stamp(t))
		}
	} else if took := c.at - c.began; took > max(r.settings.Tolerance, 100*time.Millisecond) {
		c.differ("it blocked for %s: write start...end if it is to block", stamp(took))
	}
	switch {
	case c.err != nil:
		r.stop(Failure{Line: c.err.Line, Text: c.err.Text})
	case len(c.diff) > 0:
		f := Failure{Line: c.line, Text: c.call.Name + ": " + strings.Join(c.diff, "; "), Expected: c.text, Actual: c.actual()}
		r.failure(f)
		r.stopped = r.stopped || !r.settings.NonFatalSyscall
	}
}

// actual is what a call returned, in the words of a script.
func (c *callRun) actual() string {
	if c.errno == nil {
		return fmt.Sprintf("%s(…) = %d", c.call.Name, c.n)
	}
	return fmt.Sprintf("%s(…) = -1 %s", c.call.Name, errnoText(c.errno))
}

// finish waits for a call that still blocks.
func (r *run) finish() { r.await(0) }

// live is the descriptor behind a script's number.
func (r *run) live(number int64) int {
	if fd, ok := r.fds[number]; ok {
		return fd
	}
	return -1
}

func (r *run) addSocket(s *socket) {
	r.sockets[s.fd] = s
	r.order = append(r.order, s)
	if s.proto == protoTCP {
		r.subject = s.fd
	}
}

func (r *run) socket(fd int) *socket { return r.sockets[fd] }

// forget follows a close.
func (r *run) forget(number int64, fd int) {
	delete(r.fds, number)
	if r.subject == fd {
		r.subject = -1
	}
	s := r.sockets[fd]
	delete(r.sockets, fd)
	for i, x := range r.order {
		if x == s {
			r.order = append(r.order[:i], r.order[i+1:]...)
			break
		}
	}
}

// learnPort asks for the local port of a socket.
func (r *run) learnPort(s *socket) {
	b := make([]byte, longestAddress)
	if n, err := r.sys.Getsockname(s.fd, b); err == nil {
		s.bound = parseSockaddr(b[:min(n, len(b))]).Port()
	}
}

// isExplicit tells whether a local port was chosen by the script: of a socket that
// listens or was bound.
func (r *run) isExplicit(proto uint8, p uint16) bool {
	return p == uint16(r.settings.BindPort) && r.isBound(proto, p)
}

// info is a field of tcp_info of the socket under test.
func (r *run) info(name string) (value, bool) {
	if !strings.HasPrefix(name, "tcpi_") {
		return value{}, false
	}
	f := layoutOf("tcp_info").field(name)
	if f == nil || f.name != name || r.subject < 0 {
		return value{}, false
	}
	b := make([]byte, 512)
	n, err := r.sys.Getsockopt(r.subject, int(constants["SOL_TCP"]), int(constants["TCP_INFO"]), b)
	if err != nil {
		return value{}, false
	}
	v, ok := f.get(b[:min(n, len(b))])
	return whole(v), ok
}
