package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// maxLine bounds one line of the protocol in bytes.
const maxLine = 1 << 20

// request opens a connection.
type request struct {
	Op       string          `json:"op"`
	Instance string          `json:"instance,omitempty"`
	Args     json.RawMessage `json:"args,omitempty"`
	// Streams: the connection goes on as a stream of bytes, so that the server
	// leaves what the client sends to the operation.
	Streams bool `json:"streams,omitempty"`
}

// answer is one line back.
type answer struct {
	Event  json.RawMessage `json:"event,omitempty"`
	Stream json.RawMessage `json:"stream,omitempty"`
	Done   bool            `json:"done,omitempty"`
	Error  string          `json:"error,omitempty"`
	Errno  int             `json:"errno,omitempty"`
}

// Error is a failure that the server reported. It unwraps to the errno where
// there was one, so that errors.Is works across the socket.
type Error struct {
	Text  string
	Errno syscall.Errno
}

func (e *Error) Error() string { return e.Text }

// Unwrap gives the errno.
func (e *Error) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// conn is one side of a control connection.
type conn struct {
	net.Conn
	r *bufio.Reader
}

func newConn(c net.Conn) *conn { return &conn{c, bufio.NewReaderSize(c, 64<<10)} }

// Read goes through the buffer, in which bytes behind a line may wait.
func (c *conn) Read(b []byte) (int, error) { return c.r.Read(b) }

// CloseWrite ends one direction.
func (c *conn) CloseWrite() error {
	if u, ok := c.Conn.(*net.UnixConn); ok {
		return u.CloseWrite()
	}
	return c.Conn.Close()
}

func (c *conn) readLine(v any) error {
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			if err == io.EOF && len(line) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		if len(line) > maxLine {
			return fmt.Errorf("control: a line is longer than %d bytes", maxLine)
		}
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("control: not a line of the protocol: %w", err)
	}
	return nil
}

func (c *conn) writeLine(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("control: %w", err)
	}
	_, err = c.Conn.Write(append(b, '\n'))
	return err
}

// failure is an error as a line.
func failure(err error) answer {
	a := answer{Error: err.Error()}
	var e syscall.Errno
	if errors.As(err, &e) {
		a.Errno = int(e)
	}
	return a
}

// Dir is the folder of the control sockets of this user: $XDG_RUNTIME_DIR/libos,
// or libos-UID in the folder for temporary files.
func Dir(getenv func(string) string) string {
	if d := getenv("XDG_RUNTIME_DIR"); d != "" {
		return d + "/libos"
	}
	return fmt.Sprintf("%s/libos-%d", os.TempDir(), os.Getuid())
}

// Path is the control socket of a name; a name with a slash is a path already.
func Path(getenv func(string) string, name string) string {
	for i := range len(name) {
		if name[i] == '/' {
			return name
		}
	}
	return Dir(getenv) + "/" + name + ".sock"
}
