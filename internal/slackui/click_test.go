package slackui

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

// waiting is a request that waits for approval, and its message in the channel.
func (s *stage) waiting() (cancellation.Request, cancellation.Posted) {
	s.t.Helper()
	s.opened(s.cast.User, db, dbName)
	s.submit(s.cast.User, filled(db, dbName))
	r, standing := s.live(db)
	require.True(s.t, standing)
	at, delivery, _ := s.announcer().Post(s.t.Context(), cancellation.Place{Channel: s.cast.Channel}, cancellation.Result, r)
	require.Equal(s.t, cancellation.Delivered, delivery)
	return r, at
}

func TestAddressesAreHiddenUntilGroupsAreKnown(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(s *stage) { s.policy(s.cast.ApproveGroup) })
	r, at := s.waiting()
	cold := NewDirectory(DirectoryOptions{Web: s.app.web, HomeTeam: s.slack.TeamID(), Log: slacktest.Silent()})
	t.Cleanup(cold.Close)
	s.app.directory = cold // as a minute after anybody did anything

	s.press(s.cast.Outsider, at, words.ButtonsBlock, words.DetailsAction, r.ID)
	s.whispered(s.cast.Outsider, s.cast.Channel, "You may not do this")
	open, err := s.slack.Views(s.cast.Outsider)
	require.NoError(t, err)
	assert.Empty(t, open)

	s.press(s.cast.Approver, at, words.ButtonsBlock, words.DetailsAction, r.ID)
	s.waitFor(s.cast.Approver, slacktest.DBServer().PrivateIP)
}

func TestLeaveFormIsAboutItsStuckState(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(s *stage) { s.policy(s.cast.ApproveGroup) })
	r, _ := s.waiting()
	move := func(to cancellation.State, by cancellation.Cause) {
		next, err := r.Move(to, by, cancellation.Reason{})
		require.NoError(t, err)
		s.advance(time.Minute)
		r, err = s.desk.Requests.Apply(t.Context(), cancellation.Change{From: r, To: next, Event: cancellation.Event{Kind: cancellation.EventMoved, Actor: "a test"}})
		require.NoError(t, err)
	}
	move(cancellation.Stuck, cancellation.ByWorker)
	at, delivery, _ := s.announcer().Post(t.Context(), cancellation.Place{Channel: s.cast.Channel}, cancellation.Result, r)
	require.Equal(t, cancellation.Delivered, delivery)
	s.press(s.cast.Approver, at, words.ButtonsBlock, words.LeaveAction, r.ID)
	s.waitFor(s.cast.Approver, "How do you know that there is no ticket?")
	move(cancellation.Scheduled, cancellation.ByPerson) // somebody else sends it again
	move(cancellation.Filing, cancellation.ByWorker)
	move(cancellation.Stuck, cancellation.ByWorker)

	answer := s.submit(s.cast.Approver, fakeslack.Values{words.WhyBlock: {words.WhyAction: {"value": "looked, there is none"}}})
	said, err := json.Marshal(answer)
	require.NoError(t, err)
	assert.Contains(t, slacktest.TextOf(said), "the request was sent once more")
	now, err := s.desk.Request(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, cancellation.Stuck, now.State, "they looked before the second ticket can have been made")
}
