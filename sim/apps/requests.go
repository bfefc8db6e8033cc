package apps

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/ipcommon"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/sim"
)

// piece is how many bytes of a request or response are read or written at once.
const piece = 4096

// Responder answers the requests of Requests.
type Responder struct {
	Port int `sim:"port,TCP port to listen on"`
}

// Check implements App.
func (a Responder) Check() error { return checkPort(a.Port) }

// Start implements App.
func (a Responder) Start(x *sim.Node) {
	serve(x, "responder", a.Port, func(t *sim.Task, c net.Conn) {
		var head [8]byte
		for {
			if _, err := io.ReadFull(c, head[:]); err != nil {
				return
			}
			for left := int(binary.BigEndian.Uint32(head[:])) - len(head); left > 0; {
				n, err := discard(c, min(left, piece))
				if err != nil {
					return
				}
				left -= n
			}
			for left := int(binary.BigEndian.Uint32(head[4:])); left > 0; {
				n, err := writeZeros(c, min(left, piece))
				if err != nil {
					return
				}
				left -= n
			}
		}
	})
}

// serve has f called for each connection to a TCP port, in a task of its own.
func serve(x *sim.Node, name string, port int, f func(*sim.Task, net.Conn)) {
	x.Go(name, 0, func(t *sim.Task) {
		l, err := t.Listen("tcp", address(t, "", port))
		t.Assert(err == nil, "%v", err)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Go(name, func(t *sim.Task) {
				f(t, c)
				_ = c.Close()
			})
		}
	})
}

// Requests sends requests to a Responder and waits for each response.
type Requests struct {
	To       string       `sim:"to,node or address of the responder"`
	Port     int          `sim:"port,TCP port"`
	At       Distribution `sim:"start,when to begin, or from when to when at random"`
	Count    int          `sim:"count,requests; 0 goes on to the end"`
	Request  int          `sim:"request,bytes of a request; 100 if it is missing"`
	Response int          `sim:"response,bytes of a response; 1000 if it is missing"`
	Think    Distribution `sim:"think,time between a response and the next request"`
	Fresh    bool         `sim:"fresh,a connection for every request"`
}

// Check implements App.
func (a Requests) Check() error {
	const most = 1 << 30
	if a.Count < 0 || a.Request < 0 || a.Request > most || a.Response < 0 || a.Response > most {
		return fmt.Errorf("count, request and response are not negative, and sizes at most %d", most)
	}
	if err := checkTimes(a.At, 0); err != nil {
		return err
	}
	return checkTarget(a.To, a.Port)
}

// Start implements App.
func (a Requests) Start(x *sim.Node) { x.Go("requests", a.At.start(x, "requests"), a.run) }

func (a Requests) run(t *sim.Task) {
	size, response := max(8, orElse(a.Request, 100)), orElse(a.Response, 1000)
	request := make([]byte, size)
	binary.BigEndian.PutUint32(request, uint32(size))
	binary.BigEndian.PutUint32(request[4:], uint32(response))
	dice := t.Random()
	var times stats
	defer func() { times.record(t, "response") }()
	var c net.Conn
	for i := 0; a.Count == 0 || i < a.Count; i++ {
		begin := t.Now()
		if c == nil {
			var err error
			if c, err = dial(t, "tcp", address(t, a.To, a.Port), 20); err != nil {
				t.Assert(over(err), "%v", err)
				return
			}
			if i == 0 {
				t.Track("requests", c)
			}
		}
		if _, err := c.Write(request); err != nil {
			t.Assert(over(err), "request %d: %v", i+1, err)
			return
		}
		for left := response; left > 0; {
			n, err := discard(c, min(left, piece))
			if err != nil {
				t.Assert(over(err), "response %d: %v", i+1, err)
				return
			}
			left -= n
		}
		times.add((t.Now() - begin).Seconds())
		if a.Fresh {
			_ = c.Close()
			c = nil
		}
		if d := a.Think.Sample(dice); d > 0 && t.Sleep(d) != nil {
			return
		}
	}
	if c != nil {
		_ = c.Close()
	}
}

func orElse(n, other int) int {
	if n == 0 {
		return other
	}
	return n
}

// stats gathers times.
type stats struct {
	n                   int
	sum, least, largest float64
}

func (s *stats) add(v float64) {
	if s.n == 0 || v < s.least {
		s.least = v
	}
	s.n++
	s.sum += v
	s.largest = max(s.largest, v)
}

func (s *stats) record(t *sim.Task, name string) {
	t.Record(name+".count", float64(s.n), "")
	if s.n == 0 {
		return
	}
	t.Record(name+".min", s.least, "s")
	t.Record(name+".mean", s.sum/float64(s.n), "s")
	t.Record(name+".max", s.largest, "s")
}

// HTTPServer serves files of zeros: GET /N has a body of N bytes.
type HTTPServer struct {
	Port int `sim:"port,TCP port; 80 if it is missing"`
}

// Check implements App.
func (a HTTPServer) Check() error { return checkPort(orElse(a.Port, 80)) }

// Start implements App.
func (a HTTPServer) Start(x *sim.Node) {
	serve(x, "httpd", orElse(a.Port, 80), func(t *sim.Task, c net.Conn) {
		r, w := bufio.NewReaderSize(c, 4096), bufio.NewWriterSize(c, 4096)
		for {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, q.Body)
			answer := http.Response{ProtoMajor: 1, ProtoMinor: 1, Request: q, StatusCode: http.StatusOK, Close: q.Close, Header: http.Header{}}
			n, err := strconv.ParseInt(q.URL.Path[min(1, len(q.URL.Path)):], 10, 64)
			if err != nil || n < 0 || q.Method != http.MethodGet {
				answer.StatusCode, n = http.StatusNotFound, 0
			}
			answer.ContentLength, answer.Body = n, io.NopCloser(io.LimitReader(zeroReader{}, n))
			if answer.Write(w) != nil || w.Flush() != nil || q.Close {
				return
			}
		}
	})
}

type zeroReader struct{}

func (zeroReader) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// HTTP fetches files from an HTTPServer.
type HTTP struct {
	To    string       `sim:"to,node or address of the server"`
	Port  int          `sim:"port,TCP port; 80 if it is missing"`
	At    Distribution `sim:"start,when to begin, or from when to when at random"`
	Count int          `sim:"count,fetches; 0 goes on to the end"`
	Bytes int          `sim:"bytes,length of the file; 100000 if it is missing"`
	Think Distribution `sim:"think,time between two fetches"`
	Fresh bool         `sim:"fresh,a connection for every fetch"`
}

// Check implements App.
func (a HTTP) Check() error {
	if a.Count < 0 || a.Bytes < 0 {
		return errors.New("count and bytes are not negative")
	}
	if err := checkTimes(a.At, 0); err != nil {
		return err
	}
	return checkTarget(a.To, orElse(a.Port, 80))
}

// Start implements App.
func (a HTTP) Start(x *sim.Node) { x.Go("http", a.At.start(x, "http"), a.run) }

func (a HTTP) run(t *sim.Task) {
	dice := t.Random()
	var times stats
	defer func() { times.record(t, "fetch") }()
	target := address(t, a.To, orElse(a.Port, 80))
	size := orElse(a.Bytes, 100_000)
	var c net.Conn
	var r *bufio.Reader
	for i := 0; a.Count == 0 || i < a.Count; i++ {
		begin := t.Now()
		if c == nil {
			var err error
			if c, err = dial(t, "tcp", target, 20); err != nil {
				t.Assert(over(err), "%v", err)
				return
			}
			r = bufio.NewReaderSize(c, 4096)
			if i == 0 {
				t.Track("http", c)
			}
		}
		q, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%s/%d", target, size), nil)
		t.Assert(err == nil, "%v", err)
		q.Close = a.Fresh
		var b bytes.Buffer
		t.Assert(q.Write(&b) == nil, "a request that cannot be written")
		_, err = c.Write(b.Bytes())
		var answer *http.Response
		if err == nil {
			answer, err = http.ReadResponse(r, q)
		}
		var n int64
		if err == nil {
			n, err = io.Copy(io.Discard, answer.Body)
		}
		if err != nil {
			t.Assert(over(err), "fetch %d: %v", i+1, err)
			return
		}
		t.Assert(answer.StatusCode == 200 && n == int64(size), "fetch %d: status %d, %d bytes of %d", i+1, answer.StatusCode, n, size)
		times.add((t.Now() - begin).Seconds())
		if a.Fresh {
			_ = c.Close()
			c = nil
		}
		if d := a.Think.Sample(dice); d > 0 && t.Sleep(d) != nil {
			return
		}
	}
	if c != nil {
		_ = c.Close()
	}
}

// Ping sends ICMP echo requests.
type Ping struct {
	To    string       `sim:"to,node or address to ping"`
	At    Distribution `sim:"start,when to begin, or from when to when at random"`
	Count int          `sim:"count,requests; 0 goes on to the end"`
	// Interval is the time between two requests, or that to a reply that takes longer.
	Interval time.Duration `sim:"interval,time from one request to the next; 1s if it is missing"`
	Timeout  time.Duration `sim:"timeout,how long to wait for a reply; 10s if it is missing"`
	Size     int           `sim:"size,bytes of data; 56 if it is missing"`
}

// Check implements App.
func (a Ping) Check() error {
	if a.Count < 0 || a.Interval < 0 || a.Timeout < 0 || a.Size < 0 || a.Size > 65000 {
		return errors.New("count, interval and timeout are not negative, and size is in 0..65000")
	}
	if err := checkTimes(a.At, 0); err != nil {
		return err
	}
	return checkTarget(a.To, 1)
}

// Start implements App.
func (a Ping) Start(x *sim.Node) { x.Go("ping", a.At.start(x, "ping"), a.run) }

func (a Ping) run(t *sim.Task) {
	dst, err := wire.ParseAddr(resolve(t, a.To))
	t.Assert(err == nil, "%v", err)
	p, err := ipcommon.NewPinger(t.Instance(), dst, 0)
	t.Assert(err == nil, "%v", err)
	defer p.Close()
	every := a.Interval
	if every == 0 {
		every = time.Second
	}
	var times stats
	sent := 0
	defer func() {
		t.Record("ping.sent", float64(sent), "packets")
		times.record(t, "ping")
	}()
	data := make([]byte, orElse(a.Size, 56))
	next := t.Now()
	patience := a.Timeout
	if patience == 0 {
		patience = 10 * time.Second
	}
	for ; a.Count == 0 || sent < a.Count; next = max(next+every, t.Now()) {
		if t.SleepUntil(next) != nil {
			return
		}
		sent++
		begin := t.Now()
		_, err := p.Ping(uint16(sent), data, patience)
		switch {
		case err == nil:
			times.add((t.Now() - begin).Seconds())
		case over(err):
			return
		case errors.Is(err, core.ErrDeadline):
		}
	}
}

// NameServer answers the questions of Lookup.
type NameServer struct {
	Port int           `sim:"port,UDP port; 53 if it is missing"`
	Work time.Duration `sim:"work,time to answer"`
}

// Check implements App.
func (a NameServer) Check() error {
	if a.Work < 0 {
		return errors.New("work is not negative")
	}
	return checkPort(orElse(a.Port, 53))
}

// Start implements App.
func (a NameServer) Start(x *sim.Node) {
	x.Go("named", 0, func(t *sim.Task) {
		c, err := t.ListenPacket("udp", address(t, "", orElse(a.Port, 53)))
		t.Assert(err == nil, "%v", err)
		var b [512]byte
		for {
			n, from, err := c.ReadFromAddrPort(b[:])
			if over(err) {
				return
			}
			if err != nil || n < 12 {
				continue
			}
			answer := append([]byte(nil), b[:n]...)
			answer[2] |= 0x80 // a response
			answer = append(answer, make([]byte, 16)...)
			t.Go("answer", func(t *sim.Task) {
				if a.Work == 0 || t.Sleep(a.Work) == nil {
					_, _ = c.WriteToAddrPort(answer, from)
				}
			})
		}
	})
}

// Lookup asks a NameServer, again after a timeout that doubles.
type Lookup struct {
	To      string        `sim:"to,node or address of the name server"`
	Port    int           `sim:"port,UDP port; 53 if it is missing"`
	At      Distribution  `sim:"start,when to begin, or from when to when at random"`
	Count   int           `sim:"count,questions; 0 goes on to the end"`
	Think   Distribution  `sim:"think,time between two questions"`
	Timeout time.Duration `sim:"timeout,time to the first repetition; 1s if it is missing"`
	Tries   int           `sim:"tries,repetitions before giving up; 5 if it is missing"`
}

// Check implements App.
func (a Lookup) Check() error {
	if a.Count < 0 || a.Timeout < 0 || a.Tries < 0 {
		return errors.New("count, timeout and tries are not negative")
	}
	if a.Count == 0 && a.Think.Mean() == 0 {
		return errors.New("without a count and a time to think the questions never end: give one")
	}
	if err := checkTimes(a.At, 0); err != nil {
		return err
	}
	return checkTarget(a.To, orElse(a.Port, 53))
}

// Start implements App.
func (a Lookup) Start(x *sim.Node) { x.Go("lookup", a.At.start(x, "lookup"), a.run) }

func (a Lookup) run(t *sim.Task) {
	c, err := t.Dial("udp", address(t, a.To, orElse(a.Port, 53)))
	if err != nil {
		t.Assert(over(err), "%v", err)
		return
	}
	t.Track("lookup", c)
	dice := t.Random()
	var times stats
	failed := 0
	defer func() {
		times.record(t, "lookup")
		t.Record("lookup.failed", float64(failed), "")
	}()
	var question, answer [64]byte
	for i := 0; a.Count == 0 || i < a.Count; i++ {
		begin := t.Now()
		binary.BigEndian.PutUint16(question[:], uint16(i))
		wait := a.Timeout
		if wait == 0 {
			wait = time.Second
		}
		answered := false
		for try := 0; try < orElse(a.Tries, 5) && !answered; try++ {
			_, _ = c.Write(question[:40])
			_ = c.SetReadDeadline(t.WallTime(t.Now() + wait))
			for {
				n, err := c.Read(answer[:])
				if over(err) {
					return
				}
				if err == nil && (n < 2 || binary.BigEndian.Uint16(answer[:]) != uint16(i)) {
					continue // of an earlier question
				}
				answered = err == nil
				break
			}
			wait *= 2
		}
		if answered {
			times.add((t.Now() - begin).Seconds())
		} else {
			failed++
		}
		if d := a.Think.Sample(dice); d > 0 && t.Sleep(d) != nil {
			return
		}
	}
}
