package seals_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"cancel-server/internal/audit"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/store"
)

// putBack makes the database the older copy that restore brings, and has a process find out.
func (w *world) putBack(restore func()) {
	w.t.Helper()
	if w.options.Path != "" {
		require.NoError(w.t, w.store.Close())
		restore()
		w.open() // PATH.lock next to it remembers more
		return
	}
	restore()
	w.does(`update binding set identity = '00000009' || substr(identity, 9)`)
}

func TestARestoredDatabaseBeginsASegment(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.grown()
		early := w.head()
		w.unguarded()
		restore := w.keeps()
		w.asked(3)
		w.seals()
		lost := w.head()
		require.EqualValues(t, 19, lost.Size)
		w.putBack(func() {
			restore()
			w.does(`delete from notices where request_id = 'r05'`, `delete from requests where id = 'r05'`)
		})
		w.asked(2)
		w.seals()

		reading := w.reading()
		r, said := verified(t, reading, nil)
		assert.True(t, r.Good(), said)
		assert.Contains(t, said, "Segment 2 began on 2026-11-22 ")
		assert.Contains(t, said, "; segment 1 ended at 16.")
		r, said = verified(t, reading, &early)
		assert.True(t, r.Good(), said)
		assert.Contains(t, said, "The checkpoint fits: its first 16 events")
		r, said = verified(t, reading, &lost)
		assert.False(t, r.Good())
		assert.Contains(t, said, "it saw 19 events, and segment 1 ended at 16: 3 events were lost with the restore.")
		now := w.head()
		assert.Regexp(t, `/2-[0-9a-f]{16}$`, now.Origin)
		size := int64(3)
		if w.options.Path != "" {
			size = 4 // the older copy starts frozen, which is an event
		}
		assert.Equal(t, size, now.Size)
		_, said = verified(t, reading, &now)
		assert.Contains(t, said, fmt.Sprintf("The checkpoint fits: its first %d events", size))

		before := w.head()
		if w.options.Path != "" {
			require.NoError(t, w.store.Close())
			w.open()
		} else {
			w.does(`update binding set identity = split_part(identity, ' ', 1) || ' 0'`)
		}
		w.asked(1)
		w.seals()
		assert.Equal(t, before.Origin, w.head().Origin, "a restart begins none")

		of := 16 + size - 1 // the first of the requests' events
		w.does(fmt.Sprintf(`update events set detail = 'x' where position = %d`, of), `update deployment_events set detail = replace(detail, '"size":16', '"size":15') where position = 17`)
		_, said = verified(t, reading, nil)
		assert.Contains(t, said, fmt.Sprintf("CHANGED  position %d,", of))
		assert.Contains(t, said, "segment 2 does not begin as it should: the one before it had 15 events")
	})
}

func TestOneReplicaSealsAtATime(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		sealers := []*audit.Sealer{w.sealer, w.sealer, w.replica(w.store)}
		if w.options.URL != "" {
			second, err := store.Open(t.Context(), w.options)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, second.Close()) })
			require.NoError(t, second.Bind(t.Context(), w.store.Binding()))
			sealers[2] = w.replica(second)
		}
		recording, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for _, sealer := range sealers {
			all.Go(func() {
				for recording.Err() == nil {
					assert.NoError(t, sealer.SealAll(t.Context()))
				}
			})
		}
		for range 12 {
			w.asked(3)
			w.noted(audit.Note{Kind: "x"})
		}
		stop()
		all.Wait()
		w.seals()
		r, said := verified(t, w.reading(), nil)
		assert.True(t, r.Good(), said)
		assert.EqualValues(t, 12*4+1, r.Sealed)
	})
}

// slow hands a process's step over only after another process has sealed.
type slow struct {
	audit.Ledger
	before func()
	won    bool
}

func (s *slow) Seal(ctx context.Context, step audit.Step) (bool, error) {
	s.before()
	won, err := s.Ledger.Seal(ctx, step)
	s.won = s.won || won
	return won, err
}

func TestAStepThatComesTooLateWritesNothing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.asked(2)
		for says, meanwhile := range map[string]func(){
			"another process sealed":       w.seals,
			"an event of the deployment":   func() { w.noted(audit.Note{Kind: "x"}) },
			"the database was put back":    func() { w.does(`update audit_log set begins = 'a restore', version = version + 1`) },
			"nothing happened but a death": nil,
		} {
			w.asked(1)
			late := &slow{Ledger: w.store, before: meanwhile}
			if meanwhile == nil {
				continue // it died before its step, which is nothing
			}
			require.NoError(t, audit.NewSealer(audit.SealerOptions{Ledger: late, Name: w.store.AuditName(), Log: discard}).SealAll(t.Context()), says)
			if says == "an event of the deployment" {
				assert.True(t, late.won == (w.head().Size == 0) || !late.won, says)
			} else {
				assert.False(t, late.won, says)
			}
			w.seals()
			r, said := verified(t, w.reading(), nil)
			assert.True(t, r.Good(), "%s: %s", says, said)
			assert.Zero(t, r.Waiting, says)
		}
	})
}

func TestASealKeepsTheOrderOfARequest(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		first := w.asked(2)
		w.pass(-30 * time.Minute) // the clock is set back
		second := w.asked(1)
		require.NoError(t, w.store.Note(t.Context(), first, cancellation.Event{Kind: cancellation.EventEvidence}))
		w.seals()
		r, said := verified(t, w.reading(), nil)
		assert.True(t, r.Good(), said)
		require.NoError(t, w.store.Note(t.Context(), second, cancellation.Event{Kind: cancellation.EventEvidence}))
		w.seals()
		r, said = verified(t, w.reading(), nil)
		assert.True(t, r.Good(), said)
		assert.EqualValues(t, 6, r.Sealed)
	})
}

// What docs/audit.md says is enough to work out a root with other tools.
func TestAnExportIsEnoughForTheRoot(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.grown()
		w.asked(1)
		var out bytes.Buffer
		require.NoError(t, audit.Export(t.Context(), w.reading(), &out))
		var leaves [][]byte
		waiting, policies := 0, 0
		for text := range strings.Lines(out.String()) {
			var e struct {
				Position, Number                                                                   int64
				Source, Request, Ref, At, Kind, From, To, Subject, Actor, Detail, Salt, Hash, Text string
			}
			require.NoError(t, json.Unmarshal([]byte(text), &e))
			if e.Kind == audit.KindPolicy {
				sum := sha256.Sum256([]byte(e.Text))
				assert.Equal(t, e.Subject, hex.EncodeToString(sum[:]), "it carries the policy's text")
				policies++
			}
			if e.Position == 0 {
				waiting++
				continue
			}
			salt, err := hex.DecodeString(e.Salt)
			require.NoError(t, err)
			at, err := time.Parse(time.RFC3339Nano, e.At)
			require.NoError(t, err)
			of := func(name, text string) string {
				sum := sha256.Sum256([]byte(string(salt) + name + "\n" + text))
				return hex.EncodeToString(sum[:])
			}
			leaf := fmt.Sprintf("cancel-server event 1\nposition %d\nsource %d %s\nrequest %d %s\nnumber %d\nat %d\nkind %d %s\nfrom %d %s\nto %d %s\nsubject %d %s\nactor %s\ndetail %s\n",
				e.Position, len(e.Source), e.Source, len(e.Request), e.Request, e.Number, at.UnixMilli(), len(e.Kind), e.Kind, len(e.From), e.From,
				len(e.To), e.To, len(e.Subject), e.Subject, of("actor", e.Actor), of("detail", e.Detail))
			hash := sha256.Sum256([]byte("\x00" + leaf))
			assert.Equal(t, e.Hash, base64.StdEncoding.EncodeToString(hash[:]))
			leaves = append(leaves, hash[:])
		}
		assert.Equal(t, []int{1, 1}, []int{waiting, policies})
		assert.Equal(t, w.head().Root, tlog.Hash(rootOf(leaves)))
	})
}

// rootOf is RFC 6962, section 2.1.
func rootOf(leaves [][]byte) []byte {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	sum := sha256.Sum256(append(append([]byte{1}, rootOf(leaves[:k])...), rootOf(leaves[k:])...))
	return sum[:]
}

func TestOrdersOfAnyBuildAreEvents(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		f := cancellation.Freeze{Frozen: true, Actor: "T0/U0ANA", Why: "a whim"}
		require.NoError(t, w.store.NoteRefusedFreeze(t.Context(), f, "no-rule"))
		require.NoError(t, w.store.NoteRefusedFreeze(t.Context(), f, "no-rule"))
		f.Actor = "operator: root"
		require.NoError(t, w.store.Freeze(t.Context(), f))
		w.does(`insert into filing_orders (at, frozen, actor, why, number) values (1, 0, 'operator: old', 'by an older build', 2)`)
		w.seals()
		var got []string
		require.NoError(t, w.reading().Sealed(t.Context(), 1, 9, func(e *audit.Event) error {
			if e.Kind != audit.KindSegment {
				got = append(got, strings.Join([]string{e.Kind, e.Actor, e.Subject, e.Detail}, "|"))
			}
			return nil
		}))
		assert.ElementsMatch(t, []string{
			"freeze-refused|T0/U0ANA|no-rule|a whim", "freeze|operator: root|1|a whim", "unfreeze|operator: old|2|by an older build",
		}, got)
	})
}

func TestAPolicyIsRecordedWhenItChanges(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		kinds := []string{audit.KindPolicy, audit.KindPolicyRefused}
		a, c := w.policy("permit"), w.policy("forbid")
		for _, c := range []struct {
			kind, subject string
			want          bool
		}{
			{audit.KindPolicy, a, true},
			{audit.KindPolicy, a, false},
			{audit.KindPolicyRefused, "b", true},
			{audit.KindPolicyRefused, "b", false},
			{audit.KindPolicy, a, true},
			{audit.KindPolicy, c, true},
			{audit.KindPolicy, a, true},
		} {
			assert.Equal(t, c.want, w.noted(audit.Note{Kind: c.kind, Subject: c.subject, Changes: kinds}), "%+v", c)
		}
		w.seals()
		r, said := verified(t, w.reading(), nil)
		assert.True(t, r.Good(), said)
		assert.EqualValues(t, 6, r.Sealed)
	})
}

func TestTwoRestoresOfOneBackupAreToldApart(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.grown()
		w.unguarded()
		restore := w.keeps()
		var heads []audit.Checkpoint
		for range 2 {
			w.asked(3)
			w.seals() // what the backup lacks
			w.putBack(func() {
				restore()
				w.does(`delete from notices where request_id > 'r04'`, `delete from requests where id > 'r04'`)
			})
			w.asked(1)
			w.seals()
			heads = append(heads, w.head())
		}
		assert.Equal(t, heads[0].Size, heads[1].Size)
		assert.NotEqual(t, heads[0].Origin, heads[1].Origin)
		reading := w.reading()
		r, said := verified(t, reading, &heads[1])
		assert.True(t, r.Good(), said)
		r, said = verified(t, reading, &heads[0])
		assert.False(t, r.Good())
		assert.Contains(t, said, "CHECKPOINT it is of "+heads[0].Origin+", a segment that began elsewhere: a backup was restored more than once")
	})
}

func TestASegmentOfAnOlderBuildStaysValid(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.grown()
		w.unguarded()
		w.begun("") // as an older build began it
		old := w.head()
		assert.Equal(t, w.store.AuditName()+"/1", old.Origin)
		w.asked(2)
		w.seals()
		r, said := verified(t, w.reading(), &old)
		assert.True(t, r.Good(), said)
		assert.Contains(t, said, "The checkpoint fits: its first 16 events are in this log as they were.")
	})
}
