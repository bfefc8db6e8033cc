package allocator

// Account is what one instance has taken from its Domain's Pool. The zero value is an
// account without a limit. It is embedded by value in the instance; it must not be copied
// or moved while something is charged to it. Like the Pool it is guarded by the Domain's mutex.
//
// All functions of this package that take an Account also take nil: nothing is charged then.
type Account struct {
	bytes    int64
	peak     int64
	limit    int64
	failures uint64
	pages    int32
	objects  int32
}

// SetLimit bounds the bytes charged to the account; 0 or less takes the bound away.
// A limit below what is already charged fails new allocations until enough is freed.
func (a *Account) SetLimit(bytes int64) { a.limit = max(bytes, 0) }

// Limit is the bound in bytes, 0 if there is none.
func (a *Account) Limit() int64 { return a.limit }

// Bytes are charged now: the class sizes of pages and the slot sizes of objects.
func (a *Account) Bytes() int64 { return a.bytes }

// Peak is the most that Bytes has been.
func (a *Account) Peak() int64 { return a.peak }

// Pages charged now.
func (a *Account) Pages() int { return int(a.pages) }

// Objects charged now, of all caches together.
func (a *Account) Objects() int { return int(a.objects) }

// Failures counts allocations that returned nil, for the account's limit or the arena's.
func (a *Account) Failures() uint64 { return a.failures }

// take charges n > 0 bytes unless that passes the limit.
func (a *Account) take(n int64) bool {
	b := a.bytes + n
	if uint64(b-1) > uint64(a.limit-1) { // one comparison: no limit is 0-1, the largest uint64
		return false
	}
	a.bytes = b
	if b > a.peak {
		a.peak = b
	}
	return true
}

// untake reverts a take that the arena could not serve.
func (a *Account) untake(n, peak int64) {
	a.bytes -= n
	a.peak = peak
	a.failures++
}

func (a *Account) fail() {
	if a != nil {
		a.failures++
	}
}

func (a *Account) addPage(n int64) {
	if a == nil {
		return
	}
	a.pages++
	a.bytes += n
	a.peak = max(a.peak, a.bytes)
}

func (a *Account) dropPage(n int64) {
	if a == nil {
		return
	}
	a.pages--
	a.bytes -= n
}
