package cancellation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// presses are the two buttons under a stuck request.
var presses = map[string]func(ctx context.Context, d *cancellation.Desk, r cancellation.Request, by cancellation.Person) (cancellation.Click, error){
	"what somebody found": func(ctx context.Context, d *cancellation.Desk, r cancellation.Request, by cancellation.Person) (cancellation.Click, error) {
		return d.ResolveByClick(ctx, pressed(r.ID, by), cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: 9, Why: "looked"})
	},
	"a look at the books": func(ctx context.Context, d *cancellation.Desk, r cancellation.Request, by cancellation.Person) (cancellation.Click, error) {
		return d.CheckNow(ctx, pressed(r.ID, by))
	},
}

// stuckWithATicket is a stuck request of Ana's whose ticket can be read by now.
func (w *world) stuckWithATicket() cancellation.Request {
	w.t.Helper()
	r := w.stuck()
	w.needs(1) // and so there are others
	w.change(func(w *world) { w.openTicket(9, r.Ref.Marker()) })
	return r
}

func TestApproverOtherThanTheRequesterResolvesStuckRequest(t *testing.T) {
	for press, settle := range presses {
		for who, c := range map[string]struct {
			by   cancellation.Person
			may  map[string]bool
			rule string // that refuses
		}{
			"who could approve it": {kim, map[string]bool{"U3": true}, ""},
			"nobody else":          {kim, map[string]bool{}, "leads-only"},
			"not its requester":    {goodSubmission().By, map[string]bool{"U1": true}, authz.RuleOwnRequest},
		} {
			t.Run(press+" counts from "+who, func(t *testing.T) {
				inWorld(t, func(t *testing.T, w *world) {
					r := w.stuckWithATicket()
					w.change(func(w *world) { w.may = c.may })
					click, err := settle(t.Context(), w.desk(), r, c.by)
					require.NoError(t, err)
					events, err := w.journal.Events(t.Context(), r.ID)
					require.NoError(t, err)
					last := events[len(events)-1]
					assert.Equal(t, "T1/"+c.by.ID, last.Actor, "it is on record")
					if c.rule != "" {
						assert.Equal(t, cancellation.ClickRefused, click.Kind)
						assert.Equal(t, c.rule, click.Decision.Rule)
						assert.Equal(t, cancellation.EventRefused, last.Kind)
						assert.Equal(t, cancellation.Stuck, w.now(r).State)
						return
					}
					assert.Equal(t, cancellation.ClickDone, click.Kind)
					assert.Equal(t, cancellation.Filed, click.Request.State)
					assert.Equal(t, int64(9), w.now(r).Ticket.ID)
					click, err = settle(t.Context(), w.desk(), r, c.by)
					require.NoError(t, err)
					assert.Equal(t, cancellation.ClickLate, click.Kind, "it is stuck no more")
				})
			})
		}
	}
}

func TestUnreadPersonResolvesNoStuckRequest(t *testing.T) {
	for press, settle := range presses {
		for name, is := range map[string]func(w *world){
			"people cannot be read": func(w *world) { w.personErr = errors.New("ratelimited") },
			"their groups were not read": func(w *world) {
				who := w.others["U3"]
				who.GroupsKnown = false
				w.others["U3"], w.groups = who, []string{"S0LEADS"}
			},
		} {
			t.Run(press+", "+name, func(t *testing.T) {
				inWorld(t, func(t *testing.T, w *world) {
					r := w.stuckWithATicket()
					w.change(is)
					_, err := settle(t.Context(), w.desk(), r, kim)
					require.ErrorIs(t, err, cancellation.ErrPeopleUnread)
					assert.Equal(t, cancellation.Stuck, w.now(r).State)
				})
			})
		}
	}
}

func TestLateOrEmptyResolutionIsRefused(t *testing.T) {
	for press, settle := range presses {
		t.Run(press+" after somebody else's", func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				r := w.stuckWithATicket()
				desk := w.desk()
				sit(desk, &interrupted{journal: w.journal, by: func() {
					_, err := settle(t.Context(), w.desk(), r, raj)
					require.NoError(t, err)
				}})
				click, err := settle(t.Context(), desk, r, kim)
				require.NoError(t, err)
				assert.Equal(t, cancellation.ClickLate, click.Kind)
			})
		})
		t.Run(press+" whose commit is unclear", func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				r := w.stuckWithATicket()
				desk := w.desk()
				sit(desk, &interrupted{journal: w.journal, unclear: true})
				_, err := settle(t.Context(), desk, r, kim)
				var cannotTell *cancellation.UnclearError
				require.ErrorAs(t, err, &cannotTell)
				assert.Equal(t, r.Ref, cannotTell.Ref)
			})
		})
	}
}

// While a POST may still be written, somebody else's ticket does not show that this request has
// none: the POST may make its own.
func TestPostUnderWayAllowsNoDuplicate(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.stuck()
		w.needs(1)
		next := r
		next.NotAfter = time.Now().Add(time.Minute)
		r, err := w.journal.Apply(t.Context(), cancellation.Change{From: r, To: next})
		require.NoError(t, err)
		w.openTicket(9, "by hand")

		click, err := w.desk().CheckNow(t.Context(), pressed(r.ID, kim))
		require.NoError(t, err)
		assert.Equal(t, cancellation.Stuck, click.Request.State)
		byTicket := cancellation.Resolution{Ref: r.Ref.Short(), Finding: cancellation.FoundTicket, Ticket: 9, Why: "looked", Actor: "operator:root"}
		_, err = w.desk().Resolve(t.Context(), byTicket)
		var underWay *cancellation.UnderWayError
		require.ErrorAs(t, err, &underWay)
		assert.Equal(t, cancellation.Stuck, w.now(r).State)

		time.Sleep(time.Minute + time.Second)
		_, err = w.desk().Resolve(t.Context(), byTicket)
		require.NoError(t, err)
		assert.Equal(t, cancellation.Duplicate, w.now(r).State)
	})
}

func TestCheckNowResolvesOnlyOnCertainRecords(t *testing.T) {
	for name, c := range map[string]struct {
		is   func(w *world)
		want cancellation.State
	}{
		"somebody else's ticket stands": {func(w *world) { w.openTicket(9, "by hand") }, cancellation.Duplicate},
		"no ticket is there":            {func(*world) {}, cancellation.Stuck},
		"one cannot be read":            {func(w *world) { w.openTicket(9, ""); w.tickets[0].FirstRead = false }, cancellation.Stuck},
		"the key may not see tickets":   {func(w *world) { w.rights.ViewTickets = false }, cancellation.Stuck},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				r := w.stuck()
				w.needs(1)
				w.change(c.is)
				click, err := w.desk().CheckNow(t.Context(), pressed(r.ID, kim))
				require.NoError(t, err)
				assert.Equal(t, cancellation.ClickDone, click.Kind)
				assert.Equal(t, c.want, click.Request.State)
				w.run(w.journal, time.Hour)
				assert.Equal(t, c.want, w.now(r).State, "nothing is sent on it")
				posts, _ := w.snapshot()
				assert.Len(t, posts, 1)
			})
		})
	}
}
