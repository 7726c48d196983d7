package cancellation_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/store"
)

// pressedOn is a press of a button under a batch's message.
func pressedOn(b cancellation.Batch, by cancellation.Person) cancellation.BatchPress {
	return cancellation.BatchPress{Batch: b.ID, Digest: b.Digest, By: by, Key: pressed(b.ID, by).Key}
}

func TestRefusedClickOnAListIsOnRecord(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		answer := w.send(w.list(3, "3"))
		w.change(func(w *world) { w.may = map[string]bool{} })
		var counted []string
		desk := w.batches()
		desk.Denied = func(rule string) { counted = append(counted, rule) }
		_, _, _, err := desk.Approvable(t.Context(), pressedOn(answer.Batch, raj))
		require.NoError(t, err)
		_, err = desk.Withdraw(t.Context(), pressedOn(answer.Batch, raj))
		require.NoError(t, err)
		assert.Equal(t, []string{"leads-only", cancellation.RuleRequesterWithdraws}, counted)
		assert.Equal(t, []string{cancellation.EventSubmitted, cancellation.EventRefused, cancellation.EventRefused}, w.kinds(answer.Requests[0]))
		assert.Equal(t, []string{cancellation.EventSubmitted}, w.kinds(answer.Requests[1]), "the first one stands for all")
	})
}

// forgetful is a store that reads no batch after it has changed one.
type forgetful struct {
	*store.Store
	changed bool
}

func (f *forgetful) ApplyAll(ctx context.Context, key string, changes []cancellation.Change) ([]cancellation.Request, error) {
	f.changed = true
	return f.Store.ApplyAll(ctx, key, changes)
}

func (f *forgetful) Batch(ctx context.Context, id string) (cancellation.Batch, []cancellation.Request, error) {
	if f.changed {
		return cancellation.Batch{}, nil, errors.New("no answer")
	}
	return f.Store.Batch(ctx, id)
}

func TestRecordedVoteIsNoFailure(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		answer := w.send(w.list(3, "3"))
		desk, on := w.batches(), &forgetful{Store: w.journal}
		desk.Requests, desk.Batches = on, on
		click, err := desk.Approve(t.Context(), pressedOn(answer.Batch, raj), nil, "")
		require.NoError(t, err, "it is recorded")
		assert.Equal(t, 3, click.Done)
		for _, r := range click.Requests {
			assert.Equal(t, cancellation.Scheduled, r.State)
		}
	})
}
