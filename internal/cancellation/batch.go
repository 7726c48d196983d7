package cancellation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/authz"
)

// MostRows is how many servers one form may have at most.
const MostRows = 50

// leastTurn is how long a request of a batch waits at least behind the one before it.
const leastTurn = 250 * time.Millisecond

// Turn is how long each request of a batch waits behind the one before it if SoftLayer may be called rate times a
// second: as long as its two calls take, so that requests of other people, which come later, are filed in between.
func Turn(rate float64) time.Duration {
	return max(time.Duration(callsEach/rate*float64(time.Second)), leastTurn)
}

// Batch is a form with several servers that a person sent. Each server has a request of its own, which
// keeps its own rules; the batch has the approvals and the messages.
type Batch struct {
	ID        string
	Digest    string // of its list: [ListDigest]
	Size      int    // servers in the form; leaving some out later does not lower it
	Lead      string // id of its first request, under which its notices are kept
	Told      int64  // counts the changes that people are told of; a message of the batch shows one of these
	CreatedAt time.Time
}

// BatchForm is a form with several servers that a person sent.
type BatchForm struct {
	Submission Submission // what its requests share: everything but the card
	Cards      []Card     // one for each server, in the order of the list
	Alone      bool       // a policy counts each of them as if it were the only one, because none is chosen yet
}

// row returns the submission of one server.
func (f BatchForm) row(i int) Submission {
	s := f.Submission
	s.Card = f.Cards[i]
	return s
}

// Digest returns the digest of the form's list.
func (f BatchForm) Digest() string {
	digests := make([]string, len(f.Cards))
	for i, card := range f.Cards {
		digests[i] = card.Server.Digest(f.Submission.Associated)
	}
	return ListDigest(digests)
}

// ID returns the batch's id. A form that is delivered twice has one id.
func (f BatchForm) ID(installation string) string {
	s := f.Submission
	return hashOf("batch", installation, s.Installation, s.By.Team, s.By.ID, s.View, f.Digest(), s.Reason, s.Content, s.Confirmation)
}

// ListDigest returns a hash of a list of servers, given by [Server.Digest]. Their order does not count.
func ListDigest(servers []string) string {
	return hashOf(slices.Insert(slices.Sorted(slices.Values(servers)), 0, "list")...)
}

func hashOf(values ...string) string {
	text, _ := json.Marshal(values) // plain strings
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Problems lists what the person has to correct before the form can be recorded.
func (f BatchForm) Problems() []Problem {
	found := f.Submission.TextProblems()
	if !confirmsCount(f.Submission.Confirmation, len(f.Cards)) {
		found = append(found, ProblemConfirmation)
	}
	return found
}

// confirmsCount reports whether a person typed how many servers the list has: "40" or "40 servers".
func confirmsCount(typed string, count int) bool {
	digits, word, _ := strings.Cut(strings.ToLower(strings.Join(strings.Fields(typed), " ")), " ")
	return digits == strconv.Itoa(count) && (word == "" || word == "servers" || word == "server")
}

// RecordedBatch is the store's answer to a batch.
type RecordedBatch struct {
	Batch    Batch
	Requests []Request // in the order of the list; none if something stopped it
	Fresh    bool      // this call made it
	Held     []Request // other live requests that hold servers of the list; nothing was recorded
	Full     bool      // the person's day has not enough slots left; nothing was recorded
}

// Batches records and changes several requests at once.
type Batches interface {
	// RecordBatch records all requests of a batch in one transaction, or none of them, once for each
	// id. The first record is the lead's. RecordedBatch says if something stopped it.
	// *SlotTakenError: a slot is taken, and Quota.Exact is set. Nothing was recorded.
	RecordBatch(ctx context.Context, b Batch, all []Record) (RecordedBatch, error)
	// ApplyAll commits changes of requests of one batch in one transaction, or none of them. The key
	// is that of the click that asks for all of them. ErrMoved and ErrRepeated are as in Apply.
	ApplyAll(ctx context.Context, key string, changes []Change) ([]Request, error)
}

// BatchDesk answers people about several servers at once.
type BatchDesk struct {
	*Desk
	Batches Batches

	reading chan struct{} // holds a token for each card of a list that is being read
}

// NewBatchDesk makes a desk for several servers.
func NewBatchDesk(d *Desk, b Batches) *BatchDesk {
	return &BatchDesk{Desk: d, Batches: b, reading: make(chan struct{}, readsAtOnce)}
}

// Wanted is a server of a list whose card is to be read.
type Wanted struct {
	Server int64
	ByHost bool // it was named by its host name alone, which others may have too
}

// CardRead is what reading one card led to.
type CardRead struct {
	Server int64
	Card   Card
	Err    error // ErrServerNotFound, or there is no answer
}

// readsAtOnce is how many cards of all lists are read at once, so that filing finds its turn among the calls.
const readsAtOnce = 4

// BatchAnswerKind is how a form with several servers ended.
type BatchAnswerKind int

const (
	// BatchAccepted: all requests are on disk. BatchAnswer.Batch and Requests are the rows.
	BatchAccepted BatchAnswerKind = iota
	// BatchWrong: the person has to correct BatchAnswer.Problems. Nothing was recorded.
	BatchWrong
	// BatchStale: a card is too old. Nothing was recorded.
	BatchStale
	// BatchChanged: some servers cannot be asked for, as BatchAnswer.Rows says. Nothing is asked for; that
	// those servers were refused is on record, as for single forms.
	BatchChanged
	// BatchTooMany: the list has more servers than this person may ask for today; BatchAnswer.Room says
	// how many fit. Nothing was recorded.
	BatchTooMany
	// BatchTooLong: the list has more servers than one form takes, which is BatchAnswer.Room, or none.
	// Nothing was recorded.
	BatchTooLong
)

// BatchAnswer is the answer to a form with several servers.
type BatchAnswer struct {
	Kind     BatchAnswerKind
	Batch    Batch
	Requests []Request
	Rows     []RowVerdict
	Problems []Problem
	Room     int
}

// Left returns how many servers a person may still ask for today.
func (d *BatchDesk) Left(ctx context.Context, by Person) (int, error) {
	a, err := d.applicant(ctx, by)
	if err != nil {
		return 0, err
	}
	next, err := d.nextSlot(ctx, a.principal, a.now, nil)
	return int(max(next.Most-next.Slot+1, 0)), err
}

// RowVerdict says whether one server of a list can be asked for, and why not.
type RowVerdict struct {
	Card     Card
	Decision authz.Decision // the policy's; Refused: this person may not ask for it
	Blockers []Blocker      // what stops it, whoever asks
	Held     *Request       // another live request holds it since the card was read
	Nobody   bool           // it needs approval, and nobody else could give it
	Unseen   bool           // it needs approval, and nobody who could give it would hear of it

	record Record
}

// Judge says of each server of the list whether this person can ask for it now. It records nothing.
func (d *BatchDesk) Judge(ctx context.Context, form BatchForm) ([]RowVerdict, error) {
	waiting, cancel := context.WithTimeout(ctx, MaxPrincipalWait)
	defer cancel()
	by, err := d.applicant(waiting, form.Submission.By)
	if err != nil {
		return nil, err
	}
	first, err := d.nextSlot(ctx, by.principal, by.now, nil)
	if err != nil {
		return nil, err
	}
	return d.judge(ctx, by, form.from(first))
}

// from returns the form with what a policy counts: its servers, and those of the day up to its last one.
func (f BatchForm) from(first Quota) BatchForm {
	size := int64(len(f.Cards))
	if f.Alone {
		size = 1
	}
	f.Submission.Count, f.Submission.Today = size, first.Slot+size-1
	return f
}

func (d *BatchDesk) judge(ctx context.Context, by applicant, form BatchForm) ([]RowVerdict, error) {
	verdicts := make([]RowVerdict, len(form.Cards))
	for i := range form.Cards {
		var err error
		if verdicts[i], err = d.judgeRow(ctx, by, form.row(i)); err != nil {
			return nil, err
		}
	}
	return verdicts, nil
}

func (d *BatchDesk) judgeRow(ctx context.Context, by applicant, s Submission) (RowVerdict, error) {
	v := RowVerdict{Card: s.Card, Blockers: s.Card.Blockers()}
	if s.Card.Standing.waits() { // a batch replaces no request
		v.Blockers = append(v.Blockers, BlockedByRequest)
	}
	var err error
	v.record, err = d.decideFor(ctx, by, s, v.Blockers)
	v.Decision = v.record.Request.Decision
	switch {
	case errors.Is(err, errNobody):
		v.Nobody = true
	case errors.Is(err, errUnseen):
		v.Unseen = true
	case err != nil && !errors.Is(err, errBlocked):
		return v, fmt.Errorf("deciding about server %d: %w", s.Card.Server.ID, err)
	}
	return v, nil
}

// Submit decides about and records a form with several servers: all of them or none. Only after it
// returned BatchAccepted may the person be told that anything was recorded. After an *UnclearError nobody
// can tell. Any other error means that nothing was recorded.
func (d *BatchDesk) Submit(ctx context.Context, form BatchForm) (BatchAnswer, error) {
	before, err := d.Recorded(ctx, form)
	if err == nil || !errors.Is(err, ErrNoRequest) || errors.Is(err, ErrUnclear) {
		return before, err
	}
	if size := len(form.Cards); size == 0 || size > MostRows {
		return BatchAnswer{Kind: BatchTooLong, Room: MostRows}, nil
	}
	if problems := form.Problems(); len(problems) > 0 {
		return BatchAnswer{Kind: BatchWrong, Problems: problems}, nil
	}
	answer, err := whileTaken(func(taken *SlotTakenError) (BatchAnswer, error) { return d.decideAll(ctx, form, taken) })
	if err != nil || answer.Kind != BatchAccepted { // an earlier delivery may have been recorded meanwhile
		before, looked := d.Recorded(ctx, form)
		certain := errors.Is(looked, ErrNoRequest) && !errors.Is(looked, ErrUnclear)
		if !certain && !errors.Is(err, ErrUnclear) {
			return before, looked
		}
	}
	return answer, err
}

// decideAll decides about each server of the list, and records them if all can be asked for. A
// *SlotTakenError says that nothing was recorded, because other requests took slots of the day since.
func (d *BatchDesk) decideAll(ctx context.Context, form BatchForm, taken *SlotTakenError) (BatchAnswer, error) {
	waiting, cancel := context.WithTimeout(ctx, MaxPrincipalWait)
	defer cancel()
	by, err := d.applicant(waiting, form.Submission.By)
	if err != nil {
		return BatchAnswer{}, err
	}
	if slices.ContainsFunc(form.Cards, func(c Card) bool { return !c.Fresh(by.now) }) {
		return BatchAnswer{Kind: BatchStale}, nil
	}
	first, err := d.nextSlot(ctx, by.principal, by.now, taken)
	if err != nil {
		return BatchAnswer{}, err
	}
	form = form.from(first)
	rows, err := d.judge(ctx, by, form)
	if err != nil {
		return BatchAnswer{}, err
	}
	if slices.ContainsFunc(rows, func(v RowVerdict) bool { return !v.Fits() }) {
		return d.changed(ctx, form, rows), nil
	}
	return d.recordAll(ctx, by, form, rows, first)
}

// Recorded returns the answer that an earlier delivery of the same form got. It returns ErrNoRequest
// alone if there certainly was none.
func (d *BatchDesk) Recorded(ctx context.Context, form BatchForm) (BatchAnswer, error) {
	b, requests, err := d.Requests.Batch(ctx, form.ID(d.Intake.Installation()))
	if err != nil {
		return BatchAnswer{}, fmt.Errorf("looking for the same form: %w", err)
	}
	return BatchAnswer{Kind: BatchAccepted, Batch: b, Requests: requests}, nil
}

// recordAll records the requests of a form whose servers all can be asked for. They take the slots of
// the day that they were decided for.
func (d *BatchDesk) recordAll(ctx context.Context, by applicant, form BatchForm, rows []RowVerdict, first Quota) (BatchAnswer, error) {
	left := int(first.Most - first.Slot + 1)
	if len(rows) > left {
		return BatchAnswer{Kind: BatchTooMany, Room: max(left, 0)}, nil
	}
	first.Exact = true
	b := Batch{
		ID: form.ID(d.Intake.Installation()), Digest: form.Digest(), Size: len(rows),
		Lead: rows[0].record.Request.ID, CreatedAt: by.now,
	}
	records := b.records(rows, first, d.Terms)
	records[0].Notices = b.notices(records, d.NotifyChannel, by.now)
	recorded, err := d.Batches.RecordBatch(ctx, b, records)
	if errors.Is(err, ErrUnclear) {
		if before, err := d.Recorded(ctx, form); err == nil {
			return before, nil
		}
		return BatchAnswer{}, &UnclearError{Ref: records[0].Request.Ref, Err: err}
	}
	if err != nil {
		return BatchAnswer{}, err
	}
	switch {
	case recorded.Full:
		return BatchAnswer{Kind: BatchTooMany, Room: max(left-1, 0)}, nil
	case len(recorded.Held) > 0:
		return d.changed(ctx, form, held(rows, recorded.Held)), nil
	case recorded.Fresh:
		d.Wake()
	}
	return BatchAnswer{Kind: BatchAccepted, Batch: recorded.Batch, Requests: recorded.Requests}, nil
}

// records returns the records of the batch's requests. The first of them takes this slot of the day.
func (b Batch) records(rows []RowVerdict, first Quota, t Terms) []Record {
	records := make([]Record, len(rows))
	for i, v := range rows {
		records[i] = inBatch(v.record, b, i, t)
		records[i].Quota = first
		records[i].Quota.Slot += int64(i)
	}
	return records
}

// inBatch makes a record one of a batch's. Its messages are the batch's.
func inBatch(rec Record, b Batch, row int, t Terms) Record {
	rec.Notices = nil
	rec.Request.Batch, rec.Request.Row = b.ID, row
	if rec.Request.State == Scheduled {
		rec.Request = rec.Request.inTurn(t)
	}
	return rec
}

// inTurn has a request of a batch wait for its turn to be filed.
func (r Request) inTurn(t Terms) Request {
	r.Due = r.Due.Add(time.Duration(r.Row) * t.Turn)
	return r
}

// held marks the servers that other requests hold.
func held(rows []RowVerdict, by []Request) []RowVerdict {
	for _, r := range by {
		for i := range rows {
			if rows[i].Card.Server.ID == r.Submission.Card.Server.ID {
				rows[i].Held = &r
			}
		}
	}
	return rows
}
