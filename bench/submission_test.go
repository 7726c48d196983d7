//go:build bench

package bench

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
)

// benchmarkSubmission measures the time from a submission to its message, less what
// SoftLayer took to make the ticket: what the bot adds to a ticket, each time for
// another server, with its database on this disk.
func benchmarkSubmission(b *testing.B, built string) {
	const perRound = 5
	w := newWorkspace(b, built)
	var acknowledged, told []time.Duration
	for b.Loop() {
		for range rounds * perRound {
			server := w.softlayer.Cancelable()
			require.NotZero(b, server, "the account has run out of servers: measure once, with -benchtime 1x")
			ack, message := w.request(b, server)
			acknowledged, told = append(acknowledged, ack), append(told, message)
		}
	}
	b.ReportMetric(0, "ns/op")
	for name, each := range map[string][]time.Duration{"acknowledged": acknowledged, "told": told} {
		b.ReportMetric(milliseconds(quantile(each, 0.5)), name+"-p50-ms")
		b.ReportMetric(milliseconds(quantile(each, 0.99)), name+"-p99-ms")
	}
}

// workspace is both fakes, without rate limits, and the bot between them.
type workspace struct {
	slack     *fakeslack.Workspace
	softlayer *fakesoftlayer.Account
	bot       *process

	submitted chan fakeslack.Exchange
	filed     chan fakesoftlayer.Exchange
	posted    chan fakeslack.Exchange
}

func newWorkspace(b *testing.B, built string) *workspace {
	b.Helper()
	w := &workspace{
		submitted: make(chan fakeslack.Exchange, 1), filed: make(chan fakesoftlayer.Exchange, 1), posted: make(chan fakeslack.Exchange, 1),
	}
	w.softlayer = fakesoftlayer.New(fakesoftlayer.Options{Seed: 7, Servers: 1000, Observe: func(e fakesoftlayer.Exchange) {
		if e.Method == "SoftLayer_Ticket/createCancelServerTicket" {
			keep(w.filed, e)
		}
	}})
	w.slack = fakeslack.New(fakeslack.Options{
		Seed: 7, Transport: fakeslack.TransportHTTP, RateLimitsOff: true, Observe: w.observe,
	})
	mux := http.NewServeMux()
	mux.Handle("/slack/", http.StripPrefix("/slack", w.slack.Handler()))
	mux.Handle("/softlayer/", http.StripPrefix("/softlayer", w.softlayer.Handler()))
	server := httptest.NewServer(mux)
	b.Cleanup(func() { w.slack.Close(); server.Close() })
	w.slack.SetURL(server.URL + "/slack")

	folder := b.TempDir()
	p := botAt(server.URL, built, folder, "sqlite:"+filepath.Join(folder, "requests.db"))
	p.env = append(p.env, "SLACK_BOT_TOKEN="+w.slack.BotToken(), "SLACK_SIGNING_SECRET="+w.slack.SigningSecret(),
		"SOFTLAYER_USERNAME="+w.softlayer.Username(), "SOFTLAYER_API_KEY="+w.softlayer.APIKey(),
		"REQUEST_GROUPS="+w.slack.Cast().RequestGroup)
	w.bot = launch(b, p)
	w.slack.SetEndpoint(w.bot.url)
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Second)
	defer cancel()
	require.NoError(b, w.slack.WaitReachable(ctx), "the bot is reachable; it said:\n%s", w.bot.said)
	return w
}

// observe passes on what a submission is measured by; there is one at a time.
func (w *workspace) observe(e fakeslack.Exchange) {
	switch e.Method {
	case "view_submission":
		keep(w.submitted, e)
	case "chat.postMessage":
		keep(w.posted, e)
	}
}

// keep passes an event on, and never holds up a vendor where nobody waits any more.
func keep[T any](events chan<- T, event T) {
	select {
	case events <- event:
	default:
	}
}

// request does the whole job for one server. It returns the time to the
// acknowledgement of the submission, and the time to the message less the ticket's.
func (w *workspace) request(b *testing.B, server int64) (acknowledged, told time.Duration) {
	b.Helper()
	cast := w.slack.Cast()
	ack, err := w.slack.Command(b.Context(), fakeslack.Command{
		User: cast.User, Channel: cast.Channel, Command: "/cancel-server", Text: strconv.FormatInt(server, 10),
	})
	require.NoError(b, err)
	require.Empty(b, ack.Error, "the command is acknowledged")
	view, blocks := w.awaitCard(b, cast.User, server)
	ack, err = w.slack.Submit(b.Context(), fakeslack.Submission{User: cast.User, View: view, Values: w.filledIn(b, blocks, server)})
	require.NoError(b, err)
	require.Empty(b, ack.Error, "the submission is acknowledged")
	submitted := within(b, w.submitted, "an acknowledgement", ack)
	filed := within(b, w.filed, "a ticket", ack)
	posted := within(b, w.posted, "a message", ack)
	return submitted.Duration, posted.At.Sub(submitted.At) - filed.Duration
}

// inputs are a view's input blocks, as far as filling them in asks.
type inputs []struct {
	BlockID string `json:"block_id"`
	Element struct {
		Type     string `json:"type"`
		ActionID string `json:"action_id"`
	} `json:"element"`
}

// awaitCard waits until the modal asks to confirm the server: its card is shown.
func (w *workspace) awaitCard(b *testing.B, user string, server int64) (view string, asked inputs) {
	b.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		require.True(b, time.Now().Before(deadline), "no card for server %d; the bot said:\n%s", server, w.bot.said)
		views, err := w.slack.Views(user)
		require.NoError(b, err)
		if len(views) == 0 {
			continue
		}
		top := views[len(views)-1]
		var shown struct{ Blocks inputs }
		require.NoError(b, json.Unmarshal(top.View, &shown))
		for _, input := range shown.Blocks {
			if input.BlockID == "confirm:"+strconv.FormatInt(server, 10) {
				return top.ID, shown.Blocks
			}
		}
	}
}

// filledIn is what a person types and chooses.
func (w *workspace) filledIn(b *testing.B, asked inputs, server int64) fakeslack.Values {
	b.Helper()
	reason := map[string]any{"text": map[string]any{"type": "plain_text", "text": "No longer needed"}, "value": "No longer needed"}
	values := fakeslack.Values{}
	for _, input := range asked {
		var state map[string]any
		switch kind, _, _ := strings.Cut(input.BlockID, ":"); kind {
		case "reason":
			state = map[string]any{"type": "static_select", "selected_option": reason}
		case "content":
			state = map[string]any{"type": "plain_text_input", "value": "Ran the old database; replaced by db-060."}
		case "confirm":
			state = map[string]any{"type": "plain_text_input", "value": w.fqdn(b, server)}
		default:
			continue
		}
		values[input.BlockID] = map[string]map[string]any{input.Element.ActionID: state}
	}
	return values
}

func (w *workspace) fqdn(b *testing.B, server int64) string {
	b.Helper()
	recorder := httptest.NewRecorder()
	w.softlayer.Control().ServeHTTP(recorder,
		httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/servers?q="+strconv.FormatInt(server, 10), nil))
	var found []struct{ FullyQualifiedDomainName string }
	require.NoError(b, json.Unmarshal(recorder.Body.Bytes(), &found))
	require.NotEmpty(b, found)
	return found[0].FullyQualifiedDomainName
}

// within receives what a submission leads to.
func within[T any](b *testing.B, events <-chan T, what string, ack fakeslack.Ack) (event T) {
	b.Helper()
	select {
	case event = <-events:
	case <-time.After(20 * time.Second):
		require.Fail(b, "no "+what+" came of a submission", "it was acknowledged with %s", ack.Body)
	}
	return event
}
