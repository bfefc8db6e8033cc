// Command http answers requests in one stack that another one sends, with
// Go's own net/http on both sides and without root. Expect:
//
//	200 OK, text/plain; charset=utf-8
//	hello from 10.0.0.2:80 to 10.0.0.1
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) (err error) {
	// Stacks that are joined by links live in one Domain. Closing it closes them
	// and tells if anything was left in their slabs.
	d := core.NewDomain(host.NewRealTime(), core.DomainOptions{})
	defer func() {
		if e := d.Close(); err == nil {
			err = e
		}
	}()
	a, b := pipe.New(pipe.Config{})
	client, err := station(d, "client", a, "10.0.0.1/24")
	if err != nil {
		return err
	}
	server, err := station(d, "server", b, "10.0.0.2/24")
	if err != nil {
		return err
	}

	l, err := server.Listen("tcp", ":80")
	if err != nil {
		return err
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintf(w, "hello from %s to %s\n", r.Context().Value(http.LocalAddrContextKey), from)
	})}
	go s.Serve(l)
	defer s.Close()

	transport := &http.Transport{DialContext: client.DialContext}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get("http://10.0.0.2/")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	fmt.Fprintf(out, "%s, %s\n", answer.Status, answer.Header.Get("Content-Type"))
	_, err = io.Copy(out, answer.Body)
	return err
}

// station is a stack with one device.
func station(d *core.Domain, name string, dev core.Device, address string) (*core.Instance, error) {
	in, err := libos.New(core.Options{Name: name, Domain: d})
	if err != nil {
		return nil, err
	}
	_, err = in.Attach(dev, "eth0", address)
	return in, err
}
