package menuconfig_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/libos-go/libos/gen/kconfig"
	"github.com/libos-go/libos/gen/menuconfig"
)

var update = flag.Bool("update", false, "rewrite the golden screens")

// session types keys into the program without a terminal and collects what the
// screen shows.
type session struct {
	t     *testing.T
	tree  *kconfig.Tree
	model *menuconfig.Model
	saved map[string]string
	ended bool
	log   strings.Builder
}

func start(t *testing.T) *session {
	t.Helper()
	tree, ms := kconfig.Load("testdata", nil)
	if ms.Errors() {
		t.Fatal(ms.String())
	}
	s := &session{t: t, tree: tree, saved: map[string]string{}}
	s.model = menuconfig.New(tree, menuconfig.Files{
		Path: ".config",
		Load: func(path string) (string, error) {
			if path != "other.config" {
				return "", os.ErrNotExist
			}
			tree.Reset()
			return tree.ParseConfig(path, []byte("CONFIG_RING=5000\nCONFIG_NAME=\"loaded\"\nCONFIG_IPV4=maybe\n")).String(), nil
		},
		Save: func(path string) error {
			s.saved[path] = string(tree.Config())
			return nil
		},
	})
	s.send(tea.WindowSizeMsg{Width: 72, Height: 22})
	return s
}

func (s *session) send(msg tea.Msg) {
	_, cmd := s.model.Update(msg)
	if cmd == nil {
		return
	}
	if _, quit := cmd().(tea.QuitMsg); quit {
		s.ended = true
	}
}

var special = map[string]rune{"up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight, "enter": tea.KeyEnter,
	"esc": tea.KeyEscape, "space": tea.KeySpace, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome, "end": tea.KeyEnd,
	"tab": tea.KeyTab, "backspace": tea.KeyBackspace}

// keys presses keys: names of special keys, or words to type.
func (s *session) keys(list ...string) {
	for _, k := range list {
		if code, ok := special[k]; ok {
			key := tea.KeyPressMsg{Code: code}
			if k == "space" {
				key.Text = " "
			}
			s.send(key)
			continue
		}
		for _, r := range k {
			s.send(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	}
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;:?]*[a-zA-Z]")

// picture records the screen under a caption.
func (s *session) picture(caption string) {
	s.log.WriteString("=== " + caption + "\n")
	for _, l := range strings.Split(escapes.ReplaceAllString(s.model.View().Content, ""), "\n") {
		s.log.WriteString(strings.TrimRight(l, " ") + "\n")
	}
}

func (s *session) golden(name string) {
	s.t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(s.log.String()), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if d := cmp.Diff(string(want), s.log.String()); d != "" {
		s.t.Errorf("the screens differ from %s (go test -update rewrites it):\n%s", path, d)
	}
}

func (s *session) value(name, want string) {
	s.t.Helper()
	if got := s.tree.Lookup(name).String(); got != want {
		s.t.Errorf("CONFIG_%s is %q, want %q", name, got, want)
	}
}

func TestMovingAndOpeningMenus(t *testing.T) {
	s := start(t)
	s.picture("the root menu")
	s.keys("down", "enter")
	s.picture("Enter opens a menu")
	s.keys("end")
	s.picture("End")
	s.keys("home", "up", "pgdown", "pgup")
	s.picture("Home again")
	s.keys("esc")
	s.picture("one Esc asks for another")
	s.keys("esc")
	s.picture("back at the root")
	s.keys("end", "right", "right")
	s.picture("the Help button")
	s.golden("moving")
}

func TestSpaceCyclesAndLettersSet(t *testing.T) {
	s := start(t)
	s.keys("down", "enter", "down") // on TUNNEL, a module by default
	s.picture("a module that selects another")
	s.value("TUNNEL", "m")
	s.keys("space")
	s.value("TUNNEL", "y")
	s.picture("selected options are locked")
	s.keys("space")
	s.value("TUNNEL", "n")
	s.keys("m")
	s.value("TUNNEL", "m")
	s.keys("y")
	s.value("TUNNEL", "y")
	s.keys("n")
	s.value("TUNNEL", "n")
	s.keys("up", "n")
	s.picture("what depends on IPV4 goes with it")
	s.value("IPV4", "n")
	s.golden("setting")
}

func TestHiddenOptions(t *testing.T) {
	s := start(t)
	s.keys("down", "enter", "Z")
	s.picture("Z shows hidden options")
	s.keys("end", "y")
	s.picture("and says why they cannot be set")
	s.value("HIDDEN", "n")
	s.keys("z")
	s.picture("Z again")
	s.golden("hidden")
}

func TestHelpAndSearch(t *testing.T) {
	s := start(t)
	s.keys("down", "enter", "down", "down", "?")
	s.picture("help")
	s.keys("enter", "/")
	s.picture("the search prompt")
	s.keys("^gre$", "enter")
	s.picture("results")
	s.keys("1")
	s.picture("a jump key goes there")
	s.keys("esc", "esc")
	s.picture("leaving that menu comes back to the results")
	s.keys("enter", "/", "(", "enter")
	s.picture("a bad expression")
	s.keys("esc", "/", "nothing", "enter")
	s.picture("no match")
	s.keys("enter", "home", "down", "down", "?")
	s.send(tea.WindowSizeMsg{Width: 40, Height: 24})
	s.picture("a text is wrapped anew in a narrower window")
	s.keys("esc")
	s.picture("one Esc on a text asks for another")
	s.keys("esc")
	s.golden("help")
}

func TestTextAndChoice(t *testing.T) {
	s := start(t)
	s.keys("down", "down", "enter")
	s.picture("a choice")
	s.keys("down", "space")
	s.value("FAIR", "y")
	s.value("FIFO", "n")
	s.keys("esc", "esc", "down", "enter")
	s.picture("an int with its range")
	s.keys("99", "enter")
	s.picture("out of range")
	s.value("RING", "64")
	s.keys("backspace", "backspace", "enter")
	s.value("RING", "64")
	s.keys("enter", "backspace", "backspace", "128", "enter")
	s.value("RING", "128")
	s.keys("down", "enter", "!", "enter")
	s.value("NAME", "box!")
	s.picture("the new values")
	s.golden("values")
}

func TestLeavingAsksToSave(t *testing.T) {
	s := start(t)
	s.keys("end", "enter", "x", "enter", "esc", "esc")
	s.picture("save changes?")
	if s.ended {
		t.Fatal("the program ended without asking")
	}
	s.keys("esc", "esc")
	if s.ended {
		t.Fatal("Esc Esc on the question ended the program")
	}
	s.keys("esc", "esc", "enter")
	if !s.ended || !s.model.Result().Saved {
		t.Fatalf("after Yes: ended %v, %+v", s.ended, s.model.Result())
	}
	if !strings.Contains(s.saved[".config"], `CONFIG_NAME="boxx"`) {
		t.Errorf("saved %q", s.saved[".config"])
	}
	s.golden("leaving")
}

func TestLeavingWithoutSaving(t *testing.T) {
	s := start(t)
	s.keys("end", "enter", "x", "enter", "esc", "esc", "n")
	if !s.ended || !s.model.Result().Discarded || len(s.saved) != 0 {
		t.Errorf("after No: ended %v, %+v, saved %v", s.ended, s.model.Result(), s.saved)
	}
	s = start(t)
	s.keys("esc", "esc")
	if !s.ended || s.model.Result() != (menuconfig.Result{}) {
		t.Errorf("without changes: ended %v, %+v", s.ended, s.model.Result())
	}
}

func TestSaveAndLoadFiles(t *testing.T) {
	s := start(t)
	s.keys("s", ".new", "enter")
	if _, ok := s.saved[".config.new"]; !ok {
		t.Errorf("saved %v", s.saved)
	}
	s.picture("saved")
	s.keys("l")
	for range len(".config") {
		s.keys("backspace")
	}
	s.keys("missing", "enter")
	s.picture("a file that is not there")
	for range len("missing") {
		s.keys("backspace")
	}
	s.keys("other.config", "enter")
	s.picture("messages of the loaded file")
	s.value("NAME", "loaded")
	s.golden("files")
}

func TestResize(t *testing.T) {
	s := start(t)
	s.keys("down", "enter", "end")
	s.send(tea.WindowSizeMsg{Width: 40, Height: 12})
	s.picture("small")
	s.send(tea.WindowSizeMsg{Width: 100, Height: 30})
	s.picture("large")
	s.send(tea.WindowSizeMsg{Width: 1, Height: 1})
	if s.model.View().Content == "" {
		t.Error("nothing is drawn in a tiny window")
	}
	s.golden("resize")
}

func TestReadableOnLightAndDark(t *testing.T) {
	s := start(t)
	dark := s.model.View().Content
	s.send(tea.BackgroundColorMsg{Color: light{}})
	if s.model.View().Content == dark {
		t.Error("the same colours on a light terminal as on a dark one")
	}
}

type light struct{}

func (light) RGBA() (r, g, b, a uint32) { return 0xffff, 0xffff, 0xffff, 0xffff }

// TestInATerminal runs libosbuild menuconfig inside tmux, once with light and
// once with dark colours around it.
func TestInATerminal(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed (Debian package tmux)")
	}
	bin := filepath.Join(t.TempDir(), "libosbuild")
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/libosbuild").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	menu, err := os.ReadFile("testdata/Kconfig.toml")
	if err != nil {
		t.Fatal(err)
	}
	// the title is blue on white, bright cyan on black
	for colours, title := range map[string]string{"fg=#000000,bg=#ffffff": "\x1b[34m.config", "fg=#ffffff,bg=#000000": "\x1b[96m.config"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "Kconfig.toml"), menu, 0o644); err != nil {
			t.Fatal(err)
		}
		x := startTerminal(t, dir, colours, bin+" menuconfig")
		x.wait("Networking  --->")
		x.waitFor(title, "-e")
		x.tmux("send-keys", "Down", "Enter")
		x.wait("[*] IPv4")
		x.tmux("send-keys", "n")
		x.wait("[ ] IPv4")
		for _, size := range [][2]string{{"100", "30"}, {"50", "14"}, {"80", "24"}} {
			x.tmux("resize-window", "-x", size[0], "-y", size[1])
			columns, _ := strconv.Atoi(size[0])
			x.wait("\n" + strings.Repeat("─", columns) + "\n") // the rule below the title is as wide as the screen
			x.wait("[ ] IPv4")
		}
		x.tmux("send-keys", "Escape", "Escape")
		x.wait("Networking  --->")
		x.tmux("send-keys", "Escape", "Escape")
		x.wait("Save your new configuration?")
		x.tmux("send-keys", "Enter")
		x.wait("The configuration is in .config")
		got, err := os.ReadFile(filepath.Join(dir, ".config"))
		if err != nil || !strings.Contains(string(got), "# CONFIG_IPV4 is not set") {
			t.Errorf("the file says %q (%v)", got, err)
		}
	}
}

// Without a .config there is something to save, though nothing was changed.
func TestNewConfigurationIsOffered(t *testing.T) {
	var said bytes.Buffer
	session := kconfig.Session{Dir: t.TempDir(), Stdout: &said, Stderr: &said}
	menu, err := os.ReadFile("testdata/Kconfig.toml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(session.Dir, "Kconfig.toml"), menu, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, fresh := range []bool{true, false} {
		tree, err := session.LoadConfigured()
		if err != nil {
			t.Fatal(err)
		}
		if tree.Changed() != fresh {
			t.Errorf("fresh %v: changed %v", fresh, tree.Changed())
		}
		if err := session.Run("defconfig", nil); err != nil {
			t.Fatalf("%v\n%s", err, &said)
		}
	}
}

type terminal struct {
	t      *testing.T
	socket string
}

func startTerminal(t *testing.T, dir, colours, command string) *terminal {
	t.Helper()
	x := &terminal{t, filepath.Join(dir, "tmux")}
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", x.socket, "kill-server").Run() })
	begin := filepath.Join(dir, "go") // the colours must be there before the program asks for them
	x.tmux("new-session", "-d", "-x", "80", "-y", "24", "-c", dir,
		"while [ ! -e "+begin+" ]; do sleep 0.02; done; "+command+"; exec cat")
	x.tmux("set", "-g", "window-style", colours)
	if err := os.WriteFile(begin, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *terminal) tmux(args ...string) string {
	x.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", x.socket, "-f", "/dev/null"}, args...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8", "KCONFIG_CONFIG=")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		x.t.Fatalf("tmux %v: %v\n%s", args, err, out.String())
	}
	return out.String()
}

// wait waits for a text on the screen.
func (x *terminal) wait(text string) {
	x.t.Helper()
	x.waitFor(text)
}

// waitFor is wait with flags of capture-pane: -e for the colours, too.
func (x *terminal) waitFor(text string, flags ...string) {
	x.t.Helper()
	var screen string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if screen = x.tmux(append([]string{"capture-pane", "-p"}, flags...)...); strings.Contains(screen, text) {
			return
		}
	}
	x.t.Fatalf("the terminal never showed %q:\n%s", text, screen)
}
