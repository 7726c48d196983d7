package slackui

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

// rejectedIn is a request of the user's that ended because the server had changed, and
// its message in the channel.
func (s *stage) rejectedIn(channel string, why cancellation.Reason) (cancellation.Request, cancellation.Posted) {
	s.t.Helper()
	s.opened(s.cast.User, db, dbName)
	values := filled(db, dbName)
	values[words.BlockOf(words.AssociatedBlock, db)] = map[string]map[string]any{words.AssociatedAction: {"selected_options": []any{map[string]any{"value": words.AssociatedValue}}}}
	s.submit(s.cast.User, values)
	r, standing := s.live(db)
	require.True(s.t, standing)
	next, err := r.Move(cancellation.Rejected, cancellation.ByWorker, why)
	require.NoError(s.t, err)
	event := cancellation.Event{Kind: cancellation.EventMoved, Actor: "test", From: r.State, To: next.State, Detail: why.String()}
	next, err = s.store.Apply(s.t.Context(), cancellation.Change{From: r, To: next, Event: event})
	require.NoError(s.t, err)
	at, delivery, _ := s.announcer().Post(s.t.Context(), cancellation.Place{Channel: channel}, cancellation.Result, next)
	require.Equal(s.t, cancellation.Delivered, delivery)
	open, err := s.slack.Views(s.cast.User)
	require.NoError(s.t, err)
	for _, v := range open {
		_, err := s.slack.CloseView(s.t.Context(), s.cast.User, v.ID)
		require.NoError(s.t, err)
	}
	return next, at
}

func (s *stage) announcer() *Announcer {
	return NewAnnouncer(AnnouncerOptions{Web: s.app.web, Words: testWords(), Log: slacktest.Silent()})
}

// press presses a button under a message.
func (s *stage) press(user string, at cancellation.Posted, block, action, value string) fakeslack.Ack {
	s.t.Helper()
	ack, err := s.slack.Act(s.t.Context(), fakeslack.Action{
		User: user, Message: &fakeslack.MessageRef{Channel: at.Channel, TS: at.TS}, BlockID: block, ActionID: action, Value: &value,
	})
	require.NoError(s.t, err)
	require.Empty(s.t, ack.Error)
	return ack
}

// whispered waits for an ephemeral message in a channel that only this person sees.
func (s *stage) whispered(user, channel, text string) {
	s.t.Helper()
	slacktest.Eventually(s.t, func() bool {
		all, err := s.slack.Messages(s.t.Context(), channel, 0)
		require.NoError(s.t, err)
		for _, m := range all {
			if m.To == user && strings.Contains(m.Text, text) {
				return true
			}
		}
		return false
	}, "only they read "+text)
}

func TestAskingAgainRepeatsTheRequest(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before, at := s.rejectedIn(s.cast.Channel, cancellation.Reason{Code: cancellation.WhyChanged, Detail: "tags"})
	changed := slacktest.DBServer()
	changed.Tags = []string{"retired"}
	s.rack.set(changed)
	s.press(s.cast.User, at, words.ButtonsBlock, words.AgainAction, before.ID)
	view := s.waitFor(s.cast.User, "tags: retired")
	read, err := parse(*viewOf(t, view.View), db)
	require.NoError(t, err)
	assert.Equal(t, words.Typed{
		Server: db, Reason: before.Submission.Reason, Content: before.Submission.Content, Associated: true,
	}, read, "all but the typed name and the warnings is as it was")

	s.submit(s.cast.User, fakeslack.Values{words.BlockOf(words.ConfirmBlock, db): {words.ConfirmAction: {"value": dbName}}})
	r, standing := s.live(db)
	require.True(t, standing)
	assert.NotEqual(t, before.ID, r.ID)
	assert.Equal(t, []string{"retired"}, r.Submission.Card.Server.Tags)
	assert.Equal(t, s.cast.Channel, r.Submission.Place.Channel, "the result goes where the button was")
	assert.Equal(t, before.Submission.Place.ChannelName, r.Submission.Place.ChannelName)
}

func TestAskingAgainTicksNoOtherAssociatedItems(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before, at := s.rejectedIn(s.cast.Channel, cancellation.Reason{Code: cancellation.WhyChanged, Detail: cancellation.FactAssociated})
	require.True(t, before.Submission.Associated)
	changed := slacktest.DBServer()
	billing := *changed.Billing
	billing.Associated = append(slices.Clone(billing.Associated), cancellation.AssociatedItem{ID: 99, Description: "Backup vault", Fee: "70.00"})
	changed.Billing = &billing
	s.rack.set(changed)
	s.press(s.cast.User, at, words.ButtonsBlock, words.AgainAction, before.ID)
	view := s.waitFor(s.cast.User, "Backup vault")
	read, err := parse(*viewOf(t, view.View), db)
	require.NoError(t, err)
	assert.False(t, read.Associated, "nobody has said that this goes too")
	assert.Equal(t, before.Submission.Content, read.Content)
}

func TestSomebodyElseWhoMayAskCanAskAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before, at := s.rejectedIn(s.cast.Channel, cancellation.Reason{Code: cancellation.WhyWarned, Detail: "recent-transaction"})
	s.press(s.cast.Requester, at, words.ButtonsBlock, words.AgainAction, before.ID)
	s.waitFor(s.cast.Requester, "Type "+dbName+" to confirm")
	s.submit(s.cast.Requester, fakeslack.Values{words.BlockOf(words.ConfirmBlock, db): {words.ConfirmAction: {"value": dbName}}})
	r, standing := s.live(db)
	require.True(t, standing)
	assert.Equal(t, s.cast.Requester, r.Submission.By.ID, "it is theirs")
}

func TestAskAgainRefusalIsSeenByOnePerson(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before, at := s.rejectedIn(s.cast.Channel, cancellation.Reason{Code: cancellation.WhyNotFound})
	s.press(s.cast.Guest, at, words.ButtonsBlock, words.AgainAction, before.ID)
	s.whispered(s.cast.Guest, s.cast.Channel, "You may not ask for cancellations here")
	open, err := s.slack.Views(s.cast.Guest)
	require.NoError(t, err)
	assert.Empty(t, open, "and sees no form")
}

func TestOnlyWhatWasNotSentIsAskedAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	_, at := s.rejectedIn(s.cast.Channel, cancellation.Reason{Code: cancellation.WhyNotFound})
	s.opened(s.cast.User, db, dbName)
	s.submit(s.cast.User, filled(db, dbName))
	live, standing := s.live(db)
	require.True(t, standing)
	for _, value := range []string{"", "nonsense", live.ID} {
		s.press(s.cast.Requester, at, words.ButtonsBlock, words.AgainAction, value)
	}
	s.whispered(s.cast.Requester, s.cast.Channel, "This request cannot be asked for again from here")
	open, err := s.slack.Views(s.cast.Requester)
	require.NoError(t, err)
	assert.Empty(t, open)
}

func TestAskingAgainOpensTheFormAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before, at := s.rejectedIn(s.cast.Channel, cancellation.Reason{Code: cancellation.WhyNotFound})
	gate := make(chan struct{})
	s.rack.hold(db, gate)
	s.press(s.cast.User, at, words.ButtonsBlock, words.AgainAction, before.ID)
	s.waitFor(s.cast.User, "Looking up "+dbName)
	close(gate)
	s.waitFor(s.cast.User, "Type "+dbName+" to confirm")
}

func TestServerStillGoneKeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before, at := s.rejectedIn(s.cast.Channel, cancellation.Reason{Code: cancellation.WhyNotFound})
	s.rack.fail(errors.New("SoftLayer is down"))
	s.press(s.cast.User, at, words.ButtonsBlock, words.AgainAction, before.ID)
	view := s.waitFor(s.cast.User, "SoftLayer did not answer about this server. Choose the server again, or choose another.")
	assert.Contains(t, string(view.View), before.Submission.Content)
}

// recordedIn is a live request of the user's, and its message in the channel.
func (s *stage) recordedIn(channel string) (cancellation.Request, cancellation.Posted) {
	s.t.Helper()
	s.opened(s.cast.User, db, dbName)
	s.submit(s.cast.User, filled(db, dbName))
	r, standing := s.live(db)
	require.True(s.t, standing)
	at, delivery, _ := s.announcer().Post(s.t.Context(), cancellation.Place{Channel: channel}, cancellation.Result, r)
	require.Equal(s.t, cancellation.Delivered, delivery)
	_, err := s.slack.CloseView(s.t.Context(), s.cast.User, s.top(s.cast.User).ID)
	require.NoError(s.t, err)
	return r, at
}

func TestAnotherFormHoldsOnlyReasonAndText(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before, at := s.recordedIn(s.cast.Channel)
	s.press(s.cast.User, at, words.ButtonsBlock, words.AnotherAction, before.ID)
	view := s.waitFor(s.cast.User, "What ran here")
	read, err := parse(*viewOf(t, view.View), 0)
	require.NoError(t, err)
	assert.Equal(t, words.Typed{Reason: before.Submission.Reason, Content: before.Submission.Content}, read)
	meta, err := s.app.sealer.open(t.Context(), viewOf(t, view.View).PrivateMetadata, s.cast.User)
	require.NoError(t, err)
	assert.Equal(t, s.cast.Channel, meta.Channel, "the result goes where the button was")
	assert.Nil(t, meta.Card)
}

func TestNobodyElseGetsTheTextByAnother(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before, at := s.recordedIn(s.cast.Channel)
	opened := s.count("views.open")
	for user, says := range map[string]string{
		s.cast.Requester: "only they can go on from here", s.cast.Approver: "only they can go on from here", s.cast.Guest: "only they can go on from here",
	} {
		s.press(user, at, words.ButtonsBlock, words.AnotherAction, before.ID)
		s.whispered(user, s.cast.Channel, says)
	}
	for _, value := range []string{"", "nonsense"} {
		s.press(s.cast.Requester, at, words.ButtonsBlock, words.AnotherAction, value)
	}
	s.whispered(s.cast.Requester, s.cast.Channel, "There is no such request")
	assert.Equal(t, opened, s.count("views.open"), "no form opened")
}

func TestRequesterWithoutTheRightGetsNoForm(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before, at := s.recordedIn(s.cast.Channel)
	policy, err := authz.FromGroups(authz.Groups{Home: s.slack.TeamID(), Request: []string{s.cast.ApproveGroup}, Approve: []string{authz.None}})
	require.NoError(t, err)
	s.inForce.Store(policy)
	s.press(s.cast.User, at, words.ButtonsBlock, words.AnotherAction, before.ID)
	s.whispered(s.cast.User, s.cast.Channel, "You may not ask for cancellations here")
	open, err := s.slack.Views(s.cast.User)
	require.NoError(t, err)
	assert.Empty(t, open)
}

func TestAMessageByResponseURLHasNoButton(t *testing.T) {
	t.Parallel()
	slackAPI := slacktest.NewAnswers(t, slacktest.AnswerJSON(`{"ok":true}`))
	a := NewAnnouncer(AnnouncerOptions{Web: clientOf(t, slackAPI), Words: testWords(), Log: slacktest.Silent()})
	r := slacktest.Request(cancellation.Rejected, slacktest.Because(cancellation.WhyNotFound, ""))
	delivery, _ := a.Respond(t.Context(), slackAPI.URL+"/api/response", r)
	require.Equal(t, cancellation.Delivered, delivery)
	assert.Len(t, slackAPI.Received()[0].JSON["blocks"], 1)
}

func TestAskingAgainInAThreadStaysInIt(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	alert := s.alert("db-042.stg.example.com is down", "")
	before, _ := s.rejectedIn(s.cast.Channel, cancellation.Reason{Code: cancellation.WhyNotFound})
	for name, thread := range map[string]string{"in a thread": alert.TS, "in the channel": ""} {
		before.Submission.Place.Thread = thread
		at, delivery, _ := s.announcer().Post(t.Context(), before.Submission.Place, cancellation.Result, before)
		require.Equal(t, cancellation.Delivered, delivery)
		if thread == "" { // somebody answered it: it is the root of a thread now
			_, err := s.slack.Say(t.Context(), fakeslack.Said{User: s.cast.User, Channel: s.cast.Channel, Text: "why?", ThreadTS: at.TS})
			require.NoError(t, err)
		}
		s.press(s.cast.User, at, words.ButtonsBlock, words.AgainAction, before.ID)
		view := s.waitFor(s.cast.User, "Type "+dbName+" to confirm")
		meta, err := s.app.sealer.open(t.Context(), viewOf(t, view.View).PrivateMetadata, s.cast.User)
		require.NoError(t, err)
		assert.Equal(t, thread, meta.Thread, name)
		_, err = s.slack.CloseView(t.Context(), s.cast.User, view.ID)
		require.NoError(t, err)
	}
}

func TestAnEphemeralAnswerGoesToSlacksHostAlone(t *testing.T) {
	t.Parallel()
	slackAPI := slacktest.NewAnswers(t, func(w http.ResponseWriter, c slacktest.Call) {
		answer := `{"ok":true,"channel":"D1","ts":"1.2"}`
		if c.Method == "conversations.open" {
			answer = `{"ok":true,"channel":{"id":"D1"}}`
		}
		_, _ = io.WriteString(w, answer)
	})
	app := &App{web: clientOf(t, slackAPI)}
	var elsewhere atomic.Int32
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(stranger.Close)
	for n, responseURL := range []string{
		stranger.URL + "/commands/1", "https://hooks.slack.com.evil.example/commands/1", "http://hooks.slack.com/commands/1",
		"https://ana@hooks.slack.com/commands/1", strings.Replace(slackAPI.URL, "http://", "http://ana@", 1) + "/hook", "://",
	} {
		require.NoError(t, app.postTo(t.Context(), responseURL, "U1", words.PressUnread()), responseURL)
		assert.Zero(t, elsewhere.Load(), "nothing goes to %s", responseURL)
		assert.Zero(t, slackAPI.Count("/hook"), responseURL)
		assert.Equal(t, n+1, slackAPI.Count("chat.postMessage"), "it goes by direct message instead of to %s", responseURL)
	}
	require.NoError(t, app.postTo(t.Context(), slackAPI.URL+"/hook", "U1", words.PressUnread()))
	assert.Equal(t, 1, slackAPI.Count("/hook"), "the configured host is Slack's")
}
