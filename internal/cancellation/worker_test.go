package cancellation_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

const (
	postTimeout = 90 * time.Second
	settleTime  = 5 * time.Minute
)

func TestAcceptedRequestIsFiledAndReportedOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		assert.Zero(t, r.UndoUntil, "there is no time in which it could be undone")
		w.run(w.journal, 10*time.Second)

		stored := w.now(r)
		assert.Equal(t, cancellation.Filed, stored.State)
		assert.Equal(t, int64(153572281), stored.Ticket.ID)
		posts, messages := w.snapshot()
		require.Len(t, posts, 1)
		assert.Equal(t, cancellation.Order{
			Server: 1234567, Reason: "No longer needed", Content: cancellation.TicketContent(stored),
		}, posts[0].order)
		assert.Equal(t, []shown{{channel: "C1", kind: cancellation.Result, ref: r.Ref.Short(), state: cancellation.Filed}}, messages)
	})
}

func TestLostAnswerWithPossibleTicketIsNotResent(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, madeButLost)
		r := w.submit()
		w.run(w.journal, time.Minute)

		stored := w.now(r)
		assert.Equal(t, cancellation.Filed, stored.State, "the ticket with our reference is ours")
		assert.Equal(t, 1, stored.LostPosts)
		posts, messages := w.snapshot()
		assert.Len(t, posts, 1, "one POST, one ticket")
		require.Len(t, messages, 1)
		assert.Equal(t, cancellation.Filed, messages[0].state)
	})
}

func TestLostAnswerWithAClosedTicketIsFiled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
			out := madeButLost(w, o)
			w.tickets[0].CreatedAt = time.Now().Add(-time.Hour) // by SoftLayer's clock, which may be slow
			w.closeTickets()
			return out
		})
		r := w.submit()
		w.run(w.journal, 20*time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
		posts, _ := w.snapshot()
		assert.Len(t, posts, 1)
	})
}

func TestLostAnswerIsResentAfterCleanSettleTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, lostBefore)
		r := w.submit()
		w.run(w.journal, 10*time.Second)
		_, messages := w.snapshot()
		require.Len(t, messages, 1)
		assert.Equal(t, cancellation.Unknown, messages[0].state, "people are told that it is not known")

		w.run(w.journal, postTimeout+settleTime-15*time.Second)
		posts, _ := w.snapshot()
		require.Len(t, posts, 1, "no second POST before not-after and the settle time")

		w.run(w.journal, 2*time.Minute)
		posts, messages = w.snapshot()
		require.Len(t, posts, 2)
		assert.GreaterOrEqual(t, posts[1].at.Sub(posts[0].at), postTimeout+settleTime)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
		require.Len(t, messages, 1, "the same message is edited")
		assert.Equal(t, cancellation.Filed, messages[0].state)
	})
}

func TestFailedReadRestartsTheSettleTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, lostBefore)
		w.submit()
		w.run(w.journal, postTimeout+settleTime-30*time.Second)
		w.change(func(w *world) { w.reading = errors.New("rate limit") })
		w.run(w.journal, 2*time.Minute)
		failed := time.Now()
		w.change(func(w *world) { w.reading = nil })
		w.run(w.journal, 20*time.Minute)
		posts, _ := w.snapshot()
		require.Len(t, posts, 2)
		assert.GreaterOrEqual(t, posts[1].at.Sub(failed), settleTime-time.Minute-10*time.Second)
		assert.Greater(t, posts[1].at.Sub(posts[0].at), postTimeout+settleTime+time.Minute)
	})
}

func TestTwoLostAnswersNeedAPerson(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, lostBefore, lostBefore, lostBefore, lostBefore)
		r := w.submit()
		w.run(w.journal, time.Hour)
		stored := w.now(r)
		assert.Equal(t, cancellation.Stuck, stored.State)
		assert.Equal(t, cancellation.WhyTwoLost, stored.Why.Code)
		posts, messages := w.snapshot()
		require.Len(t, posts, 2)
		assert.Equal(t, cancellation.Stuck, messages[0].state)

		_, err := w.desk().Resolve(t.Context(), cancellation.Resolution{
			Ref: r.Ref.Short(), Finding: cancellation.FoundNone, Why: "looked in Cases", Actor: "operator:root",
		})
		require.NoError(t, err)
		w.run(w.journal, time.Hour)
		posts, _ = w.snapshot()
		assert.Len(t, posts, 3, "exactly one more")
		assert.Equal(t, cancellation.Stuck, w.now(r).State)
	})
}

func TestCrashWhileFilingIsUnknownAndNeverPosts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		crashed := w.now(r)
		next, err := crashed.Move(cancellation.Filing, cancellation.ByWorker, cancellation.Reason{})
		require.NoError(t, err)
		next.Posts, next.NotAfter = 1, time.Now().Add(postTimeout)
		_, err = w.journal.Apply(t.Context(), cancellation.Change{
			From: crashed, To: next, Keep: true,
			Event: cancellation.Event{Kind: cancellation.EventMoved, From: crashed.State, To: next.State},
		})
		require.NoError(t, err)
		w.restart()

		w.run(w.journal, postTimeout+settleTime-time.Second)
		posts, _ := w.snapshot()
		assert.Empty(t, posts, "a row in filing is never POSTed on restart")
		assert.Equal(t, cancellation.Unknown, w.now(r).State)

		w.run(w.journal, 5*time.Minute)
		posts, _ = w.snapshot()
		assert.Len(t, posts, 1)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}

// alreadyOpen answers that a ticket stands already, after what else is the case by then.
func alreadyOpen(ticket int64, meanwhile func(w *world)) func(*world, cancellation.Order) cancellation.Outcome {
	return func(w *world, _ cancellation.Order) cancellation.Outcome {
		meanwhile(w)
		return cancellation.Outcome{Kind: cancellation.AlreadyOpen, Ticket: cancellation.TicketID{ID: ticket}}
	}
}

func TestEveryTicketThatIsMetIsJudged(t *testing.T) {
	for name, c := range map[string]struct {
		before func(w *world, r cancellation.Request)
		want   cancellation.State
		why    cancellation.ReasonCode
		posts  int
	}{
		"somebody's open ticket is a duplicate": {
			func(w *world, _ cancellation.Request) { w.openTicket(7, "please cancel") }, cancellation.Duplicate, "", 0,
		},
		"our own open ticket is filed": {
			func(w *world, r cancellation.Request) { w.openTicket(7, r.Ref.Marker()) }, cancellation.Filed, "", 0,
		},
		"a ticket that the key cannot read needs a person": {
			func(w *world, _ cancellation.Request) { w.openTicket(7, ""); w.tickets[0].FirstRead = false },
			cancellation.Stuck, cancellation.WhyTicketHidden, 0,
		},
		"a closed ticket that blocks needs a person": {
			func(w *world, _ cancellation.Request) {
				w.openTicket(7, "voided")
				w.closeTickets()
				w.answers = append(w.answers, alreadyOpen(7, func(*world) {}))
			}, cancellation.Stuck, cancellation.WhyClosedBlocks, 1,
		},
		"a closed ticket that blocks a server without a billing item needs a person": {
			func(w *world, _ cancellation.Request) {
				w.openTicket(7, "voided")
				w.closeTickets()
				w.answers = append(w.answers, alreadyOpen(7, func(w *world) { w.server.Billing = nil }))
			}, cancellation.Stuck, cancellation.WhyClosedBlocks, 1,
		},
		"a closed ticket whose cancellation is pending is a duplicate": {
			func(w *world, _ cancellation.Request) {
				w.openTicket(7, "done")
				w.closeTickets()
				w.answers = append(w.answers, alreadyOpen(7, func(w *world) { w.server.Billing.PendingCancellation = true }))
			}, cancellation.Duplicate, "", 1,
		},
		"a closed ticket whose cancellation has a date is a duplicate": {
			func(w *world, _ cancellation.Request) {
				w.openTicket(7, "done")
				w.closeTickets()
				w.answers = append(w.answers, alreadyOpen(7, func(w *world) { w.server.Billing.CancellationDate = "2026-12-01T00:00:00-06:00" }))
			}, cancellation.Duplicate, "", 1,
		},
		"a ticket made between the last read and the POST is a duplicate": {
			func(w *world, _ cancellation.Request) {
				w.answers = append(w.answers, func(w *world, _ cancellation.Order) cancellation.Outcome {
					return cancellation.Outcome{Kind: cancellation.AlreadyOpen, Ticket: w.openTicket(7, "by hand")}
				})
			}, cancellation.Duplicate, "", 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				r := w.submit()
				c.before(w, r)
				w.run(w.journal, time.Minute)
				stored := w.now(r)
				assert.Equal(t, c.want, stored.State)
				if c.why != "" {
					assert.Equal(t, cancellation.Reason{Code: c.why, Detail: "7"}, stored.Why)
				} else {
					assert.Equal(t, int64(7), stored.Ticket.ID, "the ticket is linked")
				}
				posts, messages := w.snapshot()
				assert.Len(t, posts, c.posts)
				require.NotEmpty(t, messages)
				assert.Equal(t, c.want, messages[0].state)
				assert.Len(t, messages[1:], map[bool]int{true: 1}[c.want == cancellation.Stuck], "that it needs a person is told once more")
			})
		})
	}
}

func TestWhatChangedSinceTheCardStopsTheFiling(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		want   cancellation.State
		why    string
	}{
		"renamed":                  {func(w *world) { w.server.FQDN = "db-001.prod.example.com" }, cancellation.Rejected, "server-changed: name"},
		"retagged":                 {func(w *world) { w.server.Tags = []string{"prod"} }, cancellation.Rejected, "server-changed: tags"},
		"a transaction runs":       {func(w *world) { w.server.Transaction = "Reload" }, cancellation.Rejected, "server-blocked: transaction"},
		"a transaction has run":    {func(w *world) { w.server.LastTransaction, w.server.LastTransactionAt = "Reload", recently() }, cancellation.Rejected, "new-warning: recent-transaction"},
		"joined a gateway":         {func(w *world) { w.server.Gateway = true }, cancellation.Rejected, "new-warning: gateway-member"},
		"both":                     {func(w *world) { w.server.Gateway, w.server.LastTransaction = true, "Reload" }, cancellation.Rejected, "new-warning: gateway-member, recent-transaction"},
		"gone":                     {func(w *world) { w.gone = true }, cancellation.Rejected, string(cancellation.WhyNotFound)},
		"the policy refuses now":   {func(w *world) { w.decision = authz.Decision{Reason: "not any more", Rule: "r2"} }, cancellation.Denied, "not any more"},
		"the policy asks a second": {func(w *world) { w.decision = authz.Decision{Effect: authz.NeedsApproval, Approvals: 1} }, cancellation.Pending, string(cancellation.WhyTooFew)},
		"SoftLayer's definite no":  {func(w *world) { w.answers = append(w.answers, refused) }, cancellation.Rejected, "You do not have permission to this service."},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				r := w.submit()
				w.change(c.change)
				w.run(w.journal, time.Minute)
				stored := w.now(r)
				assert.Equal(t, c.want, stored.State)
				assert.Equal(t, c.why, stored.Why.String())
				posts, messages := w.snapshot()
				assert.Empty(t, w.tickets)
				assert.LessOrEqual(t, len(posts), 1)
				require.Len(t, messages, 1, "the person is told")
			})
		})
	}
}

// recently is an hour ago.
func recently() string { return time.Now().Add(-time.Hour).Format(time.RFC3339) }

func TestAWarningThatThePersonTickedStopsNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.server.Gateway, w.server.GatewayName = true, "gw-1"
		w.server.Partners, w.server.PartnersKnown = []string{"gw-1b"}, true
		w.server.LastTransaction, w.server.LastTransactionAt = "Reload", recently()
		r := w.submit()
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}

func TestWarningWithAnotherReasonIsNew(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	warned := goodServer()
	warned.Gateway, warned.GatewayName, warned.Partners, warned.PartnersKnown = true, "gw-1", []string{"gw-1b"}, true
	warned.LastTransaction, warned.LastTransactionAt = "Reload", "2026-11-20T10:00:00-06:00"
	card := cancellation.Card{Server: warned, ReadAt: at}
	for name, c := range map[string]struct {
		change func(*cancellation.Server)
		want   []string
	}{
		"nothing":                    {func(*cancellation.Server) {}, []string{}},
		"the partner left":           {func(s *cancellation.Server) { s.Partners = nil }, []string{cancellation.WarningGateway}},
		"another gateway":            {func(s *cancellation.Server) { s.GatewayName = "gw-2" }, []string{cancellation.WarningGateway}},
		"the partners are not seen":  {func(s *cancellation.Server) { s.Partners, s.PartnersKnown = nil, false }, []string{}},
		"the gateway is not seen":    {func(s *cancellation.Server) { s.GatewayName = "" }, []string{}},
		"left the gateway":           {func(s *cancellation.Server) { s.Gateway = false }, []string{}},
		"a later transaction":        {func(s *cancellation.Server) { s.LastTransactionAt = "2026-11-22T05:00:00-06:00" }, []string{cancellation.WarningTransaction}},
		"no transaction of late":     {func(s *cancellation.Server) { s.LastTransactionAt = "2025-11-22T05:00:00-06:00" }, []string{}},
		"ordered anew a moment ago ": {func(s *cancellation.Server) { s.ProvisionDate = "2026-11-22T05:00:00-06:00" }, []string{cancellation.WarningProvisioned}},
	} {
		now := warned
		c.change(&now)
		assert.Equal(t, c.want, card.NewWarnings(now, at.Add(time.Minute)), name)
	}
	assert.Empty(t, card.NewWarnings(warned, at.Add(30*24*time.Hour)), "what has grown old warns of nothing new")
}

func TestLostAnswerIsNeverCalledNothingFiled(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(w *world)
		detail  string
		posts   int
	}{
		"the policy refuses by then": {func(w *world) { w.decision = authz.Decision{Reason: "lost the group"} }, "lost the group", 1},
		"the server was renamed":     {func(w *world) { w.server.FQDN = "db-001.prod.example.com" }, "server-changed: name", 1},
		"SoftLayer's definite no to the second": {
			func(w *world) { w.answers = append(w.answers, refused) }, "You do not have permission to this service.", 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.answers = append(w.answers, lostBefore)
				r := w.submit()
				w.run(w.journal, time.Minute)
				w.change(c.happens)
				w.run(w.journal, time.Hour)
				stored := w.now(r)
				assert.Equal(t, cancellation.Stuck, stored.State, "a person is needed")
				assert.Equal(t, c.detail, stored.Why.String())
				events, err := w.journal.Events(t.Context(), r.ID)
				require.NoError(t, err)
				assert.Contains(t, events[len(events)-1].Detail, "checks-failed-after-it: ", "the history says after what")
				posts, _ := w.snapshot()
				assert.Len(t, posts, c.posts)
			})
		})
	}
}

func TestUnreadableRelationIsNeverClean(t *testing.T) {
	for name, c := range map[string]struct {
		hide func(w *world)
		why  cancellation.ReasonCode
	}{
		"tickets":                      {func(w *world) { w.rights.ViewTickets = false }, cancellation.WhyTicketsHidden},
		"the billing item":             {func(w *world) { w.server.Billing = nil }, cancellation.WhyBillingHidden},
		"the one that the card showed": {func(w *world) { w.server.Billing.ID++ }, cancellation.WhyBillingHidden},
		"the server":                   {func(w *world) { w.gone = true }, cancellation.WhyServerHidden},
		"whether one is pending":       {func(w *world) { w.server.Billing.PendingKnown = false }, cancellation.WhyPendingHidden},
		"whose cancellation is pending": {
			func(w *world) { w.server.Billing.PendingCancellation = true }, cancellation.WhyPendingUnnamed,
		},
		"whose cancellation has a date": {
			func(w *world) { w.server.Billing.CancellationDate = "2026-12-01T00:00:00-06:00" }, cancellation.WhyPendingUnnamed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.answers = append(w.answers, lostBefore)
				r := w.submit()
				w.run(w.journal, 10*time.Second)
				w.change(c.hide)
				w.run(w.journal, time.Hour)
				assert.Equal(t, cancellation.Stuck, w.now(r).State)
				assert.Equal(t, c.why, w.now(r).Why.Code, "by the first read that counts")
				posts, _ := w.snapshot()
				assert.Len(t, posts, 1)
			})
		})
	}
}

// poisoned is an inventory that panics on one server.
type poisoned struct {
	cancellation.ServerReader
	server int64
}

func (p poisoned) Server(ctx context.Context, id int64) (cancellation.Server, error) {
	if id == p.server {
		panic("a fee of nil")
	}
	return p.ServerReader.Server(ctx, id)
}

func TestPanickingRequestNeedsAPersonAndDelaysNobody(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.submitFleet(3)
		bad := w.server.ID + 1
		worker := w.worker(w.journal)
		worker.Servers = poisoned{w, bad}
		w.runs(worker, time.Minute)
		posts, _ := w.snapshot()
		assert.Len(t, posts, 2)
		assert.Equal(t, cancellation.Stuck, w.live(bad).State)
		assert.Equal(t, cancellation.Reason{Code: cancellation.WhyPoison, Detail: "a fee of nil"}, w.live(bad).Why)
	})
}

func TestPanicInThePostIsUnknown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
			made(w, o)
			panic("an answer of nil")
		})
		r := w.submit()
		w.run(w.journal, 5*time.Second)
		assert.Equal(t, cancellation.Filing, w.now(r).State, "it is not said to need a person")
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State, "the books show it")
		posts, _ := w.snapshot()
		assert.Len(t, posts, 1)
	})
}

func TestRateLimitIsWaitedOutAndNotCounted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, rateLimited, rateLimited, rateLimited)
		r := w.submit()
		w.run(w.journal, time.Minute)
		stored := w.now(r)
		assert.Equal(t, cancellation.Filed, stored.State)
		assert.Equal(t, 0, stored.LostPosts)
		assert.Equal(t, 4, stored.Posts)
	})
}

func TestWhatCouldNotBeReadHasNotChanged(t *testing.T) {
	for name, forget := range map[string]func(*cancellation.Server){
		"tags":                         func(s *cancellation.Server) { s.Tags, s.TagsKnown = nil, false },
		"recurring fee":                func(s *cancellation.Server) { s.Billing.RecurringFee = "" },
		cancellation.FactHourly:        func(s *cancellation.Server) { s.Unread = []string{cancellation.FactHourly} },
		cancellation.FactGateway:       func(s *cancellation.Server) { s.Unread = []string{cancellation.FactGateway} },
		cancellation.FactProvisionDate: func(s *cancellation.Server) { s.ProvisionDate, s.Unread = "", []string{cancellation.FactProvisionDate} },
		cancellation.FactDatacenter:    func(s *cancellation.Server) { s.Datacenter, s.Hidden = "", []string{cancellation.FactDatacenter} },
		cancellation.FactAllowed:       func(s *cancellation.Server) { s.Hidden = []string{cancellation.FactAllowed} },
		cancellation.FactDisconnection: func(s *cancellation.Server) { s.Hidden = []string{cancellation.FactDisconnection} },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				r := w.submit()
				w.change(func(w *world) { forget(&w.server) })
				w.run(w.journal, time.Minute)
				assert.Equal(t, cancellation.Scheduled, w.now(r).State, "it waits")
				assert.Contains(t, w.now(r).Why.String(), name)
				w.change(func(w *world) { w.server = goodServer() })
				w.run(w.journal, 2*time.Minute)
				assert.Equal(t, cancellation.Filed, w.now(r).State)
			})
		})
	}
}

func TestFactMissingOnTheCardTooDelaysNothing(t *testing.T) {
	for name, hide := range map[string]func(w *world){
		"tags":             func(w *world) { w.server.Tags, w.server.TagsKnown = nil, false },
		"the data center":  func(w *world) { w.server.Datacenter, w.server.Hidden = "", []string{cancellation.FactDatacenter} },
		"associated items": func(w *world) { w.server.Hidden = []string{cancellation.FactAssociated} },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.change(hide)
				r := w.submit()
				w.run(w.journal, time.Minute)
				assert.Equal(t, cancellation.Filed, w.now(r).State, w.now(r).Why)
			})
		})
	}
}

func TestUnreadPersonKeepsTheRequestWaiting(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		w.change(func(w *world) { w.personErr = errors.New("ratelimited") })
		w.run(w.journal, 10*time.Minute)
		assert.Equal(t, cancellation.Scheduled, w.now(r).State, "neither filed nor ended")
		w.change(func(w *world) { w.personErr = nil })
		w.run(w.journal, 2*time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}

func TestUnreadGroupsDecideNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.submission()
		known := func(is bool) { w.change(func(w *world) { w.person.GroupsKnown = is }) }
		w.freezing, w.groups = authz.Decision{Effect: authz.Allowed}, []string{"S0ASK"}
		known(false)
		for _, effect := range []authz.Effect{authz.Refused, authz.Allowed} {
			w.change(func(w *world) { w.decision.Effect = effect })
			_, err := w.desk().Submit(t.Context(), s)
			require.ErrorIs(t, err, cancellation.ErrPeopleUnread, "whatever the policy makes of it")
			_, err = w.desk().Recorded(t.Context(), s)
			require.ErrorIs(t, err, cancellation.ErrNoRequest, "nothing was recorded")
		}
		_, err := w.desk().FreezeByClick(t.Context(), s.By, cancellation.Freeze{Frozen: true, Why: "an outage"})
		require.ErrorIs(t, err, cancellation.ErrPeopleUnread)

		known(true)
		r := w.submit()
		known(false)
		_, err = w.desk().Withdraw(t.Context(), pressed(r.ID, s.By))
		require.ErrorIs(t, err, cancellation.ErrPeopleUnread)
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Scheduled, w.now(r).State, "neither filed nor ended")
		known(true)
		w.run(w.journal, 2*time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}

// roster is a directory that says no more than what it is asked for.
type roster struct {
	cancellation.Directory
	groups []string // that everybody is in
}

func (d roster) Principal(ctx context.Context, who cancellation.Person, groups []string, maxAge time.Duration) (authz.Principal, error) {
	p, err := d.Directory.Principal(ctx, who, groups, maxAge)
	p.GroupsKnown, p.Groups = true, slices.DeleteFunc(slices.Clone(d.groups), func(id string) bool { return !slices.Contains(groups, id) })
	return p, err
}

// Two policies: by the second, nobody of a group that the first does not name files anything.
const (
	anyAsker    = `@id("ask") permit (principal in Group::"S0ASK", action in [Action::"request", Action::"cancel"], resource);`
	noneOfThese = anyAsker + `@id("not-these") forbid (principal in Group::"S0OUT", action == Action::"cancel", resource);`
)

// comesIntoForce has a policy in force from now on.
func (w *world) comesIntoForce(text string) *authz.Policy {
	w.t.Helper()
	policy, err := authz.Parse("policy.cedar", []byte(text))
	require.NoError(w.t, err)
	w.change(func(w *world) { w.rules = policy })
	return policy
}

func TestNewPolicyDecidesTheNextStep(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		before, people := w.comesIntoForce(anyAsker), roster{w, []string{"S0ASK", "S0OUT"}}
		s, desk := w.submission(), w.desk()
		desk.Directory = &meanwhile{Directory: people, do: func() { w.comesIntoForce(noneOfThese) }}
		answer, err := desk.Submit(t.Context(), s)
		require.NoError(t, err)
		assert.Equal(t, cancellation.Scheduled, answer.Request.State, "the policy of the submission decides as a whole")
		assert.Equal(t, before.Digest(), answer.Request.Decision.PolicyDigest)

		worker := w.worker(w.journal)
		worker.Directory = people
		w.runs(worker, time.Minute)
		r := w.now(answer.Request)
		assert.Equal(t, cancellation.Denied, r.State, "the groups that the new one names are read before the filing")
		assert.Equal(t, "not-these", r.Decision.Rule)
		posts, _ := w.snapshot()
		assert.Empty(t, posts)
	})
}

// reloading is a journal beside which something happens once, right after a filing commit.
type reloading struct {
	journal
	once sync.Once
	do   func()
}

func (j *reloading) Apply(ctx context.Context, c cancellation.Change) (cancellation.Request, error) {
	r, err := j.journal.Apply(ctx, c)
	if c.To.State == cancellation.Filing {
		j.once.Do(j.do)
	}
	return r, err
}

func TestNothingIsSentByAReplacedPolicy(t *testing.T) {
	for name, c := range map[string]struct {
		then  string // the policy that comes into force right before the POST
		state cancellation.State
		posts int // that were announced
	}{
		"the next one refuses":       {noneOfThese, cancellation.Denied, 1},
		"the next one allows it too": {anyAsker + "// by ana", cancellation.Filed, 2},
		"the same one is read again": {anyAsker, cancellation.Filed, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.perHour = 1
				w.comesIntoForce(anyAsker)
				people := roster{w, []string{"S0ASK", "S0OUT"}}
				if c.state == cancellation.Filed {
					people.groups = people.groups[:1]
				}
				desk := w.desk()
				desk.Directory = people
				answer, err := desk.Submit(t.Context(), w.submission())
				require.NoError(t, err)
				var decides *authz.Policy
				w.judge = func(cancellation.Order, cancellation.Outcome) {
					assert.Equal(t, decides, w.rules)
				}
				worker := w.worker(&reloading{journal: w.journal, do: func() { decides = w.comesIntoForce(c.then) }})
				worker.Directory = people
				w.runs(worker, time.Minute)
				r := w.now(answer.Request)
				assert.Equal(t, c.state, r.State)
				assert.Equal(t, decides.Digest(), r.Decision.PolicyDigest)
				assert.Equal(t, c.posts, r.Posts)
				assert.Zero(t, r.LostPosts, "surely nothing was sent")
				posts, _ := w.snapshot()
				assert.Equal(t, c.state == cancellation.Filed, len(posts) == 1, "and the hour's only filing is given back")
			})
		})
	}
}

// stopped is the journal of a process that is suspended right after a filing
// commit: it claims nothing until it wakes.
type stopped struct {
	journal
	pause time.Duration
	alone bool // no other worker takes the row meanwhile

	asleep atomic.Bool
	slept  atomic.Bool
}

func (s *stopped) Apply(ctx context.Context, c cancellation.Change) (cancellation.Request, error) {
	r, err := s.journal.Apply(ctx, c)
	if c.To.State == cancellation.Filing && s.slept.CompareAndSwap(false, true) {
		s.asleep.Store(s.alone)
		time.Sleep(s.pause) // virtual
		s.asleep.Store(false)
	}
	return r, err
}

func (s *stopped) Claim(ctx context.Context, owner string, lease time.Duration, most int) (c cancellation.Claim[cancellation.Request], err error) {
	if s.asleep.Load() {
		return c, nil
	}
	return s.journal.Claim(ctx, owner, lease, most)
}

func TestProcessWakingAfterNotAfterSendsNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		began := time.Now()
		w.run(&stopped{journal: w.journal, pause: postTimeout + time.Second, alone: true}, 5*time.Minute)
		posts, _ := w.snapshot()
		require.Len(t, posts, 1)
		assert.Greater(t, posts[0].at.Sub(began), postTimeout, "the POST belongs to a later filing commit")
		stored := w.now(r)
		assert.Equal(t, cancellation.Filed, stored.State)
		assert.Equal(t, 2, stored.Posts)
		assert.Equal(t, 0, stored.LostPosts, "surely nothing was sent")
	})
}

// jumpy is a journal whose database's clock is set forward right after a filing commit.
type jumpy struct {
	journal
	once sync.Once
	by   atomic.Int64
}

func (j *jumpy) Now(ctx context.Context) (time.Time, error) {
	now, err := j.journal.Now(ctx)
	return now.Add(time.Duration(j.by.Load())), err
}

func (j *jumpy) Apply(ctx context.Context, c cancellation.Change) (cancellation.Request, error) {
	r, err := j.journal.Apply(ctx, c)
	if c.To.State == cancellation.Filing {
		j.once.Do(func() { j.by.Store(int64(postTimeout)) })
	} else {
		j.by.Store(0)
	}
	return r, err
}

func TestDatabaseClockPastNotAfterSendsNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		w.run(&jumpy{journal: w.journal}, 3*time.Minute)
		posts, _ := w.snapshot()
		require.Len(t, posts, 1)
		stored := w.now(r)
		assert.Equal(t, cancellation.Filed, stored.State)
		assert.Equal(t, 2, stored.Posts, "the POST belongs to a later filing commit")
		assert.Equal(t, 0, stored.LostPosts)
	})
}

func TestProcessWakingAfterItsLeaseLosesTheRow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		began := time.Now()
		w.run(&stopped{journal: w.journal, pause: postTimeout + time.Second}, 20*time.Minute)
		posts, _ := w.snapshot()
		require.Len(t, posts, 1)
		assert.GreaterOrEqual(t, posts[0].at.Sub(began), postTimeout+settleTime, "only after the books were clean for the settle time")
		stored := w.now(r)
		assert.Equal(t, cancellation.Filed, stored.State)
		assert.Equal(t, 1, stored.LostPosts, "whoever took the row over could not know")
	})
}
