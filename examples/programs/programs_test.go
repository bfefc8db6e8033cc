//go:build linux && (amd64 || arm64)

package programs

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// script is one of the scripts, with the command in its path.
func script(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	for _, p := range []string{"python3", "curl", "ping", "traceroute", "ip", "ss", "sysctl"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "libos"), "../../cmd/libos").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c := exec.Command("sh", append([]string{name}, args...)...)
	c.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "XDG_RUNTIME_DIR="+dir)
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	t.Cleanup(func() {
		if err := syscall.Kill(-c.Process.Pid, 0); err != syscall.ESRCH {
			t.Errorf("%s has left programs behind: %v", name, err)
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		}
	})
	return c
}

func TestAWebServerWithoutRoot(t *testing.T) {
	site := t.TempDir()
	if err := os.WriteFile(filepath.Join(site, "hello"), []byte("hello from the stack\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	_ = l.Close() // free a moment ago
	c := script(t, "web.sh", site)
	c.Env = append(c.Env, "PORT="+port)
	out, err := c.Output()
	if want := "open http://127.0.0.1:" + port + "/\nhello from the stack\n"; string(out) != want || err != nil {
		t.Errorf("%q, %v, want %q", out, err, want)
	}
}

func TestProgramsOnTwoHostsAndARouter(t *testing.T) {
	capture := filepath.Join(t.TempDir(), "lab.pcapng")
	out, err := script(t, "lab.sh", capture).Output()
	const want = `3 packets transmitted, 3 received, 0% packet loss, time `
	const rest = `
// Package programs is unmodified programs on stacks, as scripts for a shell with libos,
1 10.1.0.1
2 10.2.0.2
forwarded
captured
`
	if s := string(out); err != nil || len(s) < len(want)+len(rest) || s[:len(want)] != want || s[len(s)-len(rest):] != rest {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Log("tshark is not installed: the capture is not read")
		return
	}
	read, err := exec.Command("tshark", "-r", capture, "-Y", "http.request", "-T", "fields", "-e", "ip.src", "-e", "http.request.uri").Output()
	if string(read) != "10.1.0.2\t/doc.go\n" || err != nil {
		t.Errorf("requests in the capture: %q, %v", read, err)
	}
}
