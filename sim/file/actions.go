package file

// action reads [[at]]: what happens at a time, in the words of sim.Network.Do.
func (r *reader) action(t *table) {
	t.what = "at"
	if !t.has("time") {
		t.wrong("time", "it is missing: when to do it, such as 5s")
	}
	at := t.duration("time")
	if !t.has("do") {
		t.wrong("do", "it is missing: what to do, such as \"link core down\"")
	}
	for _, a := range t.strings("do") {
		r.net.Do(at, a)
	}
	t.done()
}
