package store

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/postgrestest"
)

func TestTextsForTicketsAreKeptOnBothDatabases(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		keepsTexts(t, func(t *testing.T) Options { return Options{Path: migratedFile(t)} })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		all := postgrestest.NewSchemas(t, migratedSchema)
		keepsTexts(t, func(t *testing.T) Options { return Options{URL: all.Take(t)} })
	})
}

func keepsTexts(t *testing.T, options func(t *testing.T) Options) {
	for says, holds := range map[string]func(t *testing.T, one, other *Store, clock *hands){
		"one form is one text":                                     oneFormOneText,
		"SoftLayer is asked once to stop":                          oneStop,
		"a reply needs that its writer was shown the last one":     unseenReplies,
		"a request that is not filed takes none":                   noTextUnlessFiled,
		"one worker at a time has a text":                          oneSender,
		"a step, its event and what is told are one":               stepTold,
		"a reply is the last one, and ends what was proposed":      lastReply,
		"the replies of one form are recorded together, and once":  repliesTogether,
		"what shows the replies of a form is kept under one":       formTold,
		"after a failover a text that waits may have been written": doubtedText,
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			clock, o := newHands(), options(t)
			o.Clock = clock.time
			holds(t, open(t, o), open(t, o), clock)
		})
	}
}

// texting is the record of a text.
func texting(r cancellation.Request, id string, kind correspondence.Kind) correspondence.Record {
	return correspondence.Record{Request: r, Rule: "leads", Key: "key " + id, Update: correspondence.Update{
		ID: id, RequestID: r.ID, Kind: kind, State: correspondence.Recorded, Ref: cancellation.NewReference(),
		By: cancellation.Person{Team: "T1", ID: "U8", Name: "Raj"}, Text: "Contract 7.", Entry: "whole", Ticket: 17,
	}}
}

func textOf(t *testing.T, s *Store, rec correspondence.Record) correspondence.Update {
	t.Helper()
	receipt, err := s.RecordUpdate(t.Context(), rec)
	require.NoError(t, err)
	require.True(t, receipt.Fresh)
	return receipt.Update
}

// stepped makes a step of a text.
func stepped(t *testing.T, s *Store, r cancellation.Request, u correspondence.Update, to correspondence.State) correspondence.Update {
	t.Helper()
	next := u
	next.State, next.Due = to, time.Time{}
	stored, err := s.ApplyUpdate(t.Context(), correspondence.Change{
		From: u, To: next, Request: r, Actor: "worker", Tell: []cancellation.Notice{{RequestID: r.ID, Kind: cancellation.Written(u.Number, u.By.ID)}},
	})
	require.NoError(t, err)
	return stored
}

func oneFormOneText(t *testing.T, one, other *Store, _ *hands) {
	r := filedOne(t, one, 1)
	var delivered sync.WaitGroup
	var fresh [8]bool
	for i := range fresh {
		s := []*Store{one, other}[i%2]
		delivered.Go(func() {
			receipt, err := s.RecordUpdate(t.Context(), texting(r, "a", correspondence.Reply))
			fresh[i] = err == nil && receipt.Fresh
			if err != nil {
				assert.ErrorIs(t, err, cancellation.ErrRepeated)
			}
		})
	}
	delivered.Wait()
	count := 0
	for _, is := range fresh {
		if is {
			count++
		}
	}
	assert.Equal(t, 1, count)
	events, err := one.Events(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, cancellation.EventWritten, events[len(events)-1].Kind)
	assert.Contains(t, events[len(events)-1].Detail, `"Text":"whole"`)
	assert.Equal(t, "T1/U8", events[len(events)-1].Actor)
	read, err := other.UpdateByID(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, "Contract 7.", read.Text)
	assert.Equal(t, "Raj", read.By.Name)
	_, err = one.UpdateByID(t.Context(), "b")
	require.ErrorIs(t, err, correspondence.ErrNoUpdate)
}

func oneStop(t *testing.T, one, other *Store, _ *hands) {
	r := filedOne(t, one, 1)
	first := textOf(t, one, texting(r, "a", correspondence.Stop))
	second, err := other.RecordUpdate(t.Context(), texting(r, "b", correspondence.Stop))
	require.NoError(t, err)
	require.NotNil(t, second.Standing)
	assert.Equal(t, first.ID, second.Standing.ID)
	stepped(t, one, r, first, correspondence.NotSent)
	textOf(t, other, texting(r, "c", correspondence.Stop))
}

func unseenReplies(t *testing.T, one, other *Store, _ *hands) {
	r := filedOne(t, one, 1)
	proposal := texting(r, "p", correspondence.Reply)
	proposal.Update.State = correspondence.Proposing
	textOf(t, one, proposal)
	_, err := other.StandingReply(t.Context(), r.ID)
	require.ErrorIs(t, err, correspondence.ErrNoUpdate, "a proposal is not sent")

	var sent sync.WaitGroup
	receipts := [8]correspondence.Receipt{}
	for i := range receipts {
		s := []*Store{one, other}[i%2]
		sent.Go(func() {
			var err error
			receipts[i], err = s.RecordUpdate(t.Context(), texting(r, string(rune('a'+i)), correspondence.Reply))
			assert.NoError(t, err)
		})
	}
	sent.Wait()
	standing, err := other.StandingReply(t.Context(), r.ID)
	require.NoError(t, err)
	fresh := 0
	for _, receipt := range receipts {
		if receipt.Fresh {
			fresh++
			continue
		}
		if assert.NotNil(t, receipt.Standing) {
			assert.Equal(t, standing.ID, receipt.Standing.ID, "they read who was first")
		}
	}
	assert.Equal(t, 1, fresh, "of those who were shown none, one sends")

	next := texting(r, "next", correspondence.Reply)
	next.Replied = standing.Number
	textOf(t, other, next)
	stepped(t, one, r, standing, correspondence.NotSent)
	stop := texting(r, "stop", correspondence.Stop)
	textOf(t, one, stop)
}

// filedBatch is a batch of so many requests, all of them filed.
func filedBatch(t *testing.T, s *Store, count int) (rows []cancellation.Request) {
	t.Helper()
	b, all := batchOf("list", 501, count)
	made, err := s.RecordBatch(t.Context(), b, all)
	require.NoError(t, err)
	for _, r := range made.Requests {
		r = applied(t, s, moved(r, cancellation.Filing))
		rows = append(rows, applied(t, s, moved(r, cancellation.Filed)))
	}
	return rows
}

// repliesTo are the records of one form, with a text for each request.
func repliesTo(rows []cancellation.Request, form string) (all []correspondence.Record) {
	for _, r := range rows {
		all = append(all, texting(r, form+" "+r.ID, correspondence.Reply))
	}
	return all
}

func repliesTogether(t *testing.T, one, other *Store, clock *hands) {
	rows := filedBatch(t, one, 4)
	batch := rows[0].Batch
	ended := applied(t, one, moved(rows[3], cancellation.Reverted))
	standing := textOf(t, other, texting(rows[2], "before", correspondence.Reply))
	clock.pass(time.Second)

	var delivered sync.WaitGroup
	var receipts [6][]correspondence.Receipt
	for i := range receipts {
		s := []*Store{one, other}[i%2]
		delivered.Go(func() {
			all := repliesTo(rows, "form")
			if i%4 > 1 { // whichever way round they lock
				slices.Reverse(all)
			}
			got, err := s.RecordUpdates(t.Context(), "form", all)
			if err != nil {
				assert.ErrorIs(t, err, cancellation.ErrRepeated)
				return
			}
			if i%4 > 1 {
				slices.Reverse(got)
			}
			receipts[i] = got
		})
	}
	delivered.Wait()
	recordings := slices.DeleteFunc(receipts[:], func(r []correspondence.Receipt) bool { return r == nil })
	require.Len(t, recordings, 1, "one delivery records them")
	got := recordings[0]
	require.Len(t, got, 4)
	assert.True(t, got[0].Fresh && got[1].Fresh)
	require.NotNil(t, got[2].Standing, "its writer was not shown that reply")
	assert.Equal(t, standing.ID, got[2].Standing.ID)
	assert.True(t, got[3].Ended, "%s is over", ended.ID)

	replies, err := other.RepliesOf(t.Context(), batch)
	require.NoError(t, err)
	assert.Len(t, replies, 3)
	for _, r := range got[:2] {
		form, err := other.FormOf(t.Context(), batch, r.Update.Number)
		require.NoError(t, err)
		require.Len(t, form, 2, "the other reply is of another form")
		assert.ElementsMatch(t, []string{"form " + rows[0].ID, "form " + rows[1].ID}, []string{form[0].ID, form[1].ID})
	}
	_, err = one.RecordUpdates(t.Context(), "form", repliesTo(rows, "again"))
	require.ErrorIs(t, err, cancellation.ErrRepeated)

	none, err := one.RecordUpdates(t.Context(), "late", repliesTo(rows[3:], "late"))
	require.NoError(t, err)
	assert.True(t, none[0].Ended)
	_, err = one.RecordUpdates(t.Context(), "late", repliesTo(rows[3:], "late"))
	require.NoError(t, err, "a form that recorded nothing may be sent again")
}

func formTold(t *testing.T, one, other *Store, clock *hands) {
	rows := filedBatch(t, one, 2)
	got, err := one.RecordUpdates(t.Context(), "form", repliesTo(rows, "form"))
	require.NoError(t, err)
	first, second := got[0].Update, got[1].Update
	told := []cancellation.Notice{{RequestID: rows[0].ID, Kind: cancellation.Written(first.Number, "U8")}}
	before, err := one.Request(t.Context(), rows[1].ID)
	require.NoError(t, err)
	for _, u := range []correspondence.Update{first, second} {
		clock.pass(time.Second)
		next := u
		next.State, next.Due = correspondence.Sent, time.Time{}
		_, err := one.ApplyUpdate(t.Context(), correspondence.Change{From: u, To: next, Request: rows[1], Actor: "worker", Tell: told})
		require.NoError(t, err)
	}
	notices, err := other.Notices(t.Context(), rows[0].ID)
	require.NoError(t, err)
	due := 0
	for _, n := range notices {
		if n.Kind == told[0].Kind && !n.Due.IsZero() {
			due++
		}
	}
	assert.Equal(t, 1, due, "one message tells both")
	notices, err = other.Notices(t.Context(), rows[1].ID)
	require.NoError(t, err)
	assert.Empty(t, notices)
	after, err := one.Request(t.Context(), rows[1].ID)
	require.NoError(t, err)
	assert.Equal(t, before.Version, after.Version, "nothing of it is shown otherwise")

	_, err = one.write.ExecContext(t.Context(), `insert into followed (request_id, revision, looked_at, known_format, known, waits_since) values ($1, 1, 1, 1, '', 5)`, rows[1].ID)
	require.NoError(t, err)
	waits, err := other.WaitingOf(t.Context(), rows[0].Batch)
	require.NoError(t, err)
	assert.Equal(t, map[string]bool{rows[1].ID: true}, waits)
}

func noTextUnlessFiled(t *testing.T, one, _ *Store, _ *hands) {
	r := recorded(t, one, 1)
	receipt, err := one.RecordUpdate(t.Context(), texting(r, "a", correspondence.Reply))
	require.NoError(t, err)
	assert.True(t, receipt.Ended)
	_, err = one.UpdateByID(t.Context(), "a")
	require.ErrorIs(t, err, correspondence.ErrNoUpdate)
}

func oneSender(t *testing.T, one, other *Store, clock *hands) {
	r := filedOne(t, one, 1)
	textOf(t, one, texting(r, "a", correspondence.Reply))
	mine, found, _, err := taken(one.ClaimUpdates(t.Context(), "one", 10*time.Second, 4))
	require.NoError(t, err)
	require.True(t, found)
	_, found, _, err = taken(other.ClaimUpdates(t.Context(), "other", 10*time.Second, 4))
	require.NoError(t, err)
	assert.False(t, found)
	clock.pass(8 * time.Second)
	require.NoError(t, one.RenewUpdate(t.Context(), mine, "one", 10*time.Second))
	clock.pass(8 * time.Second)
	_, found, _, err = taken(other.ClaimUpdates(t.Context(), "other", 10*time.Second, 4))
	require.NoError(t, err)
	assert.False(t, found, "the lease was renewed")
	clock.pass(8 * time.Second)
	theirs, found, _, err := taken(other.ClaimUpdates(t.Context(), "other", 10*time.Second, 4))
	require.NoError(t, err)
	require.True(t, found, "it is over")
	_, err = one.ApplyUpdate(t.Context(), correspondence.Change{From: mine, To: mine, Request: r})
	require.ErrorIs(t, err, cancellation.ErrMoved)
	require.ErrorIs(t, one.RenewUpdate(t.Context(), mine, "one", time.Second), cancellation.ErrMoved)

	next := theirs
	next.State = correspondence.Sending
	sending, err := other.ApplyUpdate(t.Context(), correspondence.Change{From: theirs, To: next, Request: r, Actor: "other", Window: time.Minute, Keep: true})
	require.NoError(t, err)
	assert.Equal(t, clock.time().Add(time.Minute), sending.NotAfter)
	_, found, _, err = taken(one.ClaimUpdates(t.Context(), "one", time.Second, 4))
	require.NoError(t, err)
	assert.False(t, found, "the lease is kept")
}

func stepTold(t *testing.T, one, _ *Store, clock *hands) {
	r := filedOne(t, one, 1)
	u := textOf(t, one, texting(r, "a", correspondence.Stop))
	clock.pass(time.Minute)
	u = stepped(t, one, r, u, correspondence.Unknown)
	read, err := one.Request(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Greater(t, read.Version, r.Version, "what is told is another version")
	assert.Zero(t, read.StopAsked)
	stepped(t, one, r, u, correspondence.Sent)
	read, err = one.Request(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, clock.time(), read.StopAsked)
	notices, err := one.Notices(t.Context(), r.ID)
	require.NoError(t, err)
	due := map[cancellation.NoticeKind]bool{}
	for _, n := range notices {
		due[n.Kind] = !n.Due.IsZero()
	}
	assert.True(t, due[cancellation.Written(u.Number, "U8")])
	assert.True(t, due[cancellation.Result], "the request's message says so too")
	events, err := one.Events(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Contains(t, events[len(events)-1].Detail, `"State":"sent"`)
}

func lastReply(t *testing.T, one, other *Store, clock *hands) {
	r := filedOne(t, one, 1)
	_, sent, err := other.LastReply(t.Context(), r.ID)
	require.NoError(t, err)
	assert.False(t, sent)
	proposal := texting(r, "p", correspondence.Reply)
	proposal.Update.State = correspondence.Proposing
	textOf(t, one, proposal)
	last, err := other.LastProposal(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, "p", last.ID)
	u := textOf(t, one, texting(r, "a", correspondence.Reply))
	_, err = other.LastProposal(t.Context(), r.ID)
	require.ErrorIs(t, err, correspondence.ErrNoUpdate)
	_, sent, err = other.LastReply(t.Context(), r.ID)
	require.NoError(t, err)
	assert.False(t, sent, "it is not in the ticket yet")
	clock.pass(time.Minute)
	stepped(t, one, r, u, correspondence.Sent)
	at, sent, err := other.LastReply(t.Context(), r.ID)
	require.NoError(t, err)
	assert.True(t, sent)
	assert.Equal(t, clock.time(), at)
}

func doubtedText(t *testing.T, one, _ *Store, clock *hands) {
	r := filedOne(t, one, 1)
	textOf(t, one, texting(r, "a", correspondence.Reply))
	tx, err := one.write.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = recheck(t.Context(), tx, readSettled, clock.time().Add(time.Minute))
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	read, err := one.UpdateByID(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, correspondence.Unknown, read.State)
	assert.Equal(t, clock.time().Add(time.Minute), read.NotAfter)
}
