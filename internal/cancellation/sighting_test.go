package cancellation_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestOneOddReadFreesNoServer(t *testing.T) {
	closed := (*world).closeTickets
	stands := func(w *world) { w.tickets[0].Open = true }
	for name, c := range map[string]struct {
		reads []func(w *world) // what SoftLayer shows at each read, ten minutes apart
		want  cancellation.State
	}{
		"the same twice, too soon":                {[]func(*world){closed, closed}, ""},
		"the same, and again long enough after":   {[]func(*world){closed, closed, closed}, cancellation.Reverted},
		"it stood in between":                     {[]func(*world){closed, stands, closed}, ""},
		"nobody answered in between":              {[]func(*world){closed, func(w *world) { w.reading = errors.New("no answer") }, func(w *world) { w.reading = nil }}, cancellation.Reverted},
		"another end the second time":             {[]func(*world){closed, closed, func(w *world) { w.server.Billing.ID++ }}, ""},
		"another end, and that twice":             {[]func(*world){closed, func(w *world) { w.server.Billing.ID++ }, closed, closed}, cancellation.Reclaimed},
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
				assert.Equal(t, c.want, card.Standing.Ending)
				assert.Equal(t, cancellation.Filed, w.now(r).State, "a card alone ends nothing")
				if c.want == "" {
					assert.Contains(t, card.Blockers(), cancellation.BlockedByRequest)
				}
			})
		})
	}
}

func TestAPersonReadsWhenItIsKnown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		w.run(w.journal, time.Minute)
		w.change((*world).closeTickets)
		look := func() *cancellation.Standing {
			card, err := w.desk().Look(t.Context(), w.server.ID)
			require.NoError(t, err)
			return card.Standing
		}
		first := look().Known
		assert.WithinDuration(t, time.Now().Add(15*time.Minute), first, time.Second)
		time.Sleep(10 * time.Minute)
		assert.WithinDuration(t, first, look().Known, time.Second, "more looks do not put it off")
		assert.Len(t, w.kinds(r), 4, "and are not recorded again") // submitted, filing, filed, evidence
		w.restart()
		time.Sleep(time.Until(first) + time.Second)
		assert.Zero(t, look().Known)
		assert.Equal(t, cancellation.Reverted, look().Ending)
	})
}

func TestAServerIsGoneOnlyByTwoReads(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		w.run(w.journal, time.Minute)
		look := func() error {
			_, err := w.desk().Look(t.Context(), w.server.ID)
			return err
		}
		w.change(func(w *world) { w.gone = true })
		var vanished *cancellation.VanishedError
		require.ErrorAs(t, look(), &vanished)
		require.ErrorIs(t, vanished, cancellation.ErrServerNotFound)
		assert.WithinDuration(t, time.Now().Add(15*time.Minute), vanished.Known, time.Second)

		w.change(func(w *world) { w.gone = false })
		time.Sleep(14 * time.Minute)
		require.NoError(t, look(), "it was one odd answer")
		w.change(func(w *world) { w.gone = true })
		time.Sleep(2 * time.Minute)
		require.ErrorAs(t, look(), &vanished)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
		time.Sleep(15*time.Minute + time.Second)
		require.ErrorIs(t, look(), cancellation.ErrServerNotFound)
		assert.Equal(t, cancellation.Reclaimed, w.now(r).State)
	})
}
