package ring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Bounds of one SendFiles; the kernel's own is 253 files (SCM_MAX_FD).
const (
	MaxFiles   = 32
	MaxMessage = 64 << 10 // bytes

	filesHeader = 8 // length of the message and number of files, 4 bytes each
)

// SendFiles sends a message of up to MaxMessage bytes with up to MaxFiles
// descriptors over a stream Unix socket, for ReceiveFiles at the other end. The
// files stay the caller's, who may close them afterwards. The connection's
// deadlines hold.
func SendFiles(conn *net.UnixConn, msg []byte, files []*os.File) error {
	if len(msg) > MaxMessage || len(files) > MaxFiles {
		return fmt.Errorf("ring: send %d bytes with %d files: at most %d and %d go at once", len(msg), len(files), MaxMessage, MaxFiles)
	}
	p := binary.NativeEndian.AppendUint32(nil, uint32(len(msg)))
	p = binary.NativeEndian.AppendUint32(p, uint32(len(files)))
	p = append(p, msg...)
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			// Held open until the message is out, without touching its blocking mode.
			raw, err := f.SyscallConn()
			if err != nil {
				return fmt.Errorf("ring: send file %d: %w", i, err)
			}
			var dup error
			if err := raw.Control(func(fd uintptr) { fds[i], dup = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3) }); err != nil {
				return fmt.Errorf("ring: send file %d: %w", i, err)
			}
			if dup != nil {
				return fmt.Errorf("ring: send file %d: %w", i, dup)
			}
			defer unix.Close(fds[i])
		}
		rights = unix.UnixRights(fds...)
	}
	n, _, err := conn.WriteMsgUnix(p, rights, nil)
	if err != nil {
		return fmt.Errorf("ring: send files: %w", err)
	}
	// The rights went with the first byte; a stream may take the rest in pieces.
	if _, err := conn.Write(p[n:]); n < len(p) && err != nil {
		return fmt.Errorf("ring: send files: %w", err)
	}
	return nil
}

// ReceiveFiles receives what one SendFiles sent. The files are the caller's and
// close-on-exec; nothing is known of what they are. A sender that breaks the
// bounds is an error, and no descriptor of it stays open. The error is io.EOF if
// the sender closed the connection between two messages.
func ReceiveFiles(conn *net.UnixConn) (msg []byte, files []*os.File, err error) {
	defer func() {
		if err != nil {
			for _, f := range files {
				f.Close()
			}
			msg, files = nil, nil
		}
	}()
	var head [filesHeader]byte
	oob := make([]byte, unix.CmsgSpace(4*MaxFiles))
	// net sets MSG_CMSG_CLOEXEC.
	n, oobn, flags, _, err := conn.ReadMsgUnix(head[:], oob)
	if errors.Is(err, io.EOF) {
		return nil, nil, io.EOF
	}
	if err != nil {
		return nil, nil, fmt.Errorf("ring: receive files: %w", err)
	}
	if files, err = takeRights(oob[:oobn]); err != nil {
		return nil, files, err
	}
	if flags&unix.MSG_CTRUNC != 0 {
		return nil, files, fmt.Errorf("ring: receive files: more than %d came at once", MaxFiles)
	}
	if _, err = io.ReadFull(conn, head[n:]); err != nil {
		return nil, files, fmt.Errorf("ring: receive files: %w", unexpected(err))
	}
	length, count := binary.NativeEndian.Uint32(head[0:]), binary.NativeEndian.Uint32(head[4:])
	if length > MaxMessage || uint64(count) != uint64(len(files)) {
		return nil, files, fmt.Errorf("ring: receive files: %d bytes and %d files are announced, %d files came", length, count, len(files))
	}
	msg = make([]byte, length)
	if _, err = io.ReadFull(conn, msg); err != nil {
		return nil, files, fmt.Errorf("ring: receive files: %w", unexpected(err))
	}
	return msg, files, nil
}

// takeRights makes files of the descriptors in control messages. What it returns
// is open, also beside an error.
func takeRights(oob []byte) ([]*os.File, error) {
	var files []*os.File
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("ring: control message: %w", err)
	}
	for i := range messages {
		if messages[i].Header.Level != unix.SOL_SOCKET || messages[i].Header.Type != unix.SCM_RIGHTS {
			continue
		}
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return files, fmt.Errorf("ring: control message: %w", err)
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

// unexpected turns an end of file in the middle of a message into what it is.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
