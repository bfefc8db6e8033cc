package modules

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// What a module writes to its standard error fills the log no faster than it may,
// and the log tells how much is missing.
func TestAModuleCannotFloodTheLogByItsStandardError(t *testing.T) {
	var b bytes.Buffer
	l := logger(slog.New(slog.NewTextHandler(&b, nil)), "udp").Named("udp")
	for range 10 * lineBurst {
		l.Info("much")
	}
	if n := strings.Count(b.String(), "msg=much"); n < lineBurst || n > lineBurst+10*lineRate {
		t.Errorf("%d lines were logged", n)
	}
	limit := lineLimit{at: time.Unix(0, 0), suppressed: 7}
	if ok, _ := limit.allow(time.Unix(0, 1)); ok {
		t.Error("a line of an empty bucket")
	}
	if ok, missed := limit.allow(time.Unix(1, 0)); !ok || missed != 8 {
		t.Errorf("a second later: %v, %d suppressed", ok, missed)
	}
}
