package packetdrill

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/command"
	"github.com/libos-go/libos/packetdrill"
)

// options are the flags of the command; those of scripts are in given, in order.
type options struct {
	kernel, shell bool
	families      []string
	given         []packetdrill.Option
}

// flag notes an option of scripts that the command line says.
type flag struct {
	o           *options
	name, value string
	bare        bool
}

func (f *flag) String() string { return f.value }
func (f *flag) Type() string   { return "value" }

// Set implements pflag.Value. A family may be said several times.
func (f *flag) Set(v string) error {
	f.value = v
	if f.name == "ip_version" {
		f.o.families = append(f.o.families, strings.Split(v, ",")...)
		return nil
	}
	if f.bare && v == "true" {
		v = ""
	}
	f.o.given = append(f.o.given, packetdrill.Option{Name: f.name, Value: v})
	return nil
}

// Command is `libos packetdrill`.
func Command(e *command.Env) *cobra.Command {
	o := &options{}
	c := &cobra.Command{
		Use:   "packetdrill FILE…",
		Short: "Run packetdrill scripts",
		Long: `Run packetdrill scripts against an instance of this stack in virtual time, or with
--kernel against the host's kernel in a network namespace that is made for it. A
directory stands for the *.pkt files in it. A script that names no --ip_version runs
for IPv4 and for IPv6, or for those that the command line names.`,
		Example: `  libos packetdrill handshake.pkt
  libos packetdrill --kernel --ip_version=ipv4 scripts/tcp
  libos packetdrill -D MSS=1460 --verbose handshake.pkt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), e, args) },
	}
	c.Flags().BoolVar(&o.kernel, "kernel", false, "run against the host's kernel, in a namespace of its own (needs root)")
	c.Flags().BoolVar(&o.shell, "allow-shell", false, "let commands in backticks run in a shell (with --kernel)")
	for _, s := range packetdrill.Options() {
		f := &flag{o: o, name: s.Name, bare: s.Bare}
		switch {
		case s.Name == "D":
			continue
		case s.Name == "define":
			c.Flags().VarP(f, s.Name, "D", s.Help)
		default:
			c.Flags().Var(f, s.Name, s.Help)
		}
		if s.Bare {
			c.Flags().Lookup(s.Name).NoOptDefVal = "true"
		}
	}
	return c
}

func (o *options) run(ctx context.Context, e *command.Env, args []string) error {
	s := packetdrill.Defaults()
	s.AllowShell = o.shell
	for _, x := range o.given {
		if err := s.Set(x.Name, x.Value); err != nil {
			return err
		}
	}
	families := []packetdrill.IPVersion{packetdrill.IPv4, packetdrill.IPv6}
	if len(o.families) > 0 {
		families = nil
		for _, name := range o.families {
			v, err := packetdrill.ParseIPVersion(name)
			if err != nil {
				return fmt.Errorf("--ip_version: %w", err)
			}
			families = append(families, v)
		}
	}
	var backend packetdrill.Backend = &packetdrill.Virtual{Wiring: e.Build.Wiring, Seed: 1}
	if o.kernel {
		backend = packetdrill.Kernel{}
	}
	files, err := packetdrill.Files(args...)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s: no *.pkt files are there", strings.Join(args, " "))
	}
	begun, runs, failed := time.Now(), 0, 0
	told := begun
	for i, file := range files {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(told) > 2*time.Second && command.Terminal(e.Stderr) {
			told = time.Now()
			e.Note("%d of %d scripts, %d runs failed", i, len(files), failed)
		}
		results, err := o.file(e, file, s, families, backend)
		if err != nil {
			return err
		}
		for _, ok := range results {
			runs++
			if !ok {
				failed++
			}
		}
	}
	if !e.JSON() && runs > 1 {
		e.Printf("%d runs of %d scripts, %d failed, %.1f s\n", runs, len(files), failed, time.Since(begun).Seconds())
	}
	if failed > 0 {
		return command.ExitError(1)
	}
	return nil
}

// file runs one script for each family and tells of it.
func (o *options) file(e *command.Env, file string, s packetdrill.Settings, families []packetdrill.IPVersion, b packetdrill.Backend) (passed []bool, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	list, err := packetdrill.Prepare(file, string(text), s, families...)
	if err != nil {
		r := &packetdrill.Result{File: file, Backend: b.Name()}
		r.Failures = []packetdrill.Failure{packetdrill.FailureOf(err)}
		return []bool{false}, tell(e, r)
	}
	for _, p := range list {
		r := packetdrill.Run(p.Script, p.Settings, b, func(line string) { e.Note("%s", line) })
		passed = append(passed, r.Passed || r.Skipped != "")
		if err := tell(e, r); err != nil {
			return nil, err
		}
	}
	return passed, nil
}

// tell writes one result: a line, and its failures.
func tell(e *command.Env, r *packetdrill.Result) error {
	if e.JSON() {
		return e.Print(r)
	}
	word := "ok"
	switch {
	case r.Skipped != "":
		e.Printf("skip %s %s %s: %s\n", r.File, r.Family, r.Backend, r.Skipped)
		return nil
	case !r.Passed:
		word = "FAIL"
	}
	e.Printf("%-4s %s %s %s %.6f s\n", word, r.File, r.Family, r.Backend, r.Time.Seconds())
	for i := range r.Failures {
		e.Printf("%s\n", r.Failures[i].Format(r.File))
	}
	return nil
}
