package ring

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// Options describe a Link to Host. The zero value is a good one.
type Options struct {
	Name    string // of the module, for /proc/PID/maps and error messages
	Main    int    // bytes of each main ring: a power of two, at least a page; 0: DefaultMain
	Answers int    // bytes of each ring of answers, likewise; 0: DefaultAnswers
}

// The sizes of rings that nobody chose, and the largest that may be chosen.
const (
	DefaultMain    = 512 << 10
	DefaultAnswers = 256 << 10
	MaxSize        = 256 << 20
)

// check fills in the defaults and refuses sizes that cannot be mapped.
func (o *Options) check() error {
	if o.Main == 0 {
		o.Main = DefaultMain
	}
	if o.Answers == 0 {
		o.Answers = DefaultAnswers
	}
	for _, size := range []int{o.Main, o.Answers} {
		if size < os.Getpagesize() || size > MaxSize || size&(size-1) != 0 {
			return fmt.Errorf("ring: a ring of %d bytes: sizes are powers of two from a page (%d) to %d", size, os.Getpagesize(), MaxSize)
		}
	}
	return nil
}

// A Lane is a pair of rings, one in each direction.
type Lane struct {
	In  Reader
	Out Writer
}

// A Link is one end of a session between a host and a module. Both ends have the
// same methods; only the host's reader copies, and only it has Files.
type Link struct {
	Main    Lane // what either side does of its own accord
	Answers Lane // what it owes the other: never behind a main ring that is full

	bellIn  *os.File        // the peer's doorbell, read by listen alone
	bellOut *os.File        // ours
	bell    syscall.RawConn // of bellOut: its Write is safe against a Close meanwhile
	strike  func(fd uintptr) bool

	faults atomic.Uint64
	done   chan struct{} // closed when the session ends
	end    sync.Once
	err    error // why; to be read after done
	handed []*os.File
}

// memory is what one end of a Link maps.
type memory struct {
	ownPage, peerPage []byte    // control words; the own ones writable
	ownRing, peerRing [2][]byte // main and answers, each twice in a row
}

// start lays the rings over the memory and listens.
func (l *Link) start(m memory, copies bool) error {
	var err error
	if l.bell, err = l.bellOut.SyscallConn(); err != nil {
		return err
	}
	l.done = make(chan struct{})
	for i, lane := range []*Lane{&l.Main, &l.Answers} {
		name, place := [...]string{"main", "answers"}[i], lanePlace(i)
		size := len(m.ownRing[i]) / 2
		w, r := &lane.Out, &lane.In
		*w = Writer{
			link: l, name: name + " out", size: uint64(size), max: uint64(maxRecord(size)), data: m.ownRing[i], reserved: -1,
			shared: word(m.ownPage, place+atHead), peerTail: word(m.peerPage, place+atTail), peerData: word(m.peerPage, place+atWantData),
		}
		w.sleep.init(l, word(m.ownPage, place+atWantRoom), w.Ready)
		r.link, r.name, r.size, r.max, r.data, r.copies = l, name+" in", uint64(size), uint64(maxRecord(size)), m.peerRing[i], copies
		r.shared, r.peerHead, r.peerRoom = word(m.ownPage, place+atTail), word(m.peerPage, place+atHead), word(m.peerPage, place+atWantRoom)
		r.sleep.init(l, word(m.ownPage, place+atWantData), r.Ready)
		if copies {
			r.buf = make([]byte, firstBuffer)
		}
	}
	go l.listen()
	return nil
}

// listen waits for doorbells and for the peer's end. The bytes mean nothing: who
// can go on is seen in the rings.
func (l *Link) listen() {
	buf := make([]byte, 64)
	var rung uint64
	for {
		n, err := l.bellIn.Read(buf)
		if err != nil {
			l.finish(ErrPeerGone)
			return
		}
		rung += uint64(n)
		if most := l.mostBells(); rung > most {
			// A peer that rings without end costs a processor, so it is shown the door.
			l.faults.Add(1)
			l.finish(&Fault{Ring: "doorbell", Rule: ruleDoorbell, Position: most, Value: rung})
			return
		}
		for _, lane := range []*Lane{&l.Main, &l.Answers} {
			lane.In.sleep.notify()
			lane.Out.sleep.notify()
		}
	}
}

// mostBells returns how many doorbells the peer can have had reason for since the
// start. Each goes with a head or a tail that moved, by 8 bytes at least: its
// heads are at most a ring ahead of what was read (which seen tells no more than
// a ring too late), its tails at most where our heads are.
func (l *Link) mostBells() uint64 {
	var moved uint64
	for _, lane := range []*Lane{&l.Main, &l.Answers} {
		moved += lane.In.seen.Load() + 2*lane.In.size + lane.Out.shared.Load()
	}
	return moved / recordAlign
}

// ring sends one doorbell, never blocking. A pipe that is full holds some that
// the peer did not hear yet; they will do.
func (l *Link) ring() { _ = l.bell.Write(l.strike) }

// finish ends all waits, the first time it is called.
func (l *Link) finish(err error) {
	l.end.Do(func() {
		l.err = err
		close(l.done)
	})
}

func (l *Link) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// Done returns a channel that is closed when the session ends: by Close, by the
// peer's Close or death, by a flood of doorbells. Records that came before are
// still there to be read.
func (l *Link) Done() <-chan struct{} { return l.done }

// Err returns why the session ended (ErrClosed, ErrPeerGone or a *Fault of the
// doorbell), or nil while it lasts. Faults of single rings are told by their
// readers and writers.
func (l *Link) Err() error {
	if l.ended() {
		return l.err
	}
	return nil
}

// Faults returns how many faults of the peer were found: at most one a ring and
// one of the doorbell, since each ends what it was found in.
func (l *Link) Faults() uint64 { return l.faults.Load() }

// Files returns the descriptors to hand to the module, in the order in which
// Module wants them: the host's memory, the module's memory, the pipe on which
// the module hears doorbells, the pipe on which it rings. They stay the Link's:
// call HandedOver once the module has them. Nil on the module's side.
func (l *Link) Files() []*os.File { return l.handed }

// HandedOver closes the host's copies of Files. Before that the death of the
// module cannot be seen: the host itself holds the other ends of the pipes.
func (l *Link) HandedOver() {
	for _, f := range l.handed {
		f.Close() // may be closed already: by whom it was handed to in this process
	}
}

// Close ends the session: every wait of this end returns ErrClosed, and the
// peer's waits ErrPeerGone. Readers and writers may be in use meanwhile; the
// memory is unmapped when the garbage collector finds that nobody holds the Link,
// a Reader or a Writer any more. A slice of a ring alone does not count as
// holding it.
func (l *Link) Close() error {
	l.finish(ErrClosed)
	l.HandedOver()
	l.bellIn.Close()
	l.bellOut.Close()
	return nil
}
