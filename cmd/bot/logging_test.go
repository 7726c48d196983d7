package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLogFormat(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		format   string
		terminal bool
		wantJSON bool
	}{
		{"people at a terminal get text", "", true, false},
		{"what collects logs gets JSON", "", false, true},
		{"text where it was asked for", "text", false, false},
		{"JSON where it was asked for", "json", true, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			NewLogger(Config{LogFormat: test.format}, &log, test.terminal).Info("started", "port", 3000)
			assert.Equal(t, test.wantJSON, json.Valid(log.Bytes()), "%s", log.String())
			assert.Contains(t, log.String(), "started")
		})
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := NewLogger(Config{LogLevel: slog.LevelWarn}, &log, false)
	logger.Info("below the level")
	assert.Empty(t, log.String())
	logger.Warn("at the level")
	assert.Contains(t, log.String(), "at the level")
}
