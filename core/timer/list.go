package timer

// The lists are circular and have no sentinel: a head's prev is the tail.

// link puts t before at.
func link(at, t *Timer) {
	tail := at.prev
	t.next, t.prev = at, tail
	tail.next, at.prev = t, t
}

// push appends t to the list of head.
func push(head **Timer, t *Timer) {
	if *head == nil {
		*head, t.next, t.prev = t, t, t
		return
	}
	link(*head, t)
}

// unlink takes t out of the list of head.
func unlink(head **Timer, t *Timer) {
	next := t.next
	if next == t {
		*head = nil
	} else {
		t.prev.next, next.prev = next, t.prev
		if *head == t {
			*head = next
		}
	}
	t.next, t.prev = nil, nil
}

// earlier is the order in which timers fire.
func earlier(a, b *Timer) bool {
	if a.when != b.when {
		return a.when < b.when
	}
	if a.order != b.order {
		return a.order < b.order
	}
	return a.sequence < b.sequence
}

// sortList marks the timers of a list as firing and returns it in firing order.
func sortList(head *Timer) *Timer {
	inOrder, n := true, 0
	for t := head; ; t = t.next {
		t.place = place{kind: inFiring}
		n++
		if t.next == head {
			break
		}
		inOrder = inOrder && earlier(t, t.next)
	}
	if inOrder {
		return head
	}
	head.prev.next = nil
	head, _ = mergeSort(head, n)
	last := head
	for last.next != nil {
		last.next.prev = last
		last = last.next
	}
	last.next, head.prev = head, last
	return head
}

// mergeSort sorts the first n timers of a list that is linked by next alone and
// returns it, ended by nil, and what followed it.
func mergeSort(t *Timer, n int) (sorted, rest *Timer) {
	if n == 1 {
		rest = t.next
		t.next = nil
		return t, rest
	}
	a, rest := mergeSort(t, n/2)
	b, rest := mergeSort(rest, n-n/2)
	end := &sorted
	for a != nil && b != nil {
		if earlier(b, a) {
			*end, b = b, b.next
		} else {
			*end, a = a, a.next
		}
		end = &(*end).next
	}
	if a == nil {
		a = b
	}
	*end = a
	return sorted, rest
}
