package menuconfig

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/textinput"
	"charm.land/bubbles/v2/viewport"
	tea "charm.land/bubbletea/v2"
	"github.com/libos-go/libos/gen/kconfig"
)

// Files is how the program reads and writes configurations.
type Files struct {
	// Path is the configuration being edited.
	Path string
	// Load replaces all values by a file's and returns what there is to say.
	Load func(path string) (messages string, err error)
	// Save writes all values to a file.
	Save func(path string) error
}

// Result tells how the program ended.
type Result struct {
	Saved     bool // at least one Save to Files.Path succeeded
	Discarded bool // changes were left unsaved
}

// screen is what covers the menu, if anything does.
type screen uint8

const (
	onMenu    screen = iota
	onText           // help, results of a search, messages
	onInput          // a value, a file name, a search
	onConfirm        // save changes?
)

// frame is one menu on the way from the root.
type frame struct {
	menu   *kconfig.Menu
	cursor int
	top    int // first row on the screen
}

// Model is the program's state. It implements tea.Model.
type Model struct {
	tree  *kconfig.Tree
	files Files

	path    []frame
	all     bool // hidden symbols are shown
	button  int
	screen  screen
	escaped bool // one Esc was pressed
	status  string
	result  Result

	title   string // of the text or input screen
	text    viewport.Model
	whole   string          // the text before it was wrapped
	jumps   []*kconfig.Menu // targets of the digits in search results
	results *results        // to come back to
	input   textinput.Model
	accept  func(m *Model, value string) // what Enter does on the input screen
	yes     bool                         // cursor of the confirm screen

	width, height int
	dark          bool
}

// buttons of the bottom row, in their order.
var buttons = [...]string{"Select", " Exit ", " Help ", " Save ", " Load "}

// New shows tree from its root.
func New(tree *kconfig.Tree, files Files) *Model {
	return &Model{tree: tree, files: files, path: []frame{{menu: tree.Root}}, width: 80, height: 24, dark: true}
}

// Result of the program after it has ended.
func (m *Model) Result() Result { return m.result }

// Init implements tea.Model.
func (m *Model) Init() tea.Cmd { return tea.RequestBackgroundColor }

// Update implements tea.Model.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.fit()
	case tea.BackgroundColorMsg:
		m.dark = msg.IsDark()
	case tea.KeyPressMsg:
		return m, m.key(msg)
	default:
		if m.screen == onInput {
			var cmd tea.Cmd
			m.input, cmd = m.input.Update(msg)
			return m, cmd
		}
	}
	return m, nil
}

// key handles one key press on any screen.
func (m *Model) key(k tea.KeyPressMsg) tea.Cmd {
	name := k.String()
	if name == "ctrl+c" {
		return m.leaveProgram()
	}
	switch m.screen {
	case onText:
		return m.textKey(k)
	case onInput:
		return m.inputKey(k)
	case onConfirm:
		return m.confirmKey(name)
	}
	m.status = ""
	if name == "esc" {
		if !m.escaped {
			m.escaped = true
			m.status = "Esc again leaves this menu"
			return nil
		}
		m.escaped = false
		return m.leave()
	}
	m.escaped = false
	return m.menuKey(name, k)
}

// menuKey handles a key on a menu.
func (m *Model) menuKey(name string, k tea.KeyPressMsg) tea.Cmd {
	f := m.frame()
	list := rows(f.menu, m.all)
	page := m.listHeight()
	switch name {
	case "up", "-", "ctrl+p":
		m.move(-1)
	case "down", "+", "ctrl+n":
		m.move(1)
	case "pgup":
		m.move(-page)
	case "pgdown":
		m.move(page)
	case "home":
		m.move(-len(list))
	case "end":
		m.move(len(list))
	case "left", "shift+tab":
		m.button = (m.button + len(buttons) - 1) % len(buttons)
	case "right", "tab":
		m.button = (m.button + 1) % len(buttons)
	case "alt+esc":
		return m.leave()
	case "enter":
		return m.press()
	case "space", " ":
		m.toggle()
	case "y", "Y":
		m.set(kconfig.Yes)
	case "n", "N":
		m.set(kconfig.No)
	case "m", "M":
		m.set(kconfig.Mod)
	case "?", "h", "H":
		m.help()
	case "/":
		m.ask("Search", "Symbol or prompt (regular expression), CONFIG_ may be left out", "", (*Model).search)
	case "z", "Z":
		m.all = !m.all
		m.clamp()
	case "s", "S":
		m.askSave()
	case "l", "L":
		m.askLoad()
	case "e", "E", "x", "X", "q", "Q":
		return m.leave()
	default:
		if r := []rune(strings.ToLower(k.Text)); len(r) == 1 {
			m.jumpTo(r[0])
		}
	}
	return nil
}

func (m *Model) frame() *frame { return &m.path[len(m.path)-1] }

// current is the row under the cursor.
func (m *Model) current() (row, bool) {
	f := m.frame()
	list := rows(f.menu, m.all)
	if f.cursor < 0 || f.cursor >= len(list) {
		return row{}, false
	}
	return list[f.cursor], true
}

// move shifts the cursor by n rows.
func (m *Model) move(n int) {
	f := m.frame()
	f.cursor += n
	m.clamp()
}

// clamp keeps the cursor on the list and the list on the screen.
func (m *Model) clamp() {
	f := m.frame()
	n, page := len(rows(f.menu, m.all)), m.listHeight()
	f.cursor = max(0, min(f.cursor, n-1))
	if f.cursor < f.top {
		f.top = f.cursor
	}
	if f.cursor >= f.top+page {
		f.top = f.cursor - page + 1
	}
	f.top = max(0, min(f.top, n-page))
}

// jumpTo moves to the next row whose text begins with a letter.
func (m *Model) jumpTo(r rune) {
	f := m.frame()
	list := rows(f.menu, m.all)
	for i := 1; i <= len(list); i++ {
		at := (f.cursor + i) % len(list)
		if t := []rune(strings.ToLower(strings.TrimLeft(list[at].text, "* "))); len(t) > 0 && t[0] == r {
			f.cursor = at
			m.clamp()
			return
		}
	}
}

// press is Enter on the chosen button.
func (m *Model) press() tea.Cmd {
	switch m.button {
	case 1:
		return m.leave()
	case 2:
		m.help()
	case 3:
		m.askSave()
	case 4:
		m.askLoad()
	default:
		m.enter()
	}
	return nil
}

// enter opens the row under the cursor.
func (m *Model) enter() {
	r, ok := m.current()
	if !ok || !r.selectable() {
		return
	}
	if m.frame().menu.Kind == kconfig.KindChoice {
		if !r.menu.Sym.SetTristate(kconfig.Yes) {
			m.status = r.menu.Sym.Refusal("y")
			return
		}
		m.path = m.path[:len(m.path)-1]
		return
	}
	switch {
	case r.menu.Kind == kconfig.KindMenu, r.menu.Kind == kconfig.KindChoice, r.menu.IsSubmenu():
		m.open(r.menu)
	case isText(r.menu.Sym):
		m.edit(r.menu.Sym)
	default:
		m.status = "Space changes it; Y, N and M set it"
	}
}

// open shows a submenu, the cursor on a choice's chosen member.
func (m *Model) open(menu *kconfig.Menu) {
	m.path = append(m.path, frame{menu: menu})
	if menu.Kind == kconfig.KindChoice {
		for i, r := range rows(menu, m.all) {
			if r.menu.Sym == menu.Chosen() {
				m.frame().cursor = i
			}
		}
	}
	m.clamp()
}

func isText(s *kconfig.Symbol) bool {
	if s == nil {
		return false
	}
	t := s.EffectiveType()
	return t != kconfig.Bool && t != kconfig.TristateType
}

// toggle is the space bar.
func (m *Model) toggle() {
	r, ok := m.current()
	if !ok || !r.selectable() {
		return
	}
	s := r.menu.Sym
	switch {
	case m.frame().menu.Kind == kconfig.KindChoice:
		m.set(kconfig.Yes)
	case r.menu.Kind == kconfig.KindMenu || r.menu.Kind == kconfig.KindChoice:
		m.open(r.menu)
	case isText(s):
		m.edit(s)
	case s != nil && !s.Toggle():
		m.status = refusal(s)
	}
	m.clamp()
}

// refusal says why a symbol stays as it is.
func refusal(s *kconfig.Symbol) string {
	other := "y"
	if s.Tristate() == kconfig.Yes {
		other = "n"
	}
	return s.Refusal(other)
}

// set gives the symbol under the cursor a value.
func (m *Model) set(v kconfig.Tristate) {
	r, ok := m.current()
	if !ok || r.menu.Sym == nil || r.menu.Kind == kconfig.KindChoice || isText(r.menu.Sym) {
		return
	}
	if v == kconfig.Mod && r.menu.Sym.EffectiveType() == kconfig.Bool {
		v = kconfig.Yes // as Linux's menu takes M on a bool
	}
	if !r.menu.Sym.SetTristate(v) {
		m.status = r.menu.Sym.Refusal(v.String())
	}
	m.clamp()
}

// edit asks for the value of an int, hex or string.
func (m *Model) edit(s *kconfig.Symbol) {
	if !s.Changeable() {
		m.status = s.Refusal(s.String())
		return
	}
	hint := s.Type.String()
	if lo, hi, ok := s.Range(); ok {
		hint += " from " + lo + " to " + hi
	}
	m.ask(s.Prompt(), hint, s.String(), func(m *Model, text string) {
		if s.SetText(text) {
			m.screen, m.status = onMenu, ""
			return
		}
		m.status = s.Refusal(text)
	})
}

// leave goes up one menu, or back to the search that led to it; from the top it
// leaves the program.
func (m *Model) leave() tea.Cmd {
	if m.results != nil && len(m.path) == m.results.depth {
		m.back()
		return nil
	}
	if len(m.path) > 1 {
		m.path = m.path[:len(m.path)-1]
		m.button = 0
		m.clamp()
		return nil
	}
	return m.leaveProgram()
}

func (m *Model) leaveProgram() tea.Cmd {
	if !m.tree.Changed() {
		return tea.Quit
	}
	m.screen, m.yes, m.escaped = onConfirm, true, false
	return nil
}

// jump shows a menu entry: the menus that lead to it, the cursor on it.
func (m *Model) jump(target *kconfig.Menu) {
	m.screen = onMenu
	if !target.Visible() {
		m.all = true
	}
	var path []*kconfig.Menu
	for p := parentScreen(target); ; p = parentScreen(p) {
		path = append([]*kconfig.Menu{p}, path...)
		if p.Kind == kconfig.KindRoot {
			break
		}
	}
	m.path = m.path[:0]
	for i, p := range path {
		next := target
		if i+1 < len(path) {
			next = path[i+1]
		}
		m.path = append(m.path, frame{menu: p})
		for at, r := range rows(p, m.all) {
			if r.menu == next {
				m.frame().cursor = at
			}
		}
		m.clamp()
	}
}

// parentScreen is the nearest entry above that has a screen of its own.
func parentScreen(m *kconfig.Menu) *kconfig.Menu {
	for p := m.Parent; p != nil; p = p.Parent {
		if p.IsSubmenu() || p.Kind == kconfig.KindRoot || p.Kind == kconfig.KindMenu || p.Kind == kconfig.KindChoice {
			return p
		}
	}
	return m
}

// breadcrumb is the way from the root.
func (m *Model) breadcrumb() string {
	var parts []string
	for _, f := range m.path[1:] {
		parts = append(parts, f.menu.Text())
	}
	return strings.Join(parts, " > ")
}

func (m *Model) heading() string {
	return fmt.Sprintf("%s - %s", m.files.Path, m.tree.Title())
}
