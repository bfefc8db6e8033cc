package contracts

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// CoreBans holds the bans of contract C1: inside the core nobody blocks,
// sleeps, starts a goroutine, reads the wall clock or uses a global random
// source.
var CoreBans = &analysis.Analyzer{
	Name: "corebans",
	Doc: `inside a Domain nobody blocks, and time, randomness and I/O come from the host

In allocator, core, protocols and netlink (tests excepted) these are errors:
  - the go statement;
  - channel operations that can block: a send or a receive outside a select
    with a default, a select without one, a range over a channel; also
    sync.Cond.Wait, sync.WaitGroup.Wait and sync.WaitGroup.Go;
  - package time's clock and timers (Now, Since, Until, Sleep, After, Tick,
    NewTimer, NewTicker, AfterFunc) and contexts with a deadline on it;
  - crypto/rand, and the functions of math/rand and math/rand/v2 that draw from
    their global source (constructors and methods on a source are fine);
  - I/O past the devices: package net but for its types and pure functions,
    package os but for its error values, os/exec, os/signal, net/http, log,
    slog's default logger, fmt.Print and its like;
  - system calls (package syscall and golang.org/x/sys), but in allocator,
    which maps pages; their constants, types and methods are fine everywhere.
A use as a value (clock := time.Now) counts as a call.`,
	Run: runCoreBans,
}

// banned names package-level objects that may not be used, by package. "*"
// bans the whole package, "func" every function; names after a "+" are let
// through again.
var banned = map[string]struct {
	names string
	why   string
}{
	"time": {"Now Since Until Sleep After Tick NewTimer NewTicker AfterFunc",
		"ask the host for time and timers"},
	"context": {"WithTimeout WithTimeoutCause WithDeadline WithDeadlineCause",
		"deadlines are read on the host's clock"},
	"math/rand":    {"func +New +NewSource +NewZipf", "draw from the host's named random stream"},
	"math/rand/v2": {"func +New +NewPCG +NewChaCha8 +NewZipf", "draw from the host's named random stream"},
	"crypto/rand":  {"*", "draw from the host's named random stream"},
	"net": {"Dial DialTimeout DialIP DialTCP DialUDP DialUnix Listen ListenIP ListenMulticastUDP ListenPacket ListenTCP " +
		"ListenUDP ListenUnix ListenUnixgram LookupAddr LookupCNAME LookupHost LookupIP LookupMX LookupNS LookupPort " +
		"LookupSRV LookupTXT ResolveIPAddr ResolveTCPAddr ResolveUDPAddr ResolveUnixAddr Interfaces InterfaceAddrs " +
		"InterfaceByIndex InterfaceByName FileConn FileListener FilePacketConn Pipe Dialer ListenConfig Resolver " +
		"DefaultResolver Interface", "packets enter and leave by devices"},
	"os": {"* +ErrClosed +ErrDeadlineExceeded +ErrExist +ErrInvalid +ErrNoDeadline +ErrNotExist +ErrPermission +NewSyscallError +PathError +SyscallError +IsTimeout",
		"files and the process belong to the host"},
	"os/exec":   {"*", "files and the process belong to the host"},
	"os/signal": {"*", "files and the process belong to the host"},
	"net/http":  {"*", "applications live above the sockets"},
	"log":       {"*", "log by the host's logger"},
	"log/slog":  {"Debug DebugContext Info InfoContext Warn WarnContext Error ErrorContext Log LogAttrs Default SetDefault With", "log by the host's logger"},
	"fmt":       {"Print Printf Println Scan Scanf Scanln", "log by the host's logger"},
	"runtime":   {"Gosched LockOSThread", "the host schedules"},
}

// blockingMethods are methods of sync that wait for other goroutines or start one.
var blockingMethods = []string{"(*sync.Cond).Wait", "(*sync.WaitGroup).Wait", "(*sync.WaitGroup).Go"}

// pureSystemCalls are functions of the system call packages that make none.
var pureSystemCalls = []string{"BytePtrToString", "ByteSliceToString", "ErrnoName", "SignalName"}

func runCoreBans(pass *analysis.Pass) (any, error) {
	if !within(pass.Pkg.Path(), freeOfBlockingTrees) {
		return nil, nil
	}
	for _, f := range sources(pass) {
		banUses(pass, f)
		banBlocking(pass, f)
	}
	return nil, nil
}

func banUses(pass *analysis.Pass, f *ast.File) {
	top, _ := tree(pass.Pkg.Path())
	ast.Inspect(f, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		obj := pass.TypesInfo.Uses[id]
		if obj == nil || obj.Pkg() == nil {
			return true
		}
		if fn, ok := obj.(*types.Func); ok && slices.Contains(blockingMethods, fn.FullName()) {
			pass.Reportf(id.Pos(), "%s blocks or starts a goroutine inside a Domain: park at the edge, through the host (contract C1)", fn.FullName())
			return true
		}
		if obj.Parent() != obj.Pkg().Scope() {
			return true // a method, a field or a local
		}
		path, name := obj.Pkg().Path(), obj.Name()
		if ban, ok := banned[path]; ok && isBanned(ban.names, obj) {
			pass.Reportf(id.Pos(), "%s.%s inside a Domain: %s (contract C1)", path, name, ban.why)
		}
		_, isFunc := obj.(*types.Func)
		if isFunc && top != "allocator" && (path == "syscall" || strings.HasPrefix(path, "golang.org/x/sys/")) &&
			!slices.Contains(pureSystemCalls, name) {
			pass.Reportf(id.Pos(), "system call %s.%s inside a Domain: it belongs to a device or a host (contract C1)", path, name)
		}
		return true
	})
}

func isBanned(names string, obj types.Object) bool {
	list := strings.Fields(names)
	if slices.Contains(list, "+"+obj.Name()) {
		return false
	}
	_, isFunc := obj.(*types.Func)
	return slices.Contains(list, "*") || isFunc && slices.Contains(list, "func") || slices.Contains(list, obj.Name())
}

func banBlocking(pass *analysis.Pass, f *ast.File) {
	polled := map[ast.Node]bool{} // communications of selects, judged with them
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			pass.Reportf(n.Pos(), "go statement inside a Domain: the host starts tasks (contract C1)")
		case *ast.SelectStmt:
			hasDefault := false
			for _, c := range n.Body.List {
				comm := c.(*ast.CommClause).Comm
				if comm == nil {
					hasDefault = true
					continue
				}
				polled[communication(comm)] = true
			}
			if !hasDefault {
				pass.Reportf(n.Pos(), "select without default blocks inside a Domain: park at the edge, through the host (contract C1)")
			}
		case *ast.SendStmt:
			if !polled[n] {
				pass.Reportf(n.Pos(), "channel send can block inside a Domain: use a select with default, or the host's Wake (contract C1)")
			}
		case *ast.UnaryExpr:
			if n.Op == token.ARROW && !polled[n] {
				pass.Reportf(n.Pos(), "channel receive can block inside a Domain: park at the edge, through the host (contract C1)")
			}
		case *ast.RangeStmt:
			if t := pass.TypesInfo.TypeOf(n.X); t != nil {
				if _, ok := t.Underlying().(*types.Chan); ok {
					pass.Reportf(n.Pos(), "range over a channel blocks inside a Domain: park at the edge, through the host (contract C1)")
				}
			}
		}
		return true
	})
}

// communication returns the send or receive of a select's clause.
func communication(s ast.Stmt) ast.Node {
	switch s := s.(type) {
	case *ast.ExprStmt:
		return ast.Unparen(s.X)
	case *ast.AssignStmt:
		return ast.Unparen(s.Rhs[0])
	}
	return s
}
