package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

func TestMetricsTellWhatWasDone(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		w.accepted(w.cast.Channel, w.cast.User, w.server)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		var text string
		w.eventually("all is counted", func() bool { // the message is counted after Slack has shown it
			text = w.metrics()
			return strings.Contains(text, `slack_calls_total{method="chat.postMessage",result="ok"}`) &&
				strings.Contains(text, `inventory_servers 48`)
		})
		for _, line := range []string{
			`request_transitions_total{from="new",to="scheduled"} 1`,
			`request_transitions_total{from="filing",to="filed"} 1`,
			`softlayer_calls_total{method="SoftLayer_Ticket/createCancelServerTicket",result="ok"} 1`,
			`slack_calls_total{method="views.open",result="ok"} 1`,
			`slack_calls_total{method="auth.test",result="ok"} 1`,
			`slack_ack_seconds_count{kind="command"} 1`,
			`frozen 0`,
		} {
			assert.True(t, strings.Contains(text, "cancel_server_"+line+"\n"), "%s is not in\n%s", line, text)
		}
		for _, word := range []string{w.fqdn(w.server), w.cast.User, w.cast.Channel} {
			assert.NotContains(t, text, word, "no label names a server, a person or a channel")
		}
		assert.Regexp(t, `cancel_server_database_commit_seconds_count [1-9]`, text)
		assert.Regexp(t, `cancel_server_rate_wait_seconds_count\{vendor="softlayer"\} [1-9]`, text)
	})
}

func (w *world) metrics() string {
	w.t.Helper()
	answer, err := http.Get("http://" + w.admin + "/metrics")
	require.NoError(w.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(w.t, err)
	return string(text)
}
