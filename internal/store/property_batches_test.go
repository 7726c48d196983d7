package store

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cancel-server/internal/cancellation"
)

// modelBatch is a form with several servers, with the ids of its requests in the order of the list.
type modelBatch struct {
	cancellation.Batch
	rows []string
}

// recordBatch records all requests of a list, or none of them.
func (m *model) recordBatch(b cancellation.Batch, all []cancellation.Record) (out cancellation.RecordedBatch, _ error) {
	if known := m.batches[b.ID]; known != nil {
		return cancellation.RecordedBatch{Batch: known.Batch, Requests: m.rowsOf(known)}, nil
	}
	for _, rec := range all {
		live := m.live(rec.Request.Submission.Card.Server.ID)
		switch {
		case live != nil:
			out.Held = append(out.Held, live.Request)
		case m.decidedForAnother(rec.Quota) != nil: // which slots are free is looked for one by one
			return cancellation.RecordedBatch{}, &cancellation.SlotTakenError{Day: all[0].Quota.Day, Next: all[0].Quota.Slot + 1}
		case m.full(rec.Quota):
			out.Full = true
		}
	}
	if out.Full || len(out.Held) > 0 {
		return out, nil
	}
	b.Told, b.CreatedAt = 1, m.clock.time()
	kept := &modelBatch{Batch: b}
	for _, rec := range all {
		if s := &rec.Request.Submission; s.Today == 0 {
			s.Today = rec.Quota.Slot
		}
		rec.Quota.Most, rec.Quota.Exact = 0, false
		kept.rows = append(kept.rows, rec.Request.ID)
		m.insert(rec)
	}
	m.batches[b.ID] = kept
	return cancellation.RecordedBatch{Batch: b, Requests: m.rowsOf(kept), Fresh: true}, nil
}

func (m *model) rowsOf(b *modelBatch) (rows []cancellation.Request) {
	for _, id := range b.rows {
		rows = append(rows, m.requests[id].Request)
	}
	return rows
}

// applyAll makes steps of requests of one list, or none of them. The key is used by what was made.
func (m *model) applyAll(key string, changes []cancellation.Change) (all []cancellation.Request, _ error) {
	for _, c := range changes {
		if c.To.State == cancellation.Filing || c.From.State != c.To.State && !follows(c.From.State, c.To.State) {
			return nil, errIllegal
		}
	}
	if m.keys[key] {
		return nil, cancellation.ErrRepeated
	}
	for _, c := range changes {
		if m.requests[c.From.ID].Version != c.From.Version {
			return nil, cancellation.ErrMoved
		}
	}
	for _, c := range changes {
		next, err := m.apply(c)
		if err != nil {
			return nil, err
		}
		all = append(all, next)
	}
	m.keys[key] = true
	return all, nil
}

// tellBatch counts a change of a list, and makes its messages due after their pause.
func (m *model) tellBatch(id string, tell time.Time) {
	b := m.batches[id]
	b.Told++
	at := m.clock.time().Add(batchPause)
	if tell.After(at) {
		at = tell
	}
	for key, n := range m.notices {
		if key.request == b.Lead && key.kind.OfBatch() {
			n.tell(b.Told, at)
		}
	}
}

// sentList is a form with several servers that somebody sent.
type sentList struct {
	batch cancellation.Batch
	all   []cancellation.Record
}

// submitList draws servers that overlap with those of other lists and of single requests, and slots of the day that
// may be taken or beyond its end.
func (m *machine) submitList(t *rapid.T) {
	id := fmt.Sprintf("list-%03d", len(m.lists))
	l := sentList{batch: cancellation.Batch{ID: id, Digest: id, Size: rapid.IntRange(2, 4).Draw(t, "servers")}}
	quota := cancellation.Quota{Requester: worker(t), Day: 20_000, Most: 8, Exact: true}
	_, last := m.model.taken(quota)
	quota.Slot = rapid.SampledFrom([]int64{last + 1, last + 1, 1, last + 2}).Draw(t, "first slot")
	first := rapid.Int64Range(1, 6).Draw(t, "first server")
	for i := range l.batch.Size {
		rec := asking(first + int64(i))
		rec.Request.ID, rec.Request.Batch = fmt.Sprintf("%s/%d", id, i), id
		rec.Request.State = rapid.SampledFrom([]cancellation.State{cancellation.Scheduled, cancellation.Pending}).Draw(t, "decision")
		rec.Request.Due, rec.Request.ExpiresAt = m.when(t, "due"), m.when(t, "expires")
		rec.Notices = nil
		l.all = append(l.all, rec)
	}
	if rapid.Bool().Draw(t, "the other way round") {
		slices.Reverse(l.all)
	}
	for i := range l.all {
		l.all[i].Request.Row, l.all[i].Quota = i, quota
		l.all[i].Quota.Slot += int64(i)
	}
	l.batch.Lead = l.all[0].Request.ID
	l.all[0].Notices = []cancellation.Notice{{RequestID: l.batch.Lead, Kind: cancellation.BatchResult, Place: cancellation.Place{Channel: "C0OPS"}, Due: m.when(t, "notice")}}
	m.lists = append(m.lists, l)
	m.deliverList(t, l)
}

func (m *machine) deliverListAgain(t *rapid.T) { m.deliverList(t, one(t, "list", m.lists)) }

func (m *machine) deliverList(t *rapid.T, l sentList) {
	want, no := m.model.recordBatch(l.batch, l.all)
	got, err := m.store(t).RecordBatch(t.Context(), l.batch, l.all)
	if refusedAlike(t, no, err) {
		return
	}
	require.Equal(t, want, got)
	m.requests = append(append(m.requests, got.Requests...), got.Held...)
}

// changeList makes steps of some requests of a list by one click, from what somebody once read of them.
func (m *machine) changeList(t *rapid.T) {
	l := one(t, "recorded list", slices.DeleteFunc(slices.Clone(m.lists), func(l sentList) bool { return m.model.batches[l.batch.ID] == nil }))
	var changes []cancellation.Change
	for _, r := range m.model.rowsOf(m.model.batches[l.batch.ID]) {
		if !rapid.Bool().Draw(t, "changed") {
			continue
		}
		if rapid.IntRange(0, 9).Draw(t, "read before") == 0 {
			r = one(t, "reading", slices.DeleteFunc(slices.Clone(m.requests), func(other cancellation.Request) bool { return other.ID != r.ID }))
		}
		legal := slices.DeleteFunc(after(r.State), func(to cancellation.State) bool {
			return to == cancellation.Filing && rapid.IntRange(0, 9).Draw(t, "filing") > 0
		})
		c := moved(r, rapid.SampledFrom(legal).Draw(t, "to"))
		c.Tell, c.To.Due = m.when(t, "tell"), m.when(t, "due")
		changes = append(changes, c)
	}
	if len(changes) == 0 {
		return
	}
	key := fmt.Sprint("click ", rapid.IntRange(0, 9).Draw(t, "click"))
	want, no := m.model.applyAll(key, changes)
	got, err := m.store(t).ApplyAll(t.Context(), key, changes)
	if !refusedAlike(t, no, err) {
		require.Equal(t, want, got)
		m.requests = append(m.requests, got...)
	}
}

// agreeOnLists reads all lists back: each is there whole, and no other.
func (m *machine) agreeOnLists(t *rapid.T, s *Store) {
	rows, err := s.read.Query(`select id from batches`)
	require.NoError(t, err)
	ids, err := collect(rows, func(from row) (id string, err error) { return id, from.Scan(&id) })
	require.NoError(t, err)
	require.Len(t, ids, len(m.model.batches))
	for _, id := range ids {
		want := m.model.batches[id]
		require.NotNil(t, want, "the list %s", id)
		b, requests, err := s.Batch(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want.Batch, b)
		require.Equal(t, m.model.rowsOf(want), requests)
	}
}
