package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
)

// Handler carries out an operation on an instance. It emits events and may take
// the connection over as a stream. It ends when ctx does: the client has gone,
// or the stack stops.
type Handler func(ctx context.Context, call *Call) error

// Operation is what a server does when it is asked for it by name.
type Operation struct {
	Run Handler
	// Whole operations are about the stack: nobody need choose an instance.
	Whole bool
}

// Call is one operation.
type Call struct {
	// Instance that was chosen; nil in a Whole operation.
	Instance *core.Instance
	// Instances are all of the stack, or the one that was named.
	Instances []*core.Instance
	Args      json.RawMessage
	// Emit sends an event to whoever asked.
	Emit func(event any) error
	// Stream turns the connection into a stream of bytes, after info. Nil where
	// the caller takes events only.
	Stream func(info any) (net.Conn, error)
}

// InstanceInfo describes an instance in a list.
type InstanceInfo struct {
	Name          string          `json:"name"`
	Configuration string          `json:"configuration"`
	MemoryBytes   int64           `json:"memory_bytes"`
	Interfaces    []InterfaceInfo `json:"interfaces"`
	Sockets       []SocketInfo    `json:"sockets"`
}

// SocketInfo describes an open socket.
type SocketInfo struct {
	Type   string `json:"type"` // stream, datagram
	Local  string `json:"local"`
	Remote string `json:"remote,omitempty"`
}

func describeSocket(s *core.Socket) SocketInfo {
	_, typ, protocol := s.Kind()
	x := SocketInfo{Type: fmt.Sprintf("type %d, protocol %d", typ, protocol)}
	switch typ {
	case core.SockStream:
		x.Type = "stream"
	case core.SockDgram:
		x.Type = "datagram"
	}
	local := s.Endpoint().Local()
	x.Local = netip.AddrPortFrom(local.Addr.NetIP(), local.Port).String()
	if peer, ok := s.Endpoint().Peer(); ok {
		x.Remote = netip.AddrPortFrom(peer.Addr.NetIP(), peer.Port).String()
	}
	return x
}

// InterfaceInfo describes an interface in a list.
type InterfaceInfo struct {
	Name      string   `json:"name"`
	Kind      string   `json:"kind"`
	MTU       int      `json:"mtu"`
	Up        bool     `json:"up"`
	Addresses []string `json:"addresses"`
	Stats     Stats    `json:"stats"`
}

// Stats are the counters of an interface.
type Stats struct {
	RxPackets uint64 `json:"rx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	RxErrors  uint64 `json:"rx_errors"`
	RxDropped uint64 `json:"rx_dropped"`
	TxPackets uint64 `json:"tx_packets"`
	TxBytes   uint64 `json:"tx_bytes"`
	TxErrors  uint64 `json:"tx_errors"`
	TxDropped uint64 `json:"tx_dropped"`
}

// Describe is what List says of an instance.
func Describe(in *core.Instance) InstanceInfo {
	info := InstanceInfo{Name: in.Name(), Configuration: in.Wiring().Name, Interfaces: []InterfaceInfo{}, Sockets: []SocketInfo{}}
	in.Domain().Do(func() {
		info.MemoryBytes = in.Account().Bytes()
		for _, ifc := range in.Interfaces() {
			x := InterfaceInfo{Name: ifc.Name(), Kind: ifc.Device().Properties().Kind, MTU: ifc.MTU(), Up: ifc.Up(), Addresses: []string{}}
			st := ifc.Stats()
			x.Stats = Stats{st.RxPackets, st.RxBytes, st.RxErrors, st.RxDropped, st.TxPackets, st.TxBytes, st.TxErrors, st.TxDropped}
			for _, a := range ifc.Addresses() {
				x.Addresses = append(x.Addresses, a.Prefix.String())
			}
			info.Interfaces = append(info.Interfaces, x)
		}
		for _, s := range in.Sockets() {
			info.Sockets = append(info.Sockets, describeSocket(s))
		}
	})
	return info
}

// Server answers on one control socket for a set of instances.
type Server struct {
	instances  []*core.Instance
	operations map[string]Operation
	ln         *net.UnixListener
	ctx        context.Context
	cancel     context.CancelFunc
	wg         sync.WaitGroup

	mu       sync.Mutex
	accepted map[uint64]net.Conn // connections that wait to be fetched
	lastID   uint64
}

// Serve opens the control socket at path, for this user alone, and answers on
// it until Close. A socket left by a stack that is gone is replaced.
func Serve(path string, instances []*core.Instance, operations map[string]Operation) (*Server, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("control socket %s: a stack is running there: stop it, or choose another socket with --control", path)
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		_ = os.Remove(path)
	}
	// A folder of its own, closed to others, holds the socket until its mode is
	// set: there is no instant at which others may connect.
	private, err := os.MkdirTemp(dir, ".new-")
	if err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	defer os.RemoveAll(private)
	temp := filepath.Join(private, "s")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	ln.SetUnlinkOnClose(false)
	if err = os.Chmod(temp, 0o600); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = ln.Close()
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	s := &Server{instances: instances, operations: operations, ln: ln, accepted: map[uint64]net.Conn{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		s.run()
		_ = os.Remove(path)
	}()
	return s, nil
}

// Close ends all operations and waits for them.
func (s *Server) Close() {
	s.cancel()
	_ = s.ln.Close()
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.accepted {
		_ = c.Close()
		delete(s.accepted, id)
	}
}

func (s *Server) run() {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			s.serve(newConn(c))
		}()
	}
}

func (s *Server) serve(c *conn) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	defer c.Close()
	var q request
	if err := c.readLine(&q); err != nil {
		if err != io.EOF {
			_ = c.writeLine(failure(err))
		}
		return
	}
	streaming := false
	call := &Call{Args: q.Args, Instances: s.instances,
		Emit: func(event any) error {
			raw, err := json.Marshal(event)
			if err != nil {
				return err
			}
			return c.writeLine(answer{Event: raw})
		},
		Stream: func(info any) (net.Conn, error) {
			raw, err := json.Marshal(info)
			if err != nil {
				return nil, err
			}
			streaming = true
			return c, c.writeLine(answer{Stream: raw})
		},
	}
	h, needs := s.handler(q.Op)
	var err error
	switch {
	case h == nil:
		err = fmt.Errorf("this stack has no operation %q: its libos was built without that command", q.Op)
	case needs || q.Instance != "":
		if call.Instance, err = Choose(s.instances, q.Instance); err == nil {
			call.Instances = []*core.Instance{call.Instance}
		}
	}
	if err == nil {
		if !q.Streams { // a client that hangs up ends its operation
			go func() {
				_, _ = c.r.Peek(1)
				cancel()
			}()
		}
		err = h(ctx, call)
	}
	switch {
	case streaming:
	case err != nil:
		_ = c.writeLine(failure(err))
	default:
		_ = c.writeLine(answer{Done: true})
	}
}

func (s *Server) handler(op string) (h Handler, needsInstance bool) {
	switch op {
	case "list":
		return s.list, false
	case "dial":
		return s.dial, true
	case "listen":
		return s.listen, true
	case "listenpacket":
		return s.listenPacket, true
	case "accept":
		return s.accept, false
	}
	o := s.operations[op]
	return o.Run, !o.Whole
}

// Choose finds an instance by name; the only one needs none.
func Choose(instances []*core.Instance, name string) (*core.Instance, error) {
	var names []string
	for _, in := range instances {
		if in.Name() == name || name == "" && len(instances) == 1 {
			return in, nil
		}
		names = append(names, in.Name())
	}
	if name == "" {
		return nil, fmt.Errorf("which instance? choose one with --instance: %s", strings.Join(names, " "))
	}
	return nil, fmt.Errorf("no instance %q here; there are: %s", name, strings.Join(names, " "))
}

func (s *Server) list(_ context.Context, call *Call) error {
	for _, in := range s.instances {
		if err := call.Emit(Describe(in)); err != nil {
			return err
		}
	}
	return nil
}

func socketArguments(call *Call) (socketArgs, error) {
	var a socketArgs
	if err := json.Unmarshal(call.Args, &a); err != nil {
		return a, fmt.Errorf("control: arguments: %w", err)
	}
	return a, nil
}

func (s *Server) dial(ctx context.Context, call *Call) error {
	a, err := socketArguments(call)
	if err != nil {
		return err
	}
	c, err := call.Instance.DialContext(ctx, a.Network, a.Address)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	defer c.Close()
	stream, err := call.Stream(socketInfo{a.Network, c.LocalAddr().String(), c.RemoteAddr().String()})
	if err != nil {
		return err
	}
	if p, ok := c.(net.PacketConn); ok {
		carry(stream, p, true, nil)
		return nil
	}
	splice(stream, c)
	return nil
}

func (s *Server) listenPacket(ctx context.Context, call *Call) error {
	a, err := socketArguments(call)
	if err != nil {
		return err
	}
	p, err := call.Instance.ListenPacket(a.Network, a.Address)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = p.Close() })
	defer stop()
	defer p.Close()
	stream, err := call.Stream(socketInfo{Network: a.Network, Local: p.LocalAddr().String()})
	if err != nil {
		return err
	}
	carry(stream, p, false, func(text string) (net.Addr, error) {
		ap, err := netip.ParseAddrPort(text)
		return net.UDPAddrFromAddrPort(ap), err
	})
	return nil
}

// acceptPatience is how long an accepted connection waits to be fetched.
const acceptPatience = 10 * time.Second

func (s *Server) listen(ctx context.Context, call *Call) error {
	a, err := socketArguments(call)
	if err != nil {
		return err
	}
	l, err := call.Instance.Listen(a.Network, a.Address)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	defer l.Close()
	if err := call.Emit(socketInfo{Network: a.Network, Local: l.Addr().String()}); err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		s.mu.Lock()
		s.lastID++
		id := s.lastID
		s.accepted[id] = c
		s.mu.Unlock()
		time.AfterFunc(acceptPatience, func() {
			if c := s.take(id); c != nil {
				_ = c.Close()
			}
		})
		if err := call.Emit(socketArgs{ID: id}); err != nil {
			return err
		}
	}
}

func (s *Server) take(id uint64) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.accepted[id]
	delete(s.accepted, id)
	return c
}

func (s *Server) accept(ctx context.Context, call *Call) error {
	a, err := socketArguments(call)
	if err != nil {
		return err
	}
	c := s.take(a.ID)
	if c == nil {
		return fmt.Errorf("connection %d is gone: %w", a.ID, syscall.ENOENT)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	defer c.Close()
	stream, err := call.Stream(socketInfo{"tcp", c.LocalAddr().String(), c.RemoteAddr().String()})
	if err != nil {
		return err
	}
	splice(stream, c)
	return nil
}

type closeWriter interface{ CloseWrite() error }

// splice joins two streams, each direction ending by half-close.
func splice(a, b net.Conn) {
	var wg sync.WaitGroup
	one := func(dst, src net.Conn) {
		defer wg.Done()
		_, err := io.CopyBuffer(onlyWriter{dst}, onlyReader{src}, make([]byte, 64<<10))
		if w, ok := dst.(closeWriter); ok && err == nil {
			_ = w.CloseWrite()
			return
		}
		_ = dst.Close() // broken: the other side must hear of it
		_ = src.Close()
	}
	wg.Add(2)
	go one(a, b)
	go one(b, a)
	wg.Wait()
}

type onlyWriter struct{ io.Writer }
type onlyReader struct{ io.Reader }
