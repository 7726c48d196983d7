package slackui

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/serverlist"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

// withLists lets people ask for several servers.
func withLists(s *stage) {
	s.app.batches = cancellation.NewBatchDesk(s.desk, s.store)
	lists := &s.app.lists
	lists.Most = 50
	lists.All = func() iter.Seq[serverlist.Server] { return slices.Values([]serverlist.Server(nil)) }
	lists.Tagged = func() bool { return true }
	lists.Closing = func() map[string]bool { return nil }
	lists.Held = func(context.Context) (map[int64]bool, error) { return nil, nil }
	s.t.Cleanup(s.app.Close)
}

// sendsList sends a list of two servers to be reviewed, and returns when it is being read. It is read once the gate is closed.
func (s *stage) sendsList() (gate chan struct{}) {
	s.t.Helper()
	s.command(s.cast.User, dbName+" "+webName)
	gate = s.held()
	values := filled(db, dbName)
	body := s.submit(s.cast.User, fakeslack.Values{words.ReasonBlock: values[words.ReasonBlock], words.ContentBlock: values[words.ContentBlock]})
	require.Equal(s.t, "update", body["response_action"], body)
	select {
	case <-s.rack.waiting:
	case <-time.After(20 * time.Second):
		require.Fail(s.t, "nothing is read for a list that was sent")
	}
	return gate
}

// reviewed is a stage on which somebody looks at the review of a list of two servers.
func reviewed(t *testing.T) (s *stage, review fakeslack.View) {
	t.Helper()
	s = newStage(t, withLists)
	close(s.sendsList())
	review = s.waitFor(s.cast.User, "Review: 2 of 2")
	s.freed("the reading does not end") // Slack shows the review before the bot hears of it
	return s, review
}

// oldReview is one whose servers are read again at the next press, once the gate is closed.
func oldReview(t *testing.T) (s *stage, review fakeslack.View, gate chan struct{}) {
	t.Helper()
	s, review = reviewed(t)
	s.advance(16 * time.Minute)
	return s, review, s.held()
}

// held keeps servers from being read until it is closed.
func (s *stage) held() chan struct{} {
	gate := make(chan struct{})
	s.rack.hold(db, gate)
	s.rack.hold(web, gate)
	return gate
}

// ticks is a press in a review after which only these servers are ticked.
func (s *stage) ticks(view fakeslack.View, press int, servers ...int64) receive.Interaction {
	s.t.Helper()
	i := receive.Interaction{
		Kind: receive.BlockActions, Team: s.slack.TeamID(), User: s.cast.User, View: viewOf(s.t, view.View),
		Action: receive.Action{BlockID: words.RowsBlock + "0", ActionID: words.RowsAction, TS: fmt.Sprintf("1763812800.%06d", press)},
	}
	var checked []string
	for _, id := range servers {
		checked = append(checked, strconv.FormatInt(id, 10))
	}
	i.View.Hash, i.View.Values[i.Action.BlockID] = view.Hash, map[string]receive.Value{words.RowsAction: {Checked: checked}}
	return i
}

// acts delivers an interaction to the bot, and waits for what follows its acknowledgement.
func (s *stage) acts(i receive.Interaction) {
	if _, after := s.app.Interaction(s.t.Context(), i); after != nil {
		after(s.t.Context())
	}
}

func (s *stage) readsOn() {
	s.t.Helper()
	ack, err := s.slack.Act(s.t.Context(), fakeslack.Action{User: s.cast.User, View: s.top(s.cast.User).ID, BlockID: "read-on", ActionID: words.ReadOnAction})
	require.NoError(s.t, err)
	require.Empty(s.t, ack.Error)
}

func TestOldReviewIsReadByOneReading(t *testing.T) {
	t.Parallel()
	s, review, gate := oldReview(t)
	for press := range 12 {
		s.acts(s.ticks(review, press, db, web))
		assert.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "Nothing has been asked yet.", "the review stays on screen while it is read again")
	}
	s.acts(s.ticks(review, 12, web))
	assert.Len(t, s.app.lists.owner.places, 1, "one person takes the places of others")
	close(gate)
	s.waitFor(s.cast.User, "Review: 1 of 2")
	assert.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), words.ReadAgain)
}

func TestClosedReviewIsReadNoLonger(t *testing.T) {
	t.Parallel()
	s := newStage(t, withLists)
	s.sendsList()
	_, err := s.slack.CloseView(t.Context(), s.cast.User, s.top(s.cast.User).ID)
	require.NoError(t, err)
	s.freed("a list that was closed is still being read")
}

func TestEditedListIsReadNoLonger(t *testing.T) {
	t.Parallel()
	s, review, _ := oldReview(t)
	s.acts(s.ticks(review, 1, db))
	edit := s.ticks(review, 2, db)
	edit.Action.ActionID = words.EditAction
	s.acts(edit)
	s.waitFor(s.cast.User, "Several servers")
	s.freed("a list that is edited is still being read")
}

// freed waits until nothing is read for a list.
func (s *stage) freed(broken string) {
	s.t.Helper()
	patience := time.After(20 * time.Second)
	for n := range mostLists { // each place can be had
		select {
		case s.app.lists.owner.places <- struct{}{}:
		case <-patience:
			require.Fail(s.t, broken, "%d of %d places are free", n, mostLists)
		}
	}
	for range mostLists {
		<-s.app.lists.owner.places
	}
}

func TestReadingEndsWhenItsViewIsGone(t *testing.T) {
	t.Parallel()
	s := newStage(t, withLists)
	s.command(s.cast.User, "")
	view := s.top(s.cast.User)
	_, err := s.slack.CloseView(t.Context(), s.cast.User, view.ID)
	require.NoError(t, err)
	at := displayedView{id: view.ID, choice: s.app.choices.note(view.ID, "")}
	r := s.app.lists.under.begin(at, metadata{}, asked{})
	assert.True(t, s.app.showRead(t.Context(), r, 1, 2))
	require.Error(t, r.over.Err(), "a list is read that nobody sees")
	_, is := s.app.lists.under.of(view.ID)
	assert.False(t, is)
}

func TestNewerListEndsReadingOfOlder(t *testing.T) {
	t.Parallel()
	under := newUnderWay(newChoices())
	first, second := asked{Names: [2]string{"db-1"}}, asked{Names: [2]string{"db-2"}}
	old := under.begin(displayedView{id: "V1", hash: "h", choice: 1}, metadata{}, first)
	assert.Nil(t, under.begin(displayedView{id: "V1", hash: "h", choice: 2}, metadata{}, first), "it is read already")
	require.NoError(t, old.over.Err())
	newer := under.begin(displayedView{id: "V1", hash: "h", choice: 3}, metadata{}, second)
	require.Error(t, old.over.Err(), "nobody waits for it")
	assert.Nil(t, under.begin(displayedView{id: "V1", hash: "h", choice: 2}, metadata{}, first), "it was pressed before")
	under.leave(old)
	require.NoError(t, newer.over.Err())
	under.closed(newer)
	require.NotNil(t, under.begin(displayedView{id: "V1", hash: "h", choice: 4}, metadata{}, second), "a reading that ends shows nothing newer")
}

func TestPressWhileReadingShowsIt(t *testing.T) {
	t.Parallel()
	s := newStage(t, withLists)
	gate := s.sendsList()
	s.readsOn()
	s.waitFor(s.cast.User, "The list is still being read")
	assert.Len(t, s.app.lists.owner.places, 1)
	close(gate)
	s.waitFor(s.cast.User, "Review: 2 of 2")
}

// awayCardStore answers nothing.
type awayCardStore struct{ CardStore }

func (awayCardStore) Card(context.Context, string) ([]byte, error) {
	return nil, errors.New("the database is away")
}

// emptyCardStore has kept nothing.
type emptyCardStore struct{ CardStore }

func (emptyCardStore) Card(context.Context, string) ([]byte, error) {
	return nil, cancellation.ErrNoCard
}

// unread is a list that could not be read, and the store of its cards.
func (s *stage) unread() (kept CardStore) {
	s.t.Helper()
	gate := s.sendsList()
	kept = s.app.sealer.cards
	s.app.sealer.cards = fullCardStore{kept}
	close(gate)
	s.waitFor(s.cast.User, words.ListFailed)
	return kept
}

func TestPassingErrorEndsNoReview(t *testing.T) {
	t.Parallel()
	s := newStage(t, withLists)
	kept := s.unread()
	s.app.sealer.cards = awayCardStore{kept}
	before := s.count("views.update")
	s.readsOn()
	s.until(func() bool { return s.count("views.update") > before }, "the press is answered")
	assert.Contains(t, string(s.waitFor(s.cast.User, words.ListFailed).View), words.ReadOnAction, "a passing error leaves no way to go on")

	s.app.sealer.cards = kept
	s.readsOn()
	s.waitFor(s.cast.User, "Review: 2 of 2")
}

func TestListThatIsForgottenSaysSo(t *testing.T) {
	t.Parallel()
	s := newStage(t, withLists)
	s.app.sealer.cards = emptyCardStore{s.unread()}
	s.readsOn()
	s.waitFor(s.cast.User, words.ListForgotten)
}

func TestClosedListOutlivesAPassingError(t *testing.T) {
	t.Parallel()
	s, review := reviewed(t)
	kept := s.app.sealer.cards
	for what, says := range map[CardStore]string{
		awayCardStore{kept}:  "The list could not be read. Press Continue again in a minute.",
		emptyCardStore{kept}: "This list is not kept any more.",
	} {
		s.app.sealer.cards = what
		before := s.count("chat.postMessage")
		i := receive.Interaction{
			Kind: receive.BlockActions, Team: s.slack.TeamID(), User: s.cast.User,
			Action: receive.Action{ActionID: words.ContinueAction, Value: viewOf(t, review.View).PrivateMetadata},
		}
		after, is := s.app.clickBatch(t.Context(), i)
		require.True(t, is)
		after(t.Context())
		require.Equal(t, before+1, s.count("chat.postMessage"))
		s.mu.Lock()
		said := s.calls[len(s.calls)-1]
		s.mu.Unlock()
		assert.Contains(t, string(said.Request), says)
	}
}
