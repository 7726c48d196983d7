//go:build unix

package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

func TestRequestNotSignedBySlackDoesNothing(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportHTTP, setup{})
	command := url.Values{
		"command": {"/cancel-server"}, "user_id": {w.cast.User}, "team_id": {w.slack.TeamID()}, "channel_id": {w.cast.Channel},
		"trigger_id": {"1.2.3"}, "response_url": {w.url + "/slack/response/x"}, "text": {""}, "user_name": {"ana"},
	}.Encode()
	const form, secret = "application/x-www-form-urlencoded", "not-the-secret"
	right, now := w.slack.SigningSecret(), time.Now()
	for _, bad := range []struct {
		name   string
		send   raw
		status int
	}{
		{"unsigned", raw{body: command, kind: form}, 401},
		{"wrongly signed", raw{body: command, kind: form, secret: secret, at: now}, 401},
		{"signed six minutes ago", raw{body: command, kind: form, secret: right, at: now.Add(-6 * time.Minute)}, 401},
		{"signed six minutes in the future", raw{body: command, kind: form, secret: right, at: now.Add(6 * time.Minute)}, 401},
		{"changed after it was signed", raw{body: command + "&x=1", signed: command, kind: form, secret: right, at: now}, 401},
		{"over the limit", raw{body: command + strings.Repeat("x", 1<<20), kind: form, secret: right, at: now}, 413},
		{"JSON where a form is expected", raw{body: `{"command":"/cancel-server"}`, kind: "application/json", secret: right, at: now}, 415},
		{"a command in the query string", raw{path: "/slack/commands?" + command, kind: form, secret: right, at: now}, 400},
		{"a payload in the query string", raw{path: "/slack/interactions?" + url.Values{"payload": {`{"type":"view_submission"}`}}.Encode(), kind: form, secret: right, at: now}, 400},
		{"a payload that is no JSON", raw{path: "/slack/interactions", body: url.Values{"payload": {"{"}}.Encode(), kind: form, secret: right, at: now}, 400},
		{"a payload of an unknown type", raw{path: "/slack/interactions", body: url.Values{"payload": {`{"type":"wish","user":{"id":"U1"}}`}}.Encode(), kind: form, secret: right, at: now}, 400},
		{"an empty body", raw{kind: form, secret: right, at: now}, 400},
	} {
		t.Run(bad.name, func(t *testing.T) {
			status, body := w.in(t).post(bad.send)
			assert.Equal(t, bad.status, status)
			assert.NotContains(t, body, right)
		})
	}
	assert.Empty(t, w.calls("views.open"), "no form opened")
	assert.Empty(t, w.recorded())
	assert.Zero(t, w.hasOpen(w.cast.User))
}

func TestAForgedFormIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportHTTP, setup{})
	m := w.form(w.cast.Channel, w.cast.User, w.server)
	w.fieldErrors(w.submit(w.cast.User, m, w.fill(m, "No longer needed", "Replaced.", "not its name"))) // a true payload to start from
	sent := w.calls("view_submission")
	view := func(payload map[string]any) map[string]any { return payload["view"].(map[string]any) }
	values := func(payload map[string]any) map[string]any {
		return view(payload)["state"].(map[string]any)["values"].(map[string]any)
	}
	for _, forged := range []struct {
		name  string
		forge func(payload map[string]any)
	}{
		{"an unknown callback id", func(p map[string]any) { view(p)["callback_id"] = "cancel-server:form:9" }},
		{"no callback id", func(p map[string]any) { delete(view(p), "callback_id") }},
		{"a missing block", func(p map[string]any) { delete(values(p), "content") }},
		{"no state at all", func(p map[string]any) { delete(view(p), "state") }},
		{"metadata that was changed", func(p map[string]any) {
			view(p)["private_metadata"] = strings.ToLower(view(p)["private_metadata"].(string))
		}},
		{"no metadata", func(p map[string]any) { view(p)["private_metadata"] = "" }},
		{"the form of another person", func(p map[string]any) { p["user"].(map[string]any)["id"] = w.cast.Requester }},
	} {
		t.Run(forged.name, func(t *testing.T) {
			var payload map[string]any
			require.NoError(t, json.Unmarshal(sent[0].Request, &payload))
			values(payload)["confirm:"+strconv.FormatInt(w.server, 10)].(map[string]any)["confirm"].(map[string]any)["value"] = w.fqdn(w.server)
			payload["trigger_id"] = "1." + forged.name // each press has its own
			forged.forge(payload)
			body, err := json.Marshal(payload)
			require.NoError(t, err)
			status, answer := w.in(t).post(raw{
				path: "/slack/interactions", body: url.Values{"payload": {string(body)}}.Encode(),
				kind: "application/x-www-form-urlencoded", secret: w.slack.SigningSecret(), at: time.Now(),
			})
			assert.Equal(t, 200, status)
			assert.Contains(t, answer, "Nothing was filed.", "the person reads a clear answer")
			assert.Contains(t, answer, `"push"`, "the form stays below it")
			assert.Empty(t, w.recorded())
		})
	}
	assert.Empty(t, w.posts())
	assert.Empty(t, w.broken())
}

func TestARequestThatComesAgainNeverActsAgain(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		w.accepted(w.cast.Channel, w.cast.User, w.server)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		first := w.calls("view_submission")[0]
		for _, sameBytes := range []bool{true, false} {
			again, err := w.slack.Replay(t.Context(), first.Delivery, sameBytes)
			require.NoError(t, err)
			assert.Equal(t, 200, again.Status)
			assert.Contains(t, string(again.Body), "Recorded", "it gets the answer of the first: same bytes %v", sameBytes)
		}
		for _, sameBytes := range []bool{true, false} {
			again, err := w.slack.Replay(t.Context(), w.calls("slash_command")[0].Delivery, sameBytes)
			require.NoError(t, err)
			assert.Equal(t, 200, again.Status)
		}
		assert.Equal(t, 1, w.hasOpen(w.cast.User), "a command that comes again opens no second form")
		assert.Equal(t, map[string]int{"filed": 1}, w.recorded())
		assert.Len(t, w.tickets(w.server), 1)
		assert.Len(t, w.posts(), 1)
	})
}

func TestADeliveryThatSlackRepeatsIsOneRequest(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		for _, fault := range []string{fakeslack.FaultRedeliver, fakeslack.FaultTwiceAtOnce} {
			server := w.another()
			m := w.form(w.cast.Channel, w.cast.User, server)
			require.NoError(t, w.slack.Fault("view_submission", fault, 1))
			require.Empty(t, w.submit(w.cast.User, m, w.usual(m, server)).Error)
			w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
			assert.Len(t, w.tickets(server), 1, fault)
			assert.Len(t, w.postsFor(server), 1, fault)
			assert.Len(t, w.about(w.cast.Channel, w.fqdn(server)), 1, fault)
		}
		assert.Equal(t, map[string]int{"filed": 2}, w.recorded())
		assert.Empty(t, w.broken())
	})
}

func TestNothingIsLostWhenASocketIsCut(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportSocket, setup{})
	for _, disturbance := range []string{fakeslack.SocketDisconnect, fakeslack.SocketRefresh} {
		server := w.another()
		m := w.form(w.cast.Channel, w.cast.User, server)
		require.NoError(t, w.slack.Socket(disturbance))
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, server)).Error, disturbance)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
		assert.Len(t, w.tickets(server), 1)
	}
}

func TestOverloadIsRefusedAndTheRestServed(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportHTTP, setup{slack: fakeslack.Options{RateLimitsOff: true}})
	const commands = 300 // more than the bot takes at once
	require.NoError(t, w.slack.Fault("views.open", fakeslack.FaultHang, commands))
	acks := make([]fakeslack.Ack, commands)
	var all sync.WaitGroup
	for i := range acks {
		all.Go(func() {
			acks[i], _ = w.slack.Command(t.Context(), fakeslack.Command{User: w.cast.User, Channel: w.cast.Channel, Command: "/cancel-server"})
		})
	}
	all.Wait()
	busy := 0
	for _, ack := range acks {
		if ack.Status == http.StatusServiceUnavailable {
			assert.Equal(t, "1", ack.Headers.Get("Retry-After"))
			busy++
			continue
		}
		require.Equal(t, http.StatusOK, ack.Status)
	}
	assert.Positive(t, busy, "too many commands are refused")
	assert.Less(t, busy, commands, "the others are acknowledged")
	w.eventually("each of the others is answered", func() bool { return len(w.ephemeral(w.cast.Channel, w.cast.User)) == commands-busy })
	for _, told := range w.ephemeral(w.cast.Channel, w.cast.User) {
		require.Contains(t, strings.ToLower(told.Shown), "nothing was filed")
	}
}

func TestRefusedFormIsReported(t *testing.T) {
	overBothWith(t, setup{slack: fakeslack.Options{AckTimeout: slacksPatience}}, func(t *testing.T, w *world) {
		for _, fault := range []string{
			fakeslack.FaultRateLimited, fakeslack.FaultError500, fakeslack.FaultDropBefore,
			fakeslack.FaultDropAfter, fakeslack.FaultInternalError, fakeslack.FaultSlow,
		} {
			require.NoError(t, w.slack.Fault("views.open", fault, 1))
			before := len(w.ephemeral(w.cast.Channel, w.cast.User))
			ack := w.command(w.cast.User, "")
			require.Empty(t, ack.Error, "%s: acknowledged in time", fault)
			w.eventually("the asker is told: "+fault, func() bool { return len(w.ephemeral(w.cast.Channel, w.cast.User)) == before+1 })
			told := w.ephemeral(w.cast.Channel, w.cast.User)
			assert.Contains(t, strings.ToLower(told[before].Shown), "nothing was filed", fault)
		}
		w.accepted(w.cast.Channel, w.cast.User, w.server)
		w.awaitMessage(w.cast.Channel, "Cancellation requested")
		assert.Empty(t, w.broken())
	})
}

func TestSubmissionShowsACardThatWasNotShown(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		for _, fault := range []string{
			fakeslack.FaultRateLimited, fakeslack.FaultError500, fakeslack.FaultDropBefore, fakeslack.FaultFatalError,
		} {
			server := w.another()
			w.command(w.cast.User, "")
			require.NoError(t, w.slack.Fault("views.update", fault, 1))
			before := len(w.calls("views.update"))
			w.choose(w.cast.User, server)
			w.eventually("the card is refused", func() bool { return len(w.calls("views.update")) > before })
			m := w.top(w.cast.User)
			require.NotContains(t, m.Raw, "confirm:", fault)

			require.Empty(t, w.submit(w.cast.User, m, w.fill(m, "No longer needed", "Replaced.", "")).Error)
			m = w.awaitCard(w.cast.User, server)
			assert.Empty(t, w.postsFor(server), "nothing is filed unseen")
			require.Empty(t, w.submit(w.cast.User, m, w.usual(m, server)).Error)
			w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
			assert.Len(t, w.tickets(server), 1, fault)
		}
	})
}

func TestCardWithALostAnswerStillWorks(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		for _, fault := range []string{fakeslack.FaultDropAfter, fakeslack.FaultSlow} {
			server := w.another()
			w.command(w.cast.User, "")
			require.NoError(t, w.slack.Fault("views.update", fault, 1))
			w.choose(w.cast.User, server)
			m := w.awaitCard(w.cast.User, server)
			require.Empty(t, w.submit(w.cast.User, m, w.usual(m, server)).Error)
			require.Equal(t, "Recorded", w.top(w.cast.User).Title.Text, fault)
			w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
			assert.Len(t, w.tickets(server), 1, fault)
		}
	})
}

func TestNothingIsRecordedOfAnUnknownPerson(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		for _, asks := range []struct{ fault, user string }{
			{fakeslack.FaultRateLimited, w.cast.User}, // its Retry-After is kept
			{fakeslack.FaultError500, w.cast.Requester},
			{fakeslack.FaultDropBefore, w.cast.Hostile},
		} {
			server := w.another()
			m := w.form(w.cast.Channel, asks.user, server)
			w.stop() // what it knew of people is gone
			w.start()
			w.awaitReady()
			require.NoError(t, w.slack.Fault("users.info", asks.fault, 1))
			told := w.fieldErrors(w.submit(asks.user, m, w.usual(m, server)))
			assert.Contains(t, told["server"], "This try was not recorded", asks.fault)
			w.eventually("the submission is decided on", func() bool {
				require.Empty(t, w.submit(asks.user, m, w.usual(m, server)).Error)
				return w.top(asks.user).Title.Text == "Recorded"
			})
		}
		w.awaitMessage(w.cast.Channel, "Cancellation requested")
		w.eventually("one is filed and two wait", func() bool {
			return maps.Equal(map[string]int{"filed": 1, "pending": 2}, w.recorded())
		})
	})
}

func TestResultGoesWhereTheCommandCameFrom(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		for _, place := range []struct{ name, channel string }{
			{"a private channel without the bot", w.cast.PrivateChannel},
			{"a public channel without the bot", w.cast.OtherChannel},
			{"the direct messages with the bot", w.cast.User},
		} {
			t.Run(place.name, func(t *testing.T) {
				w := w.in(t)
				server := w.another()
				w.accepted(place.channel, w.cast.User, server)
				told := w.awaitMessage(place.channel, "Cancellation requested", w.fqdn(server))
				require.Len(t, w.tickets(server), 1)
				assert.Contains(t, told.Shown, w.url+"/softlayer/tickets/"+strconv.FormatInt(w.tickets(server)[0].ID, 10))
			})
		}
		t.Run("a response_url that fails for a moment", func(t *testing.T) {
			w, server := w.in(t), w.another()
			require.NoError(t, w.slack.Fault("response_url", fakeslack.FaultRateLimited, 1))
			w.accepted(w.cast.PrivateChannel, w.cast.User, server)
			w.awaitMessage(w.cast.PrivateChannel, "Cancellation requested", w.fqdn(server))
			assert.Len(t, w.about(w.cast.PrivateChannel, w.fqdn(server)), 1)
		})
		t.Run("a response_url that is over: a direct message", func(t *testing.T) {
			w, server := w.in(t), w.another()
			m := w.form(w.cast.PrivateChannel, w.cast.User, server)
			w.slack.Advance(31 * time.Minute)
			require.Empty(t, w.submit(w.cast.User, m, w.usual(m, server)).Error)
			w.awaitMessage(w.cast.User, "Cancellation requested", w.fqdn(server))
			assert.Empty(t, w.about(w.cast.PrivateChannel, w.fqdn(server)))
		})
		t.Run("a channel that is rate limited: later", func(t *testing.T) {
			w, server := w.in(t), w.another()
			require.NoError(t, w.slack.Fault("chat.postMessage", fakeslack.FaultRateLimited, 2))
			w.accepted(w.cast.Channel, w.cast.User, server)
			w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
			assert.Len(t, w.about(w.cast.Channel, w.fqdn(server)), 1)
		})
	})
}

func TestResultGoesByResponseURLWithoutPostRight(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		w.slack.SetScopes("commands", "im:write", "usergroups:read", "users:read")
		server := w.another()
		w.accepted(w.cast.Channel, w.cast.User, server)
		told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
		require.Len(t, w.tickets(server), 1)
		assert.Contains(t, told.Shown, w.url+"/softlayer/tickets/"+strconv.FormatInt(w.tickets(server)[0].ID, 10))
		assert.Len(t, w.about(w.cast.Channel, w.fqdn(server)), 1)
		for _, refused := range w.calls("chat.postMessage") {
			assert.Contains(t, string(refused.Response), "missing_scope")
		}
	})
}

// raw is a request to the bot that Slack would not send.
type raw struct {
	path   string // "" for /slack/commands
	body   string
	signed string // what was signed; "" for the body
	kind   string // Content-Type
	secret string // "" for no signature
	at     time.Time
}

func (w *world) post(r raw) (status int, body string) {
	w.t.Helper()
	if r.path == "" {
		r.path = "/slack/commands"
	}
	if r.signed == "" {
		r.signed = r.body
	}
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.endpoint+r.path, bytes.NewBufferString(r.body))
	require.NoError(w.t, err)
	request.Header.Set("Content-Type", r.kind)
	if r.secret != "" {
		stamp := strconv.FormatInt(r.at.Unix(), 10)
		mac := hmac.New(sha256.New, []byte(r.secret))
		_, _ = io.WriteString(mac, "v0:"+stamp+":"+r.signed)
		request.Header.Set("X-Slack-Request-Timestamp", stamp)
		request.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(w.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(w.t, err)
	return answer.StatusCode, string(text)
}
