package slackui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/overview"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
	"cancel-server/internal/store"
)

// failing is a database in which no text for a ticket can be looked up.
type failing struct {
	correspondence.Ledger
	cancellation.Requests
	err error
}

func (failing) Installation() string { return "one" }

func (f failing) UpdateByID(context.Context, string) (correspondence.Update, error) {
	return correspondence.Update{}, f.err
}

func (f failing) Batch(context.Context, string) (cancellation.Batch, []cancellation.Request, error) {
	return cancellation.Batch{}, nil, f.err
}

// sentLetter is a form for tickets that somebody sends.
func sentLetter(callback, metadata string) receive.Interaction {
	return receive.Interaction{Kind: receive.ViewSubmission, Team: "T1", User: "U7", View: &receive.View{
		ID: "V1", CallbackID: callback, PrivateMetadata: metadata, Values: map[string]map[string]receive.Value{
			words.TicketTextBlock:   {words.TicketTextAction: {Text: "Contract 7."}},
			words.FirstRepliesBlock: {words.RepliesAction: {Checked: []string{"r1"}}},
		},
	}}
}

// fieldErrors is what an answer to a form says at its fields; nil if the form does not stay.
func fieldErrors(t *testing.T, reply receive.Reply) map[string]string {
	t.Helper()
	var body struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
	}
	require.NoError(t, json.Unmarshal(reply, &body))
	assert.Equal(t, body.Action == "errors", len(body.Errors) > 0)
	return body.Errors
}

func TestFailedTryKeepsTheTypedText(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		errors.New("disk"):           "This try was not recorded: the bot could not do this now. Send again from this form: it is sent once at most.",
		cancellation.ErrPeopleUnread: "This try was not recorded. Slack did not say in time who you are. Try again.",
		cancellation.ErrUnclear:      "We cannot tell whether this was recorded. Send it again from this form: it is sent once at most.",
	} {
		f := failing{err: fmt.Errorf("reading: %w", err)}
		a := &App{
			letters: &correspondence.Desk{Requests: &cancellation.Desk{Requests: f}, Ledger: f, Log: slacktest.Silent()},
			words:   testWords(), choices: newChoices(), log: slacktest.Silent(),
		}
		for callback, metadata := range map[string]string{
			words.ReplyCallback: "r1@0@0", words.ProposeCallback: "r1@0@0", words.StopCallback: "r1@0@0", words.BatchReplyCallback: "b1@0:2:0:0",
		} {
			reply := a.submitted(t.Context(), sentLetter(callback, metadata), false)
			assert.Contains(t, fieldErrors(t, reply)[words.TicketTextBlock], want, callback)
		}
	}
}

// doubtful is a store that records the first text, and cannot tell.
type doubtful struct {
	*store.Store
	told bool
}

func (d *doubtful) RecordUpdate(ctx context.Context, rec correspondence.Record) (correspondence.Receipt, error) {
	receipt, err := d.Store.RecordUpdate(ctx, rec)
	if err == nil && !d.told {
		d.told, err = true, fmt.Errorf("committing: %w", cancellation.ErrUnclear)
	}
	return receipt, err
}

// openTickets are tickets in which nobody wrote.
type openTickets struct{ correspondence.Books }

func (openTickets) Lives(_ context.Context, tickets []int64) (map[int64]cancellation.TicketLife, error) {
	all := map[int64]cancellation.TicketLife{}
	for _, id := range tickets {
		all[id] = cancellation.TicketLife{ID: id, Open: true}
	}
	return all, nil
}

func (openTickets) Entries(context.Context, int64) ([]cancellation.TicketEntry, error) {
	return []cancellation.TicketEntry{{}}, nil
}

func TestTextResentInDoubtIsRecordedOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.User, db, dbName)
	s.submit(s.cast.User, filled(db, dbName))
	r, found := s.live(db)
	require.True(t, found)
	for _, to := range []cancellation.State{cancellation.Filing, cancellation.Filed} {
		next, err := r.Move(to, cancellation.ByWorker, cancellation.Reason{})
		require.NoError(t, err)
		next.Ticket = cancellation.TicketID{ID: 700}
		r, err = s.store.Apply(t.Context(), cancellation.Change{From: r, To: next, Event: cancellation.Event{Kind: cancellation.EventMoved}, Tell: cancellation.AtOnce})
		require.NoError(t, err)
	}
	s.app.letters = &correspondence.Desk{
		Requests: s.desk, Ledger: &doubtful{Store: s.store}, Books: openTickets{},
		MayWrite: func() bool { return true }, Wake: func() {}, Log: slacktest.Silent(),
	}
	form := sentLetter(words.ReplyCallback, r.ID+"@0@0")
	form.Team, form.User = s.slack.TeamID(), s.cast.User

	assert.Contains(t, fieldErrors(t, s.app.submitted(t.Context(), form, false))[words.TicketTextBlock], "We cannot tell whether this was recorded.")
	first, err := s.store.StandingReply(t.Context(), r.ID)
	require.NoError(t, err)
	again := s.app.submitted(t.Context(), form, false)
	assert.Empty(t, fieldErrors(t, again))
	assert.Contains(t, slacktest.TextOf(again), "Your reply is recorded and on its way.")
	last, err := s.store.StandingReply(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, first, last, "there is no second text")
}

func TestReplyFormIsShownWhenSlackHesitates(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.command(s.cast.User, "")
	require.NoError(t, s.dispatcher.Shutdown(t.Context()), "no other view is on its way")
	view := s.top(s.cast.User)
	s.app.letters, s.app.choices = &correspondence.Desk{Books: openTickets{}, Log: slacktest.Silent()}, newChoices()
	r := slacktest.Request(cancellation.Filed)
	may := correspondence.BatchProspect{Batch: cancellation.Batch{ID: "b1"}, Rows: []correspondence.Prospect{{Request: r, Leave: correspondence.Send}}}
	require.NoError(t, s.slack.Fault("views.update", "ratelimited", 1))
	s.app.showTickets(t.Context(), displayedView{id: view.ID, hash: view.Hash}, may, false)
	assert.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "SoftLayer waits for your answer about 1 server.")
	assert.Equal(t, 2, s.count("views.update"))
}

// counting counts how often each batch is read.
type counting struct {
	cancellation.Requests
	reads map[string]int
}

func (c counting) Batch(_ context.Context, id string) (cancellation.Batch, []cancellation.Request, error) {
	c.reads[id]++
	return cancellation.Batch{ID: id}, nil, nil
}

// noneWaits is a ledger in which no request waits.
type noneWaits struct{ correspondence.Ledger }

func (noneWaits) WaitingOf(context.Context, string) (map[string]bool, error) { return nil, nil }

func TestStatusCountsEachListOnce(t *testing.T) {
	t.Parallel()
	c := counting{reads: map[string]int{}}
	a := &App{letters: &correspondence.Desk{
		Requests: &cancellation.Desk{Requests: c}, Ledger: noneWaits{}, MayWrite: func() bool { return true },
	}, log: slacktest.Silent()}
	var list overview.List
	for _, batch := range []string{"b1", "b1", "", "b2", "b1", "b2"} {
		r := slacktest.Request(cancellation.Filed)
		r.Batch = batch
		list.Rows = append(list.Rows, overview.Row{Request: r, Sight: overview.Whole, Waits: time.Now()})
	}
	list.Rows = append(list.Rows, overview.Row{Request: cancellation.Request{Batch: "b3"}, Sight: overview.Whole})
	a.together(t.Context(), ana, list)
	assert.Equal(t, map[string]int{"b1": 1, "b2": 1}, c.reads, "and none that waits for nothing")
}
