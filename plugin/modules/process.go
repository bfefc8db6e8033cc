package modules

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/protobuf/proto"

	"github.com/libos-go/libos/plugin/control"
	"github.com/libos-go/libos/plugin/ring"
	"github.com/libos-go/libos/plugin/sandbox"
	"github.com/libos-go/libos/plugin/session"
)

// process is one running program of a module.
type process struct {
	manifest *Manifest
	client   *goplugin.Client
	control  control.ModuleClient
	program  *running      // nil before it is started
	conn     *net.UnixConn // sessions go over it; its end is the death of the process
	started  time.Time
	took     time.Duration // from started until it had described itself
	numbers  atomic.Uint64 // of sessions
	killed   sync.Once
	why      error // it has ended, guarded by the mu of its Module
}

// Deadlines of what a module is asked.
const (
	startPatience = 10 * time.Second // from the first start to the handshake
	againPatience = time.Second      // the same, at most, for a program that has done it before; doubled each time that it fails
	leastPatience = 300 * time.Millisecond
	startTimes    = 4           // times what it took before
	callPatience  = time.Second // a call of the control, at least
)

// call is how long a call of the control may take.
func (o *Options) call() time.Duration { return max(o.Patience, callPatience) }

// start runs a module's program, whose manifest was checked, and holds what it
// says of itself against that. It has patience to get ready. gone is called, once, when it has ended.
func start(m *Manifest, sum []byte, o *Options, parameters map[string]string, patience time.Duration, gone func(*process, error)) (*process, error) {
	path, err := filepath.Abs(m.program) // it is started in a folder of its own
	if err != nil {
		return nil, fmt.Errorf("modules: %s: %w", m.Name(), err)
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("modules: %s: %w", m.Name(), err)
	}
	p := &process{manifest: m, conn: ours, started: time.Now()}
	if got, err := digest(m.program); err != nil || !slices.Equal(got, sum) {
		ours.Close()
		theirs.Close()
		return nil, errors.Join(fmt.Errorf("modules: %s: it was changed while it was loaded: its sha256 is %x, that of its manifest %x", m.program, got, sum), err)
	}
	program := sandbox.Program{Path: path, Env: environment(o), Open: !o.confined(), Privileges: m.privileges, Limits: o.Limits, Network: o.Network}
	p.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  control.Handshake(),
		VersionedPlugins: control.Versions(nil, o.Contract),
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, dir string) (runner.Runner, error) {
			program.Env = append(program.Env, spec.Env...)
			program.Env = append(program.Env, "TMPDIR="+dir)
			if !m.privileges.Files { // else a path is to mean what it means here
				program.Dir = dir
			}
			p.program = &running{Program: program, socket: theirs, ended: make(chan struct{})}
			return p.program, nil
		},
		SkipHostEnv:      true,
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		StartTimeout:     patience,
		Logger:           logger(o.Log, m.Name()),
	})
	rpc, err := p.client.Client()
	theirs.Close()
	if err == nil {
		var raw any
		if raw, err = rpc.Dispense(control.Name); err == nil {
			p.control = raw.(control.ModuleClient)
			err = p.describe(o, parameters)
		}
	}
	if err != nil {
		p.kill()
		return nil, fmt.Errorf("modules: %s (%s): %w", m.Name(), m.program, plain{err})
	}
	p.took = time.Since(p.started)
	go func() {
		var b [1]byte
		_, err := ours.Read(b[:]) // a module says nothing here
		if err == nil {
			err = errors.New("it wrote to its socket")
		} else {
			err = p.program.obituary(err)
		}
		gone(p, fmt.Errorf("%w: process %d: %w", session.ErrLost, p.pid(), err))
	}()
	return p, nil
}

// describe holds what the process says of itself against the manifest.
func (p *process) describe(o *Options, parameters map[string]string) error {
	ctx, cancel := context.WithTimeout(context.Background(), o.call())
	defer cancel()
	d, err := p.control.Describe(ctx, &control.DescribeRequest{Parameters: parameters})
	if err != nil {
		return err
	}
	if !proto.Equal(d, p.manifest.description) {
		return fmt.Errorf("it serves something else than its manifest %s says: build the module again (libosbuild build), or trust neither", p.manifest.file)
	}
	return nil
}

// link opens one more session with the process.
func (p *process) link(o *Options) (session.Link, error) {
	if o.Stream {
		return p.stream()
	}
	l, err := ring.Host(ring.Options{Name: p.manifest.Name()})
	if errors.Is(err, ring.ErrUnsupported) {
		return p.stream()
	}
	if err != nil {
		return nil, err
	}
	id := p.numbers.Add(1)
	if err := ring.SendFiles(p.conn, []byte(strconv.FormatUint(id, 10)), l.Files()); err != nil {
		l.Close()
		return nil, fmt.Errorf("modules: %s: its memory cannot be handed over: %w", p.manifest.Name(), err)
	}
	l.HandedOver()
	ctx, cancel := context.WithTimeout(context.Background(), o.call())
	defer cancel()
	if _, err := p.control.Open(ctx, &control.OpenRequest{Session: id}); err != nil {
		l.Close()
		return nil, fmt.Errorf("modules: %s does not open a session: %w", p.manifest.Name(), plain{err})
	}
	return &ringLink{session.Rings{Link: l, Version: p.client.NegotiatedVersion()}, p}, nil
}

func (p *process) stream() (session.Link, error) {
	ctx, cancel := context.WithCancel(context.Background())
	s, err := p.control.Exchange(ctx)
	if err == nil {
		err = s.Send(&control.Batch{Session: p.numbers.Add(1)})
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("modules: %s does not open a stream: %w", p.manifest.Name(), plain{err})
	}
	l := session.NewStream(ctx, s.Send, s.Recv)
	l.Version = p.client.NegotiatedVersion()
	return &streamLink{l, cancel, p}, nil
}

// ringLink is a session over shared memory with a process.
type ringLink struct {
	session.Rings
	process *process
}

func (l *ringLink) to() *process { return l.process }

// streamLink is one over gRPC.
type streamLink struct {
	*session.Stream
	cancel  context.CancelFunc
	process *process
}

func (l *streamLink) to() *process { return l.process }

// processOf is the process at the other end of a link, nil if none of this package's.
func processOf(l session.Link) *process {
	if l, ok := l.(interface{ to() *process }); ok {
		return l.to()
	}
	return nil
}

func (l *streamLink) Close() error {
	l.cancel()
	return l.Stream.Close()
}

// pid of the process, 0 before it runs.
func (p *process) pid() int {
	if p.program == nil {
		return 0
	}
	return p.program.pid()
}

// kill ends the process whatever state it is in. go-plugin asks politely first,
// which a stopped process never answers.
func (p *process) kill() {
	p.killed.Do(func() {
		if p.program != nil {
			_ = p.program.Kill(context.Background())
		}
		p.client.Kill()
		p.conn.Close()
	})
}

// environment is what a module's program finds there, beside what the handshake
// needs: variables that Go's own runtime reads, which help to debug one.
func environment(o *Options) []string {
	env := []string{control.SocketVariable + "=3"}
	if o.confined() {
		env = append(env, control.SandboxVariable+"="+control.SandboxOn)
	}
	for _, v := range []string{"GOTRACEBACK", "GOMAXPROCS", "GODEBUG", "GOCOVERDIR"} {
		if x, ok := os.LookupEnv(v); ok {
			env = append(env, v+"="+x)
		}
	}
	return env
}

// describeTimeout bounds how long a program may take to describe itself.
const describeTimeout = 10 * time.Second

func describe(program string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), describeTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--describe")
	cmd.Env = []string{}
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s --describe: %w", program, err)
	}
	return out, nil
}
