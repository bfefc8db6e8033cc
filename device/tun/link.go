package tun

import (
	"io"
	"sync"
	"sync/atomic"

	"github.com/libos-go/libos/core"
)

const (
	// queueFrames bounds the frames between the stack and the writer.
	queueFrames = 256
	// frameRoom is the largest frame: an IP packet and a link header with a tag.
	frameRoom = 65535 + 18
	// batchFrames and batchBytes bound what is read before the stack gets it.
	batchFrames = 64
	batchBytes  = batchFrames*2048 + frameRoom
)

// link drives a file that gives and takes one frame with each read and write.
type link struct {
	file  io.ReadWriteCloser
	props core.Properties
	ifc   *core.Interface

	mu      sync.Mutex
	queue   [][]byte // frames to write
	idle    [][]byte // buffers to use again
	starved bool     // the interface waits for a place in the queue
	closed  bool
	wake    chan struct{}
	done    sync.WaitGroup

	rxDropped, txErrors atomic.Uint64
}

// Counters are frames that were lost at the device.
type Counters struct {
	RxDropped uint64 // the stack's inbox was full
	TxErrors  uint64 // the system refused the frame
}

func (l *link) init(file io.ReadWriteCloser, p core.Properties) {
	l.file, l.props = file, p
	l.wake = make(chan struct{}, 1)
}

// Counters of the device so far.
func (l *link) Counters() Counters { return Counters{l.rxDropped.Load(), l.txErrors.Load()} }

// Properties implements core.Device.
func (l *link) Properties() core.Properties { return l.props }

// Attach implements core.Device: it starts the reader and the writer.
func (l *link) Attach(ifc *core.Interface) {
	l.ifc = ifc
	l.done.Add(2)
	go l.read()
	go l.write()
}

// Send implements core.Device: frames are copied for the writer.
func (l *link) Send(batch []*core.Packet) int {
	l.mu.Lock()
	n := 0
	for ; n < len(batch) && len(l.queue) < queueFrames && !l.closed; n++ {
		var b []byte
		if k := len(l.idle); k > 0 {
			b, l.idle = l.idle[k-1][:0], l.idle[:k-1]
		}
		p := batch[n]
		b = append(b, p.Linear()...)
		for i := range p.Frags() {
			b = append(b, p.Frags()[i].Bytes()...)
		}
		l.queue = append(l.queue, b)
		p.Free()
	}
	if n < len(batch) {
		l.starved = true
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return n
}

// write is the writer's goroutine.
func (l *link) write() {
	defer l.done.Done()
	var mine [][]byte
	for range l.wake {
		l.mu.Lock()
		mine, l.queue = l.queue, mine[:0]
		resume := l.starved
		l.starved = false
		closed := l.closed
		l.mu.Unlock()
		if closed {
			return
		}
		if resume {
			l.ifc.Resume() // the stack fills the queue while we write
		}
		for _, b := range mine {
			if _, err := l.file.Write(b); err != nil {
				l.txErrors.Add(1)
			}
		}
		l.mu.Lock()
		for i, b := range mine {
			if len(l.idle) < queueFrames {
				l.idle = append(l.idle, b)
			}
			mine[i] = nil
		}
		l.mu.Unlock()
	}
}

// read is the reader's goroutine.
func (l *link) read() {
	defer l.done.Done()
	buf := make([]byte, batchBytes)
	frames := make([]core.Frame, 0, batchFrames)
	readBatch := batcher(l.file)
	for {
		var err error
		frames, err = readBatch(buf, frames[:0])
		if len(frames) > 0 {
			if n := l.ifc.Deliver(frames); n < len(frames) {
				l.rxDropped.Add(uint64(len(frames) - n))
			}
		}
		if err == nil {
			continue
		}
		l.mu.Lock()
		closed := l.closed
		l.mu.Unlock()
		if !closed { // the kernel's side is gone
			d := l.ifc.Instance().Domain()
			d.Host().Log().Warn("device: the link is gone", "instance", l.ifc.Instance().Name(), "interface", l.ifc.Name(), "error", err)
			d.Do(func() { l.ifc.SetCarrier(false) })
		}
		return
	}
}

// readOne is a batcher for files that tell no more than Read.
func readOne(file io.Reader) func([]byte, []core.Frame) ([]core.Frame, error) {
	return func(buf []byte, frames []core.Frame) ([]core.Frame, error) {
		n, err := file.Read(buf[:frameRoom])
		if n > 0 {
			frames = append(frames, core.Frame{Data: buf[:n]})
		}
		return frames, err
	}
}

// Close implements core.Device.
func (l *link) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	err := l.file.Close()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	l.done.Wait()
	return err
}
