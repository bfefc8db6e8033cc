package ring

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// sockets returns both ends of a stream Unix socket.
func sockets(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = c.(*net.UnixConn)
		t.Cleanup(func() { c.Close() })
	}
	return conns[0], conns[1]
}

func TestASessionIsHandedOverASocket(t *testing.T) {
	host, err := Host(small())
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	near, far := sockets(t)
	if err := SendFiles(near, []byte("your rings"), host.Files()); err != nil {
		t.Fatal(err)
	}
	host.HandedOver()
	msg, files, err := ReceiveFiles(far)
	if err != nil || string(msg) != "your rings" || len(files) != 4 {
		t.Fatalf("%q, %d files, %v", msg, len(files), err)
	}
	for _, f := range files {
		conn, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Control(func(fd uintptr) {
			if flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("descriptor flags %#x, %v", flags, err)
			}
		})
	}
	module, err := Module(files)
	if err != nil {
		t.Fatal(err)
	}
	defer module.Close()
	module.Main.Out.Write([]byte("thanks"))
	if err := host.Main.In.Wait(soon()); err != nil {
		t.Fatal(err)
	}
	if p, err := host.Main.In.Next(); string(p) != "thanks" || err != nil {
		t.Errorf("%q, %v", p, err)
	}
}

func TestMessagesAndFilesKeepTogether(t *testing.T) {
	near, far := sockets(t)
	long := strings.Repeat("long ", MaxMessage/5)
	go func() {
		for i, msg := range []string{"", "short", long, "end"} {
			if err := SendFiles(near, []byte(msg), []*os.File{os.Stdin, os.Stdout, os.Stderr}[:i]); err != nil {
				t.Error(err)
			}
		}
		near.Close()
	}()
	for i, want := range []string{"", "short", long, "end"} {
		msg, files, err := ReceiveFiles(far)
		if err != nil || string(msg) != want || len(files) != i {
			t.Errorf("message %d: %d bytes, %d files, %v", i, len(msg), len(files), err)
		}
		for _, f := range files {
			f.Close()
		}
	}
	if _, _, err := ReceiveFiles(far); err != io.EOF {
		t.Errorf("after the last message: %v", err)
	}
}

func TestFilesOverTheBoundsAreNotSent(t *testing.T) {
	near, _ := sockets(t)
	if err := SendFiles(near, make([]byte, MaxMessage+1), nil); err == nil {
		t.Error("a message over the bound was sent")
	}
	if err := SendFiles(near, nil, make([]*os.File, MaxFiles+1)); err == nil {
		t.Error("files over the bound were sent")
	}
}

func TestASenderThatBreaksTheFormatLeavesNoDescriptor(t *testing.T) {
	head := func(length, files uint32) []byte {
		return binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, length), files)
	}
	for _, c := range []struct {
		name string
		data []byte
		fds  int
	}{
		{"more files than announced", head(0, 1), 2},
		{"fewer files than announced", head(0, 2), 1},
		{"more files than may be", head(0, 32), 64},
		{"a message over the bound", head(MaxMessage+1, 1), 1},
		{"an end inside the header", head(0, 1)[:5], 1},
		{"an end inside the message", append(head(10, 1), "abc"...), 1},
	} {
		near, far := sockets(t)
		rights := unix.UnixRights(make([]int, c.fds)...) // of standard input
		if _, _, err := near.WriteMsgUnix(c.data, rights, nil); err != nil {
			t.Fatal(err)
		}
		near.CloseWrite()
		before := descriptors(t)
		if msg, files, err := ReceiveFiles(far); err == nil || err == io.EOF || msg != nil || files != nil {
			t.Errorf("%s: %q, %d files, %v", c.name, msg, len(files), err)
		} else {
			t.Logf("%s: %v", c.name, err)
		}
		if n := descriptors(t); n != before {
			t.Errorf("%s: %d descriptors before, %d after", c.name, before, n)
		}
	}
}
