package modules

import (
	"context"
	"io"
	"log"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// bridge gives what a module writes to its standard error to slog, and go-plugin's
// own log as details: what matters of it is told elsewhere in better words.
type bridge struct {
	log   *slog.Logger
	name  string
	lines *lineLimit // of the module itself, nil for go-plugin
}

func logger(l *slog.Logger, module string) hclog.Logger {
	return bridge{log: l.With("module", module), name: module}
}

// A module fills the log no faster than this: a burst of lines, which has room for
// the traces of a crash, then so many a second.
const (
	lineBurst = 2000
	lineRate  = 20
)

// lineLimit is a bucket of lines, in real time.
type lineLimit struct {
	mu         sync.Mutex
	left       float64
	at         time.Time
	suppressed int
}

// allow tells whether one more line may be logged, and how many before it were not.
func (l *lineLimit) allow(now time.Time) (ok bool, missed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = min(lineBurst, l.left+now.Sub(l.at).Seconds()*lineRate)
	l.at = now
	if l.left < 1 {
		l.suppressed++
		return false, 0
	}
	l.left--
	missed, l.suppressed = l.suppressed, 0
	return true, missed
}

func level(l hclog.Level) slog.Level {
	switch l {
	case hclog.Error:
		return slog.LevelError
	case hclog.Warn:
		return slog.LevelWarn
	case hclog.Info:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// Log implements hclog.Logger.
func (b bridge) Log(l hclog.Level, msg string, args ...any) {
	if b.lines == nil {
		b.log.Log(context.Background(), slog.LevelDebug, msg, args...)
		return
	}
	ok, missed := b.lines.allow(time.Now())
	if missed > 0 {
		b.log.Warn("lines of the log were suppressed: there were too many", "lines", missed)
	}
	if ok {
		b.log.Log(context.Background(), level(l), msg, args...)
	}
}

// Trace implements hclog.Logger.
func (b bridge) Trace(msg string, args ...any) { b.Log(hclog.Trace, msg, args...) }

// Debug implements hclog.Logger.
func (b bridge) Debug(msg string, args ...any) { b.Log(hclog.Debug, msg, args...) }

// Info implements hclog.Logger.
func (b bridge) Info(msg string, args ...any) { b.Log(hclog.Info, msg, args...) }

// Warn implements hclog.Logger.
func (b bridge) Warn(msg string, args ...any) { b.Log(hclog.Warn, msg, args...) }

// Error implements hclog.Logger.
func (b bridge) Error(msg string, args ...any) { b.Log(hclog.Error, msg, args...) }

// IsTrace implements hclog.Logger.
func (b bridge) IsTrace() bool { return b.IsDebug() }

// IsDebug implements hclog.Logger.
func (b bridge) IsDebug() bool { return b.log.Enabled(context.Background(), slog.LevelDebug) }

// IsInfo implements hclog.Logger.
func (b bridge) IsInfo() bool { return b.log.Enabled(context.Background(), slog.LevelInfo) }

// IsWarn implements hclog.Logger.
func (b bridge) IsWarn() bool { return b.log.Enabled(context.Background(), slog.LevelWarn) }

// IsError implements hclog.Logger.
func (b bridge) IsError() bool { return b.log.Enabled(context.Background(), slog.LevelError) }

// ImpliedArgs implements hclog.Logger.
func (b bridge) ImpliedArgs() []any { return nil }

// With implements hclog.Logger.
func (b bridge) With(args ...any) hclog.Logger { return bridge{b.log.With(args...), b.name, b.lines} }

// Name implements hclog.Logger.
func (b bridge) Name() string { return b.name }

// Named implements hclog.Logger: what go-plugin names is the output of the module.
func (b bridge) Named(name string) hclog.Logger {
	if b.lines == nil {
		b.lines = &lineLimit{left: lineBurst, at: time.Now()}
	}
	return bridge{b.log, b.name + "." + name, b.lines}
}

// ResetNamed implements hclog.Logger.
func (b bridge) ResetNamed(name string) hclog.Logger { return bridge{b.log, name, b.lines} }

// SetLevel implements hclog.Logger: slog's handler decides.
func (b bridge) SetLevel(hclog.Level) {}

// GetLevel implements hclog.Logger.
func (b bridge) GetLevel() hclog.Level { return hclog.Debug }

// StandardLogger implements hclog.Logger.
func (b bridge) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return slog.NewLogLogger(b.log.Handler(), slog.LevelInfo)
}

// StandardWriter implements hclog.Logger.
func (b bridge) StandardWriter(*hclog.StandardLoggerOptions) io.Writer {
	return b.StandardLogger(nil).Writer()
}
