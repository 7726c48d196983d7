package bulletin

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/reconcile"
	"cancel-server/internal/report"
	"cancel-server/internal/store"
)

// stage is a poster with the real store, whose clock the test moves, and vendors that do as told.
type stage struct {
	t     *testing.T
	now   time.Time
	store *store.Store
	board *board
	books *books
	note  string // of the audit log
	*Poster
}

// board is a channel.
type board struct {
	mu       sync.Mutex
	delivery cancellation.Delivery
	posted   []string         // what reached people
	byDay    map[int64]string // the ts of each, if the bot can find it
	readable bool
	err      error // of a search
}

func (b *board) PostBulletin(_ context.Context, of report.Bulletin, month *report.Report, elsewhere []reconcile.Cancellation) (cancellation.Posted, cancellation.Delivery, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.delivery == cancellation.Delivered || b.delivery == cancellation.Lost {
		text := ""
		if month != nil {
			text = month.Month.String() + " "
		}
		for _, c := range elsewhere {
			text += c.Servers[0].Name + " "
		}
		text += of.Checkpoint
		b.posted = append(b.posted, text)
		b.byDay[of.Day] = "1.1"
	}
	return cancellation.Posted{Channel: of.Channel, TS: "1.1"}, b.delivery, 0
}

func (b *board) FindBulletin(_ context.Context, of report.Bulletin) (at cancellation.Posted, found, known bool, err error) {
	ts, found := b.byDay[of.Day]
	if !b.readable || b.err != nil {
		return at, false, false, b.err
	}
	return cancellation.Posted{Channel: of.Channel, TS: ts}, found, true, nil
}

// books are SoftLayer's cancellations.
type books struct {
	all  []reconcile.Cancellation
	err  error
	read int
}

func (b *books) Cancellations(ctx context.Context, since time.Time, before func(context.Context) error) ([]reconcile.Cancellation, error) {
	if err := before(ctx); err != nil {
		return nil, err
	}
	b.read++
	return b.all, b.err
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, now: time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC), board: &board{byDay: map[int64]string{}, readable: true}, books: &books{}}
	var err error
	s.store, err = store.Open(t.Context(), store.Options{
		Path: filepath.Join(t.TempDir(), "bot.db"), Mode: store.Serve, Clock: func() time.Time { return s.now },
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.store.Close()) })
	s.Poster = s.replica("one")
	return s
}

func (s *stage) replica(owner string) *Poster {
	return New(Options{Ledger: s.store, Books: s.books, Board: s.board, Audit: s, Owner: owner, Channel: "C0", Rate: 1000, Log: slog.New(slog.DiscardHandler)})
}

// Checkpoint is the audit log's.
func (s *stage) Checkpoint(context.Context) (string, error) { return s.note, nil }

// passes has the poster work once at each of these moments.
func (s *stage) passes(at ...string) {
	s.t.Helper()
	for _, moment := range at {
		var err error
		s.now, err = time.Parse(time.RFC3339, moment)
		require.NoError(s.t, err)
		s.nextPost, s.nextLook = time.Time{}, time.Time{} // the process's clock stands still
		_ = s.pass(s.t.Context())                         // a failure is tried again
	}
}

func elsewhere(id int64, made string) reconcile.Cancellation {
	at, _ := time.Parse(time.RFC3339, made)
	return reconcile.Cancellation{
		ID: id, Made: at, User: "jdoe", Ticket: cancellation.TicketID{ID: 9000 + id},
		Servers: []reconcile.Server{{ID: id, Name: "web-" + string(rune('a'+id))}},
	}
}

func (s *stage) begins(standing ...reconcile.Cancellation) {
	s.t.Helper()
	known, err := Kept(standing)
	require.NoError(s.t, err)
	_, err = s.store.BeginElsewhere(s.t.Context(), known)
	require.NoError(s.t, err)
}

func TestAMonthIsPostedWhenItIsOver(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.passes("2026-11-29T10:00:00Z", "2026-11-30T23:59:59Z")
	assert.Empty(t, s.board.posted)
	s.passes("2026-12-01T00:00:00Z", "2026-12-01T00:01:00Z", "2026-12-02T00:00:00Z", "2026-12-31T00:00:00Z")
	assert.Equal(t, []string{"2026-11 "}, s.board.posted, "once")
	s.passes("2027-03-02T00:00:00Z", "2027-03-03T00:00:00Z")
	assert.Equal(t, []string{"2026-11 ", "2027-02 "}, s.board.posted, "after a long outage the last month alone")
}

func TestNobodyLooksBeforeTheFirstReconcile(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.books.all = []reconcile.Cancellation{elsewhere(1, "2026-11-29T09:00:00Z")}
	s.passes("2026-11-29T10:00:00Z", "2026-11-30T10:00:00Z")
	assert.Zero(t, s.books.read)
	assert.Empty(t, s.board.posted)
}

func TestNewCancellationsElsewhereAreToldOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	stood := elsewhere(1, "2026-11-29T09:00:00Z")
	s.begins(stood)
	s.books.all = []reconcile.Cancellation{stood, elsewhere(2, "2026-11-20T09:00:00Z"), elsewhere(3, "2026-11-29T11:00:00Z")}
	s.passes("2026-11-29T12:00:00Z")
	assert.Zero(t, s.books.read, "a day has not passed")
	s.passes("2026-11-30T10:00:00Z", "2026-11-30T10:01:00Z", "2026-11-30T12:00:00Z")
	assert.Equal(t, 1, s.books.read, "once a day")
	assert.Equal(t, []string{"web-d "}, s.board.posted, "neither what stood nor what is old")

	voided := elsewhere(4, "2026-11-30T11:00:00Z")
	voided.Voided = true
	s.books.all = append(s.books.all, voided, elsewhere(5, "2026-11-30T11:00:00Z"))
	s.passes("2026-12-01T10:00:00Z", "2026-12-02T10:00:00Z")
	assert.Equal(t, []string{"web-d ", "2026-11 web-f "}, s.board.posted, "one post a day, with all that is owed")
}

func TestOnePostADayHoldsForSeveralReplicas(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.passes("2026-11-29T10:00:00Z")
	other := s.replica("two")
	s.now = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	var working sync.WaitGroup
	for range 4 {
		working.Go(func() { _ = New(s.o).pass(t.Context()) }) // the others are told that it is not their turn
		working.Go(func() { _ = New(other.o).pass(t.Context()) })
	}
	working.Wait()
	assert.Equal(t, []string{"2026-11 "}, s.board.posted)
}

func TestLostAnswerIsLookedUp(t *testing.T) {
	t.Parallel()
	for says, c := range map[string]struct {
		vanishes, readable bool
		fails              int // searches that Slack does not answer
		want               []string
	}{
		"it is found":                           {false, true, 0, []string{"2026-11 "}},
		"it was not made, and is posted again":  {true, true, 0, []string{"2026-11 "}},
		"nobody can tell, and it is not posted": {false, false, 0, []string{"2026-11 "}},
		"nor if it was not made":                {true, false, 0, nil},
		"Slack is away for a while":             {true, true, 2, []string{"2026-11 "}},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.board.readable, s.board.delivery = c.readable, cancellation.Lost
			s.passes("2026-11-29T10:00:00Z", "2026-12-01T00:00:00Z")
			if c.vanishes {
				s.board.posted, s.board.byDay = nil, map[int64]string{}
			}
			s.board.delivery = cancellation.Delivered
			s.passes("2026-12-01T00:01:00Z")
			before := len(s.board.posted)
			for range c.fails {
				s.board.err = errors.New("no answer")
				s.passes("2026-12-01T00:05:00Z")
			}
			assert.Len(t, s.board.posted, before, "not before it is known")
			s.board.err = nil
			s.passes("2026-12-01T00:06:00Z", "2026-12-01T00:07:00Z", "2026-12-02T00:07:00Z")
			assert.Equal(t, c.want, s.board.posted)
		})
	}
}

func TestARefusedBulletinIsOwedAgain(t *testing.T) {
	t.Parallel()
	for _, delivery := range []cancellation.Delivery{cancellation.Undelivered, cancellation.Refusing} {
		s := newStage(t)
		s.board.delivery = delivery
		s.passes("2026-11-29T10:00:00Z", "2026-12-01T00:00:00Z")
		assert.Empty(t, s.board.posted)
		assert.True(t, s.nextPost.After(time.Now()), "after a pause")
		s.board.delivery = cancellation.Delivered
		s.passes("2026-12-01T02:00:00Z", "2026-12-01T02:01:00Z")
		assert.Equal(t, []string{"2026-11 "}, s.board.posted)
	}
}

func TestAFailedLookOwesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.begins()
	s.books.err = cancellation.ErrReadRefused
	s.books.all = []reconcile.Cancellation{elsewhere(3, "2026-11-29T11:00:00Z")}
	s.passes("2026-11-30T11:00:00Z", "2026-12-01T11:00:00Z")
	assert.Equal(t, []string{"2026-11 "}, s.board.posted, "and holds up no report")
	s.books.err = nil
	s.passes("2026-12-02T11:00:00Z")
	assert.Equal(t, []string{"2026-11 ", "web-d "}, s.board.posted)
}

func TestCheckpointGoesWeeklyAndWithEachPost(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.passes("2026-11-20T10:00:00Z", "2026-11-27T10:00:00Z")
	assert.Empty(t, s.board.posted, "nothing is sealed yet")
	s.note = "1,200"
	s.passes("2026-11-27T10:01:00Z", "2026-11-27T10:02:00Z", "2026-11-28T10:02:00Z")
	assert.Equal(t, []string{"1,200"}, s.board.posted, "a week after the first turn")
	s.note = "1,300"
	s.passes("2026-12-01T00:00:00Z", "2026-12-07T23:59:00Z")
	assert.Equal(t, []string{"1,200", "2026-11 1,300"}, s.board.posted, "with the report; then a week is quiet")
	s.passes("2026-12-08T00:00:00Z", "2026-12-14T00:00:00Z", "2026-12-15T00:00:00Z")
	assert.Equal(t, []string{"1,200", "2026-11 1,300", "1,300", "1,300"}, s.board.posted, "whether anything was sealed or not")
}
