package rawnic

import (
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/vnethdr"
	"github.com/libos-go/libos/device/internal/writable"
)

const (
	// sendFrames is the most that an interface offers at once.
	sendFrames = 64
	// receiveFrames and frameRoom bound what is read at once: merged frames are as
	// long as an IP packet, with a link header and a tag.
	receiveFrames = 32
	frameRoom     = vnethdr.HeaderSize + 65535 + 18
)

// Device is a packet socket on an interface of the host. Frames are written in
// the entry that sends them: the host takes them at once or says EAGAIN, and
// then a goroutine waits for it.
type Device struct {
	name  string
	index int
	file  *os.File
	raw   syscall.RawConn
	news  *news
	props core.Properties
	ifc   *core.Interface

	out  sender // under the Domain's lock
	in   receiver
	send func(fd uintptr)

	starved chan struct{} // the interface waits for the host
	closed  atomic.Bool
	done    sync.WaitGroup
}

// sender is a batch on its way to the host.
type sender struct {
	batch    []*core.Packet
	sent     int
	headers  [sendFrames][vnethdr.HeaderSize]byte
	vectors  [sendFrames][2 + core.MaxFrags]unix.Iovec
	messages [sendFrames]message
}

// receiver is a batch from the host. It belongs to the reader's goroutine.
type receiver struct {
	buf      []byte
	vectors  [receiveFrames]unix.Iovec
	messages [receiveFrames]message
	n        int
	err      error
	lost     uint32 // the host had no place for them (PACKET_STATISTICS)
}

// Open makes a device. Errors name their cure.
func Open(o Options) (*Device, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	fd, _, err := openSocket(&o)
	if err != nil {
		return nil, err
	}
	d := &Device{name: o.Interface, file: os.NewFile(uintptr(fd), "packet:"+o.Interface), starved: make(chan struct{}, 1)}
	d.send = d.sendAll
	if d.raw, err = d.file.SyscallConn(); err == nil {
		d.news, err = openNews() // before the state is read: no change is missed
	}
	if err != nil {
		_ = d.file.Close()
		return nil, fmt.Errorf("packet: interface %s: %w", o.Interface, err)
	}
	nic, err := net.InterfaceByName(o.Interface)
	if err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("packet: interface %s: %w", o.Interface, missing(err))
	}
	d.index = nic.Index
	d.news.watch(nic.Index, nic.MTU, nic.Flags&net.FlagRunning != 0)
	d.props = core.Properties{Kind: "packet", Link: core.LinkEthernet, MTU: nic.MTU, MaxMTU: nic.MTU, HWAddr: o.HWAddr,
		Flags:    core.FlagBroadcast | core.FlagMulticast,
		Offloads: core.OffloadScatter | core.OffloadTxChecksum | core.OffloadSegmentation}
	if o.Promiscuous {
		d.props.Flags |= core.FlagPromiscuous
	}
	return d, nil
}

func open(o Options) (core.Device, error) {
	d, err := Open(o)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// KernelName is the name of the host's interface.
func (d *Device) KernelName() string { return d.name }

// Properties implements core.Device.
func (d *Device) Properties() core.Properties { return d.props }

// Attach implements core.Device: it starts the reader, the watch over the host's
// interface and the waiter for a host that is busy.
func (d *Device) Attach(ifc *core.Interface) {
	d.ifc = ifc
	ifc.SetCarrier(d.news.carrier)
	d.done.Add(3)
	go d.read()
	go d.await()
	go d.listen()
}

// Send implements core.Device.
func (d *Device) Send(batch []*core.Packet) int {
	batch = batch[:min(len(batch), sendFrames)]
	s := &d.out
	s.batch, s.sent = batch, 0
	err := d.raw.Control(d.send)
	s.batch = nil
	if err != nil { // closed: the link takes everything and nothing arrives
		s.sent = len(batch)
	}
	for _, p := range batch[:s.sent] {
		p.Free()
	}
	if s.sent < len(batch) {
		select {
		case d.starved <- struct{}{}:
		default:
		}
	}
	return s.sent
}

// sendAll offers the batch to the host.
func (d *Device) sendAll(fd uintptr) {
	s := &d.out
	for i, p := range s.batch {
		vnethdr.Encode(s.headers[i][:], p, linkSize)
		v := s.vectors[i][:0]
		v = appendVector(v, s.headers[i][:])
		v = appendVector(v, p.Linear())
		for k := range p.Frags() {
			v = appendVector(v, p.Frags()[k].Bytes())
		}
		h := &s.messages[i].header
		h.Iov = &s.vectors[i][0]
		h.SetIovlen(len(v))
	}
	for s.sent < len(s.batch) {
		n, err := sendBatch(fd, s.messages[s.sent:len(s.batch)])
		s.sent += n
		switch err {
		case nil, unix.EINTR:
		case unix.EAGAIN:
			return
		case unix.ENOBUFS, unix.ENETDOWN, unix.ENXIO: // its queue is full, or it is down or gone
			d.ifc.Stats().TxDropped++
			s.sent++
		default:
			d.ifc.Stats().TxErrors++
			s.sent++
		}
	}
}

func appendVector(v []unix.Iovec, b []byte) []unix.Iovec {
	if len(b) == 0 {
		return v
	}
	x := unix.Iovec{Base: &b[0]}
	x.SetLen(len(b))
	return append(v, x)
}

// await resumes the interface when the host takes frames again.
func (d *Device) await() {
	defer d.done.Done()
	writable.Resume(d.starved, d.raw, &d.closed, d.ifc.Resume)
}

// read is the reader's goroutine: it blocks for the first frame of a batch and
// takes what is there.
func (d *Device) read() {
	defer d.done.Done()
	r := &d.in
	r.init()
	receive := r.receive
	frames := make([]core.Frame, 0, receiveFrames)
	for {
		r.n, r.err, r.lost = 0, nil, 0
		if err := d.raw.Read(receive); err != nil {
			return // closed
		}
		failed := 0
		frames = frames[:0]
		for i := range r.messages[:r.n] {
			m := &r.messages[i]
			b := r.buf[i*frameRoom : i*frameRoom+int(m.length)]
			f, err := vnethdr.Decode(b, true)
			if err == nil && m.header.Flags&unix.MSG_TRUNC == 0 {
				frames, err = appendCut(frames, f)
			}
			if err != nil || m.header.Flags&unix.MSG_TRUNC != 0 {
				failed++
			}
		}
		lost := uint64(r.lost)
		if len(frames) > 0 {
			lost += uint64(len(frames) - d.ifc.Deliver(frames))
		}
		switch r.err {
		case nil, unix.ENETDOWN: // news tell of the carrier
		case unix.EINVAL: // a merged frame of a kind that the header has no word for
			failed++
		default:
			d.lose("the packet socket fails", r.err)
			return
		}
		if failed > 0 || lost > 0 {
			d.ifc.Instance().Domain().Do(func() {
				d.ifc.Stats().RxErrors += uint64(failed)
				d.ifc.Stats().RxDropped += lost
			})
		}
	}
}

func (r *receiver) init() {
	r.buf = make([]byte, receiveFrames*frameRoom)
	for i := range r.messages {
		r.vectors[i].Base = &r.buf[i*frameRoom]
		r.vectors[i].SetLen(frameRoom)
		r.messages[i].header.Iov = &r.vectors[i]
		r.messages[i].header.SetIovlen(1)
	}
}

// receive takes a batch from the host; false when there is none.
func (r *receiver) receive(fd uintptr) bool {
	for {
		r.n, r.err = receiveBatch(fd, r.messages[:])
		switch r.err {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			r.err = nil
			return false
		}
		r.lost = dropped(fd)
		return true
	}
}

// dropped is how many frames the host had no place for since the last call.
func dropped(fd uintptr) uint32 {
	var st unix.TpacketStats
	size := uint32(unsafe.Sizeof(st))
	_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_PACKET, unix.PACKET_STATISTICS, uintptr(unsafe.Pointer(&st)), uintptr(unsafe.Pointer(&size)), 0)
	if e != 0 {
		return 0
	}
	return st.Drops
}

// lose takes the carrier away for good.
func (d *Device) lose(why string, err error) {
	dom := d.ifc.Instance().Domain()
	dom.Host().Log().Warn("device: the link is gone", "instance", d.ifc.Instance().Name(), "interface", d.ifc.Name(), "host", d.name, "why", why, "error", err)
	dom.Do(func() { d.ifc.SetCarrier(false) })
}

// Close implements core.Device.
func (d *Device) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	err := d.file.Close()
	d.news.close()
	select {
	case d.starved <- struct{}{}:
	default:
	}
	d.done.Wait()
	return err
}
