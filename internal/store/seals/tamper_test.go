package seals_test

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"cancel-server/internal/audit"
	"cancel-server/internal/cancellation"
)

// grown is a log with three requests of four events each, two freezes and two policies, in several
// sealings: a segment's beginning at 1, then r01 at 2 to 5, r02 at 6 to 9, and so on.
func (w *world) grown() {
	w.t.Helper()
	for range 3 {
		w.asked(4)
		w.seals()
	}
	require.NoError(w.t, w.store.Freeze(w.t.Context(), cancellation.Freeze{Frozen: true, Actor: "operator: root", Why: "wrong account"}))
	require.True(w.t, w.noted(audit.Note{Kind: audit.KindPolicy, Subject: w.policy("permit")}))
	w.seals()
	w.pass(time.Hour)
	w.asked(1)
	w.seals()
}

// rehashed gives the event at a position the hash of what it is now, as a clever forger would.
func (w *world) rehashed(position int64) {
	w.t.Helper()
	require.NoError(w.t, w.reading().Sealed(w.t.Context(), position, position, func(e *audit.Event) error {
		hash := tlog.RecordHash(e.Leaf())
		_, err := w.raw.ExecContext(w.t.Context(), `update events set hash = $1 where position = $2`, hash[:], position)
		return err
	}))
}

// begun gives the only segment another nonce, and works everything out again.
func (w *world) begun(nonce string) {
	w.t.Helper()
	origin := w.head().Origin
	other := audit.Origin(w.store.AuditName(), 1, nonce)
	w.does(`update deployment_events set detail = replace(detail, '`+origin+`', '`+other+`')`, `update audit_segments set nonce = '`+nonce+`'`)
	hashes := map[int64]tlog.Hash{}
	last := w.head().Size
	require.NoError(w.t, w.reading().Sealed(w.t.Context(), 1, last, func(e *audit.Event) error {
		hashes[e.Position] = tlog.RecordHash(e.Leaf())
		return nil
	}))
	var tree audit.Frontier
	for position := int64(1); position <= last; position++ {
		hash := hashes[position]
		tree.Add(hash)
		root := tree.Root()
		for query, value := range map[string][]byte{
			`update events set hash = $1 where position = $2`: hash[:], `update deployment_events set hash = $1 where position = $2`: hash[:],
			`update audit_sealings set root = $1 where position = $2`: root[:],
		} {
			_, err := w.raw.ExecContext(w.t.Context(), query, value, position)
			require.NoError(w.t, err)
		}
	}
	_, err := w.raw.ExecContext(w.t.Context(), `update audit_log set frontier = $1`, tree.Bytes())
	require.NoError(w.t, err)
}

func TestWhatWasTamperedWithIsNamed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.grown()
		reading := w.reading()
		r, said := verified(t, reading, nil)
		require.True(t, r.Good(), said)
		require.EqualValues(t, 16, r.Sealed)
		saved := w.head()
		var r02 string
		require.NoError(t, w.raw.QueryRowContext(t.Context(), `select short_ref from requests where id = 'r02'`).Scan(&r02))
		w.unguarded()
		restore := w.keeps()
		insert := `insert into events (request_id, seq, at, kind, actor, from_state, to_state, detail) values `
		late := `insert into events (request_id, seq, at, kind, actor, from_state, to_state, detail, position)
			values ('r04', 2, 1700000000000, 'x', '', '', '', '', null)`
		for says, c := range map[string]struct {
			does   []string
			rehash []int64
			seals  bool     // a sealer goes on afterwards
			forged []string // and what is done then
			want   []string
		}{
			"a detail": {does: []string{`update events set detail = 'x' where position = 7`}, want: []string{"CHANGED  position 7, event 2 of request " + r02 + " (evidence): it is not as it was sealed."}},
			"an actor": {does: []string{`update events set actor = 'x' where position = 7`}, want: []string{"CHANGED  position 7,"}},
			"a time":   {does: []string{`update events set at = at + 1 where position = 7`}, want: []string{"CHANGED  position 7,"}},
			"a state":  {does: []string{`update events set to_state = 'filed' where position = 7`}, want: []string{"CHANGED  position 7,"}},
			"a kind":   {does: []string{`update events set kind = 'moved' where position = 7`}, want: []string{"CHANGED  position 7,"}},
			"a salt":   {does: []string{`update events set salt = hash where position = 7`}, want: []string{"CHANGED  position 7,"}},
			"a hash":   {does: []string{`update events set hash = salt where position = 7`}, want: []string{"CHANGED  position 7,"}},
			"events where nobody looks": {
				does: []string{`update requests set events = events + 1 where id = 'r04'`, `insert into events (request_id, seq, at, kind, actor, from_state, to_state, detail, position)
					select 'r04', max(seq) + 1, 1700000000000, 'approved', '', '', '', '', -1 from events where request_id = 'r04'`},
				want: []string{"its position is below 1, which no sealing gives."},
			},
			"who froze": {
				does: []string{`update deployment_events set actor = 'nobody' where kind = 'freeze'`},
				want: []string{"CHANGED  position 14, event 2 of the deployment (freeze)"},
			},
			"a detail with its hash": {
				does: []string{`update events set detail = 'x' where position = 7`}, rehash: []int64{7},
				want: []string{"REWRITTEN  positions 6 to 9: the tree is not as it was sealed"},
			},
			"a detail with its hash and the sealings": {
				does:   []string{`update events set detail = 'x' where position = 7`, `delete from audit_sealings where position between 8 and 15`},
				rehash: []int64{7}, want: []string{"REWRITTEN  positions 6 to 16: the tree is not as it was sealed"},
			},
			"an event is gone": {
				does: []string{`delete from events where position = 7`},
				want: []string{"MISSING  position 7: no event has this position.", "MISSING  request " + r02 + ": its row counts 4 events, and 3 are there. Event 2 is missing."},
			},
			"a request's last event is gone": {
				does: []string{`delete from events where position = 9`}, want: []string{"MISSING  position 9:", "Event 4 is missing."},
			},
			"events are gone": {does: []string{`delete from events where request_id = 'r02'`}, want: []string{"MISSING  positions 6 to 9:", "Event 1 is missing."}},
			"a freeze is gone": {
				does: []string{`delete from deployment_events where kind = 'freeze'`},
				want: []string{"MISSING  position 14:", "MISSING  the deployment: 3 events are counted, and 2 are there."},
			},
			"two events changed places": {
				does: []string{
					`update events set position = -7 where position = 7`, `update events set position = 7 where position = 11`,
					`update events set position = 11 where position = -7`,
				},
				want: []string{"REORDERED  position 7, event 2 of request ", "it was sealed at position 11.", "it was sealed at position 7."},
			},
			"two events changed places, rehashed": {
				does: []string{
					`update events set position = -7 where position = 7`, `update events set position = 7 where position = 8`,
					`update events set position = 8 where position = -7`,
				},
				rehash: []int64{7, 8}, want: []string{"REWRITTEN  positions 6 to 9", "REORDERED  position 7, event 3 of request " + r02 + ":"},
			},
			"an event without a seal before a sealed one": {
				does: []string{`update events set position = null, hash = null, salt = null where position = 7`},
				want: []string{"MISSING  position 7:", "INSERTED  event 2 of request " + r02 + ": it is not sealed, and the one after it is"},
			},
			"an event of long ago": {
				does: []string{late}, want: []string{"INSERTED  event 2 of request ", "all that was recorded after it is", "its row counts 1 events, and 2 are there."},
			},
			"an event of long ago that was sealed": {
				does: []string{late, `update requests set events = 2 where id = 'r04'`}, seals: true,
				want: []string{"INSERTED  position 17, event 2 of request ", "it says 2023-11-14 22:13:20 UTC, and all that was recorded until 2026-11-22 15:00"},
			},
			"an event more than are counted": {
				does: []string{insert + `('r02', 5, 1795359600000, 'x', '', '', '', '')`}, want: []string{"INSERTED  request " + r02 + ": its row counts 4 events, and 5 are there."},
			},
			"a freeze more than are counted": {
				does: []string{`insert into deployment_events (number, at, kind, actor, subject, detail) values (4, 1795359600000, 'unfreeze', '', '', '')`},
				want: []string{"INSERTED  the deployment: 3 events are counted, and 4 are there"},
			},
			"the end is cut off": {
				does: []string{`delete from events where position = 16`, `delete from audit_sealings where position = 16`},
				want: []string{"MISSING  position 16:", "the record of the last sealing is missing"},
			},
			"a sealing's record":      {does: []string{`update audit_sealings set root = (select root from kept_audit_sealings where position = 16) where position = 9`}, want: []string{"RECORDS  position 9: the record of the sealing here was changed; the events were not."}},
			"the last one's record":   {does: []string{`delete from audit_sealings where position = 16`}, want: []string{"the record of the last sealing is missing"}},
			"a segment's record":      {does: []string{`delete from audit_segments`}, want: []string{"a segment begins here, and the list of segments does not have it"}},
			"why a segment began":     {does: []string{`update audit_segments set why = 'x'`}, want: []string{"segment 1 does not begin as it should"}},
			"the row's size":          {does: []string{`update audit_log set size = 8`}, want: []string{"RECORDS  positions 9 to 16: events have these positions"}},
			"the row counts too many": {does: []string{`update audit_log set size = 1099511627776`}, want: []string{"MISSING  positions 17 to 1,099,511,627,776: the log's own row counts them"}},
			"the row's tree":          {does: []string{`update audit_log set size = 12`}, want: []string{"the log's own row has no tree"}},
			"when a segment began":    {does: []string{`update audit_segments set at = at + 1000`}, want: []string{"segment 1 does not begin as it should: its row says 2026-11-22 14:00:05 UTC, and its first event 2026-11-22 14:00:04 UTC"}},
			"a segment's nonce":       {does: []string{`update audit_segments set nonce = '00'`}, want: []string{"segment 1 does not begin as it should: its first event says something else"}},
			"when one sealed, with it": {
				does: []string{`update audit_sealings set at = at - 3600000, complete = complete - 3600000 where position = 9`},
				want: []string{"RECORDS  position 9: the record of this sealing says 2026-11-22 13:00:08 UTC, and an event that it sealed says 2026-11-22 14:00:07 UTC"},
			},
			"when the first one sealed": {
				does: []string{`update audit_sealings set at = at + 1000, complete = complete + 1000 where position = 5`},
				want: []string{"RECORDS  position 5: the record of this sealing says 2026-11-22 14:00:05 UTC, and the segment that it began says 2026-11-22 14:00:04 UTC"},
			},
			"what one left": {
				does: []string{`update audit_sealings set complete = complete - 7200000 where position = 16`},
				want: []string{"RECORDS  position 16: the record of this sealing says 2026-11-22 15:00:14 UTC, and that all was sealed that was recorded until 2026-11-22 13:00:14 UTC"},
			},
			"that one left some": {
				does: []string{`update audit_sealings set complete = null where position = 9`},
				want: []string{"RECORDS  position 9: the record of this sealing says that more was waiting, and it sealed 4 events only."},
			},
			"an event of long ago, its sealing of then": {
				does:   []string{late, `update requests set events = 2 where id = 'r04'`},
				seals:  true,
				forged: []string{`update audit_sealings set at = 1700000000000, complete = 1700000000000 where position = 17`},
				want:   []string{"RECORDS  position 17: the record of this sealing says 2023-11-14 22:13:20 UTC, and that of the one before says 2026-11-22 15:00:14 UTC"},
			},
			"a sealing of days later": {
				does: []string{`update audit_sealings set at = at + 200000000, complete = complete + 200000000 where position = 15`},
				want: []string{"RECORDS  position 16: the record of this sealing says 2026-11-22 15:00:14 UTC, and that of the one before says"},
			},
			"another segment's row":  {does: []string{`insert into audit_segments (number, first_position, at, why) values (2, 10, 0, 'x')`}, want: []string{"segment 2 does not begin as it should", "do not fit together"}},
			"one that begins behind": {does: []string{`insert into audit_segments (number, first_position, at, why) values (2, 99, 0, 'x')`}, want: []string{"segment 2 begins after the end of the log"}},
		} {
			restore()
			w.does(`update requests set events = 1 where id = 'r04'`)
			w.does(c.does...)
			for _, position := range c.rehash {
				w.rehashed(position)
			}
			if c.seals {
				w.pass(time.Minute)
				w.seals()
				w.does(c.forged...)
			}
			r, said := verified(t, reading, nil)
			assert.False(t, r.Good(), says)
			for _, want := range c.want {
				assert.Contains(t, said, want, says)
			}
		}
		restore()
		w.does(`update requests set events = 1 where id = 'r04'`)
		r, said = verified(t, reading, &saved)
		assert.True(t, r.Good(), said)
		assert.Contains(t, said, "The checkpoint fits: its first 16 events are in this log as they were.")
	})
}

// Somebody who owns the database and works everything out again is found by a checkpoint alone.
func TestSavedCheckpointFindsAPerfectForgery(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.grown()
		saved := w.head()
		w.unguarded()
		reading := w.reading()
		w.does(
			`update events set detail = 'forged' where position = 7`, `update events set position = null, hash = null, salt = null`,
			`update deployment_events set position = null, hash = null, salt = null`, `delete from deployment_events where kind = 'segment'`,
			`update deployment_events set number = number - 1`, `delete from audit_segments`, `delete from audit_sealings`,
			`update audit_log set segment = 0, first_position = 1, size = 0, deployment = deployment - 1`,
		)
		_, err := w.raw.ExecContext(t.Context(), `update audit_log set frontier = $1`, []byte{})
		require.NoError(t, err)
		w.seals()
		r, said := verified(t, reading, &saved)
		assert.Contains(t, said, "CHECKPOINT it is of "+saved.Origin+", a segment that began elsewhere: ")
		_, nonce, _ := strings.Cut(saved.Origin, "/1-")
		w.begun(nonce)
		require.Equal(t, saved.Origin, w.head().Origin)
		r, said = verified(t, reading, nil)
		require.True(t, r.Good(), "nothing in the database shows it: %s", said)
		r, said = verified(t, reading, &saved)
		assert.False(t, r.Good())
		assert.Contains(t, said, "CHECKPOINT  positions 1 to 16: the checkpoint has another root")
	})
}

func TestATruncatedLogIsFoundByACheckpoint(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.grown()
		at13 := w.head()
		w.asked(3)
		w.seals()
		saved := w.head()
		w.unguarded()
		w.does(`delete from events where request_id = 'r05'`, `delete from notices`, `delete from requests where id = 'r05'`, `delete from audit_sealings where position = 19`)
		w.does(`update audit_log set size = 16`)
		var frontier audit.Frontier
		hashes := map[int64]tlog.Hash{}
		require.NoError(t, w.reading().Sealed(t.Context(), 1, 16, func(e *audit.Event) error { hashes[e.Position] = e.Hash; return nil }))
		for n := range int64(16) {
			frontier.Add(hashes[n+1])
		}
		_, err := w.raw.ExecContext(t.Context(), `update audit_log set frontier = $1`, frontier.Bytes())
		require.NoError(t, err)
		reading := w.reading()
		r, said := verified(t, reading, &at13)
		require.True(t, r.Good(), said)
		r, said = verified(t, reading, &saved)
		assert.False(t, r.Good())
		assert.Contains(t, said, "CHECKPOINT it saw 19 events, and the log has 16: the last 3 were removed, or this database is an older copy.")
		other := saved
		other.Origin = "cancel-server/other/1"
		_, said = verified(t, reading, &other)
		assert.Contains(t, said, "it is of another log, cancel-server/other/1")
	})
}

func TestErasedTextsLeaveTheLogWhole(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.grown()
		saved := w.head()
		w.unguarded()
		reading := w.reading()
		digests := map[int64][]byte{}
		require.NoError(t, reading.Sealed(t.Context(), 7, 8, func(e *audit.Event) error {
			actor := sha256.Sum256([]byte(string(e.Salt) + "actor\n" + e.Actor))
			detail := sha256.Sum256([]byte(string(e.Salt) + "detail\n" + e.Detail))
			digests[e.Position] = append(actor[:], detail[:]...)
			return nil
		}))
		for position, erased := range digests {
			_, err := w.raw.ExecContext(t.Context(), `update events set actor = '', detail = '', salt = null, erased = $1 where position = $2`, erased, position)
			require.NoError(t, err)
		}
		r, said := verified(t, reading, &saved)
		assert.True(t, r.Good(), said)
		assert.EqualValues(t, 2, r.Erased)
		w.does(`update events set to_state = 'filed' where position = 8`)
		_, said = verified(t, reading, nil)
		assert.Contains(t, said, "CHANGED  position 8,", "what is not erased is still held to the log")
		assert.Equal(t, 1, strings.Count(said, "CHANGED"))
		w.does(`update events set actor = 'T0/UVICTIM' where position = 7`)
		_, said = verified(t, reading, &saved)
		assert.Contains(t, said, "CHANGED  position 7, event 2 of request ")
		assert.Contains(t, said, "its text counts as erased, and there is one.")
	})
}

func TestARemovedRequestIsNamed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.grown()
		if w.options.URL != "" {
			w.does(`alter table requests disable trigger all`) // its foreign keys
		}
		w.does(`delete from requests where id = 'r02'`)
		r, said := verified(t, w.reading(), nil)
		assert.False(t, r.Good())
		assert.Contains(t, said, "event 2 of request id r02: its request was removed.")
	})
}

func TestRecordsOfTheLogAreNeverRewritten(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.grown()
		before := w.head()
		refused := []string{
			`update audit_segments set at = at + 1`, `update audit_segments set nonce = ''`, `delete from audit_segments`,
			`update audit_sealings set at = at - 1 where position = 9`, `update audit_sealings set complete = null`, `delete from audit_sealings where position = 9`,
			`delete from audit_log`, `update audit_log set version = version - 1`, `update audit_log set segment = 0`, `update audit_log set size = 8`,
			`update audit_log set first_position = 2`,
		}
		if w.options.URL != "" {
			refused = append(refused, `truncate audit_segments`, `truncate audit_sealings`, `truncate audit_log`)
		} else {
			refused = append(refused, `replace into audit_segments select number, first_position, at + 1, why, nonce from audit_segments`,
				`insert or replace into audit_sealings select position, segment, root, at + 1, complete from audit_sealings`,
				`replace into audit_log select * from audit_log`)
		}
		for _, text := range refused {
			_, err := w.raw.ExecContext(t.Context(), text)
			assert.ErrorContains(t, err, "never ", text)
		}
		assert.Equal(t, before, w.head())
		w.asked(1)
		w.seals()
		r, said := verified(t, w.reading(), nil)
		assert.True(t, r.Good(), said)
	})
}
