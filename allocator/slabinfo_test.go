package allocator

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestSlabInfoHasLinuxLayout(t *testing.T) {
	p := newTestPool(t, ArenaOptions{}, PoolOptions{})
	c := NewCache[[24]byte](p, "tcp_sock", CacheOptions{})
	var a Account
	a.SetLimit(6000)
	pages := make([]*Page, 3)
	n := p.Pages(Page2K, &a, pages)
	x := c.Alloc(&a)
	var b bytes.Buffer
	if err := WriteSlabInfo(&b, p.SlabInfo()); err != nil {
		t.Fatal(err)
	}
	want := `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
page-256               0      0    256    0    0 : tunables    0    0    0 : slabdata      0      0      0
page-512               0      0    512    0    0 : tunables    0    0    0 : slabdata      0      0      0
page-2k                2      2   2048    2    1 : tunables    0    0    0 : slabdata      1      1      0
page-4k                0      0   4096    0    0 : tunables    0    0    0 : slabdata      0      0      0
page-16k               0      0  16384    0    0 : tunables    0    0    0 : slabdata      0      0      0
page-64k               0      0  65536    0    0 : tunables    0    0    0 : slabdata      0      0      0
tcp_sock               1      8     32    8    1 : tunables    0    0    0 : slabdata      1      1      0
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	js, err := json.Marshal(p.SlabInfo()[Page2K])
	if err != nil || !strings.HasPrefix(string(js), `{"name":"page-2k","active_objs":2,"num_objs":2,"obj_size":2048,"objs_per_slab":2,"pages_per_slab":1,"active_slabs":1,"num_slabs":1,"bytes":4096,"limit_hits":1,`) {
		t.Errorf("%s %v", js, err)
	}
	UnrefPages(pages[:n], &a)
	c.Free(&a, x)
}

func TestMergeSlabInfoAddsByName(t *testing.T) {
	one := []CacheInfo{{Name: "a", ActiveObjs: 1, NumObjs: 2, ObjSize: 8, ObjsPerSlab: 4, Bytes: 10, NumSlabs: 1, LimitHits: 1}, {Name: "b", NumObjs: 7}}
	two := []CacheInfo{{Name: "c", NumObjs: 9}, {Name: "a", ActiveObjs: 2, NumObjs: 3, ObjSize: 8, ObjsPerSlab: 8, Bytes: 20, NumSlabs: 2, ActiveSlabs: 1, DoubleFrees: 1}}
	got := MergeSlabInfo(one, two)
	want := CacheInfo{Name: "a", ActiveObjs: 3, NumObjs: 5, ObjSize: 8, ObjsPerSlab: 8, Bytes: 30, NumSlabs: 3, ActiveSlabs: 1, LimitHits: 1, DoubleFrees: 1}
	if len(got) != 3 || got[0] != want || got[1].Name != "b" || got[2].Name != "c" {
		t.Errorf("%+v", got)
	}
	if one[0].ActiveObjs != 1 {
		t.Error("the input was changed")
	}
}
