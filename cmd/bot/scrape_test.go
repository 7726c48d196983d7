//go:build unix

package main

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
		assert.Less(t, len(text), 64<<10, "a scrape is small, whatever happened")
		log := w.child.log.String()
		for _, move := range []string{"from=new to=scheduled", "from=scheduled to=filing", "from=filing to=filed"} {
			assert.Equal(t, 1, strings.Count(log, move+" server="+strconv.FormatInt(w.server, 10)), "each change of state is one line: %s\n%s", move, log)
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
