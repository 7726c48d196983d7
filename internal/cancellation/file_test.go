package cancellation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

func TestDenialAtFilingIsRecordedWithItsRule(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		w.change(func(w *world) { w.decision = authz.Decision{Rule: "freeze", Reason: "not today"} })
		w.run(w.journal, time.Minute)
		stored := w.now(r)
		assert.Equal(t, "freeze", stored.Decision.Rule)
		events, err := w.journal.Events(t.Context(), r.ID)
		require.NoError(t, err)
		last := events[len(events)-1].Parsed()
		assert.Equal(t, []string{"freeze", "freeze: not today"}, []string{last.Rule, last.Why})
	})
}

func TestPermissionAtFilingIsRecordedWithItsRule(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		w.change(func(w *world) { w.decision = authz.Decision{Effect: authz.Allowed, Rule: "another"} })
		w.run(w.journal, time.Minute)
		assert.Equal(t, "another", w.now(r).Decision.Rule)
		events, err := w.journal.Events(t.Context(), r.ID)
		require.NoError(t, err)
		require.Equal(t, cancellation.Filing, events[1].To)
		said := events[1].Parsed()
		assert.Equal(t, []string{"another", "another"}, []string{said.Rule, said.Why}, "the rule alone: it has no reason to tell")
	})
}

func TestEachPostIsOnRecordWithItsAnswer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, lostBefore)
		r := w.submit()
		w.runs(w.worker(w.journal), time.Hour)
		require.Equal(t, cancellation.Filed, w.now(r).State)
		posts, _ := w.snapshot()
		require.Len(t, posts, 2)
		events, err := w.journal.Events(t.Context(), r.ID)
		require.NoError(t, err)
		var sent []cancellation.Order
		var answers []cancellation.Answered
		for _, e := range events {
			said := e.Parsed()
			if said.Sent != nil {
				sent = append(sent, *said.Sent)
				assert.Equal(t, cancellation.Filing, e.To, "it is on record before it is sent")
				assert.Equal(t, said.Rule, w.now(r).Decision.Rule)
				assert.NotZero(t, said.People)
				assert.NotZero(t, said.Server)
				assert.Equal(t, len(sent) == 2, !said.Clean.IsZero(), "what was read before the second one")
			}
			if said.Answer != nil {
				answers = append(answers, *said.Answer)
			}
		}
		for i, post := range posts {
			assert.Equal(t, post.order, sent[i], "word for word")
		}
		assert.Equal(t, []cancellation.Answered{
			{Kind: cancellation.AnswerLost, Text: "connection reset"},
			{Kind: cancellation.Made, Ticket: w.now(r).Ticket.ID, Raw: "HTTP 200"},
		}, answers)
	})
}

func TestUnknownPendingCancellationFilesNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		w.change(func(w *world) { w.server.Billing.PendingKnown = false })
		w.run(w.journal, time.Minute)
		posts, _ := w.snapshot()
		assert.Empty(t, posts, "unread is not no")
		assert.Equal(t, cancellation.Scheduled, w.now(r).State)
		w.change(func(w *world) { w.server.Billing.PendingKnown = true })
		w.run(w.journal, 5*time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}

func TestPeopleAreFreshEnoughForThePost(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		r := w.submit()
		w.approve(r, raj)
		slack, records := &people{Directory: w, late: 25 * time.Second, oldest: map[string]time.Time{}}, &slow{ServerReader: w}
		records.by.Store(int64(4 * time.Second))
		worker := w.worker(w.journal)
		worker.Directory, worker.Servers = slack, records
		w.runs(worker, time.Minute)
		posts, _ := w.snapshot()
		require.Len(t, posts, 1)
		for _, who := range []string{"U1", "U2"} {
			assert.LessOrEqual(t, posts[0].at.Sub(slack.oldest[who]), cancellation.MaxPrincipalAge, who)
		}
	})
}

func TestNothingIsSentOnOldReads(t *testing.T) {
	const most = 15 * time.Second // for a person, before the server is read
	for name, c := range map[string]struct {
		person, server time.Duration
		sent           bool
	}{
		"the server just fresh enough":  {0, cancellation.MaxServerAge, true},
		"the server a moment too old":   {0, cancellation.MaxServerAge + time.Millisecond, false},
		"the person just fresh enough":  {most, cancellation.MaxServerAge, true},
		"the person a moment too old":   {most + time.Millisecond, cancellation.MaxServerAge, false},
		"the person old, and not alone": {2 * most, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.submit()
				records := &slow{ServerReader: w}
				records.by.Store(int64(c.server))
				worker := w.worker(w.journal)
				worker.Directory, worker.Servers = lingering{w, c.person}, records
				w.runs(worker, time.Minute)
				posts, _ := w.snapshot()
				assert.Equal(t, c.sent, len(posts) == 1)
			})
		})
	}
}

// lingering is a directory that takes its time to answer.
type lingering struct {
	cancellation.Directory
	by time.Duration
}

func (l lingering) Principal(ctx context.Context, who cancellation.Person, groups []string, maxAge time.Duration) (authz.Principal, error) {
	time.Sleep(l.by)
	return l.Directory.Principal(ctx, who, groups, maxAge)
}

// people answers with what is just fresh enough, and late the first time.
type people struct {
	cancellation.Directory
	late   time.Duration
	oldest map[string]time.Time // by user
}

func (p *people) Principal(ctx context.Context, who cancellation.Person, groups []string, maxAge time.Duration) (authz.Principal, error) {
	p.oldest[who.ID] = time.Now().Add(-maxAge)
	time.Sleep(p.late)
	p.late = 0
	return p.Directory.Principal(ctx, who, groups, maxAge)
}

// flaky is a journal whose database takes nothing for a while when an answer is recorded.
type flaky struct {
	journal
	left int
}

func (f *flaky) Apply(ctx context.Context, c cancellation.Change) (cancellation.Request, error) {
	if c.From.State == cancellation.Filing && f.left > 0 {
		f.left--
		return cancellation.Request{}, context.DeadlineExceeded
	}
	return f.journal.Apply(ctx, c)
}

func TestAnswerIsRecordedOnceTheDatabaseAcceptsIt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
			out := made(w, o)
			w.tickets[0].FirstRead = false // only the answer says that it is ours
			return out
		})
		r := w.submit()
		w.run(&flaky{journal: w.journal, left: 2}, time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}

func TestWaitingLongDoesNotFillTheHistory(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		w.change(func(w *world) { w.personErr = errors.New("ratelimited") })
		w.run(w.journal, time.Hour)
		assert.Equal(t, []string{cancellation.EventSubmitted, cancellation.EventMoved}, w.kinds(r))
	})
}

func TestPracticeEndsWhereThePostWouldBe(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.perHour = 1
		for _, view := range []string{"V1", "V2"} {
			s := w.submission()
			s.View = view
			answer, err := w.desk().Submit(t.Context(), s)
			require.NoError(t, err)
			require.Equal(t, cancellation.AnswerAccepted, answer.Kind, "the server is free again, and the hour has room for one filing")
			r := answer.Request
			w.approve(r, raj)
			practice := w.worker(w.journal)
			practice.Writer = nil
			w.runs(practice, time.Minute)
			stored := w.now(r)
			assert.Equal(t, cancellation.Rejected, stored.State)
			assert.Equal(t, cancellation.Reason{Code: cancellation.WhyPractice}, stored.Why)
			assert.Zero(t, stored.Posts)
		}
		posts, _ := w.snapshot()
		assert.Empty(t, posts)
	})
}
