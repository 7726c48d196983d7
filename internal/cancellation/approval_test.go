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
	click, err := w.desk().Approve(w.t.Context(), pressed(r.ID, by))
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

func TestClickDeliveredAgainIsNotCalledTooLate(t *testing.T) {
	for name, c := range map[string]struct {
		does func(ctx context.Context, d *cancellation.Desk, id string) (cancellation.Click, error)
		to   cancellation.State
	}{
		"an approval": {func(ctx context.Context, d *cancellation.Desk, id string) (cancellation.Click, error) {
			return d.Approve(ctx, pressed(id, raj))
		}, cancellation.Scheduled},
		"a decline": {func(ctx context.Context, d *cancellation.Desk, id string) (cancellation.Click, error) {
			return d.Decline(ctx, pressed(id, raj), "still used")
		}, cancellation.Declined},
		"a withdrawal": {func(ctx context.Context, d *cancellation.Desk, id string) (cancellation.Click, error) {
			return d.Withdraw(ctx, pressed(id, goodSubmission().By))
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
				click, err := w.desk().Approve(t.Context(), pressed(r.ID, kim))
				require.NoError(t, err)
				assert.Equal(t, cancellation.ClickLate, click.Kind, "another person's click is late")
			})
		})
	}
}

func TestRefusalIsRecordedOncePerPersonAndRule(t *testing.T) {
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
			refused = append(refused, e.Actor+" by "+e.Parsed().Rule)
		}
		assert.Equal(t, []string{"T1/U2 by leads-only", "T1/U3 by leads-only", "T1/U2 by freeze"}, refused)
	})
}

// interrupted is a journal in which something happens right before a change is made, or
// whose commits cannot be told.
type interrupted struct {
	journal
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
	return j.journal.Apply(ctx, c)
}

// withheld is a directory that does not read one person.
type withheld struct {
	cancellation.Directory
	user string
}

func (d withheld) Principal(ctx context.Context, who cancellation.Person, groups []string, maxAge time.Duration) (authz.Principal, error) {
	if who.ID == d.user {
		return authz.Principal{}, errors.New("ratelimited")
	}
	return d.Directory.Principal(ctx, who, groups, maxAge)
}

func TestClickCountsOnlyIfBothPeopleAreKnown(t *testing.T) {
	for who, user := range map[string]string{"who clicked": "U2", "who asked": "U1"} {
		t.Run(who+" cannot be read", func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				r := w.submit()
				desk := w.desk()
				desk.Directory = withheld{w, user}
				_, err := desk.Approve(t.Context(), pressed(r.ID, raj))
				require.ErrorIs(t, err, cancellation.ErrPeopleUnread)
				assert.Equal(t, r.Version, w.now(r).Version, "nothing was recorded")
			})
		})
	}
}

// timeless is a journal whose database does not tell the time.
type timeless struct{ journal }

func (timeless) Now(context.Context) (time.Time, error) { return time.Time{}, errors.New("no answer") }

func TestNothingIsDecidedWithoutTheDatabasesTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		s := w.submission()
		desk := w.desk()
		sit(desk, timeless{w.journal})
		_, err := desk.Submit(t.Context(), s)
		require.Error(t, err)
		_, err = w.desk().Recorded(t.Context(), s)
		require.ErrorIs(t, err, cancellation.ErrNoRequest)

		r := w.answer(s).Request
		for _, click := range []func() (cancellation.Click, error){
			func() (cancellation.Click, error) { return desk.Approve(t.Context(), pressed(r.ID, raj)) },
			func() (cancellation.Click, error) { return desk.Decline(t.Context(), pressed(r.ID, raj), "no") },
			func() (cancellation.Click, error) { return desk.Withdraw(t.Context(), pressed(r.ID, raj)) },
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
		sit(desk, &interrupted{journal: w.journal, by: func() { w.approve(r, kim) }})
		click, err := desk.Approve(t.Context(), pressed(r.ID, raj))
		require.NoError(t, err)
		assert.Equal(t, cancellation.ClickDone, click.Kind)
		assert.Equal(t, cancellation.Scheduled, click.Request.State)
		assert.Len(t, click.Request.Approvals, 2)
	})
}

func TestClickWithUnclearCommitIsNoFailure(t *testing.T) {
	for name, press := range map[string]func(d *cancellation.Desk, r cancellation.Request) error{
		"an approval": func(d *cancellation.Desk, r cancellation.Request) error {
			_, err := d.Approve(context.Background(), pressed(r.ID, raj))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				r := w.submit()
				desk := w.desk()
				sit(desk, &interrupted{journal: w.journal, unclear: true})
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
				_, err := d.Approve(t.Context(), pressed(r.ID, raj))
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
				_, err := d.ResolveByClick(t.Context(), pressed(r.ID, kim), cancellation.Resolution{Finding: cancellation.FoundNone, Why: "none there"})
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

func TestDeclineIsShownAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		r := w.submit()
		w.idle = time.Hour
		worker, desk := w.worker(w.journal), w.desk()
		desk.Wake = worker.Wake
		go func() {
			time.Sleep(time.Minute)
			click, err := desk.Decline(t.Context(), pressed(r.ID, raj), "we need it")
			assert.NoError(t, err)
			assert.Equal(t, "U2", click.Request.EndedBy.ID)
		}()
		w.runs(worker, 2*time.Minute)
		_, messages := w.snapshot()
		require.Len(t, messages, 2)
		assert.Equal(t, cancellation.Declined, messages[0].state)
		assert.Equal(t, cancellation.EndedFor("U1"), messages[1].kind, "its requester hears it by direct message")
		assert.Equal(t, cancellation.Declined, messages[1].state)
	})
}

func TestRequesterAndApproversHearDirectlyOfTheFiling(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(2)
		r := w.submit()
		w.approve(r, raj)
		w.approve(r, kim)
		w.run(w.journal, time.Minute)
		_, messages := w.snapshot()
		assert.ElementsMatch(t, []cancellation.NoticeKind{
			cancellation.Result, cancellation.Direct("U1"), cancellation.Direct("U2"),
		}, kindsOf(messages), "and not the one who clicked last")
	})
}

func TestInvalidApprovalAtFilingSendsTheRequestBack(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(2)
		r := w.submit()
		w.approve(r, raj)
		w.approve(r, kim)
		w.change(func(w *world) { w.may = map[string]bool{"U3": true} })
		w.run(w.journal, time.Minute)
		back := w.now(r)
		assert.Equal(t, cancellation.Pending, back.State)
		assert.Equal(t, cancellation.WhyTooFew, back.Why.Code)
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

func TestOnePolicyCountsApprovalsAndSetsTheirNumber(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		r := w.submit()
		w.approve(r, raj)
		one, two := w.rulebook, w.rulebook
		one.decision.PolicyDigest, one.may = "one person, of the leads", map[string]bool{}
		two.decision.PolicyDigest, two.decision.Approvals = "two people, whoever they are", 2
		w.change(func(w *world) { w.rulebook = one })
		worker := w.worker(w.journal)
		worker.Directory = &meanwhile{Directory: w, do: func() { w.change(func(w *world) { w.rulebook = two }) }}
		w.runs(worker, time.Minute)
		posts, _ := w.snapshot()
		assert.Empty(t, posts, "neither policy lets it go")
		assert.Equal(t, cancellation.Pending, w.now(r).State)
		assert.Equal(t, one.Digest(), w.now(r).Decision.PolicyDigest)

		w.approve(r, raj)
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Pending, w.now(r).State, "two have to, by now")
		assert.Equal(t, two.Digest(), w.now(r).Decision.PolicyDigest)
		w.approve(r, kim)
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}

// meanwhile is a directory that does something once, while it reads somebody.
type meanwhile struct {
	cancellation.Directory
	once sync.Once
	do   func()
}

func (m *meanwhile) Principal(ctx context.Context, who cancellation.Person, groups []string, maxAge time.Duration) (authz.Principal, error) {
	m.once.Do(m.do)
	return m.Directory.Principal(ctx, who, groups, maxAge)
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

func TestUnlistedGroupThatBlocksEverybodyKeepsNobodyWaiting(t *testing.T) {
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
				desk.Policy = inForce(policy)
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

func TestPersonWithTwoIdsCountsOnceAtFiling(t *testing.T) {
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

func TestRequesterWithoutRightIsDeniedDespiteApprovals(t *testing.T) {
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

func TestLostAnswerWithoutEnoughApprovalsNeedsAPerson(t *testing.T) {
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

func TestHistoryNamesWhoEndedTheRequest(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.answers = append(w.answers, lostBefore, lostBefore)
		r := w.submit()
		w.approve(r, raj)
		w.run(w.journal, time.Hour)
		require.Equal(t, cancellation.Stuck, w.now(r).State)
		click, err := w.desk().ResolveByClick(t.Context(), pressed(r.ID, kim), cancellation.Resolution{Finding: cancellation.DropIt, Why: "looked"})
		require.NoError(t, err)
		assert.Equal(t, cancellation.Withdrawn, click.Request.State)
		assert.Equal(t, "U3", click.Request.EndedBy.ID)
	})
}
