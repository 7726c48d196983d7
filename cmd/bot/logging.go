package main

import (
	"io"
	"log/slog"
	"time"
)

// newLogger returns a logger that writes to w as LOG_LEVEL and LOG_FORMAT say.
// Where LOG_FORMAT is not set, people at a terminal get text, and what collects
// logs gets JSON.
func newLogger(cfg config, w io.Writer, terminal bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel, ReplaceAttr: readable}
	if cfg.LogFormat == "text" || cfg.LogFormat == "" && terminal {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// readable writes a duration as people read it, "1m30s": slog's JSON has its nanoseconds.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().Round(time.Millisecond).String())
	}
	return a
}
