package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/control"
	"github.com/libos-go/libos/core"
)

// Stack is where a subcommand does its work: an instance of a running `libos
// up`, or one of a host file that the command runs itself.
type Stack interface {
	// Call carries an operation out and hands each event to the caller.
	Call(ctx context.Context, op string, args any, each func(json.RawMessage) error) error
	// Stream is an operation that goes on as a stream of bytes.
	Stream(ctx context.Context, op string, args any) (net.Conn, error)
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
	// List describes the instances.
	List(ctx context.Context) ([]control.InstanceInfo, error)
	// Close lets go of it; a stack of the command's own ends.
	Close() error
}

// StackFlags gives a subcommand the flags that choose a stack.
func (e *Env) StackFlags(c *cobra.Command) {
	e.RunningFlags(c)
	c.Flags().StringVarP(&e.file, "file", "f", "", "run the stack of this host file for the command, instead of using a running one")
	c.MarkFlagsMutuallyExclusive("control", "file")
	_ = c.MarkFlagFilename("file", "toml")
}

// ControlFlag gives a subcommand the flag that chooses a running stack.
func (e *Env) ControlFlag(c *cobra.Command) {
	c.Flags().StringVar(&e.control, "control", "default", "name or path of the control socket of a running stack")
}

// RunningFlags choose an instance of a running stack.
func (e *Env) RunningFlags(c *cobra.Command) {
	e.ControlFlag(c)
	c.Flags().StringVarP(&e.instance, "instance", "i", "", "instance to use, where there are several")
	_ = c.RegisterFlagCompletionFunc("instance", func(c *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return e.completions(c.Context(), func(i control.InstanceInfo) []string { return []string{i.Name} })
	})
}

// CompleteDevices completes the names of devices of the chosen instance.
func (e *Env) CompleteDevices(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return e.completions(c.Context(), func(i control.InstanceInfo) (names []string) {
		if e.instance != "" && i.Name != e.instance {
			return nil
		}
		for _, x := range i.Interfaces {
			names = append(names, x.Name)
		}
		return names
	})
}

func (e *Env) completions(ctx context.Context, names func(control.InstanceInfo) []string) (out []string, d cobra.ShellCompDirective) {
	client := control.Client{Path: control.Path(e.Getenv, e.control)}
	list, err := client.List(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	for _, i := range list {
		out = append(out, names(i)...)
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// Open finds or makes the stack that the flags choose.
func (e *Env) Open(ctx context.Context) (Stack, error) {
	if e.file == "" {
		return &running{control.Client{Path: control.Path(e.Getenv, e.control)}, e.instance}, nil
	}
	f, err := e.ReadHostFile(e.file)
	if err != nil {
		return nil, err
	}
	stacks, err := f.Start(e)
	if err != nil {
		return nil, err
	}
	in, err := control.Choose(stacks.Instances, e.instance)
	if err == nil {
		err = WaitAddresses(ctx, stacks.Instances...)
	}
	if err != nil {
		return nil, errors.Join(err, stacks.Close())
	}
	return e.NewOwn(stacks, in), nil
}

// running is an instance behind a control socket.
type running struct {
	client   control.Client
	instance string
}

func (r *running) Call(ctx context.Context, op string, args any, each func(json.RawMessage) error) error {
	return r.client.Call(ctx, op, r.instance, args, each)
}

func (r *running) Stream(ctx context.Context, op string, args any) (net.Conn, error) {
	return r.client.Stream(ctx, op, r.instance, args, nil)
}

func (r *running) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return r.client.DialContext(ctx, r.instance, network, address)
}

func (r *running) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	return r.client.Listen(ctx, r.instance, network, address)
}

func (r *running) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	return r.client.ListenPacket(ctx, r.instance, network, address)
}

func (r *running) List(ctx context.Context) ([]control.InstanceInfo, error) {
	return r.client.List(ctx)
}

func (r *running) Close() error { return nil }

// Own is an instance of this process.
type Own struct {
	Stacks     *Stacks
	Instance   *core.Instance
	operations map[string]control.Operation
}

// NewOwn is an instance of s as a Stack with the operations of all subcommands.
func (e *Env) NewOwn(s *Stacks, in *core.Instance) *Own { return &Own{s, in, e.Operations} }

func (o *Own) call(ctx context.Context, op string, args any) (*control.Call, control.Handler, error) {
	h := o.operations[op].Run
	if h == nil {
		return nil, nil, fmt.Errorf("no operation %q in this binary", op)
	}
	raw, err := json.Marshal(args)
	return &control.Call{Instance: o.Instance, Instances: o.Stacks.Instances, Args: raw}, h, err
}

// Call implements Stack.
func (o *Own) Call(ctx context.Context, op string, args any, each func(json.RawMessage) error) error {
	c, h, err := o.call(ctx, op, args)
	if err != nil {
		return err
	}
	c.Emit = func(event any) error {
		raw, err := json.Marshal(event)
		if err != nil || each == nil {
			return err
		}
		return each(raw)
	}
	return h(ctx, c)
}

// Stream implements Stack.
func (o *Own) Stream(ctx context.Context, op string, args any) (net.Conn, error) {
	c, h, err := o.call(ctx, op, args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	begun := make(chan error, 1)
	near, far := net.Pipe()
	stream := &ownStream{Conn: near, end: cancel}
	c.Emit = func(any) error { return nil }
	c.Stream = func(any) (net.Conn, error) {
		begun <- nil
		return far, nil
	}
	stream.wg.Add(1)
	go func() {
		defer stream.wg.Done()
		err := h(ctx, c)
		_ = far.Close()
		select {
		case begun <- err:
		default:
		}
	}()
	if err := <-begun; err != nil {
		_ = stream.Close()
		return nil, err
	}
	return stream, nil
}

type ownStream struct {
	net.Conn
	end context.CancelFunc
	wg  sync.WaitGroup
}

func (s *ownStream) Close() error {
	s.end()
	err := s.Conn.Close()
	s.wg.Wait()
	return err
}

// DialContext implements Stack.
func (o *Own) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return o.Instance.DialContext(ctx, network, address)
}

// Listen implements Stack.
func (o *Own) Listen(_ context.Context, network, address string) (net.Listener, error) {
	return o.Instance.Listen(network, address)
}

// ListenPacket implements Stack.
func (o *Own) ListenPacket(_ context.Context, network, address string) (net.PacketConn, error) {
	return o.Instance.ListenPacket(network, address)
}

// List implements Stack.
func (o *Own) List(context.Context) ([]control.InstanceInfo, error) {
	var list []control.InstanceInfo
	for _, in := range o.Stacks.Instances {
		list = append(list, control.Describe(in))
	}
	return list, nil
}

// Close ends all instances of the process's own.
func (o *Own) Close() error { return o.Stacks.Close() }
