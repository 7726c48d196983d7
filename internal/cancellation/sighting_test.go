package cancellation_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestCardsAloneFreeNoServer(t *testing.T) {
	closed := (*world).closeTickets
	stands := func(w *world) { w.tickets[0].Open = true }
	for name, c := range map[string]struct {
		reads []func(w *world) // what SoftLayer shows at each read, ten minutes apart
		want  cancellation.State
	}{
		"the same twice":                          {[]func(*world){closed, closed}, cancellation.Reverted},
		"the same, and again long enough after":   {[]func(*world){closed, closed, closed, closed}, cancellation.Reverted},
		"it stood in the end":                     {[]func(*world){closed, closed, stands}, cancellation.Filed},
		"nobody answered in between":              {[]func(*world){closed, func(w *world) { w.reading = errors.New("no answer") }, func(w *world) { w.reading = nil }}, cancellation.Reverted},
		"another end the second time":             {[]func(*world){closed, closed, func(w *world) { w.server.Billing.ID++ }}, cancellation.Reclaimed},
		"it stood, and then the same long enough": {[]func(*world){closed, stands, closed, closed, closed}, cancellation.Reverted},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				r := w.submit()
				w.run(w.journal, time.Minute)
				var card cancellation.Card
				for i, shows := range c.reads {
					if i > 0 {
						time.Sleep(10 * time.Minute)
					}
					w.change(shows)
					if read, err := w.desk().Look(t.Context(), w.server.ID); err == nil {
						card = read
					}
				}
				assert.Empty(t, card.Standing.Ending)
				assert.Equal(t, c.want == cancellation.Filed, card.Standing.Known.IsZero(), "a person reads when it is known")
				assert.Equal(t, cancellation.Filed, w.now(r).State)
				assert.Contains(t, card.Blockers(), cancellation.BlockedByRequest)
				assert.Equal(t, c.want, w.seen(r).Seen, "what was seen is on record, for the follower")
			})
		})
	}
}

// seen is what the cards have shown of a filed request, as its history says.
func (w *world) seen(r cancellation.Request) cancellation.Sighting {
	w.t.Helper()
	events, err := w.journal.Events(w.t.Context(), r.ID)
	require.NoError(w.t, err)
	seen, _ := cancellation.LastSighting(events)
	return seen
}

func TestAPersonReadsWhenItIsKnown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		w.run(w.journal, time.Minute)
		w.change((*world).closeTickets)
		look := func() time.Time {
			card, err := w.desk().Look(t.Context(), w.server.ID)
			require.NoError(t, err)
			return card.Standing.Known
		}
		first := look()
		assert.WithinDuration(t, time.Now().Add(20*time.Minute), first, time.Second)
		time.Sleep(10 * time.Minute)
		assert.WithinDuration(t, first, look(), time.Second, "more looks do not put it off")
		assert.Len(t, w.kinds(r), 4, "and are not recorded again") // submitted, filing, filed, evidence
		w.restart()
		time.Sleep(time.Until(first) + time.Second)
		assert.WithinDuration(t, time.Now().Add(5*time.Minute), look(), time.Second, "the follower got no answer meanwhile")
	})
}

func TestMissingServerIsNotedForTheFollower(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		w.run(w.journal, time.Minute)
		look := func() error {
			_, err := w.desk().Look(t.Context(), w.server.ID)
			return err
		}
		w.change(func(w *world) { w.gone = true; w.rights.AllHardware = false })
		require.ErrorIs(t, look(), cancellation.ErrServerNotFound)
		assert.Zero(t, w.seen(r), "it may only be hidden")

		w.change(func(w *world) { w.rights.AllHardware = true })
		var vanished *cancellation.VanishedError
		require.ErrorAs(t, look(), &vanished)
		require.ErrorIs(t, vanished, cancellation.ErrServerNotFound)
		assert.WithinDuration(t, time.Now().Add(20*time.Minute), vanished.Known, time.Second)
		assert.Equal(t, cancellation.ServerGone, w.seen(r))
		time.Sleep(time.Hour)
		require.ErrorIs(t, look(), cancellation.ErrServerNotFound)
		assert.Equal(t, cancellation.Filed, w.now(r).State, "cards end nothing")
	})
}
