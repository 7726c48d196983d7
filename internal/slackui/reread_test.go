package slackui

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

// countBlock is the block of the confirmation that a review shows.
func countBlock(view fakeslack.View) string {
	return regexp.MustCompile(words.CountBlock + `[^"]*`).FindString(string(view.View))
}

// sendsReview sends a review in which only these servers are ticked.
func (s *stage) sendsReview(view fakeslack.View, typed string, servers ...int64) map[string]any {
	s.t.Helper()
	ticked := []any{}
	for _, id := range servers {
		ticked = append(ticked, map[string]any{"value": strconv.FormatInt(id, 10)})
	}
	return s.submit(s.cast.User, fakeslack.Values{
		words.RowsBlock + "0": {words.RowsAction: {"selected_options": ticked}},
		countBlock(view):      {words.CountAction: {"value": typed}},
	})
}

func TestChangedOldReviewIsReadAgain(t *testing.T) {
	t.Parallel()
	s, review, gate := oldReview(t)
	answer := s.sendsReview(review, "2 servers", web)
	assert.Equal(t, "update", answer["response_action"])
	assert.Contains(t, fmt.Sprint(answer), "Looking up the servers", "rows whose card is old are left out in silence")
	close(gate)
	shown := s.waitFor(s.cast.User, words.ReadAgain)
	assert.Contains(t, string(shown.View), "Review: 1 of 2", "and what was unticked stays so")
}

func TestOldReviewSentDuringItsReadingIsShown(t *testing.T) {
	t.Parallel()
	s, review, gate := oldReview(t)
	tick := s.ticks(review, 1, web)
	s.acts(tick)
	sent := receive.Interaction{Kind: receive.ViewSubmission, Team: tick.Team, User: tick.User, View: tick.View}
	sent.View.Values[countBlock(review)] = map[string]receive.Value{words.CountAction: {Text: "1 server"}}
	s.acts(sent)
	close(gate)
	assert.Contains(t, string(s.waitFor(s.cast.User, words.ReadAgain).View), "Review: 1 of 2")
}

func TestPassingErrorKeepsASentReview(t *testing.T) {
	t.Parallel()
	s, review := reviewed(t)
	kept, clock := s.app.sealer.cards, s.desk.Clock
	says := map[string]any{countBlock(review): s.app.words.NotWritten()}
	s.app.sealer.cards = awayCardStore{kept}
	assert.Equal(t, says, s.sendsReview(review, "2 servers", db, web)["errors"], "a passing error says that the form is broken")
	s.app.sealer.cards, s.desk.Clock = kept, awayClock{}
	assert.Equal(t, says, s.sendsReview(review, "1 server", web)["errors"], "a passing error says that the changed form is broken")
	s.desk.Clock = clock
	s.sendsReview(review, "2 servers", db, web)
	_, standing := s.live(db)
	assert.True(t, standing)
}

// awayClock tells no time.
type awayClock struct{}

func (awayClock) Now(context.Context) (time.Time, error) {
	return time.Time{}, errors.New("the database is away")
}

func TestSentListThatIsForgottenSaysSo(t *testing.T) {
	t.Parallel()
	s, review := reviewed(t)
	s.app.sealer.cards = emptyCardStore{s.app.sealer.cards}
	answer := s.sendsReview(review, "2 servers", db, web)
	assert.Equal(t, "update", answer["response_action"])
	assert.Contains(t, fmt.Sprint(answer), words.ListForgotten)
}

func TestUntickedServerStaysUntickedAfterErrors(t *testing.T) {
	t.Parallel()
	s, review, gate := oldReview(t)
	s.acts(s.ticks(review, 1, web))
	kept := s.app.sealer.cards
	s.app.sealer.cards = fullCardStore{kept}
	close(gate)
	shown := s.waitFor(s.cast.User, words.ListFailed)
	assert.Contains(t, string(shown.View), words.ReadOnAction)

	s.app.sealer.cards = kept
	s.readsOn()
	s.waitFor(s.cast.User, "Review: 1 of 2")
}

func TestForgottenListTicksNothingThatWasUnticked(t *testing.T) {
	t.Parallel()
	s, review, gate := oldReview(t)
	s.acts(s.ticks(review, 1, web))
	s.app.sealer.cards = emptyCardStore{s.app.sealer.cards}
	close(gate)
	s.waitFor(s.cast.User, "Review: 1 of 2")
}

func TestPressThatFailsIsAnswered(t *testing.T) {
	t.Parallel()
	for _, action := range []string{words.RowsAction, words.EditAction, words.GroupAction} {
		s, review := reviewed(t)
		press := s.ticks(review, 1, web)
		press.Action.ActionID = action
		kept := s.app.sealer.cards
		s.app.sealer.cards = awayCardStore{kept}
		s.acts(press)
		require.Contains(t, string(s.top(s.cast.User).View), words.ListFailed, "%s does nothing, and nothing is said", action)
		s.app.sealer.cards = kept
		s.readsOn()
		assert.Contains(t, string(s.waitFor(s.cast.User, "Review: 1 of 2").View), words.CountBlock, action)
	}
}

func TestPressThatCannotBeShownIsAnswered(t *testing.T) {
	t.Parallel()
	s, review := reviewed(t)
	press, clock := s.ticks(review, 1, web), s.desk.Clock
	s.desk.Clock = awayClock{}
	s.acts(press)
	require.Contains(t, string(s.top(s.cast.User).View), words.ListFailed)
	s.desk.Clock = clock
	s.readsOn()
	s.waitFor(s.cast.User, "Review: 1 of 2")
}

func TestFailedPressDuringAReadingIsAnswered(t *testing.T) {
	t.Parallel()
	s, review, gate := oldReview(t)
	s.acts(s.ticks(review, 1, db))
	kept := s.app.sealer.cards
	s.app.sealer.cards = awayCardStore{kept}
	s.acts(s.ticks(review, 2, web))
	require.Contains(t, string(s.top(s.cast.User).View), words.ListFailed, "the view stays at what nobody reads any more")
	s.freed("a list is read that no view shows")
	s.app.sealer.cards = kept
	close(gate)
	s.readsOn()
	s.waitFor(s.cast.User, "Review: 1 of 2")
}

func TestPressInAForgottenListSaysSo(t *testing.T) {
	t.Parallel()
	s, review := reviewed(t)
	press := s.ticks(review, 1, web)
	s.app.sealer.cards = emptyCardStore{s.app.sealer.cards}
	s.acts(press)
	assert.Contains(t, string(s.top(s.cast.User).View), words.ListForgotten)
}

func TestLatePressInAnEditedListReadsNothing(t *testing.T) {
	t.Parallel()
	s, review, _ := oldReview(t)
	_, late := s.app.Interaction(t.Context(), s.ticks(review, 1, db))
	edit := s.ticks(review, 2, db)
	edit.Action.ActionID = words.EditAction
	s.acts(edit)
	s.waitFor(s.cast.User, "Several servers")
	late(t.Context())
	_, is := s.app.lists.under.of(review.ID)
	assert.False(t, is, "a list that is edited is read")
}

func TestReadingLeavesWhatAnotherProcessShows(t *testing.T) {
	t.Parallel()
	s, review, gate := oldReview(t)
	s.acts(s.ticks(review, 1, db, web))
	_, err := s.app.web.UpdateView(t.Context(), review.ID, "", words.ListStands("Another process shows this.", "sealed"))
	require.NoError(t, err)
	close(gate)
	s.freed("the reading does not end")
	assert.Contains(t, string(s.top(s.cast.User).View), "Another process shows this.", "a list is shown over a newer one")
}

func TestLostAnswerLeavesNoListUnshown(t *testing.T) {
	t.Parallel()
	s, review, gate := oldReview(t)
	s.acts(s.ticks(review, 1, web))
	require.NoError(t, s.slack.Fault("views.update", fakeslack.FaultDropAfter, 1))
	before := s.count("views.update")
	s.readsOn()
	s.until(func() bool { return s.count("views.update") > before }, "the press is answered")
	s.waitFor(s.cast.User, "The list is still being read")
	close(gate)
	s.waitFor(s.cast.User, "Review: 1 of 2")
}

// A list of which nothing has to be read is done before Slack has the answer to its submission.
func TestReviewWaitsForTheSubmissionsAnswer(t *testing.T) {
	t.Parallel()
	s := newStage(t, withLists)
	s.command(s.cast.User, dbName+" "+webName)
	view := s.top(s.cast.User)
	begun := time.Now()
	at := displayedView{id: view.ID, choice: s.app.choices.note(view.ID, "")}
	r := s.app.lists.under.begin(at, metadata{}, asked{})
	require.NotNil(t, r)
	r.answered()
	assert.GreaterOrEqual(t, time.Since(begun), answerTime, "a review is shown before Slack has the answer, which takes its place")
	pressed := s.app.lists.under.begin(displayedView{id: view.ID, hash: "h", choice: s.app.choices.note(view.ID, "")}, metadata{}, asked{Names: [2]string{"x"}})
	require.NotNil(t, pressed)
	begun = time.Now()
	pressed.answered()
	assert.Less(t, time.Since(begun), answerTime, "a press has changed no view")
}
