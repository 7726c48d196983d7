package fakeslack_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/slacktest"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// verified reports what slack-go thinks of a request's signature.
func verified(r request, secret string) error {
	v, err := slack.NewSecretsVerifier(r.header, secret)
	if err != nil {
		return err
	}
	if _, err := v.Write([]byte(r.body)); err != nil {
		return err
	}
	return v.Ensure()
}

func typed(s *stage) fakeslack.Command {
	return fakeslack.Command{User: s.Cast().User, Channel: s.Cast().Channel, Command: "/cancel-server", Text: "db-042"}
}

func TestSignedCommandIsReadBySlackGo(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	s.Advance(time.Hour) // signatures carry the real time all the same
	ack, err := s.Command(t.Context(), typed(s))
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, ack.Status)
	assert.JSONEq(t, "null", string(ack.Body))
	got := b.requests()[0]
	assert.Equal(t, "/slack/commands", got.path)
	require.NoError(t, verified(got, s.SigningSecret()))
	require.Error(t, verified(got, "another secret"))
	command, err := slack.SlashCommandParse(formRequest(t, got.body))
	require.NoError(t, err)
	assert.Equal(t, "/cancel-server", command.Command)
	assert.Equal(t, "db-042", command.Text)
	assert.Equal(t, s.TeamID(), command.TeamID)
	assert.Equal(t, "infra-changes", command.ChannelName)
	assert.NotEmpty(t, command.TriggerID)
	assert.True(t, strings.HasPrefix(command.ResponseURL, s.url+"/response/"))
	for _, x := range s.seen("slash_command") {
		assert.NotContains(t, string(x.Request), command.ResponseURL, "a response_url is a capability")
	}
}

func TestWhatACommandAnswersIsShown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ says, body, text, to string }{
		{"plain text is for the asker", "usage", "usage", "asker"},
		{"JSON too", `{"text":"usage"}`, "usage", "asker"},
		{"unless it says otherwise", `{"text":"all","response_type":"in_channel"}`, "all", ""},
	} {
		s, _ := onHTTP(t, func(string, map[string]any) (int, string) { return http.StatusOK, c.body })
		_, err := s.Command(t.Context(), typed(s))
		require.NoError(t, err)
		got := s.messages(s.Cast().Channel)
		require.Len(t, got, 1, c.says)
		assert.Equal(t, c.text, got[0].Text, c.says)
		assert.Equal(t, c.to != "", got[0].To == s.Cast().User, c.says)
	}
}

func TestABotThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	b := newBot(t, func(string, map[string]any) (int, string) { <-release; return http.StatusOK, "late" })
	t.Cleanup(func() { close(release) })
	s := newStage(t, fakeslack.Options{Endpoint: b.url, AckTimeout: time.Second})
	ack, err := s.Command(t.Context(), typed(s))
	require.NoError(t, err)
	assert.Zero(t, ack.Status)
	assert.Equal(t, "operation_timeout", ack.Error)
	assert.Len(t, s.broken(), 1)
}

func TestABotThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{Endpoint: "http://127.0.0.1:1"})
	ack, err := s.Command(t.Context(), typed(s))
	require.NoError(t, err)
	assert.Equal(t, "dispatch_failed", ack.Error)
	assert.False(t, s.Connected())
	assert.Len(t, s.broken(), 1)
}

func TestDeliveryFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault      string
		deliveries int
		good       bool
	}{
		{fakeslack.FaultRedeliver, 2, true},
		{fakeslack.FaultTwiceAtOnce, 2, true},
		{fakeslack.FaultLateAnswer, 1, true},
		{fakeslack.FaultBadSignature, 1, false},
		{fakeslack.FaultStale, 1, false},
	} {
		s, b := onHTTP(t, silent)
		require.NoError(t, s.Fault("slash_command", c.fault, 1))
		_, err := s.Command(t.Context(), typed(s))
		require.NoError(t, err)
		got := b.requests()
		require.Len(t, got, c.deliveries, c.fault)
		for _, r := range got {
			assert.Equal(t, c.good, verified(r, s.SigningSecret()) == nil, c.fault)
			assert.Equal(t, got[0].body, r.body, "a repeat has the same body")
		}
		assert.Equal(t, !c.good, len(s.broken()) == 1, "a bot that answers 200 to a forged request breaks a rule")
		_, err = s.Command(t.Context(), typed(s))
		require.NoError(t, err)
		assert.Len(t, b.requests(), c.deliveries+1, "a fault of one time is over")
	}
}

func TestLateAnswerHasNoEffect(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	first := s.open(b, modal(textInput("a", "b")))
	require.NoError(t, s.Fault("view_submission", fakeslack.FaultLateAnswer, 1))
	submission := fakeslack.Submission{User: s.Cast().User, View: first.ID}
	ack, err := s.Submit(t.Context(), submission)
	require.NoError(t, err)
	assert.Equal(t, "operation_timeout", ack.Error)
	views, err := s.Views(s.Cast().User)
	require.NoError(t, err)
	assert.Len(t, views, 1, "the form stays open")
	ack, err = s.Submit(t.Context(), submission)
	require.NoError(t, err)
	assert.Empty(t, ack.Error)
	views, err = s.Views(s.Cast().User)
	require.NoError(t, err)
	assert.Empty(t, views)
	assert.Len(t, b.requests(), 2+1, "a command and both")
}

func TestReplayingASubmissionHasItsEffectOnce(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	first := s.open(b, modal(textInput("a", "b")))
	_, err := s.Submit(t.Context(), fakeslack.Submission{User: s.Cast().User, View: first.ID})
	require.NoError(t, err)
	number := s.seen("view_submission")[0].Delivery
	for _, same := range []bool{true, false} {
		ack, err := s.Replay(t.Context(), number, same)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, ack.Status)
	}
	all := b.requests()
	submission, again, signed := all[len(all)-3], all[len(all)-2], all[len(all)-1]
	assert.Equal(t, submission.header.Get("X-Slack-Signature"), again.header.Get("X-Slack-Signature"))
	assert.Equal(t, submission.body, signed.body)
	require.NoError(t, verified(signed, s.SigningSecret()))
	_, err = s.Replay(t.Context(), 999, false)
	require.Error(t, err)
}

func TestFaultsThatNobodyHas(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{})
	for _, c := range []struct {
		says, method, fault string
		times               int
	}{
		{"a method that there is not", "views.close", fakeslack.FaultSlow, 1},
		{"a delivery's fault on a call", "views.open", fakeslack.FaultStale, 1},
		{"a call's fault on a delivery", "view_submission", fakeslack.FaultError500, 1},
		{"never", "views.open", fakeslack.FaultSlow, 0},
		{"a signature over a socket", "slash_command", fakeslack.FaultBadSignature, 1},
	} {
		assert.Error(t, s.Fault(c.method, c.fault, c.times), c.says)
	}
	assert.Len(t, fakeslack.FaultNames(), 16)
}

func TestFaultsOfCalls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault  string
		status int // 0: no answer
		word   string
		done   bool
	}{
		{fakeslack.FaultRateLimited, 429, "ratelimited", false},
		{fakeslack.FaultError500, 500, "", false},
		{fakeslack.FaultError503, 503, "", false},
		{fakeslack.FaultDropBefore, 0, "", false},
		{fakeslack.FaultDropAfter, 0, "", true},
		{fakeslack.FaultFatalError, 200, "fatal_error", false},
		{fakeslack.FaultInternalError, 200, "internal_error", false},
		{fakeslack.FaultInvalidAuth, 200, "invalid_auth", false},
		{fakeslack.FaultHang, 0, "", false},
		{fakeslack.FaultSlow, 0, "", true},
	} {
		t.Run(c.fault, func(t *testing.T) {
			slacktest.InVirtualTime(t, func(t *testing.T) {
				s := newVirtualStage(t, fakeslack.Options{})
				require.NoError(t, s.Fault("chat.postMessage", c.fault, 1))
				impatient := *s.http
				impatient.Timeout = 4 * time.Second // less than a slow answer takes
				body := strings.NewReader(`{"channel":"` + s.Cast().Channel + `","text":"x"}`)
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/chat.postMessage", body)
				require.NoError(t, err)
				r.GetBody = nil
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Authorization", "Bearer "+s.BotToken())
				response, err := impatient.Do(r)
				if c.status == 0 {
					require.Error(t, err)
				} else {
					require.NoError(t, err)
					got := s.read(response)
					assert.Equal(t, c.status, got.status)
					assert.Equal(t, c.word, got.Error)
				}
				assert.Equal(t, c.done, len(s.messages(s.Cast().Channel)) == 1, "whether it was done")
				assert.Empty(t, s.broken(), "a fault is not the bot's")
				assert.True(t, s.call("chat.postMessage", map[string]any{"channel": s.Cast().Channel, "text": "x"}).OK, "the fault is over")
			})
		})
	}
}

func TestAButtonOnAMessage(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	actions := map[string]any{"type": "actions", "block_id": "decide", "elements": []any{map[string]any{"type": "button", "action_id": "approve", "text": plain("Approve"), "value": "REF"}}}
	ts := s.call("chat.postMessage", map[string]any{"channel": s.Cast().Channel, "text": "x", "blocks": []any{actions}}).TS
	press := fakeslack.Action{User: s.Cast().Approver, Message: &fakeslack.MessageRef{Channel: s.Cast().Channel, TS: ts}, BlockID: "decide", ActionID: "approve"}
	_, err := s.Act(t.Context(), press)
	require.NoError(t, err)
	parsed, err := slack.InteractionCallbackParse(formRequest(t, b.requests()[0].body))
	require.NoError(t, err)
	require.Len(t, parsed.ActionCallback.BlockActions, 1)
	assert.Equal(t, "REF", parsed.ActionCallback.BlockActions[0].Value)
	assert.Equal(t, ts, parsed.Message.Timestamp)
	assert.Equal(t, s.Cast().Channel, parsed.Channel.ID)
	assert.Equal(t, s.Cast().Approver, parsed.User.ID)

	require.NoError(t, slack.PostWebhookCustomHTTPContext(t.Context(), parsed.ResponseURL, s.http, &slack.WebhookMessage{Text: "done", ReplaceOriginal: true}))
	got := s.messages(s.Cast().Channel)
	require.Len(t, got, 1)
	assert.Equal(t, "done", got[0].Text)
	assert.Empty(t, got[0].Blocks, "the original is replaced as a whole")
	_, err = s.Act(t.Context(), press)
	require.Error(t, err, "the button is gone")
}

func TestOptionsAreAskedForAndChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		says, body string
		offered    int
		rules      int
	}{
		{"options are offered", `{"options":[{"text":{"type":"plain_text","text":"db-042"},"value":"1"}]}`, 1, 0},
		{"none are", `{"options":[]}`, 0, 0},
		{"groups are", `{"option_groups":[{"label":{"type":"plain_text","text":"x"},"options":[{"text":{"type":"plain_text","text":"x"},"value":"1"}]}]}`, 0, 0},
		{"an object without them breaks a rule", `{}`, 0, 1},
		{"a text of 76 breaks a rule", `{"options":[{"text":{"type":"plain_text","text":"` + x(76) + `"},"value":"1"}]}`, 0, 1},
		{"nothing breaks a rule", ``, 0, 1},
	} {
		s, b := onHTTP(t, func(method string, payload map[string]any) (int, string) {
			if method == "block_suggestion" {
				assert.Equal(t, "db-", payload["value"])
				return http.StatusOK, c.body
			}
			return http.StatusOK, ""
		})
		view := s.open(b, modal(with(input(map[string]any{"type": "external_select", "action_id": "pick"}), map[string]any{"block_id": "server"})))
		lookup := fakeslack.Lookup{User: s.Cast().User, View: view.ID, BlockID: "server", ActionID: "pick", Value: "db-"}
		got, err := s.Options(t.Context(), lookup)
		require.NoError(t, err)
		assert.Len(t, got.Options, c.offered, c.says)
		assert.Len(t, s.broken(), c.rules, c.says)
		lookup.Value = "db"
		got, err = s.Options(t.Context(), lookup)
		require.NoError(t, err)
		assert.Equal(t, "min_query_length", got.Error, "Slack asks from three characters on")
		assert.Len(t, s.seen("block_suggestion"), 1)
	}
}

func TestInputChoiceIsSentOnlyWithDispatch(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	pick := with(input(map[string]any{"type": "static_select", "action_id": "pick", "options": []any{option("A", "a")}}), map[string]any{"block_id": "quiet"})
	loud := with(pick, map[string]any{"block_id": "loud", "dispatch_action": true})
	view := s.open(b, modal(pick, loud))
	choose := func(block string) error {
		_, err := s.Act(t.Context(), fakeslack.Action{User: s.Cast().User, View: view.ID, BlockID: block, ActionID: "pick", SelectedOption: option("A", "a")})
		return err
	}
	require.Error(t, choose("quiet"))
	require.NoError(t, choose("loud"))
	all := b.requests()
	parsed, err := slack.InteractionCallbackParse(formRequest(t, all[len(all)-1].body))
	require.NoError(t, err)
	assert.Equal(t, "a", parsed.ActionCallback.BlockActions[0].SelectedOption.Value)
	assert.Equal(t, "a", parsed.View.State.Values["loud"]["pick"].SelectedOption.Value, "the state holds the choice")
	assert.Equal(t, view.Hash, parsed.View.Hash)
}

func TestResponseURLWorksFiveTimesInThirtyMinutes(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	_, err := s.Command(t.Context(), fakeslack.Command{User: s.Cast().User, Channel: s.Cast().PrivateChannel, Command: "/cancel-server"})
	require.NoError(t, err)
	use := func(url, body string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		response, err := s.http.Do(r)
		require.NoError(t, err)
		got := s.read(response)
		return got.status, got.Error
	}
	reply, _ := b.requests()[0].payload["response_url"].(string)
	for _, body := range []string{`{"text":"1"}`, `{"text":"2","response_type":"in_channel"}`, `{"text":"3","blocks":null,"metadata":{}}`, `{"text":""}`, `{"blocks":[{"type":"video"}]}`} {
		status, _ := use(reply, body)
		assert.Equal(t, strings.Contains(body, `"text":"`) && !strings.Contains(body, `""`), status == http.StatusOK, body)
	}
	status, word := use(reply, `{"text":"6"}`)
	assert.Equal(t, http.StatusNotFound, status)
	assert.Equal(t, "used_url", word)
	got := s.messages(s.Cast().PrivateChannel)
	require.Len(t, got, 3, "it works where the bot is no member")
	assert.Equal(t, s.Cast().User, got[0].To, "ephemeral unless it says otherwise")
	assert.Empty(t, got[1].To)

	s.trigger(b, s.Cast().User)
	late, _ := b.requests()[1].payload["response_url"].(string)
	s.Advance(30*time.Minute + time.Second)
	_, word = use(late, `{"text":"late"}`)
	assert.Equal(t, "expired_url", word)
}

func TestWhereACommandIsTyped(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, func(string, map[string]any) (int, string) { return http.StatusOK, "usage" })
	cast := s.Cast()
	for _, c := range []struct{ channel, name string }{
		{cast.Channel, "infra-changes"}, {cast.PrivateChannel, "privategroup"}, {cast.User, "directmessage"},
	} {
		_, err := s.Command(t.Context(), fakeslack.Command{User: cast.User, Channel: c.channel, Command: "/cancel-server"})
		require.NoError(t, err)
		all := b.requests()
		assert.Equal(t, c.name, all[len(all)-1].payload["channel_name"])
		assert.Len(t, s.messages(c.channel), 1, "the answer is in %s", c.name)
	}
	all := b.requests()
	assert.Regexp(t, "^D", all[2].payload["channel_id"])
	_, err := s.Command(t.Context(), fakeslack.Command{User: cast.User, Channel: "C0NOWHERE", Command: "/cancel-server"})
	require.Error(t, err)
}

func TestAResponseURLDeletesWhatWasClicked(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	ticks := map[string]any{"type": "actions", "block_id": "b", "elements": []any{map[string]any{"type": "checkboxes", "action_id": "a", "options": []any{option("A", "a"), option("B", "b")}}}}
	got := s.call("chat.postEphemeral", map[string]any{"channel": s.Cast().Channel, "user": s.Cast().User, "text": "x", "blocks": []any{ticks}})
	require.True(t, got.OK)
	shown := s.messages(s.Cast().Channel)[0]
	tick := fakeslack.Action{
		User: s.Cast().Requester, Message: &fakeslack.MessageRef{Channel: shown.Channel, TS: shown.TS}, BlockID: "b", ActionID: "a",
		SelectedOptions: []map[string]any{option("A", "a"), option("B", "b")},
	}
	_, err := s.Act(t.Context(), tick)
	require.Error(t, err, "nobody else sees an ephemeral message")
	tick.User = s.Cast().User
	_, err = s.Act(t.Context(), tick)
	require.NoError(t, err)
	parsed, err := slack.InteractionCallbackParse(formRequest(t, b.requests()[0].body))
	require.NoError(t, err)
	assert.Len(t, parsed.ActionCallback.BlockActions[0].SelectedOptions, 2)
	assert.True(t, parsed.Container.IsEphemeral)
	require.NoError(t, slack.PostWebhookCustomHTTPContext(t.Context(), parsed.ResponseURL, s.http, &slack.WebhookMessage{DeleteOriginal: true}))
	assert.Empty(t, s.messages(s.Cast().Channel))
}

func TestABodyWhereNoneBelongsBreaksARule(t *testing.T) {
	t.Parallel()
	s, _ := onHTTP(t, func(method string, _ map[string]any) (int, string) {
		if method == "block_actions" {
			return http.StatusOK, `{"ok":true}`
		}
		return http.StatusOK, ""
	})
	button := map[string]any{"type": "actions", "block_id": "b", "elements": []any{map[string]any{"type": "button", "action_id": "a", "text": plain("Go")}}}
	ts := s.call("chat.postMessage", map[string]any{"channel": s.Cast().Channel, "text": "x", "blocks": []any{button}}).TS
	_, err := s.Act(t.Context(), fakeslack.Action{User: s.Cast().User, Message: &fakeslack.MessageRef{Channel: s.Cast().Channel, TS: ts}, BlockID: "b", ActionID: "a"})
	require.NoError(t, err)
	assert.Equal(t, []string{"block_actions is acknowledged with no body"}, s.broken())
}

func TestOldDeliveriesAreForgotten(t *testing.T) {
	t.Parallel()
	s, _ := onHTTP(t, silent)
	for range 1001 {
		_, err := s.Command(t.Context(), typed(s))
		require.NoError(t, err)
	}
	_, err := s.Replay(t.Context(), 1, false)
	require.Error(t, err)
	_, err = s.Replay(t.Context(), 2, false)
	require.NoError(t, err)
}
