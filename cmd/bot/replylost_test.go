//go:build unix

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// unhurried is patient, with requests followed each second.
func unhurried() setup {
	s := patient()
	s.extra = append(s.extra, "FOLLOW_EVERY=1s")
	return s
}

// settles waits for a message, while in the bot's database no call that nobody works at can be under way
// any more, and clean reads are a day old.
func (w *world) settles(words ...string) message {
	w.t.Helper()
	return w.awaitAfter(`update ticket_updates set due = created_at, not_after = case when not_after is null then null else created_at end,
		clean_since = case when clean_since is null then null else created_at - 86400000 end
		where state in ('recorded', 'unknown') and lease_owner is null and due > created_at`, w.cast.Channel, words)
}

func (w *world) asksToStop(user string, root message, reason string) {
	w.t.Helper()
	w.opensForm(user, root, "ask-stop", "This asks SoftLayer to keep")
	require.Empty(w.t, w.says(user, typed(reason)).Error)
	w.eventually("the form says that it is recorded", func() bool { return strings.Contains(w.top(user).text(w), "is recorded") })
	w.close(user)
}

func TestTextAfterALostAnswerIsFoundInTheTicket(t *testing.T) {
	overHTTP(t, unhurried(), func(t *testing.T, w *world) {
		for _, fault := range []string{"drop_after", "error_after", "truncated_json"} {
			server := w.another()
			root := w.filedAlone(server)
			before := len(w.writes())
			require.NoError(t, w.softlayer.Fault(addUpdate, fault, 1))
			w.asksToStop(w.cast.User, root, "It is still in use.")
			w.awaitMessage(w.cast.Channel, "asked SoftLayer to stop the cancellation of "+w.fqdn(server), "Not stopped yet")
			assert.Len(t, w.written(server), 1, fault)
			assert.Len(t, w.writes(), before+1, "%s: it is not sent twice", fault)
		}
		assert.Equal(t, map[string]int{"sent": 3}, w.texts())
	})
}

func TestTextThatIsNotThereIsNotSentAgain(t *testing.T) {
	overSocket(t, unhurried(), func(t *testing.T, w *world) {
		for _, fault := range []string{"drop_before", "error_before", "html", "ok_null", "not_found"} {
			server := w.another()
			root := w.filedAlone(server)
			before := len(w.writes())
			require.NoError(t, w.softlayer.Fault(addUpdate, fault, 1))
			w.asksToStop(w.cast.User, root, "It is still in use.")
			unclear := w.awaitMessage(w.cast.Channel, "We cannot tell yet", w.fqdn(server), "not sent twice")
			told := w.settles("was not asked to stop the cancellation of "+w.fqdn(server), "You can send a new one")
			assert.Equal(t, unclear.TS, told.TS, "the message changes")
			assert.Empty(t, w.written(server), fault)
			assert.Len(t, w.writes(), before+1, fault)

			w.asksToStop(w.cast.User, told, "It is still in use, really.")
			w.awaitMessage(w.cast.Channel, "asked SoftLayer to stop the cancellation of "+w.fqdn(server))
			require.Len(t, w.written(server), 1)
			assert.Contains(t, w.written(server)[0], "really")
		}
	})
}

func TestTextThatCertainlyDidNotGoIsTriedAgain(t *testing.T) {
	overHTTP(t, unhurried(), func(t *testing.T, w *world) {
		root := w.filedAlone(w.server)
		require.NoError(t, w.softlayer.Fault(addUpdate, "rate_limit", 2))
		w.asksToStop(w.cast.User, root, "It is still in use.")
		w.awaitMessage(w.cast.Channel, "asked SoftLayer to stop the cancellation of "+w.fqdn(w.server))
		assert.Len(t, w.written(w.server), 1)
		assert.Len(t, w.writes(), 3)
	})
}

func TestKillsMakeNoSecondText(t *testing.T) {
	for name, c := range map[string]struct {
		fault string
		there int
		told  string
	}{
		"between the call and its record": {"slow_after", 1, "asked SoftLayer to stop the cancellation of "},
		"before SoftLayer took it":        {"hang", 0, "was not asked to stop the cancellation of "},
	} {
		t.Run(name, func(t *testing.T) {
			overHTTP(t, unhurried(), func(t *testing.T, w *world) {
				root := w.filedAlone(w.server)
				require.NoError(t, w.softlayer.Fault(addUpdate, c.fault, 1))
				w.asksToStop(w.cast.User, root, "It is still in use.")
				w.eventually("the call is under way", func() bool { return w.softlayer.FaultsLeft() == 0 })
				w.eventually("it is there, or not", func() bool { return len(w.written(w.server)) == c.there })
				w.kill()
				w.start()
				w.settles(c.told + w.fqdn(w.server))
				assert.Len(t, w.written(w.server), c.there)
				assert.Len(t, w.writes(), 1, "it is not sent twice")
			})
		})
	}
}

func TestFormDeliveredTwiceIsOneText(t *testing.T) {
	s := unhurried()
	atOneAndAtThree(t, bySocket, byHTTP, s, func(t *testing.T, w *world) {
		for _, fault := range []string{fakeslack.FaultTwiceAtOnce, fakeslack.FaultRedeliver} {
			for range 3 {
				server := w.another()
				root := w.filedAlone(server)
				w.opensForm(w.cast.User, root, "ask-stop", "This asks SoftLayer to keep")
				require.NoError(t, w.slack.Fault("view_submission", fault, 1))
				_ = w.says(w.cast.User, typed("It is still in use."))
				w.awaitMessage(w.cast.Channel, "asked SoftLayer to stop the cancellation of "+w.fqdn(server))
				if w.hasOpen(w.cast.User) > 0 {
					w.close(w.cast.User)
				}
				assert.Len(t, w.written(server), 1, fault)
			}
		}
		assert.Equal(t, map[string]int{"sent": 6}, w.texts())
		assert.Len(t, w.writes(), 6)
	})
}
