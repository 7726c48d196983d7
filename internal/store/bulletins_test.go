package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/postgrestest"
	"cancel-server/internal/report"
)

const postLease = 5 * time.Minute

func TestReportsAreReadAndPostedOnBothDatabases(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		keepsReports(t, func(t *testing.T) Options { return Options{Path: migratedFile(t)} })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		all := postgrestest.NewSchemas(t, migratedSchema)
		keepsReports(t, func(t *testing.T) Options { return Options{URL: all.Take(t)} })
	})
}

func keepsReports(t *testing.T, options func(t *testing.T) Options) {
	for says, holds := range map[string]func(t *testing.T, one, other *Store, clock *hands){
		"every request of a time is read once, by pages": allReadByPages,
		"a ticket is its request's own, or nobody's":     ownTickets,
		"one replica at a time has the turn":             onePosts,
		"there is one bulletin a day":                    oneBulletinADay,
		"a month is posted once":                         monthOnce,
		"what was not posted is owed again":              takenBack,
		"who lost the turn announces nothing":            noTurnNoBulletin,
		"a cancellation by others is told once":          elsewhereOnce,
		"what stood at the first look is not told":       elsewhereBegins,
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			clock, o := newHands(), options(t)
			o.Clock = clock.time
			holds(t, open(t, o), open(t, o), clock)
		})
	}
}

func allReadByPages(t *testing.T, one, _ *Store, clock *hands) {
	const count = 2*reportPage + 7
	from := clock.time()
	for i := range count {
		r := filedOne(t, one, int64(1000+i))
		_, err := one.write.ExecContext(t.Context(), fmt.Sprintf(`update requests set ticket_id = %d, state = 'reclaimed' where id = '%s'`, 1+i, r.ID))
		require.NoError(t, err)
		if i%3 == 0 {
			clock.pass(time.Millisecond)
		}
	}
	until := clock.time().Add(time.Millisecond)
	for says, read := range map[string]func(from, until time.Time, each func(cancellation.Request) error) error{
		"filed": func(from, until time.Time, each func(cancellation.Request) error) error {
			return one.EachFiled(t.Context(), from, until, each)
		},
		"gone": func(from, until time.Time, each func(cancellation.Request) error) error {
			return one.EachGone(t.Context(), from, until, each)
		},
	} {
		seen := map[string]int{}
		require.NoError(t, read(from, until, func(r cancellation.Request) error { seen[r.ID]++; return nil }))
		assert.Len(t, seen, count, says)
		for _, times := range seen {
			require.Equal(t, 1, times, says)
		}
		all := 0
		require.NoError(t, read(time.Time{}, until, func(cancellation.Request) error { all++; return nil }))
		assert.Equal(t, count, all, "%s: from the beginning", says)
		before, after := 0, 0
		require.NoError(t, read(from, from.Add(time.Millisecond), func(cancellation.Request) error { before++; return nil }))
		require.NoError(t, read(from.Add(time.Millisecond), until, func(cancellation.Request) error { after++; return nil }))
		assert.Equal(t, count, before+after, "%s: from counts, until does not", says)
		assert.Positive(t, before, says)
	}
}

func ownTickets(t *testing.T, one, _ *Store, _ *hands) {
	own := filed(t, one, 1)
	theirs := applied(t, one, moved(recorded(t, one, 2), cancellation.Filing))
	change := moved(theirs, cancellation.Duplicate)
	change.To.Ticket = cancellation.TicketID{ID: 77}
	applied(t, one, change)
	found, err := one.OwnTickets(t.Context(), []int64{own.Ticket.ID, 77, 78})
	require.NoError(t, err)
	assert.Equal(t, map[int64]bool{own.Ticket.ID: true}, found)
	unknown := applied(t, one, moved(recorded(t, one, 3), cancellation.Filing))
	recorded(t, one, 4)
	may, err := one.MayBeOurs(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, may, 1)
	assert.Equal(t, unknown.ID, may[0].ID)
}

func bulletinTurn(t *testing.T, s *Store, owner string) report.Turn {
	t.Helper()
	turn, err := s.BulletinTurn(t.Context(), owner, postLease)
	require.NoError(t, err)
	return turn
}

func onePosts(t *testing.T, one, other *Store, clock *hands) {
	first := bulletinTurn(t, one, "one")
	assert.True(t, first.Mine)
	assert.Equal(t, clock.time(), first.Now.UTC())
	assert.Equal(t, report.MonthOf(clock.time()), first.Months, "the first month is the one in which it began")
	assert.False(t, bulletinTurn(t, other, "two").Mine)
	clock.pass(40 * 24 * time.Hour)
	second := bulletinTurn(t, other, "two")
	assert.True(t, second.Mine, "the other is dead")
	assert.Equal(t, first.Months, second.Months, "the first month stays")
}

func oneBulletinADay(t *testing.T, one, _ *Store, clock *hands) {
	bulletinTurn(t, one, "one")
	b, err := one.AnnounceBulletin(t.Context(), "one", "C0", report.Month{}, 10)
	require.NoError(t, err)
	turn := bulletinTurn(t, one, "one")
	assert.True(t, turn.Posted)
	require.NotNil(t, turn.Unsettled)
	assert.Equal(t, b.Day, turn.Unsettled.Day)
	assert.Equal(t, "C0", turn.Unsettled.Channel)
	assert.Equal(t, clock.time(), turn.Unsettled.AnnouncedAt)
	_, err = one.AnnounceBulletin(t.Context(), "one", "C0", report.Month{}, 10)
	require.ErrorIs(t, err, ErrNotOurTurn)
	require.NoError(t, one.SettleBulletin(t.Context(), b.Day, "C0", "1.1"))
	require.NoError(t, one.TakeBackBulletin(t.Context(), b.Day), "a late word changes nothing")
	turn = bulletinTurn(t, one, "one")
	assert.True(t, turn.Posted)
	assert.Nil(t, turn.Unsettled)
	clock.pass(24 * time.Hour)
	assert.False(t, bulletinTurn(t, one, "one").Posted)
	_, err = one.AnnounceBulletin(t.Context(), "one", "C0", report.Month{}, 10)
	assert.NoError(t, err, "another day")
}

func monthOnce(t *testing.T, one, _ *Store, clock *hands) {
	month := bulletinTurn(t, one, "one").Months
	b, err := one.AnnounceBulletin(t.Context(), "one", "C0", month, 10)
	require.NoError(t, err)
	require.NoError(t, one.SettleBulletin(t.Context(), b.Day, "", ""))
	clock.pass(24 * time.Hour)
	assert.Equal(t, month, bulletinTurn(t, one, "one").Last)
	_, err = one.AnnounceBulletin(t.Context(), "one", "C0", month, 10)
	assert.ErrorIs(t, err, ErrNotOurTurn)
}

func takenBack(t *testing.T, one, _ *Store, _ *hands) {
	month := bulletinTurn(t, one, "one").Months
	require.NoError(t, one.KeepElsewhere(t.Context(), "one", []report.Elsewhere{{ID: 5, Told: []byte(`{}`)}}))
	b, err := one.AnnounceBulletin(t.Context(), "one", "C0", month, 10)
	require.NoError(t, err)
	assert.False(t, bulletinTurn(t, one, "one").Owed)
	require.NoError(t, one.TakeBackBulletin(t.Context(), b.Day))
	turn := bulletinTurn(t, one, "one")
	assert.True(t, turn.Owed)
	assert.False(t, turn.Posted)
	again, err := one.AnnounceBulletin(t.Context(), "one", "C0", month, 10)
	require.NoError(t, err)
	assert.Equal(t, b.Elsewhere, again.Elsewhere)
}

func noTurnNoBulletin(t *testing.T, one, other *Store, clock *hands) {
	bulletinTurn(t, one, "one")
	clock.pass(postLease + time.Second)
	bulletinTurn(t, other, "two")
	_, err := one.AnnounceBulletin(t.Context(), "one", "C0", report.Month{}, 10)
	require.ErrorIs(t, err, ErrNotOurTurn)
	require.ErrorIs(t, one.KeepElsewhere(t.Context(), "one", []report.Elsewhere{{ID: 5, Told: []byte(`{}`)}}), ErrNotOurTurn)
	turn := bulletinTurn(t, other, "two")
	assert.False(t, turn.Posted || turn.Owed)
}

func elsewhereOnce(t *testing.T, one, _ *Store, clock *hands) {
	bulletinTurn(t, one, "one")
	var found []report.Elsewhere
	for i := range 12 {
		found = append(found, report.Elsewhere{ID: int64(100 + i), Told: []byte(fmt.Sprintf(`{"n":%d}`, i))})
	}
	require.NoError(t, one.KeepElsewhere(t.Context(), "one", found))
	turn := bulletinTurn(t, one, "one")
	assert.True(t, turn.Owed)
	assert.Equal(t, clock.time(), turn.LookedAt)
	b, err := one.AnnounceBulletin(t.Context(), "one", "C0", report.Month{}, 10)
	require.NoError(t, err)
	assert.Len(t, b.Elsewhere, 10)
	assert.JSONEq(t, `{"n":0}`, string(b.Elsewhere[0]))
	assert.Equal(t, 12, b.Count)
	require.NoError(t, one.SettleBulletin(t.Context(), b.Day, "C0", "1.1"))
	require.NoError(t, one.KeepElsewhere(t.Context(), "one", found))
	assert.False(t, bulletinTurn(t, one, "one").Owed, "they are known")
}

func elsewhereBegins(t *testing.T, one, _ *Store, clock *hands) {
	assert.Zero(t, bulletinTurn(t, one, "one").ElsewhereFrom)
	first, err := one.BeginElsewhere(t.Context(), []report.Elsewhere{{ID: 5, Told: []byte(`{}`)}})
	require.NoError(t, err)
	assert.True(t, first)
	turn := bulletinTurn(t, one, "one")
	assert.Equal(t, clock.time(), turn.ElsewhereFrom)
	assert.False(t, turn.Owed)
	require.NoError(t, one.KeepElsewhere(t.Context(), "one", []report.Elsewhere{{ID: 5, Told: []byte(`{}`)}, {ID: 6, Told: []byte(`{}`)}}))
	clock.pass(time.Hour)
	first, err = one.BeginElsewhere(t.Context(), []report.Elsewhere{{ID: 6, Told: []byte(`{}`)}})
	require.NoError(t, err)
	assert.False(t, first, "only once")
	b, err := one.AnnounceBulletin(t.Context(), "one", "C0", report.Month{}, 10)
	require.NoError(t, err)
	assert.Equal(t, 1, b.Count)
}
