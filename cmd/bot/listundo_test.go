//go:build unix

package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stateOf is the state of the only request for a server.
func (w *world) stateOf(server int64) (state string) {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	require.NoError(w.t, db.QueryRowContext(w.t.Context(), `select state from requests where server_id = $1`, server).Scan(&state))
	return state
}

// filedOr holds each of these servers to its ticket if its request is filed, and else to none and to this end.
// It returns how many are filed.
func (w *world) filedOr(end string, servers ...int64) (filed int) {
	w.t.Helper()
	for _, server := range servers {
		if state := w.stateOf(server); state == "filed" {
			filed++
			w.filedOnce(server)
		} else {
			assert.Equal(w.t, end, state)
			assert.Empty(w.t, w.postsFor(server), "nothing is sent for a server that stays")
			assert.Empty(w.t, w.tickets(server))
		}
	}
	return filed
}

func TestHalfFiledListIsUndone(t *testing.T) {
	overSocket(t, lists(), func(t *testing.T, w *world) {
		const many = 12
		ids := w.halfFiled(many)
		told := w.awaitMessage(w.cast.Channel, "Asked for 12 servers")
		require.NoError(t, w.softlayer.Fault(reading, "slow", 1))
		w.eventually("one is being checked for its POST", func() bool { return w.softlayer.FaultsLeft() == 0 })
		w.press(w.cast.User, told, "batch-withdraw")
		over := w.awaitMessage(w.cast.Channel, "Cancellation requested for ", " of 12 servers.", "Withdrawn by")
		assert.Equal(t, told.TS, over.TS)
		w.stop()
		filed := w.filedOr("withdrawn", ids...)
		assert.Less(t, filed, many)
		assert.Contains(t, over.Text, fmt.Sprintf("Cancellation requested for %d of 12 servers. %d not filed.", filed, many-filed))
		assert.Len(t, w.posts(), filed)
		assert.Empty(t, w.broken())
	})
}
