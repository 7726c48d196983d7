package following_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/following"
)

// flag is SoftLayer's word on whether it waits for an answer.
func flag(waits bool) reads {
	return func(e *following.Evidence) { e.Ticket.Awaits = &waits }
}

// other is somebody else's update, after staff's.
func other(update int64) reads {
	return func(e *following.Evidence) { e.Ticket.Last, e.Other = update, update }
}

func closedTicket(e *following.Evidence) { e.Ticket.Open = false }

func all(steps ...reads) reads {
	return func(e *following.Evidence) {
		for _, step := range steps {
			step(e)
		}
	}
}

func unread(e *following.Evidence) { e.Updates = false }

func TestWaitStandsUntilItIsAnswered(t *testing.T) {
	t.Parallel()
	asks := all(staff(5), flag(true))
	for name, c := range map[string]struct {
		looks   []reads
		settled int64
		waits   bool
		told    []cancellation.Line
	}{
		"staff ask":                            {looks: []reads{asks}, waits: true, told: []cancellation.Line{{What: cancellation.LineWaits, Update: 5}}},
		"staff write and do not wait":          {looks: []reads{all(staff(5), flag(false))}, told: []cancellation.Line{{What: cancellation.LineStaff, Update: 5}}},
		"the flag comes later than the answer": {looks: []reads{all(staff(5), flag(false)), asks}, waits: true, told: []cancellation.Line{{What: cancellation.LineStaff, Update: 5}, {What: cancellation.LineWaits, Update: 5}}},
		"staff ask twice":                      {looks: []reads{asks, all(staff(7), flag(true))}, waits: true, told: []cancellation.Line{{What: cancellation.LineWaits, Update: 5}, {What: cancellation.LineWaits, Update: 7}}},
		"they are seen again":                  {looks: []reads{asks, asks}, waits: true, told: []cancellation.Line{{What: cancellation.LineWaits, Update: 5}}},
		"the flag is cleared":                  {looks: []reads{asks, all(staff(5), flag(false))}, told: []cancellation.Line{{What: cancellation.LineWaits, Update: 5}}},
		"somebody else answered":               {looks: []reads{asks, all(other(6), flag(true))}, told: []cancellation.Line{{What: cancellation.LineWaits, Update: 5}}},
		"a program wrote":                      {looks: []reads{asks, all(staff(5), flag(true), func(e *following.Evidence) { e.Ticket.Last = 6 })}, waits: true, told: []cancellation.Line{{What: cancellation.LineWaits, Update: 5}}},
		"staff ask after an answer":            {looks: []reads{asks, all(other(6), flag(true)), all(staff(8), flag(true))}, waits: true, told: []cancellation.Line{{What: cancellation.LineWaits, Update: 5}, {What: cancellation.LineWaits, Update: 8}}},
		"staff close":                          {looks: []reads{asks, all(asks, closedTicket)}, told: []cancellation.Line{{What: cancellation.LineWaits, Update: 5}}},
		"staff close and reopen":               {looks: []reads{asks, all(asks, closedTicket), asks}, waits: true, told: []cancellation.Line{{What: cancellation.LineWaits, Update: 5}}},
		"no answer is needed":                  {looks: []reads{asks}, settled: 5},
		"no answer is needed, but staff ask":   {looks: []reads{all(staff(6), flag(true))}, settled: 5, waits: true, told: []cancellation.Line{{What: cancellation.LineWaits, Update: 6}}},
		"the ticket is hidden":                 {looks: []reads{asks, nothing}, waits: true, told: []cancellation.Line{{What: cancellation.LineWaits, Update: 5}}},
		"the flag is not shown":                {looks: []reads{asks, staff(5)}, waits: true, told: []cancellation.Line{{What: cancellation.LineWaits, Update: 5}}},
		"the updates cannot be read":           {looks: []reads{all(staff(5), flag(true), unread)}},
		"nothing of staff's is visible":        {looks: []reads{flag(true)}, waits: true, told: []cancellation.Line{{What: cancellation.LineWaits, Update: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, known, told := cancellation.Followed{Request: asked(7), Settled: c.settled}, following.Known{}, []cancellation.Line(nil)
			f.Request.Shows = december
			for n, read := range c.looks {
				e := normally()
				e.Begun, e.Ended = noon.Add(time.Duration(n)*time.Hour), noon.Add(time.Duration(n)*time.Hour)
				read(&e)
				v := following.Judge(f, known, e, cancellation.Sighting{}, time.Time{})
				known, f.Waits, told = v.Known, v.Waits, append(told, v.Lines...)
			}
			assert.Equal(t, c.waits, !f.Waits.IsZero())
			if c.settled == 0 {
				assert.Equal(t, c.told, told)
			}
		})
	}
}

func TestWaitCountsFromStaffsUpdate(t *testing.T) {
	t.Parallel()
	e := normally()
	all(staff(5), flag(true))(&e)
	e.Ended, e.Ticket.LastAt = noon, noon.Add(-3*time.Hour)
	v := following.Judge(cancellation.Followed{Request: asked(7)}, following.Known{}, e, cancellation.Sighting{}, time.Time{})
	assert.Equal(t, noon.Add(-3*time.Hour), v.Waits)
	e.Ticket.LastAt = noon.Add(time.Hour)
	v = following.Judge(cancellation.Followed{Request: asked(7)}, following.Known{}, e, cancellation.Sighting{}, time.Time{})
	assert.Equal(t, noon, v.Waits, "SoftLayer's clock is ahead")
}

func TestWhatWaitsIsToldThoughItIsOld(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		waits := true
		w.updates[1001] = []cancellation.TicketUpdate{{ID: 1, ByOther: true}, {ID: 50, ByStaff: true}, {ID: 51}}
		w.lives[1001] = cancellation.TicketLife{ID: 1001, Open: true, Last: 51, Awaits: &waits}
		w.runs("one", time.Hour, 3*time.Hour)
		assert.Equal(t, []cancellation.LineKind{cancellation.LineWaits}, w.told(1))
		calls := len(w.calls)
		w.runs("one", time.Hour, 5*time.Hour)
		assert.LessOrEqual(t, len(w.calls)-calls, 2*6, "nothing changed, so nothing but the lists is read")
		due, _, err := w.store.DueWaits(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, due, 1)
		assert.Equal(t, int64(50), due[0].Asks)
		assert.False(t, due[0].Since.IsZero())

		w.lives[1001] = cancellation.TicketLife{ID: 1001, Open: true, Last: 52, ByOther: true, Awaits: &waits}
		w.updates[1001] = append(w.updates[1001], cancellation.TicketUpdate{ID: 52, ByOther: true})
		w.runs("one", time.Hour, 2*time.Hour)
		due, _, err = w.store.DueWaits(t.Context(), 10)
		require.NoError(t, err)
		assert.Empty(t, due, "somebody answered")
	})
}
