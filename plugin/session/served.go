package session

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/remote"
	"github.com/libos-go/libos/host"
)

// device is one device of the module, in a Domain of its own. In real time its
// goroutines work while others do, and what it says goes out between the messages
// of others; in lockstep its clock is that of the stack.
type device struct {
	server *Server
	number int
	dev    core.Device
	far    *remote.FarDevice // nil before it has an interface
	lent   bool              // the way out is ours: see Borrow

	message []byte
	err     error
	visit   func()
}

// devices are those of a module by number.
type devices struct {
	byNumber map[int]*device
	real     *host.RealTime // made at first use
	deferred []*core.Domain // in lockstep: they go on before the message is done with
}

// device works on a message about a device; false if it is of another kind.
func (s *Server) device(k remote.Kind, msg []byte, r *remote.Reader) (mine bool, err error) {
	number := remote.Number(msg)
	d := s.devices.byNumber[number]
	switch {
	case k == kindDeviceOpen:
		return true, s.openDevice(number, r)
	case k != kindDeviceAttach && k != kindDeviceClose && k != kindDeviceSync && !ofDevice(k):
		return false, nil
	case d == nil:
		return true, fmt.Errorf("session: message %d for device %d, which is not open", k, number)
	}
	switch k {
	case kindDeviceAttach:
		return true, d.attach(r)
	case kindDeviceClose:
		if err := r.End(); err != nil {
			return true, err
		}
		delete(s.devices.byNumber, number)
		s.answerDevice(number, d.close(), nil)
		return true, nil
	case kindDeviceSync:
		s.answerDevice(number, nil, nil)
		return true, r.End()
	case kindDeviceTimer:
		if err := r.End(); err != nil || d.far == nil {
			return true, remote.ErrMessage
		}
		d.far.Domain().RunTimers()
		return true, nil
	}
	if d.far == nil {
		return true, remote.ErrMessage
	}
	d.message = msg
	d.far.Domain().Do(d.visit)
	return true, d.err
}

// openDevice opens a device and says what it is, or why not.
func (s *Server) openDevice(number int, r *remote.Reader) error {
	name := string(r.Block(maxName))
	parameters := map[string]string{}
	for range r.Count(maxParameters) {
		k := string(r.Block(maxText))
		parameters[k] = string(r.Block(maxText))
	}
	if err := r.End(); err != nil {
		return err
	}
	if s.devices.byNumber[number] != nil {
		return fmt.Errorf("session: device %d is opened twice", number)
	}
	for i := range s.protocols {
		p := &s.protocols[i]
		if p.Device == nil || p.Name != name {
			continue
		}
		dev, err := p.Device(parameters)
		if err != nil {
			s.answerDevice(number, err, nil)
			return nil
		}
		d := &device{server: s, number: number, dev: dev}
		d.visit = func() { d.err = d.far.Handle(d.message) }
		s.devices.byNumber[number] = d
		s.answerDevice(number, nil, remote.AppendProperties(nil, dev.Properties()))
		return nil
	}
	return fmt.Errorf("session: the module has no device kind %q", name)
}

// answerDevice answers a question: with an error, or with more.
func (s *Server) answerDevice(number int, err error, more []byte) {
	b := begin(s.buffer, remote.KindAnswer, number, s.now)
	if err != nil {
		text := err.Error()
		b = appendName(append(b, 1), text[:min(len(text), maxText)])
	} else {
		b = append(append(b, 0), more...)
	}
	s.buffer = b
	s.send(remote.Finish(b))
}

// attach gives the device its interface.
func (d *device) attach(r *remote.Reader) (err error) {
	instance, name := string(r.Block(maxName)), string(r.Block(maxName))
	seed1, seed2 := r.Uint64(), r.Uint64()
	wall := time.Unix(0, int64(r.Uint64()))
	if err := r.End(); err != nil || d.far != nil {
		return remote.ErrMessage
	}
	s := d.server
	var h core.Host
	if s.lockstep {
		h = &paced{quiet{s}, d, seed1, seed2, wall.Add(-time.Duration(s.now))}
	} else {
		if s.devices.real == nil {
			s.devices.real = host.NewRealTime(host.WithLog(s.log))
		}
		h = s.devices.real
	}
	d.far, err = remote.NewFarDevice(h, instance, name, d.dev, d)
	if err != nil {
		delete(s.devices.byNumber, d.number)
	}
	return err
}

func (d *device) close() error {
	if d.far == nil {
		return d.dev.Close()
	}
	return d.far.Close()
}

// Borrow implements remote.Lender: until the message that is begun there is on its
// way, others wait.
func (d *device) Borrow() []byte {
	d.server.sending.Lock()
	b := d.server.link.Borrow()
	if d.lent = b != nil; !d.lent {
		d.server.sending.Unlock()
	}
	return b
}

// Post implements remote.DevicePeer.
func (d *device) Post(msg []byte) {
	remote.SetNumber(msg, d.number)
	if !d.lent {
		d.server.sending.Lock()
	}
	d.lent = false
	defer d.server.sending.Unlock()
	d.server.sendLocked(msg)
}

// Offer implements remote.DevicePeer.
func (d *device) Offer(msg []byte) bool {
	d.Post(msg)
	return true
}

// settle has the Domains of devices go on that wait to.
func (s *Server) settle() {
	for {
		s.state.Lock()
		if len(s.devices.deferred) == 0 {
			s.state.Unlock()
			return
		}
		next := s.devices.deferred[0]
		s.devices.deferred = s.devices.deferred[1:]
		s.state.Unlock()
		next.Run()
	}
}

// paced drives the Domain of a device in lockstep: its timers are the stack's.
type paced struct {
	quiet
	d            *device
	seed1, seed2 uint64
	wall         time.Time // at the host's instant 0
}

// Now implements core.Host.
func (h *paced) Now() core.Time { return core.Time(h.s.clock.Load()) }

// WallNow implements core.Host.
func (h *paced) WallNow() time.Time { return h.wall.Add(time.Duration(h.Now())) }

// Time implements core.Host.
func (h *paced) Time(t time.Time) core.Time {
	if t.IsZero() {
		return 0
	}
	return max(1, core.Time(t.Sub(h.wall)))
}

// Arm implements core.Host.
func (h *paced) Arm(_ *core.Domain, t core.Time) {
	b := begin(nil, kindDeviceTimer, h.d.number, h.Now())
	h.d.Post(remote.Finish(binary.LittleEndian.AppendUint64(b, uint64(t))))
}

// Defer implements core.Host.
func (h *paced) Defer(d *core.Domain) {
	h.s.state.Lock()
	h.s.devices.deferred = append(h.s.devices.deferred, d)
	h.s.state.Unlock()
}

// Random implements core.Host.
func (h *paced) Random(stream string) core.Source {
	f := fnv.New64a()
	_, _ = f.Write([]byte(stream))
	return rand.NewPCG(h.seed1^f.Sum64(), h.seed2)
}
