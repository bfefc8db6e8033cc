package session_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/remote"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/ring"
	"github.com/libos-go/libos/plugin/session"
	"github.com/libos-go/libos/protocols/udp"
)

// bent is a module's end of rings that stops to behave after a command.
type bent struct {
	session.Rings
	command chan struct{}
	then    func(session.Rings) // in the module's goroutine, once
}

// Next implements session.Link.
func (l *bent) Next() ([]byte, error) {
	select {
	case <-l.command:
		l.then(l.Rings)
		l.command = nil
	default:
	}
	return l.Rings.Next()
}

// Doze implements session.Link: a command ends it, too.
func (l *bent) Doze(time.Time) error {
	err := l.Rings.Doze(time.Now().Add(time.Millisecond))
	if err != nil && l.Rings.Done() != nil {
		select {
		case <-l.Rings.Done():
			return err
		default:
		}
	}
	return nil
}

// watched is an instance with UDP in a module that does then when commanded.
func watched(t *testing.T, patience time.Duration, then func(session.Rings)) (in *core.Instance, s *session.Session, command chan struct{}, lost chan error) {
	rig := coretest.New(t, host.NewRealTime())
	in = rig.Instance("a", networks())
	command, lost = make(chan struct{}, 1), make(chan error, 1)
	l, err := ring.Host(ring.Options{Name: "udp"})
	if err != nil {
		t.Fatal(err)
	}
	s = session.New(rig.Domain, session.Options{Name: "udp", Patience: patience, Log: slog.New(slog.DiscardHandler), Lost: func(at session.Link, err error) {
		if at != (session.Rings{Link: l}) {
			err = fmt.Errorf("told of another link: %w", err)
			t.Error(err)
		}
		lost <- err
	}})
	m, err := ring.Module(l.Files())
	if err != nil {
		t.Fatal(err)
	}
	l.HandedOver()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = session.Serve(&bent{session.Rings{Link: m}, command, then}, served(), slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		s.Disconnect(nil)
		<-ended
	})
	if err := s.Connect(session.Rings{Link: l}); err != nil {
		t.Fatal(err)
	}
	if err := in.AddProtocol(s.Protocol(udp.Protocol(), sysctl.Of[udp.Sysctls]())); err != nil {
		t.Fatal(err)
	}
	return in, s, command, lost
}

// never waits until the stack has given up.
func never(l session.Rings) { <-l.Done() }

func TestAnIdleModuleThatHangsIsLost(t *testing.T) {
	in, s, command, lost := watched(t, 500*time.Millisecond, never)
	conn, err := in.ListenPacket("udp4", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	command <- struct{}{}
	var b [8]byte
	if _, _, err := conn.ReadFrom(b[:]); !errors.Is(err, syscall.ENETDOWN) {
		t.Errorf("a call that waits: %v", err)
	}
	if err := <-lost; !errors.Is(err, session.ErrLost) || !strings.Contains(err.Error(), "no sign of life") {
		t.Errorf("lost because of %v", err)
	}
	if st := s.Stats(); st.Lost != 1 || st.SocketsLost != 1 || st.Faults != 0 {
		t.Errorf("%+v", st)
	}
}

func TestAnIdleModuleThatLivesIsNotLost(t *testing.T) {
	in, s, _, lost := watched(t, 4*time.Second, never)
	conn, err := in.ListenPacket("udp4", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent := s.Stats().Sent
	for s.Stats().Sent < sent+1 { // the first question goes out after two beats
		select {
		case err := <-lost:
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	got := s.Stats().Received
	for s.Stats().Received < got+1 {
		select {
		case err := <-lost:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
}

// flood sends messages that are in order, one after the other, until the stack
// has given up.
func flood(l session.Rings) {
	msg := remote.Begin(nil, remote.KindNotify, 0)
	msg = remote.Finish(append(msg, make([]byte, 10)...))
	for {
		select {
		case <-l.Done():
			return
		default:
			l.Send(msg)
		}
	}
}

func TestACallEndsInTimeHoweverMuchTheModuleSaysMeanwhile(t *testing.T) {
	in, s, command, lost := watched(t, 300*time.Millisecond, flood)
	command <- struct{}{}
	for len(command) > 0 {
		time.Sleep(time.Millisecond)
	}
	for s.Connected() {
		in.Counters()
	}
	if err := <-lost; !errors.Is(err, session.ErrLost) {
		t.Errorf("lost because of %v", err)
	}
}
