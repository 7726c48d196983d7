package cancellation_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// privately is a submission that no channel shows.
func (w *world) privately() cancellation.Submission {
	w.t.Helper()
	s := w.submission()
	s.Place.Channel, s.Place.ChannelName = "", ""
	return s
}

func TestApprovalExpiresAfterOneReminder(t *testing.T) {
	for name, c := range map[string]struct {
		cutoff   time.Duration // from the submission; 0 for unknown
		bill     time.Duration // the bill date, from the cut-off
		reminded time.Duration
	}{
		"four hours before its end":                      {reminded: 68 * time.Hour},
		"four hours before the cut-off that comes first": {24 * time.Hour, 48 * time.Hour, 20 * time.Hour},
		"half-way to a cut-off that is near":             {2 * time.Hour, 48 * time.Hour, time.Hour},
		"a cut-off that comes later changes nothing":     {100 * time.Hour, 48 * time.Hour, 68 * time.Hour},
		"a cut-off of another bill date changes nothing": {24 * time.Hour, 8 * 24 * time.Hour, 68 * time.Hour},
		"a cut-off that is over changes nothing":         {-time.Hour, 48 * time.Hour, 68 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				w.idle = time.Hour
				s := w.submission()
				began := time.Now()
				if c.cutoff != 0 {
					s.Card.Cutoff = began.Add(c.cutoff).Format(time.RFC3339)
					s.Card.Server.Billing.NextBillDate = began.Add(c.cutoff + c.bill).Format(time.RFC3339)
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

func TestRequestThatWaitsAgainGetsNoSecondReminder(t *testing.T) {
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

func TestExpiredRequestCannotBeApproved(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		r := w.submit()
		time.Sleep(72*time.Hour + time.Minute)
		assert.Equal(t, cancellation.ClickLate, w.approve(r, raj).Kind)
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Expired, w.now(r).State)
	})
}

func TestNoReminderIsRecordedIfNobodyIsReminded(t *testing.T) {
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

func TestApprovalTimeDoesNotDependOnTheWorker(t *testing.T) {
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

func TestDirectlyAskedApproverIsRemindedOnce(t *testing.T) {
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

func TestRequesterReadsOfWaitingWhileNobodyIsFound(t *testing.T) {
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

func TestReminderFollowsTheCardToTheOperatorsChannel(t *testing.T) {
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

func TestReminderIsInTheThreadOfItsRequest(t *testing.T) {
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

func TestApproversAreAskedDirectlyIfNoChannelWorks(t *testing.T) {
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

func TestLaterNeedForApprovalAsksApprovers(t *testing.T) {
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

func TestApproversWithoutACardAreAskedDirectly(t *testing.T) {
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

func TestShownCardMeansNobodyIsAskedDirectly(t *testing.T) {
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

func TestCardRefusedByItsChannelIsTriedAgain(t *testing.T) {
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
					_, err := w.desk().Decline(t.Context(), pressed(r.ID, raj), "no")
					require.NoError(t, err)
				}
				w.change(func(w *world) {
					w.refusing = map[cancellation.NoticeKind]int{cancellation.Result: 1, cancellation.ApprovalCard: 1}
				})
				w.run(w.journal, time.Minute)
				w.run(w.journal, 15*time.Minute)
				_, messages := w.snapshot()
				assert.Equal(t, c.shown, slices.Contains(kindsOf(messages), cancellation.ApprovalCard))
			})
		})
	}
}

func TestRefusedCardHasApproversAskedDirectly(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.notify = "COPS"
		s := w.submission()
		s.Place.Channel, s.Place.ChannelName = "", ""
		w.answer(s)
		// The card is refused, and one message to a person: whichever is posted first.
		w.change(func(w *world) { w.deliveries = slices.Repeat([]cancellation.Delivery{cancellation.Refusing}, 2) })
		w.run(w.journal, 15*time.Minute) // long enough to try the refused person again
		_, messages := w.snapshot()
		assert.Contains(t, kindsOf(messages), cancellation.Direct("U2"))
	})
}

func TestEnoughApproversAreAskedDirectly(t *testing.T) {
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

func TestApprovalsCanComeFromDifferentPeopleInTurn(t *testing.T) {
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
		click, err := w.desk().Decline(t.Context(), pressed(r.ID, cancellation.Person{Team: "T1", ID: "U8"}), "still used")
		require.NoError(t, err)
		assert.Equal(t, cancellation.ClickDone, click.Kind)
	})
}

func TestApproversOfTheNextApprovalAreAskedFirst(t *testing.T) {
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

func TestRequesterHearsOnlyTrulyThatNobodyWasAsked(t *testing.T) {
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

func TestUndeliverableMessageIsGivenUpAfterTheEnd(t *testing.T) {
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

func TestApprovalExpiresWhileSoftLayerIsSilent(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.idle = time.Hour
		r := w.submit()
		w.change(func(w *world) { w.reading = errors.New("no answer") })
		w.run(w.journal, 73*time.Hour)
		assert.Equal(t, cancellation.Expired, w.now(r).State)
	})
}

func TestRestartKeepsNoRequestFromExpiring(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.idle = time.Hour
		r := w.submit()
		w.restart()
		w.run(w.journal, 73*time.Hour)
		assert.Equal(t, cancellation.Expired, w.now(r).State)
	})
}
