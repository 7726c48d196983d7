package slackui

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

// plainWords words a result with nothing but its id.
type plainWords struct{}

func (plainWords) Reminder(r cancellation.Request) words.Message {
	return words.Message{Text: "reminder of " + r.ID}
}

func (plainWords) Gathered(items []cancellation.Item) words.Message {
	return words.Message{Text: fmt.Sprintf("gathered: %d", len(items))}
}

func (w plainWords) Live(_ cancellation.NoticeKind, r cancellation.Request) words.Message {
	return w.Result(r)
}

func (plainWords) Escalated(n cancellation.News, r cancellation.Request, _ cancellation.Posted) words.Message {
	return words.Message{Text: string(n.Kind) + " " + r.Ref.Short()}
}

func (plainWords) Letter(to string, items []cancellation.Item, _ bool) words.Message {
	return words.Message{Text: "letter to " + to + " about " + strconv.Itoa(len(items))}
}

func (plainWords) Said(l cancellation.Line, r cancellation.Request) words.Message {
	return words.Message{Text: string(l.What) + " about " + r.ID}
}

func (plainWords) Written(u correspondence.Update, _ cancellation.Request) words.Message {
	return words.Message{Text: string(u.State) + " " + string(u.Kind)}
}

func (plainWords) Proposal(u correspondence.Update, _ cancellation.Request) words.Message {
	return words.Message{Text: "asks: " + u.Text}
}

func (plainWords) WrittenAll(form []correspondence.Update, _ []cancellation.Request) words.Message {
	return words.Message{Text: strconv.Itoa(len(form)) + " replies"}
}

func (plainWords) ProposalForAll(form []correspondence.Update, _ []cancellation.Request) words.Message {
	return words.Message{Text: "asks " + strconv.Itoa(len(form)) + " times: " + form[0].Text}
}

func (plainWords) Batch(cancellation.NoticeKind, cancellation.Batch, []cancellation.Request) words.Message {
	return words.Message{}
}

func (plainWords) BatchReminder([]cancellation.Request) words.Message {
	return words.Message{Text: "the batch waits"}
}

func (plainWords) BatchEnd(cancellation.Batch, []cancellation.Request) words.Message {
	return words.Message{}
}

func (plainWords) Alarm(r cancellation.Request) words.Message {
	return words.Message{Text: "alarm " + r.ID}
}

func (plainWords) Result(r cancellation.Request) words.Message {
	return words.Message{Text: "result of " + r.ID, Blocks: []slack.Block{slack.NewDividerBlock()}}
}

func posted() cancellation.Request {
	r := cancellation.Request{ID: "abc123", Ref: cancellation.NewReference()}
	r.Submission.By = ana
	return r
}

func announcerFor(t *testing.T, slackAPI *slacktest.Answers) (*Announcer, *slacktest.Log) {
	t.Helper()
	log, logged := slacktest.LogInto()
	return NewAnnouncer(AnnouncerOptions{Web: clientOf(t, slackAPI), Words: plainWords{}, Bot: "B1", Log: log}), logged
}

func TestPostTellsTheChannel(t *testing.T) {
	t.Parallel()
	slackAPI := slacktest.NewAnswers(t, slacktest.AnswerJSON(`{"ok":true,"channel":"C1","ts":"1.2"}`))
	a, _ := announcerFor(t, slackAPI)
	r := posted()
	at, delivery, _ := a.Post(t.Context(), cancellation.Place{Channel: "C1"}, cancellation.Result, r)
	assert.Equal(t, cancellation.Delivered, delivery)
	assert.Equal(t, cancellation.Posted{Channel: "C1", TS: "1.2"}, at)

	require.Len(t, slackAPI.Received(), 1)
	form := slackAPI.Received()[0].Form
	assert.Equal(t, "C1", form.Get("channel"))
	assert.Equal(t, "result of abc123", form.Get("text"))
	assert.JSONEq(t, `[{"type":"divider"}]`, form.Get("blocks"))
	assert.JSONEq(t, fmt.Sprintf(`{"event_type":"cancel_server_request","event_payload":{"ref":%q,"id":"abc123","kind":"result"}}`, r.Ref.Short()), form.Get("metadata"))
	assert.Equal(t, "false", form.Get("unfurl_links"))
	assert.Equal(t, "false", form.Get("unfurl_media"))
}

func TestPostWithoutAChannelIsADirectMessage(t *testing.T) {
	t.Parallel()
	slackAPI := slacktest.NewAnswers(t, func(w http.ResponseWriter, c slacktest.Call) {
		if c.Method == "conversations.open" {
			_, _ = io.WriteString(w, `{"ok":true,"channel":{"id":"D1"}}`)
			return
		}
		_, _ = io.WriteString(w, `{"ok":true,"channel":"D1","ts":"1.2"}`)
	})
	a, _ := announcerFor(t, slackAPI)
	at, delivery, _ := a.Post(t.Context(), cancellation.Place{Channel: ""}, cancellation.Result, posted())
	assert.Equal(t, cancellation.Delivered, delivery)
	assert.Equal(t, cancellation.Posted{Channel: "D1", TS: "1.2"}, at)
	require.Len(t, slackAPI.Received(), 2)
	assert.Equal(t, "U1", slackAPI.Received()[0].Form.Get("users"))
	assert.Equal(t, "D1", slackAPI.Received()[1].Form.Get("channel"))
}

func TestRefusedTokenOpensNoDirectMessage(t *testing.T) {
	t.Parallel()
	a, _ := announcerFor(t, slacktest.NewAnswers(t, slacktest.AnswerJSON(`{"ok":false,"error":"token_revoked"}`)))
	_, delivery, _ := a.Post(t.Context(), cancellation.Place{Channel: ""}, cancellation.Result, posted())
	assert.Equal(t, cancellation.Refusing, delivery)
	assert.NoError(t, a.Reach(t.Context()), "Slack answers: the results of others may be told by their response_url")
}

func TestWhatIsKnownAfterAPost(t *testing.T) {
	t.Parallel()
	status := func(code int, header ...string) func(http.ResponseWriter, slacktest.Call) {
		return func(w http.ResponseWriter, _ slacktest.Call) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
		}
	}
	refused := func(word string) func(http.ResponseWriter, slacktest.Call) {
		return slacktest.AnswerJSON(`{"ok":false,"error":"` + word + `"}`)
	}
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter, slacktest.Call)
		want   cancellation.Delivery
		pause  time.Duration
	}{
		"ok without a ts":          {answer: slacktest.AnswerJSON(`{"ok":true,"channel":"C1"}`), want: cancellation.Lost},
		"not ok without a word":    {answer: slacktest.AnswerJSON(`{"ok":false}`), want: cancellation.Lost},
		"a page":                   {answer: slacktest.AnswerJSON(`<html>`), want: cancellation.Lost},
		"nothing":                  {answer: slacktest.AnswerJSON(``), want: cancellation.Lost},
		"fatal_error":              {answer: refused("fatal_error"), want: cancellation.Lost},
		"internal_error":           {answer: refused("internal_error"), want: cancellation.Lost},
		"500":                      {answer: status(500), want: cancellation.Lost},
		"a connection that is cut": {answer: func(http.ResponseWriter, slacktest.Call) { panic(http.ErrAbortHandler) }, want: cancellation.Lost},
		"429":                      {answer: status(429, "Retry-After", "3"), want: cancellation.Undelivered, pause: 3 * time.Second},
		"429 without a time":       {answer: status(429), want: cancellation.Undelivered},
		"ratelimited":              {answer: refused("ratelimited"), want: cancellation.Undelivered},
		"403 of a proxy":           {answer: status(403), want: cancellation.Undelivered},
		"a token that is unknown":  {answer: refused("invalid_auth"), want: cancellation.Refusing},
		"a token taken away":       {answer: refused("token_revoked"), want: cancellation.Refusing},
		"a token that is over":     {answer: refused("token_expired"), want: cancellation.Refusing},
		"an app taken away":        {answer: refused("account_inactive"), want: cancellation.Refusing},
		"no token":                 {answer: refused("not_authed"), want: cancellation.Refusing},
		"a missing scope":          {answer: refused("missing_scope"), want: cancellation.Refusing},
		"not_in_channel":           {answer: refused("not_in_channel"), want: cancellation.Refusing},
		"channel_not_found":        {answer: refused("channel_not_found"), want: cancellation.Refusing},
		"is_archived":              {answer: refused("is_archived"), want: cancellation.Refusing},
		"a thread that is gone":    {answer: refused("thread_not_found"), want: cancellation.Refusing},
		"restricted_action_…":      {answer: refused("restricted_action_read_only_channel"), want: cancellation.Refusing},
		"invalid_blocks":           {answer: refused("invalid_blocks"), want: cancellation.Refusing},
		"msg_too_long":             {answer: refused("msg_too_long"), want: cancellation.Refusing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slackAPI := slacktest.NewAnswers(t, c.answer)
			a, logged := announcerFor(t, slackAPI)
			at, delivery, pause := a.Post(t.Context(), cancellation.Place{Channel: "C1"}, cancellation.Result, posted())
			assert.Equal(t, c.want, delivery)
			assert.Equal(t, c.pause, pause)
			assert.Zero(t, at)
			assert.Len(t, slackAPI.Received(), 1, "one call, never repeated")
			assert.NotEmpty(t, logged.String())
		})
	}
}

func TestWhatWasNeverSentIsUndelivered(t *testing.T) {
	t.Parallel()
	slackAPI := slacktest.NewAnswers(t, slacktest.AnswerJSON(`{"ok":true}`))
	a, _ := announcerFor(t, slackAPI)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, delivery, _ := a.Post(over, cancellation.Place{Channel: "C1"}, cancellation.Result, posted())
	assert.Equal(t, cancellation.Undelivered, delivery, "the time was over before the call")
	slackAPI.Close()
	_, delivery, _ = a.Post(t.Context(), cancellation.Place{Channel: "C1"}, cancellation.Result, posted())
	assert.Equal(t, cancellation.Undelivered, delivery, "nobody listens")
	assert.Empty(t, slackAPI.Received())
}

func TestAnAnswerThatNeverComesIsLost(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	slackAPI := slacktest.NewAnswers(t, func(http.ResponseWriter, slacktest.Call) { cancel(); <-release })
	defer close(release)
	a, _ := announcerFor(t, slackAPI)
	_, delivery, _ := a.Post(ctx, cancellation.Place{Channel: "C1"}, cancellation.Result, posted())
	assert.Equal(t, cancellation.Lost, delivery)
}

func TestBadBlocksAreLoggedLoudlyWithSlacksWords(t *testing.T) {
	t.Parallel()
	a, logged := announcerFor(t, slacktest.NewAnswers(t, slacktest.AnswerJSON(`{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] no more than 10"]}}`)))
	a.Post(t.Context(), cancellation.Place{Channel: "C1"}, cancellation.Result, posted())
	assert.Contains(t, logged.String(), "level=ERROR")
	assert.Contains(t, logged.String(), "no more than 10")
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]cancellation.Delivery{
		`{"ok":true,"channel":"C1","ts":"1.2"}`:      cancellation.Delivered,
		`{"ok":false,"error":"message_not_found"}`:   cancellation.Refusing,
		`{"ok":false,"error":"cant_update_message"}`: cancellation.Refusing,
		`{"ok":false,"error":"is_archived"}`:         cancellation.Refusing,
		`{"ok":false,"error":"missing_scope"}`:       cancellation.Undelivered, // the message stays
		`{"ok":false,"error":"invalid_auth"}`:        cancellation.Undelivered,
		`{"ok":false,"error":"internal_error"}`:      cancellation.Undelivered,
		`{"ok":false}`:                               cancellation.Undelivered,
		`<html>`:                                     cancellation.Undelivered,
	} {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			slackAPI := slacktest.NewAnswers(t, slacktest.AnswerJSON(answer))
			a, _ := announcerFor(t, slackAPI)
			delivery, _ := a.Update(t.Context(), cancellation.Posted{Channel: "C1", TS: "1.2"}, cancellation.Result, posted())
			assert.Equal(t, want, delivery)
			require.Len(t, slackAPI.Received(), 1)
			assert.Equal(t, "1.2", slackAPI.Received()[0].Form.Get("ts"))
			assert.Equal(t, "result of abc123", slackAPI.Received()[0].Form.Get("text"))
		})
	}
}

func TestRespond(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		said   string
		want   cancellation.Delivery
	}{
		"taken":                         {200, "ok", cancellation.Delivered},
		"taken, in JSON":                {200, `{"ok":true}`, cancellation.Delivered},
		"taken without a word":          {200, "", cancellation.Delivered},
		"used up":                       {404, "", cancellation.Refusing},
		"used up, and 200 all the same": {200, `{"ok":false,"error":"used_url"}`, cancellation.Refusing},
		"perhaps taken":                 {200, `{"ok":false,"error":"internal_error"}`, cancellation.Lost},
		"failed without a word":         {200, `{"ok":false}`, cancellation.Lost},
		"not understood":                {200, "<html>", cancellation.Lost},
		"too often":                     {429, "", cancellation.Undelivered},
		"Slack down":                    {503, "", cancellation.Lost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got map[string]any
			var authorization string
			slackAPI := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				authorization = r.Header.Get("Authorization")
				_ = json.NewDecoder(r.Body).Decode(&got)
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.said))
			}))
			defer slackAPI.Close()
			a, logged := announcerFor(t, &slacktest.Answers{Server: slackAPI})
			delivery, _ := a.Respond(t.Context(), slackAPI.URL+"/response/capability", posted())
			assert.Equal(t, c.want, delivery)
			assert.Equal(t, "in_channel", got["response_type"])
			assert.Equal(t, "result of abc123", got["text"])
			assert.Equal(t, false, got["replace_original"])
			assert.Equal(t, false, got["unfurl_links"])
			assert.Empty(t, authorization, "the token goes to the Web API alone")
			assert.NotContains(t, logged.String(), "capability")
		})
	}
}

func TestResponseURLIsForSlackOnlyAndUnlogged(t *testing.T) {
	t.Parallel()
	slackAPI := slacktest.NewAnswers(t, slacktest.AnswerJSON(`{"ok":true}`))
	a, logged := announcerFor(t, slackAPI)
	for _, elsewhere := range []string{
		"", "://", "https://evil.example/capability", "https://hooks.slack.com.evil.example/capability", "http://hooks.slack.com/capability",
		"https://hooks.slack.com@evil.example/capability", strings.Replace(slackAPI.URL, "http://", "https://", 1) + "/capability",
		strings.Replace(slackAPI.URL, "http://", "http://user@", 1) + "/capability",
	} {
		delivery, _ := a.Respond(t.Context(), elsewhere, posted())
		assert.Equal(t, cancellation.Refusing, delivery, elsewhere)
	}
	assert.Empty(t, slackAPI.Received())
	slackAPI.Close()
	delivery, _ := a.Respond(t.Context(), slackAPI.URL+"/capability", posted())
	assert.Equal(t, cancellation.Undelivered, delivery)
	assert.NotContains(t, logged.String(), "capability")
}

func TestFind(t *testing.T) {
	t.Parallel()
	message := func(ts, bot, event, id string) string {
		return fmt.Sprintf(`{"type":"message","ts":%q,"bot_id":%q,"metadata":{"event_type":%q,"event_payload":{"kind":"result","id":%q}}}`, ts, bot, event, id)
	}
	page := func(next string, messages ...string) string {
		return fmt.Sprintf(`{"ok":true,"messages":[%s],"has_more":%v,"response_metadata":{"next_cursor":%q}}`, strings.Join(messages, ","), next != "", next)
	}
	for name, c := range map[string]struct {
		first, second string
		ts            string
		known         bool
	}{
		"there":                  {first: page("", message("1.1", "B1", metadataType, "other"), message("1.2", "B1", metadataType, "abc123")), ts: "1.2", known: true},
		"on the second page":     {first: page("more"), second: page("", message("1.3", "B1", metadataType, "abc123")), ts: "1.3", known: true},
		"not there":              {first: page(""), known: true},
		"forged by another bot":  {first: page("", message("1.2", "B2", metadataType, "abc123")), known: true},
		"of another kind":        {first: page("", message("1.2", "B1", "else", "abc123")), known: true},
		"not to be read":         {first: `{"ok":false,"error":"missing_scope","needed":"channels:history"}`},
		"not to be read further": {first: page("more"), second: `{"ok":false,"error":"internal_error"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slackAPI := slacktest.NewAnswers(t, func(w http.ResponseWriter, call slacktest.Call) {
				answer := c.first
				if call.Form.Get("cursor") != "" {
					answer = c.second
				}
				_, _ = io.WriteString(w, answer)
			})
			a, _ := announcerFor(t, slackAPI)
			at, found, known := a.Find(t.Context(), cancellation.Place{Channel: "C1"}, cancellation.Result, posted(), time.Unix(1_800_000_060, 0))
			assert.Equal(t, c.known, known)
			assert.Equal(t, c.ts != "", found)
			assert.Equal(t, c.ts, at.TS)
			ask := slackAPI.Received()[0].Form
			assert.Equal(t, "1", ask.Get("include_all_metadata"))
			assert.Equal(t, "1800000000.000000", ask.Get("oldest"), "a minute for clocks that differ")
		})
	}
}

func TestASearchWithoutEndIsGivenUp(t *testing.T) {
	t.Parallel()
	slackAPI := slacktest.NewAnswers(t, slacktest.AnswerJSON(`{"ok":true,"messages":[],"has_more":true,"response_metadata":{"next_cursor":"on"}}`))
	a, _ := announcerFor(t, slackAPI)
	_, _, known := a.Find(t.Context(), cancellation.Place{Channel: "C1"}, cancellation.Result, posted(), time.Now())
	assert.False(t, known)
	assert.Len(t, slackAPI.Received(), historyPages)
}

// The same calls as a strict workspace judges them.
func TestAnnouncingInAStrictWorkspace(t *testing.T) {
	slacktest.InVirtualTime(t, announceInAStrictWorkspace)
}

func announceInAStrictWorkspace(t *testing.T) {
	w := slacktest.NewWorkspace(t, fakeslack.Options{})
	w.SetScopes("chat:write", "im:write", "channels:history", "im:history")
	web := clientIn(t, w)
	who, err := web.AuthTest(t.Context())
	require.NoError(t, err)
	a := NewAnnouncer(AnnouncerOptions{Web: web, Words: plainWords{}, Bot: who.Bot, Log: slacktest.Silent()})
	r := posted()
	r.Submission.By.ID = w.Cast().User

	at, delivery, _ := a.Post(t.Context(), cancellation.Place{Channel: w.Cast().Channel}, cancellation.Result, r)
	require.Equal(t, cancellation.Delivered, delivery)
	delivery, _ = a.Update(t.Context(), at, cancellation.Result, r)
	assert.Equal(t, cancellation.Delivered, delivery)
	found, isThere, known := a.Find(t.Context(), cancellation.Place{Channel: w.Cast().Channel}, cancellation.Result, r, time.Now())
	assert.True(t, isThere && known)
	assert.Equal(t, at, found)
	_, isThere, known = a.Find(t.Context(), cancellation.Place{Channel: w.Cast().Channel}, cancellation.Result, cancellation.Request{ID: "another"}, time.Now())
	assert.True(t, !isThere && known)

	for channel, why := range map[string]string{w.Cast().PrivateChannel: "private, the bot is not in", w.Cast().OtherChannel: "public, the bot is not in"} {
		_, delivery, _ = a.Post(t.Context(), cancellation.Place{Channel: channel}, cancellation.Result, r)
		assert.Equal(t, cancellation.Refusing, delivery, why)
	}
	at, delivery, _ = a.Post(t.Context(), cancellation.Place{Channel: ""}, cancellation.Result, r)
	assert.Equal(t, cancellation.Delivered, delivery)
	messages, err := w.Messages(t.Context(), w.Cast().User, 0)
	require.NoError(t, err)
	require.Len(t, messages, 1)
	assert.Equal(t, at.TS, messages[0].TS)
	assert.Equal(t, "result of abc123", messages[0].Text)

	require.NoError(t, w.Fault("chat.postMessage", "drop_after", 1))
	_, delivery, _ = a.Post(t.Context(), cancellation.Place{Channel: w.Cast().OtherChannel}, cancellation.Result, r)
	assert.Equal(t, cancellation.Lost, delivery)
	w.SetScopes("chat:write")
	_, _, known = a.Find(t.Context(), cancellation.Place{Channel: w.Cast().Channel}, cancellation.Result, r, time.Now())
	assert.False(t, known, "no scope, no knowledge")
	assert.Empty(t, slices.DeleteFunc(w.RulesBroken(), func(rule string) bool {
		return !strings.Contains(rule, "invalid") // refusals of a place are no broken rules
	}))
}

// oneBatch is a store with one batch.
type oneBatch []cancellation.Request

func (oneBatch) Gathered(context.Context, string, cancellation.NoticeKind) ([]cancellation.Gathered, error) {
	return nil, nil
}

func (oneBatch) Awaited(context.Context, string) ([]cancellation.Request, error) { return nil, nil }

func (b oneBatch) Batch(context.Context, string) (cancellation.Batch, []cancellation.Request, error) {
	return cancellation.Batch{ID: "b1", Size: len(b)}, b, nil
}

func TestReminderOfABatchNamesItsReader(t *testing.T) {
	t.Parallel()
	slackAPI := slacktest.NewAnswers(t, func(w http.ResponseWriter, c slacktest.Call) {
		_, _ = io.WriteString(w, map[bool]string{true: `{"ok":true,"channel":{"id":"D8"}}`, false: `{"ok":true,"channel":"D8","ts":"1.2"}`}[c.Method == "conversations.open"])
	})
	a, _ := announcerFor(t, slackAPI)
	r := posted()
	r.Batch, a.o.Batches = "b1", oneBatch{r}
	_, delivery, _ := a.Post(t.Context(), cancellation.Place{}, cancellation.DirectReminder("U8"), r)
	assert.Equal(t, cancellation.Delivered, delivery)
	require.Len(t, slackAPI.Received(), 2)
	assert.Equal(t, "U8", slackAPI.Received()[0].Form.Get("users"))
	assert.Equal(t, "the batch waits", slackAPI.Received()[1].Form.Get("text"))
}
