package httpd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/command"
)

// access is a line of the log.
type access struct {
	Time   time.Time `json:"time"`
	Remote string    `json:"remote"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Status int       `json:"status"`
	Bytes  int64     `json:"bytes"`
}

// Command is `libos httpd`.
func Command(e *command.Env) *cobra.Command {
	var listen string
	c := &cobra.Command{
		Use:   "httpd [DIR]",
		Short: "Serve files over HTTP",
		Long: `Serve the files of a folder (by default this one) over HTTP from an instance, with
Go's own HTTP server on top of the stack's sockets, until interrupted. Links that
lead out of the folder are not followed.`,
		Example: `  libos httpd /srv/www
  libos httpd --instance right --listen '[fd02::2]:8080' .
  libos httpd -f host.toml -o json`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(c *cobra.Command, args []string) (err error) {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			root, err := os.OpenRoot(dir)
			if err != nil {
				return err
			}
			defer root.Close()
			ctx := c.Context()
			s, err := e.Open(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			l, err := s.Listen(ctx, "tcp", listen)
			if err != nil {
				return fmt.Errorf("listen on %s: %w", listen, err)
			}
			e.Note("serving %s on http://%s/", dir, l.Addr())
			return Serve(ctx, l, logged(e, http.FileServerFS(root.FS())))
		},
	}
	c.Flags().StringVarP(&listen, "listen", "l", ":80", "address and port to listen on")
	e.StackFlags(c)
	return c
}

// Serve serves until ctx ends, then lets requests finish for a second.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		last, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(last) != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(l)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) || ctx.Err() != nil {
		return nil
	}
	return err
}

// logged prints a line for each request.
func logged(e *command.Env, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r := &recorder{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(r, q)
		if e.JSON() {
			_ = e.Print(access{time.Now(), q.RemoteAddr, q.Method, q.URL.Path, r.status, r.bytes})
			return
		}
		e.Note("%s %s %s %d %s bytes", q.RemoteAddr, q.Method, q.URL.Path, r.status, command.Thousands(r.bytes))
	})
}

type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}
