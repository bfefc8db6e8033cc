package ring

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// small is the smallest Link: rings of one page, which are full and wrap soon.
func small() Options { return Options{Name: "test", Main: os.Getpagesize(), Answers: os.Getpagesize()} }

// pair returns both ends of a session in this process.
func pair(t testing.TB, o Options) (host, module *Link) {
	t.Helper()
	host, err := Host(o)
	if err != nil {
		t.Fatal(err)
	}
	module, err = Module(host.Files())
	if err != nil {
		t.Fatal(err)
	}
	host.HandedOver()
	t.Cleanup(func() { host.Close(); module.Close() })
	return host, module
}

// roles is what a second process, made of this test binary, can be.
func roles() map[string]func(*Link) error {
	return map[string]func(*Link) error{
		"echo":     echo,
		"source":   func(l *Link) error { return produce(&l.Main.Out, 1, processRecords) },
		"sink":     func(l *Link) error { return consume(&l.Main.In, 1, processRecords) },
		"drain":    drain,
		"sleep":    func(l *Link) error { <-l.Done(); return nil },
		"tamper":   tamper,
		"scribble": scribbleForEver,
	}
}

const roleVariable = "LIBOS_RING_TEST_ROLE"

func TestMain(m *testing.M) {
	name := os.Getenv(roleVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	var files []*os.File
	for fd := range uintptr(4) {
		files = append(files, os.NewFile(3+fd, "from host"))
	}
	if name == "tamper" { // which needs the descriptors that Module closes
		for fd := 3; fd <= 4; fd++ {
			_, _ = unix.Dup(fd)
		}
	}
	l, err := Module(files)
	if err == nil {
		impatientIfTold(l)
		fmt.Println("joined")
		err = roles()[name](l)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ok")
	os.Exit(0)
}

// process starts another process with a role as the module of a new session, and
// returns when it has joined. What it prints at its end comes by the channel.
func process(t testing.TB, o Options, role string) (*Link, *os.Process, <-chan string) {
	t.Helper()
	host, err := Host(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.ExtraFiles = host.Files()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	host.HandedOver()
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "joined" {
		t.Errorf("the module did not join: %s", lines.Text())
	}
	said := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		last := "nothing"
		for lines.Scan() {
			last = lines.Text()
		}
		_ = cmd.Wait()
		said <- last
		close(ended)
	}()
	t.Cleanup(func() {
		host.Close()
		_ = cmd.Process.Kill()
		<-ended
	})
	return host, cmd.Process, said
}

// soon is a deadline that only a hang reaches.
func soon() time.Time { return time.Now().Add(time.Minute) }

// lengths yields the lengths of records of a stream: mostly short ones, all
// lengths up to the limit, both ends often.
func lengths(seed uint64, max int) func() int {
	r := rand.New(rand.NewPCG(seed, 1))
	return func() int {
		switch r.IntN(8) {
		case 0:
			return 0
		case 1:
			return max
		case 2:
			return r.IntN(max + 1)
		default:
			return r.IntN(min(max, 100) + 1)
		}
	}
}

// fill writes what byte n of record i of a stream is.
func fill(p []byte, i int) {
	for n := range p {
		p[n] = byte(i*7 + n)
	}
}

// produce writes count records of a stream, in batches of up to 8.
func produce(w *Writer, seed uint64, count int) error {
	next := lengths(seed, w.MaxRecord())
	for i := range count {
		n := next()
		p := w.Reserve(n)
		for p == nil {
			if err := w.WaitSpace(soon()); err != nil {
				return fmt.Errorf("record %d of %d bytes: %w", i, n, err)
			}
			p = w.Reserve(n)
		}
		fill(p, i)
		if i%8 != 7 && i != count-1 {
			w.Stage(n)
		} else {
			w.Commit(n)
		}
	}
	return nil
}

// consume reads count records of a stream and compares them.
func consume(r *Reader, seed uint64, count int) error {
	next := lengths(seed, r.MaxRecord())
	want := make([]byte, r.MaxRecord())
	for i := range count {
		p, err := r.Next()
		for p == nil && err == nil {
			if err = r.Wait(soon()); err == nil {
				p, err = r.Next()
			}
		}
		if err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
		n := next()
		fill(want[:n], i)
		if string(p) != string(want[:n]) {
			return fmt.Errorf("record %d has %d bytes, not the %d that were sent", i, len(p), n)
		}
	}
	r.Release()
	if p, err := r.Next(); p != nil || err != nil {
		return fmt.Errorf("%d bytes came behind the last record (%v)", len(p), err)
	}
	return nil
}

// echo sends every record of the main ring back until the host is gone.
func echo(l *Link) error {
	for {
		p, err := l.Main.In.Next()
		if p == nil && err == nil {
			if err = l.Main.In.Wait(time.Time{}); err == nil {
				continue
			}
		}
		if errors.Is(err, ErrPeerGone) {
			return nil
		}
		if err != nil {
			return err
		}
		for !l.Main.Out.Write(p) {
			if err := l.Main.Out.WaitSpace(time.Time{}); err != nil {
				return err
			}
		}
	}
}

// drain reads the main ring until the host is gone.
func drain(l *Link) error {
	for {
		p, err := l.Main.In.Next()
		if p == nil && err == nil {
			err = l.Main.In.Wait(time.Time{})
		}
		if errors.Is(err, ErrPeerGone) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
