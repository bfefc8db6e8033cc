package modules

import (
	"context"
	"io"
	"log"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// bridge gives go-plugin's log, and what a module writes to its standard error,
// to slog.
type bridge struct {
	log  *slog.Logger
	name string
}

func logger(l *slog.Logger, module string) hclog.Logger {
	return bridge{log: l.With("module", module), name: module}
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
	b.log.Log(context.Background(), level(l), msg, args...)
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
func (b bridge) With(args ...any) hclog.Logger { return bridge{b.log.With(args...), b.name} }

// Name implements hclog.Logger.
func (b bridge) Name() string { return b.name }

// Named implements hclog.Logger.
func (b bridge) Named(name string) hclog.Logger { return bridge{b.log, b.name + "." + name} }

// ResetNamed implements hclog.Logger.
func (b bridge) ResetNamed(name string) hclog.Logger { return bridge{b.log, name} }

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
