package menuconfig

import (
	"fmt"
	"regexp"
	"strings"

	"charm.land/bubbles/v2/textinput"
	"charm.land/bubbles/v2/viewport"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/libos-go/libos/gen/kconfig"
)

// show covers the menu with a text to read.
func (m *Model) show(title, text string) {
	m.screen, m.title, m.jumps, m.status, m.escaped = onText, title, nil, "", false
	m.text, m.whole = viewport.New(), text
	m.fit()
}

// fit gives the text screen the size of the window.
func (m *Model) fit() {
	m.text.SetWidth(max(20, m.width-2))
	m.text.SetHeight(max(3, m.height-7))
	m.text.SetContent(lipgloss.Wrap(m.whole, max(20, m.width-2), " "))
	m.clamp()
}

// help shows what is known of the row under the cursor.
func (m *Model) help() {
	r, ok := m.current()
	if !ok {
		m.show("Help", intro)
		return
	}
	text := strings.TrimSpace(r.menu.HelpText())
	switch s := r.menu.Sym; {
	case text == "":
		text = fmt.Sprintf("There is no help for this entry.\n\nDefined at %s", r.menu.Pos)
	case s != nil && s.Package != "":
		text += "\nPackage: " + s.Package
	}
	m.show(r.menu.Text(), text)
}

const intro = `Arrows, PgUp, PgDn, Home and End move. Enter opens a submenu (--->) or the
button chosen with the left and right arrow. Space goes through the values of
an option, Y builds it in, M makes it a module, N leaves it out. ? shows help,
/ searches, Z shows hidden options too, S saves, L loads, Esc Esc leaves.

[ ] bool   < > tristate   { } can be module or built in   - - set by another option`

// ask covers the menu with a line to edit.
func (m *Model) ask(title, hint, value string, accept func(*Model, string)) {
	m.screen, m.title, m.accept, m.status, m.escaped = onInput, title, accept, hint, false
	m.input = textinput.New()
	styles := textinput.DefaultStyles(m.dark)
	styles.Cursor.Blink = false
	m.input.SetStyles(styles)
	m.input.SetWidth(max(20, m.width-12))
	m.input.SetValue(value)
	m.input.CursorEnd()
	m.input.Focus()
}

func (m *Model) askSave() {
	m.ask("Save", "File to write the configuration to", m.files.Path, func(m *Model, path string) {
		if err := m.files.Save(path); err != nil {
			m.status = err.Error()
			return
		}
		m.result.Saved = m.result.Saved || path == m.files.Path
		m.screen, m.status = onMenu, "Saved to "+path
	})
}

func (m *Model) askLoad() {
	m.ask("Load", "File to read the configuration from", m.files.Path, func(m *Model, path string) {
		messages, err := m.files.Load(path)
		if err != nil {
			m.status = err.Error()
			return
		}
		m.screen, m.status = onMenu, "Loaded "+path
		if messages != "" {
			m.show("Messages on "+path, messages)
		}
	})
}

// search lists the symbols whose name or prompt matches.
func (m *Model) search(text string) {
	text = strings.TrimPrefix(text, "CONFIG_")
	re, err := regexp.Compile("(?i)" + text)
	if err != nil {
		m.status = "Not a regular expression: " + strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		return
	}
	found := m.tree.Search(re.MatchString)
	var b strings.Builder
	var jumps []*kconfig.Menu
	for _, s := range found {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		for _, at := range s.Menus {
			if at.Text() != "" {
				fmt.Fprintf(&b, "(%d) ", len(jumps)%9+1)
				jumps = append(jumps, at)
				break
			}
		}
		b.WriteString(s.Facts())
	}
	if len(found) == 0 {
		b.WriteString("No symbol matches.\n")
	}
	m.show("Search results for "+text, b.String())
	m.jumps = jumps
}

// textKey handles a key on a text screen.
func (m *Model) textKey(k tea.KeyPressMsg) tea.Cmd {
	name := k.String()
	switch name {
	case "enter", "q", "x", "e", "alt+esc":
		m.screen = onMenu
		return nil
	case "esc":
		if m.escaped {
			m.screen = onMenu
		}
		m.escaped = !m.escaped
		return nil
	case "home":
		m.text.GotoTop()
	case "end":
		m.text.GotoBottom()
	}
	m.escaped = false
	if target := m.jumpOf(name); target != nil {
		m.results = &results{m.title, m.whole, m.jumps, m.text.YOffset(), append([]frame(nil), m.path...), 0}
		m.jump(target)
		m.results.depth = len(m.path)
		return nil
	}
	var cmd tea.Cmd
	m.text, cmd = m.text.Update(k)
	return cmd
}

var jumpLine = regexp.MustCompile(`^\(([1-9])\) Symbol: `)

// jumpOf is the target of a digit: with more than nine results a digit stands
// for the one that is on the screen, or if none is, for the first.
func (m *Model) jumpOf(digit string) *kconfig.Menu {
	var first *kconfig.Menu
	i := 0
	for n, line := range strings.Split(m.text.GetContent(), "\n") {
		is := jumpLine.FindStringSubmatch(line)
		if is == nil || i >= len(m.jumps) {
			continue
		}
		target := m.jumps[i]
		i++
		if is[1] != digit {
			continue
		}
		if n >= m.text.YOffset() && n < m.text.YOffset()+m.text.Height() {
			return target
		}
		if first == nil {
			first = target
		}
	}
	return first
}

// results are search results that a digit jumped away from.
type results struct {
	title, text string
	jumps       []*kconfig.Menu
	offset      int
	path        []frame // where the search was started
	depth       int     // of the menu that was jumped to: leaving it comes back here
}

// back shows the results again.
func (m *Model) back() {
	r := m.results
	m.results, m.path = nil, r.path
	m.show(r.title, r.text)
	m.jumps = r.jumps
	m.text.SetYOffset(r.offset)
}

// inputKey handles a key on an input screen.
func (m *Model) inputKey(k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "enter":
		m.accept(m, m.input.Value())
		return nil
	case "esc", "alt+esc":
		m.screen, m.status, m.escaped = onMenu, "", false
		return nil
	}
	var cmd tea.Cmd
	m.input, cmd = m.input.Update(k)
	return cmd
}

// confirmKey handles a key on the question whether to save.
func (m *Model) confirmKey(name string) tea.Cmd {
	switch name {
	case "left", "right", "tab", "shift+tab":
		m.yes = !m.yes
	case "y", "Y":
		m.yes = true
		return m.decide()
	case "n", "N":
		m.yes = false
		return m.decide()
	case "enter", "space", " ":
		return m.decide()
	case "esc":
		if m.escaped {
			m.screen = onMenu
		}
		m.escaped = !m.escaped
	case "alt+esc":
		m.screen = onMenu
	}
	return nil
}

func (m *Model) decide() tea.Cmd {
	if !m.yes {
		m.result.Discarded = true
		return tea.Quit
	}
	if err := m.files.Save(m.files.Path); err != nil {
		m.screen, m.status = onMenu, err.Error()
		return nil
	}
	m.result.Saved = true
	return tea.Quit
}
