package allocator

import (
	"bufio"
	"fmt"
	"io"
)

// CacheInfo describes one cache of a Pool; the first columns are those of /proc/slabinfo.
// Slabs of a cache grow with it: ObjsPerSlab and PagesPerSlab are those of its largest.
type CacheInfo struct {
	Name         string `json:"name"`
	ActiveObjs   int    `json:"active_objs"` // in use
	NumObjs      int    `json:"num_objs"`    // in use or free
	ObjSize      int    `json:"obj_size"`    // bytes charged for each
	ObjsPerSlab  int    `json:"objs_per_slab"`
	PagesPerSlab int    `json:"pages_per_slab"` // of 4 KiB
	ActiveSlabs  int    `json:"active_slabs"`   // with something in use
	NumSlabs     int    `json:"num_slabs"`
	Bytes        int64  `json:"bytes"`        // of all slabs
	LimitHits    uint64 `json:"limit_hits"`   // allocations that returned nil
	DoubleFrees  uint64 `json:"double_frees"` // frees of what was free
	OffHeap      bool   `json:"off_heap"`
	Note         string `json:"note,omitempty"`
}

// SlabInfo describes all caches of the pool: page classes first, object caches as they came.
func (p *Pool) SlabInfo() []CacheInfo {
	list := make([]CacheInfo, 0, NumClasses+len(p.caches))
	for c := range p.pages {
		list = append(list, p.pages[c].info())
	}
	for _, c := range p.caches {
		list = append(list, c.info())
	}
	return list
}

// MergeSlabInfo adds up the caches of many pools by name, in the order of first appearance.
func MergeSlabInfo(pools ...[]CacheInfo) []CacheInfo {
	var sum []CacheInfo
	at := make(map[string]int)
	for _, list := range pools {
		for _, ci := range list {
			i, ok := at[ci.Name]
			if !ok {
				at[ci.Name] = len(sum)
				sum = append(sum, ci)
				continue
			}
			s := &sum[i]
			s.ActiveObjs += ci.ActiveObjs
			s.NumObjs += ci.NumObjs
			s.ActiveSlabs += ci.ActiveSlabs
			s.NumSlabs += ci.NumSlabs
			s.Bytes += ci.Bytes
			s.LimitHits += ci.LimitHits
			s.DoubleFrees += ci.DoubleFrees
			s.ObjsPerSlab = max(s.ObjsPerSlab, ci.ObjsPerSlab)
			s.PagesPerSlab = max(s.PagesPerSlab, ci.PagesPerSlab)
		}
	}
	return sum
}

// WriteSlabInfo writes caches in the layout of Linux's /proc/slabinfo (mm/slab_common.c),
// version 2.1. Tunables and sharedavail are 0: there is nothing to tune.
func WriteSlabInfo(w io.Writer, list []CacheInfo) error {
	b := bufio.NewWriter(w)
	b.WriteString("slabinfo - version: 2.1\n" +
		"# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>" +
		" : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n")
	for _, c := range list {
		fmt.Fprintf(b, "%-17s %6d %6d %6d %4d %4d : tunables %4d %4d %4d : slabdata %6d %6d %6d\n",
			c.Name, c.ActiveObjs, c.NumObjs, c.ObjSize, c.ObjsPerSlab, c.PagesPerSlab, 0, 0, 0, c.ActiveSlabs, c.NumSlabs, 0)
	}
	return b.Flush()
}
