package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The process is killed right before one of its writes and syncs to the file: before the first one after
// the form was sent, and then before a later one each time, until the form was recorded.
func TestListIsRecordedWholeWhereverKilled(t *testing.T) {
	t.Parallel()
	w, disk := onFaultyDisk(t, lists().findsPosts())
	ids, names := w.some(50)
	review := w.pasted(w.cast.User, names, 50)
	rounds := 0
	for n, recorded := 1, false; !recorded; n += 1 + n/2 {
		rounds++
		recorded = w.killedWhileRecording(disk, review, n)
	}
	assert.Greater(t, rounds, 5, "most kills came before the commit")
	w.hurried("Cancellation requested for 50 servers.")
	for _, server := range ids {
		assert.Len(t, w.tickets(server), 1)
	}
	sent := w.calls("view_submission")
	_, err := w.slack.Replay(t.Context(), sent[len(sent)-1].Delivery, false)
	require.NoError(t, err)
	sent = w.calls("view_submission")
	assert.Contains(t, string(sent[len(sent)-1].Response), "Asked for 50 servers", "sent once more, the form gets its answer")
	assert.Equal(t, map[string]int{"filed": 50}, w.recorded())
	assert.Len(t, w.roots(w.cast.Channel), 1)
}

// killedWhileRecording sends a review, has the bot killed right before its n-th write or sync, and starts
// it again. It reports whether the servers of the list are recorded.
func (w *world) killedWhileRecording(disk *faultyDisk, review modal, n int) (recorded bool) {
	w.t.Helper()
	bot := w.child
	disk.strike(n, func() {
		_ = bot.cmd.Process.Kill()
		<-bot.done // the write is not made
	})
	ack := w.submit(w.cast.User, review, w.typedCount(review, "50"))
	called := ""
	if ack.Error == "" { // it needed fewer writes; what follows needs more
		called = w.top(w.cast.User).Title.Text
		require.Contains(w.t, []string{"Recorded", "Not known"}, called, "on a busy machine the commit may take too long")
	}
	w.kill()
	disk.strike(0, nil)
	w.start()
	w.awaitReady()
	rows := 0
	for _, count := range w.recorded() {
		rows += count
	}
	assert.Contains(w.t, []int{0, 50}, rows, "killed before write %d: all of the list, or none", n)
	if called == "Recorded" {
		assert.Equal(w.t, 50, rows, "what was called recorded is there")
	}
	return rows > 0
}
