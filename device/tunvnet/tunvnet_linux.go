package tunvnet

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/vnethdr"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/internal/writable"
	"github.com/libos-go/libos/device/tunio"
)

const (
	batchFrames = 64
	frameRoom   = vnethdr.HeaderSize + 65535 + 18
	batchBytes  = batchFrames*2048 + frameRoom
)

// Device is an open TUN or TAP device with a virtio_net_hdr in front of each
// frame. Frames are written in the entry that sends them: the kernel takes them
// at once or says EAGAIN, and then a goroutine waits for it.
type Device struct {
	name     string
	file     *os.File
	raw      syscall.RawConn
	props    core.Properties
	linkSize int
	ifc      *core.Interface

	header [vnethdr.HeaderSize]byte // under the Domain's lock
	run    vnethdr.Run
	pieces [][]byte
	merge  bool // the kernel takes super-segments

	starved           chan struct{} // the interface waits for the kernel
	closed            atomic.Bool
	done              sync.WaitGroup
	rxErrors, dropped atomic.Uint64
	txErrors          atomic.Uint64
}

// Counters are frames that were lost at the device.
type Counters struct {
	RxDropped uint64 // the stack's inbox was full
	RxErrors  uint64 // malformed headers from the kernel
	TxErrors  uint64 // the kernel refused the frame
}

// Open makes a device. Errors name their cure.
func Open(o tunio.Options) (*Device, error) {
	if err := o.Complete(); err != nil {
		return nil, err
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, tunio.Explain(o.Name, err)
	}
	name, err := setup(fd, &o)
	if err != nil {
		_ = unix.Close(fd)
		return nil, tunio.Explain(o.Name, err)
	}
	if err := tunio.SetMTU(name, o.MTU); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	d, err := newDevice(fd, o.Properties("tunvnet", name), !o.NoOffload)
	if err != nil {
		return nil, err
	}
	d.name = name
	return d, nil
}

func open(o tunio.Options) (core.Device, error) {
	d, err := Open(o)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// setup makes the kernel's interface and tells what we can take.
func setup(fd int, o *tunio.Options) (name string, err error) {
	req, err := unix.NewIfreq(o.Name)
	if err != nil {
		return "", err
	}
	flags := uint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if o.TAP {
		flags = unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR
	}
	req.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return "", err
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, vnethdr.HeaderSize); err != nil {
		return "", err
	}
	offload := unix.TUN_F_CSUM
	if o.NoOffload {
		offload = 0
	}
	return req.Name(), unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, offload)
}

// newDevice drives fd, which it owns from here on.
func newDevice(fd int, p core.Properties, offload bool) (*Device, error) {
	d := &Device{file: os.NewFile(uintptr(fd), "/dev/net/tun"), props: p, starved: make(chan struct{}, 1)}
	raw, err := d.file.SyscallConn()
	if err != nil {
		_ = d.file.Close()
		return nil, err
	}
	d.raw = raw
	if p.Link == core.LinkEthernet {
		d.linkSize = wire.EthernetSize
	}
	if offload {
		d.props.Offloads |= core.OffloadTxChecksum
		d.merge = true
	}
	return d, nil
}

// KernelName is the name of the kernel's interface at the other side.
func (d *Device) KernelName() string { return d.name }

// Counters of the device so far.
func (d *Device) Counters() Counters {
	return Counters{RxDropped: d.dropped.Load(), RxErrors: d.rxErrors.Load(), TxErrors: d.txErrors.Load()}
}

// Properties implements core.Device.
func (d *Device) Properties() core.Properties { return d.props }

// Attach implements core.Device: it starts the reader and the waiter for a
// kernel that is busy.
func (d *Device) Attach(ifc *core.Interface) {
	d.ifc = ifc
	d.done.Add(2)
	go d.read()
	go d.await()
}

// Send implements core.Device. Segments of one connection that stand in a row are
// written as one super-segment: each frame is a system call.
func (d *Device) Send(batch []*core.Packet) int {
	n := 0
	err := d.raw.Control(func(fd uintptr) {
		for n < len(batch) {
			took := d.writeSome(int(fd), batch[n:])
			if took == 0 {
				return
			}
			for _, p := range batch[n : n+took] {
				p.Free()
			}
			n += took
		}
	})
	if err != nil { // closed: the link takes everything and nothing arrives
		for _, p := range batch[n:] {
			p.Free()
		}
		return len(batch)
	}
	if n < len(batch) {
		select {
		case d.starved <- struct{}{}:
		default:
		}
	}
	return n
}

// maxPieces bounds the pieces of one write (UIO_MAXIOV).
const maxPieces = 1024

// writeSome writes the first packets of batch as one frame, and tells how many: 0 when
// the kernel cannot take it now.
func (d *Device) writeSome(fd int, batch []*core.Packet) int {
	n := 1
	if d.merge && len(batch) > 1 && d.run.Begin(batch[0], d.linkSize) {
		for pieces := 3 + len(batch[0].Frags()); n < len(batch); n++ {
			pieces += 1 + len(batch[n].Frags())
			if pieces > maxPieces || !d.run.Add(batch[n]) {
				break
			}
		}
	}
	iov := append(d.pieces[:0], d.header[:])
	skip := 0
	if n > 1 {
		iov = append(iov, d.run.End(d.header[:]))
		skip = d.run.HeaderLen()
	} else {
		vnethdr.Encode(d.header[:], batch[0], d.linkSize)
	}
	for _, p := range batch[:n] {
		if b := p.Linear()[skip:]; len(b) > 0 {
			iov = append(iov, b)
		}
		for i := range p.Frags() {
			iov = append(iov, p.Frags()[i].Bytes())
		}
	}
	d.pieces = iov
	defer clear(iov)
	for {
		_, err := unix.Writev(fd, iov)
		switch err {
		case nil:
			return n
		case unix.EINTR:
		case unix.EAGAIN:
			return 0
		default:
			d.txErrors.Add(uint64(n))
			return n
		}
	}
}

// await resumes the interface when the kernel takes frames again.
func (d *Device) await() {
	defer d.done.Done()
	writable.Resume(d.starved, d.raw, &d.closed, d.ifc.Resume)
}

// read is the reader's goroutine: it blocks for the first frame of a batch and
// reads on until there is none.
func (d *Device) read() {
	defer d.done.Done()
	buf := make([]byte, batchBytes)
	frames := make([]core.Frame, 0, batchFrames)
	for {
		var failed error
		frames = frames[:0]
		room := buf
		err := d.raw.Read(func(fd uintptr) bool {
			for len(frames) < batchFrames && len(room) >= frameRoom {
				n, err := unix.Read(int(fd), room[:frameRoom])
				switch {
				case err == unix.EINTR:
					continue
				case err == unix.EAGAIN:
					return len(frames) > 0
				case err != nil:
					failed = err
					return true
				case n == 0:
					failed = io.EOF
					return true
				}
				f, err := vnethdr.Decode(room[:n:n], false)
				if err != nil {
					d.rxErrors.Add(1)
					continue
				}
				frames = append(frames, f)
				room = room[n:]
			}
			return true
		})
		if len(frames) > 0 {
			if n := d.ifc.Deliver(frames); n < len(frames) {
				d.dropped.Add(uint64(len(frames) - n))
			}
		}
		if err == nil {
			err = failed
		}
		if err != nil {
			if !d.closed.Load() { // the kernel's side is gone
				dom := d.ifc.Instance().Domain()
				dom.Host().Log().Warn("device: the link is gone", "instance", d.ifc.Instance().Name(), "interface", d.ifc.Name(), "error", err)
				dom.Do(func() { d.ifc.SetCarrier(false) })
			}
			return
		}
	}
}

// Close implements core.Device.
func (d *Device) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	err := d.file.Close()
	select {
	case d.starved <- struct{}{}:
	default:
	}
	d.done.Wait()
	return err
}
