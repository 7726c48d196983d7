package main

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestMetricsTellWhatTheDatabaseHolds(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	scheduled, pending, stuck := d.record(1), d.record(2), d.record(3)
	d.exec("update requests set state = 'pending', state_at = state_at - 9000000 where id = $1", pending)
	d.exec("update requests set state = 'stuck', state_at = state_at - 7200000 where id = $1", stuck)
	unheardOf := d.record(4)
	d.exec("update requests set state = 'reviewing' where id = $1", unheardOf)
	require.NotEmpty(t, scheduled)

	require.NoError(t, d.bot.readMetrics(t.Context()))
	text := d.metrics()
	for _, line := range []string{
		`requests{state="pending"} 1`, `requests{state="scheduled"} 1`, `requests{state="stuck"} 1`, `requests{state="filing"} 0`,
		`requests{state="other"} 1`, `frozen 0`,
	} {
		assert.Contains(t, text, "cancel_server_"+line+"\n")
	}
	assert.Regexp(t, `cancel_server_oldest_unfinished_seconds 72\d\d\b`, text, "what waits for people is not unfinished work")

	d.exec("update requests set state = 'filed' where id = $1", stuck)
	require.NoError(t, d.bot.readMetrics(t.Context()))
	assert.Contains(t, d.metrics(), "cancel_server_requests{state=\"stuck\"} 0\n", "none is left")
}

func (d *database) metrics() string {
	d.t.Helper()
	recorder := httptest.NewRecorder()
	d.admin.ServeHTTP(recorder, httptest.NewRequestWithContext(d.t.Context(), http.MethodGet, "/metrics", nil))
	require.Equal(d.t, http.StatusOK, recorder.Code)
	return recorder.Body.String()
}

func TestLoopbackAnswersNoForeignHost(t *testing.T) {
	t.Parallel()
	for addr, hosts := range map[string]map[string]int{
		"127.0.0.1:9091": {
			"127.0.0.1:9091": http.StatusOK, "localhost:9091": http.StatusOK, "[::1]:9091": http.StatusOK, "10.0.0.7": http.StatusOK,
			"evil.example:9091": http.StatusMisdirectedRequest, "evil.example": http.StatusMisdirectedRequest, "": http.StatusMisdirectedRequest,
		},
		":9091":        {"metrics.corp.example:9091": http.StatusOK},
		"0.0.0.0:9091": {"metrics.corp.example:9091": http.StatusOK},
	} {
		handler := guardHost(addr, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		for host, wants := range hosts {
			recorder := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
			r.Host = host
			handler.ServeHTTP(recorder, r)
			assert.Equal(t, wants, recorder.Code, "%q at %s", host, addr)
		}
	}
}

func TestAScrapeReadsMemoryAlone(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	d.record(1)
	require.NoError(t, d.bot.readMetrics(t.Context()))
	require.NoError(t, d.journal.Close())
	d.closed = true
	require.Error(t, d.bot.readMetrics(t.Context()), "the database answers nobody")
	for range 3 {
		assert.Contains(t, d.metrics(), "cancel_server_requests{state=\"scheduled\"} 1\n")
	}
}

func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	note := noteMoves(d.bot.metrics, d.bot.log)
	for round := range 1000 {
		d.bot.metrics.Denied("a-rule-of-the-operator-" + strconv.Itoa(round))
		d.bot.metrics.Waited("softlayer", time.Duration(round)*time.Second)
		for _, to := range cancellation.States() {
			note(cancellation.States()[round%len(cancellation.States())], cancellation.Request{State: to})
		}
	}
	text := d.metrics()
	assert.Equal(t, 1, strings.Count(text, "cancel_server_denials_total{"))
	assert.LessOrEqual(t, strings.Count(text, "cancel_server_request_transitions_total{"), len(cancellation.States())*len(cancellation.States()))
	assert.Less(t, len(text), 64<<10)
}
