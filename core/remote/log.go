package remote

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"
)

// logWall is a handler of log records that sends them to the near end as text.
type logWall struct {
	far   *Far
	group string
	attrs string
}

// Enabled implements slog.Handler: the near end decides.
func (l logWall) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (l logWall) Handle(_ context.Context, rec slog.Record) error {
	var text strings.Builder
	text.WriteString(rec.Message)
	text.WriteString(l.attrs)
	rec.Attrs(func(a slog.Attr) bool {
		text.WriteString(l.attr(a))
		return true
	})
	s := text.String()
	b := binary.LittleEndian.AppendUint32(l.far.begin(KindLog), uint32(int32(rec.Level)))
	l.far.post(appendString(b, s[:min(len(s), maxText)]))
	return nil
}

func (l logWall) attr(a slog.Attr) string { return fmt.Sprintf(" %s%s=%q", l.group, a.Key, a.Value) }

// WithAttrs implements slog.Handler.
func (l logWall) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		l.attrs += l.attr(a)
	}
	return l
}

// WithGroup implements slog.Handler.
func (l logWall) WithGroup(name string) slog.Handler {
	l.group += name + "."
	return l
}
