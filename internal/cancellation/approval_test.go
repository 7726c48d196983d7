package cancellation_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

var raj, kim = cancellation.Person{Team: "T1", ID: "U2"}, cancellation.Person{Team: "T1", ID: "U3"}

// needs makes the policy ask for so many approvals, of people that there are.
func (w *world) needs(approvals int) {
	w.change(func(w *world) {
		w.decision = authz.Decision{Effect: authz.NeedsApproval, Approvals: approvals, Rule: "ask"}
		for _, user := range []string{"U2", "U3", "U4"} {
			w.others[user] = authz.Principal{Team: "T1", User: user, Name: "person " + user, GroupsKnown: true}
		}
	})
}

func (w *world) approve(r cancellation.Request, by cancellation.Person) cancellation.Click {
	w.t.Helper()
	click, err := w.desk().Approve(w.t.Context(), r.ID, by)
	require.NoError(w.t, err)
	return click
}

func TestEachApprovalIsOneOtherPersons(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(2)
		w.change(func(w *world) { w.others["U9"] = w.person }) // Ana, by her id in another workspace
		r := w.submit()
		require.Equal(t, cancellation.Pending, r.State)
		ana := cancellation.Person{Team: "T9", ID: "U9"}

		assert.Equal(t, cancellation.ClickRefused, w.approve(r, r.Submission.By).Kind, "her own")
		refused := w.approve(r, ana)
		assert.Equal(t, cancellation.ClickRefused, refused.Kind, "her own, by another id")
		assert.Equal(t, authz.RuleOwnRequest, refused.Decision.Rule)
		assert.Equal(t, cancellation.ClickDone, w.approve(r, raj).Kind)
		assert.Equal(t, cancellation.ClickRepeated, w.approve(r, raj).Kind, "twice by one")
		assert.Equal(t, cancellation.Pending, w.now(r).State)
		done := w.approve(r, kim)
		assert.Equal(t, cancellation.Scheduled, done.Request.State)
		assert.Equal(t, cancellation.ClickLate, w.approve(r, cancellation.Person{Team: "T1", ID: "U4"}).Kind)
		assert.Equal(t, []string{"submitted", "refused", "approved", "approved"}, w.kinds(r), "a refusal is recorded once for each person and rule")
	})
}

func TestAClickThatSlackDeliversAgainIsNotCalledTooLate(t *testing.T) {
	for name, c := range map[string]struct {
		does func(ctx context.Context, d *cancellation.Desk, id string) (cancellation.Click, error)
		to   cancellation.State
	}{
		"an approval": {func(ctx context.Context, d *cancellation.Desk, id string) (cancellation.Click, error) {
			return d.Approve(ctx, id, raj)
		}, cancellation.Scheduled},
		"a decline": {func(ctx context.Context, d *cancellation.Desk, id string) (cancellation.Click, error) {
			return d.Decline(ctx, id, raj, "still used")
		}, cancellation.Declined},
		"a withdrawal": {func(ctx context.Context, d *cancellation.Desk, id string) (cancellation.Click, error) {
			return d.Withdraw(ctx, id, raj, "")
		}, cancellation.Withdrawn},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				r := w.submit()
				for _, kind := range []cancellation.ClickKind{cancellation.ClickDone, cancellation.ClickRepeated} {
					click, err := c.does(t.Context(), w.desk(), r.ID)
					require.NoError(t, err)
					assert.Equal(t, kind, click.Kind)
					assert.Equal(t, c.to, click.Request.State)
				}
				assert.Len(t, w.kinds(r), 2, "recorded once")
				click, err := w.desk().Decline(t.Context(), r.ID, kim, "no")
				require.NoError(t, err)
				assert.Equal(t, cancellation.ClickLate, click.Kind, "another person's click is late")
			})
		})
	}
}

func TestARefusalIsOnRecordOnceForEachPersonAndRule(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		r := w.submit()
		w.change(func(w *world) { w.may = map[string]bool{} })
		for _, by := range []cancellation.Person{raj, raj, kim} {
			assert.Equal(t, cancellation.ClickRefused, w.approve(r, by).Kind)
		}
		w.change(func(w *world) {
			w.approving = func(authz.Principal, int) authz.Decision { return authz.Decision{Rule: "freeze"} }
		})
		assert.Equal(t, cancellation.ClickRefused, w.approve(r, raj).Kind)
		events, err := w.journal.Events(t.Context(), r.ID)
		require.NoError(t, err)
		var refused []string
		for _, e := range events[1:] {
			refused = append(refused, e.Actor+" by "+e.Detail)
		}
		assert.Equal(t, []string{"T1/U2 by leads-only", "T1/U3 by leads-only", "T1/U2 by freeze"}, refused)
	})
}

// interrupted is a journal in which something happens right before a change is made, or
// whose commits cannot be told.
type interrupted struct {
	cancellation.Journal
	by      func()
	once    sync.Once
	unclear bool
}

func (j *interrupted) Apply(ctx context.Context, c cancellation.Change) (cancellation.Request, error) {
	if j.by != nil {
		j.once.Do(j.by)
	}
	if j.unclear {
		return cancellation.Request{}, cancellation.ErrUnclear
	}
	return j.Journal.Apply(ctx, c)
}

// withheld is a directory that does not read one person.
type withheld struct {
	cancellation.Directory
	user string
}

func (d withheld) Principal(ctx context.Context, who cancellation.Person, maxAge time.Duration) (authz.Principal, error) {
	if who.ID == d.user {
		return authz.Principal{}, errors.New("ratelimited")
	}
	return d.Directory.Principal(ctx, who, maxAge)
}

func TestAClickCountsOnlyWhereBothPeopleAreKnown(t *testing.T) {
	for who, user := range map[string]string{"who clicked": "U2", "who asked": "U1"} {
		t.Run(who+" cannot be read", func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				r := w.submit()
				desk := w.desk()
				desk.Directory = withheld{w, user}
				_, err := desk.Approve(t.Context(), r.ID, raj)
				require.ErrorIs(t, err, cancellation.ErrPeopleUnread)
				assert.Equal(t, r.Version, w.now(r).Version, "nothing was recorded")
			})
		})
	}
}

// timeless is a journal whose database does not tell the time.
type timeless struct{ cancellation.Journal }

func (timeless) Now(context.Context) (time.Time, error) { return time.Time{}, errors.New("no answer") }

func TestNothingIsDecidedWithoutTheDatabasesTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		s := w.submission()
		desk := w.desk()
		desk.Journal = timeless{w.journal}
		_, err := desk.Submit(t.Context(), s)
		require.Error(t, err)
		_, err = w.desk().Recorded(t.Context(), s)
		require.ErrorIs(t, err, cancellation.ErrNoRequest)

		r := w.answer(s).Request
		for _, click := range []func() (cancellation.Click, error){
			func() (cancellation.Click, error) { return desk.Approve(t.Context(), r.ID, raj) },
			func() (cancellation.Click, error) { return desk.Decline(t.Context(), r.ID, raj, "no") },
			func() (cancellation.Click, error) { return desk.Withdraw(t.Context(), r.ID, raj, "no") },
		} {
			_, err := click()
			require.Error(t, err)
			assert.Equal(t, r.Version, w.now(r).Version, "nothing was recorded")
		}
	})
}

func TestTwoWhoApproveAtOnceBothCount(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(2)
		r := w.submit()
		desk := w.desk()
		desk.Journal = &interrupted{Journal: w.journal, by: func() { w.approve(r, kim) }}
		click, err := desk.Approve(t.Context(), r.ID, raj)
		require.NoError(t, err)
		assert.Equal(t, cancellation.ClickDone, click.Kind)
		assert.Equal(t, cancellation.Scheduled, click.Request.State)
		assert.Len(t, click.Request.Approvals, 2)
	})
}

func TestAClickWhoseCommitIsUnclearIsNeverCalledAFailure(t *testing.T) {
	for name, press := range map[string]func(d *cancellation.Desk, r cancellation.Request) error{
		"an approval": func(d *cancellation.Desk, r cancellation.Request) error {
			_, err := d.Approve(context.Background(), r.ID, raj)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				r := w.submit()
				desk := w.desk()
				desk.Journal = &interrupted{Journal: w.journal, unclear: true}
				var cannotTell *cancellation.UnclearError
				require.ErrorAs(t, press(desk, r), &cannotTell)
				assert.Equal(t, r.Ref, cannotTell.Ref)
			})
		})
	}
}

func TestWhatPeopleDecideIsWorkedAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		before func(w *world) cancellation.Request
		decide func(t *testing.T, w *world, d *cancellation.Desk, r cancellation.Request) error
	}{
		"a submission": {
			func(*world) cancellation.Request { return cancellation.Request{} },
			func(t *testing.T, w *world, d *cancellation.Desk, _ cancellation.Request) error {
				_, err := d.Submit(t.Context(), w.submission())
				return err
			},
		},
		"the last approval": {
			func(w *world) cancellation.Request { w.needs(1); return w.submit() },
			func(t *testing.T, _ *world, d *cancellation.Desk, r cancellation.Request) error {
				_, err := d.Approve(t.Context(), r.ID, raj)
				return err
			},
		},
		"that a stuck one be sent once more": {
			func(w *world) cancellation.Request {
				w.needs(1)
				w.answers = append(w.answers, lostBefore, lostBefore)
				r := w.submit()
				w.approve(r, raj)
				w.run(w.journal, time.Hour)
				require.Equal(w.t, cancellation.Stuck, w.now(r).State)
				return r
			},
			func(t *testing.T, _ *world, d *cancellation.Desk, r cancellation.Request) error {
				_, err := d.Settle(t.Context(), r.ID, kim, cancellation.Resolution{Finding: cancellation.FoundNone, Why: "none there"})
				return err
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				r := c.before(w)
				w.idle = time.Hour // nothing else makes the worker look
				worker, desk := w.worker(w.journal), w.desk()
				desk.Wake = worker.Wake
				go func() {
					time.Sleep(time.Minute)
					assert.NoError(t, c.decide(t, w, desk, r))
				}()
				w.runs(worker, 2*time.Minute)
				assert.Equal(t, cancellation.Filed, w.live(w.server.ID).State)
			})
		})
	}
}

func TestPeopleSeeAtOnceThatARequestWasDeclined(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		r := w.submit()
		w.idle = time.Hour
		worker, desk := w.worker(w.journal), w.desk()
		desk.Wake = worker.Wake
		go func() {
			time.Sleep(time.Minute)
			click, err := desk.Decline(t.Context(), r.ID, raj, "we need it")
			assert.NoError(t, err)
			assert.Equal(t, "U2", click.Request.EndedBy.ID)
		}()
		w.runs(worker, 2*time.Minute)
		_, messages := w.snapshot()
		require.Len(t, messages, 1)
		assert.Equal(t, cancellation.Declined, messages[0].state)
	})
}

func TestTheRequesterAndWhoApprovedHearDirectlyThatItWillBeFiled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(2)
		r := w.submit()
		w.approve(r, raj)
		w.approve(r, kim)
		w.run(w.journal, time.Minute)
		_, messages := w.snapshot()
		assert.ElementsMatch(t, []cancellation.NoticeKind{
			cancellation.Result, cancellation.Direct("U1"), cancellation.Direct("U2"), cancellation.Direct("U3"),
		}, kindsOf(messages))
	})
}

func TestAnApprovalThatCountsNoMoreAtTheFilingSendsTheRequestBack(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(2)
		r := w.submit()
		w.approve(r, raj)
		w.approve(r, kim)
		w.change(func(w *world) { w.may = map[string]bool{"U3": true} })
		w.run(w.journal, time.Minute)
		back := w.now(r)
		assert.Equal(t, cancellation.Pending, back.State)
		assert.Equal(t, cancellation.WhyTooFew, back.Why)
		require.Len(t, back.Approvals, 1)
		assert.Equal(t, "U3", back.Approvals[0].By.ID)
		posts, messages := w.snapshot()
		assert.Empty(t, posts)
		assert.Equal(t, cancellation.Pending, messages[0].state, "people are told")

		w.change(func(w *world) { w.may["U4"] = true })
		w.approve(r, cancellation.Person{Team: "T1", ID: "U4"})
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}

func TestApprovalsAreCountedByThePolicyThatSaysHowManyThereMustBe(t *testing.T) {
	for name, then := range map[string]authz.Decision{
		"another policy's":             {Effect: authz.Allowed, Rule: "all", PolicyDigest: "two people, whoever they are"},
		"on what was read for another": {PolicyDigest: "one person, of the leads", Again: true},
	} {
		t.Run("an answer "+name+" counts for nothing", func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				r := w.submit()
				w.approve(r, raj)
				w.change(func(w *world) { // it comes into force between the two questions
					w.decision.PolicyDigest = "one person, of the leads"
					w.approving = func(authz.Principal, int) authz.Decision { return then }
				})
				w.run(w.journal, time.Minute)
				assert.Equal(t, cancellation.Scheduled, w.now(r).State, "it is asked again")
				posts, _ := w.snapshot()
				assert.Empty(t, posts, "neither policy lets it go")

				w.change(func(w *world) { w.decision.PolicyDigest, w.approving = "", nil })
				w.run(w.journal, 5*time.Minute)
				assert.Equal(t, cancellation.Filed, w.now(r).State)
			})
		})
	}
}

func TestOnlyApprovalsThatCountAreOnTheTicket(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(2)
		r := w.submit()
		w.approve(r, raj)
		w.approve(r, kim)
		w.needs(1)
		w.change(func(w *world) { w.may = map[string]bool{"U3": true} })
		w.run(w.journal, time.Minute)
		posts, _ := w.snapshot()
		require.Len(t, posts, 1)
		assert.Contains(t, posts[0].order.Content, "U3")
		assert.NotContains(t, posts[0].order.Content, "U2")
	})
}

func TestNobodyIsWaitedForWhereAGroupThatSlackDoesNotListHoldsAllBack(t *testing.T) {
	for says, permit := range map[string]string{
		"anybody may approve": `permit (principal, action == Action::"approve", resource);`,
		"one person may":      `permit (principal == User::"T1/U2", action == Action::"approve", resource);`,
	} {
		t.Run(says, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				policy, err := authz.Parse("p.cedar", []byte(`
@id("ask") permit (principal, action == Action::"request", resource);
@id("approve") `+permit+`
@id("not-these") forbid (principal in Group::"S9", action == Action::"approve", resource);`))
				require.NoError(t, err)
				desk := w.desk()
				desk.Policy = policy
				s := w.submission()
				w.person.GroupsUnlisted = []string{"S9"}
				answer, err := desk.Submit(t.Context(), s)
				require.NoError(t, err)
				assert.Equal(t, cancellation.AnswerNobody, answer.Kind)
				w.person.GroupsUnlisted = nil
				answer, err = desk.Submit(t.Context(), s)
				require.NoError(t, err)
				assert.Equal(t, cancellation.Pending, answer.Request.State)
			})
		})
	}
}

func TestTwoWhoTurnOutToBeOnePersonCountOnceAtTheFiling(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(2)
		r := w.submit()
		w.approve(r, raj)
		w.approve(r, kim)
		w.change(func(w *world) { // their workspace joined an organisation meanwhile
			w.others["U2"] = authz.Principal{Team: "E1", User: "W1", GroupsKnown: true}
			w.others["U3"] = w.others["U2"]
		})
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Pending, w.now(r).State)
		assert.Len(t, w.now(r).Approvals, 1)
		posts, _ := w.snapshot()
		assert.Empty(t, posts)
	})
}

func TestWhoLosesTheRightToAskIsDeniedAlthoughOthersApproved(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		r := w.submit()
		w.approve(r, raj)
		w.change(func(w *world) { w.decision = authz.Decision{Rule: "left", Reason: "not any more"} })
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Denied, w.now(r).State)
		posts, _ := w.snapshot()
		assert.Empty(t, posts)
	})
}

func TestAfterALostAnswerMissingApprovalsNeedAPerson(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.answers = append(w.answers, lostBefore)
		r := w.submit()
		w.approve(r, raj)
		w.run(w.journal, time.Minute)
		require.Equal(t, cancellation.Unknown, w.now(r).State)
		w.change(func(w *world) { w.may = map[string]bool{} })
		w.run(w.journal, time.Hour)
		assert.Equal(t, cancellation.Stuck, w.now(r).State, "nobody can say of it that nothing is filed")
	})
}

func TestWhoLeavesAServerIsOnRecordAsWhoEndedIt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.answers = append(w.answers, lostBefore, lostBefore)
		r := w.submit()
		w.approve(r, raj)
		w.run(w.journal, time.Hour)
		require.Equal(t, cancellation.Stuck, w.now(r).State)
		click, err := w.desk().Settle(t.Context(), r.ID, kim, cancellation.Resolution{Finding: cancellation.DropIt, Why: "looked"})
		require.NoError(t, err)
		assert.Equal(t, cancellation.Withdrawn, click.Request.State)
		assert.Equal(t, "U3", click.Request.EndedBy.ID)
	})
}

// privately is a submission that no channel shows.
func (w *world) privately() cancellation.Submission {
	w.t.Helper()
	s := w.submission()
	s.Place.Channel, s.Place.ChannelName = "", ""
	return s
}

func TestWaitingWearsOffWithOneReminder(t *testing.T) {
	for name, c := range map[string]struct {
		cutoff   time.Duration // from the submission; 0 for unknown
		reminded time.Duration
	}{
		"four hours before its end":                      {0, 68 * time.Hour},
		"four hours before the cut-off that comes first": {24 * time.Hour, 20 * time.Hour},
		"half-way to a cut-off that is near":             {2 * time.Hour, time.Hour},
		"a cut-off that comes later changes nothing":     {100 * time.Hour, 68 * time.Hour},
		"a cut-off that is over changes nothing":         {-time.Hour, 68 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				w.idle = time.Hour
				s := w.submission()
				began := time.Now()
				if c.cutoff != 0 {
					s.Card.Cutoff = began.Add(c.cutoff).Format(time.RFC3339)
				}
				answer, err := w.desk().Submit(t.Context(), s)
				require.NoError(t, err)
				w.run(w.journal, c.reminded-time.Minute)
				_, messages := w.snapshot()
				require.Len(t, messages, 1)
				w.run(w.journal, 2*time.Minute)
				_, messages = w.snapshot()
				require.Len(t, messages, 2, "reminded")
				assert.Equal(t, cancellation.Reminder, messages[1].kind)
				assert.NotEmpty(t, messages[1].thread, "in the thread of the message that approvers have")
				w.run(w.journal, 72*time.Hour-c.reminded-2*time.Minute)
				assert.Equal(t, cancellation.Pending, w.now(answer.Request).State)
				w.run(w.journal, 3*time.Minute)
				assert.Equal(t, cancellation.Expired, w.now(answer.Request).State)
				_, messages = w.snapshot()
				require.Len(t, messages, 2, "one reminder at most")
				assert.Zero(t, messages[1].edits, "it is said once, and not edited")
				assert.Equal(t, cancellation.Expired, messages[0].state)
			})
		})
	}
}

func TestARequestThatWaitsAgainIsNotRemindedOfAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.idle = time.Hour
		r := w.submit()
		w.run(w.journal, 69*time.Hour)
		w.approve(r, raj)
		w.change(func(w *world) { w.may = map[string]bool{} })
		w.run(w.journal, time.Minute)
		require.Equal(t, cancellation.Pending, w.now(r).State)
		w.run(w.journal, 71*time.Hour)
		require.Equal(t, cancellation.Pending, w.now(r).State)
		count := 0
		for _, kind := range w.kinds(r) {
			if kind == cancellation.EventReminded {
				count++
			}
		}
		assert.Equal(t, 1, count, "its history says so of the one that there was")
	})
}

func TestWhatWaitedTooLongIsNotApprovedAlthoughNoWorkerHasEndedItYet(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		r := w.submit()
		time.Sleep(72*time.Hour + time.Minute)
		assert.Equal(t, cancellation.ClickLate, w.approve(r, raj).Kind)
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Expired, w.now(r).State)
	})
}

func TestNobodyIsSaidToBeRemindedWhereNobodyIs(t *testing.T) {
	for where, asked := range map[string]func(p *cancellation.Place){
		"in no channel":                    func(p *cancellation.Place) { p.Channel, p.ChannelName = "", "" },
		"in a channel with nobody else in": func(p *cancellation.Place) { p.Alone = true },
	} {
		t.Run(where, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				w.idle = time.Hour
				for _, user := range []string{"U2", "U3", "U4"} { // nobody can be asked directly
					w.others[user] = authz.Principal{Team: "T1", User: user, Guest: true}
				}
				s := w.submission()
				asked(&s.Place)
				r := w.answer(s).Request
				w.run(w.journal, 70*time.Hour)
				assert.Equal(t, cancellation.Pending, w.now(r).State)
				assert.NotContains(t, w.kinds(r), cancellation.EventReminded)
				_, messages := w.snapshot()
				assert.False(t, slices.ContainsFunc(kindsOf(messages), cancellation.NoticeKind.Reminds))
				w.run(w.journal, 3*time.Hour)
				assert.Equal(t, cancellation.Expired, w.now(r).State)
			})
		})
	}
}

func TestWaitingIsAsLongHoweverOftenTheWorkerLooks(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.idle = time.Hour
		r := w.submit()
		looks := func() {
			from := w.now(r)
			early := from
			early.Due = time.Now()
			_, err := w.journal.Apply(t.Context(), cancellation.Change{From: from, To: early})
			require.NoError(t, err)
		}
		looks()
		w.run(w.journal, 69*time.Hour)
		_, messages := w.snapshot()
		assert.Contains(t, kindsOf(messages), cancellation.Reminder)
		looks()
		w.run(w.journal, 2*time.Hour)
		assert.Equal(t, cancellation.Pending, w.now(r).State)
		assert.Equal(t, []string{cancellation.EventSubmitted, cancellation.EventReminded}, w.kinds(r), "reminded once")
		w.run(w.journal, 2*time.Hour)
		assert.Equal(t, cancellation.Expired, w.now(r).State)
	})
}

func TestEachWhoWasAskedDirectlyIsRemindedOnceAndWhoCameLaterIsAsked(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.idle = time.Hour
		delete(w.others, "U4")
		r := w.answer(w.privately()).Request
		w.run(w.journal, time.Minute)
		w.change(func(w *world) { w.others["U4"] = authz.Principal{Team: "T1", User: "U4"} })
		w.run(w.journal, 69*time.Hour)
		assert.Contains(t, w.kinds(r), cancellation.EventReminded)
		_, messages := w.snapshot()
		assert.ElementsMatch(t, []cancellation.NoticeKind{
			cancellation.Result, cancellation.Direct("U2"), cancellation.Direct("U3"), cancellation.Direct("U4"),
			cancellation.DirectReminder("U2"), cancellation.DirectReminder("U3"),
		}, kindsOf(messages))
		for _, m := range messages {
			assert.Equal(t, m.kind.Reminds(), m.thread != "", "a reminder stands in the thread of what it reminds of: %s", m.kind)
		}
		w.run(w.journal, 3*time.Hour)
		require.Equal(t, cancellation.Expired, w.now(r).State)
		_, messages = w.snapshot()
		assert.Len(t, messages, 6, "one reminder at most")
	})
}

func TestWhileNobodyCanBeFoundToAskTheRequesterStillReadsThatItWaits(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		r := w.answer(w.privately()).Request
		w.change(func(w *world) { w.personErr = errors.New("ratelimited") })
		w.run(w.journal, time.Minute)
		_, messages := w.snapshot()
		assert.Equal(t, []cancellation.NoticeKind{cancellation.Result}, kindsOf(messages))
		w.change(func(w *world) { w.personErr = nil })
		w.run(w.journal, 2*time.Minute)
		_, messages = w.snapshot()
		assert.Contains(t, kindsOf(messages), cancellation.Direct("U2"), "asked as soon as they can be found")
		assert.Equal(t, cancellation.Pending, w.now(r).State)
	})
}

func TestTheReminderStandsInTheOperatorsChannelWhereTheCardIsThere(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.notify, w.idle = "COPS", time.Hour
		w.submit()
		w.run(w.journal, 69*time.Hour)
		_, messages := w.snapshot()
		last := messages[len(messages)-1]
		assert.Equal(t, cancellation.Reminder, last.kind)
		assert.Equal(t, "C:COPS", last.channel)
	})
}

func TestAReminderStandsInTheThreadThatItsRequestStandsIn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.idle = time.Hour
		s := w.submission()
		s.Place.Thread = "1700000000.000100"
		_, err := w.desk().Submit(t.Context(), s)
		require.NoError(t, err)
		w.run(w.journal, 69*time.Hour)
		_, messages := w.snapshot()
		require.Len(t, messages, 2)
		for _, m := range messages {
			assert.Equal(t, s.Place.Thread, m.thread, "a reply is no root of a thread: %s", m.kind)
		}
	})
}

func TestWhatCannotBeShownInAChannelIsAskedDirectly(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		asked  []cancellation.NoticeKind
	}{
		"by direct message to those who could approve": {func(*world) {}, []cancellation.NoticeKind{"direct:U2", "direct:U3", "direct:U4"}},
		"but not to guests or switched-off accounts": {func(w *world) {
			w.others["U2"] = authz.Principal{Team: "T1", User: "U2", Guest: true}
			w.others["U3"] = authz.Principal{Team: "T1", User: "U3", Deactivated: true}
		}, []cancellation.NoticeKind{"direct:U4"}},
		"to at most five": {func(w *world) {
			for _, user := range []string{"U5", "U6", "U7", "U8"} {
				w.others[user] = authz.Principal{Team: "T1", User: user}
			}
		}, []cancellation.NoticeKind{"direct:U2", "direct:U3", "direct:U4", "direct:U5", "direct:U6"}},
		"and the requester hears where there is nobody": {func(w *world) {
			for _, user := range []string{"U2", "U3", "U4"} {
				w.others[user] = authz.Principal{Team: "T1", User: user, Guest: true}
			}
		}, []cancellation.NoticeKind{"direct:U1"}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				w.change(c.change)
				w.change(func(w *world) { w.deliveries = []cancellation.Delivery{cancellation.Refusing} })
				w.submit()
				w.run(w.journal, time.Minute)
				_, messages := w.snapshot()
				var asked []cancellation.NoticeKind
				for _, m := range messages {
					if m.kind.Recipient() != "" {
						asked = append(asked, m.kind)
					}
				}
				assert.ElementsMatch(t, c.asked, asked)
			})
		})
	}
}

func TestApproversAreAskedWhereARequestNeedsThemOnlyLater(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) { // it was accepted with nobody to ask
		w.notify, w.terms.UndoWindow, w.idle = "COPS", time.Minute, time.Hour
		s := w.privately()
		r := w.answer(s).Request
		require.Equal(t, cancellation.Scheduled, r.State)
		w.needs(1)
		w.run(w.journal, 5*time.Minute)
		require.Equal(t, cancellation.Pending, w.now(r).State)
		_, messages := w.snapshot()
		assert.Contains(t, kindsOf(messages), cancellation.ApprovalCard)
	})
}

func TestApproversAreAskedDirectlyWhereNoCardIsOwedToTheOperatorsChannel(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		s := w.privately()
		w.answer(s)
		w.notify = "COPS" // set only now, with a restart
		w.run(w.journal, time.Minute)
		_, messages := w.snapshot()
		assert.Contains(t, kindsOf(messages), cancellation.Direct("U2"))
	})
}

func TestNobodyIsAskedDirectlyWhereTheOperatorsChannelShowsTheCard(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.notify = "COPS"
		s := w.submission()
		s.Place.Channel, s.Place.ChannelName = "", ""
		w.answer(s)
		w.run(w.journal, time.Minute)
		_, messages := w.snapshot()
		assert.ElementsMatch(t, []cancellation.NoticeKind{cancellation.Result, cancellation.ApprovalCard}, kindsOf(messages))
	})
}

func TestACardThatTheOperatorsChannelRefusesIsTriedThereAgainWhileItAsks(t *testing.T) {
	for name, c := range map[string]struct {
		answered bool
		shown    bool
	}{"while it waits": {false, true}, "not once it is answered": {true, false}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				w.notify = "COPS"
				r := w.submit()
				if c.answered {
					_, err := w.desk().Decline(t.Context(), r.ID, raj, "no")
					require.NoError(t, err)
				}
				w.change(func(w *world) { w.deliveries = slices.Repeat([]cancellation.Delivery{cancellation.Refusing}, 2) })
				w.run(w.journal, time.Minute)
				w.run(w.journal, 15*time.Minute)
				_, messages := w.snapshot()
				assert.Equal(t, c.shown, slices.Contains(kindsOf(messages), cancellation.ApprovalCard))
			})
		})
	}
}

func TestApproversAreAskedDirectlyWhereTheOperatorsChannelRefusesTheCard(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.notify = "COPS"
		s := w.submission()
		s.Place.Channel, s.Place.ChannelName = "", ""
		w.answer(s)
		w.change(func(w *world) { w.deliveries = slices.Repeat([]cancellation.Delivery{cancellation.Refusing}, 2) }) // the requester's too
		w.run(w.journal, time.Minute)
		_, messages := w.snapshot()
		assert.Contains(t, kindsOf(messages), cancellation.Direct("U2"))
	})
}

func TestAsManyAreAskedDirectlyAsHaveToApprove(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(6)
		w.change(func(w *world) {
			for _, user := range []string{"U5", "U6", "U7"} {
				w.others[user] = authz.Principal{Team: "T1", User: user}
			}
		})
		s := w.privately()
		w.answer(s)
		w.run(w.journal, time.Minute)
		_, messages := w.snapshot()
		assert.Len(t, messages, 7, "six of them, and the requester's own")
	})
}

// firstOpsThenALead is a policy whose second approval only a lead may give.
const firstOpsThenALead = `
@id("ask") @approvals("2") permit (principal, action == Action::"request", resource);
@id("first") permit (principal in Group::"S0OPS", action == Action::"approve", resource) when { context.approvals == 0 };
@id("then-a-lead") permit (principal in Group::"S0LEADS", action == Action::"approve", resource) when { context.approvals == 1 };
`

// staged puts the second approval into a lead's hands: U8's.
func (w *world) staged(ops ...string) {
	w.t.Helper()
	policy, err := authz.Parse("policy.cedar", []byte(firstOpsThenALead))
	require.NoError(w.t, err)
	w.change(func(w *world) {
		w.rules = policy
		for _, user := range ops {
			w.others[user] = authz.Principal{Team: "T1", User: user, GroupsKnown: true, Groups: []string{"S0OPS"}}
		}
		w.others["U8"] = authz.Principal{Team: "T1", User: "U8", GroupsKnown: true, Groups: []string{"S0LEADS"}}
	})
}

func TestApprovalsThatDifferentPeopleGiveOneAfterTheOther(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.staged("U2")
		r := w.submit()
		require.Equal(t, cancellation.Pending, r.State, "two people can approve it")
		lead := cancellation.Person{Team: "T1", ID: "U8"}
		assert.Equal(t, cancellation.ClickRefused, w.approve(r, lead).Kind, "not the first")
		assert.Equal(t, cancellation.ClickDone, w.approve(r, raj).Kind)
		assert.Equal(t, cancellation.ClickDone, w.approve(r, lead).Kind)
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}

func TestWhoMayGiveOnlyAnotherApprovalMayDecline(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.staged("U2")
		r := w.submit()
		click, err := w.desk().Decline(t.Context(), r.ID, cancellation.Person{Team: "T1", ID: "U8"}, "still used")
		require.NoError(t, err)
		assert.Equal(t, cancellation.ClickDone, click.Kind)
	})
}

func TestWhoMayGiveTheNextApprovalIsAskedBeforeTheOthers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.idle = time.Hour
		w.staged("U2", "U3", "U4", "U5", "U6", "U7")
		r := w.answer(w.privately()).Request
		w.run(w.journal, time.Minute)
		_, messages := w.snapshot()
		assert.NotContains(t, kindsOf(messages), cancellation.Direct("U8"), "not while the first is wanted of five others")
		w.approve(r, raj)
		w.run(w.journal, time.Minute)
		_, messages = w.snapshot()
		assert.Contains(t, kindsOf(messages), cancellation.Direct("U8"), "once the second is wanted")
	})
}

func kindsOf(messages []shown) (kinds []cancellation.NoticeKind) {
	for _, m := range messages {
		kinds = append(kinds, m.kind)
	}
	return kinds
}

func TestTheRequesterHearsThatNobodyCouldBeAskedOnlyWhereThatIsSo(t *testing.T) {
	for name, c := range map[string]struct {
		refused int // of three direct messages
		told    bool
	}{"one of three cannot be reached": {1, false}, "none can": {3, true}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				w.idle = time.Minute
				w.change(func(w *world) {
					w.deliveries = slices.Repeat([]cancellation.Delivery{cancellation.Refusing}, 1+c.refused) // the channel's first
				})
				r := w.submit()
				w.run(w.journal, time.Minute)
				if c.told {
					w.change(func(w *world) { w.deliveries = slices.Repeat([]cancellation.Delivery{cancellation.Refusing}, 3) })
				}
				w.run(w.journal, 15*time.Minute)
				notices, err := w.journal.Notices(t.Context(), r.ID)
				require.NoError(t, err)
				untold := slices.ContainsFunc(notices, func(n cancellation.Notice) bool { return n.Kind == cancellation.Direct("U1") })
				assert.Equal(t, c.told, untold)
			})
		})
	}
}

func TestAMessageThatNobodyTakesIsNotTriedForEverAfterTheEnd(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.idle = 10 * time.Minute
		r := w.submit()
		w.run(w.journal, time.Minute)
		w.approve(r, raj)
		const many = 200
		w.change(func(w *world) { w.deliveries = slices.Repeat([]cancellation.Delivery{cancellation.Refusing}, many) })
		w.run(w.journal, 24*time.Hour)
		require.Equal(t, cancellation.Filed, w.now(r).State)
		assert.Greater(t, len(w.deliveries), many-10, "two people, a few tries")
		_, messages := w.snapshot()
		assert.Equal(t, cancellation.Filed, messages[0].state)
	})
}

func TestTheUndoWindowIsKeptAndUndoneIsNeverFiled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.terms.UndoWindow = 10 * time.Minute
		r := w.submit()
		w.run(w.journal, time.Second)
		_, messages := w.snapshot()
		require.Len(t, messages, 1, "people see at once that they can undo it")
		w.run(w.journal, 9*time.Minute)
		posts, messages := w.snapshot()
		require.Empty(t, posts)
		require.Len(t, messages, 1)
		w.restart() // the store's books are read anew before anything is said of them
		click, err := w.desk().Withdraw(t.Context(), r.ID, r.Submission.By, "")
		require.NoError(t, err)
		require.Equal(t, cancellation.ClickDone, click.Kind)
		w.run(w.journal, time.Hour)
		posts, messages = w.snapshot()
		assert.Empty(t, posts)
		assert.Equal(t, cancellation.Withdrawn, messages[0].state)

		again := w.submission()
		again.View = "V2"
		answer, err := w.desk().Submit(t.Context(), again)
		require.NoError(t, err)
		w.run(w.journal, 11*time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(answer.Request).State, "afterwards it is filed")
		click, err = w.desk().Withdraw(t.Context(), answer.Request.ID, r.Submission.By, "")
		require.NoError(t, err)
		assert.Equal(t, cancellation.ClickLate, click.Kind)
	})
}

func TestTheUndoWindowIsKeptHoweverEarlyTheWorkerLooks(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.terms.UndoWindow = 10 * time.Minute
		r := w.submit()
		early := r
		early.Due = time.Now()
		_, err := w.journal.Apply(t.Context(), cancellation.Change{From: r, To: early})
		require.NoError(t, err)
		w.run(w.journal, 9*time.Minute)
		posts, _ := w.snapshot()
		assert.Empty(t, posts)
		w.run(w.journal, 2*time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}

func TestWhoMayStopARequestBeforeItIsSent(t *testing.T) {
	for who, c := range map[string]struct {
		by   cancellation.Person
		may  map[string]bool // approve, by now
		kind cancellation.ClickKind
	}{
		"its requester":                          {goodSubmission().By, map[string]bool{}, cancellation.ClickDone},
		"who approved it, whatever they may now": {raj, map[string]bool{}, cancellation.ClickDone},
		"who could approve it":                   {kim, map[string]bool{"U3": true}, cancellation.ClickDone},
		"nobody else":                            {kim, map[string]bool{}, cancellation.ClickRefused},
	} {
		t.Run(who, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				w.terms.UndoWindow = time.Hour
				r := w.submit()
				w.approve(r, raj)
				w.change(func(w *world) { w.may = c.may })
				click, err := w.desk().Withdraw(t.Context(), r.ID, c.by, "not now")
				require.NoError(t, err)
				require.Equal(t, c.kind, click.Kind)
				w.run(w.journal, time.Minute)
				if stored := w.now(r); c.kind == cancellation.ClickDone {
					assert.Equal(t, cancellation.Withdrawn, stored.State)
					assert.Equal(t, c.by.ID, stored.EndedBy.ID, "it says by whom")
				} else {
					assert.Equal(t, cancellation.Scheduled, stored.State)
					assert.Equal(t, "leads-only", click.Decision.Rule)
				}
			})
		})
	}
}

func TestWhatWasSurelyNotSentIsStoppedAlsoWhileSoftLayerIsSilent(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.terms.UndoWindow = time.Hour
		r := w.submit()
		w.change(func(w *world) { w.reading = errors.New("no answer") })
		click, err := w.desk().Withdraw(t.Context(), r.ID, r.Submission.By, "")
		require.NoError(t, err)
		assert.Equal(t, cancellation.Withdrawn, click.Request.State)
	})
}

func TestARestoredRequestWithATicketIsNotWithdrawnAsUnsent(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.terms.UndoWindow = time.Hour
		r := w.submit()
		w.change(func(w *world) { w.openTicket(7, cancellation.TicketContent(r)) }) // filed by a history that is lost
		w.restart()
		_, err := w.desk().Withdraw(t.Context(), r.ID, r.Submission.By, "")
		require.ErrorContains(t, err, "ticket 7 may be this request's")
		assert.Equal(t, cancellation.Scheduled, w.now(r).State)
	})
}

func TestARestoredRequestWithATicketIsNotSaidToBeUnsentWhateverEndsItsWaiting(t *testing.T) {
	restored := func(w *world) cancellation.Request {
		w.needs(1)
		w.idle = time.Hour
		r := w.submit()
		w.change(func(w *world) { w.openTicket(7, cancellation.TicketContent(r)) }) // approved and filed by a history that is lost
		w.restart()
		return r
	}
	t.Run("no person declines it", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			r := restored(w)
			_, err := w.desk().Decline(t.Context(), r.ID, raj, "no")
			require.ErrorContains(t, err, "ticket 7 may be this request's")
			assert.Equal(t, cancellation.Pending, w.now(r).State)
		})
	})
	t.Run("nor does it wear off", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			r := restored(w)
			w.run(w.journal, 73*time.Hour)
			assert.Equal(t, cancellation.Stuck, w.now(r).State)
			assert.Contains(t, w.now(r).Why, "ticket 7")
			click, err := w.desk().CheckNow(t.Context(), r.ID, raj)
			require.NoError(t, err)
			assert.Equal(t, cancellation.Filed, click.Request.State, "one press settles it")
		})
	})
	t.Run("nor is its place taken", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			r := restored(w)
			w.change(func(w *world) {
				w.server.OpenTicket, w.tickets[0].Open = nil, false
				w.decision = authz.Decision{Effect: authz.Allowed, Rule: "alone"}
			})
			s := w.submission()
			s.View, s.By = "V2", raj
			_, err := w.desk().Submit(t.Context(), s)
			require.ErrorContains(t, err, "ticket 7 may be this request's")
			assert.Equal(t, cancellation.Pending, w.now(r).State)
		})
	})
}

func TestWhileALostPostMayBeUnderWayNobodyHearsThatNothingWasFiled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.idle = time.Hour
		from := w.submit()
		lost := from // as where the database lost what it had committed last
		lost.Recheck, lost.NotAfter, lost.ExpiresAt, lost.Due = cancellation.RecheckSettled, time.Now().Add(90*time.Second), time.Now().Add(time.Minute), time.Now()
		r, err := w.journal.Apply(t.Context(), cancellation.Change{From: from, To: lost})
		require.NoError(t, err)
		_, err = w.desk().Withdraw(t.Context(), r.ID, r.Submission.By, "")
		require.ErrorContains(t, err, "may be under way")
		w.run(w.journal, 80*time.Second)
		assert.Equal(t, cancellation.Pending, w.now(r).State, "its time is over, and nothing is said of it yet")
		w.run(w.journal, 20*time.Second)
		assert.Equal(t, cancellation.Expired, w.now(r).State)
	})
}

func TestWaitingWearsOffAlsoWhileSoftLayerIsSilent(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.idle = time.Hour
		r := w.submit()
		w.change(func(w *world) { w.reading = errors.New("no answer") })
		w.run(w.journal, 73*time.Hour)
		assert.Equal(t, cancellation.Expired, w.now(r).State)
	})
}

func TestARestartAloneKeepsNoRequestFromWearingOff(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.idle = time.Hour
		r := w.submit()
		w.restart()
		w.run(w.journal, 73*time.Hour)
		assert.Equal(t, cancellation.Expired, w.now(r).State)
	})
}
