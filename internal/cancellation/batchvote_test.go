package cancellation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/store"
)

// pressedOn is a press of a button under a batch's message.
func pressedOn(b cancellation.Batch, by cancellation.Person) cancellation.BatchPress {
	return cancellation.BatchPress{Batch: b.ID, Digest: b.Digest, By: by, Key: pressed(b.ID, by).Key}
}

func TestRefusedClickOnAListIsOnRecord(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		answer := w.send(w.list(3, "3"))
		w.change(func(w *world) { w.may = map[string]bool{} })
		var counted []string
		desk := w.batches()
		desk.Denied = func(rule string) { counted = append(counted, rule) }
		_, _, _, err := desk.Approvable(t.Context(), pressedOn(answer.Batch, raj))
		require.NoError(t, err)
		_, err = desk.Withdraw(t.Context(), pressedOn(answer.Batch, raj))
		require.NoError(t, err)
		assert.Equal(t, []string{"leads-only", cancellation.RuleRequesterWithdraws}, counted)
		assert.Equal(t, []string{cancellation.EventSubmitted, cancellation.EventRefused, cancellation.EventRefused}, w.kinds(answer.Requests[0]))
		assert.Equal(t, []string{cancellation.EventSubmitted}, w.kinds(answer.Requests[1]), "the first one stands for all")
	})
}

// forgetful is a store that reads no batch after it has changed one.
type forgetful struct {
	*store.Store
	changed bool
}

func (f *forgetful) ApplyAll(ctx context.Context, key string, changes []cancellation.Change) ([]cancellation.Request, error) {
	f.changed = true
	return f.Store.ApplyAll(ctx, key, changes)
}

func (f *forgetful) Batch(ctx context.Context, id string) (cancellation.Batch, []cancellation.Request, error) {
	if f.changed {
		return cancellation.Batch{}, nil, errors.New("no answer")
	}
	return f.Store.Batch(ctx, id)
}

func TestRecordedVoteIsNoFailure(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		answer := w.send(w.list(3, "3"))
		desk, on := w.batches(), &forgetful{Store: w.journal}
		desk.Requests, desk.Batches = on, on
		click, err := desk.Approve(t.Context(), pressedOn(answer.Batch, raj), nil, "")
		require.NoError(t, err, "it is recorded")
		assert.Equal(t, 3, click.Done)
		for _, r := range click.Requests {
			assert.Equal(t, cancellation.Scheduled, r.State)
		}
	})
}

// unsure has the store not know any more whether anything was sent for a request, as after a failover.
func (w *world) unsure(r cancellation.Request) {
	w.t.Helper()
	r = w.now(r)
	restored := r
	restored.Recheck = cancellation.RecheckOnce
	_, err := w.journal.Apply(w.t.Context(), cancellation.Change{From: r, To: restored})
	require.NoError(w.t, err)
}

// ticketCounter counts the reads of tickets, of which those of one server fail.
type ticketCounter struct {
	cancellation.TicketReader
	reads int
	fails int64
}

func (c *ticketCounter) TicketsOf(ctx context.Context, server int64, since time.Time) ([]cancellation.Ticket, error) {
	if c.reads++; server == c.fails {
		return nil, errors.New("SoftLayer is away")
	}
	return c.TicketReader.TicketsOf(ctx, server, since)
}

func TestListIsEndedBeforeSoftLayerIsRead(t *testing.T) {
	for name, act := range map[string]struct {
		by    cancellation.Person
		press func(ctx context.Context, d *cancellation.BatchDesk, press cancellation.BatchPress) (cancellation.BatchClick, error)
		later func(d *cancellation.BatchDesk) func(context.Context, cancellation.Press) (cancellation.Click, error)
	}{
		"withdraw": {
			goodSubmission().By,
			func(ctx context.Context, d *cancellation.BatchDesk, press cancellation.BatchPress) (cancellation.BatchClick, error) {
				return d.Withdraw(ctx, press)
			},
			func(d *cancellation.BatchDesk) func(context.Context, cancellation.Press) (cancellation.Click, error) {
				return d.Desk.Withdraw
			},
		},
		"decline": {
			raj,
			func(ctx context.Context, d *cancellation.BatchDesk, press cancellation.BatchPress) (cancellation.BatchClick, error) {
				return d.Decline(ctx, press, "still in use")
			},
			func(d *cancellation.BatchDesk) func(context.Context, cancellation.Press) (cancellation.Click, error) {
				return func(ctx context.Context, press cancellation.Press) (cancellation.Click, error) {
					return d.Desk.Decline(ctx, press, "still in use")
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				answer := w.send(w.list(4, "4"))
				for _, r := range answer.Requests[:3] {
					w.unsure(r)
				}
				desk := w.batches()
				tickets := &ticketCounter{TicketReader: desk.Tickets, fails: answer.Requests[1].Submission.Card.Server.ID}
				desk.Tickets = tickets
				press := pressedOn(answer.Batch, act.by)
				click, err := act.press(t.Context(), desk, press)
				require.NoError(t, err)
				assert.Zero(t, tickets.reads, "SoftLayer is not read before the acknowledgement")
				assert.Equal(t, []int{1, 3}, []int{click.Done, len(click.Later)}, "what needs no read is recorded at once")
				assert.False(t, w.now(answer.Requests[3]).State.Live(), "what needs no read is recorded at once")

				repeated, err := act.press(t.Context(), desk, press)
				require.NoError(t, err)
				assert.Len(t, repeated.Later, 3, "a process that ends before the reads loses none: Slack delivers again")

				ended := desk.EndLater(t.Context(), press, click.Later, act.later(desk))
				assert.Equal(t, 3, tickets.reads)
				assert.Equal(t, []int{2, 1}, []int{ended.Done, ended.Left}, "one that cannot be read stops no other")
				require.Error(t, ended.Why)
				assert.Equal(t, cancellation.Pending, w.now(answer.Requests[1]).State, "it is left as it is")

				again, err := act.press(t.Context(), desk, press)
				require.NoError(t, err)
				assert.Zero(t, again.Done, "delivered again, it changes nothing")
			})
		})
	}
}
