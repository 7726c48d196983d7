package slackui

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/orders"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

// withLeads lets the approve group approve, and so freeze filing.
func withLeads(s *stage) {
	s.policy(s.cast.ApproveGroup)
}

func (s *stage) frozen() cancellation.Freeze {
	s.t.Helper()
	stands, err := s.store.Frozen(s.t.Context())
	require.NoError(s.t, err)
	return stands
}

// newest is the newest message that only this person sees in the channel.
func (s *stage) newest(user string) fakeslack.Message {
	s.t.Helper()
	all, err := s.slack.Messages(s.t.Context(), s.cast.Channel, 0)
	require.NoError(s.t, err)
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].To == user {
			return all[i]
		}
	}
	s.t.Fatal("they were told nothing")
	return fakeslack.Message{}
}

// pressesUnfreeze presses the button that ends a freeze, and says which delivery that was.
func (s *stage) pressesUnfreeze(user string, asked fakeslack.Message) (delivery int) {
	s.t.Helper()
	ack, err := s.slack.Act(s.t.Context(), fakeslack.Action{
		User: user, Message: &fakeslack.MessageRef{Channel: s.cast.Channel, TS: asked.TS}, BlockID: "freeze", ActionID: words.UnfreezeAction,
	})
	require.NoError(s.t, err)
	require.Empty(s.t, ack.Error)
	return s.lastDelivery("block_actions")
}

// lastDelivery is the number of the last delivery of a kind.
func (s *stage) lastDelivery(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.calls) - 1; i >= 0; i-- {
		if s.calls[i].Method == method {
			return s.calls[i].Delivery
		}
	}
	s.t.Fatalf("no %s was delivered", method)
	return 0
}

// restarted has Slack deliver to another process, which knows nothing of what was answered.
func (s *stage) restarted() {
	dispatcher := receive.NewDispatcher(receive.DispatcherOptions{Handler: s.app, Log: slacktest.Silent()})
	bot := httptest.NewServer(receive.NewHTTP(receive.HTTPOptions{SigningSecrets: []string{s.slack.SigningSecret()}, Dispatcher: dispatcher, Log: slacktest.Silent()}).Routes())
	s.t.Cleanup(func() { require.NoError(s.t, dispatcher.Shutdown(context.Background())) })
	s.t.Cleanup(bot.Close)
	s.slack.SetEndpoint(bot.URL)
}

func TestUnfreezeAsksFirstAndEndsThatFreeze(t *testing.T) {
	t.Parallel()
	s := newStage(t, withLeads)
	lead := s.cast.Approver
	s.command(lead, "unfreeze over")
	assert.Contains(t, s.newest(lead).Text, "Filing is not frozen.")

	s.command(lead, "freeze an outage")
	require.True(t, s.frozen().Frozen)
	s.command(lead, "unfreeze")
	assert.Contains(t, s.newest(lead).Text, "Say why: type /cancel-server unfreeze WHY.")
	s.command(lead, "unfreeze it is over")
	asked := s.newest(lead)
	assert.Contains(t, asked.Text, "Filing is frozen by <@"+lead+"> since 22 Nov 2026 12:00 UTC: an outage.")
	assert.True(t, s.frozen().Frozen, "the command alone ends nothing")

	s.pressesUnfreeze(lead, asked)
	s.whispered(lead, s.cast.Channel, "Filing goes on.")
	assert.Equal(t, []any{false, "it is over"}, []any{s.frozen().Frozen, s.frozen().Why})
}

func TestAnOldUnfreezeEndsNoNewerFreeze(t *testing.T) {
	t.Parallel()
	s := newStage(t, withLeads)
	lead := s.cast.Approver
	s.command(lead, "freeze an outage")
	first := s.lastDelivery("slash_command")
	s.command(lead, "unfreeze it is over")
	typed, asked := s.lastDelivery("slash_command"), s.newest(lead)
	pressed := s.pressesUnfreeze(lead, asked)
	require.False(t, s.frozen().Frozen)

	s.restarted()
	_, err := s.slack.Replay(t.Context(), first, true)
	require.NoError(t, err)
	assert.False(t, s.frozen().Frozen, "nor does an old freeze begin again")

	s.command(lead, "freeze another outage")
	newer := s.frozen()
	require.True(t, newer.Frozen)
	for name, again := range map[string]func(){
		"the command, byte for byte": func() { _, err = s.slack.Replay(t.Context(), typed, true) },
		"the press, byte for byte":   func() { _, err = s.slack.Replay(t.Context(), pressed, true) },
		"the press, newly signed":    func() { _, err = s.slack.Replay(t.Context(), pressed, false) },
		"the old button":             func() { s.pressesUnfreeze(lead, asked) },
	} {
		s.restarted()
		again()
		require.NoError(t, err)
		assert.Equal(t, newer, s.frozen(), name)
	}
	s.whispered(lead, s.cast.Channel, "This order was carried out before.")
	s.whispered(lead, s.cast.Channel, "The freeze that this button ends is already over.")
}

func TestNobodyFreezesThroughAnUnlistedGroup(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(s *stage) {
		policy, err := authz.Parse("policy.cedar", []byte(`
@id("all") permit (principal, action in [Action::"request", Action::"approve"], resource);
@id("interns") forbid (principal in Group::"`+s.cast.DisabledGroup+`", action == Action::"approve", resource);`))
		require.NoError(s.t, err)
		s.inForce.Store(policy)
		directory := NewDirectory(DirectoryOptions{Web: s.app.web, HomeTeam: s.slack.TeamID(), Log: slacktest.Silent()})
		s.t.Cleanup(directory.Close)
		s.desk.Directory, s.app.directory = directory, directory
	})
	s.command(s.cast.Outsider, "freeze for fun")
	assert.False(t, s.frozen().Frozen, "whether they are an intern nobody knows")
	assert.Contains(t, s.newest(s.cast.Outsider).Text, "Slack does not list it")
}

func TestARefusedFreezeSaysWhomToAsk(t *testing.T) {
	t.Parallel()
	s := newStage(t, withLeads)
	s.command(s.cast.Outsider, "freeze for fun")
	assert.False(t, s.frozen().Frozen)
	told := s.newest(s.cast.Outsider).Text
	assert.Contains(t, told, "No policy rule lets you freeze filing; anyone who may approve requests can.")
	assert.Contains(t, told, "Ask <!subteam^"+s.cast.ApproveGroup+">.")
}

func TestFormAndAnswerReportAFreeze(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	require.NoError(t, s.store.Freeze(t.Context(), cancellation.Freeze{Frozen: true, Actor: "operator:root", Why: "an outage"}))
	s.opened(s.cast.User, db, dbName)
	assert.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "Filing is frozen by root, who runs this bot since 22 Nov 2026 12:00 UTC: an outage.")
	s.submit(s.cast.User, filled(db, dbName))
	said := slacktest.TextOf(s.waitFor(s.cast.User, "Accepted, and not filed yet").View)
	assert.Contains(t, said, "Filing is frozen by")
	assert.NotContains(t, said, "Being filed")
}

func TestEachFormIsFilledInForItsCommand(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, frozen := range []bool{true, false, true} {
		require.NoError(t, s.store.Freeze(t.Context(), cancellation.Freeze{Frozen: frozen, Actor: "operator:root", Why: "an outage"}))
		for _, user := range []string{s.cast.User, s.cast.Requester} {
			s.command(user, "")
			view := s.top(user).View
			assert.Equal(t, frozen, strings.Contains(slacktest.TextOf(view), "Filing is frozen"), "the freeze is read for each form")
			var form struct {
				Sealed string `json:"private_metadata"`
			}
			require.NoError(t, json.Unmarshal(view, &form))
			_, err := s.app.sealer.open(t.Context(), form.Sealed, user)
			assert.NoError(t, err, "the form is theirs")
		}
	}
}

func TestUnreadableTicketIsNotRecorded(t *testing.T) {
	t.Parallel()
	s := newStage(t, withLeads)
	s.app.words.Contact = "#infra-help"
	r, at := s.waiting()
	stuck := r
	stuck.State, stuck.Why.Code = cancellation.Stuck, cancellation.WhyUnclear
	r, err := s.store.Apply(t.Context(), cancellation.Change{From: r, To: stuck, Event: cancellation.Event{Kind: cancellation.EventMoved}})
	require.NoError(t, err)
	delivery, _ := s.announcer().Update(t.Context(), at, cancellation.Result, r)
	require.Equal(t, cancellation.Delivered, delivery)

	s.press(s.cast.Approver, at, words.ButtonsBlock, words.FoundAction, r.ID)
	s.waitFor(s.cast.Approver, "There is a ticket")
	s.submit(s.cast.Approver, fakeslack.Values{
		words.TicketBlock: {words.TicketAction: {"value": "153572999"}}, words.WhyBlock: {words.WhyAction: {"value": "seen in Cases"}},
	})
	said := slacktest.TextOf(s.waitFor(s.cast.Approver, "Nothing was recorded.").View)
	assert.Contains(t, said, "This key cannot read ticket 153572999. Ask #infra-help to run: bot resolve "+r.Ref.Short()+" filed 153572999 --unseen --why …")
	now, err := s.store.Request(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, cancellation.Stuck, now.State)
}

func TestAnApproverDeclinesWhatWaitsToBeFiled(t *testing.T) {
	t.Parallel()
	s := newStage(t, withLeads, func(s *stage) { s.desk.Terms.UndoWindow = time.Hour })
	r, at := s.waiting()
	s.press(s.cast.Approver, at, words.ButtonsBlock, words.ApproveAction, r.ID)
	r, err := s.store.Request(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, cancellation.Scheduled, r.State)
	delivery, _ := s.announcer().Update(t.Context(), at, cancellation.Result, r)
	require.Equal(t, cancellation.Delivered, delivery)

	s.press(s.cast.Approver, at, words.ButtonsBlock, words.UndoAction, r.ID)
	s.whispered(s.cast.Approver, s.cast.Channel, "only the person who asked can withdraw a request")
	s.press(s.cast.Approver, at, words.ButtonsBlock, words.DeclineAction, r.ID)
	s.waitFor(s.cast.Approver, "Decline a request")
	s.submit(s.cast.Approver, fakeslack.Values{words.WhyBlock: {words.WhyAction: {"value": "it is needed until Monday"}}})
	now, err := s.store.Request(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, []any{cancellation.Declined, "it is needed until Monday", s.cast.Approver}, []any{now.State, now.Why.Detail, now.EndedBy.ID})
}

func TestRefusedTokenIsNoRefusalOfAPlace(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]cancellation.Delivery{
		"invalid_auth": cancellation.Undelivered, "token_revoked": cancellation.Undelivered, "missing_scope": cancellation.Undelivered,
		"channel_not_found": cancellation.Refusing, "not_in_channel": cancellation.Refusing,
	} {
		slackAPI := slacktest.NewAnswers(t, slacktest.AnswerJSON(`{"ok":false,"error":"`+code+`"}`))
		board := NewBoard(BoardOptions{Web: clientOf(t, slackAPI), Words: testWords(), Log: slacktest.Silent()})
		for _, target := range []string{"C1", "U1"} {
			order := orders.Notice{Target: target, Order: cancellation.Freeze{Frozen: true, Actor: "T1/U8", Why: "an outage", At: slacktest.Noon}}
			_, got, _ := board.PostOrder(t.Context(), order, cancellation.Posted{})
			assert.Equal(t, want, got, "%s for %s", code, target)
		}
	}
}
