package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/libos-go/libos/plugin/control"
)

// The peers of the figures of modules are the same work over gRPC, as go-plugin sets it up with AutoMTLS.

// echoName is what go-plugin dispenses beside the control of modules.
const echoName = "echo"

func pluginHandshake() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: moduleVariable, MagicCookieValue: "grpc"}
}

// grpcEcho is a service with two streams of bytes in both directions: single, whose messages are datagrams, and packed,
// whose messages are many of them behind their lengths.
type grpcEcho struct {
	goplugin.NetRPCUnsupportedPlugin
}

func (grpcEcho) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	s.RegisterService(&grpc.ServiceDesc{ServiceName: "bench.Echo", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{
		{StreamName: "single", Handler: serveSingle, ServerStreams: true, ClientStreams: true},
		{StreamName: "packed", Handler: servePacked, ServerStreams: true, ClientStreams: true},
	}}, nil)
	return nil
}

func (grpcEcho) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return c, nil
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func serveSingle(_ any, s grpc.ServerStream) error {
	var m wrapperspb.BytesValue
	for {
		if err := s.RecvMsg(&m); err != nil {
			return ended(err)
		}
		if err := s.SendMsg(&wrapperspb.BytesValue{Value: m.Value}); err != nil {
			return err
		}
	}
}

// servePacked takes every record out of a batch and packs it again, as a protocol must.
func servePacked(_ any, s grpc.ServerStream) error {
	var m wrapperspb.BytesValue
	for {
		if err := s.RecvMsg(&m); err != nil {
			return ended(err)
		}
		out := make([]byte, 0, len(m.Value))
		if err := eachPacked(m.Value, func(record []byte) error {
			out = appendPacked(out, record)
			return nil
		}); err != nil {
			return err
		}
		if err := s.SendMsg(&wrapperspb.BytesValue{Value: out}); err != nil {
			return err
		}
	}
}

func appendPacked(b, record []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(record))), record...)
}

func eachPacked(b []byte, f func(record []byte) error) error {
	for len(b) > 0 {
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
			return errors.New("a batch ends in the middle of a record")
		}
		n := binary.LittleEndian.Uint32(b)
		if err := f(b[4 : 4+n]); err != nil {
			return err
		}
		b = b[4+n:]
	}
	return nil
}

// healthy is the control of a module that has nothing else to say.
type healthy struct {
	control.UnimplementedModuleServer
}

func (healthy) Health(context.Context, *control.HealthRequest) (*control.HealthReply, error) {
	return &control.HealthReply{}, nil
}

// serveGRPC is the module of all peers. It ends with the pipe whose other end the process that started it holds.
func serveGRPC() error {
	syscall.CloseOnExec(3)
	pipe := os.NewFile(3, "life of the host")
	go func() {
		_, _ = io.Copy(io.Discard, pipe)
		os.Exit(0)
	}()
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: pluginHandshake(),
		Plugins:         goplugin.PluginSet{echoName: grpcEcho{}, control.Name: &control.Plugin{Service: healthy{}}},
		GRPCServer:      goplugin.DefaultGRPCServer,
		Logger:          hclog.NewNullLogger(),
	})
	return nil
}

// grpcModule is a running module of the peers.
type grpcModule struct {
	cmd     *exec.Cmd
	conn    *grpc.ClientConn
	control control.ModuleClient
	alive   io.Closer // ends it
}

func startGRPC() (*grpcModule, error) {
	cmd, err := moduleCommand("grpc")
	if err != nil {
		return nil, err
	}
	cmd.Stderr = nil
	m := &grpcModule{cmd: cmd}
	theirs, alive, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles, m.alive = []*os.File{theirs}, alive
	c := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  pluginHandshake(),
		Plugins:          goplugin.PluginSet{echoName: grpcEcho{}, control.Name: &control.Plugin{}},
		Cmd:              cmd,
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		Logger:           hclog.NewNullLogger(),
	})
	rpc, err := c.Client()
	theirs.Close()
	if err != nil {
		return nil, err
	}
	raw, err := rpc.Dispense(echoName)
	if err != nil {
		return nil, err
	}
	m.conn = raw.(*grpc.ClientConn)
	if raw, err = rpc.Dispense(control.Name); err != nil {
		return nil, err
	}
	m.control = raw.(control.ModuleClient)
	return m, nil
}

// stream keeps window messages of perMessage datagrams each on their way. Numbers in them are checked as they come back.
func (m *grpcModule) stream(name string, window, perMessage int, e *echoes) error {
	s, err := m.conn.NewStream(context.Background(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/bench.Echo/"+name)
	if err != nil {
		return err
	}
	room := make(chan struct{}, window)
	go func() {
		for sent := uint64(0); ; {
			room <- struct{}{}
			var b []byte
			var record [small]byte
			if perMessage > 1 {
				b = make([]byte, 0, perMessage*(4+small))
			}
			for range perMessage {
				binary.LittleEndian.PutUint64(record[:], sent)
				sent++
				if perMessage > 1 {
					b = appendPacked(b, record[:])
				} else {
					b = append(b, record[:]...)
				}
			}
			if err := s.SendMsg(&wrapperspb.BytesValue{Value: b}); err != nil {
				e.fail(err)
				return
			}
		}
	}()
	go func() {
		var n numbered
		var v wrapperspb.BytesValue
		for {
			err := s.RecvMsg(&v)
			if err == nil {
				before := n.next
				if perMessage > 1 {
					err = eachPacked(v.Value, n.check)
				} else {
					err = n.check(v.Value)
				}
				e.count.Add(n.next - before)
			}
			if err != nil {
				e.fail(err)
				return
			}
			<-room
		}
	}()
	return nil
}

func grpcRate(b Budget, name string, window, perMessage int) (perSecond, cpuEach float64, err error) {
	m, err := startGRPC()
	if err != nil {
		return 0, 0, err
	}
	defer m.alive.Close()
	var e echoes
	e.failed = make(chan error, 3)
	if err := m.stream(name, window, perMessage, &e); err != nil {
		return 0, 0, err
	}
	return e.rate(b, m.cmd.Process.Pid)
}

// peerModule64 measures datagrams a second through a stream with one message for each, there and back.
func peerModule64(b Budget) (Figure, error) {
	v, cpu, err := grpcRate(b, "single", singleWindow, 1)
	return Figure{Value: v, Detail: map[string]float64{"cpu-ns": cpu}}, err
}

// peerModuleCPU measures the CPU of both processes for each crossing of a record in packed batches.
func peerModuleCPU(b Budget) (Figure, error) {
	v, cpu, err := grpcRate(b, "packed", packedWindow, packedBatch)
	return Figure{Value: cpu / 2, Detail: map[string]float64{"echoes-per-s": v}}, err
}

func peerModuleRTT(b Budget) (Figure, error) {
	m, err := startGRPC()
	if err != nil {
		return Figure{}, err
	}
	defer m.alive.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	call := func() (float64, error) {
		start := time.Now()
		if _, err := m.control.Health(ctx, &control.HealthRequest{}); err != nil {
			return 0, fmt.Errorf("Health: %w", err)
		}
		return microseconds(time.Since(start)), nil
	}
	return roundTrips(b, func(d time.Duration) (took []float64, err error) {
		for start := time.Now(); time.Since(start) < d; {
			t, err := call()
			if err != nil {
				return nil, err
			}
			took = append(took, t)
		}
		return took, nil
	}, call)
}
