package cancellation_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// told counts the messages of a kind that people see.
func (w *world) told(kind cancellation.NoticeKind) (count int) {
	_, messages := w.snapshot()
	for _, m := range messages {
		if m.kind == kind {
			count++
		}
	}
	return count
}

func (w *world) ticketsFor(servers int) {
	w.answers = slices.Repeat([]func(*world, cancellation.Order) cancellation.Outcome{ticketOfItsOwn}, servers)
}

func TestEndOfAListStaysOwed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.ticketsFor(2)
		w.refusing = map[cancellation.NoticeKind]int{cancellation.BatchResult: 4} // the channel and a direct message, twice
		answer := w.send(w.list(2, "2"))
		w.run(w.journal, 40*time.Minute)
		require.Equal(t, slices.Repeat([]cancellation.State{cancellation.Filed}, 2), w.states(answer.Batch.ID))
		assert.Equal(t, 1, w.told(cancellation.BatchResult), "people are told as soon as Slack takes it")
	})
}

func TestUneditableListIsToldOnceMore(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.ticketsFor(5)
		w.refusing = map[cancellation.NoticeKind]int{cancellation.BatchResult: 100}
		form := w.list(5, "5")
		form.Submission.Place.ResponseURL, form.Submission.Place.ResponseURLUntil = "https://hooks.slack.com/commands/1", time.Now().Add(30*time.Minute)
		w.needs(1)
		answer := w.send(form)
		w.run(w.journal, time.Minute)
		for _, r := range answer.Requests { // one after the other
			w.approve(r, raj)
			w.run(w.journal, time.Minute)
		}
		w.run(w.journal, 5*time.Minute)
		require.Equal(t, slices.Repeat([]cancellation.State{cancellation.Filed}, 5), w.states(answer.Batch.ID))
		assert.Equal(t, 2, w.responses, "that it was asked, and how it ended")
	})
}

func TestLaterApprovalOfAListOwesOneCard(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.notify = "COPS"
		answer := w.send(w.list(3, "3"))
		w.needs(1)
		w.run(w.journal, time.Minute)
		require.Equal(t, slices.Repeat([]cancellation.State{cancellation.Pending}, 3), w.states(answer.Batch.ID))
		assert.Equal(t, 1, w.told(cancellation.BatchCard))
		assert.Zero(t, w.told(cancellation.ApprovalCard), "no card for each server")
	})
}

func TestFirstCutoffOfAListRemindsInTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.idle = time.Hour
		form := w.list(3, "3")
		near := *form.Cards[2].Server.Billing
		near.NextBillDate = time.Now().Add(72 * time.Hour).Format(time.RFC3339)
		form.Cards[2].Server.Billing, form.Cards[2].Cutoff = &near, time.Now().Add(24*time.Hour).Format(time.RFC3339)
		w.send(form)
		w.run(w.journal, 20*time.Hour-time.Minute)
		assert.Zero(t, w.told(cancellation.Reminder))
		w.run(w.journal, 2*time.Minute)
		assert.Equal(t, 1, w.told(cancellation.Reminder), "four hours before the cut-off of the third server")
		w.run(w.journal, 50*time.Hour)
		assert.Equal(t, 1, w.told(cancellation.Reminder), "once for all of them")
	})
}

func TestPeopleAskedDirectlyAboutAListAreReminded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.idle = time.Hour
		form := w.list(3, "3")
		form.Submission.Place.Channel, form.Submission.Place.ChannelName = "", ""
		answer := w.send(form)
		w.run(w.journal, 67*time.Hour)
		assert.Equal(t, 1, w.told(cancellation.BatchDirect("U2")))
		assert.Zero(t, w.told(cancellation.DirectReminder("U2")))
		w.run(w.journal, 2*time.Hour)
		for _, user := range []string{"U2", "U3", "U4"} {
			assert.Equal(t, 1, w.told(cancellation.DirectReminder(user)), "once for all servers")
		}
		assert.Zero(t, w.told(cancellation.DirectReminder("U1")), "nobody reminds the requester")
		assert.Contains(t, w.kinds(answer.Requests[0]), cancellation.EventReminded)
	})
}

func TestRequesterIsToldIfNobodyIsAsked(t *testing.T) {
	for said, refused := range map[string][]string{"somebody is asked": {"U2", "U3"}, "nobody could be asked": {"U2", "U3", "U4"}} {
		t.Run(said, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				form := w.list(3, "3")
				form.Submission.Place.Channel, form.Submission.Place.ChannelName = "", ""
				w.refusing = map[cancellation.NoticeKind]int{}
				for _, user := range refused {
					w.refusing[cancellation.BatchDirect(user)] = 99
				}
				w.send(form)
				w.run(w.journal, 2*time.Hour)
				assert.Equal(t, len(refused)-2, w.told(cancellation.BatchDirect("U1")), said)
			})
		})
	}
}
