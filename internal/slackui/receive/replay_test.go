package receive

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func numbered(n int) signature { return signature{byte(n), byte(n >> 8), byte(n >> 16)} }

// counting answers with the number of times that it was worked.
func counting(times *int) work {
	return func(context.Context) (Reply, After, error) {
		*times++
		return Reply{'0' + byte(*times)}, func(context.Context) {}, nil
	}
}

func TestRepeatGetsTheStoredAnswer(t *testing.T) {
	t.Parallel()
	p, worked, now := newReplays[signature](), 0, time.Now()
	reply, after, err := p.once(t.Context(), numbered(1), now, counting(&worked))
	require.NoError(t, err)
	assert.Equal(t, "1", string(reply))
	assert.NotNil(t, after)

	reply, after, err = p.once(t.Context(), numbered(1), now.Add(9*time.Minute), counting(&worked))
	require.NoError(t, err)
	assert.Equal(t, "1", string(reply), "the answer of the first delivery")
	assert.Nil(t, after, "what follows an acknowledgement happens once")
	assert.Equal(t, 1, worked)

	_, _, err = p.once(t.Context(), numbered(2), now, counting(&worked))
	require.NoError(t, err)
	assert.Equal(t, 2, worked, "another signature is another request")
}

func TestRepeatIsHandledIfTheFirstFailed(t *testing.T) {
	t.Parallel()
	p, worked := newReplays[signature](), 0
	_, _, err := p.once(t.Context(), numbered(1), time.Now(), func(context.Context) (Reply, After, error) { return nil, nil, errPanicked })
	require.ErrorIs(t, err, errPanicked)
	assert.Panics(t, func() {
		_, _, _ = p.once(t.Context(), numbered(1), time.Now(), func(context.Context) (Reply, After, error) { panic("again") })
	})
	_, _, err = p.once(t.Context(), numbered(1), time.Now(), counting(&worked))
	require.NoError(t, err)
	assert.Equal(t, 1, worked)
}

func TestATwinWaitsForTheFirstAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, release := newReplays[signature](), make(chan struct{})
		answers := make(chan string, 3)
		deliver := func() {
			reply, _, err := p.once(t.Context(), numbered(1), time.Now(), func(context.Context) (Reply, After, error) {
				<-release
				return Reply("first"), nil, nil
			})
			answers <- string(reply)
			assert.NoError(t, err)
		}
		go deliver()
		synctest.Wait()
		go deliver()
		go deliver()
		synctest.Wait()
		assert.Empty(t, answers, "a twin answers nothing of its own")
		close(release)
		for range 3 {
			assert.Equal(t, "first", <-answers)
		}
	})
}

func TestATwinGivesUpAtItsDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, release := newReplays[signature](), make(chan struct{})
		go func() {
			_, _, _ = p.once(t.Context(), numbered(1), time.Now(), func(context.Context) (Reply, After, error) {
				<-release
				return nil, nil, nil
			})
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), replyTime)
		defer cancel()
		_, _, err := p.once(ctx, numbered(1), time.Now(), nil)
		require.ErrorIs(t, err, errBusy)
		close(release)
	})
}

func TestTheMemoryForAnswersIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Now()
	answer := func(n int) work {
		return func(context.Context) (Reply, After, error) { return make(Reply, n), nil, nil }
	}
	t.Run("by number", func(t *testing.T) {
		t.Parallel()
		p := newReplays[signature]()
		for i := range replayEntries + 500 {
			_, _, _ = p.once(t.Context(), numbered(i), now, answer(1))
		}
		assert.Len(t, p.seen, replayEntries)
		assert.Len(t, p.oldest, replayEntries)
		assert.NotContains(t, p.seen, numbered(499), "the oldest went")
		assert.Contains(t, p.seen, numbered(500))
	})
	t.Run("by size", func(t *testing.T) {
		t.Parallel()
		p := newReplays[signature]()
		for i := range 40 {
			_, _, _ = p.once(t.Context(), numbered(i), now, answer(1<<20))
		}
		assert.LessOrEqual(t, p.bytes, replayBytes+1<<20)
		assert.Equal(t, len(p.seen)<<20, p.bytes, "the books agree")
	})
	t.Run("by age", func(t *testing.T) {
		t.Parallel()
		p := newReplays[signature]()
		_, _, _ = p.once(t.Context(), numbered(1), now, answer(1))
		_, _, _ = p.once(t.Context(), numbered(2), now.Add(replayLife+time.Second), answer(1))
		assert.NotContains(t, p.seen, numbered(1))
	})
}
