package receive

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/slackui/slacktest"
)

func answering(reply string) work {
	return func(context.Context) (Reply, After, error) { return Reply(reply), nil, nil }
}

func TestServeAnswersAndThenDoesTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := NewDispatcher(DispatcherOptions{Log: slacktest.Silent()})
		var order []string
		err := d.serve(t.Context(), time.Now(), func(ctx context.Context) (Reply, After, error) {
			deadline, _ := ctx.Deadline()
			assert.Equal(t, replyTime, time.Until(deadline), "the time left of Slack's three seconds")
			return Reply("ok"), func(ctx context.Context) {
				deadline, _ := ctx.Deadline()
				assert.Equal(t, afterTime, time.Until(deadline), "a deadline of its own")
				order = append(order, "after")
			}, nil
		}, func(reply Reply) { order = append(order, string(reply)) })
		require.NoError(t, err)
		require.NoError(t, d.Shutdown(t.Context()))
		assert.Equal(t, []string{"ok", "after"}, order)
	})
}

func TestARequestGoesOnWhenSlackHangsUp(t *testing.T) {
	t.Parallel()
	d := NewDispatcher(DispatcherOptions{Log: slacktest.Silent()})
	gone, hangUp := context.WithCancel(t.Context())
	err := d.serve(gone, time.Now(), func(ctx context.Context) (Reply, After, error) {
		hangUp()
		assert.NoError(t, ctx.Err())
		return nil, func(ctx context.Context) { assert.NoError(t, ctx.Err()) }, nil
	}, func(Reply) {})
	require.NoError(t, err)
	require.NoError(t, d.Shutdown(t.Context()))
}

func TestPanicIsLoggedWithItsStackAndContained(t *testing.T) {
	t.Parallel()
	log, logged := slacktest.LogInto()
	d := NewDispatcher(DispatcherOptions{Log: log, Handling: 1, Admitted: 1})
	err := d.serve(t.Context(), time.Now(), func(context.Context) (Reply, After, error) { panic("in the handler") }, nil)
	require.ErrorIs(t, err, errPanicked)
	require.NoError(t, d.serve(t.Context(), time.Now(), func(context.Context) (Reply, After, error) {
		return nil, func(context.Context) { panic("in the rest") }, nil
	}, func(Reply) {}), "the slot of the one that panicked is free again")
	slacktest.Eventually(t, func() bool { return d.serve(t.Context(), time.Now(), answering("ok"), func(Reply) {}) == nil }, "and so is its place")
	require.NoError(t, d.Shutdown(t.Context()))
	assert.Contains(t, logged.String(), "in the handler")
	assert.Contains(t, logged.String(), "in the rest")
	assert.Contains(t, logged.String(), "dispatch_test.go", "the stack says where")
}

func TestARequestBeyondTheBoundsIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := NewDispatcher(DispatcherOptions{Log: slacktest.Silent(), Handling: 1, Admitted: 2})
		release := make(chan struct{})
		results := make(chan error, 2)
		hold := func(context.Context) (Reply, After, error) { <-release; return nil, nil, nil }
		d.serveAside(t.Context(), time.Now(), hold, func(Reply) {}, func(err error) { results <- err })
		synctest.Wait()
		d.serveAside(t.Context(), time.Now(), answering(""), func(Reply) {}, func(err error) { results <- err })
		require.ErrorIs(t, d.serve(t.Context(), time.Now(), answering(""), nil), errBusy, "both places are taken: refused at once")

		begun := time.Now()
		require.ErrorIs(t, <-results, errBusy, "the one that waits for the only slot")
		assert.Equal(t, replyTime*4/5, time.Since(begun), "waits as long as there is time left to do its work")
		close(release)
		require.NoError(t, <-results)
		require.NoError(t, d.Shutdown(t.Context()))
	})
}

func TestWorkThatFollowsKeepsItsPlace(t *testing.T) {
	t.Parallel()
	d := NewDispatcher(DispatcherOptions{Log: slacktest.Silent(), Admitted: 1})
	release := make(chan struct{})
	require.NoError(t, d.serve(t.Context(), time.Now(), func(context.Context) (Reply, After, error) {
		return nil, func(context.Context) { <-release }, nil
	}, func(Reply) {}))
	require.ErrorIs(t, d.serve(t.Context(), time.Now(), answering(""), nil), errBusy, "refused before anything was done for it")
	close(release)
	require.NoError(t, d.Shutdown(t.Context()))
}

func TestShutdownTakesNothingMoreAndWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := NewDispatcher(DispatcherOptions{Log: slacktest.Silent()})
		var ended atomic.Bool
		require.NoError(t, d.serve(t.Context(), time.Now(), func(context.Context) (Reply, After, error) {
			return nil, func(context.Context) { time.Sleep(20 * time.Second); ended.Store(true) }, nil
		}, func(Reply) {}))
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, d.Shutdown(hurried), context.DeadlineExceeded)
		require.ErrorIs(t, d.serve(t.Context(), time.Now(), answering(""), nil), errStopping)
		require.NoError(t, d.Shutdown(t.Context()))
		assert.True(t, ended.Load(), "what was promised after the acknowledgement is done")
	})
}

func TestACommandDeliveredAnewIsWorkedOnce(t *testing.T) {
	t.Parallel()
	worked := 0
	d := NewDispatcher(DispatcherOptions{Log: slacktest.Silent(), Handler: handlerFuncs{command: func(context.Context, Command) (Reply, After) {
		worked++
		return Reply("opened"), nil
	}}})
	for _, c := range []struct {
		trigger string
		worked  int
	}{{"1.2", 1}, {"1.2", 1}, {"1.3", 2}} {
		reply, _, err := d.commandWork(Command{TriggerID: c.trigger})(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "opened", string(reply))
		assert.Equal(t, c.worked, worked, "a trigger_id opens one form, whichever delivery comes first")
	}
}

func TestSubmissionDeliveredTwiceGetsOneAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		worked, answers := 0, make(chan string, 2)
		d := NewDispatcher(DispatcherOptions{Log: slacktest.Silent(), Handler: handlerFuncs{interaction: func(context.Context, Interaction) (Reply, After) {
			worked++
			time.Sleep(time.Second)
			return Reply("recorded"), nil
		}}})
		for range 2 {
			go func() {
				reply, _, err := d.interactionWork(Interaction{Kind: ViewSubmission, TriggerID: "1.2"})(t.Context())
				assert.NoError(t, err)
				answers <- string(reply)
			}()
		}
		assert.Equal(t, []string{"recorded", "recorded"}, []string{<-answers, <-answers})
		assert.Equal(t, 1, worked)
		_, _, err := d.interactionWork(Interaction{Kind: ViewSubmission, TriggerID: "1.3"})(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 2, worked, "pressed again it is another")
	})
}
