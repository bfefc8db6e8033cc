package menuconfig

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
)

// keysHelp stands above the list.
const keysHelp = "Arrows move, <Enter> opens ---> and buttons, <Space> <Y> <N> <M> change, <?> help, </> search, <Z> hidden options, <Esc><Esc> leaves"

// listHeight is how many rows fit on the screen.
func (m *Model) listHeight() int { return max(3, m.height-8-len(m.keyLines())) }

func (m *Model) keyLines() []string {
	return strings.Split(lipgloss.Wrap(keysHelp, max(20, m.width-4), " "), "\n")
}

// style is the look of the screen on a light or a dark terminal.
type style struct {
	title, border, cursor, dim, key, status lipgloss.Style
}

func (m *Model) style() style {
	pick := lipgloss.LightDark(m.dark)
	accent := pick(lipgloss.Color("4"), lipgloss.Color("14"))
	soft := pick(lipgloss.Color("8"), lipgloss.Color("7"))
	warn := pick(lipgloss.Color("1"), lipgloss.Color("11"))
	base := lipgloss.NewStyle()
	return style{
		title:  base.Bold(true).Foreground(accent),
		border: base.Foreground(soft),
		cursor: base.Reverse(true).Bold(true),
		dim:    base.Foreground(soft),
		key:    base.Bold(true),
		status: base.Foreground(warn),
	}
}

// View implements tea.Model.
func (m *Model) View() tea.View {
	v := tea.NewView(m.draw())
	v.AltScreen = true
	v.WindowTitle = m.heading()
	return v
}

func (m *Model) draw() string {
	st := m.style()
	out := []string{st.title.Render(clip(m.heading(), m.width)), st.border.Render(strings.Repeat("─", max(1, m.width)))}
	switch m.screen {
	case onText:
		out = append(out, m.drawText(st)...)
	case onInput:
		out = append(out, m.drawInput(st)...)
	case onConfirm:
		out = append(out, m.drawConfirm(st)...)
	default:
		out = append(out, m.drawMenu(st)...)
	}
	return strings.Join(out, "\n")
}

func (m *Model) drawMenu(st style) []string {
	f := m.frame()
	list := rows(f.menu, m.all)
	page := m.listHeight()
	name := m.breadcrumb()
	if name == "" {
		name = m.tree.Title()
	}
	out := []string{" " + st.key.Render(clip(name, m.width-2))}
	for _, l := range m.keyLines() {
		out = append(out, " "+st.dim.Render(l))
	}
	inner := max(10, m.width-4)
	out = append(out, st.border.Render(" ┌"+edge(inner, f.top > 0, "(-)")+"┐"))
	for i := f.top; i < f.top+page; i++ {
		line := ""
		if i < len(list) {
			line = clip(list[i].line(), inner-2)
		} else if i == 0 {
			line = "(nothing to choose here)"
		}
		cell := " " + line + strings.Repeat(" ", max(0, inner-1-lipgloss.Width(line)))
		switch {
		case i == f.cursor && i < len(list):
			cell = st.cursor.Render(cell)
		case i < len(list) && list[i].hidden:
			cell = st.dim.Render(cell)
		}
		out = append(out, st.border.Render(" │")+cell+st.border.Render("│"))
	}
	out = append(out, st.border.Render(" └"+edge(inner, f.top+page < len(list), "(+)")+"┘"))
	var bar []string
	for i, b := range buttons {
		b = "<" + b + ">"
		if i == m.button {
			b = st.cursor.Render(b)
		}
		bar = append(bar, b)
	}
	buttonsLine := strings.Join(bar, "  ")
	pad := max(0, (m.width-lipgloss.Width(buttonsLine))/2)
	out = append(out, strings.Repeat(" ", pad)+buttonsLine)
	return append(out, " "+st.status.Render(clip(m.status, m.width-2)))
}

// edge is a border line that tells of more rows.
func edge(n int, more bool, sign string) string {
	if !more || n < 12 {
		return strings.Repeat("─", n)
	}
	return strings.Repeat("─", 4) + sign + strings.Repeat("─", n-4-len(sign))
}

func (m *Model) drawText(st style) []string {
	out := []string{" " + st.key.Render(clip(m.title, m.width-2)), ""}
	for _, l := range strings.Split(m.text.View(), "\n") {
		out = append(out, "  "+l)
	}
	foot := "<Enter> back   arrows, PgUp, PgDn scroll"
	if len(m.jumps) > 0 {
		foot += "   (1) … jump there"
	}
	if m.escaped {
		foot = "Esc again goes back"
	} else if !m.text.AtBottom() {
		foot += "   more below"
	}
	return append(out, "", " "+st.dim.Render(clip(foot, m.width-2)))
}

func (m *Model) drawInput(st style) []string {
	return []string{"", " " + st.key.Render(clip(m.title, m.width-2)), "", "   " + m.input.View(), "",
		" " + st.status.Render(lipgloss.Wrap(m.status, max(20, m.width-4), " ")), "",
		" " + st.dim.Render("<Enter> accepts   <Esc> goes back")}
}

func (m *Model) drawConfirm(st style) []string {
	yes, no := "< Yes >", "< No >"
	if m.yes {
		yes = st.cursor.Render(yes)
	} else {
		no = st.cursor.Render(no)
	}
	return []string{"", " " + st.key.Render("Save your new configuration?"),
		" " + clip("It goes to "+m.files.Path+". Esc Esc goes on editing.", m.width-2), "", "   " + yes + "   " + no}
}

// clip cuts a text to n columns.
func clip(s string, n int) string {
	if lipgloss.Width(s) <= n {
		return s
	}
	r := []rune(s)
	for len(r) > 0 && lipgloss.Width(string(r)) > n-1 {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}
