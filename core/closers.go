package core

import "slices"

// closer is somebody who has something for an instance, and gives that up with it.
type closer struct{ f func() }

// OnClose has f called when the instance has been closed, outside of an entry.
// cancel takes that back. It is not ok if the instance is closed already.
func (in *Instance) OnClose(f func()) (cancel func(), ok bool) {
	c := &closer{f}
	in.domain.Do(func() {
		if ok = !in.closed; ok {
			in.closers = append(in.closers, c)
		}
	})
	return func() {
		in.domain.Do(func() {
			in.closers = slices.DeleteFunc(in.closers, func(x *closer) bool { return x == c })
		})
	}, ok
}

// tellClosed tells those who asked that the instance is closed.
func (in *Instance) tellClosed() {
	var all []*closer
	in.domain.Do(func() { all, in.closers = in.closers, nil })
	for _, c := range all {
		c.f()
	}
}
