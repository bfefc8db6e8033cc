package menuconfig

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	tea "charm.land/bubbletea/v2"
	"github.com/libos-go/libos/gen/kconfig"
)

// With more results than digits, a digit means the result on the screen, and
// leaving the menu that it led to comes back to that page of the results.
func TestJumpKeysOfManyResults(t *testing.T) {
	var text strings.Builder
	for i := 1; i <= 12; i++ {
		fmt.Fprintf(&text, "[[item]]\nconfig = \"S%d\"\ntype = \"bool\"\nprompt = \"symbol %d\"\n", i, i)
	}
	tree, ms := kconfig.LoadFS(fstest.MapFS{kconfig.FileName: {Data: []byte(text.String())}}, kconfig.FileName, ".", nil)
	if ms.Errors() {
		t.Fatal(ms)
	}
	m := New(tree, Files{Path: ".config"})
	press := func(keys ...rune) {
		for _, r := range keys {
			k := tea.KeyPressMsg{Code: r}
			if r < 0x80 && r >= ' ' {
				k.Text = string(r)
			}
			m.Update(k)
		}
	}
	press('/', 'S', tea.KeyEnter)
	want := tree.Lookup("S11").Menus[0] // the second 2
	if got := m.jumpOf("2"); got != tree.Lookup("S2").Menus[0] {
		t.Errorf("on the first page 2 is %q", got.Text())
	}
	for m.jumpOf("2") != want {
		if m.text.AtBottom() {
			t.Fatal("2 is the eleventh result on no page")
		}
		press(tea.KeyPgDown)
	}
	at := m.text.YOffset()
	press('2')
	if r, _ := m.current(); r.menu != want {
		t.Errorf("the cursor is on %q, want %q", r.menu.Text(), want.Text())
	}
	press('x')
	if m.screen != onText || m.text.YOffset() != at {
		t.Errorf("not back at line %d of the results", at)
	}
}
