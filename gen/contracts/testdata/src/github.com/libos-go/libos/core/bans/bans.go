package bans

import (
	"context"
	crand "crypto/rand" // the import is no use yet
	"errors"
	"fmt"
	"log"
	"log/slog"
	"math/rand"
	v2 "math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

type token struct{ c chan struct{} }

func legal(t token, src *v2.Rand, log *slog.Logger, at time.Time, mu *sync.Mutex) error {
	select {
	case t.c <- struct{}{}:
	default:
	}
	select {
	case <-t.c:
	default:
	}
	select {
	case _, ok := <-t.c:
		_ = ok
	default:
	}
	mu.Lock()
	defer mu.Unlock()
	log.Info("x")
	_ = src.IntN(3)
	_ = rand.New(rand.NewSource(1)).Int()
	_ = v2.New(v2.NewPCG(1, 2)).IntN(3)
	_ = at.Add(time.Second).Sub(at)
	_ = netip.MustParseAddr("10.0.0.1")
	_ = net.ParseIP("10.0.0.1")
	_ = fmt.Sprintf("%v", net.HardwareAddr{})
	if errors.Is(syscall.EAGAIN, os.ErrDeadlineExceeded) {
		return &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.EAGAIN)}
	}
	return nil
}

func clock() {
	_ = time.Now()                    // want `time.Now inside a Domain: ask the host`
	_ = time.Since(time.Time{})       // want `time.Since inside a Domain`
	_ = time.Until(time.Time{})       // want `time.Until inside a Domain`
	time.Sleep(1)                     // want `time.Sleep inside a Domain`
	_ = time.NewTimer(1)              // want `time.NewTimer inside a Domain`
	_ = time.NewTicker(1)             // want `time.NewTicker inside a Domain`
	_ = time.AfterFunc(1, func() {})  // want `time.AfterFunc inside a Domain`
	_ = time.After(1)                 // want `time.After inside a Domain`
	_ = time.Tick(1)                  // want `time.Tick inside a Domain`
	now := time.Now                   // want `time.Now inside a Domain`
	_ = now
	_, _ = context.WithTimeout(context.Background(), 1) // want `context.WithTimeout inside a Domain`
}

func random(b []byte) {
	_ = rand.Intn(3)      // want `math/rand.Intn inside a Domain: draw from the host`
	_ = v2.IntN(3)        // want `math/rand/v2.IntN inside a Domain`
	_, _ = crand.Read(b)  // want `crypto/rand.Read inside a Domain`
	_ = crand.Reader      // want `crypto/rand.Reader inside a Domain`
	_ = v2.N[int]         // want `math/rand/v2.N inside a Domain`
}

func blocking(c chan int, wg *sync.WaitGroup, cond *sync.Cond) {
	go legal(token{}, nil, nil, time.Time{}, nil) // want `go statement inside a Domain`
	c <- 1             // want `channel send can block`
	<-c                // want `channel receive can block`
	_ = <-c            // want `channel receive can block`
	for range c {      // want `range over a channel blocks`
	}
	select {           // want `select without default blocks`
	case <-c:
	case c <- 1:
	}
	select {
	case c <- <-c: // want `channel receive can block`
	default:
		<-c // want `channel receive can block`
	}
	wg.Wait()          // want `\(\*sync.WaitGroup\).Wait blocks`
	wg.Go(func() {})   // want `\(\*sync.WaitGroup\).Go blocks or starts a goroutine`
	cond.Wait()        // want `\(\*sync.Cond\).Wait blocks`
	runtime.Gosched()  // want `runtime.Gosched inside a Domain`
}

func io() {
	_, _ = net.Dial("tcp", "")    // want `net.Dial inside a Domain: packets enter and leave by devices`
	_, _ = net.Interfaces()       // want `net.Interfaces inside a Domain`
	var _ net.Dialer              // want `net.Dialer inside a Domain`
	_, _ = net.LookupHost("")     // want `net.LookupHost inside a Domain`
	_, _ = os.Open("x")           // want `os.Open inside a Domain: files`
	_ = os.Args                   // want `os.Args inside a Domain`
	_ = exec.Command("x")         // want `os/exec.Command inside a Domain`
	signal.Ignore()               // want `os/signal.Ignore inside a Domain`
	_, _ = http.Get("x")          // want `net/http.Get inside a Domain`
	log.Print()                   // want `log.Print inside a Domain`
	slog.Info("x")                // want `log/slog.Info inside a Domain`
	fmt.Println()                 // want `fmt.Println inside a Domain`
	_, _ = syscall.Read(0, nil)   // want `system call syscall.Read inside a Domain`
}
