//go:build unix

package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

const (
	filing  = "SoftLayer_Ticket/createCancelServerTicket"
	reading = "SoftLayer_Hardware_Server/getObject"
)

// patient is a world in which a busy machine has time to answer, and many may ask in a
// moment. What waits for a lost answer to settle is hurried on by awaitSettled.
func patient() setup {
	return setup{
		extra: []string{"POST_TIMEOUT=60s", "SETTLE_TIME=60m"}, slack: fakeslack.Options{RateLimitsOff: true},
	}
}

func TestTicketAfterALostAnswerIsFound(t *testing.T) {
	overHTTP(t, patient(), func(t *testing.T, w *world) {
		for _, fault := range []string{"error_after", "drop_after", "truncated_json"} {
			server := w.another()
			require.NoError(t, w.softlayer.Fault(filing, fault, 1))
			w.accepted(w.cast.Channel, w.cast.User, server)
			told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
			require.Len(t, w.tickets(server), 1, fault)
			assert.Contains(t, told.Shown, w.url+"/softlayer/tickets/"+strconv.FormatInt(w.tickets(server)[0].ID, 10), fault)
			assert.Len(t, w.postsFor(server), 1, "%s: nothing is sent twice", fault)
			assert.Len(t, w.about(w.cast.Channel, w.fqdn(server)), 1, "%s: one message, edited", fault)
		}
		assert.Empty(t, w.broken())
	})
}

func TestLostAnswerWithoutTicketIsNeverCalledFiled(t *testing.T) {
	s := patient()
	s.softlayer.Servers = 96
	overSocket(t, s, func(t *testing.T, w *world) {
		faults := []string{
			"error_before", "drop_before", "ok_error", "ok_null", "ok_empty", "html", "html_200", "redirect", "huge",
		}
		for _, fault := range faults {
			require.NoError(t, w.softlayer.Fault(filing, fault, 1))
		}
		servers := w.acceptedAtOnce(len(faults)) // which fault strikes which does not matter
		for _, server := range servers {
			w.awaitMessage(w.cast.Channel, "Not known yet", w.fqdn(server))
		}
		w.booksAreClean(len(servers))
		assert.Len(t, w.posts(), len(servers), "each was sent once: the settle time of an hour is not over")
		for _, server := range servers {
			w.awaitSettled(w.cast.Channel, "Cancellation requested", w.fqdn(server))
			require.Len(t, w.tickets(server), 1)
			require.Len(t, w.postsFor(server), 2, "sent once more")
			w.eventually("the result is the last that was told", func() bool { // the message shows it before its call has ended
				said := w.toldOf(server)
				return len(said) > 0 && strings.Contains(said[len(said)-1], "Cancellation requested")
			})
			assert.Contains(t, w.toldOf(server)[0], "Not known yet", "what the channel reads first")
			assert.Len(t, w.about(w.cast.Channel, w.fqdn(server)), 1, "one message, edited")
		}
		assert.Empty(t, w.broken())
	})
}

// booksAreClean lets requests whose answers are lost, so many, find SoftLayer's records clean
// for half an hour, and look at them once more.
func (w *world) booksAreClean(requests int) {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	w.eventually("all have looked after half an hour", func() bool {
		_, err := db.ExecContext(w.t.Context(), cleanSince("created_at - 1800000"))
		require.NoError(w.t, err)
		var looked int
		require.NoError(w.t, db.QueryRowContext(w.t.Context(),
			`select count(*) from requests where clean_since < created_at and lease_owner is null and due > created_at`).Scan(&looked))
		return looked == requests
	})
}

func TestTicketOfATimedOutPostIsFound(t *testing.T) {
	s := patient()
	s.extra = []string{"POST_TIMEOUT=2s", "SETTLE_TIME=60m"} // SoftLayer takes three seconds, or forever
	overSocket(t, s, func(t *testing.T, w *world) {
		made := w.another()
		require.NoError(t, w.softlayer.Fault(filing, "slow_after", 1))
		w.accepted(w.cast.Channel, w.cast.User, made)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(made))
		assert.Len(t, w.postsFor(made), 1, "it is found, and not sent again")

		for _, fault := range []string{"hang", "slow"} {
			require.NoError(t, w.softlayer.Fault(filing, fault, 1))
		}
		given := w.acceptedAtOnce(2)
		for _, server := range given {
			w.awaitMessage(w.cast.Channel, "Not known yet", w.fqdn(server))
		}
		w.stop()
		w.extra = patient().extra // what is sent again has all the time of a busy machine
		w.start()
		for _, server := range given {
			w.awaitSettled(w.cast.Channel, "Cancellation requested", w.fqdn(server))
			assert.Len(t, w.tickets(server), 1)
			assert.Len(t, w.postsFor(server), 2, "sent once more")
		}
		assert.Len(t, w.tickets(made), 1)
		assert.Empty(t, w.broken())
	})
}

func TestRefusedEditIsMadeAgain(t *testing.T) {
	overHTTP(t, patient(), func(t *testing.T, w *world) {
		faults := []string{
			fakeslack.FaultRateLimited, fakeslack.FaultError503, fakeslack.FaultDropBefore,
			fakeslack.FaultDropAfter, fakeslack.FaultInternalError,
		}
		require.NoError(t, w.softlayer.Fault(filing, "error_before", len(faults)))
		servers := w.acceptedAtOnce(len(faults))
		for _, server := range servers {
			w.awaitMessage(w.cast.Channel, "Not known yet", w.fqdn(server))
		}
		for _, fault := range faults {
			require.NoError(t, w.slack.Fault("chat.update", fault, 1))
		}
		for _, server := range servers {
			w.awaitSettled(w.cast.Channel, "Cancellation requested", w.fqdn(server))
			assert.Len(t, w.about(w.cast.Channel, w.fqdn(server)), 1, "one message, edited")
			assert.Len(t, w.tickets(server), 1)
		}
	})
}

func TestUnsentPostIsFiledLater(t *testing.T) {
	overSocket(t, patient(), func(t *testing.T, w *world) {
		for _, fault := range []string{"rate_limit", "expired_token", "unauthorized"} {
			server := w.another()
			require.NoError(t, w.softlayer.Fault(filing, fault, 1))
			w.accepted(w.cast.Channel, w.cast.User, server)
			w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
			assert.Len(t, w.tickets(server), 1, fault)
			assert.Len(t, w.postsFor(server), 2, fault)
			for _, said := range w.toldOf(server) {
				assert.NotContains(t, said, "Not known yet", fault)
			}
		}
	})
}

func TestMissingRightIsReportedInSoftLayersWords(t *testing.T) {
	overHTTP(t, patient(), func(t *testing.T, w *world) {
		require.NoError(t, w.softlayer.Fault(filing, "no_permission", 1))
		w.accepted(w.cast.Channel, w.cast.User, w.server)
		w.awaitMessage(w.cast.Channel, "Not filed", w.fqdn(w.server), "You do not have permission to this service.", "That is the bot's SoftLayer key, not you")
		assert.Empty(t, w.tickets(w.server))
		assert.Equal(t, map[string]int{"rejected": 1}, w.recorded())

		// The server is free: with the right given, the next request is filed.
		w.accepted(w.cast.Channel, w.cast.User, w.server)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Len(t, w.tickets(w.server), 1)
	})
}

func TestASoftLayerThatDoesNotAnswerReads(t *testing.T) {
	overSocket(t, patient(), func(t *testing.T, w *world) {
		for _, fault := range []string{"html", "rate_limit", "ok_null", "ok_empty", "unauthorized"} {
			server := w.another()
			w.command(w.cast.User, "")
			ids, options := w.look(w.cast.User, strconv.FormatInt(server, 10))
			require.Equal(t, []int64{server}, ids)
			require.NoError(t, w.softlayer.Fault(reading, fault, 1))
			w.pick(w.cast.User, options[0])
			says := "SoftLayer did not answer about this server."
			if fault == "unauthorized" {
				says = "SoftLayer does not take the bot's key"
			}
			w.eventually("the form says that there is no card", func() bool { return strings.Contains(w.top(w.cast.User).text(w), says) })
			w.pick(w.cast.User, options[0])
			m := w.awaitCard(w.cast.User, server)

			require.NoError(t, w.softlayer.Fault(reading, fault, 1)) // the read before filing
			require.Empty(t, w.submit(w.cast.User, m, w.usual(m, server)).Error)
			require.Equal(t, "Recorded", w.top(w.cast.User).Title.Text)
			w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
			assert.Len(t, w.tickets(server), 1, fault)
			assert.Len(t, w.postsFor(server), 1, fault)
		}
	})
}

func TestServerIsCheckedAgainBeforeItIsFiled(t *testing.T) {
	overHTTP(t, patient(), func(t *testing.T, w *world) {
		for _, event := range []struct {
			name   string
			happen func(w *world, server int64)
			told   []string
			state  string
		}{
			{"staff opens a ticket", func(w *world, server int64) {
				w.control(http.MethodPost, "/ticket", map[string]any{"server": server, "open": true, "entry": "By staff."}, nil)
			}, []string{"Already requested", "Nothing new was filed."}, "duplicate"},
			{"its address changes", func(w *world, server int64) {
				w.patch(server, map[string]any{"primaryIpAddress": "198.51.100.7"})
			}, []string{"Not filed", "The server has changed since its card was read: public address."}, "rejected"},
			{"a transaction begins", func(w *world, server int64) {
				w.patch(server, map[string]any{"activeTransaction": map[string]any{"id": 1, "transactionStatus": map[string]any{"name": "OS_RELOAD", "friendlyName": "OS Reload"}}})
			}, []string{"Not filed", "a transaction is running"}, "rejected"},
			{"a transaction has run", func(w *world, server int64) {
				w.patch(server, map[string]any{"lastTransaction": map[string]any{
					"createDate": w.softlayer.Now().Format(time.RFC3339), "transactionGroup": map[string]any{"name": "Hardware Swap"},
				}})
			}, []string{"Not filed", "There is now a warning that the card did not show: a transaction has run on it."}, "rejected"},
			{"it is gone", func(w *world, server int64) {
				w.control(http.MethodPost, "/server", map[string]any{"id": server, "remove": true}, nil)
			}, []string{"Not filed", "SoftLayer no longer shows the server"}, "rejected"},
		} {
			t.Run(event.name, func(t *testing.T) {
				w, server := w.in(t), w.another()
				name, before := w.fqdn(server), w.recorded()[event.state]
				m := w.form(w.cast.Channel, w.cast.User, server)
				values := w.usual(m, server)
				event.happen(w, server)
				require.Empty(t, w.submit(w.cast.User, m, values).Error)
				told := w.awaitMessage(w.cast.Channel, append(event.told, name)...)
				for _, stands := range w.tickets(server) {
					assert.Contains(t, told.Shown, w.url+"/softlayer/tickets/"+strconv.FormatInt(stands.ID, 10), "the link to it")
					assert.NotContains(t, stands.FirstUpdate.Entry, "cancel-server", "it is not ours")
				}
				assert.Empty(t, w.postsFor(server), "nothing is sent")
				assert.Equal(t, before+1, w.recorded()[event.state])
			})
		}
	})
}

func TestAskAgainButtonReadsTheChangedServer(t *testing.T) {
	overSocket(t, patient(), func(t *testing.T, w *world) {
		m := w.form(w.cast.Channel, w.cast.User, w.server)
		w.patch(w.server, map[string]any{"primaryIpAddress": "198.51.100.7"})
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
		told := w.awaitMessage(w.cast.Channel, "The server has changed since its card was read: public address.")
		w.close(w.cast.User)

		_, err := w.slack.Act(t.Context(), fakeslack.Action{
			User: w.cast.User, Message: &fakeslack.MessageRef{Channel: told.Channel, TS: told.TS}, BlockID: "request", ActionID: "ask-again",
		})
		require.NoError(t, err)
		fresh := w.awaitCard(w.cast.User, w.server)
		assert.Contains(t, fresh.text(w), "public 198.51.100.7")
		block, action, _ := fresh.field("confirm:")
		require.Empty(t, w.submit(w.cast.User, fresh, fakeslack.Values{block: {action: {"value": w.fqdn(w.server)}}}).Error)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Contains(t, w.tickets(w.server)[0].FirstUpdate.Entry, "Replaced by db-060.", "what was typed before is sent")
		assert.Equal(t, map[string]int{"rejected": 1, "filed": 1}, w.recorded())
		assert.Len(t, w.postsFor(w.server), 1)
	})
}

func TestUnreadableTicketNeedsAPersonAndLocks(t *testing.T) {
	overHTTP(t, patient(), func(t *testing.T, w *world) {
		m := w.form(w.cast.Channel, w.cast.User, w.server)
		w.control(http.MethodPost, "/key", map[string]any{"revoke": []string{"TICKET_VIEW_ALL"}}, nil)
		w.control(http.MethodPost, "/ticket", map[string]any{"server": w.server, "open": true, "entry": "By staff."}, nil)
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
		standing := w.tickets(w.server)
		told := w.awaitMessage(w.cast.Channel, "Needs a person", w.fqdn(w.server))
		assert.Contains(t, told.Shown, fmt.Sprintf("Ticket %d already exists for this server, and this key cannot read whose ticket that is.", standing[0].ID))
		assert.Len(t, w.tickets(w.server), 1)

		locked := w.blockedForm(w.cast.User, w.server)
		assert.Contains(t, locked.text(w), w.ref(told.Shown))
		w.submit(w.cast.User, locked, w.usual(locked, w.server))
		assert.Equal(t, map[string]int{"stuck": 1}, w.recorded())
		assert.Len(t, w.postsFor(w.server), 1)
	})
}

func TestClosedTicketThatBlocksNeedsAPerson(t *testing.T) {
	overSocket(t, patient(), func(t *testing.T, w *world) {
		w.control(http.MethodPost, "/ticket", map[string]any{"server": w.server, "open": true, "entry": "By staff."}, nil)
		closed := w.tickets(w.server)[0].ID
		w.control(http.MethodPost, "/ticket", map[string]any{"id": closed, "close": true, "blocks": true}, nil)
		w.accepted(w.cast.Channel, w.cast.User, w.server)
		w.awaitMessage(w.cast.Channel, "Needs a person", w.fqdn(w.server), fmt.Sprintf("Closed ticket %d blocks a new one. Contact IBM.", closed))
		assert.Equal(t, map[string]int{"stuck": 1}, w.recorded())
		assert.Len(t, w.tickets(w.server), 1)
	})
}

func TestKeyWithoutTicketRightProvesNothing(t *testing.T) {
	overHTTP(t, patient(), func(t *testing.T, w *world) {
		w.control(http.MethodPost, "/key", map[string]any{"revoke": []string{"TICKET_VIEW"}}, nil)
		w.accepted(w.cast.Channel, w.cast.User, w.server)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server)) // an answer is enough

		server := w.another()
		require.NoError(t, w.softlayer.Fault(filing, "drop_after", 1))
		w.accepted(w.cast.Channel, w.cast.User, server)
		told := w.awaitSettled(w.cast.Channel, "Needs a person", w.fqdn(server))
		assert.Contains(t, told.Shown, "the key has no right to view tickets")
		assert.Len(t, w.postsFor(server), 1, "nothing is sent again on the word of books that cannot be read")
		assert.Len(t, w.tickets(server), 1)

		// The operator looked, and the key cannot: only their word, given as such, is taken.
		id := strconv.FormatInt(w.tickets(server)[0].ID, 10)
		order := []string{"resolve", w.ref(told.Shown), "filed", id, "--why", "It stands in IBM Cloud."}
		code, said := w.ends(order)
		require.Equal(t, 1, code, said)
		assert.Contains(t, said, "this key cannot read that ticket")
		code, said = w.ends(append(order, "--unseen"))
		require.Zero(t, code, said)
		assert.Contains(t, w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server)).Shown, id)
		assert.Equal(t, map[string]int{"filed": 2}, w.recorded())
	})
}

// acceptedAtOnce asks for so many servers: first all forms are filled, then all sent.
func (w *world) acceptedAtOnce(count int) []int64 {
	w.t.Helper()
	servers, forms := make([]int64, count), make([]modal, count)
	for i := range servers {
		servers[i] = w.another()
		forms[i] = w.form(w.cast.Channel, w.cast.User, servers[i])
	}
	for i, server := range servers {
		ack := w.submit(w.cast.User, forms[i], w.usual(forms[i], server))
		require.Contains(w.t, string(ack.Body), `"Recorded"`)
	}
	return servers
}

// patch changes a server in SoftLayer's records.
func (w *world) patch(server int64, change map[string]any) {
	w.t.Helper()
	w.control(http.MethodPost, "/server", map[string]any{"id": server, "patch": change}, nil)
}

// toldOf is each text that the bot posted or edited in about a server, in order.
func (w *world) toldOf(server int64) []string {
	w.t.Helper()
	name := w.fqdn(server)
	w.mu.Lock()
	defer w.mu.Unlock()
	var texts []string
	for _, e := range w.slk {
		if e.From == "bot" && strings.HasPrefix(e.Method, "chat.") && strings.Contains(string(e.Request), name) {
			texts = append(texts, string(e.Request))
		}
	}
	return texts
}
