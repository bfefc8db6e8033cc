package posix

import (
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
)

// EpollEvent is struct epoll_event.
type EpollEvent struct {
	Events uint32
	Data   uint64
}

// epoll is an epoll instance (fs/eventpoll.c). Its fields are under the Domain's
// lock.
type epoll struct {
	domain *core.Domain
	queue  queue
	items  map[epollKey]*epollItem
	list   itemList
	closed bool
}

// epollKey names what is watched: a descriptor's number and what it stood for.
type epollKey struct {
	fd int
	d  *description
}

// epollItem is one watched descriptor.
type epollItem struct {
	watch   watch
	epoll   *epoll
	key     epollKey
	event   EpollEvent
	sibling *epollItem // of the same description
	next    *epollItem // in the list of those that may be ready
	prev    *epollItem
	listed  bool
}

// itemList is a list of items, the oldest first.
type itemList struct{ first, last *epollItem }

func (l *itemList) push(i *epollItem) {
	if i.listed {
		return
	}
	i.listed, i.next, i.prev = true, nil, l.last
	if l.last == nil {
		l.first = i
	} else {
		l.last.next = i
	}
	l.last = i
}

func (l *itemList) remove(i *epollItem) {
	if !i.listed {
		return
	}
	if i.prev == nil {
		l.first = i.next
	} else {
		i.prev.next = i.next
	}
	if i.next == nil {
		l.last = i.prev
	} else {
		i.next.prev = i.prev
	}
	i.listed, i.next, i.prev = false, nil, nil
}

// epollPrivate are the bits of an event that are no readiness (EP_PRIVATE_BITS).
const epollPrivate = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE

// epollNests bounds how deep epoll instances may watch each other (EP_MAX_NESTS).
const epollNests = 4

// epollExclusive are the bits that may go with EPOLLEXCLUSIVE
// (EPOLLEXCLUSIVE_OK_BITS).
const epollExclusive = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE

// EpollCreate1 is epoll_create1(2). flags is 0 or EPOLL_CLOEXEC (O_CLOEXEC).
func (p *Process) EpollCreate1(flags int) (int, error) {
	if flags&^O_CLOEXEC != 0 {
		return -1, syscall.EINVAL
	}
	return p.open(&epoll{domain: p.domain}, O_RDWR, flags&O_CLOEXEC != 0)
}

// ready: an epoll instance can be read when one of its items is ready.
func (e *epoll) ready() core.Ready {
	if e.closed {
		return core.ReadyErr | core.ReadyHup
	}
	for i := e.list.first; i != nil; {
		next := i.next
		if i.revents() != 0 {
			return core.ReadyIn
		}
		e.list.remove(i)
		i = next
	}
	return 0
}

func (e *epoll) watch(w *watch) { e.queue.watch(w) }

func (e *epoll) unwatch(w *watch) { e.queue.unwatch(w) }

func (e *epoll) close() error {
	e.domain.Do(func() {
		e.closed = true
		for _, i := range e.items {
			i.forget()
		}
		e.items, e.list = nil, itemList{}
		e.queue.wake(core.ReadyIn | core.ReadyErr | core.ReadyHup)
	})
	return nil
}

// revents are the events that an item has now.
func (i *epollItem) revents() uint32 {
	if i.event.Events&^epollPrivate == 0 {
		return 0
	}
	return uint32(uint16(events(i.key.d.object))) & i.event.Events
}

// tell is called inside an entry when something may have come: ep_poll_callback.
func (i *epollItem) tell(r core.Ready) {
	want := i.event.Events &^ epollPrivate
	if uint32(uint16(synonyms(r, allSynonyms)))&want != 0 {
		i.mayBeReady()
	}
}

func (i *epollItem) mayBeReady() {
	i.epoll.list.push(i)
	i.epoll.queue.wake(core.ReadyIn)
}

// forget takes the item off what it watches, not off its epoll.
func (i *epollItem) forget() {
	i.watch.stop()
	for p := &i.key.d.items; *p != nil; p = &(*p).sibling {
		if *p == i {
			*p = i.sibling
			break
		}
	}
	i.epoll.list.remove(i)
}

// remove ends the item.
func (i *epollItem) remove() {
	i.forget()
	delete(i.epoll.items, i.key)
}

// EpollCtl is epoll_ctl(2).
func (p *Process) EpollCtl(epfd, op, fd int, ev *EpollEvent) error {
	ed, err := p.get(epfd)
	if err != nil {
		return err
	}
	d, err := p.get(fd)
	if err != nil {
		return err
	}
	if x, ok := d.object.(interface{ pollable() bool }); ok && !x.pollable() {
		return syscall.EPERM
	}
	e, ok := ed.object.(*epoll)
	if !ok || ed == d {
		return syscall.EINVAL
	}
	inner, nested := d.object.(*epoll)
	if op != EPOLL_CTL_DEL {
		if ev == nil {
			return syscall.EFAULT
		}
		if ev.Events&EPOLLEXCLUSIVE != 0 && (op == EPOLL_CTL_MOD || nested || ev.Events&^epollExclusive != 0) {
			return syscall.EINVAL
		}
	}
	p.domain.Do(func() {
		key := epollKey{fd, d}
		i := e.items[key]
		switch op {
		case EPOLL_CTL_ADD:
			switch {
			case e.closed || d.closed.Load():
				err = syscall.EBADF
			case nested && (inner.reaches(e, 0) || inner.depth(0)+e.above(0)+1 > epollNests):
				err = syscall.ELOOP
			case i != nil:
				err = syscall.EEXIST
			default:
				e.add(key, *ev)
			}
		case EPOLL_CTL_DEL:
			if i == nil {
				err = syscall.ENOENT
				return
			}
			i.remove()
		case EPOLL_CTL_MOD:
			switch {
			case i == nil:
				err = syscall.ENOENT
			case i.event.Events&EPOLLEXCLUSIVE != 0:
				err = syscall.EINVAL
			default:
				i.set(*ev)
				i.watch.change(i.mask())
				i.look()
			}
		default:
			err = syscall.EINVAL
		}
	})
	return err
}

// set takes an event. Errors and hang-ups are told of in any case, until
// EPOLLONESHOT has disabled the item.
func (i *epollItem) set(ev EpollEvent) {
	i.event = ev
	i.event.Events |= EPOLLERR | EPOLLHUP
}

func (i *epollItem) mask() core.Ready {
	return readiness(int16(uint16(i.event.Events)))
}

// look lists the item if it is ready now.
func (i *epollItem) look() {
	if i.revents() != 0 {
		i.mayBeReady()
	}
}

func (e *epoll) add(key epollKey, ev EpollEvent) {
	i := &epollItem{epoll: e, key: key, sibling: key.d.items}
	i.set(ev)
	key.d.items = i
	if e.items == nil {
		e.items = make(map[epollKey]*epollItem)
	}
	e.items[key] = i
	i.watch.owner = i
	i.watch.set(key.d.object, i.mask(), i.tell)
	i.look()
}

// reaches tells whether e watches target, itself or by others.
func (e *epoll) reaches(target *epoll, depth int) bool {
	if e == target || depth > epollNests {
		return true
	}
	for key := range e.items {
		if x, ok := key.d.object.(*epoll); ok && x.reaches(target, depth+1) {
			return true
		}
	}
	return false
}

// depth is how many epoll instances lie below e.
func (e *epoll) depth(at int) int {
	most := 0
	if at <= epollNests {
		for key := range e.items {
			if x, ok := key.d.object.(*epoll); ok {
				most = max(most, 1+x.depth(at+1))
			}
		}
	}
	return most
}

// above is how many epoll instances lie above e.
func (e *epoll) above(at int) int {
	most := 0
	if at <= epollNests {
		for w := e.queue.first; w != nil; w = w.next {
			if i, ok := w.owner.(*epollItem); ok {
				most = max(most, 1+i.epoll.above(at+1))
			}
		}
	}
	return most
}

// EpollWait is epoll_wait(2): at most len(events) events, for at most timeout, below
// 0 for ever.
func (p *Process) EpollWait(epfd int, events []EpollEvent, timeout time.Duration) (int, error) {
	o := p.takeOp()
	return p.await(o, o.EpollWait(epfd, events, timeout))
}

// EpollWait begins Process.EpollWait.
func (o *Op) EpollWait(epfd int, events []EpollEvent, timeout time.Duration) bool {
	o.reset()
	if len(events) == 0 {
		return o.fail(syscall.EINVAL)
	}
	d, err := o.p.get(epfd)
	if err != nil {
		return o.fail(err)
	}
	e, ok := d.object.(*epoll)
	if !ok {
		return o.fail(syscall.EINVAL)
	}
	o.epoll, o.events = e, events
	o.setTimeout(timeout)
	o.wants(epfd, d, core.ReadyIn)
	return o.begin((*Op).epollWait)
}

func (o *Op) epollWait() error {
	closed := false
	o.p.domain.Do(func() {
		closed = o.epoll.closed
		o.n = o.epoll.collect(o.events)
	})
	switch {
	case closed:
		return syscall.EBADF
	case o.n > 0 || o.block(o.timeout) != errBlocked:
		return nil
	}
	return errBlocked
}

// collect takes ready events: ep_send_events. What is level-triggered goes to the
// end of the list, to be looked at again.
func (e *epoll) collect(out []EpollEvent) (n int) {
	last := e.list.last
	for i := e.list.first; i != nil && n < len(out); {
		next := i.next
		if i == last {
			next = nil
		}
		e.list.remove(i)
		if r := i.revents(); r != 0 {
			out[n] = EpollEvent{Events: r, Data: i.event.Data}
			n++
			switch {
			case i.event.Events&EPOLLONESHOT != 0:
				i.event.Events &= epollPrivate
			case i.event.Events&EPOLLET == 0:
				e.list.push(i)
			}
		}
		i = next
	}
	return n
}
