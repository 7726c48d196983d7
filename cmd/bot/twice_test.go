//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// follows has filed requests looked at each second.
func follows() setup {
	return setup{extra: []string{"FOLLOW_EVERY=1s"}, slack: fakeslack.Options{RateLimitsOff: true}}
}

// sighted waits until the follower has read evidence that may end a request, and makes it a quarter of
// an hour older.
func (w *world) sighted() {
	w.t.Helper()
	w.ages("Since", 15*time.Minute)
}

// ages waits until the follower knows a moment of some request, and makes it older.
func (w *world) ages(moment string, by time.Duration) {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	w.eventually("the follower knows "+moment, func() bool {
		var id, text string
		var revision int64
		err := db.QueryRowContext(w.t.Context(), `select request_id, known, revision from followed
			where known like $1 and request_id in (select id from requests where state = 'filed')`, `%"`+moment+`"%`).Scan(&id, &text, &revision)
		if err != nil {
			return false
		}
		known := map[string]any{}
		require.NoError(w.t, json.Unmarshal([]byte(text), &known))
		at, err := time.Parse(time.RFC3339, known[moment].(string))
		require.NoError(w.t, err)
		known[moment] = at.Add(-by)
		aged, err := json.Marshal(known)
		require.NoError(w.t, err)
		done, err := db.ExecContext(w.t.Context(), `update followed set known = $1 where request_id = $2 and revision = $3`, string(aged), id, revision)
		if err != nil {
			return false // the bot writes
		}
		changed, err := done.RowsAffected()
		return err == nil && changed == 1
	})
}

// thread are the messages in the thread of a message.
func (w *world) thread(of message) (texts []string) {
	for _, m := range w.messages(w.cast.Channel) {
		if m.ThreadTS == of.TS && m.TS != of.TS {
			texts = append(texts, m.Shown)
		}
	}
	return texts
}

func (w *world) ticketDoes(server int64, what map[string]any) {
	w.t.Helper()
	what["ticket"] = w.tickets(server)[0].ID
	w.control(http.MethodPost, "/staff", what, nil)
}

func TestClosedTicketIsSeenTwiceBeforeAnEnd(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportHTTP, follows())
	w.accepted(w.cast.Channel, w.cast.User, w.server)
	root := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
	w.blockedForm(w.cast.User, w.server) // it stands

	w.ticketDoes(w.server, map[string]any{"do": "close", "text": "We cannot: call 555-0100."})
	assert.Contains(t, w.blockedForm(w.cast.User, w.server).text(w), "one look is not enough to be sure. It will be known by ")
	w.blockedForm(w.cast.User, w.server)
	w.sighted()
	w.awaitMessage(w.cast.Channel, "Not cancelled", w.fqdn(w.server), "Asked by", "ref ")
	w.eventually("its thread says so", func() bool {
		return slices.ContainsFunc(w.thread(root), func(text string) bool { return strings.Contains(text, "Not cancelled") })
	})
	w.eventually("the requester reads it at once", func() bool { return len(w.about(w.cast.User, "Not cancelled")) == 1 })
	w.eventually("and that staff answered", func() bool {
		return slices.ContainsFunc(w.thread(root), func(text string) bool { return strings.Contains(text, "staff answered") })
	})
	for _, m := range w.messages(w.cast.Channel) {
		assert.NotContains(t, m.Shown, "555-0100", "no word of staff reaches a channel")
	}

	w.accepted(w.cast.Channel, w.cast.User, w.server)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
	assert.Len(t, w.tickets(w.server), 2)
	assert.Equal(t, map[string]int{"reverted": 1, "filed": 1}, w.recorded())
}

func TestMissingServerIsSeenTwiceBeforeAnEnd(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportSocket, follows())
	name, id := w.fqdn(w.server), strconv.FormatInt(w.server, 10)
	w.accepted(w.cast.Channel, w.cast.User, w.server)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", name)
	looks := func(shows string) {
		w.command(w.cast.User, "")
		w.pick(w.cast.User, option(id))
		w.eventually("the form shows: "+shows, func() bool { return strings.Contains(w.top(w.cast.User).text(w), shows) })
	}
	w.control(http.MethodPost, "/server", map[string]any{"id": w.server, "remove": true}, nil)
	looks("Whether the server is gone will be known by ")
	looks("Whether the server is gone will be known by ")
	assert.Equal(t, map[string]int{"filed": 1}, w.recorded())
	w.sighted()
	w.awaitMessage(w.cast.Channel, "Gone", name, "ref ")
	looks("SoftLayer has no such server, or this key may not see it.")
	assert.Equal(t, map[string]int{"reclaimed": 1}, w.recorded())
}

// refusedNotices counts the thread's notices that Slack has refused, with no call under way.
func (w *world) refusedNotices() (refused int) {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	text := `select count(*) from notices where kind like 'said:%' and attempts > 0 and posting = 0 and lease_until is null`
	require.NoError(w.t, db.QueryRowContext(w.t.Context(), text).Scan(&refused))
	return refused
}

// TestARequestIsFollowedToItsBillDate has staff approve, and the bill date pass at SoftLayer. The bot
// is killed after it has recorded the end, and before people are told.
func TestARequestIsFollowedToItsBillDate(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportHTTP, follows())
	w.accepted(w.cast.Channel, w.cast.User, w.server)
	root := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
	w.ticketDoes(w.server, map[string]any{"do": "approve"})
	w.softlayer.Advance(40 * 24 * time.Hour)
	require.NoError(t, w.slack.Fault("chat.postMessage", fakeslack.FaultRateLimited, 1000))
	require.NoError(t, w.slack.Fault("chat.update", fakeslack.FaultRateLimited, 1000))
	w.sighted()
	w.eventually("the end is recorded", func() bool { return w.recorded()["reclaimed"] == 1 })
	assert.Contains(t, w.metrics(), `cancel_server_request_transitions_total{from="filed",to="reclaimed"} 1`)
	w.eventually("Slack has refused to be told", func() bool { return w.refusedNotices() == 1 }) // a lost answer would be looked for first
	w.kill()
	assert.Empty(t, w.thread(root), "nobody was told")

	w.slack.ClearFaults("")
	db := w.openDatabase()
	_, err := db.ExecContext(t.Context(), `update notices set due = 1 where due is not null`) // a post under way at the kill waits for its answer
	require.NoError(t, errors.Join(err, db.Close()))
	w.start()
	gone := w.awaitMessage(w.cast.Channel, "Gone", w.fqdn(w.server), "ref ")
	assert.Equal(t, root.TS, gone.TS, "the message shows the present state")
	w.eventually("its thread says so", func() bool { return len(w.thread(root)) == 1 })
	assert.Contains(t, w.thread(root)[0], "SoftLayer no longer lists it")
	w.stop()
	assert.Len(t, w.thread(root), 1, "once")
}
