package slackui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

// neighborhood is what stands next to servers. A read waits for the gate.
type neighborhood struct {
	gate chan struct{}
	err  error

	mu     sync.Mutex
	reads  int
	facts  billed.Facts
	begun  chan struct{} // closed at the first read
	opened sync.Once
}

func beside(s *stage, next billed.Facts) *neighborhood {
	next.Billing = true
	n := &neighborhood{gate: make(chan struct{}), begun: make(chan struct{})}
	n.facts = next
	s.app.beside = n
	return n
}

func (n *neighborhood) Beside(ctx context.Context, server int64, wait func(context.Context) error) (billed.Facts, error) {
	n.mu.Lock()
	n.reads++
	facts := n.facts
	n.mu.Unlock()
	n.opened.Do(func() { close(n.begun) })
	select {
	case <-n.gate:
	case <-ctx.Done():
	}
	facts.Server = server
	return facts, n.err
}

func (n *neighborhood) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.reads
}

const beingRead = "What stays billed is still being read."

func volumeOf(server int64) billed.Facts {
	return billed.Facts{Volumes: []billed.VolumeFacts{{
		Charge: billed.Charge{ID: 9, Name: "SL02SEL1-5", Fee: "98.00"}, Servers: []int64{server}, Known: true,
	}}}
}

func TestWhatStaysIsAddedToTheShownCard(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	n := beside(s, volumeOf(db))
	s.opened(s.cast.User, db, dbName)
	<-n.begun
	shown := s.top(s.cast.User)
	assert.Contains(t, slacktest.TextOf(shown.View), beingRead, "the card does not wait")
	before := s.count("views.update")
	close(n.gate)
	added := s.waitFor(s.cast.User, "volume SL02SEL1-5, 98.00 USD a month")
	assert.NotContains(t, slacktest.TextOf(added.View), beingRead)
	assert.Equal(t, before+1, s.count("views.update"))

	s.submit(s.cast.User, filled(db, dbName))
	r, found := s.live(db)
	require.True(t, found)
	require.NotNil(t, r.Submission.Card.Stays, "it is kept with the request")
	assert.Equal(t, "98.00", r.Submission.Card.Stays.Items[0].Fee)
}

func TestASubmissionDoesNotWaitForWhatStays(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	n := beside(s, volumeOf(db))
	s.opened(s.cast.User, db, dbName)
	<-n.begun
	s.submit(s.cast.User, filled(db, dbName))
	r, found := s.live(db)
	require.True(t, found)
	assert.Nil(t, r.Submission.Card.Stays)
	before := s.count("views.update")
	answer := slacktest.TextOf(s.top(s.cast.User).View)
	close(n.gate)
	require.NoError(t, s.dispatcher.Shutdown(t.Context()), "the read has ended")
	assert.Equal(t, before, s.count("views.update"), "what was read later replaces no answer")
	assert.Equal(t, answer, slacktest.TextOf(s.top(s.cast.User).View))
}

func TestANewerChoiceKeepsItsCard(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	n := beside(s, volumeOf(db))
	s.opened(s.cast.User, db, dbName)
	<-n.begun
	s.choose(s.cast.User, 1234568)
	s.waitFor(s.cast.User, "Type "+webName+" to confirm")
	close(n.gate)
	require.NoError(t, s.dispatcher.Shutdown(t.Context()))
	text := slacktest.TextOf(s.top(s.cast.User).View)
	assert.Contains(t, text, webName)
	assert.NotContains(t, text, "SL02SEL1-5", "a volume of the other server")
	assert.NotContains(t, text, beingRead, "its own was read")
}

// Another replica may have shown something newer, of which this process knows nothing.
func TestAChangedHashDropsWhatStays(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	n := beside(s, volumeOf(db))
	s.opened(s.cast.User, db, dbName)
	<-n.begun
	view := s.top(s.cast.User)
	_, err := s.app.web.UpdateView(t.Context(), view.ID, "", testWords().Modal(words.Form{Note: "newer"}, ""))
	require.NoError(t, err)
	before := s.count("views.update")
	close(n.gate)
	require.NoError(t, s.dispatcher.Shutdown(t.Context()))
	assert.Equal(t, before+1, s.count("views.update"), "one try, with the old hash")
	assert.Contains(t, slacktest.TextOf(s.top(s.cast.User).View), "newer")
}

func TestOnlyCardsThatCanBeSubmittedAreCompleted(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	n := beside(s, billed.Facts{})
	close(n.gate)
	blocked := s.rack.servers[db]
	blocked.OpenTicket = &cancellation.TicketID{ID: 1}
	s.rack.set(blocked)
	s.command(s.cast.User, fmt.Sprint(db))
	s.waitFor(s.cast.User, dbName)
	s.command(s.cast.User, "1234569") // protected
	s.waitFor(s.cast.User, "db-042.prod.example.com")
	require.NoError(t, s.dispatcher.Shutdown(t.Context()))
	assert.Zero(t, n.count())
}

func TestAFailedReadOfWhatStaysIsNamed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	n := beside(s, billed.Facts{Unread: billed.Kinds()})
	n.err = errors.New("SoftLayer is away")
	close(n.gate)
	s.opened(s.cast.User, db, dbName)
	s.waitFor(s.cast.User, "Storage was not read: volumes may stay billed.")
}

func TestManyItemsStillFitTheMetadata(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var facts billed.Facts
	for id := range int64(60) {
		facts.Subnets = append(facts.Subnets, billed.Charge{ID: id + 1, Name: strings.Repeat("long ", 40), Fee: "4.00"})
	}
	n := beside(s, facts)
	close(n.gate)
	s.opened(s.cast.User, db, dbName)
	view := s.waitFor(s.cast.User, "and 50 more")
	raw, _ := decoded(t, view.View).(map[string]any)["private_metadata"].(string)
	assert.LessOrEqual(t, len(raw), maxMetadata)
	meta, err := s.app.sealer.open(t.Context(), raw, s.cast.User)
	require.NoError(t, err)
	assert.Equal(t, 60, meta.Card.Stays.Count())
	sum, _, _ := meta.Card.Stays.Total()
	assert.Equal(t, "240.00", sum)
	s.submit(s.cast.User, filled(db, dbName))
	_, found := s.live(db)
	assert.True(t, found)
}
