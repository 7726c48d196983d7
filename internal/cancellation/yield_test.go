package cancellation_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// lateDesk is a desk whose requests wait an hour for a worker.
func lateDesk(w *world) *cancellation.Desk {
	desk := w.desk()
	desk.Backlog = &cancellation.Backlog{Behind: func() time.Duration { return time.Hour }}
	return desk
}

func TestYieldLeavesTimeForTheCommit(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
		defer cancel()
		began := time.Now()
		answer, err := lateDesk(w).Submit(ctx, w.submission())
		require.NoError(t, err)
		assert.Equal(t, cancellation.AnswerAccepted, answer.Kind)
		assert.Equal(t, 200*time.Millisecond, time.Since(began))
	})
}

func TestFewSubmissionsYieldAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		desk := lateDesk(w)
		const yielding, all = 16, 20
		waited := make(chan time.Duration, all)
		for n := range all {
			s := w.submission()
			s.View = fmt.Sprint("V", n)
			go func() {
				began := time.Now()
				_, err := desk.Submit(t.Context(), s)
				assert.NoError(t, err)
				waited <- time.Since(began)
			}()
		}
		late := 0
		for range all {
			if <-waited >= 750*time.Millisecond {
				late++
			}
		}
		assert.Equal(t, yielding, late, "the others leave their place to what else people do")
	})
}

func TestSubmissionsYieldToABacklog(t *testing.T) {
	for name, is := range map[string]struct{ behind, waits time.Duration }{
		"a second behind": {time.Second, 0},
		"two seconds":     {2 * time.Second, 250 * time.Millisecond},
		"an hour":         {time.Hour, 750 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				s, desk := w.submission(), w.desk()
				desk.Backlog = &cancellation.Backlog{Behind: func() time.Duration { return is.behind }}
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
