package store

import (
	"context"
	"errors"
	flags "flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/cleanroom"
	"cancel-server/internal/postgrestest"
)

// longCases is how many operations a case of a property has where all cases are tried:
// twice as many as else.
const longCases = "60"

func TestMain(m *testing.M) {
	if os.Getenv(cleanroom.Variable) != "" {
		if err := flags.Set("rapid.steps", longCases); err != nil {
			panic(err)
		}
	}
	cleanroom.MainInTurn(m)
}

func TestFileBehavesLikeTheModel(t *testing.T) {
	t.Parallel()
	dir, files := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		files++
		clock := newHands()
		verb := Options{Path: filepath.Join(dir, fmt.Sprint(files, ".db")), Clock: clock.time}
		serve := verb
		serve.Mode = Serve
		m := newMachine(clock, opened(t, serve), opened(t, verb))
		defer func() { closeAll(t, m.stores) }()
		m.restart = func(t *rapid.T) {
			m.begin(t, 0, serve)
			m.model.recheck(cancellation.RecheckOnce, time.Time{})
			m.model.voidLeases()
		}
		m.run(t)
	})
}

func TestPostgreSQLReplicasBehaveLikeTheModel(t *testing.T) {
	t.Parallel()
	at, clock := postgrestest.Schema(t)+"&sslmode=disable", newHands()
	beside := open(t, Options{URL: at})
	require.NoError(t, beside.Bind(t.Context(), sandbox))
	was := func(identity string) { alter(t, beside, `update binding set identity = `+identity) }
	o := Options{URL: at, Clock: clock.time, Mode: Serve, PostTimeout: 90 * time.Second}
	replicas := []*Store{opened(t, o), opened(t, o)}
	t.Cleanup(func() { closeAll(t, replicas) })
	rapid.Check(t, func(t *rapid.T) {
		empty(t, beside)
		m := newMachine(clock, replicas...)
		m.restart = func(t *rapid.T) {
			switch rapid.SampledFrom([]string{"there all the time", "restored", "started again"}).Draw(t, "the server was") {
			case "started again":
				was(`split_part(identity, ' ', 1) || ' 0'`)
				m.model.recheck(cancellation.RecheckOnce, time.Time{})
			case "restored":
				was(`'00000009' || substr(identity, 9)`)
				m.model.recheck(cancellation.RecheckSettled, clock.time().Add(o.PostTimeout))
			}
			m.begin(t, m.process(t), o)
		}
		m.run(t)
	})
}

// empty clears the tables of a PostgreSQL database for the next case: cheaper than another
// database, or truncating them.
func empty(t *rapid.T, s *Store) {
	_, err := s.write.Exec(`
		set session_replication_role = replica; -- no trigger keeps the events
		delete from notices; delete from events; delete from requests; delete from cards; delete from replicas;
		delete from batches; delete from used_keys;
		set session_replication_role = origin`)
	require.NoError(t, err)
}

// tester is what a test and a case of a property have in common.
type tester interface {
	require.TestingT
	Context() context.Context
}

func opened(t tester, o Options) *Store {
	s, err := Open(t.Context(), o)
	require.NoError(t, err)
	require.NoError(t, s.Bind(t.Context(), sandbox))
	return s
}

// machine does the same to the stores of one database and to a model, and holds what
// they answer and keep against each other. What workers once read they may act on at any
// later time, as a process does that was suspended.
type machine struct {
	clock   *hands
	model   *model
	stores  []*Store
	restart func(t *rapid.T)

	sent     []cancellation.Record  // delivered at least once
	lists    []sentList             // delivered at least once
	requests []cancellation.Request // as somebody read them at some time
	notices  []cancellation.Notice
}

func newMachine(clock *hands, stores ...*Store) *machine {
	return &machine{clock: clock, model: newModel(clock), stores: stores}
}

// begin has one process end, and another begin in its place.
func (m *machine) begin(t *rapid.T, process int, o Options) {
	require.NoError(t, m.stores[process].Close())
	m.stores[process] = opened(t, o)
}

func closeAll(t tester, stores []*Store) {
	for _, s := range stores {
		assert.NoError(t, s.Close())
	}
}

func (m *machine) run(t *rapid.T) {
	t.Repeat(map[string]func(*rapid.T){
		"a person submits":           m.submit,
		"a submission comes again":   m.deliverAgain,
		"a request takes over":       m.takeOver,
		"a list is submitted":        m.submitList,
		"a list comes again":         m.deliverListAgain,
		"a click changes a list":     m.changeList,
		"a worker claims":            m.claim,
		"a worker renews":            m.renew,
		"a worker makes a step":      m.step,
		"a worker goes on with it":   m.stepOfTheLatest,
		"somebody notes":             m.note,
		"a teller claims":            m.claimNotice,
		"a teller stores":            m.storeNotice,
		"a teller goes on with it":   m.storeTheLatest,
		"somebody looks for overdue": m.overdue,
		"a notice is owed":           m.owe,
		"a replica beats":            m.beat,
		"a card is kept":             m.keepCard,
		"time passes":                m.pass,
		"the next thing is due":      m.passToTheNext,
		"a process starts again":     m.restart,
		"":                           m.agree,
	})
	m.drain(t)
}

// store is the one of the deployment's processes that does the next thing.
func (m *machine) store(t *rapid.T) *Store { return m.stores[m.process(t)] }

func (m *machine) process(t *rapid.T) int {
	return rapid.IntRange(0, len(m.stores)-1).Draw(t, "process")
}

func worker(t *rapid.T) string {
	return rapid.SampledFrom([]string{"ana", "raj"}).Draw(t, "worker")
}

// sooner or later, in whole milliseconds, with the edges of leases among them.
func delay(t *rapid.T, name string) time.Duration {
	return rapid.SampledFrom([]time.Duration{
		0, time.Millisecond, time.Second, 5 * time.Second, lease - time.Millisecond, lease, time.Minute, time.Hour,
	}).Draw(t, name)
}

// when is a time from now on, or none.
func (m *machine) when(t *rapid.T, name string) time.Time {
	if rapid.Bool().Draw(t, name+" given") {
		return m.clock.time().Add(delay(t, name))
	}
	return time.Time{}
}

// refusedAlike holds an error to what the model says. It reports whether there is one.
func refusedAlike(t *rapid.T, want, got error) bool {
	taken, decidedForAnother := errors.AsType[*cancellation.SlotTakenError](want)
	switch {
	case want == nil:
		require.NoError(t, got)
	case decidedForAnother:
		found, _ := errors.AsType[*cancellation.SlotTakenError](got)
		require.Equal(t, taken, found)
	case want == errIllegal:
		require.Error(t, got)
		require.NotErrorIs(t, got, cancellation.ErrMoved)
	default:
		require.ErrorIs(t, got, want)
	}
	require.NotErrorIs(t, got, cancellation.ErrUnclear)
	return want != nil
}

func (m *machine) submission(t *rapid.T, server int64) cancellation.Record {
	rec := asking(server)
	rec.Request.ID = fmt.Sprintf("request-%03d", len(m.sent))
	rec.Request.Due = m.when(t, "due")
	rec.Notices[0].RequestID, rec.Notices[0].Due = rec.Request.ID, m.when(t, "notice")
	rec.Quota = cancellation.Quota{Requester: worker(t), Day: 20_000, Slot: rapid.Int64Range(0, 5).Draw(t, "place of the day"), Most: 5, Exact: rapid.Bool().Draw(t, "decided for it")}
	rec.Request.Submission.Today = rapid.SampledFrom([]int64{0, max(rec.Quota.Slot, 1)}).Draw(t, "servers of the day")
	rec.Notices[0].Place.ResponseURLUntil = m.clock.time().Add(delay(t, "response_url"))
	return rec
}

func (m *machine) deliver(t *rapid.T, rec cancellation.Record) {
	want, no := m.model.record(rec)
	got, err := m.store(t).Record(t.Context(), rec)
	if refusedAlike(t, no, err) {
		return
	}
	require.Equal(t, want, got)
	if !got.Full {
		m.requests = append(m.requests, m.model.requests[got.Request.ID].or(got.Held))
	}
}

// or is the request that a submission's answer shows.
func (r *modelRequest) or(held *cancellation.Request) cancellation.Request {
	if held != nil {
		return *held
	}
	return r.Request
}

func (m *machine) submit(t *rapid.T) {
	rec := m.submission(t, rapid.Int64Range(1, 3).Draw(t, "server"))
	switch rapid.IntRange(0, 5).Draw(t, "decision") {
	case 4:
		rec.Request.State, rec.Event.Kind, rec.Notices = cancellation.Denied, cancellation.EventDenied, nil
		rec.Quota.Slot = 0
	case 5:
		rec.Request.State, rec.Request.ExpiresAt = cancellation.Pending, m.when(t, "expires")
		rec.Notices = append(rec.Notices, cancellation.Notice{RequestID: rec.Request.ID, Kind: cancellation.ApprovalCard, Place: cancellation.Place{Channel: "C0OPS"}, Due: m.when(t, "card")})
	}
	m.sent = append(m.sent, rec)
	m.deliver(t, rec)
}

func (m *machine) deliverAgain(t *rapid.T) {
	m.deliver(t, one(t, "submission", m.sent))
}

func (m *machine) takeOver(t *rapid.T) {
	old := one(t, "filed request", slices.DeleteFunc(slices.Clone(m.requests), func(r cancellation.Request) bool {
		return r.State != cancellation.Filed
	}))
	rec := m.submission(t, old.Submission.Card.Server.ID)
	ending := moved(old, rapid.SampledFrom([]cancellation.State{cancellation.Reverted, cancellation.Reclaimed}).Draw(t, "to"))
	rec.Ending = &ending
	m.sent = append(m.sent, rec)
	m.deliver(t, rec)
}

// one of what there is; where there is nothing, another operation is drawn.
func one[T any](t *rapid.T, name string, of []T) T {
	if len(of) == 0 {
		t.Skip("there is no", name)
	}
	return of[rapid.IntRange(0, len(of)-1).Draw(t, name)]
}

// until is how long it is until then; zero for never.
func (m *machine) until(at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	return at.Sub(m.clock.time())
}

func (m *machine) claim(t *rapid.T) { m.claimed(t, worker(t)) }

func (m *machine) claimed(t *rapid.T, owner string) (found bool) {
	_, wantNext := m.model.due()
	most := rapid.IntRange(1, 3).Draw(t, "most")
	c, err := m.store(t).Claim(t.Context(), owner, lease, most)
	require.NoError(t, err)
	require.LessOrEqual(t, len(c.Rows), most)
	for _, got := range c.Rows {
		first, _ := m.model.due()
		require.Contains(t, first, got.ID, "what has been due the longest comes first")
		require.Equal(t, m.model.claim(got.ID, owner), got)
	}
	m.requests = append(m.requests, c.Rows...)
	if left, _ := m.model.due(); len(c.Rows) < most {
		require.Empty(t, left, "all that is due is claimed")
	}
	if len(c.Rows) == 0 {
		require.Equal(t, m.until(wantNext), c.Next, "when to look again")
	}
	return len(c.Rows) > 0
}

func (m *machine) renew(t *rapid.T) {
	r, owner := one(t, "request", m.requests), worker(t)
	want := m.model.renew(r, owner)
	refusedAlike(t, want, m.store(t).Renew(t.Context(), r, owner, lease))
}

func (m *machine) step(t *rapid.T) { m.stepFrom(t, one(t, "request", m.requests)) }

// stepOfTheLatest gives the straight path its weight.
func (m *machine) stepOfTheLatest(t *rapid.T) {
	m.stepFrom(t, one(t, "request", m.requests[max(0, len(m.requests)-1):]))
}

func (m *machine) stepFrom(t *rapid.T, from cancellation.Request) {
	c := moved(from, rapid.SampledFrom(cancellation.States()).Draw(t, "any state"))
	if legal := after(from.State); len(legal) > 0 && rapid.IntRange(0, 4).Draw(t, "illegal") < 4 {
		c = moved(from, rapid.SampledFrom(legal).Draw(t, "to"))
	}
	if rapid.IntRange(0, 4).Draw(t, "silent") == 4 {
		c.Event = cancellation.Event{}
	}
	c.Keep = rapid.Bool().Draw(t, "keep")
	c.Tell, c.To.Due = m.when(t, "tell"), m.when(t, "due")
	if !c.Tell.IsZero() && rapid.Bool().Draw(t, "told late") {
		c.Tell = c.Tell.Add(-time.Minute)
	}
	if rapid.Bool().Draw(t, "due after the step") {
		c.DueIn = delay(t, "due in")
	}
	c.To.NotAfter, c.To.CleanSince = m.when(t, "not after"), m.when(t, "clean since")
	c.To.SentAt = m.when(t, "sent")
	c.To.Why.Code = rapid.SampledFrom([]cancellation.ReasonCode{"", cancellation.WhyWaiting}).Draw(t, "why")
	c.To.Attempts = rapid.IntRange(0, 3).Draw(t, "attempts")
	c.To.Recheck = cancellation.Recheck(rapid.IntRange(0, 2).Draw(t, "recheck"))
	c.To.Ticket.ID = rapid.Int64Range(0, 2).Draw(t, "ticket")
	c.To.Approvals = nil
	for range rapid.IntRange(0, 2).Draw(t, "approvals") {
		c.To.Approvals = append(c.To.Approvals, cancellation.Approval{By: cancellation.Person{Team: "T0", ID: worker(t)}, At: m.clock.time(), Rule: "leads"})
	}
	c.To.ExpiresAt, c.To.UndoUntil, c.To.Reminded = m.when(t, "expires"), m.when(t, "undo until"), rapid.Bool().Draw(t, "reminded")
	if rapid.Bool().Draw(t, "owes") {
		kind := noticeKind(t)
		if _, gathers := kind.Gathers(); gathers && c.From.Batch != "" {
			kind = cancellation.ApprovalCard // what a batch gathers is in gathered_test.go
		}
		c.Owe = []cancellation.Notice{{Kind: kind, Place: cancellation.Place{Channel: "C0OPS"}, Due: m.when(t, "owed")}}
	}

	want, no := m.model.apply(c)
	got, err := m.store(t).Apply(t.Context(), c)
	if !refusedAlike(t, no, err) {
		require.Equal(t, want, got)
		m.requests = append(m.requests, got)
	}
}

// after are the states that may follow one, itself among them.
func after(state cancellation.State) []cancellation.State {
	return slices.DeleteFunc(cancellation.States(), func(to cancellation.State) bool {
		return to != state && !follows(state, to)
	})
}

func (m *machine) note(t *rapid.T) {
	id := rapid.SampledFrom([]string{"request-000", "request-001", "request-002"}).Draw(t, "id")
	event := cancellation.Event{Kind: cancellation.EventAskedAgain, Actor: "T0/U0RAJ"}
	want := m.model.note(id, event)
	refusedAlike(t, want, m.store(t).Note(t.Context(), id, event))
}

func (m *machine) claimNotice(t *rapid.T) { m.claimedNotice(t, worker(t)) }

func (m *machine) claimedNotice(t *rapid.T, owner string) (found bool) {
	_, wantNext := m.model.dueNotices()
	m.model.sweep()
	most := rapid.IntRange(1, 3).Draw(t, "most")
	c, err := m.store(t).ClaimNotices(t.Context(), owner, lease, most)
	require.NoError(t, err)
	require.LessOrEqual(t, len(c.Rows), most)
	for _, got := range c.Rows {
		first, _ := m.model.dueNotices()
		key := noticeKey{got.RequestID, got.Kind}
		require.Contains(t, first, key, "what has been due the longest comes first")
		require.Equal(t, m.model.claimNotice(key, owner), got)
	}
	m.notices = append(m.notices, c.Rows...)
	if left, _ := m.model.dueNotices(); len(c.Rows) < most {
		require.Empty(t, left, "all that is due is claimed")
	}
	if len(c.Rows) == 0 {
		require.Equal(t, m.until(wantNext), c.Next, "when to look again")
	}
	return len(c.Rows) > 0
}

func (m *machine) storeNotice(t *rapid.T) { m.storeFrom(t, one(t, "notice", m.notices)) }

func (m *machine) storeTheLatest(t *rapid.T) {
	m.storeFrom(t, one(t, "notice", m.notices[max(0, len(m.notices)-1):]))
}

func (m *machine) storeFrom(t *rapid.T, n cancellation.Notice) {
	n.Shown = rapid.Int64Range(n.Shown, n.Shown+3).Draw(t, "shown")
	n.Posting, n.Due = rapid.Bool().Draw(t, "posting"), m.when(t, "due")
	if rapid.Bool().Draw(t, "due after the step") {
		n.DueIn = delay(t, "due in")
	}
	n.Posts++
	n.Channel, n.TS = "C0OPS", fmt.Sprint(n.Posts, ".", n.Version)
	if rapid.Bool().Draw(t, "response_url used") {
		n.Place.ResponseURL = ""
	}
	keep := rapid.Bool().Draw(t, "keep")
	want, no := m.model.applyNotice(n, keep)
	got, err := m.store(t).ApplyNotice(t.Context(), n, keep)
	if !refusedAlike(t, no, err) {
		require.Equal(t, want, got)
		m.notices = append(m.notices, got)
	}
}

func (m *machine) overdue(t *rapid.T) {
	age := delay(t, "age")
	got, err := m.store(t).Overdue(t.Context(), age, cancellation.Request{}, 1000)
	require.NoError(t, err)
	require.Equal(t, m.model.overdue(age), got)
}

func noticeKind(t *rapid.T) cancellation.NoticeKind {
	return rapid.SampledFrom([]cancellation.NoticeKind{
		cancellation.Result, cancellation.ApprovalCard, cancellation.Reminder, cancellation.Alarm, cancellation.Direct("U0RAJ"), cancellation.BatchCard,
	}).Draw(t, "kind")
}

func (m *machine) owe(t *rapid.T) {
	id := rapid.SampledFrom([]string{"request-000", "request-001", "request-002"}).Draw(t, "id")
	place := cancellation.Place{Channel: "COPS"}
	kind := noticeKind(t)
	want := m.model.owe(id, cancellation.Notice{Kind: kind, Place: place, Due: m.clock.time()})
	first, err := m.store(t).Owe(t.Context(), id, kind, place)
	require.NoError(t, err)
	require.Equal(t, want, first)
}

func (m *machine) beat(t *rapid.T) {
	owner := worker(t)
	want := m.model.beat(owner, 20*time.Second)
	got, err := m.store(t).Heartbeat(t.Context(), owner, 20*time.Second)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func (m *machine) keepCard(t *rapid.T) {
	s, digest := m.store(t), rapid.SampledFrom([]string{"one", "two"}).Draw(t, "digest")
	there := m.model.card(digest)
	data, err := s.Card(t.Context(), digest)
	if there {
		require.NoError(t, err)
		require.Equal(t, digest, string(data))
	} else {
		require.ErrorIs(t, err, cancellation.ErrNoCard)
	}
	m.model.cards[digest] = m.clock.time()
	require.NoError(t, s.KeepCard(t.Context(), digest, []byte(digest)))
}

func (m *machine) pass(t *rapid.T) { m.clock.pass(delay(t, "time")) }

// passToTheNext goes to the very moment at which something is to be had again.
func (m *machine) passToTheNext(t *rapid.T) {
	_, request := m.model.due()
	_, notice := m.model.dueNotices()
	next := one(t, "next", slices.DeleteFunc([]time.Time{request, notice}, time.Time.IsZero))
	m.clock.pass(next.Sub(m.clock.time()))
}

// agree reads everything back through one of the stores.
func (m *machine) agree(t *rapid.T) {
	s := m.stores[0]
	rows := keptRequests(t, s)
	require.Len(t, rows, len(m.model.requests))
	live := map[int64]string{}
	for _, r := range rows {
		require.Equal(t, *m.model.requests[r.ID], r)
		if server := r.Submission.Card.Server.ID; r.State.Live() {
			require.Empty(t, live[server], "at most one live request a server")
			live[server] = r.ID
		}
	}
	m.agreeOnLists(t, s)
	notices := keptNotices(t, s)
	require.Len(t, notices, len(m.model.notices))
	for _, n := range notices {
		require.Equal(t, *m.model.notices[noticeKey{n.RequestID, n.Kind}], n)
	}
}

// drain shows that nothing is left behind: long after, with every worker dead, all that
// there is to do is handed out, each once.
func (m *machine) drain(t *rapid.T) {
	m.clock.pass(2 * time.Hour)
	for m.claimed(t, "alive") || m.claimedNotice(t, "alive") {
	}
	for _, r := range m.model.requests {
		if slices.Contains(cancellation.WorkStates(), r.State) {
			require.Equal(t, "alive", r.owner, "request %s is worked on", r.ID)
		}
	}
	for key, n := range m.model.notices {
		if !n.owedAt.IsZero() {
			require.Equal(t, "alive", n.owner, "what is owed of %v is told", key)
		}
	}
	m.agree(t)
}

// keptRequests are all rows of requests with their leases and their events.
func keptRequests(t require.TestingT, s *Store) []modelRequest {
	rows, err := s.read.Query(`select ` + requestColumns + `, coalesce(lease_owner, ''), lease_until,
		requester, coalesce(quota_day, 0), coalesce(quota_slot, 0) from requests`)
	require.NoError(t, err)
	all, err := collect(rows, func(from row) (r modelRequest, err error) {
		r.Request, err = scanRequest(from, &r.owner, (*stamp)(&r.until), &r.quota.Requester, &r.quota.Day, &r.quota.Slot)
		return r, err
	})
	require.NoError(t, err)
	events := keptEvents(t, s)
	for i := range all {
		all[i].events = events[all[i].ID]
	}
	return all
}

// keptEvents are the events by request, whose numbers must have no gap.
func keptEvents(t require.TestingT, s *Store) map[string][]cancellation.Event {
	type numbered struct {
		id  string
		seq int
		cancellation.Event
	}
	rows, err := s.read.Query(`select request_id, seq, at, kind, actor, from_state, to_state, detail from events order by request_id, seq`)
	require.NoError(t, err)
	all, err := collect(rows, func(from row) (e numbered, err error) {
		return e, from.Scan(&e.id, &e.seq, (*stamp)(&e.At), &e.Kind, &e.Actor, &e.From, &e.To, &e.Detail)
	})
	require.NoError(t, err)
	events := map[string][]cancellation.Event{}
	for _, e := range all {
		events[e.id] = append(events[e.id], e.Event)
		require.Equal(t, len(events[e.id]), e.seq, "a history has no gap")
	}
	return events
}

// keptNotices are all rows of notices with their leases and what they owe.
func keptNotices(t require.TestingT, s *Store) []modelNotice {
	rows, err := s.read.Query(`select ` + noticeColumns + ` from notices order by request_id, kind`)
	require.NoError(t, err)
	all, err := collect(rows, func(from row) (n modelNotice, err error) {
		n.Notice, err = scanNotice(from)
		return n, err
	})
	require.NoError(t, err)
	rows, err = s.read.Query(`select owed, owed_at, coalesce(lease_owner, ''), lease_until from notices order by request_id, kind`)
	require.NoError(t, err)
	var i int
	_, err = collect(rows, func(from row) (none struct{}, err error) {
		n := &all[i]
		i++
		return none, from.Scan(&n.owed, (*stamp)(&n.owedAt), &n.owner, (*stamp)(&n.until))
	})
	require.NoError(t, err)
	return all
}
