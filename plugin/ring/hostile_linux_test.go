package ring

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestWhatMakesNoSenseIsAFault(t *testing.T) {
	page := uint64(small().Main)
	for _, c := range []struct {
		name  string
		spoil func(module *Link)
		rule  string
	}{
		{"a head between two records' places", func(m *Link) { m.Main.Out.shared.Store(12) }, ruleHeadAlignment},
		{"a head more than a ring ahead", func(m *Link) { m.Main.Out.shared.Store(page + 8) }, ruleHeadDistance},
		{"a head behind the tail", func(m *Link) { m.Main.Out.shared.Store(^uint64(7)) }, ruleHeadDistance},
		{"a length over the limit", func(m *Link) { m.Main.Out.data[1] = 0xff; m.Main.Out.shared.Store(page) }, ruleLength},
		{"a length past the head", func(m *Link) { m.Main.Out.data[0] = 1; m.Main.Out.shared.Store(8) }, ruleRecord},
	} {
		host, module := pair(t, small())
		c.spoil(module)
		if !host.Main.In.Ready() {
			t.Errorf("%s: the reader is not woken", c.name)
		}
		for range 2 { // it stays
			p, err := host.Main.In.Next()
			var f *Fault
			if !errors.As(err, &f) || f.Rule != c.rule || f.Ring != "main in" || p != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if err := host.Main.In.Wait(soon()); !errors.As(err, &f) {
				t.Errorf("%s: wait: %v", c.name, err)
			}
		}
		if host.Faults() != 1 {
			t.Errorf("%s: %d faults counted", c.name, host.Faults())
		}
	}
}

func TestATailThatMakesNoSenseIsAFault(t *testing.T) {
	for _, c := range []struct {
		name string
		tail uint64
		rule string
	}{
		{"between two records' places", 132, ruleTailAlignment},
		{"past the head", 2 * uint64(small().Main), ruleTailDistance},
		{"back", 64, ruleTailDistance},
	} {
		host, module := pair(t, small())
		w := &host.Main.Out
		fillUp(t, w)
		module.Main.In.shared.Store(128)
		if !w.Write(make([]byte, 120)) {
			t.Fatalf("%s: no room for one record after one was read", c.name)
		}
		module.Main.In.shared.Store(c.tail)
		for range 2 {
			if w.Reserve(0) != nil || w.Write(nil) {
				t.Errorf("%s: there is room", c.name)
			}
			var f *Fault
			if !errors.As(w.Err(), &f) || f.Rule != c.rule || f.Ring != "main out" {
				t.Errorf("%s: %v", c.name, w.Err())
			}
			if err := w.WaitSpace(soon()); !errors.As(err, &f) {
				t.Errorf("%s: wait for room: %v", c.name, err)
			}
		}
		if host.Faults() != 1 {
			t.Errorf("%s: %d faults counted", c.name, host.Faults())
		}
	}
}

func TestAFaultIsOfOneRing(t *testing.T) {
	host, module := pair(t, small())
	module.Main.Out.shared.Store(12)
	if _, err := host.Main.In.Next(); err == nil {
		t.Fatal("no fault")
	}
	module.Answers.Out.Write([]byte("still here"))
	if p, err := host.Answers.In.Next(); string(p) != "still here" || err != nil {
		t.Errorf("the other ring: %q, %v", p, err)
	}
}

func TestAFloodOfDoorbellsEndsTheSession(t *testing.T) {
	host, module := pair(t, small())
	ended := make(chan error)
	go func() { ended <- host.Main.In.Wait(soon()) }()
	for range 4*small().Main/recordAlign + 10 {
		module.ring()
	}
	var f *Fault
	if err := <-ended; !errors.As(err, &f) || f.Rule != ruleDoorbell {
		t.Errorf("the wait says %v", err)
	}
	if host.Faults() != 1 {
		t.Errorf("%d faults counted", host.Faults())
	}
}

// scribble writes n words of nonsense, some of it likely, over all that a module
// can write: its control words and its rings.
func scribble(module *Link, r *rand.Rand, n int) {
	var words []*[1 << 20]uint32
	var lens []int
	for _, lane := range []*Lane{&module.Main, &module.Answers} {
		words = append(words, (*[1 << 20]uint32)(unsafe.Pointer(&lane.Out.data[0])))
		lens = append(lens, len(lane.Out.data)/4)
	}
	for range n {
		i := r.IntN(2)
		lane := []*Lane{&module.Main, &module.Answers}[i]
		switch k := r.Uint64(); r.IntN(8) {
		case 0:
			switch r.IntN(64) {
			case 0:
				lane.Out.shared.Store(k)
			default: // what was misaligned comes in order again
				lane.Out.shared.Store((lane.Out.shared.Load() + 7) &^ 7)
			}
		case 1:
			lane.Out.shared.Add(k % 1024 &^ 7)
		case 2:
			lane.In.shared.Store(k)
		case 3:
			lane.In.sleep.word.Store(k)
			lane.Out.sleep.word.Store(k >> 1)
		default:
			words[i][r.IntN(lens[i])] = uint32(k % 5000)
		}
	}
}

func scribbleForEver(l *Link) error {
	r := rand.New(rand.NewPCG(7, 7))
	for !l.ended() {
		scribble(l, r, 1000)
	}
	return nil
}

// fresh puts a reader and a writer back to what they may believe after a fault,
// as a new session would, so that a test can go on with one memory.
func fresh(lane *Lane, head uint64) {
	lane.In.fault, lane.Out.fault = nil, nil
	lane.In.head, lane.In.tail, lane.In.hand = head, head, head
	lane.Out.max = uint64(maxRecord(int(lane.Out.size)))
	lane.Out.tail = lane.Out.head
}

// suffer uses every method of the host against a peer that scribbles, count
// times, and returns how many records and faults it saw.
func suffer(t *testing.T, host *Link, count int) (records, faults int) {
	for i := range count {
		for _, lane := range []*Lane{&host.Main, &host.Answers} {
			p, err := lane.In.Next()
			if p != nil {
				records++
				if len(p) > lane.In.MaxRecord() {
					t.Fatalf("record of %d bytes", len(p))
				}
			}
			lane.In.Ready()
			lane.In.Release()
			if q := lane.Out.Reserve(i % 100); q != nil {
				lane.Out.Commit(len(q))
			}
			if err != nil || lane.Out.Err() != nil {
				faults++
				fresh(lane, lane.In.peerHead.Load()&^7)
			}
		}
	}
	return records, faults
}

func TestAScribblingPeerDoesTheHostNoHarm(t *testing.T) {
	host, module := pair(t, small())
	r := rand.New(rand.NewPCG(1, 2))
	records, faults := 0, 0
	for range 20_000 {
		scribble(module, r, 5)
		n, f := suffer(t, host, 10)
		records, faults = records+n, faults+f
	}
	if records == 0 || faults == 0 {
		t.Errorf("%d records and %d faults: the scribbling tests nothing", records, faults)
	}
}

func TestAScribblingProcessDoesTheHostNoHarm(t *testing.T) {
	host, _, _ := process(t, small(), "scribble")
	for !host.Main.In.Ready() { // it rings for nothing it does
		time.Sleep(time.Millisecond)
	}
	records, faults := suffer(t, host, 500_000)
	t.Logf("%d records, %d faults", records, faults)
	if faults == 0 { // whether there are records as well depends on who runs when
		t.Error("no faults: the scribbling tests nothing")
	}
}

func TestAModuleCannotGetRoundTheSeals(t *testing.T) {
	host, _, said := process(t, small(), "tamper")
	if s := <-said; s != "ok" {
		t.Errorf("a module could: %s", s)
	}
	// All of the module's memory is still there to be read.
	var sum byte
	for _, ring := range [][]byte{host.Main.In.data, host.Answers.In.data} {
		for _, b := range ring {
			sum |= b
		}
	}
	if sum != 0 {
		t.Error("the module wrote into its rings")
	}
}

// tamper is a module that tries what the seals forbid.
func tamper(l *Link) error {
	host, module := findMemory("libos-ring-host:test"), findMemory("libos-ring-module:test")
	if host < 0 || module < 0 {
		return fmt.Errorf("no descriptors to tamper with: %d and %d", host, module)
	}
	size := small().Main * 3
	write := func(fd int) error {
		_, err := unix.Pwrite(fd, []byte{1}, 0)
		return err
	}
	mapWritable := func(fd int) error {
		_, err := unix.MmapPtr(fd, 0, nil, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		return err
	}
	reopen := func(fd int) error {
		again, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDWR, 0)
		if err != nil {
			return err
		}
		return mapWritable(again)
	}
	for _, c := range []struct {
		name string
		err  error
	}{
		{"map the host's memory writable", mapWritable(host)},
		{"open the host's memory again and map it writable", reopen(host)},
		{"make the mapping of the host's memory writable", unix.Mprotect(l.Main.In.data[:small().Main], unix.PROT_READ|unix.PROT_WRITE)},
		{"write to the host's memory", write(host)},
		{"punch a hole into the host's memory", unix.Fallocate(host, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, int64(size))},
		{"truncate the host's memory", unix.Ftruncate(host, 0)},
		{"truncate the module's memory", unix.Ftruncate(module, 0)},
		{"grow the module's memory", unix.Ftruncate(module, int64(size)*2)},
		{"seal the module's memory against the module", seal(module, unix.F_SEAL_WRITE)},
	} {
		if !errors.Is(c.err, unix.EPERM) && !errors.Is(c.err, unix.EACCES) {
			return fmt.Errorf("%s: %v", c.name, c.err)
		}
	}
	return nil
}

// findMemory returns a descriptor of this process that is a memfd of a name, or
// -1.
func findMemory(name string) int {
	for fd := 3; fd < 64; fd++ {
		buf := make([]byte, 256)
		n, err := unix.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd), buf)
		if err == nil && strings.HasPrefix(string(buf[:n]), "/memfd:"+name) {
			return fd
		}
	}
	return -1
}
