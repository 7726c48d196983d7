package cancellation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestSubmissionsYieldToABacklog(t *testing.T) {
	for name, is := range map[string]struct{ behind, waits time.Duration }{
		"a second behind": {time.Second, 0},
		"two seconds":     {2 * time.Second, 250 * time.Millisecond},
		"an hour":         {time.Hour, 750 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s, desk := w.submission(), w.desk()
				desk.Behind = func() time.Duration { return is.behind }
				began := time.Now()
				answer, err := desk.Submit(t.Context(), s)
				require.NoError(t, err)
				assert.Equal(t, cancellation.AnswerAccepted, answer.Kind)
				assert.Equal(t, is.waits, time.Since(began))
			})
		})
	}
}

func TestFilerKnowsHowFarItIsBehind(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.submitFleet(5) // a second after each other
		worker := w.worker(w.journal)
		worker.Limits.Requests = 2
		assert.Zero(t, worker.Behind())
		var behind []time.Duration
		w.change(func(w *world) {
			for i := range w.answers {
				w.answers[i] = func(w *world, o cancellation.Order) cancellation.Outcome {
					behind = append(behind, worker.Behind())
					return separately(w, o)
				}
			}
		})
		w.runs(worker, time.Minute)
		require.Len(t, behind, 5)
		assert.Equal(t, 5*time.Second, behind[0], "the oldest of five")
		assert.Zero(t, worker.Behind(), "nothing waits any more")
	})
}
