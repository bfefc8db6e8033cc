package modules_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	goplugin "github.com/hashicorp/go-plugin"
	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/remote"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/plugin/control"
	"github.com/libos-go/libos/plugin/modules"
	"github.com/libos-go/libos/plugin/ring"
	"github.com/libos-go/libos/plugin/session"
	"github.com/libos-go/libos/protocols/udp"
)

// A rogue is a module that does not use the SDK: a good one until a datagram says
// misbehave and how.

// command begins the payload of a datagram that tells a rogue what to do.
const command = "misbehave: "

// atStart, beside the program, says how the next start goes wrong.
const atStart = "at-start"

// misdeeds are what a rogue does when told, in the goroutine that serves the
// session, with the seed that it was given.
var misdeeds = map[string]func(*bentLink, *rand.Rand){
	"exit":  func(*bentLink, *rand.Rand) { os.Exit(3) },
	"panic": func(*bentLink, *rand.Rand) { panic("as told") },
	"stop":  func(*bentLink, *rand.Rand) { _ = unix.Tgkill(os.Getpid(), os.Getpid(), unix.SIGSTOP) },
	"loop": func(*bentLink, *rand.Rand) {
		for n := 0; n >= 0; n &= 0xffff {
			n++
		}
	},
	"deaf": func(l *bentLink, _ *rand.Rand) { l.deaf = true },
	"scribble": func(_ *bentLink, r *rand.Rand) {
		go func() { // and goes on serving
			for memories := written(); ; {
				for _, m := range memories {
					m[r.IntN(len(m))] = byte(r.Uint32())
					m[r.IntN(os.Getpagesize())] = byte(r.Uint32())
				}
			}
		}()
	},
	"control words": func(_ *bentLink, r *rand.Rand) {
		for end := time.Now().Add(time.Second); time.Now().Before(end); {
			for _, m := range written() {
				binary.NativeEndian.PutUint64(m[8*r.IntN(os.Getpagesize()/8):], r.Uint64()>>r.IntN(64))
			}
		}
	},
	"records": func(l *bentLink, r *rand.Rand) {
		for range 1000 {
			b := make([]byte, r.IntN(300))
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			l.Link.Send(b)
		}
	},
	"messages": func(l *bentLink, r *rand.Rand) {
		for range 1000 { // with a good header and nonsense in it
			b := remote.Begin(nil, remote.Kind(32+r.IntN(12)), core.Time(r.Uint64()))
			remote.SetNumber(b, r.IntN(4))
			for range r.IntN(200) {
				b = append(b, byte(r.Uint32()>>r.IntN(32)))
			}
			l.Link.Send(remote.Finish(b))
		}
	},
	"answers": func(l *bentLink, _ *rand.Rand) { // to questions that nobody asked
		l.Link.Send(remote.Finish(remote.Begin(nil, remote.KindAnswer, 0)))
	},
	"wrong answers": func(l *bentLink, _ *rand.Rand) { l.wrong = true },
	"flood": func(l *bentLink, _ *rand.Rand) {
		msg := remote.Begin(nil, remote.KindNotify, 0)
		msg = remote.Finish(append(msg, make([]byte, 10)...))
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
			l.Link.Send(msg)
		}
	},
	"questions": func(l *bentLink, _ *rand.Rand) { // whose answers it does not take
		msg := remote.Finish(append(remote.Begin(nil, remote.KindSpawn, 0), make([]byte, 4+2*22)...))
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
			l.Link.Send(msg)
		}
	},
	"memory": func(*bentLink, *rand.Rand) {
		debug.SetGCPercent(-1)
		most := uint64(2 << 30)
		_ = unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: most, Max: most})
		var kept [][]byte
		for range 1 << 12 {
			b := make([]byte, 64<<20)
			kept = append(kept, b)
		}
		os.Exit(len(kept) & 1)
	},
	"truncate": func(l *bentLink, _ *rand.Rand) {
		for _, f := range l.kept { // both are sealed: the stack must not even notice
			if err := f.Truncate(0); err == nil {
				os.Exit(9)
			}
		}
		os.Exit(3)
	},
	"close": func(l *bentLink, _ *rand.Rand) { l.Link.Close() },
}

// starts are how a start goes wrong.
var starts = map[string]func(){
	"exits":         func() { os.Exit(0) },
	"half a line":   func() { fmt.Print("1|1|unix|/nowh"); os.Exit(0) },
	"half and hang": func() { fmt.Print("1|1|unix|/nowh"); select {} },
	"hangs":         func() { time.Sleep(time.Hour) },
	"nonsense":      func() { fmt.Println("1|1|unix|/nowhere|grpc|not base64"); select {} },
	"much": func() {
		w := bufio.NewWriter(os.Stdout)
		for range 1 << 20 {
			if _, err := w.WriteString("nonsense "); err != nil {
				break
			}
		}
		os.Exit(0)
	},
}

// bentLink is the rogue's end of a session.
type bentLink struct {
	session.Link
	kept        []*os.File // the memories
	deaf, wrong bool
}

// Next implements session.Link: commands are carried out here.
func (l *bentLink) Next() ([]byte, error) {
	for {
		msg, err := l.Link.Next()
		if at := bytes.Index(msg, []byte(command)); at >= 0 {
			l.obey(string(msg[at+len(command):]))
		}
		if err != nil || !l.deaf || len(msg) < remote.HeaderSize {
			return msg, err
		}
		switch remote.Kind(msg[4]) { // a call is not heard, all else is
		case remote.KindSend, remote.KindCounters, remote.KindClose:
			continue
		}
		return msg, err
	}
}

// Send implements session.Link.
func (l *bentLink) Send(msg []byte) bool {
	if l.wrong && remote.Kind(msg[4]) == remote.KindAnswer {
		msg = append(append([]byte(nil), msg...), 1, 2, 3)
	}
	return l.Link.Send(msg)
}

func (l *bentLink) obey(text string) {
	name, seed, _ := strings.Cut(text, "#")
	n, _, _ := strings.Cut(seed, "\n")
	s, err := strconv.ParseUint(n, 10, 64)
	if do := misdeeds[name]; do != nil && err == nil {
		do(l, rand.New(rand.NewPCG(s, 1)))
	}
}

// written are the memories of this process that the stack reads.
func written() (out [][]byte) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(maps)) {
		var from, to uintptr
		var mode string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); n == 3 && mode == "rw-s" && strings.Contains(line, "libos-ring-module") {
			var base unsafe.Pointer
			*(*uintptr)(unsafe.Pointer(&base)) = from
			out = append(out, unsafe.Slice((*byte)(base), to-from))
		}
	}
	return out
}

// rogue is its control.
type rogue struct {
	control.UnimplementedModuleServer
	mu    sync.Mutex
	links map[uint64]chan *bentLink
}

func rogueModule() {
	if how, err := os.ReadFile(os.Args[0] + "." + atStart); err == nil {
		_ = os.Remove(os.Args[0] + "." + atStart)
		if do := starts[string(how)]; do != nil {
			do()
		}
	}
	f := os.NewFile(3, "socket")
	c, err := net.FileConn(f)
	f.Close()
	if err != nil {
		os.Exit(1)
	}
	r := &rogue{links: make(map[uint64]chan *bentLink)}
	go func() {
		for {
			id, files, err := ring.ReceiveFiles(c.(*net.UnixConn))
			if err != nil {
				os.Exit(0)
			}
			l := &bentLink{}
			for _, f := range files[:2] {
				if fd, err := unix.Dup(int(f.Fd())); err == nil {
					l.kept = append(l.kept, os.NewFile(uintptr(fd), "memory"))
				}
			}
			link, err := ring.Module(files)
			if err != nil {
				os.Exit(1)
			}
			l.Link = session.Rings{Link: link}
			n, _ := strconv.ParseUint(string(id), 10, 64)
			r.place(n) <- l
		}
	}()
	goplugin.Serve(&goplugin.ServeConfig{HandshakeConfig: control.Handshake(), VersionedPlugins: control.Versions(r, control.Range{}), GRPCServer: goplugin.DefaultGRPCServer})
	os.Exit(0)
}

func (r *rogue) place(id uint64) chan *bentLink {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.links[id] == nil {
		r.links[id] = make(chan *bentLink, 1)
	}
	return r.links[id]
}

// Describe implements control.ModuleServer.
func (r *rogue) Describe(context.Context, *control.DescribeRequest) (*control.Description, error) {
	m, err := modules.ReadManifest(filepath.Dir(os.Args[0]), filepath.Base(os.Args[0]))
	if err != nil {
		return nil, err
	}
	return m.Described(), nil
}

// Open implements control.ModuleServer.
func (r *rogue) Open(_ context.Context, q *control.OpenRequest) (*control.OpenReply, error) {
	l := <-r.place(q.GetSession())
	go func() { _ = l.serve() }()
	return &control.OpenReply{}, nil
}

// Exchange implements control.ModuleServer.
func (r *rogue) Exchange(stream control.Module_ExchangeServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	return (&bentLink{Link: session.NewStream(stream.Context(), stream.Send, stream.Recv)}).serve()
}

func (l *bentLink) serve() error {
	return session.Serve(l, []session.Served{{Name: "udp", Open: attempting(udp.Protocol()).NewHandler, Sysctls: sysctl.Of[udp.Sysctls]()}}, slog.New(slog.DiscardHandler))
}
