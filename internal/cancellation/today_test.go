package cancellation_test

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// aboveTwo wants two approvals from a person's third server of a day on.
const aboveTwo = `
@id("ask") permit (principal, action == Action::"request", resource);
@id("above-two") @approvals("2") permit (principal, action == Action::"request", resource) when { context.today > 2 };
@id("no-competitors") forbid (principal, action == Action::"request", resource) when { context.statedReason == "Moving to competitor" };
@id("approve") permit (principal, action == Action::"approve", resource);`

// countsNothing decides the same way whatever the day is.
const countsNothing = `
@id("ask") permit (principal, action == Action::"request", resource);
@id("approve") permit (principal, action == Action::"approve", resource);`

// under puts a policy into force.
func (w *world) under(text string) {
	w.t.Helper()
	policy, err := authz.Parse("policy.cedar", []byte(text))
	require.NoError(w.t, err)
	w.change(func(w *world) { w.rules = policy })
}

// fleetOf has more servers, and colleagues who approve.
func (w *world) fleetOf(servers int64) {
	w.change(func(w *world) {
		w.fleet = servers
		for _, id := range []string{"U2", "U3"} {
			w.others[id] = authz.Principal{Team: "T1", User: id, GroupsKnown: true}
		}
	})
}

func TestServersOfADayAtOnceAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		policy    string
		approvals []int // in the order of the day
	}{
		"a policy that counts them": {aboveTwo, []int{1, 1, 2, 2, 2, 2}},
		"a policy that does not":    {countsNothing, []int{1, 1, 1, 1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.fleetOf(10)
				w.under(c.policy)
				asked := make([]cancellation.Request, len(c.approvals))
				var all sync.WaitGroup
				for i := range asked {
					all.Go(func() {
						answer, err := w.asks(w.server.ID + int64(i))
						assert.NoError(t, err)
						asked[i] = answer.Request
					})
				}
				all.Wait()
				slices.SortFunc(asked, func(a, b cancellation.Request) int { return int(a.Submission.Today - b.Submission.Today) })
				for i, r := range asked {
					assert.EqualValues(t, 1, r.Submission.Count)
					assert.EqualValues(t, i+1, r.Submission.Today, "each is one of the day")
					assert.Equal(t, c.approvals[i], r.Decision.Approvals, "server %d of the day", i+1)
					assert.Equal(t, r.Submission, w.now(r).Submission, "as it is recorded")
				}
			})
		})
	}
}

func TestLaterDecisionsUseNumbersOfTheSubmission(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.fleetOf(10)
		w.under(aboveTwo)
		w.answers = slices.Repeat([]func(*world, cancellation.Order) cancellation.Outcome{madeElsewhere}, 4)
		var asked []cancellation.Request
		for n := range int64(4) {
			answer, err := w.asks(w.server.ID + n)
			require.NoError(t, err)
			asked = append(asked, answer.Request)
		}
		second, third := asked[1], asked[2]
		w.approve(second, raj)
		w.approve(third, raj)
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(second).State, "two more since then change nothing")
		assert.Equal(t, cancellation.Pending, w.now(third).State)
		posts, _ := w.snapshot()
		assert.Len(t, posts, 1)

		w.restart()
		time.Sleep(24 * time.Hour) // another day, on which its requester asked for nothing
		w.run(w.journal, time.Minute)
		require.Equal(t, cancellation.Pending, w.now(third).State)
		w.approve(third, kim)
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(third).State, w.now(third).Why)
		assert.Len(t, w.now(third).Approvals, 2)

		w.under(aboveTwo + `@id("not-the-fourth") forbid (principal, action, resource) when { context.today == 4 };`)
		powers, err := w.desk().Powers(t.Context(), cancellation.Press{Request: asked[3].ID, By: raj})
		require.NoError(t, err)
		assert.Equal(t, "not-the-fourth", powers.Approve.Rule)
	})
}

func TestDenialsAreNotCountedInTheDay(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.fleetOf(10)
		w.under(aboveTwo)
		for n := range int64(3) {
			s := goodSubmission()
			card, err := w.desk().Look(t.Context(), w.server.ID+n)
			require.NoError(t, err)
			s.Card, s.Reason = card, "Moving to competitor"
			answer := w.answer(s)
			require.Equal(t, cancellation.AnswerDenied, answer.Kind)
			assert.EqualValues(t, 1, answer.Request.Submission.Today, "the number that it was decided by")
		}
		today, err := w.desk().Today(t.Context(), w.person)
		require.NoError(t, err)
		assert.EqualValues(t, 1, today)
		answer, err := w.asks(w.server.ID)
		require.NoError(t, err)
		assert.EqualValues(t, 1, answer.Request.Submission.Today)
	})
}

func TestRequestOfUnknownDayIsNotGuessed(t *testing.T) {
	for name, c := range map[string]struct {
		policy string
		want   cancellation.State
		why    string
	}{
		"a policy that counts refuses it":   {aboveTwo, cancellation.Denied, "builtin-unread today"},
		"one that does not decides as ever": {countsNothing + `@id("alone") permit (principal, action == Action::"cancel", resource);`, cancellation.Filed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.under(c.policy)
				ref := cancellation.NewReference()
				r := cancellation.Request{ID: string(ref), Ref: ref, State: cancellation.Scheduled, PostsAllowed: 2, Submission: w.submission()}
				recorded, err := w.journal.Record(t.Context(), cancellation.Record{ // with no slot of the day
					Request: r, Event: cancellation.Event{Kind: cancellation.EventSubmitted},
				})
				require.NoError(t, err)
				require.Zero(t, recorded.Request.Submission.Today)
				w.run(w.journal, time.Minute)
				assert.Equal(t, c.want, w.now(r).State)
				assert.Contains(t, w.now(r).Why.String(), c.why)
			})
		})
	}
}

// listFrom is a confirmed form for so many servers of the fleet, from this one on.
func (w *world) listFrom(first int64, servers int, view string) cancellation.BatchForm {
	w.t.Helper()
	form := cancellation.BatchForm{Submission: goodSubmission()}
	form.Submission.View, form.Submission.Confirmation = view, strconv.Itoa(servers)
	for i := range servers {
		card, err := w.desk().Look(w.t.Context(), w.server.ID+first+int64(i))
		require.NoError(w.t, err)
		form.Cards = append(form.Cards, card)
	}
	return form
}

func TestListCountsAllItsServersForEach(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.fleetOf(20)
		w.under(aboveTwo)
		_, err := w.asks(w.server.ID)
		require.NoError(t, err)
		form := w.listFrom(1, 3, "V-list")
		ahead, err := w.batches().Judge(t.Context(), form)
		require.NoError(t, err)
		answer := w.send(form)
		require.Equal(t, cancellation.BatchAccepted, answer.Kind)
		for i, r := range answer.Requests {
			assert.Equal(t, 2, ahead[i].Decision.Approvals, "the review says so beforehand")
			assert.Equal(t, 2, w.now(r).Decision.Approvals, "the first of the list too")
			assert.EqualValues(t, 3, w.now(r).Submission.Count)
			assert.EqualValues(t, 4, w.now(r).Submission.Today)
		}
		single, err := w.asks(w.server.ID + 10)
		require.NoError(t, err)
		assert.EqualValues(t, 5, single.Request.Submission.Today)
	})
}

func TestListsOfADayAtOnceAreCounted(t *testing.T) {
	for name, policy := range map[string]string{"a policy that counts": aboveTwo, "one that does not": countsNothing} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.fleetOf(20)
				w.under(policy)
				answers := make([]cancellation.BatchAnswer, 4)
				forms := make([]cancellation.BatchForm, len(answers))
				for i := range forms {
					forms[i] = w.listFrom(int64(3*i), 2, strconv.Itoa(i))
				}
				var all sync.WaitGroup
				for i, form := range forms {
					all.Go(func() { answers[i] = w.send(form) })
				}
				all.Wait()
				var days []int64
				for _, answer := range answers {
					require.Equal(t, cancellation.BatchAccepted, answer.Kind)
					today := w.now(answer.Requests[0]).Submission.Today
					days = append(days, today)
					for _, r := range answer.Requests {
						assert.Equal(t, today, w.now(r).Submission.Today, "one number for all of a list")
						if policy == aboveTwo {
							assert.Equal(t, today > 2, w.now(r).Decision.Approvals == 2)
						}
					}
				}
				assert.ElementsMatch(t, []int64{2, 4, 6, 8}, days)
			})
		})
	}
}
