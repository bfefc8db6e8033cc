// Package qemu is a link to a QEMU guest, or to anything that speaks the socket
// protocol of its `-netdev stream`: each Ethernet frame behind its length in four
// bytes, big endian, over a stream (net/stream.c in QEMU's source).
//
// A host that has a device of this kind and `qemu-system-x86_64 -netdev
// stream,id=n,server=on,addr.type=unix,addr.path=/tmp/q -device virtio-net,netdev=n`
// are on one link. The device is QEMU's client (role = "connect"), which tries
// again until QEMU is there, or its server (role = "listen"). Start reading at
// Device.Send and Device.serve.
package qemu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/libos-go/libos/core"
)

const (
	lengthSize = 4
	// maxFrame is the longest frame that QEMU sends (NET_BUFSIZE is 4 KiB and
	// 64 KiB: what a guest merges).
	maxFrame = 4096 + 65536
	// queueBytes bounds what waits for the socket.
	queueBytes = 256 << 10
	// readBytes holds the longest frame, and many short ones.
	readBytes = 2 * (lengthSize + maxFrame)
	// firstPause and lastPause are between attempts to connect.
	firstPause, lastPause = 20 * time.Millisecond, time.Second
)

// Device is an Ethernet link over a stream socket. While nobody is at the other
// end it has no carrier.
type Device struct {
	options  Options
	listener net.Listener // role "listen"
	ifc      *core.Interface
	attached chan struct{} // closed when ifc is there

	mu      sync.Mutex
	conn    net.Conn // nil while nobody is at the other end
	queue   []byte   // frames behind their lengths, to be written
	starved bool     // the interface waits for room in the queue
	closed  bool
	wake    chan struct{} // the writer has something to do
	end     chan struct{}
	done    sync.WaitGroup
}

// Open makes a device, which looks for its peer at once. A server's socket exists
// when it returns.
func Open(o Options) (*Device, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	d := &Device{options: o, attached: make(chan struct{}), wake: make(chan struct{}, 1), end: make(chan struct{})}
	if o.Role == Listen {
		l, err := net.Listen(o.Network, o.Address)
		if err != nil {
			return nil, fmt.Errorf("qemu: %w", err)
		}
		d.listener = l
	}
	d.done.Add(1)
	go d.run()
	return d, nil
}

// Address is where a server listens, with the port that it got for port 0.
func (d *Device) Address() string {
	if d.listener == nil {
		return d.options.Address
	}
	return d.listener.Addr().String()
}

// Properties implements core.Device.
func (d *Device) Properties() core.Properties {
	return core.Properties{Kind: "qemu", Link: core.LinkEthernet, MTU: d.options.MTU, MaxMTU: 65535, HWAddr: d.options.HWAddr,
		Flags: core.FlagBroadcast | core.FlagMulticast, Offloads: core.OffloadScatter}
}

// Attach implements core.Device.
func (d *Device) Attach(ifc *core.Interface) {
	d.ifc = ifc
	ifc.SetCarrier(d.Connected())
	close(d.attached)
}

// Connected tells whether somebody is at the other end.
func (d *Device) Connected() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conn != nil
}

// Send implements core.Device: it queues frames for the writer.
func (d *Device) Send(batch []*core.Packet) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, p := range batch {
		if d.conn != nil {
			if len(d.queue)+lengthSize+p.Len() > queueBytes {
				d.starved = true
				break
			}
			d.queue = binary.BigEndian.AppendUint32(d.queue, uint32(p.Len()))
			d.queue = append(d.queue, p.Linear()...)
			for i := range p.Frags() {
				d.queue = append(d.queue, p.Frags()[i].Bytes()...)
			}
		} else { // as on a cable that is not plugged in
			d.ifc.Stats().TxDropped++
		}
		p.Free()
		n++
	}
	d.rouse()
	return n
}

func (d *Device) rouse() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Close implements core.Device.
func (d *Device) Close() error {
	d.mu.Lock()
	if !d.closed {
		d.closed = true
		close(d.end)
	}
	if d.conn != nil {
		_ = d.conn.Close()
	}
	d.mu.Unlock()
	if d.listener != nil {
		_ = d.listener.Close()
	}
	d.done.Wait()
	return nil
}

// run serves one peer after the other.
func (d *Device) run() {
	defer d.done.Done()
	for {
		c := d.meet()
		if c == nil {
			return // closed
		}
		d.serve(c)
	}
}

// meet waits for a peer; nil once the device is closed.
func (d *Device) meet() net.Conn {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		select {
		case <-d.end:
			return nil
		default:
		}
		var c net.Conn
		var err error
		if d.listener != nil {
			c, err = d.listener.Accept()
		} else {
			c, err = net.Dial(d.options.Network, d.options.Address)
		}
		switch {
		case err == nil && c.LocalAddr().Network() == "tcp" && c.LocalAddr().String() == c.RemoteAddr().String():
			_ = c.Close() // a port that nobody listens on was free for our own end: we met ourselves
		case err == nil:
			return c
		}
		select {
		case <-d.end:
		case <-time.After(pause):
		}
	}
}

// serve carries frames until the peer is gone or breaks the protocol.
func (d *Device) serve(c net.Conn) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		_ = c.Close()
		return
	}
	d.conn, d.queue = c, d.queue[:0]
	d.mu.Unlock()
	select {
	case <-d.attached:
	case <-d.end:
		return
	}
	gone := make(chan struct{})
	var writer sync.WaitGroup
	writer.Add(1)
	go func() {
		defer writer.Done()
		d.write(c, gone)
	}()
	d.carrier(true)
	if err := d.read(c); errors.Is(err, errFrame) {
		d.ifc.Instance().Domain().Do(func() { d.ifc.Stats().RxErrors++ })
	}
	_ = c.Close()
	close(gone)
	writer.Wait()
	d.mu.Lock()
	d.conn = nil
	d.mu.Unlock()
	d.carrier(false)
	d.resume()
}

func (d *Device) carrier(on bool) {
	d.ifc.Instance().Domain().Do(func() { d.ifc.SetCarrier(on) })
}

// resume lets the interface send what waited for room.
func (d *Device) resume() {
	d.mu.Lock()
	starved := d.starved
	d.starved = false
	d.mu.Unlock()
	if starved {
		d.ifc.Resume()
	}
}

// write writes what is queued until the peer is gone.
func (d *Device) write(c net.Conn, gone chan struct{}) {
	var out []byte
	for {
		select {
		case <-gone:
			return
		case <-d.wake:
		}
		d.mu.Lock()
		out, d.queue = d.queue, out[:0]
		d.mu.Unlock()
		d.resume()
		if _, err := c.Write(out); err != nil {
			_ = c.Close() // which ends the reader
			<-gone
			return
		}
	}
}

var errFrame = errors.New("qemu: a frame of impossible length")

// read delivers what comes until the stream ends.
func (d *Device) read(r io.Reader) error {
	buf := make([]byte, readBytes)
	var frames []core.Frame
	held := 0 // bytes in buf
	for {
		n, err := r.Read(buf[held:])
		if err != nil {
			return err
		}
		held += n
		var used int
		if frames, used, err = cut(buf[:held], frames[:0]); err != nil {
			return err
		}
		if taken := d.ifc.Deliver(frames); taken < len(frames) {
			lost := len(frames) - taken
			d.ifc.Instance().Domain().Do(func() { d.ifc.Stats().RxDropped += uint64(lost) })
		}
		held = copy(buf, buf[used:held])
	}
}

// cut finds the whole frames at the beginning of b and tells how many bytes they
// and their lengths are.
func cut(b []byte, frames []core.Frame) (_ []core.Frame, used int, err error) {
	for len(b)-used >= lengthSize {
		n := binary.BigEndian.Uint32(b[used:])
		if n > maxFrame {
			return frames, used, errFrame
		}
		next := used + lengthSize + int(n)
		if next > len(b) {
			break
		}
		if n > 0 {
			frames = append(frames, core.Frame{Data: b[used+lengthSize : next : next]})
		}
		used = next
	}
	return frames, used, nil
}

// removeStale removes the socket file that a server left which is gone.
func removeStale(path string) error {
	c, err := net.Dial("unix", path)
	if err == nil {
		_ = c.Close()
		return fmt.Errorf("qemu: path %s: somebody listens there already", path)
	}
	if st, err := os.Lstat(path); err == nil {
		if st.Mode()&os.ModeSocket == 0 {
			return fmt.Errorf("qemu: path %s is there and no socket: choose another path", path)
		}
		return os.Remove(path)
	}
	return nil
}
