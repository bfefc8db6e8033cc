package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/libos-go/libos/core/config/libos"
	"github.com/libos-go/libos/plugin/control"
	"github.com/libos-go/libos/plugin/ring"
	"github.com/libos-go/libos/plugin/sandbox"
	"github.com/libos-go/libos/plugin/session"
)

// serve works for the stack that started this process, until that is gone.
func serve(m *Module) {
	s := &service{module: m, log: slog.New(slog.NewTextHandler(os.Stderr, nil)), arrived: make(map[uint64]chan session.Link)}
	conn, err := socket()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go s.listen(conn)
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  control.Handshake(),
		VersionedPlugins: control.Versions(s, m.Contract),
		GRPCServer:       goplugin.DefaultGRPCServer,
		Logger:           hclog.New(&hclog.LoggerOptions{Name: m.Name, Output: os.Stderr, JSONFormat: true, Level: hclog.Info}),
	})
}

// socket is the one that the host left open for us.
func socket() (*net.UnixConn, error) {
	fd, err := strconv.Atoi(os.Getenv(control.SocketVariable))
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("plugin: %s=%q is no descriptor: the program is to be started by libos", control.SocketVariable, os.Getenv(control.SocketVariable))
	}
	f := os.NewFile(uintptr(fd), "module socket")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("plugin: the descriptor %d: %w", fd, err)
	}
	conn, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("plugin: the descriptor %d is no Unix socket", fd)
	}
	return conn, nil
}

// service is the module's end of the control.
type service struct {
	control.UnimplementedModuleServer
	module     *Module
	log        *slog.Logger
	configured sync.Once
	refused    error

	mu      sync.Mutex
	arrived map[uint64]chan session.Link // sessions whose files came or are waited for
	open    atomic.Int32
	version atomic.Int32 // of the contract
}

// Agreed is told the version of the contract that host and module have agreed on.
func (s *service) Agreed(version int) { s.version.Store(int32(version)) }

// listen takes the files of sessions off the socket. Its end is that of the
// host, and no module outlives that.
func (s *service) listen(conn *net.UnixConn) {
	for {
		msg, files, err := ring.ReceiveFiles(conn)
		if err != nil {
			os.Exit(0)
		}
		id, err := strconv.ParseUint(string(msg), 10, 64)
		if err != nil {
			s.log.Error("a message on the socket is no session", "message", string(msg))
			os.Exit(1)
		}
		l, err := ring.Module(files)
		if err != nil {
			s.log.Error("the memory of a session cannot be used", "error", err)
			os.Exit(1)
		}
		s.place(id) <- session.Rings{Link: l, Version: int(s.version.Load())}
	}
}

// place is where the link of a session is handed over.
func (s *service) place(id uint64) chan session.Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.arrived[id]
	if c == nil {
		c = make(chan session.Link, 1)
		s.arrived[id] = c
	}
	return c
}

// Describe implements control.ModuleServer.
func (s *service) Describe(_ context.Context, r *control.DescribeRequest) (*control.Description, error) {
	s.configured.Do(func() {
		if s.refused = s.configure(r.GetParameters()); s.refused == nil {
			s.refused = s.confine()
		}
	})
	if s.refused != nil {
		return nil, status.Error(codes.InvalidArgument, s.refused.Error())
	}
	return s.module.describe(), nil
}

func (s *service) configure(given map[string]string) error {
	values := make(map[string]string)
	for _, p := range s.module.Parameters {
		values[p.Name] = p.Default
	}
	for name, v := range given {
		if _, ok := values[name]; !ok {
			return fmt.Errorf("module %s has no parameter %q", s.module.Name, name)
		}
		values[name] = v
	}
	if s.module.Configure == nil {
		return nil
	}
	return s.module.Configure(values)
}

// confine closes the sandbox, if the host has one: all that the module needs is
// open, and nothing that another end can decide has been worked on.
func (s *service) confine() error {
	if !config.MODULE_SANDBOX || os.Getenv(control.SandboxVariable) != control.SandboxOn {
		return nil
	}
	needs, err := s.module.needs()
	if err != nil {
		return err
	}
	err = sandbox.Enter(needs)
	if errors.Is(err, sandbox.ErrUnsupported) {
		return nil // the host has said so
	}
	return err
}

// Open implements control.ModuleServer.
func (s *service) Open(ctx context.Context, r *control.OpenRequest) (*control.OpenReply, error) {
	select {
	case l := <-s.place(r.GetSession()):
		s.mu.Lock()
		delete(s.arrived, r.GetSession())
		s.mu.Unlock()
		go s.work(l)
		return &control.OpenReply{}, nil
	case <-ctx.Done():
		return nil, status.Error(codes.DeadlineExceeded, "the memory of the session did not come over the socket")
	}
}

// work serves one session.
func (s *service) work(l session.Link) {
	s.open.Add(1)
	defer s.open.Add(-1)
	if err := session.Serve(l, s.served(), s.log); err != nil {
		s.log.Error("a session ended", "error", err)
	}
}

func (s *service) served() []session.Served {
	var out []session.Served
	for _, p := range s.module.Protocols {
		out = append(out, session.Served{Name: p.Name, Open: p.NewHandler, Sysctls: p.Sysctls})
	}
	for _, k := range s.module.Devices {
		out = append(out, session.Served{Name: k.Kind, Device: k.Open})
	}
	for _, a := range s.module.Controls {
		out = append(out, session.Served{Name: a.Name, Control: a.New})
	}
	return out
}

// Exchange implements control.ModuleServer.
func (s *service) Exchange(stream control.Module_ExchangeServer) error {
	if _, err := stream.Recv(); err != nil {
		if err == io.EOF {
			return nil
		}
		return err
	}
	l := session.NewStream(stream.Context(), stream.Send, stream.Recv)
	l.Version = int(s.version.Load())
	s.open.Add(1)
	defer s.open.Add(-1)
	return session.Serve(l, s.served(), s.log)
}

// Health implements control.ModuleServer.
func (s *service) Health(context.Context, *control.HealthRequest) (*control.HealthReply, error) {
	return &control.HealthReply{Sessions: uint32(s.open.Load())}, nil
}
