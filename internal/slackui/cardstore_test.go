package slackui

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

// bigServer is a server whose card fits no private_metadata.
func bigServer() cancellation.Server {
	server, random := slacktest.DBServer(), rand.New(rand.NewPCG(5, 6))
	for range 1000 {
		server.Tags = append(server.Tags, fmt.Sprintf("%x", random.Uint64()))
	}
	return server
}

// fullCardStore keeps nothing.
type fullCardStore struct{ CardStore }

func (fullCardStore) KeepCard(context.Context, string, []byte) error {
	return errors.New("the cards is full")
}

func TestCardTooLongForModalsIsRecordedWhole(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.rack.set(bigServer())
	s.opened(s.cast.User, db, dbName)
	s.submit(s.cast.User, filled(db, dbName))
	r, standing := s.live(db)
	require.True(t, standing)
	assert.Equal(t, bigServer(), r.Submission.Card.Server)
}

func TestCardThatCannotBeStoredIsNotShown(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.rack.set(bigServer())
	s.app.sealer.cards = fullCardStore{}
	s.command(s.cast.User, "")
	s.choose(s.cast.User, db)
	view := s.waitFor(s.cast.User, "⚠ The server's card could not be saved. Choose the server again.")
	assert.NotContains(t, slacktest.TextOf(view.View), "to confirm")
	values := filled(db, dbName)
	delete(values, words.BlockOf(words.ConfirmBlock, db))
	assert.Contains(t, fmt.Sprint(s.submit(s.cast.User, values)["errors"]), "Nothing was filed. The server's card could not be saved.")
	_, standing := s.live(db)
	assert.False(t, standing)
}

func TestWhatBelongsToSomebodyElseIsNotAnswered(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.opened(s.cast.User, db, dbName)
	i := s.interaction(nil)
	i.User, i.Action = s.cast.Outsider, receive.Action{BlockID: words.ServerBlock, ActionID: words.ServerAction, Value: "db-042", Selected: "1234568"}
	i.Kind = receive.BlockSuggestion
	offered, _ := s.app.Interaction(t.Context(), i)
	assert.Equal(t, `{"options":[]}`, string(offered))
	i.Kind = receive.BlockActions
	reads := s.rack.reads
	_, after := s.app.Interaction(t.Context(), i)
	after(t.Context())
	assert.Equal(t, reads, s.rack.reads, "no server is read for them")
}

func TestClosedViewIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	gate := make(chan struct{})
	s.rack.hold(db, gate)
	log, text := slacktest.LogInto()
	s.app.log = log
	s.command(s.cast.User, "")
	view := s.choose(s.cast.User, db)
	_, err := s.slack.CloseView(t.Context(), s.cast.User, view.ID)
	require.NoError(t, err)
	close(gate)
	require.NoError(t, s.dispatcher.Shutdown(t.Context()))
	assert.Equal(t, 1, s.count("views.update"))
	assert.Empty(t, text.String(), "closing a form is nothing to worry about")
}

// again delivers a choice as Slack does when it saw no acknowledgement: later, and as
// the view was then.
func (s *stage) again(view fakeslack.View, server, ts string) {
	s.t.Helper()
	i := receive.Interaction{
		Kind: receive.BlockActions, Team: s.slack.TeamID(), User: s.cast.User, View: viewOf(s.t, view.View),
		Action: receive.Action{BlockID: words.ServerBlock, ActionID: words.ServerAction, Selected: server, TS: ts},
	}
	i.View.Hash = view.Hash
	if _, after := s.app.Interaction(s.t.Context(), i); after != nil {
		after(s.t.Context())
	}
}

func TestLateChoiceReplacesNothingNewer(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.command(s.cast.User, "")
	form := s.top(s.cast.User)
	s.again(form, "1234567", "1763812800.000200")
	require.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "Type "+dbName+" to confirm")
	s.again(form, "1234568", "1763812800.000100")
	require.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "Type "+dbName+" to confirm", "chosen before, delivered after")

	s.submit(s.cast.User, filled(db, dbName))
	require.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "Recorded")
	s.again(form, "1234567", "1763812800.000200")
	assert.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "Recorded", "the answer stays")
}

func TestAChoiceThatIsNoServerChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.command(s.cast.User, "")
	_, err := s.slack.Act(t.Context(), fakeslack.Action{
		User: s.cast.User, View: s.top(s.cast.User).ID, BlockID: words.ServerBlock, ActionID: words.ServerAction,
		SelectedOption: map[string]any{"value": "../../etc"},
	})
	require.NoError(t, err)
	require.NoError(t, s.dispatcher.Shutdown(t.Context()))
	assert.Zero(t, s.count("views.update"))
	assert.Zero(t, s.rack.reads)
}
