package slackui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

const dbName, webName = "db-042.stg.example.com", "web-001.stg.example.com"

func TestASubmissionIsRecordedBeforeItIsAnswered(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.User, db, dbName)
	values := filled(db, "\u00a0DB–042.stg.example.com. ")
	values[words.BlockOf(words.AssociatedBlock, db)] = map[string]map[string]any{words.AssociatedAction: {"selected_options": []any{map[string]any{"value": words.AssociatedValue}}}}
	answer := s.submit(s.cast.User, values)
	assert.Equal(t, "update", answer["response_action"])
	r, standing := s.live(db)
	require.True(t, standing, "the request is on disk")
	assert.Equal(t, cancellation.Scheduled, r.State)
	assert.True(t, r.Submission.Associated)
	assert.Equal(t, "No longer needed", r.Submission.Reason)
	assert.Equal(t, "Replaced by db-060. Last backup 20 Nov.", r.Submission.Content)
	assert.Equal(t, s.cast.Channel, r.Submission.Place.Channel)
	assert.Equal(t, s.cast.User, r.Submission.By.ID)
	assert.Equal(t, s.slack.TeamID(), r.Submission.By.Team)
	assert.Equal(t, 1, s.wakes)
	text := slacktest.TextOf(s.top(s.cast.User).View)
	for _, part := range []string{"Recorded", dbName, "Being filed · ref " + r.Ref.Short(), "The result goes to #infra-changes."} {
		assert.Contains(t, text, part)
	}
	notice, err := s.store.ClaimNotices(t.Context(), "test", time.Minute, 1)
	require.NoError(t, err)
	if len(notice.Rows) == 0 { // it is due only after a while
		s.advance(time.Minute)
		notice, err = s.store.ClaimNotices(t.Context(), "test", time.Minute, 1)
		require.NoError(t, err)
		require.Len(t, notice.Rows, 1)
	}
	assert.True(t, strings.HasPrefix(notice.Rows[0].Place.ResponseURL, "http"), "the result's second best place came along")
}

func TestSimultaneousRepeatIsOneRequest(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.User, db, dbName)
	form := s.interaction(filled(db, dbName))
	bodies := make([]receive.Reply, 8)
	var all sync.WaitGroup
	for n := range bodies {
		all.Go(func() { bodies[n], _ = s.app.Interaction(context.Background(), form) })
	}
	all.Wait()
	r, standing := s.live(db)
	require.True(t, standing)
	for _, body := range bodies {
		assert.Contains(t, slacktest.TextOf(body), "Being filed · ref "+r.Ref.Short(), "each delivery gets the same answer")
	}
	assert.Equal(t, 1, s.wakes)
}

func TestLateRedeliveryGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.User, db, dbName)
	form := s.interaction(filled(db, dbName))
	first, _ := s.app.Interaction(t.Context(), form)
	s.advance(cancellation.MaxCardAge + 2*time.Minute)
	again, _ := s.app.Interaction(t.Context(), form)
	assert.Equal(t, string(first), string(again))
	s.app.desk.Directory = unread{errors.New("users.info is down")}
	s.rack.fail(errors.New("SoftLayer is down"))
	s.advance(-cancellation.MaxCardAge)
	again, _ = s.app.Interaction(t.Context(), form)
	assert.Equal(t, string(first), string(again), "nobody hears that nothing was recorded when it was")
}

func TestWhatIsWrongStandsAtItsField(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.User, twin, "db-042.prod.example.com")
	confirm := words.BlockOf(words.ConfirmBlock, twin)
	for _, c := range []struct {
		field, action string
		state         map[string]any
		at, says      string
	}{
		{words.ServerBlock, words.ServerAction, map[string]any{"selected_option": map[string]any{"value": "1234567 or 1=1"}}, words.ServerBlock, "Choose a server from the list."},
		{words.ServerBlock, words.ServerAction, map[string]any{"selected_option": nil}, words.ServerBlock, "Choose a server from the list."},
		{words.ServerBlock, words.ServerAction, map[string]any{"selected_option": option(404)}, words.ServerBlock, "SoftLayer has no such server, or this key may not see it."},
		{words.ReasonBlock, words.ReasonAction, map[string]any{"selected_option": map[string]any{"value": "Because"}}, words.ReasonBlock, "Choose one of the ten reasons."},
		{words.ContentBlock, words.ContentAction, map[string]any{"value": " \u00a0\n\u200b"}, words.ContentBlock, "does not take an empty text"},
		{words.ContentBlock, words.ContentAction, map[string]any{"value": strings.Repeat("x", 3001)}, words.ContentBlock, "At most 3,000 characters."},
		{confirm, words.ConfirmAction, map[string]any{"value": "db-042.stg.example.com"}, confirm, "That is not the server on the card, which is db-042.prod.example.com. If you meant another server, choose it above."},
		{confirm, words.ConfirmAction, map[string]any{"value": "db-042"}, confirm, "another server may have this short name too."},
	} {
		values := filled(twin, "db-042.prod.example.com")
		values[c.field] = map[string]map[string]any{c.action: c.state}
		found, _ := s.submit(s.cast.User, values)["errors"].(map[string]any)
		assert.Contains(t, fmt.Sprint(found[c.at]), c.says)
		assert.Len(t, found, 1)
	}
	_, standing := s.live(twin)
	assert.False(t, standing)
}

func TestTooLongTextIsReportedWithNewCards(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.User, db, dbName)
	values := filled(db, dbName)
	values[words.ContentBlock] = map[string]map[string]any{words.ContentAction: {"value": strings.Repeat("x", 3001)}}
	values[words.ServerBlock] = map[string]map[string]any{words.ServerAction: {"selected_option": option(web)}}
	found, _ := s.submit(s.cast.User, values)["errors"].(map[string]any)
	assert.Contains(t, found[words.ContentBlock], "At most 3,000 characters.", "another server than the card's")

	s.choose(s.cast.User, web)
	s.waitFor(s.cast.User, "Type web-001.stg.example.com to confirm")
	s.advance(cancellation.MaxCardAge + time.Second)
	found, _ = s.submit(s.cast.User, nil)["errors"].(map[string]any)
	assert.Contains(t, found[words.ContentBlock], "At most 3,000 characters.", "an old card, and the text was kept by the choice")
}

func TestEachWarningOfTheCardIsConfirmed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	server := slacktest.DBServer()
	server.Gateway, server.ProvisionDate = true, slacktest.Noon.Add(-time.Hour).Format(time.RFC3339)
	s.rack.set(server)
	s.opened(s.cast.User, db, dbName)
	ticked := func(warnings ...string) map[string]any {
		var options []any
		for _, warning := range warnings {
			options = append(options, map[string]any{"value": warning, "text": map[string]any{"type": "plain_text", "text": warning}})
		}
		values := filled(db, dbName)
		values[words.BlockOf(words.WarningsBlock, db)] = map[string]map[string]any{words.WarningsAction: {"selected_options": options}}
		return s.submit(s.cast.User, values)
	}
	told, _ := ticked(cancellation.WarningGateway)["errors"].(map[string]any)
	assert.Contains(t, told[words.BlockOf(words.WarningsBlock, db)], "Tick each of these")
	_, standing := s.live(db)
	require.False(t, standing)
	assert.Equal(t, "update", ticked(cancellation.WarningGateway, cancellation.WarningProvisioned)["response_action"])
	_, standing = s.live(db)
	assert.True(t, standing)
}

func TestAnotherServerThanTheCardsIsShownFirst(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.User, db, dbName)
	values := filled(db, dbName)
	values[words.ServerBlock] = map[string]map[string]any{words.ServerAction: {"selected_option": option(web)}}
	assert.Equal(t, "update", s.submit(s.cast.User, values)["response_action"])
	text := slacktest.TextOf(s.top(s.cast.User).View)
	assert.Contains(t, text, "This card was read just now: check it, then press Request cancellation again.")
	assert.Contains(t, text, "Type web-001.stg.example.com to confirm")
	assert.NotContains(t, string(s.top(s.cast.User).View), `"`+dbName+`"`, "the name typed for the other server is not carried over")
	_, standing := s.live(db)
	assert.False(t, standing)
	_, standing = s.live(web)
	assert.False(t, standing)
	assert.Equal(t, "update", s.submit(s.cast.User, fakeslack.Values{words.BlockOf(words.ConfirmBlock, web): {words.ConfirmAction: {"value": "web-001"}}})["response_action"],
		"what was typed about the reason was kept")
	_, standing = s.live(web)
	assert.True(t, standing)
}

func TestLateCardNeverReplacesTheAnswer(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.User, db, dbName)
	gate := make(chan struct{})
	s.rack.hold(db, gate)
	s.choose(s.cast.User, db)
	s.submit(s.cast.User, filled(db, dbName))
	require.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "Recorded")
	close(gate)
	require.NoError(t, s.dispatcher.Shutdown(t.Context()))
	assert.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "Recorded")
}

func TestAnOldCardIsReadAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.User, db, dbName)
	s.advance(cancellation.MaxCardAge + time.Second)
	s.rack.fail(errors.New("SoftLayer is down"))
	found, _ := s.submit(s.cast.User, filled(db, dbName))["errors"].(map[string]any)
	assert.Contains(t, found[words.ServerBlock], "what you typed is kept")
	s.rack.fail(nil)
	s.submit(s.cast.User, nil)
	assert.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "This card was read just now")
	_, standing := s.live(db)
	assert.False(t, standing)
	s.submit(s.cast.User, nil)
	_, standing = s.live(db)
	assert.True(t, standing, "the form was kept and needed only the button")
}

func TestASlowSoftLayerLosesNobodysForm(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.command(s.cast.User, "")
	s.rack.hold(db, make(chan struct{}))
	values := filled(db, dbName)
	delete(values, words.BlockOf(words.ConfirmBlock, db))
	found, _ := s.submit(s.cast.User, values)["errors"].(map[string]any)
	assert.Contains(t, found[words.ServerBlock], "SoftLayer did not answer about this server. Nothing was filed, and what you typed is kept")
}

func TestDenialIsPushedOverTheForm(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.User, twin, "db-042.prod.example.com")
	form := s.top(s.cast.User).ID
	assert.Equal(t, "push", s.submit(s.cast.User, filled(twin, "db-042.prod.example.com"))["response_action"])
	text := slacktest.TextOf(s.top(s.cast.User).View)
	for _, part := range []string{"Not allowed", "Nothing was filed. You may not ask to cancel db-042.prod.example.com:", "servers tagged protected are never cancelled here", "Rule protected-tags · ref "} {
		assert.Contains(t, text, part)
	}
	server := s.rack.servers[twin]
	server.Tags = nil
	s.rack.set(server)
	_, err := s.slack.CloseView(t.Context(), s.cast.User, s.top(s.cast.User).ID)
	require.NoError(t, err)
	require.Equal(t, form, s.top(s.cast.User).ID, "the form still stands")
	s.choose(s.cast.User, twin)
	s.waitFor(s.cast.User, "no tags")
	s.submit(s.cast.User, filled(twin, "db-042.prod.example.com"))
	_, standing := s.live(twin)
	assert.True(t, standing, "a denial never blocks a correction")
}

func TestWhatNeedsApprovalWaitsForIt(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(s *stage) { s.policy(s.cast.ApproveGroup) })
	s.opened(s.cast.User, db, dbName)
	s.submit(s.cast.User, filled(db, dbName))
	assert.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "Waiting for the approval of one other person. Nothing is filed. You can withdraw this request until it is filed")
	waits, standing := s.live(db)
	assert.True(t, standing)
	assert.Equal(t, cancellation.Pending, waits.State)
}

func TestWhoseRequestStandsIsSaid(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.Requester, db, dbName)
	s.opened(s.cast.User, db, dbName)
	s.submit(s.cast.Requester, filled(db, dbName))
	first, _ := s.live(db)
	assert.Equal(t, "push", s.submit(s.cast.User, filled(db, dbName))["response_action"])
	text := slacktest.TextOf(s.top(s.cast.User).View)
	for _, part := range []string{"Already requested", "Nothing new was filed. ben already asked to cancel " + dbName, "Being filed · ref " + first.Ref.Short()} {
		assert.Contains(t, text, part)
	}
	events, err := s.store.Events(t.Context(), first.ID)
	require.NoError(t, err)
	assert.Equal(t, cancellation.EventAskedAgain, events[len(events)-1].Kind)

	s.command(s.cast.User, "1234567") // a card read now shows it in the card's place, and asking again is heard too
	s.waitFor(s.cast.User, "⛔ Cannot be cancelled here: ben already asked. Request "+first.Ref.Short())
	values := filled(db, dbName)
	delete(values, words.BlockOf(words.ConfirmBlock, db))
	assert.Equal(t, "push", s.submit(s.cast.User, values)["response_action"])
}

// brokenIntake fails to record.
type brokenIntake struct {
	cancellation.Intake
	err error
}

func (j brokenIntake) Record(context.Context, cancellation.Record) (cancellation.Recorded, error) {
	return cancellation.Recorded{}, j.err
}

// stuckDatabase answers no read before the caller gives up.
type stuckDatabase struct {
	cancellation.Clock
	cancellation.Freezes
}

func (stuckDatabase) Now(ctx context.Context) (time.Time, error) {
	<-ctx.Done()
	return time.Time{}, ctx.Err()
}

func (stuckDatabase) Frozen(ctx context.Context) (cancellation.Freeze, error) {
	<-ctx.Done()
	return cancellation.Freeze{}, ctx.Err()
}

func TestAFormOpensWhileTheDatabaseAnswersNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.desk.Clock, s.desk.Freezes = stuckDatabase{}, stuckDatabase{}
	began := time.Now()
	s.command(s.cast.User, "")
	assert.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "Cancel a server")
	assert.Less(t, time.Since(began), 3*time.Second, "the trigger still lives")
}

func TestFailedWriteIsReportedAsWhatItIs(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.User, db, dbName)
	s.desk.Intake = brokenIntake{s.store, errors.New("attempt to write a readonly database at /var/lib/secret.db")}
	found, _ := s.submit(s.cast.User, filled(db, dbName))["errors"].(map[string]any)
	assert.Contains(t, found[words.ServerBlock], "This try was not recorded")
	assert.NotContains(t, found[words.ServerBlock], "secret.db")

	s.desk.Intake = brokenIntake{s.store, fmt.Errorf("committing: %w", cancellation.ErrUnclear)}
	assert.Equal(t, "push", s.submit(s.cast.User, nil)["response_action"])
	assert.Regexp(t, `(?s)We cannot tell whether this was recorded\.\nDo not send the form again.*ref \w{4}-\w{4}`, slacktest.TextOf(s.top(s.cast.User).View))
}

func TestNothingIsDecidedAboutUnknownPeople(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.User, db, dbName)
	s.desk.Directory = unread{errors.New("users.info is down")}
	found, _ := s.submit(s.cast.User, filled(db, dbName))["errors"].(map[string]any)
	assert.Contains(t, found[words.ServerBlock], "This try was not recorded. Slack did not say in time who you are")

	s.desk.Directory = unread{&cancellation.MissingScopeError{Scope: "users:read", Err: errors.New("calling users.info: missing_scope")}}
	found, _ = s.submit(s.cast.User, filled(db, dbName))["errors"].(map[string]any)
	assert.Contains(t, found[words.ServerBlock], "This try was not recorded. The bot's Slack app lacks the scope users:read")
}

func TestForeignFormsAreAnsweredAndNotRecorded(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.User, db, dbName)
	good := s.interaction(filled(db, dbName))
	for name, spoil := range map[string]func(*receive.Interaction, *receive.View){
		"an unknown callback id":         func(_ *receive.Interaction, v *receive.View) { v.CallbackID = "cancel-server:form:2" },
		"a missing block":                func(_ *receive.Interaction, v *receive.View) { delete(v.Values, words.ContentBlock) },
		"somebody else's form":           func(i *receive.Interaction, _ *receive.View) { i.User = s.cast.Requester },
		"metadata that was changed":      func(_ *receive.Interaction, v *receive.View) { v.PrivateMetadata = "1p" + v.PrivateMetadata[3:] },
		"metadata of another version":    func(_ *receive.Interaction, v *receive.View) { v.PrivateMetadata = "2" + v.PrivateMetadata[1:] },
		"metadata that is far too large": func(_ *receive.Interaction, v *receive.View) { v.PrivateMetadata += strings.Repeat("A", maxMetadata) },
		"no metadata":                    func(_ *receive.Interaction, v *receive.View) { v.PrivateMetadata = "" },
	} {
		bad, view := good, *good.View
		view.Values = make(map[string]map[string]receive.Value)
		for block, actions := range good.View.Values {
			view.Values[block] = actions
		}
		bad.View = &view
		spoil(&bad, &view)
		answer, after := s.app.Interaction(t.Context(), bad)
		assert.Nil(t, after, name)
		assert.Contains(t, string(answer), `"push"`, name)
		assert.Contains(t, slacktest.TextOf(answer), "Nothing was filed. This form cannot be read", name)
	}
	_, standing := s.live(db)
	assert.False(t, standing)
}

// unread is a Slack that tells of nobody.
type unread struct{ why error }

func (unread) Members(context.Context, []string, time.Duration) ([]authz.Principal, error) {
	return nil, errors.New("ratelimited")
}

func (u unread) Principal(context.Context, cancellation.Person, []string, time.Duration) (authz.Principal, error) {
	return authz.Principal{}, u.why
}

// interaction is the submission of the top view, as the edge decodes it.
func (s *stage) interaction(values fakeslack.Values) receive.Interaction {
	s.t.Helper()
	top := s.top(s.cast.User)
	i := receive.Interaction{Kind: receive.ViewSubmission, Team: s.slack.TeamID(), User: s.cast.User, View: viewOf(s.t, top.View)}
	i.View.Values[words.ServerBlock] = map[string]receive.Value{words.ServerAction: {Selected: "1234567"}}
	for block, actions := range values {
		for action, state := range actions {
			text, _ := state["value"].(string)
			chosen, _ := state["selected_option"].(map[string]any)
			picked, _ := chosen["value"].(string)
			i.View.Values[block] = map[string]receive.Value{action: {Text: text, Selected: picked}}
		}
	}
	return i
}
