package main

import (
	"io"
	"log/slog"
	"time"
)

// newLogger returns a logger that writes to w as LOG_LEVEL and LOG_FORMAT say. If LOG_FORMAT is not
// set, a terminal gets text and a log collector gets JSON.
func newLogger(cfg config, w io.Writer, terminal bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel, ReplaceAttr: readable}
	if cfg.LogFormat == "text" || cfg.LogFormat == "" && terminal {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// readable writes a duration as people read it, "1m30s". By itself, slog writes nanoseconds in
// JSON.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().Round(time.Millisecond).String())
	}
	return a
}
