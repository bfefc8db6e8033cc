package remote

import (
	"errors"

	"github.com/libos-go/libos/core"
)

// DevicePeer carries messages about one device to the other end, in order. It
// copies them. It may be a Lender, too.
type DevicePeer interface {
	// Offer carries msg; false, and nothing has happened, if there is no room for it
	// now: who carries then calls NearDevice.Resume when there may be.
	Offer(msg []byte) bool
	// Post carries msg; the carrier finds room for it.
	Post(msg []byte)
}

// SendWindow and receiveWindow bound the frames on their way. A stack that has
// used up the first waits until the device has taken some; frames past the second
// are dropped and counted at the device's side.
const (
	SendWindow    = 256
	receiveWindow = 4096
)

// NearDevice is the stack's end of a device that is elsewhere: what a core.Device
// on this side is made of. Its methods run inside entries.
type NearDevice struct {
	// Input counts frames that came.
	Input uint64

	ifc     *core.Interface
	far     DevicePeer // nil while the device is away
	message desk
	limit   int // frames that may be on their way to the device
	credits int // of these, not used
	window  int // frames that the device may still send
	owed    int // frames that came and that it was not told of
	owing   bool
	starved bool
	frames  []core.Frame
	tell    func()
}

// Attach gives the end its interface.
func (n *NearDevice) Attach(ifc *core.Interface) {
	n.ifc = ifc
	n.tell = n.taken
}

// Connect has the end go on over far, with a device that has just been attached.
// queue is that of its Properties. What was on its way to a device before counts as
// lost.
func (n *NearDevice) Connect(far DevicePeer, queue int) {
	n.away()
	n.far = far
	n.message.serveLender(far)
	n.limit = SendWindow
	if queue > 0 && queue < SendWindow {
		n.limit = queue // the queue at the device's side must hold them
	}
	n.credits, n.window, n.owed = n.limit, receiveWindow, 0
	n.Changed()
	n.ifc.SetCarrier(true)
	n.Resume()
}

// Disconnect says that the device is gone, for good or to come back by Connect:
// there is no carrier, and what was on its way counts as lost.
func (n *NearDevice) Disconnect() {
	n.away()
	n.ifc.SetCarrier(false)
	n.Resume()
}

func (n *NearDevice) away() {
	if n.far != nil {
		n.far = nil
		n.ifc.Stats().TxDropped += uint64(n.limit - n.credits)
	}
}

// Close says that nothing is to be told to the device any more.
func (n *NearDevice) Close() { n.far = nil }

// Changed tells the device of the interface: core.InterfaceWatcher calls it.
func (n *NearDevice) Changed() {
	if n.far == nil {
		return
	}
	b := appendBool(n.begin(KindLink), n.ifc.Up())
	n.far.Post(n.message.finish(appendCount(b, n.ifc.MTU())))
}

func (n *NearDevice) begin(k Kind) []byte {
	return n.message.begin(k, n.ifc.Instance().Domain().Now())
}

// Send implements core.Device. Frames for a device that is away are dropped.
func (n *NearDevice) Send(batch []*core.Packet) int {
	sent := 0
	for sent < len(batch) && n.far != nil {
		most := batch[sent:min(len(batch), sent+n.credits)]
		if len(most) == 0 {
			break
		}
		b, k := n.begin(KindFrames), 0
		for ; k < len(most) && len(b) <= fullMessage; k++ {
			b = appendFrame(b, most[k])
		}
		n.credits -= k
		if !n.far.Offer(n.message.finish(b)) {
			if n.far != nil {
				n.credits += k
				break
			} // it was lost meanwhile, and these count as lost with it
		}
		for _, p := range most[:k] {
			p.Free()
		}
		sent += k
	}
	if n.far == nil {
		for ; sent < len(batch); sent++ {
			batch[sent].Free()
			n.ifc.Stats().TxDropped++
		}
	}
	n.starved = sent < len(batch)
	return sent
}

// Resume has the interface offer its queue again, if Send left something there.
func (n *NearDevice) Resume() {
	if n.starved {
		n.starved = false
		n.ifc.ResumeLocked()
	}
}

// Starved tells whether the interface waits for Resume.
func (n *NearDevice) Starved() bool { return n.starved }

var (
	errWindow = errors.New("remote: a device sent more frames than it may")
	errLink   = errors.New("remote: a device names an MTU that it cannot have")
)

// Handle carries out a message of the device. Its error is a breach of the
// contract.
func (n *NearDevice) Handle(msg []byte) error {
	k, _, r, err := Open(msg)
	if err != nil {
		return err
	}
	if n.far == nil {
		return nil
	}
	switch k {
	case KindFrames:
		if n.frames, err = r.frames(n.frames[:0]); err != nil {
			return err
		}
		if len(n.frames) > n.window {
			return errWindow
		}
		n.input()
		return nil
	case KindTaken:
		count := r.Count(n.limit - n.credits)
		if err := r.End(); err != nil {
			return err
		}
		n.credits += count
		n.Resume()
		return nil
	case KindLink:
		on, mtu := r.Bool(), r.Count(1<<16-1)
		if err := r.End(); err != nil {
			return err
		}
		if mtu != n.ifc.MTU() && n.ifc.SetMTULocked(mtu) != nil {
			return errLink
		}
		n.ifc.SetCarrier(on)
		return nil
	case KindLosses:
		var lost [4]uint32
		for i := range lost {
			lost[i] = r.Uint32()
		}
		if err := r.End(); err != nil {
			return err
		}
		st := n.ifc.Stats()
		st.RxErrors += uint64(lost[0])
		st.RxDropped += uint64(lost[1])
		st.TxErrors += uint64(lost[2])
		st.TxDropped += uint64(lost[3])
		return nil
	}
	return ErrMessage
}

// input gives the stack what came. The device may send as much again once the
// entry is over, since only then has the stack room for it.
func (n *NearDevice) input() {
	in := n.ifc.Instance()
	for _, f := range n.frames {
		p := in.NewInput(f)
		if p == nil {
			n.ifc.Stats().RxDropped++
			continue
		}
		n.ifc.Receive(p)
	}
	n.Input += uint64(len(n.frames))
	n.window -= len(n.frames)
	n.owed += len(n.frames)
	if n.owed >= receiveWindow/8 && !n.owing {
		n.owing = true
		in.Domain().Post(n.tell)
	}
}

// taken tells the device how much more it may send.
func (n *NearDevice) taken() {
	n.owing = false
	if n.far == nil || n.owed == 0 {
		return
	}
	b := appendCount(n.begin(KindTaken), n.owed)
	n.window += n.owed
	n.owed = 0
	n.far.Post(n.message.finish(b))
}
