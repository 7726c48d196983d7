package seals_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/audit"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/postgrestest"
	"cancel-server/internal/store"
)

// adds records so many more events of a request, without a seal.
func (w *world) adds(request string, events int) {
	w.t.Helper()
	series := `(with recursive s(n) as (select 1 union all select n + 1 from s limit %d) select n from s) as s`
	if w.options.URL != "" {
		series = `(select generate_series(1, %d) as n) as s`
	}
	w.does(`insert into events (request_id, seq, at, kind, actor, from_state, to_state, detail)
		select id, events + n, created_at + n, 'evidence', 'worker', 'filed', 'filed', 'look ' || n from requests cross join `+fmt.Sprintf(series, events)+` where id = '`+request+`'`,
		fmt.Sprintf(`update requests set events = events + %d where id = '%s'`, events, request))
}

func TestOneSealingReadsFewEvents(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.adds(w.asked(1), 300)
		w.adds(w.asked(1), 40)
		for range 10 {
			w.noted(audit.Note{Kind: "x"})
		}
		batch, err := w.store.Unsealed(t.Context(), 128)
		require.NoError(t, err)
		assert.False(t, batch.All)
		assert.LessOrEqual(t, len(batch.Events), 128+10)
		w.seals()
		r, said := verified(t, w.reading(), nil)
		assert.True(t, r.Good(), said)
		assert.Zero(t, r.Waiting)
		assert.EqualValues(t, 1+301+41+10, r.Sealed)
	})
}

// counted counts how many events one read holds at most.
type counted struct {
	audit.Snapshots
	most int
}

func (c *counted) Snapshot(ctx context.Context) (audit.Snapshot, error) {
	s, err := c.Snapshots.Snapshot(ctx)
	return &countedSnapshot{s, c}, err
}

type countedSnapshot struct {
	audit.Snapshot
	of *counted
}

func (c *countedSnapshot) counts(yield func(*audit.Event) error) func(*audit.Event) error {
	n := 0
	return func(e *audit.Event) error {
		n++
		c.of.most = max(c.of.most, n)
		return yield(e)
	}
}

func (c *countedSnapshot) Sealed(ctx context.Context, from, to int64, yield func(*audit.Event) error) error {
	return c.Snapshot.Sealed(ctx, from, to, c.counts(yield))
}

func (c *countedSnapshot) Unsealed(ctx context.Context, position int64, after audit.Event, most int, yield func(*audit.Event) error) error {
	return c.Snapshot.Unsealed(ctx, position, after, most, c.counts(yield))
}

func TestAnExportHoldsFewEventsAtOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.adds(w.asked(1), 1200)
		w.seals()
		for range 520 {
			w.noted(audit.Note{Kind: "x"})
		}
		w.adds(w.asked(1), 1030)
		w.adds("r01", 3)
		reading := &counted{Snapshots: w.reading()}
		var out bytes.Buffer
		require.NoError(t, audit.Export(t.Context(), reading, &out))
		assert.LessOrEqual(t, reading.most, 512)
		seen := map[string]bool{}
		position, sealed := int64(0), 0
		for text := range strings.Lines(out.String()) {
			var e struct {
				Position, Number int64
				Source, Request  string
			}
			require.NoError(t, json.Unmarshal([]byte(text), &e))
			name := fmt.Sprintf("%s %s %d", e.Source, e.Request, e.Number)
			require.False(t, seen[name], name)
			seen[name] = true
			if e.Position > 0 {
				require.Equal(t, position+1, e.Position)
				position, sealed = e.Position, sealed+1
			}
		}
		assert.Equal(t, 1202, sealed)
		assert.Len(t, seen, 1202+520+1031+3)
	})
}

func TestAnExportMovesNoCursor(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		detail := "a\x1b[2J\u007f\u0080\u009b31m\u009f \u00a0é\u2028end"
		require.NoError(t, w.store.Note(t.Context(), w.asked(1), cancellation.Event{Kind: cancellation.EventEvidence, Actor: "worker", Detail: detail}))
		w.seals()
		var out bytes.Buffer
		require.NoError(t, audit.Export(t.Context(), w.reading(), &out))
		assert.NotRegexp(t, `[\x00-\x09\x0b-\x1f\x7f-\x{9f}]`, out.String())
		assert.Contains(t, out.String(), `a\u001b[2J\u007f\u0080\u009b31m\u009f `+"\u00a0é")
		found := false
		for text := range strings.Lines(out.String()) {
			var e struct{ Detail string }
			require.NoError(t, json.Unmarshal([]byte(text), &e))
			found = found || e.Detail == detail
		}
		assert.True(t, found, "it is read as it was")
	})
}

// A row that counts what is not there, and an event far behind all others, cost no time.
func TestAForgedSizeIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.grown()
		saved := w.head()
		reading := w.reading()
		w.unguarded()
		restore := w.keeps()
		for says, c := range map[string]struct {
			does []string
			want []string
		}{
			"the size": {
				[]string{`update audit_log set size = 1099511627776`}, []string{"MISSING  positions 17 to 1,099,511,627,776: the log's own row counts them"},
			},
			"the size and the last position": {
				[]string{`update audit_log set size = 1099511627776`, `update events set position = 1099511627776 where position = 16`},
				[]string{"MISSING  positions 16 to 1,099,511,627,775: no event has this position.", "it cannot be compared, because an event before it is missing."},
			},
			"the greatest size": {
				[]string{`update audit_log set size = 9223372036854775807, first_position = 2`, `update events set position = 9223372036854775807 where position = 16`},
				[]string{"the log's own row has no tree", "MISSING  positions 16 to "},
			},
			"a size below zero":    {[]string{`update audit_log set size = -5`}, []string{"the log's own row has no tree", "events have these positions"}},
			"events far apart":     {[]string{`update events set position = position * 1000000000 where position > 5`, `update audit_log set size = 17179869184`}, []string{"MISSING"}},
			"a segment in the gap": {[]string{`update events set position = 1099511627776 where position = 16`, `update audit_log set size = 1099511627776`, `insert into audit_segments (number, first_position, at, why) values (2, 99999, 0, 'x')`}, []string{"RECORDS  position 99,999: segment 2 does not begin as it should"}},
		} {
			restore()
			w.does(c.does...)
			began := time.Now()
			r, said := verified(t, reading, &saved)
			assert.False(t, r.Good(), says)
			for _, want := range c.want {
				assert.Contains(t, said, want, says)
			}
			require.NoError(t, audit.Export(t.Context(), reading, &bytes.Buffer{}), says)
			assert.Less(t, time.Since(began), 20*time.Second, says)
		}
	})
}

func TestFindingsThatAreNotNamedAreCounted(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		id := w.asked(1)
		w.adds(id, 399)
		w.seals()
		reading := w.reading()
		w.unguarded()
		restore := w.keeps()
		w.does(`update events set detail = 'x' where position between 101 and 250`)
		r, said := verified(t, reading, nil)
		assert.Len(t, r.Findings, 100)
		assert.Contains(t, said, "\nand 50 more\n")

		restore()
		w.does(`update events set position = 10 - position where position > 100`)
		r, said = verified(t, reading, nil)
		assert.Len(t, r.Findings, 100)
		assert.Equal(t, 301+301+2, len(r.Findings)+r.More, "below 1, before an earlier one, the range that is missing, and its sealing: %s", said)

		restore()
		w.does(`delete from events where position between 50 and 349`)
		r, said = verified(t, reading, nil)
		assert.Zero(t, r.More, "a range that is missing is one finding: %s", said)
		w.does(`delete from events where position % 3 = 0 and position < 400`)
		r, _ = verified(t, reading, nil)
		missing := 0
		for _, f := range r.Findings {
			if f.Kind == audit.Missing && f.From > 0 {
				missing++
			}
		}
		assert.LessOrEqual(t, missing, 34, "and one that follows on another goes on with it")
	})
}

// moving seals more, and begins a segment, while a verification reads.
type moving struct {
	audit.Snapshots
	meanwhile func()
}

func (m moving) Snapshot(ctx context.Context) (audit.Snapshot, error) {
	s, err := m.Snapshots.Snapshot(ctx)
	return movingSnapshot{s, m.meanwhile}, err
}

type movingSnapshot struct {
	audit.Snapshot
	meanwhile func()
}

func (m movingSnapshot) Segments(ctx context.Context) ([]audit.Segment, error) {
	m.meanwhile()
	return m.Snapshot.Segments(ctx)
}

func (m movingSnapshot) Waiting(ctx context.Context) (int64, error) {
	m.meanwhile()
	return m.Snapshot.Waiting(ctx)
}

func TestAVerificationSeesOneMoment(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.asked(3)
		w.seals()
		before := w.head()
		r, err := audit.Verify(t.Context(), moving{w.reading(), func() {
			w.does(`update audit_log set begins = 'a restore', version = version + 1`)
			w.asked(2)
			w.seals()
			w.asked(1)
		}}, w.store.AuditName(), &audit.Saved{Checkpoint: before})
		require.NoError(t, err)
		assert.True(t, r.Good(), r.Lines())
		assert.EqualValues(t, 4, r.Sealed)
		assert.Zero(t, r.Waiting)
		require.Len(t, r.Segments, 1)
		assert.Equal(t, before, r.Segments[0].Head)
		r, said := verified(t, w.reading(), nil)
		assert.True(t, r.Good(), said)
		assert.Len(t, r.Segments, 3)
	})
}

func TestASnapshotIsOneOnAllConnections(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		reading := w.reading()
		over := make(chan struct{})
		var sealing sync.WaitGroup
		defer sealing.Wait()
		defer close(over)
		sealing.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
					w.noted(audit.Note{Kind: "x"})
					assert.NoError(t, w.sealer.SealAll(t.Context()))
				}
			}
		})
		for range 100 {
			s, err := reading.Snapshot(t.Context())
			require.NoError(t, err)
			first, err := s.Log(t.Context())
			require.NoError(t, err)
			for range runtime.GOMAXPROCS(0) + 1 { // each connection in turn
				other, err := s.Log(t.Context())
				require.NoError(t, err)
				assert.Equal(t, first, other)
			}
			require.NoError(t, s.Close())
		}
	})
}

// idling is a log whose snapshots wait while the server works.
type idling struct{ w *world }

func (s idling) Snapshot(ctx context.Context) (audit.Snapshot, error) {
	snapshot, err := s.w.reading().Snapshot(ctx)
	return idlingSnapshot{snapshot, s.w}, err
}

type idlingSnapshot struct {
	audit.Snapshot
	w *world
}

func (s idlingSnapshot) LastPosition(ctx context.Context) (int64, error) {
	s.w.does(`select count(*) from generate_series(1, 300000)`)
	return s.Snapshot.LastPosition(ctx)
}

func TestNoServersTimeLimitEndsAVerification(t *testing.T) {
	t.Parallel()
	w := newWorld(t, store.Options{URL: postgrestest.Database(t)})
	w.adds(w.asked(1), 1000)
	w.seals()
	name := ""
	require.NoError(t, w.raw.QueryRowContext(t.Context(), `select current_database()`).Scan(&name))
	for _, limit := range []string{"statement_timeout", "idle_in_transaction_session_timeout"} {
		w.does(`alter database ` + name + ` set ` + limit + ` = '1ms'`)
	}
	r, err := audit.Verify(t.Context(), idling{w}, w.store.AuditName(), nil)
	require.NoError(t, err, "a log is verified, however long it takes")
	require.True(t, r.Good(), r.Lines())
	require.EqualValues(t, 1+1001, r.Sealed)
	var out bytes.Buffer
	require.NoError(t, audit.Export(t.Context(), idling{w}, &out), "a log is exported, however long it takes")
	require.Equal(t, 1+1001, strings.Count(out.String(), "\n"))
}
