package cancellation_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

func (w *world) batches() *cancellation.BatchDesk {
	return cancellation.NewBatchDesk(w.desk(), w.journal)
}

// list is a form for the first servers of the fleet, confirmed.
func (w *world) list(servers int, confirmation string) cancellation.BatchForm {
	w.t.Helper()
	w.fleet = max(w.fleet, int64(servers)-1)
	form := cancellation.BatchForm{Submission: goodSubmission()}
	form.Submission.Confirmation = confirmation
	for i := range servers {
		card, err := w.desk().Look(w.t.Context(), w.server.ID+int64(i))
		require.NoError(w.t, err)
		form.Cards = append(form.Cards, card)
	}
	return form
}

func (w *world) send(form cancellation.BatchForm) cancellation.BatchAnswer {
	w.t.Helper()
	answer, err := w.batches().Submit(w.t.Context(), form)
	require.NoError(w.t, err)
	return answer
}

func (w *world) states(batch string) (states []cancellation.State) {
	w.t.Helper()
	_, rows, err := w.journal.Batch(w.t.Context(), batch)
	require.NoError(w.t, err)
	for _, r := range rows {
		states = append(states, r.State)
	}
	return states
}

// none reports that no server of a form is asked for.
func (w *world) none(form cancellation.BatchForm, why string) {
	w.t.Helper()
	for _, card := range form.Cards {
		_, err := w.journal.Live(w.t.Context(), card.Server.ID)
		require.ErrorIs(w.t, err, cancellation.ErrNoRequest, why)
	}
}

func TestListIsConfirmedByItsNumber(t *testing.T) {
	for typed, right := range map[string]bool{
		"3": true, "3 servers": true, " 3  Servers ": true, "2": false, "": false, "three": false,
		"3 dogs": false, "33": false, "db-1.example.com": false, "3 servers please": false,
	} {
		t.Run(typed, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				form := w.list(3, typed)
				answer := w.send(form)
				if !right {
					assert.Equal(t, cancellation.BatchWrong, answer.Kind)
					assert.Equal(t, []cancellation.Problem{cancellation.ProblemConfirmation}, answer.Problems)
					w.none(form, "nothing is asked for without the right number")
					return
				}
				require.Equal(t, cancellation.BatchAccepted, answer.Kind)
				require.Len(t, answer.Requests, 3)
				again := w.send(form)
				assert.Equal(t, answer.Batch.ID, again.Batch.ID, "the same form again is the same batch")
			})
		})
	}
}

func TestListThatDoesNotFitRecordsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, w *world, form *cancellation.BatchForm)
		kind  cancellation.BatchAnswerKind
		row   int // of BatchChanged: which row does not fit
	}{
		"one server has an open ticket": {func(_ *testing.T, _ *world, form *cancellation.BatchForm) {
			form.Cards[1].Server.OpenTicket = &cancellation.TicketID{ID: 5}
		}, cancellation.BatchChanged, 1},
		"one server is another person's request meanwhile": {func(t *testing.T, w *world, form *cancellation.BatchForm) {
			s := goodSubmission()
			s.Card, s.View = form.Cards[2], "V9"
			s.Confirmation = s.Card.Server.FQDN
			answer, err := w.desk().Submit(t.Context(), s)
			require.NoError(t, err)
			require.Equal(t, cancellation.AnswerAccepted, answer.Kind)
		}, cancellation.BatchChanged, 2},
		"the reads are too old": {func(*testing.T, *world, *cancellation.BatchForm) {
			time.Sleep(cancellation.MaxCardAge + time.Second)
		}, cancellation.BatchStale, 0},
		"it has more than are left of the day": {func(_ *testing.T, w *world, _ *cancellation.BatchForm) {
			w.terms.ServersPerDay = 2
		}, cancellation.BatchTooMany, 0},
		"it has more than one form takes": {func(_ *testing.T, _ *world, form *cancellation.BatchForm) {
			form.Cards = slices.Repeat(form.Cards, 17)
		}, cancellation.BatchTooLong, 0},
		"nobody else could approve": {func(_ *testing.T, w *world, _ *cancellation.BatchForm) {
			w.needs(1)
			w.nobody = true
		}, cancellation.BatchChanged, 0},
		"the policy lets nobody ask": {func(_ *testing.T, w *world, _ *cancellation.BatchForm) {
			w.decision = authz.Decision{Effect: authz.Refused, Rule: "no", Reason: "no"}
		}, cancellation.BatchChanged, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				form := w.list(3, "3 servers")
				c.spoil(t, w, &form)
				answer := w.send(form)
				require.Equal(t, c.kind, answer.Kind)
				if c.kind == cancellation.BatchTooMany {
					assert.Equal(t, 2, answer.Room)
				}
				if c.kind == cancellation.BatchTooLong {
					assert.Equal(t, cancellation.MostRows, answer.Room)
				}
				if c.kind == cancellation.BatchChanged {
					require.Len(t, answer.Rows, 3)
					assert.False(t, answer.Rows[c.row].Fits())
				}
				_, err := w.journal.Live(t.Context(), form.Cards[0].Server.ID)
				require.ErrorIs(t, err, cancellation.ErrNoRequest, "all of a list is asked for, or nothing")
			})
		})
	}
}

func TestRefusedServersOfAListAreOnRecord(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := goodSubmission()
		form := w.list(3, "3")
		s.Card, s.View, s.Confirmation = form.Cards[2], "V9", form.Cards[2].Server.FQDN
		holds, err := w.desk().Submit(t.Context(), s)
		require.NoError(t, err)

		require.Equal(t, cancellation.BatchChanged, w.send(form).Kind)
		assert.Contains(t, w.kinds(holds.Request), cancellation.EventAskedAgain, "another request took it meanwhile")

		form.Cards[2], err = w.desk().Look(t.Context(), form.Cards[2].Server.ID)
		require.NoError(t, err)
		require.NotNil(t, form.Cards[2].Standing)
		before := len(w.kinds(holds.Request))
		require.Equal(t, cancellation.BatchChanged, w.send(form).Kind)
		assert.Len(t, w.kinds(holds.Request), before+1, "the card showed it already")

		form = w.list(2, "2")
		w.decision = authz.Decision{Effect: authz.Refused, Rule: "not-yours", Reason: "no"}
		var counted atomic.Int64
		desk := w.batches()
		desk.Denied = func(string) { counted.Add(1) }
		for range 2 { // delivered twice, it is on record once
			answer, err := desk.Submit(t.Context(), form)
			require.NoError(t, err)
			require.Equal(t, cancellation.BatchChanged, answer.Kind)
		}
		assert.EqualValues(t, 2, counted.Load(), "once for each server")
		w.none(form, "a denial holds no server")

		w.decision = authz.Decision{Effect: authz.Allowed, Rule: "yours"}
		assert.Equal(t, cancellation.BatchAccepted, w.send(form).Kind, "a denial stops nothing later")
	})
}

func TestOneVoteApprovesAWholeList(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		answer := w.send(w.list(4, "4"))
		require.Equal(t, cancellation.BatchAccepted, answer.Kind)
		press := cancellation.BatchPress{Batch: answer.Batch.ID, Digest: answer.Batch.Digest, By: raj, Key: "press of raj"}

		other := press
		other.Digest = "of another list"
		late, err := w.batches().Approve(t.Context(), other, nil, "")
		require.NoError(t, err)
		assert.Equal(t, cancellation.ClickLate, late.Kind, "an approval is bound to the list that was shown")

		struck := []string{answer.Requests[2].ID}
		_, err = w.batches().Approve(t.Context(), press, struck, "  ")
		require.ErrorIs(t, err, cancellation.ErrWhyMissing)
		click, err := w.batches().Approve(t.Context(), press, struck, "still in use")
		require.NoError(t, err)
		assert.Equal(t, cancellation.ClickDone, click.Kind)
		assert.Equal(t, 4, click.Done)
		want := []cancellation.State{cancellation.Scheduled, cancellation.Scheduled, cancellation.Declined, cancellation.Scheduled}
		assert.Equal(t, want, w.states(answer.Batch.ID))
		assert.Equal(t, "still in use", click.Requests[2].Why.Detail)

		again, err := w.batches().Approve(t.Context(), press, struck, "still in use")
		require.NoError(t, err)
		assert.Equal(t, cancellation.ClickRepeated, again.Kind, "a second press changes nothing")

		w.answers = slices.Repeat([]func(*world, cancellation.Order) cancellation.Outcome{ticketOfItsOwn}, 3)
		w.run(w.journal, time.Minute)
		posts, _ := w.snapshot()
		require.Len(t, posts, 3, "one ticket for each server that was approved, none for the one left out")
		for _, p := range posts {
			assert.NotEqual(t, answer.Requests[2].Submission.Card.Server.ID, p.order.Server)
		}
	})
}

// ticketOfItsOwn is a ticket that blocks no other server's.
func ticketOfItsOwn(w *world, o cancellation.Order) cancellation.Outcome {
	return cancellation.Outcome{Kind: cancellation.Made, Ticket: cancellation.TicketID{ID: 153572280 + o.Server}, Raw: "HTTP 200"}
}

func TestRequesterWithdrawsAWholeList(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		answer := w.send(w.list(3, "3"))
		press := cancellation.BatchPress{Batch: answer.Batch.ID, Digest: answer.Batch.Digest, By: raj, Key: "press 1"}
		click, err := w.batches().Withdraw(t.Context(), press)
		require.NoError(t, err)
		assert.Equal(t, cancellation.ClickRefused, click.Kind, "only who asked withdraws")
		assert.Equal(t, cancellation.RuleRequesterWithdraws, click.Decision.Rule)

		press.By, press.Key = goodSubmission().By, "press 2"
		click, err = w.batches().Withdraw(t.Context(), press)
		require.NoError(t, err)
		assert.Equal(t, 3, click.Done)
		assert.Equal(t, slices.Repeat([]cancellation.State{cancellation.Withdrawn}, 3), w.states(answer.Batch.ID))
		repeated, err := w.batches().Withdraw(t.Context(), press)
		require.NoError(t, err)
		assert.Equal(t, cancellation.ClickRepeated, repeated.Kind)
	})
}

func TestApprovalCountsForShownServersOnly(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		answer := w.send(w.list(3, "3"))
		press := cancellation.BatchPress{Batch: answer.Batch.ID, Digest: answer.Batch.Digest, Rows: []int{0, 2}, By: raj, Key: "press 1"}
		click, err := w.batches().Approve(t.Context(), press, nil, "")
		require.NoError(t, err)
		assert.Equal(t, 2, click.Done)
		want := []cancellation.State{cancellation.Scheduled, cancellation.Pending, cancellation.Scheduled}
		assert.Equal(t, want, w.states(answer.Batch.ID), "the second one was not on the approver's form")
	})
}

func TestServerLeftOutTooLateIsSaidSo(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		answer := w.send(w.list(2, "2"))
		press := cancellation.BatchPress{Batch: answer.Batch.ID, Digest: answer.Batch.Digest, Rows: []int{0}, By: raj, Key: "press 1"}
		_, err := w.batches().Approve(t.Context(), press, nil, "")
		require.NoError(t, err)
		w.answers = []func(*world, cancellation.Order) cancellation.Outcome{ticketOfItsOwn}
		w.run(w.journal, time.Minute)
		require.Equal(t, []cancellation.State{cancellation.Filed, cancellation.Pending}, w.states(answer.Batch.ID))

		press.Rows, press.Key = []int{0, 1}, "press 2"
		click, err := w.batches().Approve(t.Context(), press, []string{answer.Requests[0].ID}, "still in use")
		require.NoError(t, err)
		assert.Equal(t, 1, click.Done)
		assert.Equal(t, 1, click.Late, "the first one is filed, and cannot be left out any more")
	})
}

func TestListRecordedMeanwhileIsNotTurnedAway(t *testing.T) {
	for name, spoil := range map[string]func(w *world){
		"it took the day's last slots":   func(w *world) { w.terms.ServersPerDay = 3 },
		"people cannot be read any more": func(w *world) { w.personErr = errors.New("no answer") },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				form := w.list(3, "3")
				first := w.batches()
				desk := w.batches()
				desk.Directory = &meanwhile{Directory: w, do: func() {
					_, err := first.Submit(t.Context(), form)
					require.NoError(t, err)
					w.change(spoil)
					desk.Terms = w.terms
				}}
				answer, err := desk.Submit(t.Context(), form)
				require.NoError(t, err)
				assert.Equal(t, cancellation.BatchAccepted, answer.Kind)
				assert.Len(t, answer.Requests, 3)
			})
		})
	}
}

// wanted are the first servers of the fleet.
func (w *world) wanted(servers int) (all []cancellation.Wanted) {
	w.fleet = max(w.fleet, int64(servers)-1)
	for i := range servers {
		all = append(all, cancellation.Wanted{Server: w.server.ID + int64(i)})
	}
	return all
}

func TestListThatIsShownSlowlyStopsNoOther(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		desk, wanted := w.batches(), w.wanted(12)
		other, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var once sync.Once
		desk.Cards(t.Context(), wanted, func(int) {
			once.Do(func() { // Slack does not answer until another list was read
				for _, read := range desk.Cards(other, wanted, func(int) {}) {
					assert.NoError(t, read.Err, "a list waits for what Slack does with another one")
				}
			})
		})
	})
}

// slowServers is a SoftLayer that takes a minute for each server.
type slowServers struct{ cancellation.ServerReader }

func (s slowServers) Server(ctx context.Context, id int64) (cancellation.Server, error) {
	time.Sleep(time.Minute) // of virtual time
	return s.ServerReader.Server(ctx, id)
}

func TestAbandonedListWaitsForNoTurn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		desk, wanted := w.batches(), w.wanted(12)
		desk.Servers = slowServers{desk.Servers}
		var other sync.WaitGroup
		defer other.Wait()
		other.Go(func() { desk.Cards(t.Context(), wanted, func(int) {}) })
		synctest.Wait() // it has all turns
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		for _, read := range desk.Cards(ctx, wanted, func(int) {}) {
			require.ErrorIs(t, read.Err, context.DeadlineExceeded)
		}
		assert.Equal(t, time.Second, time.Since(began))
	})
}
