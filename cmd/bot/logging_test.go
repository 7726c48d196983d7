package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/cancellation"
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
			newLogger(config{LogFormat: test.format}, &log, test.terminal).Info("started", "port", 3000)
			assert.Equal(t, test.wantJSON, json.Valid(log.Bytes()), "%s", log.String())
			assert.Contains(t, log.String(), "started")
		})
	}
}

func TestDurationsInLogsAreReadable(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		var log bytes.Buffer
		logger := newLogger(config{LogFormat: format}, &log, false)
		logger.With("lease", 10*time.Second).Info("waiting", "pause", 90*time.Second, slog.Group("call", "took", 1234567*time.Nanosecond))
		for _, want := range []string{"10s", "1m30s", "1ms"} {
			assert.Contains(t, log.String(), want, format)
		}
		assert.NotRegexp(t, `[:=][0-9]{6,}`, log.String(), "no nanoseconds: %s", format)
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	logger := newLogger(config{LogLevel: slog.LevelWarn}, &log, false)
	logger.Info("below the level")
	assert.Empty(t, log.String())
	logger.Warn("at the level")
	assert.Contains(t, log.String(), "at the level")
}

func TestOnlyStuckRequestsAreLoggedAsErrors(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	note := noteMoves(newMetrics(), newLogger(config{LogFormat: "text"}, &log, false))
	levels := map[cancellation.State]string{cancellation.Stuck: "ERROR", cancellation.Unknown: "WARN"}
	for _, to := range cancellation.States() {
		log.Reset()
		r := cancellation.Request{Ref: cancellation.NewReference(), State: to, Why: cancellation.Reason{Detail: "because"}}
		r.Submission.Card.Server.ID, r.Ticket.ID = 42, 153572280
		note(cancellation.Filing, r)
		assert.Contains(t, log.String(), "level="+cmp.Or(levels[to], "INFO")+" ", to)
		assert.Contains(t, log.String(), " ref="+r.Ref.Short()+" from=filing to="+string(to)+" server=42 ticket=153572280 why=because\n", to)
		assert.NotContains(t, log.String(), string(r.Ref), "the whole reference would let others claim the ticket")
	}
}
