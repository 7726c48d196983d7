package slackui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
)

const db, web, twin = int64(1234567), int64(1234568), int64(1234569)

func TestCommandOpensTheFormWithoutSoftLayer(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.rack.fail(errors.New("SoftLayer is down"))
	ack := s.command(s.cast.User, "")
	assert.Equal(t, "null", string(ack.Body), "an opened form is acknowledged with nothing")
	text := slacktest.TextOf(s.top(s.cast.User).View)
	assert.Contains(t, text, "Account acme-prod (123456) · the result goes to #infra-changes")
	assert.Zero(t, s.rack.reads)
}

func TestHelpAnswersTheAskerAlone(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	ack := s.command(s.cast.Outsider, " HELP ")
	assert.Contains(t, string(ack.Body), `"ephemeral"`)
	assert.Contains(t, slacktest.TextOf(ack.Body), "/cancel-server NAME")
	assert.Zero(t, s.count("views.open"))
}

func TestRefusalOfTheCommandNamesItsRule(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	require.NoError(t, s.app.directory.Warm(t.Context(), s.inForce.Load().GroupIDs()))
	for who, rule := range map[string]string{
		s.cast.Guest: "builtin-guest", s.cast.Deactivated: "builtin-deactivated",
		s.cast.Stranger: "builtin-stranger", s.cast.Outsider: "builtin-default-deny",
	} {
		before := s.count("response_url")
		for _, how := range []string{"by response_url, once Slack has said who they are", "in the acknowledgement, while that is known"} {
			said := s.reads(who, "")
			assert.Contains(t, said, "Nothing was filed.", how)
			assert.Contains(t, said, "Rule "+rule, how)
		}
		assert.Equal(t, before+1, s.count("response_url"), "the second refusal needed no call")
	}
	assert.Zero(t, s.count("views.open"))
}

func TestApproverWhoMayNotAskLearnsMore(t *testing.T) {
	t.Parallel()
	const can = "You can approve what others ask for"
	s := newStage(t, func(s *stage) { s.policy(s.cast.ApproveGroup) })
	assert.NotContains(t, slacktest.TextOf(s.command(s.cast.Approver, "").Body), can, "of one whose groups are not read yet nobody knows")
	require.NoError(t, s.app.directory.Warm(t.Context(), s.inForce.Load().GroupIDs()))
	said := s.reads(s.cast.Approver, "db-042")
	assert.Contains(t, said, "Nothing was filed. You may not ask for cancellations here:")
	assert.Contains(t, said, can)
	assert.Contains(t, s.reads(s.cast.Approver, ""), "Nothing waits for your approval.", "the bare command lists that")
	assert.NotContains(t, s.reads(s.cast.Outsider, ""), can)
	assert.NotContains(t, s.reads(s.cast.Guest, ""), can, "guests do nothing")

	m := s.alert("db-042.stg.example.com is down", "")
	s.use(s.cast.Approver, MessageShortcut, &m)
	s.whispered(s.cast.Approver, s.cast.Channel, can)
}

func TestFormRefusedBySlackIsReported(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, fault := range []string{fakeslack.FaultInvalidAuth, fakeslack.FaultRateLimited} {
		require.NoError(t, s.slack.Fault("views.open", fault, 1))
		assert.Contains(t, s.reads(s.cast.User, ""), "Nothing was opened and nothing was filed.", fault)
	}
}

func TestCommandDeliveredTwiceOpensOneForm(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	require.NoError(t, s.slack.Fault("slash_command", fakeslack.FaultRedeliver, 1))
	s.command(s.cast.User, "")
	open, err := s.slack.Views(s.cast.User)
	require.NoError(t, err)
	assert.Len(t, open, 1)
	assert.Empty(t, s.app.openFailed(&webapi.Error{Method: "views.open", Code: "exchanged_trigger_id"}))
	said, err := s.slack.Messages(t.Context(), s.cast.Channel, 0)
	require.NoError(t, err)
	assert.Empty(t, said, "nobody hears that nothing was opened")
}

func TestOpeningWithALostAnswerIsNoFailure(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, fault := range []string{fakeslack.FaultFatalError, fakeslack.FaultInternalError, fakeslack.FaultDropAfter} {
		require.NoError(t, s.slack.Fault("views.open", fault, 1))
		said := s.reads(s.cast.User, "")
		assert.Contains(t, said, "If no form has opened", fault)
		assert.NotContains(t, said, "Nothing was opened", fault)
	}
	assert.NotEmpty(t, slacktest.TextOf(s.top(s.cast.User).View), "the last one did open")
}

func TestCommandIsAcknowledgedBeforeItsFormOpens(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	gate := make(chan struct{})
	s.holdOpening(gate)
	ack, err := s.slack.Command(t.Context(), fakeslack.Command{User: s.cast.User, Channel: s.cast.Channel, Command: "/cancel-server"})
	require.NoError(t, err)
	require.Empty(t, ack.Error, "acknowledged while Slack has not answered views.open")
	assert.Equal(t, "null", string(ack.Body))
	assert.Zero(t, s.count("views.open"))
	close(gate)
	s.answered(0)
	assert.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "Server")
}

func TestUnopenedFormIsToldByDirectMessage(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	require.NoError(t, s.slack.Fault("views.open", fakeslack.FaultRateLimited, 1))
	require.NoError(t, s.slack.Fault("response_url", fakeslack.FaultError500, 3))
	_, err := s.slack.Command(t.Context(), fakeslack.Command{User: s.cast.User, Channel: s.cast.Channel, Command: "/cancel-server"})
	require.NoError(t, err)
	slacktest.Eventually(t, func() bool { return s.count("chat.postMessage") == 1 }, "a direct message takes the place of the response_url")
	said, err := s.slack.Messages(t.Context(), s.cast.User, 0)
	require.NoError(t, err)
	require.Len(t, said, 1)
	assert.Contains(t, said[0].Text, "Nothing was opened and nothing was filed.")
}

func TestStopWaitsForFormsToOpen(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	gate := make(chan struct{})
	s.holdOpening(gate)
	_, err := s.slack.Command(t.Context(), fakeslack.Command{User: s.cast.User, Channel: s.cast.Channel, Command: "/cancel-server"})
	require.NoError(t, err)
	stopped := make(chan error, 1)
	go func() { stopped <- s.dispatcher.Shutdown(context.Background()) }()
	close(gate)
	require.NoError(t, <-stopped)
	assert.Equal(t, 1, s.count("views.open"), "what was acknowledged is done")
}

func TestChoiceIsNewerThanItsFormsOpening(t *testing.T) {
	t.Parallel()
	c := newChoices()
	chosen := displayedView{id: "V1", choice: c.note("V1", "1.2")}
	opened := displayedView{id: "V1", choice: c.opened("V1")} // Slack's answer to views.open comes late
	assert.True(t, c.isLatest(chosen), "the chosen server's card is shown")
	assert.False(t, c.isLatest(opened))
	assert.True(t, c.isLatest(displayedView{id: "V2", choice: c.opened("V2")}))
}

func TestNamedServerIsChosenOnlyIfUnique(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for query, reads := range map[string]string{
		"1234567":                             "Type db-042.stg.example.com to confirm",
		"db-042.stg.example.com":              "Type db-042.stg.example.com to confirm",
		"10.3.4.5":                            "Type db-042.stg.example.com to confirm",
		"web-001":                             "Type web-001.stg.example.com to confirm",
		"web-001.":                            "Type web-001.stg.example.com to confirm",
		"WEB–001\u00a0":                       "Type web-001.stg.example.com to confirm",
		"\u00a0Web\u2011001.stg.example.com.": "Type web-001.stg.example.com to confirm",
		"db-042":                              "2 servers are called db-042. Nearest: db-042.stg.example.com, db-042.prod.example.com.",
		"db-04":                               "No server is called exactly db-04. Nearest: db-042.stg.example.com",
		"10.3.4. 5":                           "No server is called exactly 10.3.4. 5. Choose the server that you mean.",
		"web-001 .stg.example.com":            "No server is called exactly web-001 .stg.example.com. Choose the server that you mean.",
		"nothing.":                            "No server is called exactly nothing. Choose the server that you mean.",
		"nothing-like-it":                     "No server is called exactly nothing-like-it. Choose the server that you mean.",
		"\u200b\u2060":                        "No server is called exactly .",
		"<!channel> & \u202eevil":             "No server is called exactly <!channel> & evil.",
	} {
		s.command(s.cast.User, query)
		view := s.waitFor(s.cast.User, reads)
		_, err := s.slack.CloseView(t.Context(), s.cast.User, view.ID)
		require.NoError(t, err)
	}
}

func TestNameMatchingTooManyServersIsNotUnknown(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for i := range int64(maxNamed) {
		server := slacktest.DBServer()
		server.ID, server.FQDN = 1234600+i, fmt.Sprintf("many-%03d.example.com", i)
		s.rack.set(server)
	}
	s.command(s.cast.User, "many")
	text := slacktest.TextOf(s.waitFor(s.cast.User, "Too many servers match many").View)
	assert.Contains(t, text, "Choose the server that you mean.")
	assert.NotContains(t, text, "No server is called exactly")
}

func TestUnreadableNamedServerLeavesTheForm(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.rack.fail(errors.New("SoftLayer is down"))
	s.command(s.cast.User, "db-042")
	assert.Contains(t, slacktest.TextOf(s.waitFor(s.cast.User, "did not answer").View), "Choose the server here.")
}

func TestTheTypeaheadOffersWhatFits(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for i := range int64(200) {
		server := slacktest.DBServer()
		server.ID = 1234600 + i
		server.FQDN = fmt.Sprintf("many-%03d.%s.example.com", i, strings.Repeat("long", 20))
		s.rack.set(server)
	}
	s.command(s.cast.User, "")
	ask := func(typed string) fakeslack.Suggestions {
		offered, err := s.slack.Options(t.Context(), fakeslack.Lookup{
			User: s.cast.User, View: s.top(s.cast.User).ID, BlockID: words.ServerBlock, ActionID: words.ServerAction, Value: typed,
		})
		require.NoError(t, err)
		require.Empty(t, offered.Error, "Slack takes the options")
		return offered
	}
	many := ask("many-")
	assert.NotEmpty(t, many.Options)
	size := 0
	for _, o := range many.Options {
		size += len(o)
	}
	assert.Less(t, size, receive.MaxReply)

	one := ask("db-042.s")
	require.Len(t, one.Options, 1)
	var offered struct {
		Value             string
		Text, Description struct{ Text string }
	}
	require.NoError(t, json.Unmarshal(one.Options[0], &offered))
	assert.Equal(t, "1234567", offered.Value)
	assert.Equal(t, "db-042.stg.example.com", offered.Text.Text)
	assert.Equal(t, "id 1234567 · fra02 · 10.3.4.5", offered.Description.Text)

	assert.Empty(t, ask("no such").Options)
	s.rack.fail(errors.New("SoftLayer is down"))
	assert.Empty(t, ask("db-042").Options, "an error offers nothing")
	assert.Equal(t, `{"options":[]}`, string(receive.SelectOptions(nil)), "no options are an empty list, never {}")
}

func TestChoiceShowsItsCardAndKeepsTypedText(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.command(s.cast.User, "")
	s.choose(s.cast.User, db)
	view := s.waitFor(s.cast.User, "Type db-042.stg.example.com to confirm")
	text := slacktest.TextOf(view.View)
	for _, part := range []string{
		"fra02 · Ubuntu 22.04 · private 10.3.4.5 · public 169.50.1.2", "tags: staging team-data · ordered 3 Mar 2021",
		"412.50 USD a month. Next bill date Tue 1 Dec 2026.", "The server is due to end on Tue 1 Dec 2026 (US Central) if filed by Sat 28 Nov 2026, 23:59 (US Central), else on Fri 1 Jan 2027.\nThe later date costs one more month: 412.50 USD.",
		"Goes with it: 4 drives (wiped, not recoverable), its primary IP addresses.", "Cancel these too: 2 items, 98.00 USD a month",
	} {
		assert.Contains(t, text, part)
	}
	s.choose(s.cast.User, web)
	assert.NotContains(t, slacktest.TextOf(s.waitFor(s.cast.User, "Type web-001.stg.example.com to confirm").View), "db-042", "nothing of the other server stays")
}

func TestASlowCardNeverReplacesANewerChoice(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	gate := make(chan struct{})
	s.rack.hold(db, gate)
	s.command(s.cast.User, "")
	s.choose(s.cast.User, db)
	s.choose(s.cast.User, web)
	s.waitFor(s.cast.User, "Type web-001.stg.example.com to confirm")
	close(gate)
	require.NoError(t, s.dispatcher.Shutdown(t.Context()), "the slow card came")
	assert.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "Type web-001.stg.example.com to confirm")
	assert.Equal(t, 1, s.count("views.update"))
}

func TestChangedHashKeepsTheNewestChoice(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	gate := make(chan struct{})
	s.rack.hold(db, gate)
	s.command(s.cast.User, "")
	before := s.choose(s.cast.User, db)
	meta := metadata{By: cancellation.Person{ID: s.cast.User}}
	sealed, err := s.app.sealer.seal(t.Context(), meta)
	require.NoError(t, err)
	_, err = s.app.web.UpdateView(t.Context(), before.ID, "", words.LookingUp("meanwhile", sealed)) // another hand changes the view
	require.NoError(t, err)
	close(gate)
	s.waitFor(s.cast.User, "Type db-042.stg.example.com to confirm")
}

func TestUnreadableCardIsReportedInItsPlace(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.command(s.cast.User, "")
	s.rack.fail(errors.New("SoftLayer is down"))
	s.choose(s.cast.User, db)
	s.waitFor(s.cast.User, "⚠ SoftLayer did not answer about this server. Choose the server again, or choose another.")
	s.rack.fail(nil)
	s.choose(s.cast.User, 99)
	s.waitFor(s.cast.User, "⚠ SoftLayer has no such server, or this key may not see it.")
}

func TestBlockedServerShowsWhyInTheCard(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	server := slacktest.DBServer()
	server.OpenTicket = &cancellation.TicketID{ID: 153572280}
	s.rack.set(server)
	s.command(s.cast.User, "1234567")
	view := s.waitFor(s.cast.User, "⛔ Cannot be cancelled here: ticket 153572280 is already open.")
	assert.NotContains(t, slacktest.TextOf(view.View), "to confirm")
	assert.Contains(t, string(view.View), `"url":"https://cloud.ibm.com/unifiedsupport/cases"`)
	values := filled(db, "")
	delete(values, words.BlockOf(words.ConfirmBlock, db))
	answer := s.submit(s.cast.User, values)
	assert.Contains(t, fmt.Sprint(answer["errors"]), "server:Cannot be cancelled here: ticket 153572280 is already open")
	_, standing := s.live(db)
	assert.False(t, standing, "nothing is recorded")
}

func TestForgottenChoicesStayBounded(t *testing.T) {
	t.Parallel()
	c := newChoices()
	for i := range maxChoices * 3 {
		c.note(fmt.Sprint("V", i), "")
	}
	assert.Len(t, c.latest, maxChoices)
	assert.Len(t, c.order, maxChoices)
}
