package ring

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"testing"
	"time"
)

// processRecords is the length of the streams between processes.
const processRecords = 100_000

func TestEveryRecordArrivesOnceAndInOrder(t *testing.T) {
	host, module := pair(t, small())
	streams := []struct {
		w *Writer
		r *Reader
	}{
		{&host.Main.Out, &module.Main.In},
		{&module.Main.Out, &host.Main.In},
		{&host.Answers.Out, &module.Answers.In},
		{&module.Answers.Out, &host.Answers.In},
	}
	const count = 20_000
	errs := make(chan error)
	for i, s := range streams {
		go func() { errs <- produce(s.w, uint64(i), count) }()
		go func() { errs <- consume(s.r, uint64(i), count) }()
	}
	for range 2 * len(streams) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := host.Faults() + module.Faults(); n != 0 {
		t.Errorf("%d faults", n)
	}
}

func TestEveryRecordArrivesFromAnotherProcess(t *testing.T) {
	host, _, said := process(t, small(), "source")
	if err := consume(&host.Main.In, 1, processRecords); err != nil {
		t.Error(err)
	}
	if s := <-said; s != "ok" {
		t.Errorf("the module says: %s", s)
	}
}

func TestEveryRecordArrivesInAnotherProcess(t *testing.T) {
	host, _, said := process(t, small(), "sink")
	if err := produce(&host.Main.Out, 1, processRecords); err != nil {
		t.Error(err)
	}
	if s := <-said; s != "ok" {
		t.Errorf("the module says: %s", s)
	}
}

func TestARecordOfEachLengthAtEachPlaceIsWhole(t *testing.T) {
	host, module := pair(t, small())
	for _, way := range []struct {
		w *Writer
		r *Reader
	}{{&host.Main.Out, &module.Main.In}, {&module.Main.Out, &host.Main.In}} {
		max := way.w.MaxRecord()
		msg := make([]byte, max)
		for n := 0; n <= max; n++ {
			fill(msg[:n], n)
			if !way.w.Write(msg[:n]) {
				t.Fatalf("no room for %d bytes in an empty ring", n)
			}
			if got, err := way.r.Next(); err != nil || got == nil || !bytes.Equal(got, msg[:n]) {
				t.Fatalf("record of %d bytes: got %d, nil %v, %v", n, len(got), got == nil, err)
			}
			way.r.Release()
		}
		// The same record at every place of the ring, so that it lies over its end
		// in all ways.
		for range os.Getpagesize() / recordAlign {
			for _, n := range []int{100, 0} {
				fill(msg[:n], n)
				if !way.w.Write(msg[:n]) {
					t.Fatal("no room")
				}
				if got, err := way.r.Next(); err != nil || !bytes.Equal(got, msg[:n]) {
					t.Fatalf("record at %d: %d bytes, %v", way.r.tail, len(got), err)
				}
				way.r.Release()
			}
		}
	}
}

func TestARecordThatIsTooLongIsRefused(t *testing.T) {
	host, _ := pair(t, small())
	w := &host.Main.Out
	if w.Reserve(w.MaxRecord()+1) != nil || w.Reserve(-1) != nil {
		t.Error("a place for a record that no ring can carry")
	}
	if w.MaxRecord() != os.Getpagesize()/2-recordHeader {
		t.Errorf("longest record %d", w.MaxRecord())
	}
}

func TestCommitMayShortenTheRecord(t *testing.T) {
	host, module := pair(t, small())
	copy(host.Main.Out.Reserve(100), "abcdef")
	host.Main.Out.Commit(3)
	if got, _ := module.Main.In.Next(); string(got) != "abc" {
		t.Errorf("got %q", got)
	}
	if got, _ := module.Main.In.Next(); got != nil {
		t.Errorf("and %q", got)
	}
}

func TestWriteTakesWhatIsInPlaceAlready(t *testing.T) {
	host, module := pair(t, Options{})
	w, r := &module.Main.Out, &host.Main.In
	for _, x := range []struct {
		name string
		msg  func(place []byte) []byte
		want string
	}{
		{"in place", func(p []byte) []byte { return append(p[:0], "in place"...) }, "in place"},
		{"all of it", func(p []byte) []byte { return p }, string(make([]byte, 20))},
		{"elsewhere", func(p []byte) []byte { copy(p, "not this"); return []byte("this") }, "this"},
		{"behind the beginning", func(p []byte) []byte { return append(p[:0], "behind"...)[2:] }, "hind"},
		{"outgrown", func(p []byte) []byte { return append(p[:0], make([]byte, 30)...) }, string(make([]byte, 30))},
		{"empty", func(p []byte) []byte { return p[:0] }, ""},
	} {
		place := w.Reserve(20)
		clear(place)
		if !w.Write(x.msg(place)) {
			t.Fatalf("%s: no room", x.name)
		}
		if got, err := r.Next(); err != nil || string(got) != x.want {
			t.Errorf("%s: %q, %v; want %q", x.name, got, err, x.want)
		}
		if got, err := r.Next(); got != nil || err != nil {
			t.Errorf("%s: another record %q, %v", x.name, got, err)
		}
	}
}

func TestStagedRecordsAreSeenWithThePublication(t *testing.T) {
	host, module := pair(t, small())
	for _, s := range []string{"one", "two"} {
		copy(host.Main.Out.Reserve(3), s)
		host.Main.Out.Stage(3)
	}
	if module.Main.In.Ready() {
		t.Error("a staged record is to be seen")
	}
	host.Main.Out.Publish()
	for _, s := range []string{"one", "two"} {
		if got, _ := module.Main.In.Next(); string(got) != s {
			t.Errorf("got %q, want %q", got, s)
		}
	}
}

func TestReadyLooksWithoutTaking(t *testing.T) {
	host, module := pair(t, small())
	for _, way := range []struct {
		w *Writer
		r *Reader
	}{{&host.Main.Out, &module.Main.In}, {&module.Main.Out, &host.Main.In}} {
		if way.r.Ready() {
			t.Error("ready while empty")
		}
		way.w.Write([]byte("a"))
		way.w.Write([]byte("b"))
		for range 2 {
			if !way.r.Ready() || !way.r.Ready() {
				t.Error("not ready with a record left")
			}
			if p, err := way.r.Next(); len(p) != 1 || err != nil {
				t.Errorf("next: %q, %v", p, err)
			}
		}
		if way.r.Ready() {
			t.Error("ready after the last record")
		}
	}
}

// fillUp writes records of 120 bytes (128 in the ring) until none fits.
func fillUp(t *testing.T, w *Writer) (count int) {
	t.Helper()
	for w.Write(make([]byte, 120)) {
		count++
	}
	if count != os.Getpagesize()/128 {
		t.Fatalf("%d records of 128 bytes fill a ring of %d", count, os.Getpagesize())
	}
	return count
}

func TestTheWriterHearsOfRoomAtHalf(t *testing.T) {
	host, module := pair(t, small())
	for _, way := range []struct {
		w *Writer
		r *Reader
	}{{&host.Main.Out, &module.Main.In}, {&module.Main.Out, &host.Main.In}} {
		way.w.sleep.patience = 0
		count := fillUp(t, way.w)
		if err := way.w.WaitSpace(time.Now().Add(time.Millisecond)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wait for room in a full ring: %v", err)
		}
		told := make(chan error)
		go func() { told <- way.w.WaitSpace(soon()) }()
		for i := range count / 2 {
			if way.w.Ready() {
				t.Errorf("half is free after %d of %d records", i, count)
			}
			if p, err := way.r.Next(); len(p) != 120 || err != nil {
				t.Fatalf("record %d: %d bytes, %v", i, len(p), err)
			}
		}
		way.r.Release()
		if err := <-told; err != nil {
			t.Errorf("wait for room: %v", err)
		}
		if way.w.Reserve(way.w.MaxRecord()) == nil {
			t.Error("half a ring is no room for the longest record")
		}
	}
}

func TestAWaitEndsAtItsDeadline(t *testing.T) {
	host, _ := pair(t, small())
	for _, d := range []time.Duration{-time.Second, 0, 2 * time.Millisecond} {
		start := time.Now()
		if err := host.Main.In.Wait(start.Add(d)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wait for %v: %v", d, err)
		}
		if time.Since(start) < d {
			t.Errorf("a wait for %v took %v", d, time.Since(start))
		}
	}
}

// waits starts every wait of a Link and returns what they end with.
func waits(t *testing.T, l *Link) <-chan error {
	ended := make(chan error)
	for _, lane := range []*Lane{&l.Main, &l.Answers} {
		fillUp(t, &lane.Out)
		go func() { ended <- lane.In.Wait(time.Time{}) }()
		go func() { ended <- lane.Out.WaitSpace(time.Time{}) }()
	}
	return ended
}

func TestCloseWakesEveryWait(t *testing.T) {
	host, _ := pair(t, small())
	ended := waits(t, host)
	host.Close()
	for range 4 {
		if err := <-ended; err != ErrClosed {
			t.Errorf("a wait ended by Close says %v", err)
		}
	}
}

func TestTheEndOfThePeerWakesEveryWait(t *testing.T) {
	for _, name := range []string{"host", "module"} {
		host, module := pair(t, small())
		l, peer := host, module
		if name == "module" {
			l, peer = module, host
		}
		ended := waits(t, l)
		peer.Close()
		for range 4 {
			if err := <-ended; err != ErrPeerGone {
				t.Errorf("a wait of the %s says %v", name, err)
			}
		}
		if l.Err() != ErrPeerGone {
			t.Errorf("the link of the %s says %v", name, l.Err())
		}
	}
}

func TestAKilledModuleWakesEveryWait(t *testing.T) {
	host, module, _ := process(t, small(), "sleep")
	ended := waits(t, host)
	if err := module.Kill(); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if err := <-ended; err != ErrPeerGone {
			t.Errorf("a wait says %v", err)
		}
	}
}

func TestAModuleWhoseHostEndsHearsOfIt(t *testing.T) {
	host, _, said := process(t, small(), "drain")
	host.Main.Out.Write([]byte("last"))
	host.Close()
	if s := <-said; s != "ok" {
		t.Errorf("the module says: %s", s)
	}
}

func TestRecordsBeforeThePeersEndAreReadFirst(t *testing.T) {
	host, module := pair(t, small())
	module.Main.Out.Write([]byte("last words"))
	module.Close()
	<-host.Done()
	if err := host.Main.In.Wait(soon()); err != nil {
		t.Fatalf("wait with a record left: %v", err)
	}
	if p, err := host.Main.In.Next(); string(p) != "last words" || err != nil {
		t.Errorf("got %q, %v", p, err)
	}
	if err := host.Main.In.Wait(soon()); err != ErrPeerGone {
		t.Errorf("wait after the last record: %v", err)
	}
}

// countStrikes counts the doorbells of a Link instead of ringing them.
func countStrikes(l *Link) *int {
	n := new(int)
	l.strike = func(uintptr) bool { *n++; return true }
	return n
}

func TestADoorbellIsRungOnceAnEpochAndNeverForTheAwake(t *testing.T) {
	host, module := pair(t, small())
	strikes := countStrikes(host)
	sleep := module.Main.In.sleep.word
	for _, step := range []struct {
		word uint64
		want int
	}{{0, 0}, {1<<1 | wanted, 1}, {1<<1 | wanted, 1}, {1 << 1, 1}, {2<<1 | wanted, 2}} {
		sleep.Store(step.word)
		for range 3 {
			host.Main.Out.Write(nil)
		}
		if *strikes != step.want {
			t.Errorf("sleep word %#x: %d doorbells so far, want %d", step.word, *strikes, step.want)
		}
	}
}

func TestADoorbellThatComesLateSpendsNoWish(t *testing.T) {
	host, module := pair(t, small())
	impatient(module)
	r := &module.Main.In
	ended := make(chan error)
	go func() { ended <- r.Wait(time.Now().Add(10 * time.Second)) }()
	for r.sleep.word.Load()&wanted == 0 {
		time.Sleep(time.Millisecond)
	}
	// The writer rings for a record that was taken before the wish.
	wish := r.sleep.word.Load()
	host.Main.Out.rung = wish
	host.ring()
	for r.sleep.word.Load() == wish {
		time.Sleep(time.Millisecond)
	}
	host.Main.Out.Write([]byte("next"))
	if err := <-ended; err != nil {
		t.Errorf("the reader sleeps on: %v", err)
	}
}

// One goroutine dozes while another takes the record that the doorbell was for:
// the wish was answered, and whoever still dozes needs another.
func TestADozeThatWasForestalledWishesAgain(t *testing.T) {
	host, module := pair(t, Options{})
	impatient(host)
	word := &host.Main.In.sleep
	ended := make(chan error, 1)
	go func() { ended <- host.Main.In.Doze(time.Now().Add(time.Minute)) }()
	for word.word.Load()&wanted == 0 {
		runtime.Gosched()
	}
	module.Main.Out.rung = word.word.Load() // rung for a record that is gone again
	word.token <- struct{}{}
	for deadline := time.Now().Add(10 * time.Second); word.word.Load() == module.Main.Out.rung; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("it sleeps on with a wish that was answered")
		}
	}
	if !module.Main.Out.Write([]byte("x")) {
		t.Fatal("no room")
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAFullPipeDoesNotHoldTheWriter(t *testing.T) {
	host, _, _ := process(t, small(), "sleep")
	for range 100_000 { // more than the 65,536 that a pipe holds; the peer reads at its own pace
		host.ring()
	}
	if err := host.Err(); err != nil && err != ErrPeerGone {
		t.Error(err)
	}
}

func TestSleepersMissNoRecord(t *testing.T) {
	host, module := pair(t, small())
	for _, l := range []*Link{host, module} {
		l.Main.In.sleep.patience = 0 // always to sleep
	}
	go func() { _ = echo(module) }()
	for i := range 20_000 {
		if !host.Main.Out.Write([]byte{byte(i)}) {
			t.Fatal("no room")
		}
		if err := host.Main.In.Wait(soon()); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		if p, err := host.Main.In.Next(); len(p) != 1 || p[0] != byte(i) || err != nil {
			t.Fatalf("round %d: %v, %v", i, p, err)
		}
	}
}

func TestRoundTripsThroughAnotherProcess(t *testing.T) {
	host, _, _ := process(t, small(), "echo")
	for i := range 20_000 {
		if !host.Main.Out.Write([]byte{byte(i)}) {
			t.Fatal("no room")
		}
		if err := host.Main.In.Wait(soon()); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		if p, err := host.Main.In.Next(); len(p) != 1 || p[0] != byte(i) || err != nil {
			t.Fatalf("round %d: %v, %v", i, p, err)
		}
	}
}

func TestNothingIsAllocatedForARecord(t *testing.T) {
	host, module := pair(t, small())
	msg := make([]byte, 64)
	for _, way := range []struct {
		w *Writer
		r *Reader
	}{{&host.Main.Out, &module.Main.In}, {&module.Main.Out, &host.Main.In}} {
		if n := testing.AllocsPerRun(1000, func() {
			way.w.Write(msg)
			if p, _ := way.r.Next(); len(p) != len(msg) {
				t.Error("lost")
			}
		}); n != 0 {
			t.Errorf("%v allocations a record", n)
		}
	}
}

func TestNothingIsAllocatedForAWait(t *testing.T) {
	host, module := pair(t, small())
	for _, l := range []*Link{host, module} {
		l.Main.In.sleep.patience = 0
	}
	go func() { _ = echo(module) }()
	deadline := soon()
	if n := testing.AllocsPerRun(1000, func() {
		host.Main.Out.Write(nil)
		if err := host.Main.In.Wait(deadline); err != nil {
			t.Error(err)
		}
		_, _ = host.Main.In.Next()
	}); n != 0 {
		t.Errorf("%v allocations a round trip of two sleeps", n)
	}
}
