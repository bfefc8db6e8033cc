package allocator

// crowd is the number of holders of a page from which on they are found by a map.
const crowd = 16

// holder is an account with n references to a page.
type holder struct {
	account *Account
	n       int32
}

// sharing lists a page's holders beyond the account charged, in the order in which they came.
// Records are recycled by the pool. In a crowd (a frame flooded to every instance of a Domain)
// a holder that left stays in the list with n = 0 until the list is packed.
type sharing struct {
	list  []holder
	live  int                // holders with n > 0
	index map[*Account]int32 // into list, in a crowd only
	next  *sharing           // in the pool's list of unused ones
}

func (s *sharing) find(a *Account) int {
	if s.index != nil {
		if i, ok := s.index[a]; ok {
			return int(i)
		}
		return -1
	}
	for i := range s.list {
		if s.list[i].account == a {
			return i
		}
	}
	return -1
}

func (s *sharing) add(a *Account) {
	if s.live > 0 {
		if i := s.find(a); i >= 0 {
			s.list[i].n++
			return
		}
	}
	s.list = append(s.list, holder{a, 1})
	s.live++
	if s.index != nil {
		s.index[a] = int32(len(s.list) - 1)
	} else if len(s.list) > crowd {
		s.pack()
	}
}

// drop takes one reference of a away; false if it has none.
func (s *sharing) drop(a *Account) bool {
	i := s.find(a)
	if i < 0 {
		return false
	}
	s.list[i].n--
	if s.list[i].n == 0 {
		s.remove(i)
	}
	return true
}

func (s *sharing) remove(i int) {
	s.live--
	if s.index == nil {
		last := len(s.list) - 1
		if i != last {
			copy(s.list[i:], s.list[i+1:])
		}
		s.list[last].account = nil
		s.list = s.list[:last]
		return
	}
	delete(s.index, s.list[i].account)
	s.list[i] = holder{}
	for len(s.list) > 0 && s.list[len(s.list)-1].n == 0 {
		s.list = s.list[:len(s.list)-1]
	}
	if s.live < len(s.list)/2 {
		s.pack()
	}
}

// pack removes those that left and decides whether an index pays.
func (s *sharing) pack() {
	k := 0
	for _, h := range s.list {
		if h.n > 0 {
			s.list[k] = h
			k++
		}
	}
	clear(s.list[k:])
	s.list = s.list[:k]
	s.index = nil
	if k > crowd {
		s.index = make(map[*Account]int32, 2*k)
		for i, h := range s.list {
			s.index[h.account] = int32(i)
		}
	}
}

// takeLast removes the holder that came last.
func (s *sharing) takeLast() (*Account, int32) {
	i := len(s.list) - 1
	h := s.list[i]
	s.remove(i)
	return h.account, h.n
}

func (p *Pool) newSharing() *sharing {
	p.shared++
	s := p.shares
	if s == nil {
		return &sharing{list: make([]holder, 0, 2)}
	}
	p.shares = s.next
	s.next = nil
	return s
}

func (p *Pool) freeSharing(pg *Page) {
	s := pg.shared
	pg.shared = nil
	p.shared--
	s.index = nil
	if cap(s.list) > crowd {
		return
	}
	s.list = s.list[:0]
	s.next = p.shares
	p.shares = s
}
