package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

type iface interface{ M() }

type impl struct{ n int }

func (*impl) M() {}

type value struct{ n int }

func (value) M() {}

type entry struct {
	name  string
	sizes []int
	run   func(int) int
	next  *entry
}

func double(n int) int { return 2 * n }

func counter() func(int) int {
	var c int
	return func(n int) int { c += n; return c }
}

func makeEntry() entry { return entry{} }

func makeError() error { return nil }

// Legal declarations.
var (
	errShort        = errors.New("short")
	errLong         = fmt.Errorf("long: %w", errShort)
	errno     error = syscall.EINVAL
	any4            = netip.IPv4Unspecified()
	epoch           = time.Unix(0, 0)
	castagnoli      = crc32.MakeTable(crc32.Castagnoli)
	table           = [...]uint8{1, 2, 3}
	words           = []string{"a", "b"}
	entries         = []entry{{name: "a", sizes: []int{1}, run: double}, {run: func(n int) int { return n }}}
	methods         = [...]func(*impl){(*impl).M, nil}
	byCall          = makeTable()
	matrix          = [2][]int{{1}, {2}}
	empty     iface
	byValue   iface = value{1}
	_         iface = (*impl)(nil)
	total, on       = 5, true
)

func makeTable() (t [4]int) { return t }

// Declarations that can hold state.
var (
	byName    = map[string]int{}     // want `byName can hold state \(a map\)`
	events    chan int               // want `events can hold state \(a channel\)`
	current   *impl                  // want `current can hold state \(a pointer\)`
	now       = time.Now             // want `function variable now can be replaced`
	mu        sync.Mutex             // want `mu can hold state \(a sync.Mutex\)`
	count     atomic.Int64           // want `count can hold state \(a sync/atomic.Int64\)`
	pools     [2]sync.Pool           // want `pools can hold state \(a sync.Pool\)`
	guarded   struct{ l sync.Mutex } // want `guarded can hold state \(l: a sync.Mutex\)`
	impls     = []*impl{{}}          // want `impls can hold state \(a pointer\)`
	chained   = entry{next: &entry{}} // want `chained can hold state \(next: a pointer\)`
	hidden    = entry{run: counter()} // want `hidden can hold state \(run: a function made by a call\)`
	made      = makeEntry()          // want `made can hold state \(run: a function made by a call\)`
	boxed     iface = &impl{}        // want `boxed can hold state \(a pointer\)`
	unknown   error = makeError()    // want `unknown can hold state \(an interface of unknown content\)`
	raw       unsafe.Pointer         // want `raw can hold state \(an unsafe.Pointer\)`
	big1      big.Int                // its methods take the address
	a, b      = two()                // want `a can hold state \(a pointer\)`
)

func two() (*int, int) { return nil, 0 }

// Reads.
func reads(buf []byte) (int, error) {
	sum := int(table[1]) + len(words) + cap(words) + entries[0].sizes[0] + total
	for i := range table {
		sum += i
	}
	for _, w := range words {
		sum += len(w)
	}
	for _, e := range entries {
		e.name = "own copy"
		for _, s := range e.sizes {
			sum += s
		}
		sum += e.run(1)
	}
	t := table
	t[0] = 9
	own := t[:]
	own[0] = 1
	mine := append([]string(nil), words...)
	mine[0] = "x"
	copy(mine, words)
	if slices.Contains(words, "a") || words == nil {
		sum += int(binary.BigEndian.Uint16(buf)) + int(crc32.Checksum(buf, castagnoli))
	}
	local := words
	sum += len(local[0]) + look(words) + look(local)
	local = nil
	take(table)
	byValue.M()
	methods[0](nil)
	_ = errShort.Error()
	return sum, errShort
}

func take([3]uint8) {}

func look(list []string) int {
	if len(list) > 1 {
		return look(list[1:])
	}
	return len(list)
}

func (e *entry) touch() { e.name = "" }

type names []string

func (n names) set() { n[0] = "" }

var known = names{"a"}

// Writes and escapes.
func writes() []string {
	total = 6                 // want `total is written to`
	total++                   // want `total is written to`
	big1.SetInt64(1)         // want `big1 has its address taken by method SetInt64`
	on = !on                  // want `on is written to`
	table[1] = 3              // want `table is written to`
	table[1] += 3             // want `table is written to`
	entries[0].name = "b"     // want `entries is written to`
	entries[0].sizes[0] = 1   // want `entries is written to`
	errShort = nil            // want `errShort is written to`
	castagnoli[0] = 1         // want `castagnoli is written to`
	(*castagnoli)[0] = 1      // want `castagnoli is written to`
	p := &total               // want `total has its address taken`
	q := &table[0]            // want `table has its address taken`
	s := table[:]
	s[0] = 1                  // want `s is written to`
	entries[0].touch()        // want `entries has its address taken by method touch`
	known.set()               // want `known is handed to method set, which can write to it`
	words = append(words, "") // want `words is written to` `words is written to by append`
	copy(words, words)        // want `words is written to by copy`
	clear(words)              // want `words is written to by clear`
	slices.Sort(words)        // want `words is a slice passed to slices.Sort`
	local := words
	local[0] = ""             // want `local is written to`
	var other = words
	other[0] = ""             // want `other is written to`
	for _, e := range entries {
		e.sizes[0] = 1        // want `e is written to`
	}
	for total = range 3 {     // want `total is written to`
	}
	spoil(words)
	func(w []string) { w[0] = "" }(words) // want `words is a slice passed to a function value`
	variadic(matrix[0], matrix[1]) // want `matrix is a slice that leaves` `matrix is a slice that leaves`
	_ = names(words)          // want `words is converted to another slice type`
	_ = impl2{words}          // want `words is a slice that leaves the reader's sight`
	_, _ = p, q
	return words              // want `words is a slice that leaves the reader's sight`
}

type impl2 struct{ w []string }

func variadic(...[]int) {}

func spoil(list []string) {
	list[0] = "" // want `list is written to`
}
