package ring

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSizesThatCannotBeMappedAreRefused(t *testing.T) {
	for _, o := range []Options{{Main: 1}, {Main: os.Getpagesize() * 3}, {Answers: -4096}, {Main: 2 * MaxSize}} {
		if l, err := Host(o); err == nil {
			l.Close()
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestTheDefaultSizes(t *testing.T) {
	host, module := pair(t, Options{})
	for _, l := range []*Link{host, module} {
		if l.Main.Out.MaxRecord() != DefaultMain/2-8 || l.Answers.In.MaxRecord() != DefaultAnswers/2-8 {
			t.Errorf("longest records %d and %d", l.Main.Out.MaxRecord(), l.Answers.In.MaxRecord())
		}
	}
}

// spoiled returns the files of a session with one of them replaced.
func spoiled(t *testing.T, i int, f *os.File) []*os.File {
	t.Helper()
	host, err := Host(small())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close() })
	files := append([]*os.File{}, host.Files()...)
	files[i] = f
	return files
}

func TestAModuleRefusesMemoryThatIsNotSafeToMap(t *testing.T) {
	e := extent{os.Getpagesize(), small().Main, small().Answers}
	memory := func(e extent, seals int) *os.File {
		fd, err := createMemory("test", e)
		if err != nil {
			t.Fatal(err)
		}
		if err := seal(fd, seals); err != nil {
			t.Fatal(err)
		}
		return os.NewFile(uintptr(fd), "test")
	}
	plain, err := os.Create(t.TempDir() + "/plain")
	if err != nil {
		t.Fatal(err)
	}
	larger := e
	larger.main *= 2
	for _, c := range []struct {
		name string
		at   int
		file *os.File
		says string
	}{
		{"no memfd", 1, plain, "no memory with seals"},
		{"unsealed", 1, memory(e, 0), "seals"},
		{"can shrink", 1, memory(e, unix.F_SEAL_GROW|unix.F_SEAL_SEAL), "seals"},
		{"another size", 1, memory(larger, sealsOfModule), "bytes"},
		{"not from a host", 0, memory(e, sealsOfHost), "magic"},
	} {
		if l, err := Module(spoiled(t, c.at, c.file)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v", c.name, l, err)
		}
	}
	if _, err := Module(nil); err == nil {
		t.Error("a module joins with no files")
	}
}

// descriptors returns how many descriptors this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// mappings returns how many mappings of this process are rings of a name.
func mappings(t *testing.T, name string) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(maps), name)
}

func TestAClosedLinkLeavesNothingBehind(t *testing.T) {
	before := descriptors(t)
	func() {
		host, err := Host(Options{Name: "left-behind"})
		if err != nil {
			t.Fatal(err)
		}
		module, err := Module(host.Files())
		if err != nil {
			t.Fatal(err)
		}
		if n := mappings(t, "left-behind"); n == 0 {
			t.Error("no mappings while open")
		}
		host.Close()
		module.Close()
	}()
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors before, %d after", before, n)
	}
	for range 1000 { // the collector decides when
		runtime.GC()
		if mappings(t, "left-behind") == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d mappings stay", mappings(t, "left-behind"))
}

func TestAFailedJoinLeavesNothingBehind(t *testing.T) {
	host, err := Host(small())
	if err != nil {
		t.Fatal(err)
	}
	files := append([]*os.File{}, host.Files()...)
	host.Close()
	before := descriptors(t)
	if _, err := Module(files); err == nil {
		t.Fatal("a module joins with closed files")
	}
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors before, %d after", before, n)
	}
}
