package cancellation_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

func (w *world) answer(s cancellation.Submission) cancellation.Answer {
	w.t.Helper()
	answer, err := w.desk().Submit(w.t.Context(), s)
	require.NoError(w.t, err)
	return answer
}

func (w *world) kinds(r cancellation.Request) []string {
	w.t.Helper()
	events, err := w.journal.Events(w.t.Context(), r.ID)
	require.NoError(w.t, err)
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func TestSubmissionDeliveredTwiceAtOnceIsOneRequest(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.submission()
		answers := make([]cancellation.Answer, 8)
		var deliveries sync.WaitGroup
		for i := range answers {
			deliveries.Go(func() { answers[i] = w.answer(s) })
		}
		deliveries.Wait()
		for _, a := range answers {
			assert.Equal(t, cancellation.AnswerAccepted, a.Kind)
			assert.Equal(t, answers[0].Request.Ref, a.Request.Ref, "each delivery gets the same answer")
		}
		assert.Equal(t, []string{cancellation.EventSubmitted}, w.kinds(answers[0].Request), "recorded once")

		w.run(w.journal, time.Minute)
		again := w.answer(s)
		assert.Equal(t, cancellation.AnswerAccepted, again.Kind, "also after it was filed")
		posts, _ := w.snapshot()
		assert.Len(t, posts, 1)
	})
}

func TestTheSecondPersonIsToldWhoseRequestStands(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		card := w.submission() // read before anybody asked
		first := w.submit()
		card.By, card.View = cancellation.Person{Team: "T1", ID: "U2"}, "V2"
		second := w.answer(card)
		assert.Equal(t, cancellation.AnswerHeld, second.Kind, "by the unique index")
		assert.Equal(t, first.Ref, second.Held.Ref)

		late := w.submission() // read after: the card itself says so
		late.By, late.View = cancellation.Person{Team: "T1", ID: "U3"}, "V3"
		require.Contains(t, late.Card.Blockers(), cancellation.BlockedByRequest)
		third := w.answer(late)
		assert.Equal(t, cancellation.AnswerHeld, third.Kind)
		assert.Equal(t, []string{cancellation.EventSubmitted, cancellation.EventAskedAgain, cancellation.EventAskedAgain}, w.kinds(first))
	})
}

func TestFiledServerStaysFiledWhenAskedForAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first := w.submit()
		w.run(w.journal, time.Minute)
		s := w.submission()
		s.By, s.View = cancellation.Person{Team: "T1", ID: "U2"}, "V2"
		held := w.answer(s)
		assert.Equal(t, cancellation.AnswerHeld, held.Kind)
		assert.Equal(t, first.Ref, held.Held.Ref)
		assert.Equal(t, cancellation.Filed, w.now(first).State)
	})
}

func TestARequestNamesItsRequesterAsSlackDoes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.submission()
		s.By.Name = "typed by somebody"
		r := w.answer(s).Request
		assert.Equal(t, "Ana", r.Submission.By.Name)
	})
}

func TestFormErrorsAreShownAndNothingIsRecorded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.submission()
		s.Confirmation = "db-043"
		answer := w.answer(s)
		assert.Equal(t, cancellation.AnswerWrong, answer.Kind)
		assert.Equal(t, []cancellation.Problem{cancellation.ProblemConfirmation}, answer.Problems)
		_, err := w.desk().Recorded(t.Context(), s)
		require.ErrorIs(t, err, cancellation.ErrNoRequest)

		w.change(func(w *world) { w.server.Transaction = "Reload" })
		blocked := w.submission()
		blocked.Confirmation = "" // a card that blocks asks for none
		answer = w.answer(blocked)
		assert.Equal(t, cancellation.AnswerBlocked, answer.Kind)
		assert.Equal(t, []cancellation.Blocker{cancellation.BlockedByTransaction}, answer.Blockers)
	})
}

func TestRequestInvisibleToApproversIsNotStored(t *testing.T) {
	anybody, err := authz.Parse("policy.cedar", []byte(`
@id("ask") permit (principal, action == Action::"request", resource);
@id("anybody-approves") permit (principal, action == Action::"approve", resource);`))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		notify string
		ask    func(w *world) cancellation.Submission
		want   cancellation.AnswerKind
	}{
		"in no channel": {"", (*world).privately, cancellation.AnswerUnseen},
		"in no channel, and the operators' channel asks": {"COPS", (*world).privately, cancellation.AnswerAccepted},
		"in a channel": {"", (*world).submission, cancellation.AnswerAccepted},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.rules, w.notify = anybody, c.notify
				answer := w.answer(c.ask(w))
				assert.Equal(t, c.want, answer.Kind)
				if c.want == cancellation.AnswerUnseen {
					_, err := w.journal.Live(t.Context(), w.server.ID)
					require.ErrorIs(t, err, cancellation.ErrNoRequest)
				}
			})
		})
	}
}

// restless is a journal whose standing request has always moved when a record is made.
type restless struct {
	journal
	tries int
}

func (j *restless) Record(context.Context, cancellation.Record) (cancellation.Recorded, error) {
	j.tries++
	return cancellation.Recorded{}, cancellation.ErrMoved
}

func TestRequestThatKeepsMovingIsReportedAsStanding(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first := w.submit()
		w.run(w.journal, time.Minute)
		w.change(func(w *world) { w.closeTickets() })
		s := w.submission()
		s.View = "V2"
		desk, journal := w.desk(), &restless{journal: w.journal}
		sit(desk, journal)
		answer, err := desk.Submit(t.Context(), s)
		require.NoError(t, err)
		assert.Equal(t, cancellation.AnswerHeld, answer.Kind)
		assert.Equal(t, first.Ref, answer.Held.Ref)
		assert.Less(t, journal.tries, 10)
	})
}

func TestDenialIsRecordedAndBlocksNoCorrection(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.change(func(w *world) { w.decision = authz.Decision{Rule: "data-team", Reason: "data team only"} })
		s := w.submission()
		denied := w.answer(s)
		assert.Equal(t, cancellation.AnswerDenied, denied.Kind)
		assert.Equal(t, "data-team", denied.Request.Decision.Rule)
		assert.Equal(t, []string{cancellation.EventDenied}, w.kinds(denied.Request))

		w.change(func(w *world) { w.decision = authz.Decision{Effect: authz.Allowed} })
		assert.Equal(t, denied.Request.Ref, w.answer(s).Request.Ref, "the very same submission has the same answer")
		s.Content = "corrected"
		assert.Equal(t, cancellation.AnswerAccepted, w.answer(s).Kind)
		w.run(w.journal, time.Minute)
		_, messages := w.snapshot()
		assert.Len(t, messages, 1, "a denial is told in the modal, not in the channel")
	})
}

func TestRefusedPersonIsNotToldWhatBlocks(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first := w.submit()
		w.change(func(w *world) { w.decision = authz.Decision{Rule: "data-team", Reason: "data team only"} })
		s := w.submission()
		s.By, s.View = cancellation.Person{Team: "T1", ID: "U2"}, "V2"
		require.NotEmpty(t, s.Card.Blockers())
		denied := w.answer(s)
		assert.Equal(t, cancellation.AnswerDenied, denied.Kind)
		assert.Equal(t, "data-team", denied.Request.Decision.Rule, "and the denial is recorded")
		assert.Equal(t, []string{cancellation.EventSubmitted}, w.kinds(first), "nothing enters the first one's history")
	})
}

func TestWhereNobodyElseCouldApproveNothingIsStored(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"the policy names no approver":  func(w *world) { w.nobody = true },
		"the requester is the only one": func(w *world) { w.others["U1"] = w.person },
		"one fewer than it takes":       func(w *world) { w.others["U2"] = authz.Principal{Team: "T1", User: "U2"}; w.decision.Approvals = 2 },
		"it takes two, and the policy names one twice": func(w *world) {
			w.others["U2"], w.named = authz.Principal{Team: "T1", User: "U2"}, []string{"T1/U2"}
			w.decision.Approvals = 2
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.change(func(w *world) { w.decision = authz.Decision{Effect: authz.NeedsApproval, Approvals: 1}; change(w) })
				s := w.submission()
				assert.Equal(t, cancellation.AnswerNobody, w.answer(s).Kind)
				_, err := w.desk().Recorded(t.Context(), s)
				assert.ErrorIs(t, err, cancellation.ErrNoRequest)
			})
		})
	}
}

func TestUserNamedInThePolicyCountsAsApprover(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.change(func(w *world) {
			w.decision = authz.Decision{Effect: authz.NeedsApproval, Approvals: 2}
			w.others["U2"], w.named = authz.Principal{Team: "T1", User: "U2"}, []string{"T1/U3"}
		})
		assert.Equal(t, cancellation.Pending, w.submit().State)
	})
}

// ungrouped is a directory whose groups cannot be read.
type ungrouped struct{ cancellation.Directory }

func (ungrouped) Members(context.Context, []string, time.Duration) ([]authz.Principal, error) {
	return nil, errors.New("missing_scope")
}

func TestPolicyWithoutGroupsReadsNoGroup(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		policy, err := authz.Parse("p.cedar", []byte(`
@id("ask") permit (principal, action == Action::"request", resource);
@id("approve") permit (principal == User::"T1/U2", action == Action::"approve", resource);`))
		require.NoError(t, err)
		desk := w.desk()
		desk.Policy, desk.Directory = inForce(policy), ungrouped{w}
		answer, err := desk.Submit(t.Context(), w.submission())
		require.NoError(t, err)
		assert.Equal(t, cancellation.Pending, answer.Request.State)
	})
}

func TestUnreadGroupsNeverMeanThatNobodyCouldApprove(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		s := w.submission()
		desk := w.desk()
		desk.Directory = ungrouped{w}
		_, err := desk.Submit(t.Context(), s)
		require.ErrorIs(t, err, cancellation.ErrPeopleUnread)
		_, err = w.desk().Recorded(t.Context(), s)
		assert.ErrorIs(t, err, cancellation.ErrNoRequest)
	})
}

func TestUnreadPersonLeavesNothingRecorded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.submission()
		w.change(func(w *world) { w.personErr = errors.New("ratelimited") })
		_, err := w.desk().Submit(t.Context(), s)
		require.ErrorIs(t, err, cancellation.ErrPeopleUnread)
		_, err = w.desk().Recorded(t.Context(), s)
		assert.ErrorIs(t, err, cancellation.ErrNoRequest)
	})
}

// unclear is a journal whose commit of a record cannot be told.
type unclear struct {
	journal
	happens bool
}

func (u *unclear) Record(ctx context.Context, rec cancellation.Record) (cancellation.Recorded, error) {
	if u.happens {
		if _, err := u.journal.Record(ctx, rec); err != nil {
			return cancellation.Recorded{}, err
		}
	}
	return cancellation.Recorded{}, cancellation.ErrUnclear
}

func TestAnUnclearCommitIsNeverCalledAFailure(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		desk := w.desk()
		sit(desk, &unclear{journal: w.journal, happens: true})
		answer, err := desk.Submit(t.Context(), w.submission())
		require.NoError(t, err, "read by id, it is there")
		assert.Equal(t, cancellation.AnswerAccepted, answer.Kind)

		sit(desk, &unclear{journal: w.journal})
		s := w.submission()
		s.View, s.Card.Standing, s.Card.Server.ID = "V9", nil, 9
		_, err = desk.Submit(t.Context(), s)
		var cannotTell *cancellation.UnclearError
		require.ErrorAs(t, err, &cannotTell, "absence proves nothing")
		assert.Len(t, string(cannotTell.Ref), 26, "with the reference it would have")
	})
}

func TestFiledRequestGivesWayOnFreshEvidenceOnly(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first := w.submit()
		w.run(w.journal, time.Minute)
		require.Equal(t, cancellation.Filed, w.now(first).State)
		standing := w.submission()
		require.NotNil(t, standing.Card.Standing)
		assert.Empty(t, standing.Card.Standing.Ending, "the ticket is open")

		w.change(func(w *world) { w.closeTickets() })
		w.seenBefore()
		s := w.submission()
		require.NotNil(t, s.Card.Standing)
		s.View = "V3"
		assert.Equal(t, cancellation.AnswerHeld, w.answer(s).Kind, "cards alone free no server")
		w.followed(first, cancellation.Reverted)
		s = w.submission()
		assert.Empty(t, s.Card.Blockers(), "it may be asked for again")
		s.View = "V2"
		second := w.answer(s)
		assert.Equal(t, cancellation.AnswerAccepted, second.Kind)
		w.run(w.journal, time.Minute)
		_, messages := w.snapshot()
		require.Len(t, messages, 2)
		assert.Equal(t, cancellation.Reverted, messages[0].state, "the first one's message says so")
		assert.Equal(t, cancellation.Filed, messages[1].state)
	})
}

func TestFiledRequestWithAHiddenTicketBecomesStuck(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first := w.submit()
		w.run(w.journal, time.Minute)
		w.change(func(w *world) { w.closeTickets(); w.rights.ViewTickets = false })
		s := w.submission()
		s.View = "V2"
		answer := w.answer(s)
		assert.Equal(t, cancellation.AnswerHeld, answer.Kind)
		assert.Equal(t, cancellation.Stuck, answer.Held.State, "and is told so")
		assert.Equal(t, cancellation.Stuck, w.now(first).State)
	})
}

// followed ends a filed request as the follower does.
func (w *world) followed(r cancellation.Request, to cancellation.State) {
	w.t.Helper()
	from := w.now(r)
	next, err := from.Move(to, cancellation.ByFollower, cancellation.Reason{Code: cancellation.WhyTicketClosed, Detail: "as read twice"})
	require.NoError(w.t, err)
	event := cancellation.Event{Kind: cancellation.EventEvidence, Actor: "follower"}
	_, err = w.journal.Apply(w.t.Context(), cancellation.Change{From: from, To: next, Event: event, Tell: cancellation.AtOnce})
	require.NoError(w.t, err)
}

// stuck is a request whose answer was lost, and of which the books were unclear.
func (w *world) stuck() cancellation.Request {
	w.t.Helper()
	w.answers = append(w.answers, lostBefore)
	r := w.submit()
	w.run(w.journal, 10*time.Second)
	w.change(func(w *world) { w.server.Billing = nil })
	w.run(w.journal, 10*time.Minute)
	w.change(func(w *world) { w.server = goodServer() })
	require.Equal(w.t, cancellation.Stuck, w.now(r).State)
	return w.now(r)
}

func TestResolve(t *testing.T) {
	const onTheirWord = `"tickets-unread"`
	for name, c := range map[string]struct {
		prepare func(w *world, r cancellation.Request)
		say     cancellation.Resolution
		want    cancellation.State
		err     error
		note    string // on record beside the person's why
	}{
		"a ticket with our reference": {
			func(w *world, r cancellation.Request) { w.openTicket(9, r.Ref.Marker()) },
			cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9},
			cancellation.Filed, nil, `"carries-reference"`,
		},
		"somebody else's open ticket": {
			func(w *world, _ cancellation.Request) { w.openTicket(9, "by hand") },
			cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9},
			cancellation.Duplicate, nil, `"open-and-foreign"`,
		},
		"somebody else's closed ticket settles nothing": {
			func(w *world, _ cancellation.Request) { w.openTicket(9, "by hand"); w.closeTickets() },
			cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9},
			cancellation.Stuck, cancellation.ErrTicketClosed, "",
		},
		"a ticket about another server": {
			func(w *world, r cancellation.Request) {
				w.openTicket(9, r.Ref.Marker())
				w.tickets[0].Servers = []int64{42}
			},
			cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9},
			cancellation.Stuck, cancellation.ErrOtherServer, "",
		},
		"a ticket that the key cannot read is no ticket": {
			func(*world, cancellation.Request) {},
			cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9},
			cancellation.Stuck, cancellation.ErrTicketUnseen, "",
		},
		"nor is one while some cancellation is pending": {
			func(w *world, _ cancellation.Request) { w.server.Billing.PendingCancellation = true },
			cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9},
			cancellation.Stuck, cancellation.ErrSomeTicket, "",
		},
		"nor is one whose text is hidden": {
			func(w *world, _ cancellation.Request) {
				w.openTicket(9, "")
				w.tickets[0].FirstRead, w.server.OpenTicket = false, nil
			},
			cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9},
			cancellation.Stuck, cancellation.ErrTicketUnseen, "",
		},
		"nor is one beside another open ticket of the server, whatever the operator says": {
			func(w *world, _ cancellation.Request) { w.openTicket(8, "by hand") },
			cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9, Unseen: true},
			cancellation.Stuck, &cancellation.OtherTicketError{Open: 8}, "",
		},
		"nor is one beside the ticket that SoftLayer says it made": {
			func(w *world, r cancellation.Request) {
				late := cancellation.Event{Kind: cancellation.EventLateAnswer, Actor: "worker-2", From: r.State, To: r.State, Detail: `{"Kind":"made","Ticket":8}`}
				require.NoError(w.t, w.journal.Note(w.t.Context(), r.ID, late))
			},
			cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9, Unseen: true},
			cancellation.Stuck, cancellation.ErrTicketMade, "",
		},
		"a ticket that an operator vouches for unseen": {
			func(*world, cancellation.Request) {},
			cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9, Unseen: true},
			cancellation.Filed, nil, `"operators-word"`,
		},
		"what a ticket says counts before the operator's word": {
			func(w *world, _ cancellation.Request) {
				w.openTicket(9, "by hand")
				w.tickets[0].Servers = []int64{42}
			},
			cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9, Unseen: true},
			cancellation.Stuck, cancellation.ErrOtherServer, "",
		},
		"a hidden ticket that SoftLayer names as the server's open one": {
			func(w *world, _ cancellation.Request) { w.openTicket(9, ""); w.rights.ViewTickets = false },
			cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9},
			cancellation.Filed, nil, `"named-as-open"`,
		},
		"dropping what SoftLayer said late that it made": {
			func(w *world, r cancellation.Request) {
				late := cancellation.Event{Kind: cancellation.EventLateAnswer, Actor: "worker-2", From: r.State, To: r.State, Detail: `{"Kind":"made","Ticket":9}`}
				require.NoError(w.t, w.journal.Note(w.t.Context(), r.ID, late))
			},
			cancellation.Resolution{Finding: cancellation.DropIt},
			cancellation.Stuck, cancellation.ErrTicketMade, "",
		},
		"dropping while a ticket of ours is there to be read": {
			func(w *world, r cancellation.Request) { w.openTicket(9, r.Ref.Marker()) },
			cancellation.Resolution{Finding: cancellation.DropIt},
			cancellation.Stuck, cancellation.ErrTicketMade, "",
		},
		"dropping while somebody else's ticket stands": {
			func(w *world, _ cancellation.Request) { w.openTicket(9, "by hand") },
			cancellation.Resolution{Finding: cancellation.DropIt},
			cancellation.Withdrawn, nil, "",
		},
		"dropping where the key cannot read tickets is the person's word": {
			func(w *world, r cancellation.Request) { w.openTicket(9, r.Ref.Marker()); w.rights.ViewTickets = false },
			cancellation.Resolution{Finding: cancellation.DropIt},
			cancellation.Withdrawn, nil, onTheirWord,
		},
		"a ticket without a number": {
			func(*world, cancellation.Request) {},
			cancellation.Resolution{Finding: cancellation.FoundTicket},
			cancellation.Stuck, cancellation.ErrTicketMissing, "",
		},
		"an open ticket of the server whose text is hidden": {
			func(w *world, _ cancellation.Request) { w.openTicket(9, ""); w.tickets[0].FirstRead = false },
			cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9},
			cancellation.Filed, nil, `"named-as-open"`,
		},
		"somebody else's ticket that may be about another server": {
			func(w *world, _ cancellation.Request) { w.openTicket(9, "by hand"); w.tickets[0].ServersRead = false },
			cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9},
			cancellation.Stuck, cancellation.ErrOtherServer, "",
		},
		"somebody else's open ticket about a server that is gone": {
			func(w *world, _ cancellation.Request) { w.openTicket(9, "by hand"); w.gone = true },
			cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9},
			cancellation.Duplicate, nil, "",
		},
		"dropping although somebody else's ticket was named late": {
			func(w *world, r cancellation.Request) {
				late := cancellation.Event{Kind: cancellation.EventLateAnswer, Actor: "worker-2", From: r.State, To: r.State, Detail: `{"Kind":"already-open","Ticket":9}`}
				require.NoError(w.t, w.journal.Note(w.t.Context(), r.ID, late))
			},
			cancellation.Resolution{Finding: cancellation.DropIt},
			cancellation.Withdrawn, nil, "",
		},
		"no ticket, and none wanted": {
			func(*world, cancellation.Request) {},
			cancellation.Resolution{Finding: cancellation.DropIt},
			cancellation.Withdrawn, nil, `"none-found"`,
		},
		"no ticket: send again": {
			func(*world, cancellation.Request) {},
			cancellation.Resolution{Finding: cancellation.FoundNone},
			cancellation.Scheduled, nil, "",
		},
		"a finding that there is not": {
			func(*world, cancellation.Request) {},
			cancellation.Resolution{Finding: "maybe"},
			cancellation.Stuck, errAny, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				r := w.stuck()
				c.prepare(w, r)
				c.say.Ref, c.say.Why, c.say.Actor = r.Ref.Short(), "looked in Cases", "operator:root"
				_, err := w.desk().Resolve(t.Context(), c.say)
				switch {
				case c.err == nil:
					require.NoError(t, err)
					events, err := w.journal.Events(t.Context(), r.ID)
					require.NoError(t, err)
					last := events[len(events)-1]
					assert.Equal(t, cancellation.EventResolved, last.Kind, "audited")
					assert.Equal(t, "operator:root", last.Actor)
					assert.Contains(t, last.Detail, c.note)
				case errors.Is(c.err, errAny):
					require.Error(t, err)
				default:
					require.ErrorContains(t, err, c.err.Error())
				}
				assert.Equal(t, c.want, w.now(r).State)
				if c.say.Unseen && c.want == cancellation.Filed {
					assert.Equal(t, cancellation.Reason{Code: cancellation.WhyUnseen, By: "operator:root"}, w.now(r).Why, "it rests on that word")
				}
				if c.want == cancellation.Filed || c.want == cancellation.Duplicate {
					assert.Equal(t, int64(9), w.now(r).Ticket.ID, "the ticket is linked")
				}
			})
		})
	}
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		_, err := w.desk().Resolve(t.Context(), cancellation.Resolution{Ref: r.Ref.Short(), Finding: cancellation.DropIt, Why: "x"})
		require.ErrorIs(t, err, cancellation.ErrNotStuck)
		_, err = w.desk().Resolve(t.Context(), cancellation.Resolution{Ref: r.Ref.Short(), Finding: cancellation.DropIt})
		require.ErrorIs(t, err, cancellation.ErrWhyMissing)
		_, err = w.desk().Resolve(t.Context(), cancellation.Resolution{Ref: "ZZZZ-ZZZZ", Finding: cancellation.DropIt, Why: "x"})
		require.ErrorIs(t, err, cancellation.ErrNoRequest)
	})
}

// errAny stands in a table for an error that nobody has to tell from others.
var errAny = errors.New("any error")

func TestEveryCheckIsRepeatedAfterAPersonsNone(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, lostBefore, lostBefore)
		r := w.submit()
		w.run(w.journal, time.Hour)
		require.Equal(t, cancellation.Stuck, w.now(r).State)
		w.change(func(w *world) { w.openTicket(9, r.Ref.Marker()) }) // the person overlooked it
		_, err := w.desk().Resolve(t.Context(), cancellation.Resolution{Ref: r.Ref.Short(), Finding: cancellation.FoundNone, Why: "none there", Actor: "operator:root"})
		require.NoError(t, err)
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
		posts, _ := w.snapshot()
		assert.Len(t, posts, 2, "nothing was sent again")
	})
}

func TestEachNoneAllowsExactlyOneMore(t *testing.T) {
	none := func(w *world, r cancellation.Request) {
		_, err := w.desk().Resolve(w.t.Context(), cancellation.Resolution{Ref: r.Ref.Short(), Finding: cancellation.FoundNone, Why: "none there", Actor: "operator:root"})
		require.NoError(w.t, err)
	}
	t.Run("also where nothing was sent before", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			r := w.submit()
			w.change(func(w *world) { w.openTicket(7, ""); w.tickets[0].FirstRead = false })
			w.run(w.journal, time.Minute)
			require.Equal(t, cancellation.Stuck, w.now(r).State)
			none(w, r)
			w.change(func(w *world) { w.closeTickets(); w.tickets, w.answers = nil, append(w.answers, lostBefore, made) })
			w.run(w.journal, time.Hour)
			posts, _ := w.snapshot()
			assert.Len(t, posts, 1)
			assert.Equal(t, cancellation.Reason{Code: cancellation.WhyTwoLost, Detail: "1"}, w.now(r).Why)
		})
	})
	t.Run("and no fewer where the database lost what it had committed last", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			r := w.stuck()
			lost := r
			lost.Recheck = cancellation.RecheckSettled
			_, err := w.journal.Apply(t.Context(), cancellation.Change{From: r, To: lost})
			require.NoError(t, err)
			none(w, r)
			w.change(func(w *world) { w.answers = append(w.answers, rateLimited) })
			w.run(w.journal, settleTime-time.Second)
			posts, _ := w.snapshot()
			require.Len(t, posts, 1, "not before a whole clean settle time")
			w.run(w.journal, 3*time.Minute)
			posts, _ = w.snapshot()
			assert.Len(t, posts, 3, "what made nothing is repeated without another")
			assert.Equal(t, cancellation.Filed, w.now(r).State)
		})
	})
}

// illegible is a journal that cannot read what a request asked for.
type illegible struct{ journal }

func (j illegible) ByRef(ctx context.Context, short string) (cancellation.Request, error) {
	r, err := j.journal.ByRef(ctx, short)
	return r, errors.Join(err, cancellation.ErrUnreadable)
}

func TestUnreadableRequestCanOnlyBeDropped(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.stuck()
		desk := w.desk()
		sit(desk, illegible{w.journal})
		for finding, want := range map[cancellation.Finding]error{cancellation.FoundNone: cancellation.ErrUnreadable, cancellation.FoundTicket: cancellation.ErrUnreadable} {
			_, err := desk.Resolve(t.Context(), cancellation.Resolution{Ref: r.Ref.Short(), Finding: finding, Ticket: 9, Why: "x", Actor: "operator:root"})
			require.ErrorIs(t, err, want)
			require.Equal(t, cancellation.Stuck, w.now(r).State)
		}
		_, err := desk.Resolve(t.Context(), cancellation.Resolution{Ref: r.Ref.Short(), Finding: cancellation.DropIt, Why: "x", Actor: "operator:root"})
		require.NoError(t, err)
		assert.Equal(t, cancellation.Withdrawn, w.now(r).State)
	})
}
