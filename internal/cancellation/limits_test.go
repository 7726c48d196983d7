package cancellation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// asks submits for one server of the fleet.
func (w *world) asks(server int64) (cancellation.Answer, error) {
	s := goodSubmission()
	card, err := w.desk().Look(w.t.Context(), server)
	require.NoError(w.t, err)
	s.Card, s.View = card, fmt.Sprint("V", server)
	return w.desk().Submit(w.t.Context(), s)
}

func TestDailyLimitOfServersHolds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.change(func(w *world) { w.fleet, w.terms.ServersPerDay = 10, 2 })
		for n := range int64(3) {
			answer, err := w.asks(w.server.ID + n)
			require.NoError(t, err)
			assert.Equal(t, n < 2, answer.Kind == cancellation.AnswerAccepted, "server %d", n+1)
		}
		full, err := w.desk().Full(t.Context(), w.person)
		require.NoError(t, err)
		assert.True(t, full, "a form would be filled in for nothing")
		time.Sleep(24 * time.Hour)
		answer, err := w.asks(w.server.ID + 5)
		require.NoError(t, err)
		assert.Equal(t, cancellation.AnswerAccepted, answer.Kind, "the next day")
	})
}

func TestRepeatedSubmissionNeverHearsThatNothingWasFiled(t *testing.T) {
	for name, meanwhile := range map[string]func(w *world){
		"it took the day's last place":     func(*world) {},
		"nobody could approve it any more": func(w *world) { w.nobody, w.others = true, map[string]authz.Principal{} },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				w.terms.ServersPerDay = 1
				s := w.submission()
				first := w.answer(s)
				require.Equal(t, cancellation.AnswerAccepted, first.Kind)
				w.change(meanwhile)
				again := w.answer(s)
				assert.Equal(t, cancellation.AnswerAccepted, again.Kind)
				assert.Equal(t, first.Request.ID, again.Request.ID)
			})
		})
	}
}

func TestLastSlotOfTheDayIsGivenOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.change(func(w *world) { w.fleet, w.terms.ServersPerDay = 10, 1 })
		answers := make([]cancellation.Answer, 4)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() {
				var err error
				answers[i], err = w.asks(w.server.ID + int64(i))
				assert.NoError(t, err)
			})
		}
		all.Wait()
		accepted := 0
		for _, a := range answers {
			if a.Kind == cancellation.AnswerAccepted {
				accepted++
			}
		}
		assert.Equal(t, 1, accepted)
	})
}

func TestRequestWithoutApprovalReplacesOneThatWaits(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		first := w.submit()
		w.run(w.journal, time.Minute)

		s := w.submission()
		s.View, s.By = "V2", raj
		assert.Equal(t, cancellation.AnswerHeld, w.answer(s).Kind, "not by one who needs approval as well")
		w.change(func(w *world) { w.decision = authz.Decision{Effect: authz.Allowed, Rule: "alone"} })
		answer := w.answer(s)
		require.Equal(t, cancellation.AnswerAccepted, answer.Kind)
		w.run(w.journal, time.Minute)
		ended := w.now(first)
		assert.Equal(t, cancellation.Withdrawn, ended.State)
		assert.Equal(t, cancellation.WhyTakenOver, ended.Why.Code)
		assert.Equal(t, "U2", ended.EndedBy.ID, "it says by whom")
		assert.Equal(t, cancellation.Filed, w.now(answer.Request).State)
		_, messages := w.snapshot()
		assert.Equal(t, cancellation.Withdrawn, messages[0].state, "and people are told")
		assert.Equal(t, cancellation.ClickLate, w.approve(first, kim).Kind)
	})
}

// madeElsewhere makes a ticket that is none of the world's one server.
func madeElsewhere(w *world, o cancellation.Order) cancellation.Outcome {
	return cancellation.Outcome{Kind: cancellation.Made, Ticket: cancellation.TicketID{ID: 1000 + o.Server}}
}

func TestBeyondTheHoursLimitFilingWaitsVisibly(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.change(func(w *world) {
			w.fleet, w.perHour = 10, 2
			w.answers = slices.Repeat([]func(*world, cancellation.Order) cancellation.Outcome{madeElsewhere}, 3)
		})
		for n := range int64(3) {
			_, err := w.asks(w.server.ID + n)
			require.NoError(t, err)
		}
		w.run(w.journal, 5*time.Minute)
		posts, messages := w.snapshot()
		assert.Len(t, posts, 2)
		waits := 0
		for _, m := range messages {
			if m.state == cancellation.Scheduled {
				waits++
			}
		}
		assert.Equal(t, 1, waits, "the third is told to wait")
		var why []string
		for n := range int64(3) {
			why = append(why, w.live(w.server.ID+n).Why.String())
		}
		assert.ElementsMatch(t, []string{"", "", "hour-full: 2"}, why)
		w.run(w.journal, time.Hour)
		posts, _ = w.snapshot()
		assert.Len(t, posts, 3, "it goes in the next hour")
	})
}

func TestUntakenFilingIsGivenBackToTheHour(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.change(func(w *world) {
			w.perHour = 2
			w.answers = slices.Repeat([]func(*world, cancellation.Order) cancellation.Outcome{rateLimited}, 5)
		})
		r := w.submit()
		w.run(w.journal, 5*time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State, w.now(r).Why)
		assert.Equal(t, []bool{true, false}, []bool{w.filesElsewhere(2), w.filesElsewhere(2)}, "next to the one that was filed")
	})
}

// filesElsewhere has another replica begin to file another request, unless the hour has so many.
func (w *world) filesElsewhere(most int) bool {
	w.t.Helper()
	ref := cancellation.NewReference()
	r := cancellation.Request{ID: string(ref), Ref: ref, State: cancellation.Scheduled, Submission: goodSubmission()}
	w.change(func(w *world) { w.elsewhere++; r.Submission.Card.Server.ID = 1_000_000 + w.elsewhere })
	recorded, err := w.journal.Record(w.t.Context(), cancellation.Record{Request: r, Event: cancellation.Event{Kind: cancellation.EventSubmitted}})
	require.NoError(w.t, err)
	next := recorded.Request
	next.State, next.Due = cancellation.Filing, time.Now().Add(24*time.Hour)
	_, err = w.journal.Apply(w.t.Context(), cancellation.Change{
		From: recorded.Request, To: next, Event: cancellation.Event{Kind: cancellation.EventMoved}, HourMost: most,
	})
	if _, full := errors.AsType[*cancellation.HourFullError](err); full {
		return false
	}
	require.NoError(w.t, err)
	return true
}

// turning is a journal on which the hour turns right after its first filing is counted, and
// another replica files at once in the next.
type turning struct {
	journal
	once      sync.Once
	elsewhere func()
}

func (j *turning) Apply(ctx context.Context, c cancellation.Change) (cancellation.Request, error) {
	r, err := j.journal.Apply(ctx, c)
	if err == nil && c.To.State == cancellation.Filing {
		j.once.Do(func() {
			time.Sleep(time.Until(r.SentAt.Truncate(time.Hour).Add(time.Hour))) // virtual
			j.elsewhere()
		})
	}
	return r, err
}

func TestFilingIsGivenBackToItsOwnHour(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.change(func(w *world) { w.perHour = 2 })
		time.Sleep(time.Hour - time.Second)
		w.answers = append(w.answers, rateLimited)
		r := w.submit()
		w.run(&turning{journal: w.journal, elsewhere: func() { w.filesElsewhere(2) }}, time.Minute)
		posts, _ := w.snapshot()
		require.Len(t, posts, 2, "SoftLayer did not take the first")
		require.Equal(t, cancellation.Filed, w.now(r).State)
		assert.False(t, w.filesElsewhere(2), "the hour has the other replica's and the second")
	})
}

func TestFrozenFilingSendsNothingUntilItEnds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		_, err := w.desk().Freeze(t.Context(), cancellation.Freeze{Frozen: true, Actor: "operator:root"})
		require.ErrorIs(t, err, cancellation.ErrWhyMissing)
		underWay, err := w.desk().Freeze(t.Context(), cancellation.Freeze{Frozen: true, Actor: "operator:root", Why: "an outage"})
		require.NoError(t, err)
		assert.Empty(t, underWay)
		r := w.submit()
		w.run(w.journal, time.Hour)
		posts, messages := w.snapshot()
		assert.Empty(t, posts)
		assert.Equal(t, cancellation.Reason{Code: cancellation.WhyFrozen, Detail: "an outage", By: "operator:root"}, w.now(r).Why)
		require.Len(t, messages, 1)
		assert.Equal(t, cancellation.Scheduled, messages[0].state, "people see what it waits for")
		_, err = w.desk().Freeze(t.Context(), cancellation.Freeze{Actor: "operator:root", Why: "over"})
		require.NoError(t, err)
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}

// lateFreeze orders a freeze when all checks of a filing are made, right before it begins.
type lateFreeze struct {
	journal
	once sync.Once
}

func (j *lateFreeze) Apply(ctx context.Context, c cancellation.Change) (cancellation.Request, error) {
	var err error
	if c.To.State == cancellation.Filing {
		j.once.Do(func() {
			err = j.journal.Freeze(ctx, cancellation.Freeze{Frozen: true, Actor: "operator:root", Why: "at the last moment"})
		})
	}
	if err != nil {
		return cancellation.Request{}, err
	}
	return j.journal.Apply(ctx, c)
}

func TestAFreezeAtTheMomentOfFilingHolds(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		w.run(&lateFreeze{journal: w.journal}, time.Hour)
		posts, _ := w.snapshot()
		assert.Empty(t, posts)
		assert.Equal(t, cancellation.Scheduled, w.now(r).State)
		assert.Zero(t, w.now(r).Posts)
	})
}

func TestFreezeNamesPostOfAnOwnerWithoutDatabase(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var r cancellation.Request
		var underWay []cancellation.Request
		w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
			w.mu.Unlock()
			time.Sleep(20 * time.Second) // longer than the lease
			require.Equal(t, cancellation.Unknown, w.now(r).State)
			var err error
			underWay, err = w.desk().Freeze(t.Context(), cancellation.Freeze{Frozen: true, Actor: "operator:root", Why: "an outage"})
			require.NoError(t, err)
			w.mu.Lock()
			return made(w, o)
		})
		r = w.submit()
		w.run(deaf{w.journal}, 2*time.Minute)
		require.Len(t, underWay, 1, "its ticket was made after the freeze was answered")
		assert.Equal(t, r.ID, underWay[0].ID)
	})
}

func TestWhatAnOperatorFrozeNobodyInSlackChanges(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.freezing = authz.Decision{Effect: authz.Allowed}
		byClick := func(order cancellation.Freeze) cancellation.FreezeClick {
			click, err := w.desk().FreezeByClick(t.Context(), raj, order)
			require.NoError(t, err)
			return click
		}
		require.NoError(t, w.journal.Freeze(t.Context(), cancellation.Freeze{Frozen: true, Actor: "operator:root", Why: "an outage"}))
		for _, order := range []cancellation.Freeze{{Why: "over"}, {Frozen: true, Why: "me too"}, {Why: "over, then"}} {
			click := byClick(order)
			assert.Equal(t, cancellation.ClickRefused, click.Kind)
			assert.Equal(t, cancellation.RuleOperatorsFreeze, click.Decision.Rule)
			assert.Equal(t, "operator:root", click.Stands.Actor)
			assert.Equal(t, "an outage", click.Stands.Why)
			stands, err := w.journal.Frozen(t.Context())
			require.NoError(t, err)
			assert.Equal(t, cancellation.Freeze{Frozen: true, Actor: "operator:root", Why: "an outage", At: stands.At, Number: stands.Number}, stands)
		}

		require.NoError(t, w.journal.Freeze(t.Context(), cancellation.Freeze{Actor: "operator:root", Why: "over"}))
		for _, order := range []cancellation.Freeze{{Frozen: true, Why: "an outage"}, {Why: "over"}} {
			assert.Equal(t, cancellation.ClickDone, byClick(order).Kind)
			stands, err := w.journal.Frozen(t.Context())
			require.NoError(t, err)
			assert.Equal(t, order.Frozen, stands.Frozen)
		}
	})
}

func TestFreezeNamesItsAuthorAndWhatGoesOn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var click cancellation.FreezeClick
		w.others["U2"], w.freezing = authz.Principal{Team: "T1", User: "U2"}, authz.Decision{Effect: authz.Allowed}
		w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
			w.mu.Unlock()
			defer w.mu.Lock()
			var err error
			click, err = w.desk().FreezeByClick(w.t.Context(), raj, cancellation.Freeze{Frozen: true, Why: "an outage"})
			require.NoError(w.t, err)
			return madeElsewhere(w, o)
		})
		r := w.submit()
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.ClickDone, click.Kind)
		require.Len(t, click.UnderWay, 1, "it was on its way before")
		assert.Equal(t, r.Ref, click.UnderWay[0].Ref)
		order, err := w.journal.Frozen(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "T1/U2", order.Actor)
		assert.True(t, order.Frozen)
	})
}

func TestWhoMayNotApproveFreezesNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.freezing = authz.Decision{Rule: "leads-only", Reason: "no"}
		click, err := w.desk().FreezeByClick(t.Context(), raj, cancellation.Freeze{Frozen: true, Why: "fun"})
		require.NoError(t, err)
		assert.Equal(t, cancellation.ClickRefused, click.Kind)
		order, err := w.journal.Frozen(t.Context())
		require.NoError(t, err)
		assert.False(t, order.Frozen)
	})
}

func TestAccountCalledBotIsNotTheBot(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "operator:root", cancellation.Operator("root"))
	assert.NotEqual(t, cancellation.RestoreActor, cancellation.Operator("bot"))
	assert.True(t, cancellation.Freeze{Actor: cancellation.Operator("bot")}.ByOperator())
}

func TestWorkersReadNoServerTooEarly(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]int{0.5: 1, 3: 2, 10: 8, 20: 16, 1000: 32} {
		assert.Equal(t, want, cancellation.Workers(rate), "at %v calls a second", rate)
	}
	const replicas, callsEach = 3, 2
	for rate := 2.0; rate < 200; rate++ {
		line := time.Duration(float64(replicas*callsEach*cancellation.Workers(rate)) / rate * float64(time.Second))
		assert.LessOrEqual(t, line, cancellation.MaxServerAge, "at %v calls a second", rate)
	}
}
