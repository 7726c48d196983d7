package cancellation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// A ticket may show before its text does.
func TestBeforeNotAfterOnlyOurOwnTicketCounts(t *testing.T) {
	for name, hide := range map[string]func(w *world){
		"unreadable": func(w *world) { w.tickets[0].FirstRead = false },
		"empty":      func(w *world) { w.tickets[0].First = "" },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				var text string
				w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
					out := madeButLost(w, o)
					text = w.tickets[0].First
					hide(w)
					return out
				})
				r := w.submit()
				w.run(w.journal, 20*time.Second)
				w.change(func(w *world) { w.tickets[0].First, w.tickets[0].FirstRead = text, true })
				w.run(w.journal, 2*postTimeout)
				assert.Equal(t, cancellation.Filed, w.now(r).State)
			})
		})
	}
}

// "Nothing new filed" would be wrong: this request made a ticket.
func TestOurClosedTicketBeatsAForeignOpenOne(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		var ours cancellation.TicketID
		w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
			out := madeButLost(w, o)
			ours = w.tickets[0].TicketID
			w.closeTickets()
			w.openTicket(9, "by hand, by staff")
			return out
		})
		r := w.submit()
		w.run(w.journal, 20*time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
		assert.Equal(t, ours, w.now(r).Ticket)
	})
}

// The ticket that the key cannot read may be this request's.
func TestDuplicateNeedsEveryTicketOfTheServerReadable(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
			out := madeButLost(w, o)
			w.closeTickets()
			w.tickets[0].First, w.tickets[0].FirstRead = "", false
			w.openTicket(9, "by hand, by staff")
			return out
		})
		r := w.submit()
		w.run(w.journal, 20*time.Minute)
		assert.Equal(t, cancellation.Stuck, w.now(r).State)
		assert.Equal(t, cancellation.WhyOneUnreadable, w.now(r).Why.Code)
	})
}

func TestNamedTicketThatIsHiddenMayBeOurs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, func(w *world, _ cancellation.Order) cancellation.Outcome {
			w.reading = errors.New("SoftLayer does not answer")
			return cancellation.Outcome{Kind: cancellation.AlreadyOpen, Ticket: cancellation.TicketID{ID: 7}}
		})
		r := w.submit()
		w.run(w.journal, time.Minute)
		require.Equal(t, cancellation.Unknown, w.now(r).State)
		w.change(func(w *world) { w.reading = nil; w.openTicket(9, "by hand, by staff") })
		w.run(w.journal, 20*time.Minute)
		assert.Equal(t, cancellation.Stuck, w.now(r).State, "somebody else's open ticket does not say whose the hidden one is")
		assert.Equal(t, cancellation.Reason{Code: cancellation.WhyTicketHidden, Detail: "7"}, w.now(r).Why)
	})
}

func TestNamedTicketSettlesLostAnswerAfterNotAfter(t *testing.T) {
	for name, c := range map[string]struct {
		is     func(w *world)
		state  cancellation.State
		ticket int64
		why    cancellation.Reason
	}{
		"somebody else's stands": {func(w *world) { w.openTicket(9, "by hand, by staff") }, cancellation.Duplicate, 9, cancellation.Reason{}},
		"it cannot be read": {
			func(w *world) { w.openTicket(9, ""); w.tickets[0].FirstRead = false },
			cancellation.Stuck, 0,
			cancellation.Reason{Code: cancellation.WhyTicketHidden, Detail: "9"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
					c.is(w)
					return lostBefore(w, o)
				})
				r := w.submit()
				w.run(w.journal, postTimeout-time.Second)
				assert.Equal(t, cancellation.Unknown, w.now(r).State)
				w.run(w.journal, time.Minute)
				stored := w.now(r)
				assert.Equal(t, c.state, stored.State)
				assert.Equal(t, c.ticket, stored.Ticket.ID)
				assert.Equal(t, c.why, stored.Why)
			})
		})
	}
}

func TestRefusedKeyIsNamedWhileRecordsAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		before func(w *world)
		state  cancellation.State
	}{
		"after a lost answer": {func(w *world) { w.answers = append(w.answers, lostBefore) }, cancellation.Unknown},
		"after a start": {func(w *world) {
			w.restart()
		}, cancellation.Scheduled},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				r := w.submit()
				c.before(w)
				if c.state == cancellation.Unknown {
					w.run(w.journal, time.Second)
					require.Equal(t, cancellation.Unknown, w.now(r).State)
				}
				w.reading = fmt.Errorf("reading server 42: %w", cancellation.ErrKeyRefused)
				var log strings.Builder
				worker := w.worker(w.journal)
				worker.Filer.Log = slog.New(slog.NewTextHandler(&log, nil))
				w.runs(worker, time.Minute)
				assert.Equal(t, c.state, w.now(r).State)
				assert.Equal(t, cancellation.Reason{Code: cancellation.WhyKeyRefused}, w.now(r).Why)
				assert.Contains(t, log.String(), "why=key-refused")
				w.change(func(w *world) { w.reading = nil })
				w.run(w.journal, 2*time.Minute)
				assert.NotEqual(t, cancellation.WhyKeyRefused, w.now(r).Why.Code, "the key is taken again")
				w.run(w.journal, 20*time.Minute)
				assert.Equal(t, cancellation.Filed, w.now(r).State)
			})
		})
	}
}

// behind are books that list no ticket of the server yet, and may not read single ones.
type behind struct {
	cancellation.TicketReader
	unread atomic.Bool
}

func (b *behind) TicketsOf(context.Context, int64, time.Time) ([]cancellation.Ticket, error) {
	return nil, nil
}

func (b *behind) Ticket(ctx context.Context, id int64) (cancellation.Ticket, error) {
	if b.unread.Load() {
		return cancellation.Ticket{}, errors.New("no answer")
	}
	return b.TicketReader.Ticket(ctx, id)
}

func TestOurUnlistedOpenTicketIsFound(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, madeButLost)
		r := w.submit()
		worker := w.worker(w.journal)
		worker.Tickets = &behind{TicketReader: w}
		w.runs(worker, time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}

func TestNamedTicketIsJudgedOnceItIsReadable(t *testing.T) {
	for name, c := range map[string]struct {
		is    func(w *world, r cancellation.Request)
		state cancellation.State
	}{
		"it is somebody else's and stands": {func(w *world, _ cancellation.Request) { w.openTicket(7, "by hand") }, cancellation.Duplicate},
		"it is somebody else's and closed": {func(w *world, _ cancellation.Request) { w.openTicket(7, "voided"); w.closeTickets() }, cancellation.Stuck},
		"it is ours, and somebody else's stands too": {func(w *world, r cancellation.Request) {
			w.openTicket(7, r.Ref.Marker())
			w.closeTickets()
			w.openTicket(9, "by hand")
		}, cancellation.Filed},
		"it is somebody else's, and ours stands too": {func(w *world, r cancellation.Request) {
			w.openTicket(7, "by hand")
			w.closeTickets()
			w.openTicket(9, r.Ref.Marker())
		}, cancellation.Filed},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				r := w.submit()
				worker := w.worker(w.journal)
				records := &behind{TicketReader: w}
				worker.Tickets = records
				w.answers = append(w.answers, alreadyOpen(7, func(w *world) { records.unread.Store(true); c.is(w, r) }))
				w.runs(worker, time.Hour)
				require.Equal(t, cancellation.Unknown, w.now(r).State, "it is not passed over")
				records.unread.Store(false)
				w.runs(worker, 2*time.Minute)
				assert.Equal(t, c.state, w.now(r).State)
				posts, _ := w.snapshot()
				assert.Len(t, posts, 1)
				if c.state != cancellation.Stuck {
					return
				}
				_, err := w.desk().Resolve(t.Context(), cancellation.Resolution{Ref: r.Ref.Short(), Finding: cancellation.FoundNone, Why: "IBM unblocked it", Actor: "operator:root"})
				require.NoError(t, err)
				w.runs(worker, time.Minute)
				assert.Equal(t, cancellation.Filed, w.now(r).State, "a person's none overrules it")
			})
		})
	}
}

func TestReadBeforeNotAfterStartsNoSettleTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const reading = 35 * time.Second
		records := &slow{ServerReader: w}
		w.answers = append(w.answers, func(*world, cancellation.Order) cancellation.Outcome {
			records.by.Store(int64(reading))
			return cancellation.Outcome{Kind: cancellation.AnswerLost, Text: "connection reset"}
		})
		r := w.submit()
		worker := w.worker(w.journal)
		worker.Servers = records
		w.runs(worker, 2*time.Minute)
		stored := w.now(r)
		require.NotZero(t, stored.CleanSince)
		assert.GreaterOrEqual(t, stored.CleanSince.Sub(stored.NotAfter), reading, "the first that counts began after not-after")
	})
}

// slow is an inventory that takes its time to answer.
type slow struct {
	cancellation.ServerReader
	by atomic.Int64
}

func (s *slow) Server(ctx context.Context, id int64) (cancellation.Server, error) {
	got, err := s.ServerReader.Server(ctx, id)
	time.Sleep(time.Duration(s.by.Load()))
	return got, err
}

func TestRestartRestartsTheSettleTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, lostBefore)
		w.submit()
		w.run(w.journal, postTimeout+time.Minute)
		time.Sleep(settleTime)
		w.restart()
		w.run(w.journal, settleTime-time.Second)
		posts, _ := w.snapshot()
		assert.Len(t, posts, 1, "one read before and one after are no row of clean reads")
		w.run(w.journal, time.Minute)
		posts, _ = w.snapshot()
		assert.Len(t, posts, 2)
	})
}

// crowded are books with more tickets than are read.
type crowded struct{ cancellation.TicketReader }

func (crowded) TicketsOf(context.Context, int64, time.Time) ([]cancellation.Ticket, error) {
	return nil, fmt.Errorf("more than 50: %w", cancellation.ErrTooManyTickets)
}

func TestBooksTooFullToReadNeedAPerson(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, lostBefore)
		r := w.submit()
		worker := w.worker(w.journal)
		worker.Tickets = crowded{w}
		w.runs(worker, time.Hour)
		stored := w.now(r)
		assert.Equal(t, cancellation.Stuck, stored.State)
		assert.Equal(t, cancellation.WhyTooManyTickets, stored.Why.Code)
	})
}

// forbidden are books that the key may read in part only.
type forbidden struct {
	cancellation.TicketReader
	tickets, rights error
}

func (f forbidden) TicketsOf(ctx context.Context, server int64, since time.Time) ([]cancellation.Ticket, error) {
	if f.tickets != nil {
		return nil, f.tickets
	}
	return f.TicketReader.TicketsOf(ctx, server, since)
}

func (f forbidden) Rights(ctx context.Context) (cancellation.Rights, error) {
	if f.rights != nil {
		return cancellation.Rights{}, f.rights
	}
	return f.TicketReader.Rights(ctx)
}

func TestRefusedReadNeedsAPerson(t *testing.T) {
	refusal := fmt.Errorf("reading: %w", cancellation.ErrReadRefused)
	for name, records := range map[string]forbidden{
		"the tickets": {tickets: refusal},
		"the rights":  {rights: refusal},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.answers = append(w.answers, lostBefore)
				r := w.submit()
				worker := w.worker(w.journal)
				records.TicketReader = w
				worker.Tickets = records
				w.runs(worker, postTimeout/2)
				assert.Equal(t, cancellation.Unknown, w.now(r).State, "the POST may be under way yet")
				w.runs(worker, 2*postTimeout)
				assert.Equal(t, cancellation.Stuck, w.now(r).State)
				assert.Equal(t, cancellation.WhyReadRefused, w.now(r).Why.Code)
				posts, _ := w.snapshot()
				assert.Len(t, posts, 1)
			})
		})
	}
}

// deaf is a journal that renews no lease.
type deaf struct{ journal }

func (deaf) Renew(context.Context, cancellation.Request, string, time.Duration) error {
	return cancellation.ErrMoved
}

func TestAnswerAfterALostLeaseIsEvidence(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		hidden := false
		w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
			w.mu.Unlock()
			time.Sleep(20 * time.Second) // virtual: longer than the lease
			w.mu.Lock()
			out := made(w, o)
			w.server.OpenTicket, hidden = nil, true // only the late answer names it
			w.tickets[0].Open = false
			return out
		})
		r := w.submit()
		w.run(deaf{w.journal}, 2*time.Minute)
		require.True(t, hidden)
		stored := w.now(r)
		assert.Equal(t, cancellation.Filed, stored.State)
		events, err := w.journal.Events(t.Context(), r.ID)
		require.NoError(t, err)
		kinds := map[string]int{}
		for _, e := range events {
			kinds[e.Kind]++
		}
		assert.Equal(t, 1, kinds[cancellation.EventLateAnswer], "the late answer is on record")
		posts, _ := w.snapshot()
		assert.Len(t, posts, 1)
	})
}

func TestLateAnswerWithAnUnreadableTicketIsFiled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
			w.mu.Unlock()
			time.Sleep(20 * time.Second) // longer than the lease
			w.mu.Lock()
			out := made(w, o)
			w.tickets[0].FirstRead = false
			return out
		})
		r := w.submit()
		w.run(deaf{w.journal}, 3*time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}

func TestPersonsNoneOverrulesALateForeignTicket(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, func(w *world, _ cancellation.Order) cancellation.Outcome {
			w.mu.Unlock()
			time.Sleep(20 * time.Second) // longer than the lease
			w.mu.Lock()
			w.openTicket(7, "voided")
			w.closeTickets()
			return cancellation.Outcome{Kind: cancellation.AlreadyOpen, Ticket: cancellation.TicketID{ID: 7}}
		})
		r := w.submit()
		w.run(deaf{w.journal}, 5*time.Minute)
		require.Equal(t, cancellation.Stuck, w.now(r).State)
		_, err := w.desk().Resolve(t.Context(), cancellation.Resolution{Ref: r.Ref.Short(), Finding: cancellation.FoundNone, Why: "IBM unblocked it", Actor: "operator:root"})
		require.NoError(t, err)
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
		posts, _ := w.snapshot()
		assert.Len(t, posts, 2, "exactly one more")
	})
}

func TestPersonsNoneNeverResendsAFiledRequest(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		w.run(w.journal, time.Minute)
		w.change(func(w *world) { w.closeTickets(); w.tickets = nil }) // hidden from the key
		s := w.submission()
		s.View = "V2"
		w.answer(s)
		require.Equal(t, cancellation.Stuck, w.now(r).State)
		_, err := w.desk().Resolve(t.Context(), cancellation.Resolution{Ref: r.Ref.Short(), Finding: cancellation.FoundNone, Why: "none there", Actor: "operator:root"})
		require.NoError(t, err)
		w.run(w.journal, time.Hour)
		posts, _ := w.snapshot()
		assert.Len(t, posts, 1, "one request, one ticket")
		assert.Equal(t, cancellation.Stuck, w.now(r).State)
	})
}

func TestFiledRequestIsNeverCalledTicketless(t *testing.T) {
	for name, c := range map[string]struct {
		filed func(w *world) cancellation.Request
		told  error
	}{
		"SoftLayer said which ticket it made": {func(w *world) cancellation.Request {
			r := w.submit()
			w.run(w.journal, time.Minute)
			w.change(func(w *world) { w.closeTickets(); w.tickets = nil }) // hidden from the key
			return r
		}, cancellation.ErrTicketMade},
		"a person said so, of one that the key cannot read": {func(w *world) cancellation.Request {
			w.change(func(w *world) {
				w.answers = append(w.answers, lostBefore, lostBefore)
			})
			r := w.submit()
			w.run(w.journal, time.Hour)
			require.Equal(w.t, cancellation.Stuck, w.now(r).State)
			_, err := w.desk().Resolve(w.t.Context(), cancellation.Resolution{Ref: r.Ref.Short(), Finding: cancellation.FoundTicket, Ticket: 153572999, Unseen: true, Why: "a guess", Actor: "operator:root"})
			require.NoError(w.t, err)
			return r
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				r := c.filed(w)
				require.Equal(t, cancellation.Filed, w.now(r).State)
				s := w.submission()
				s.View = "V2"
				w.answer(s)
				require.Equal(t, cancellation.Stuck, w.now(r).State)
				_, err := w.desk().Resolve(t.Context(), cancellation.Resolution{Ref: r.Ref.Short(), Finding: cancellation.DropIt, Why: "I see none", Actor: "operator:root"})
				require.ErrorIs(t, err, c.told)
			})
		})
	}
}
