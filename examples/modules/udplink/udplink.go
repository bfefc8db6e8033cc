// Package udplink is an Ethernet link of which each frame is a datagram of a socket
// of the operating system: UDP, or a Unix socket. Both ends are devices of this
// kind, or one is QEMU with `-netdev dgram`. Start reading at Device.Send and
// Device.read.
package udplink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"github.com/libos-go/libos/core"
)

const (
	lengthSize = 4
	// maxFrame is the longest datagram.
	maxFrame = 65507
	// queueBytes bounds what waits for the socket.
	queueBytes = 256 << 10
)

// Device is an Ethernet link over datagrams.
type Device struct {
	options Options
	conn    net.PacketConn
	remote  net.Addr
	ifc     *core.Interface

	mu      sync.Mutex
	queue   []byte // frames behind their lengths, to be written
	starved bool   // the interface waits for room in the queue
	wake    chan struct{}
	end     chan struct{}
	closed  atomic.Bool
	done    sync.WaitGroup
}

// Open makes a device, with its socket.
func Open(o Options) (*Device, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	d := &Device{options: o, wake: make(chan struct{}, 1), end: make(chan struct{})}
	var err error
	if o.Network == "unixgram" {
		d.remote = &net.UnixAddr{Name: o.Remote, Net: o.Network}
	} else if d.remote, err = net.ResolveUDPAddr(o.Network, o.Remote); err != nil {
		return nil, fmt.Errorf("udplink: remote = %q: %w", o.Remote, err)
	}
	if d.conn, err = net.ListenPacket(o.Network, o.Local); err != nil {
		return nil, fmt.Errorf("udplink: local = %q: %w", o.Local, err)
	}
	return d, nil
}

// Properties implements core.Device.
func (d *Device) Properties() core.Properties {
	return core.Properties{Kind: "udplink", Link: core.LinkEthernet, MTU: d.options.MTU, MaxMTU: maxMTU, HWAddr: d.options.HWAddr,
		Flags: core.FlagBroadcast | core.FlagMulticast, Offloads: core.OffloadScatter}
}

// Attach implements core.Device.
func (d *Device) Attach(ifc *core.Interface) {
	d.ifc = ifc
	d.done.Add(2)
	go d.read()
	go d.write()
}

// Send implements core.Device: it queues frames for the writer.
func (d *Device) Send(batch []*core.Packet) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, p := range batch {
		if len(d.queue)+lengthSize+p.Len() > queueBytes {
			d.starved = true
			break
		}
		d.queue = binary.BigEndian.AppendUint32(d.queue, uint32(p.Len()))
		d.queue = append(d.queue, p.Linear()...)
		for i := range p.Frags() {
			d.queue = append(d.queue, p.Frags()[i].Bytes()...)
		}
		p.Free()
		n++
	}
	select {
	case d.wake <- struct{}{}:
	default:
	}
	return n
}

// Close implements core.Device.
func (d *Device) Close() error {
	if !d.closed.Swap(true) {
		close(d.end)
	}
	err := d.conn.Close()
	d.done.Wait()
	if d.options.Network == "unixgram" {
		_ = os.Remove(d.options.Local)
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// write sends what is queued until the device is closed. A datagram that the
// system does not take is lost, as on a link; one that found nobody (ECONNREFUSED,
// a socket that is not there yet) as well.
func (d *Device) write() {
	defer d.done.Done()
	var out []byte
	for {
		select {
		case <-d.end:
			return
		case <-d.wake:
		}
		d.mu.Lock()
		out, d.queue = d.queue, out[:0]
		starved := d.starved
		d.starved = false
		d.mu.Unlock()
		lost := uint64(0)
		for b := out; len(b) > 0; {
			n := lengthSize + int(binary.BigEndian.Uint32(b))
			if _, err := d.conn.WriteTo(b[lengthSize:n], d.remote); err != nil {
				lost++
			}
			b = b[n:]
		}
		if lost > 0 {
			d.ifc.Instance().Domain().Do(func() { d.ifc.Stats().TxErrors += lost })
		}
		if starved {
			d.ifc.Resume()
		}
	}
}

// read delivers datagrams until the device is closed. Those of anybody but the
// remote end are refused.
func (d *Device) read() {
	defer d.done.Done()
	buf := make([]byte, maxFrame+1)
	for {
		n, from, err := d.conn.ReadFrom(buf)
		if d.closed.Load() {
			return
		}
		switch {
		case err != nil: // an ICMP error of what was sent
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		case !d.expects(from) || n == 0 || n > maxFrame:
			d.ifc.Instance().Domain().Do(func() { d.ifc.Stats().RxErrors++ })
			continue
		}
		if d.ifc.Deliver([]core.Frame{{Data: buf[:n]}}) == 0 {
			d.ifc.Instance().Domain().Do(func() { d.ifc.Stats().RxDropped++ })
		}
	}
}

// expects tells whether an address is the remote end's.
func (d *Device) expects(from net.Addr) bool {
	return from != nil && from.String() == d.remote.String()
}
