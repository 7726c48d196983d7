package store

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
)

// model is what a store must hold and answer, written as plain values with one clock:
// no SQL, no groups, nobody else at the same time.
type model struct {
	clock    *hands
	requests map[string]*modelRequest
	notices  map[noticeKey]*modelNotice
	replicas map[string]time.Time // when each was heard of
	cards    map[string]time.Time // when each was kept
	batches  map[string]*modelBatch
	keys     map[string]bool // of clicks, that were used
}

type modelRequest struct {
	cancellation.Request
	quota cancellation.Quota
	leased
	events []cancellation.Event
}

type modelNotice struct {
	cancellation.Notice
	leased
	owed   int64 // the version that people are to see at least
	owedAt time.Time
}

type noticeKey struct {
	request string
	kind    cancellation.NoticeKind
}

// leased is who has a row, and until when.
type leased struct {
	owner string
	until time.Time
}

func (l leased) free(now time.Time) bool { return !l.until.After(now) }

// errIllegal stands for a refusal with no name of its own.
var errIllegal = errors.New("the state table does not have it")

func newModel(clock *hands) *model {
	return &model{
		clock: clock, requests: map[string]*modelRequest{}, notices: map[noticeKey]*modelNotice{},
		replicas: map[string]time.Time{}, cards: map[string]time.Time{}, batches: map[string]*modelBatch{}, keys: map[string]bool{},
	}
}

// sorted are the requests in the order in which they came.
func (m *model) sorted() []*modelRequest {
	return slices.SortedFunc(maps.Values(m.requests), func(a, b *modelRequest) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
}

func (m *model) live(server int64) *modelRequest {
	for _, r := range m.requests {
		if r.Submission.Card.Server.ID == server && r.State.Live() {
			return r
		}
	}
	return nil
}

func (m *model) record(rec cancellation.Record) (cancellation.Recorded, error) {
	if known := m.requests[rec.Request.ID]; known != nil {
		return cancellation.Recorded{Request: known.Request}, nil
	}
	if again := m.deniedBefore(rec); again != nil {
		again.Repeats++
		again.UpdatedAt = m.clock.time()
		return cancellation.Recorded{Request: again.Request}, nil
	}
	if rec.Ending != nil {
		if old := m.requests[rec.Ending.From.ID]; old.Version == rec.Ending.From.Version {
			if err := m.decidedForAnother(rec.Quota); err != nil {
				return cancellation.Recorded{}, err
			}
			if m.full(rec.Quota) {
				return cancellation.Recorded{}, cancellation.ErrDayFull
			}
		}
		if _, err := m.apply(*rec.Ending); err != nil {
			return cancellation.Recorded{}, err
		}
	}
	if live := m.live(rec.Request.Submission.Card.Server.ID); live != nil && rec.Request.State.Live() {
		return cancellation.Recorded{Held: new(live.Request)}, nil
	}
	if err := m.decidedForAnother(rec.Quota); err != nil {
		return cancellation.Recorded{}, err
	}
	if m.full(rec.Quota) {
		return cancellation.Recorded{Full: true}, nil
	}
	place := m.placeOf(rec.Quota)
	if s := &rec.Request.Submission; s.Today > 0 {
		s.Today += place - rec.Quota.Slot
	} else {
		s.Today = place
	}
	rec.Quota.Slot, rec.Quota.Most, rec.Quota.Exact = place, 0, false
	return cancellation.Recorded{Request: m.insert(rec), Fresh: true}, nil
}

// deniedBefore is the denial of a day that this one repeats.
func (m *model) deniedBefore(rec cancellation.Record) *modelRequest {
	for _, r := range m.requests {
		if rec.Request.State == cancellation.Denied && r.State == cancellation.Denied && r.Version == 1 &&
			r.quota.Requester == rec.Quota.Requester && r.Why == rec.Request.Why &&
			r.Submission.Card.Server.ID == rec.Request.Submission.Card.Server.ID &&
			r.CreatedAt.After(m.clock.time().Add(-24*time.Hour)) {
			return r
		}
	}
	return nil
}

// placeOf is the place that a request gets: its own, or the one behind all where another
// has that.
func (m *model) placeOf(q cancellation.Quota) int64 {
	if taken, last := m.taken(q); taken {
		return last + 1
	}
	return q.Slot
}

// taken reports whether a request has that place of a person's day, and which place is the last.
func (m *model) taken(q cancellation.Quota) (taken bool, last int64) {
	for _, r := range m.requests {
		if r.quota.Requester == q.Requester && r.quota.Day == q.Day {
			taken, last = taken || r.quota.Slot == q.Slot, max(last, r.quota.Slot)
		}
	}
	return taken && q.Slot != 0, last
}

// decidedForAnother refuses a request that was decided for a place which another one has.
func (m *model) decidedForAnother(q cancellation.Quota) error {
	if taken, last := m.taken(q); taken && q.Exact {
		return &cancellation.SlotTakenError{Day: q.Day, Next: last + 1}
	}
	return nil
}

func (m *model) full(q cancellation.Quota) bool { return q.Slot != 0 && m.placeOf(q) > q.Most }

func (m *model) insert(rec cancellation.Record) cancellation.Request {
	now := m.clock.time()
	r := rec.Request
	r.Format, r.Version, r.CreatedAt, r.Since, r.UpdatedAt, r.Due = r.WrittenFormat(), 1, now, now, now, m.dueAt(r)
	r.Submission.Place.ResponseURL, r.Submission.Place.ResponseURLUntil = "", time.Time{}
	event := rec.Event
	event.At, event.From, event.To = now, cancellation.New, r.State
	m.requests[r.ID] = &modelRequest{Request: r, events: []cancellation.Event{event}, quota: rec.Quota}
	for _, n := range rec.Notices {
		first := &modelNotice{Notice: n, owedAt: n.Due}
		first.Version = 1
		if latest := now.Add(30 * time.Minute); first.Place.ResponseURLUntil.After(latest) {
			first.Place.ResponseURLUntil = latest
		}
		m.notices[noticeKey{r.ID, n.Kind}] = first
	}
	return r
}

// dueAt: a request that the worker has work with is never without a time.
func (m *model) dueAt(r cancellation.Request) time.Time {
	if r.Due.IsZero() && slices.Contains(cancellation.WorkStates(), r.State) {
		return m.clock.time()
	}
	return r.Due
}

// notPast is a time, or now if that has passed.
func (m *model) notPast(at time.Time) time.Time {
	if now := m.clock.time(); at.Before(now) {
		return now
	}
	return at
}

func (m *model) apply(c cancellation.Change) (cancellation.Request, error) {
	r := m.requests[c.From.ID]
	switch {
	case c.From.State != c.To.State && (c.Event.Kind == "" || !follows(c.From.State, c.To.State)):
		return cancellation.Request{}, errIllegal
	case r.Version != c.From.Version:
		return cancellation.Request{}, cancellation.ErrMoved
	}
	now := m.clock.time()
	if c.DueIn > 0 {
		c.To.Due = now.Add(c.DueIn)
	}
	next := c.To
	next.Repeats = r.Repeats // counted next to the version
	next.Version, next.UpdatedAt, next.Due = r.Version+1, now, m.dueAt(c.To)
	if c.From.State != c.To.State {
		next.Since = now
	}
	r.Request = next
	if !c.Keep || !slices.Contains(cancellation.WorkStates(), c.To.State) {
		r.leased = leased{}
	}
	if c.Event.Kind != "" {
		c.Event.At, c.Event.From, c.Event.To = now, c.From.State, c.To.State
		r.events = append(r.events, c.Event)
	}
	switch {
	case c.Tell.IsZero():
	case next.Batch != "":
		m.tellBatch(next.Batch, c.Tell)
	default:
		for key, n := range m.notices {
			if key.request == r.ID && !key.kind.Once() && !key.kind.OfBatch() {
				n.tell(next.Version, m.notPast(c.Tell))
			}
		}
	}
	for _, n := range c.Owe {
		n.Due = m.notPast(n.Due)
		m.owe(r.ID, n)
	}
	return next, nil
}

func follows(from, to cancellation.State) bool {
	return cancellation.May(from, to, cancellation.ByWorker) || cancellation.May(from, to, cancellation.ByPerson) ||
		cancellation.May(from, to, cancellation.ByCard) || cancellation.May(from, to, cancellation.ByFollower)
}

// tell brings the notice forward; a post whose answer is awaited keeps its time.
func (n *modelNotice) tell(version int64, at time.Time) {
	n.owed = version
	if n.owedAt.IsZero() {
		n.owedAt = at
	}
	if n.Due.IsZero() || n.Due.After(at) && !n.Posting {
		n.Due = at
	}
}

func (m *model) note(id string, e cancellation.Event) error {
	r := m.requests[id]
	if r == nil {
		return cancellation.ErrNoRequest
	}
	e.At, e.From, e.To = m.clock.time(), r.State, r.State
	r.events = append(r.events, e)
	return nil
}

// due are the ids of what may be claimed first, or else when there is something next.
func (m *model) due() (first []string, next time.Time) {
	var all []claimable[string]
	for _, r := range m.requests {
		if slices.Contains(cancellation.WorkStates(), r.State) {
			all = append(all, claimable[string]{r.ID, r.Due, r.leased})
		}
	}
	return firstDue(all, m.clock.time())
}

func (m *model) dueNotices() (first []noticeKey, next time.Time) {
	var all []claimable[noticeKey]
	for key, n := range m.notices {
		if !n.Due.IsZero() {
			all = append(all, claimable[noticeKey]{key, n.Due, n.leased})
		}
	}
	return firstDue(all, m.clock.time())
}

type claimable[K any] struct {
	key K
	due time.Time
	leased
}

// firstDue are those that have been due the longest and that nobody has; where there are
// none, next is when the first of all is to be had.
func firstDue[K any](all []claimable[K], now time.Time) (first []K, next time.Time) {
	var earliest time.Time
	for _, c := range all {
		switch {
		case c.due.After(now) || !c.free(now):
		case len(first) == 0 || c.due.Before(earliest):
			first, earliest = []K{c.key}, c.due
		case c.due.Equal(earliest):
			first = append(first, c.key)
		}
		at := c.due
		if c.until.After(at) {
			at = c.until
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	if len(first) > 0 {
		next = time.Time{}
	}
	return first, next
}

func (m *model) claim(id, owner string) cancellation.Request {
	r := m.requests[id]
	r.Version++
	r.leased = leased{owner, m.clock.time().Add(lease)}
	return r.Request
}

func (m *model) renew(r cancellation.Request, owner string) error {
	if now := m.requests[r.ID]; now.Version == r.Version && now.owner == owner {
		now.until = m.clock.time().Add(lease)
		return nil
	}
	return cancellation.ErrMoved
}

// sweep erases each response_url whose life is over.
func (m *model) sweep() {
	for _, n := range m.notices {
		if until := n.Place.ResponseURLUntil; !until.IsZero() && !until.After(m.clock.time()) {
			n.Place.ResponseURL, n.Place.ResponseURLUntil = "", time.Time{}
		}
	}
}

func (m *model) claimNotice(key noticeKey, owner string) cancellation.Notice {
	n := m.notices[key]
	n.Version++
	n.leased = leased{owner, m.clock.time().Add(lease)}
	return n.Notice
}

func (m *model) applyNotice(given cancellation.Notice, keep bool) (cancellation.Notice, error) {
	n := m.notices[noticeKey{given.RequestID, given.Kind}]
	if n.Version != given.Version {
		return cancellation.Notice{}, cancellation.ErrMoved
	}
	url := n.Place
	if given.DueIn > 0 {
		given.Due, given.DueIn = m.clock.time().Add(given.DueIn), 0
	}
	n.Notice = given
	n.Version++
	n.Place.ResponseURL, n.Place.ResponseURLUntil = url.ResponseURL, url.ResponseURLUntil
	if given.Place.ResponseURL == "" {
		n.Place.ResponseURL = ""
	}
	switch {
	case !given.Due.IsZero():
	case given.Shown < n.owed && n.Kind.OfBatch():
		n.Due = m.clock.time().Add(batchPause)
	case given.Shown < n.owed:
		n.Due = m.clock.time()
	default:
		n.owedAt = time.Time{}
	}
	if !keep || n.Due.IsZero() {
		n.leased = leased{}
	}
	return n.Notice, nil
}

// owe owes one notice of each kind of a request.
func (m *model) owe(id string, n cancellation.Notice) (first bool) {
	key := noticeKey{id, n.Kind}
	if m.notices[key] != nil || m.requests[id] == nil {
		return false
	}
	n.RequestID, n.Version = id, 1
	owed := m.requests[id].Version
	if n.Kind.OfBatch() { // it owes the batch's changes
		owed = 0
	}
	m.notices[key] = &modelNotice{Notice: n, owed: owed, owedAt: n.Due}
	return true
}

func (m *model) overdue(age time.Duration) (all []cancellation.Overdue) {
	before := m.clock.time().Add(-age)
	for _, r := range m.sorted() {
		o := cancellation.Overdue{Request: r.Request}
		for _, kind := range []cancellation.NoticeKind{cancellation.Result, cancellation.BatchResult} {
			n := m.notices[noticeKey{r.ID, kind}]
			if n != nil && !n.owedAt.IsZero() && !n.owedAt.After(before) && (o.Owed.IsZero() || n.owedAt.Before(o.Owed)) {
				o.Owed = n.owedAt
			}
		}
		slow := slices.Contains([]cancellation.State{cancellation.Filing, cancellation.Unknown, cancellation.Stuck}, r.State)
		if slow && !r.Since.After(before) || !o.Owed.IsZero() {
			all = append(all, o)
		}
	}
	return all
}

func (m *model) beat(owner string, silence time.Duration) (serving int) {
	now := m.clock.time()
	m.replicas[owner] = now
	for _, seen := range m.replicas {
		if seen.After(now.Add(-silence)) {
			serving++
		}
	}
	return serving
}

func (m *model) card(digest string) (there bool) {
	kept, known := m.cards[digest]
	return known && kept.After(m.clock.time().Add(-24*time.Hour))
}

// recheck is what becomes of unfinished requests where the database may be an old one.
func (m *model) recheck(how cancellation.Recheck, notAfter time.Time) {
	for _, r := range m.requests {
		if r.State == cancellation.Stuck || slices.Contains(cancellation.WorkStates(), r.State) {
			r.Version++
			r.CleanSince = time.Time{}
			r.Recheck = max(r.Recheck, how)
			if notAfter.After(r.NotAfter) {
				r.NotAfter = notAfter
			}
		}
	}
}

// voidLeases is what a file's next process does with those of the one before.
func (m *model) voidLeases() {
	for _, r := range m.requests {
		r.leased = leased{}
	}
	for _, n := range m.notices {
		if !n.until.IsZero() {
			n.Version++
		}
		n.leased = leased{}
	}
}
