package store

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// alter changes a row behind the store's back.
func alter(t *testing.T, s *Store, text string, args ...any) {
	t.Helper()
	_, err := s.write.Exec(text, args...)
	require.NoError(t, err)
}

// Builds before this one recorded no numbers of servers. Which of its requester's day a request is they
// knew, unless it was denied or they counted none.
func TestOlderRowCountsItsServersByItsSlot(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		o.Mode = Serve
		s := open(t, o)
		require.NoError(t, s.Bind(t.Context(), sandbox))
		for server, slot := range map[int64]any{1: 3, 2: nil} {
			rec := inPlace(server, "T0/U0ANA", 1, server)
			_, err := s.Record(t.Context(), rec)
			require.NoError(t, err)
			alter(t, s, `update requests set submission = replace(submission, $1, ''), quota_slot = $2 where id = $3`,
				fmt.Sprintf(`,"Today":%d`, server), slot, rec.Request.ID)
			var text string
			require.NoError(t, s.read.QueryRow(`select submission from requests where id = $1`, rec.Request.ID).Scan(&text))
			require.NotContains(t, text, "Today")
			count, today := numbersOf(t, s, rec.Request.ID)
			assert.EqualValues(t, 1, count)
			if slot == nil {
				assert.Zero(t, today, "nobody knows")
			} else {
				assert.EqualValues(t, 3, today)
			}
		}
	})
}

func TestUnknownRowsAreLeftUntouchedAndCounted(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	state, format := recorded(t, s, 1), recorded(t, s, 2)
	alter(t, s, `update requests set state = 'paused' where id = $1`, state.ID)
	alter(t, s, `update requests set format = $1 where id = $2`, cancellation.Format+1, format.ID)
	filed(t, s, 3)
	own := recorded(t, s, 4)
	require.NoError(t, s.resume(t.Context(), 0))

	assert.Equal(t, own.ID, claimed(t, s, "worker").ID)
	_, found, next, err := taken(s.Claim(t.Context(), "worker", lease, 1))
	require.NoError(t, err)
	assert.False(t, found)
	assert.Equal(t, lease, next, "only the known row is waited for")
	_, err = s.Apply(t.Context(), moved(format, cancellation.Filing))
	require.ErrorIs(t, err, cancellation.ErrMoved)
	for _, r := range []cancellation.Request{state, format} {
		read, err := s.Request(t.Context(), r.ID)
		require.NoError(t, err)
		assert.Equal(t, r.Version, read.Version)
		assert.Zero(t, read.Recheck)
	}

	counts, err := s.Counts(t.Context())
	require.NoError(t, err)
	for i, c := range counts {
		assert.False(t, c.Since.IsZero())
		counts[i].Since = time.Time{}
	}
	assert.Equal(t, []Count{
		{State: "paused", Format: own.Format, N: 1},
		{State: cancellation.Scheduled, Format: own.Format, N: 1},
		{State: cancellation.Scheduled, Format: cancellation.Format + 1, N: 1},
	}, counts)
}

func TestNoticesOfUnknownRowsAreLeftUntouched(t *testing.T) {
	t.Parallel()
	clock := newHands()
	s := open(t, Options{Path: t.TempDir() + "/bot.db", Clock: clock.time, Mode: Serve})
	state, format := told(t, s, clock, 1), told(t, s, clock, 2)
	alter(t, s, `update requests set state = 'paused' where id = $1`, state.ID)
	alter(t, s, `update requests set format = $1 where id = $2`, cancellation.Format+1, format.ID)
	own := told(t, s, clock, 3)
	assert.Equal(t, own.ID, noticeOf(t, s).RequestID)
	assert.Equal(t, lease, noNotice(t, s))
}

func TestServerInUnknownStateIsNotRecordedTwice(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	r := recorded(t, s, 1)
	alter(t, s, `drop index requests_live`)
	alter(t, s, `create unique index requests_live on requests (server_id) where state in ('paused', 'scheduled')`)
	alter(t, s, `update requests set state = 'paused' where id = $1`, r.ID)
	rec := asking(1)
	require.ErrorContains(t, record(t.Context(), s, rec)(), "a state that this build does not know")
	requireAbsent(t, s, rec.Request.ID)
}

func TestUnreadableRowBecomesStuckAndDelaysNobody(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	bad := recorded(t, s, 1)
	good := recorded(t, s, 2)
	alter(t, s, `update requests set submission = '{"By": 7' where id = $1`, bad.ID)
	assert.Equal(t, good.ID, claimed(t, s, "worker").ID)
	assert.Equal(t, []string{"submitted", "moved"}, kinds(t, s, bad.ID))
	var state, code, detail string
	require.NoError(t, s.read.QueryRow(`select state, reason_code, reason_detail from requests where id = $1`, bad.ID).Scan(&state, &code, &detail))
	assert.Equal(t, "stuck", state)
	assert.Equal(t, string(cancellation.WhyPoison), code)
	assert.NotContains(t, detail, "secret")
}

func TestHistoryCannotBeRewritten(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		s := open(t, o)
		recorded(t, s, 1)
		second := recorded(t, s, 2)
		was := keptEvents(t, s)
		hash, other := `x'00'`, `x'01'`
		refused := map[string]string{
			`update events set detail = 'somebody else'`: "never changed",
			`delete from events`:                         "never deleted",
		}
		if o.URL != "" {
			hash, other = `'\x00'`, `'\x01'`
			refused[`truncate events`] = "never deleted"
			refused[`truncate requests cascade`] = "never deleted"
		} else {
			replaces := ` into events (request_id, seq, at, kind, actor, from_state, to_state, detail, position)
				select request_id, seq + %d, at, 'resolved', actor, from_state, to_state, detail, %s from events where request_id = '` + second.ID + `'`
			refused[`insert or replace`+fmt.Sprintf(replaces, 0, "null")] = "never replaced"
			refused[`replace`+fmt.Sprintf(replaces, 0, "null")] = "never replaced"
			refused[`insert or replace`+fmt.Sprintf(replaces, 7, "1")] = "never replaced"
			refused[`update or replace events set position = 1 where request_id = '`+second.ID+`'`] = "sealed once"
		}
		alter(t, s, `update events set position = 1, hash = `+hash+` where request_id <> $1`, second.ID) // the sealer's own columns
		refused[`update events set position = 3 where position = 1`] = "sealed once"
		refused[`update events set position = null where position = 1`] = "sealed once"
		refused[`update events set hash = `+other+` where position = 1`] = "sealed once"
		refused[`update events set hash = null where position = 1`] = "sealed once"
		for text, why := range refused {
			_, err := s.write.Exec(text)
			require.ErrorContains(t, err, why, text)
		}
		alter(t, s, `update events set position = 2 where request_id = $1`, second.ID)
		alter(t, s, `update events set hash = `+hash+` where request_id = $1`, second.ID) // also one after the other
		require.Equal(t, was, keptEvents(t, s))
		require.NoError(t, s.Note(t.Context(), second.ID, cancellation.Event{Kind: cancellation.EventAskedAgain}))
	})
}

// The words of the state table stand in the migration and in the statements, where
// an index needs them as they are.
func TestTheStatesInSQLAreTheDomains(t *testing.T) {
	t.Parallel()
	for _, d := range []dialect{sqliteDialect, postgresDialect} {
		t.Run(d.folder, func(t *testing.T) { t.Parallel(); statesOf(t, d) })
	}
}

func statesOf(t *testing.T, d dialect) {
	var schema []byte
	steps, err := filepath.Glob("migrations/" + d.folder + "/*.sql")
	require.NoError(t, err)
	for _, step := range steps { // in their order
		text, err := os.ReadFile(step)
		require.NoError(t, err)
		schema = append(schema, text...)
	}
	ends := []cancellation.State{cancellation.Filed}
	for _, state := range cancellation.States() {
		if !state.Live() {
			ends = append(ends, state)
		}
	}
	live, work, rest := list(cancellation.LiveStates()), list(cancellation.WorkStates()), list(ends)
	for name, held := range map[string]struct{ text, states string }{
		"the live index":      {section(string(schema), "requests_live"), live},
		"the live query":      {liveSQL, live},
		"the index of work":   {section(string(schema), "requests_due"), work},
		"the claim":           {d.claimSQL(), work},
		"the next time":       {nextDueSQL, work},
		"the unfinished rows": {isUnfinished, list(append(cancellation.WorkStates(), cancellation.Stuck))},
		"the index of counts": {section(string(schema), "requests_open"), rest},
		"the index of POSTs":  {section(string(schema), "requests_under_way"), rest},
		"the counts":          {countsSQL, rest},
	} {
		assert.Contains(t, held.text, held.states, name)
	}
}

func list(states []cancellation.State) string {
	var words []string
	for _, state := range states {
		words = append(words, "'"+string(state)+"'")
	}
	return "(" + strings.Join(words, ", ") + ")"
}

// section is the statement of a schema that makes this index.
func section(schema, index string) string {
	all := regexp.MustCompile(`(?s)index `+index+` .*?;`).FindAllString(schema, -1)
	return all[len(all)-1]
}

func TestTheHotQueriesUseTheirIndexes(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	for text, index := range map[string]string{
		firstDueSQL: "requests_due", nextDueSQL: "requests_due", firstNoticeSQL: "notices_due",
		nextNoticeSQL: "notices_due", countsSQL: "requests_open", liveSQL: "requests_live",
	} {
		rows, err := s.read.Query(`explain query plan `+text, 1)
		if err != nil {
			rows, err = s.read.Query(`explain query plan ` + text)
		}
		require.NoError(t, err)
		steps, err := collect(rows, func(from row) (step string, err error) {
			var id, parent, unused int
			return step, from.Scan(&id, &parent, &unused, &step)
		})
		require.NoError(t, err)
		assert.Contains(t, strings.Join(steps, "\n"), index, text)
	}
}

func TestNoBuildStartsFilingWhileFrozen(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		s := open(t, o)
		r, other := recorded(t, s, 1), applied(t, s, moved(recorded(t, s, 2), cancellation.Filing))
		require.NoError(t, s.Freeze(t.Context(), cancellation.Freeze{Frozen: true, Actor: "operator:root", Why: "an outage"}))
		_, err := s.write.Exec(`update requests set state = 'filing', version = version + 1 where id = $1`, r.ID)
		require.ErrorContains(t, err, "filing is frozen")
		alter(t, s, `update requests set state = 'filing' where id = $1`, other.ID) // what is there goes on
		require.NoError(t, s.Freeze(t.Context(), cancellation.Freeze{Actor: "operator:root", Why: "over"}))
		alter(t, s, `update requests set state = 'filing' where id = $1`, r.ID)
	})
}
