package cancellation_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/storetest"
)

// office is people who ask, approve and change their minds about one server, under a real
// policy that changes as do their groups. It judges every POST by what it knows itself:
// who is in which group at that moment, how many approvals the policy of that moment asks
// for, and who clicked what.
type office struct {
	*world
	rt        *rapid.T
	approvals int                 // that the policy in force asks for
	groups    map[string][]string // who is in which, by the id of the whole organisation
	asked     []*asked
	frozen    bool
	views     int
	wrong     []string // broken promises
}

// asked is one request as its people know it.
type asked struct {
	cancellation.Request
	by       string          // the requester's id of the whole organisation
	approved map[string]bool // who clicked so, by that id
	over     bool            // an end was recorded: nothing may be sent any more
	made     bool            // there is, or was, a ticket of it
	lost     int             // POSTs whose answer was lost
	nones    int             // persons' words that there is no ticket
}

// ids are what people are called where they click, and in the whole organisation: two of
// them have another id in another workspace.
var ids = map[string]string{"U1": "U1", "U2": "U2", "U3": "U3", "U4": "U4", "W1": "U1", "W3": "U3"}

const (
	askers   = "S0ASKERS"
	alone    = "S0ALONE"
	approver = "S0LEADS"
)

func TestNoSequenceOfClicksFilesWithoutItsApprovals(t *testing.T) {
	t.Parallel()
	dir := storetest.Dir(t)
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(dir, fmt.Sprintf("%d.db", time.Now().UnixNano()))
		storetest.NewFile(t, path)
		synctest.Test(t, func(t *testing.T) {
			o := &office{world: newWorld(t, path), rt: rt}
			o.open()
			defer func() { assert.NoError(t, o.journal.Close()) }()
			o.idle = time.Hour
			o.terms.UndoWindow = rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(rt, "undo window")
			o.judge = o.judges
			o.groups = map[string][]string{"U1": {askers}, "U2": {askers, approver}, "U3": {approver}, "U4": {askers, alone, approver}}
			o.rule(rapid.IntRange(1, 3).Draw(rt, "approvals"))
			o.asks("U1")
			for range rapid.IntRange(5, 30).Draw(rt, "steps") {
				o.step()
			}
			o.works(10 * time.Minute)
		})
	})
}

// rule brings a policy into force, under which everybody's groups are read.
func (o *office) rule(approvals int) {
	text := fmt.Sprintf(`
@id("ask") @approvals("%d") permit (principal in Group::%q, action == Action::"request", resource);
@id("alone") permit (principal in Group::%q, action == Action::"cancel", resource);
@id("approve") permit (principal in Group::%q, action == Action::"approve", resource);`, approvals, askers, alone, approver)
	policy, err := authz.Parse("policy.cedar", []byte(text))
	require.NoError(o.rt, err)
	o.change(func(w *world) {
		o.approvals, w.rules = approvals, policy
		for here, user := range ids {
			w.others[here] = authz.Principal{Team: "T1", User: user, Name: here, GroupsKnown: true, Groups: o.groups[user]}
		}
	})
}

// step is one thing that somebody does; the frequent ones are those that matter together.
func (o *office) step() {
	who := rapid.SampledFrom([]string{"U2", "U3", "U4", "U1", "W1", "W3"}).Draw(o.rt, "who")
	which := o.asked[len(o.asked)-1-rapid.IntRange(0, min(len(o.asked)-1, 2)).Draw(o.rt, "which")]
	switch n := rapid.IntRange(0, 35).Draw(o.rt, "what"); {
	case n < 12:
		if clicked(o.desk().Approve(o.t.Context(), pressed(which.ID, person(who)))) {
			which.approved[ids[who]] = true
		}
	case n < 18:
		o.joinsOrLeaves(ids[who], rapid.SampledFrom([]string{approver, approver, alone, askers}).Draw(o.rt, "group"))
	case n < 24:
		o.works(rapid.SampledFrom([]time.Duration{time.Second, time.Minute, 10 * time.Minute}).Draw(o.rt, "time"))
	case n < 26:
		o.asks(who)
	case n < 27:
		clicked(o.desk().Withdraw(o.t.Context(), pressed(which.ID, person(who))))
	case n < 28:
		clicked(o.desk().Decline(o.t.Context(), pressed(which.ID, person(who)), "no"))
	case n < 29:
		o.rule(rapid.IntRange(1, 3).Draw(o.rt, "approvals"))
	case n < 31:
		o.freezes(!o.frozen)
	case n < 32:
		lost := rapid.SampledFrom([]func(*world, cancellation.Order) cancellation.Outcome{lostBefore, madeButLost, rateLimited}).Draw(o.rt, "how")
		o.change(func(w *world) { w.answers = append(w.answers, lost) })
	case n < 33:
		o.change(func(w *world) { w.closeTickets() })
	case n < 34:
		name := rapid.SampledFrom([]string{"db-042.stg.example.com", "db-043.stg.example.com"}).Draw(o.rt, "name")
		o.change(func(w *world) { w.server.FQDN = name })
	case n < 35:
		if clicked(o.desk().ResolveByClick(o.t.Context(), pressed(which.ID, person(who)), cancellation.Resolution{Finding: cancellation.FoundNone, Why: "looked"})) {
			which.nones++
		}
	default:
		o.restart()
	}
	o.looks()
}

// joinsOrLeaves changes one membership.
func (o *office) joinsOrLeaves(user, group string) {
	before := o.groups[user]
	o.groups[user] = slices.DeleteFunc(slices.Clone(before), func(id string) bool { return id == group })
	if len(o.groups[user]) == len(before) {
		o.groups[user] = append(o.groups[user], group)
	}
	o.rule(o.approvals)
}

func person(here string) cancellation.Person {
	return cancellation.Person{Team: "T1", ID: here, Name: here}
}

// clicked reports whether a click was recorded. An error is an answer too: nothing was.
func clicked(click cancellation.Click, err error) bool {
	return err == nil && click.Kind == cancellation.ClickDone
}

// asks submits the form, on the card of this moment.
func (o *office) asks(here string) {
	card, err := o.desk().Look(o.t.Context(), o.server.ID)
	require.NoError(o.rt, err)
	s := goodSubmission()
	o.views++
	s.View, s.By, s.Card, s.Confirmation = fmt.Sprint("V", o.views), person(here), card, card.Server.FQDN
	answer, err := o.desk().Submit(o.t.Context(), s)
	require.NoError(o.rt, err)
	if answer.Kind == cancellation.AnswerAccepted {
		o.asked = append(o.asked, &asked{Request: answer.Request, by: ids[here], approved: map[string]bool{}})
	}
}

func (o *office) freezes(is bool) {
	_, err := o.desk().Freeze(o.t.Context(), cancellation.Freeze{Frozen: is, Actor: "operator:ana", Why: "an outage"})
	require.NoError(o.rt, err)
	o.change(func(*world) { o.frozen = is })
}

// works lets the worker work. Another policy may come into force right before its first POST.
func (o *office) works(d time.Duration) {
	next := rapid.IntRange(0, 3).Draw(o.rt, "approvals by then")
	o.run(&reloading{journal: o.journal, do: func() {
		if next > 0 {
			o.rule(next)
		}
	}}, d)
	o.looks()
}

// looks reads what has become of the requests, and fails where a promise was broken.
func (o *office) looks() {
	live := 0
	for _, a := range o.asked {
		a.Request = o.now(a.Request)
		over := !a.State.Live()
		require.False(o.rt, a.over && !over, "%s has left its end", a.Ref.Short())
		if a.over = over; !over {
			live++
		}
	}
	require.LessOrEqual(o.rt, live, 1, "one live request a server")
	require.Empty(o.rt, o.wrong)
}

// judges sees a POST at its moment; the world's lock is held.
func (o *office) judges(order cancellation.Order, answered cancellation.Outcome) {
	at := slices.IndexFunc(o.asked, func(a *asked) bool { return a.Ref.In(order.Content) })
	if at < 0 {
		o.wrong = append(o.wrong, "a POST without a reference that anybody was given")
		return
	}
	a := o.asked[at]
	broken := func(is bool, promise string) {
		if is {
			o.wrong = append(o.wrong, fmt.Sprintf("%s was sent %s: groups %v, approved by %v, of %d", a.Ref.Short(), promise, o.groups, a.approved, o.approvals))
		}
	}
	in := func(user, group string) bool { return slices.Contains(o.groups[user], group) }
	count := 0
	for user := range a.approved {
		if user != a.by && in(user, approver) {
			count++
		}
	}
	broken(o.frozen, "in a freeze")
	broken(a.over, "after its end")
	broken(o.server.FQDN != a.Submission.Card.Server.FQDN, "for a server that changed")
	broken(!in(a.by, askers), "for somebody who may not ask")
	broken(!in(a.by, alone) && count < o.approvals, "with too few approvals")
	broken(a.made, "although its ticket was made")
	broken(a.lost >= 2+a.nones, "once too often")
	if answered.Kind == cancellation.AnswerLost {
		a.lost++
	}
	a.made = slices.ContainsFunc(o.tickets, func(t cancellation.Ticket) bool { return a.Ref.In(t.First) })
}
