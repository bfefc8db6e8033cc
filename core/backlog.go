package core

// Backlog is what waits in the interface for its device, in the root discipline
// or in the plain queue, and what that discipline has dropped. Inside an entry.
func (ifc *Interface) Backlog() (packets, bytes int, dropped uint64) {
	for p := ifc.txq.Peek(); p != nil; p = p.Next() {
		packets++
		bytes += p.Len()
	}
	if q := ifc.queue; q != nil && len(q.nodes) > 0 {
		root := q.nodes[0].Qdisc
		packets += root.Len()
		bytes += root.Backlog()
		dropped = root.Counts().Dropped
	}
	return packets, bytes, dropped
}
