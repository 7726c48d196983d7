//go:build unix

package main

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// staff has SoftLayer's staff do something to a server's ticket.
func (w *world) staff(server int64, do, text string, waits bool) {
	w.t.Helper()
	order := map[string]any{"ticket": w.tickets(server)[0].ID, "do": do, "waits_for_customer": waits}
	if text != "" {
		order["text"] = text
	}
	w.control(http.MethodPost, "/staff", order, nil)
}

// filed asks for a server and has it filed, and returns the message that says so.
func (w *world) filed(user string, server int64) message {
	w.t.Helper()
	w.accepted(w.cast.Channel, user, server)
	said := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
	w.eventually("the bot knows its message", func() bool { return w.counted(`select count(*) from notices where ts <> '' and due is null`) > 0 })
	return said
}

// reads presses the button under a message that opens an answer, and waits for these words in the view.
func (w *world) reads(user string, m message, words ...string) modal {
	w.t.Helper()
	w.press(user, m, "read-answer")
	return w.sees(user, words...)
}

// sees waits until the view before a person has these words.
func (w *world) sees(user string, words ...string) (m modal) {
	w.t.Helper()
	w.eventually("the view says "+strings.Join(words, ", "), func() bool {
		if w.hasOpen(user) == 0 {
			return false
		}
		m = w.top(user)
		return hasAll(m.Raw, words)
	})
	return m
}

func TestAnAnswerIsReadByThoseWhoMay(t *testing.T) {
	overBothWith(t, follows(), func(t *testing.T, w *world) {
		result := w.filed(w.cast.User, w.server)
		const secret = "Call 555-0100 about contract 7 & <!channel>"
		w.staff(w.server, "answer", secret, false)
		said := w.awaitMessage(w.cast.Channel, "staff answered about "+w.fqdn(w.server), w.ticketOf(w.server))
		assert.Equal(t, result.TS, said.ThreadTS, "in its thread")

		read := w.reads(w.cast.User, said, "555-0100", "SoftLayer's staff, ", w.ticketOf(w.server))
		assert.NotContains(t, markdownIn(t, read.Raw), "channel", "it is plain text")
		w.close(w.cast.User)
		w.reads(w.cast.Approver, said, "555-0100")
		refused := w.reads(w.cast.Outsider, said, "You may not read this")
		assert.NotContains(t, refused.Raw, "555-0100")
		for _, user := range []string{w.cast.Requester, w.cast.Hostile} {
			w.reads(user, said, "You may not read this")
		}
		for _, m := range w.messages(w.cast.Channel) {
			assert.NotContains(t, m.Shown, "555-0100", "no word of staff's in a channel")
		}
		assert.Empty(t, w.broken())
	})
}

func TestALongAnswerIsCutBeforeItsLink(t *testing.T) {
	overSocket(t, follows(), func(t *testing.T, w *world) {
		w.filed(w.cast.User, w.server)
		long := "BEGIN <@U0123> <https://evil.example|x> " + strings.Repeat("Ω😀", 10_000) + " END"
		require.Greater(t, utf8.RuneCountInString(long), 20_000)
		w.staff(w.server, "answer", long, false)
		said := w.awaitMessage(w.cast.Channel, "staff answered")
		read := w.reads(w.cast.User, said, "BEGIN", "There is more in ", w.ticketOf(w.server))
		assert.NotContains(t, read.Raw, "END")
		assert.NotContains(t, markdownIn(t, read.Raw), "evil")
		assert.True(t, utf8.ValidString(read.Raw))
		first := time.Now().Unix()
		w.eventually("another second begins: updates of one second are one answer", func() bool { return time.Now().Unix() > first })
		w.staff(w.server, "answer", "Short.", false)
		w.eventually("both are told", func() bool { return len(w.about(w.cast.Channel, "staff answered")) == 2 })
		read = w.reads(w.cast.User, said, "Short.", "BEGIN")
		assert.Less(t, strings.Index(read.Raw, "Short."), strings.Index(read.Raw, "BEGIN"), "the newest first")
		assert.Empty(t, w.broken())
	})
}

func TestAnAnswerThatCannotBeReadSaysSo(t *testing.T) {
	overHTTP(t, follows(), func(t *testing.T, w *world) {
		w.filed(w.cast.User, w.server)
		w.staff(w.server, "answer", "Call 555-0100.", true)
		said := w.awaitMessage(w.cast.Channel, "SoftLayer is waiting for an answer")
		w.control(http.MethodPost, "/ticket", map[string]any{"id": w.tickets(w.server)[0].ID, "hide": true}, nil)
		read := w.reads(w.cast.User, said, "did not show the answer now", w.ticketOf(w.server))
		assert.NotContains(t, read.Raw, "555-0100")
		w.eventually("it still waits", func() bool { return w.waiting() == 1 })
	})
}

// waiting counts the requests for which SoftLayer waits for an answer.
func (w *world) waiting() int {
	w.t.Helper()
	return w.counted(`select count(*) from followed where waits_since is not null`)
}

// counted is a number in the bot's database.
func (w *world) counted(query string) (count int) {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	require.NoError(w.t, db.QueryRowContext(w.t.Context(), query).Scan(&count))
	return count
}

// owed counts what people are owed of a kind by direct message, by person.
func (w *world) owed(kind string) map[string]int {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	rows, err := db.QueryContext(w.t.Context(), `select person, count(*) from news where kind = $1 group by person`, kind)
	require.NoError(w.t, err)
	defer rows.Close()
	found := map[string]int{}
	for rows.Next() {
		var person string
		var count int
		require.NoError(w.t, rows.Scan(&person, &count))
		found[person] = count
	}
	require.NoError(w.t, rows.Err())
	return found
}

// reminds makes the next reminder due: no clock of the fakes moves the bot's.
func (w *world) reminds() {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	w.eventually("the next reminder is due", func() bool {
		done, err := db.ExecContext(w.t.Context(), `update waits set next_at = 1, act_at = 1 where next_at is not null and act_at > 1`)
		if err != nil {
			return false // the bot writes
		}
		changed, err := done.RowsAffected()
		return err == nil && changed == 1
	})
}

func TestWaitEndsWhenSomebodyAnswers(t *testing.T) {
	for name, answer := range map[string]func(w *world){
		"staff do not wait any more": func(w *world) { w.staff(w.server, "answer", "Never mind.", false) },
		"staff close":                func(w *world) { w.staff(w.server, "close", "", false) },
	} {
		t.Run(name, func(t *testing.T) {
			overSocket(t, follows(), func(t *testing.T, w *world) {
				result := w.filed(w.cast.User, w.server)
				w.staff(w.server, "answer", "Which contract?", true)
				said := w.awaitMessage(w.cast.Channel, "✋ SoftLayer is waiting for an answer about "+w.fqdn(w.server), "may not go on without it", w.ticketOf(w.server))
				assert.Equal(t, result.TS, said.ThreadTS)
				assert.Len(t, w.thread(result), 1, "it says once that staff answered")
				w.eventually("its requester is told", func() bool { return w.owed("waits")[w.cast.User] == 1 })
				assert.Equal(t, 1, w.waiting())
				answer(w)
				w.eventually("it does not wait", func() bool { return w.waiting() == 0 })
			})
		})
	}
}

func TestNoAnswerNeededEndsTheReminders(t *testing.T) {
	overBothWith(t, follows(), func(t *testing.T, w *world) {
		w.filed(w.cast.User, w.server)
		w.staff(w.server, "answer", "Shall we ship the drives?", true)
		said := w.awaitMessage(w.cast.Channel, "SoftLayer is waiting for an answer")
		w.eventually("its requester is told", func() bool { return w.owed("waits")[w.cast.User] == 1 })
		read := w.reads(w.cast.User, said, "ship the drives", "No answer needed")
		_, err := w.slack.Act(t.Context(), fakeslack.Action{User: w.cast.User, View: read.ID, BlockID: "request", ActionID: "no-answer"})
		require.NoError(t, err)
		form := w.sees(w.cast.User, "Why is no answer needed?")
		ack := w.submit(w.cast.User, form, fakeslack.Values{"why": {"why": map[string]any{"type": "plain_text_input", "value": " "}}})
		assert.Contains(t, w.fieldErrors(ack), "why")
		require.Empty(t, w.submit(w.cast.User, form, fakeslack.Values{"why": {"why": map[string]any{"type": "plain_text_input", "value": "They are scrap."}}}).Error)
		assert.Zero(t, w.waiting())
		w.staff(w.server, "answer", "They are not.", true)
		w.eventually("staff wrote again", func() bool { return w.waiting() == 1 && w.owed("waits")[w.cast.User] == 2 })
		assert.Empty(t, w.broken())
	})
}

func TestRemindersEscalateUntilAnswered(t *testing.T) {
	for name, channel := range map[string]bool{"to the escalation channel": true, "to the thread and approvers": false} {
		t.Run(name, func(t *testing.T) {
			s := follows()
			s.before = func(w *world) {
				if channel {
					w.extra = append(w.extra, "NOTIFY_CHANNEL="+w.cast.OtherChannel, "REPORT_CHANNEL="+w.cast.Channel)
				}
			}
			overHTTP(t, s, func(t *testing.T, w *world) {
				result := w.filed(w.cast.User, w.server)
				w.staff(w.server, "answer", "Which contract?", true)
				w.eventually("its requester is told", func() bool { return w.owed("waits")[w.cast.User] == 1 })
				w.reminds()
				w.eventually("and reminded", func() bool { return w.owed("still_waits")[w.cast.User] == 1 })
				for n := range 2 {
					w.reminds()
					w.eventually("more people are told", func() bool {
						return len(w.about(w.cast.Channel, "SoftLayer has waited for an answer", "has not replied; anyone who may approve on it can")) == n+1
					})
				}
				told := w.about(w.cast.Channel, "SoftLayer has waited for an answer")
				if channel {
					assert.Empty(t, told[0].ThreadTS)
					assert.Empty(t, w.owed("unanswered"))
				} else {
					assert.Equal(t, result.TS, told[0].ThreadTS)
					w.eventually("those who may approve are told", func() bool {
						return maps.Equal(map[string]int{w.cast.Approver: 2}, w.owed("unanswered"))
					})
				}
				assert.Equal(t, map[string]int{w.cast.User: 1}, w.owed("still_waits"))
				assert.Equal(t, map[string]int{w.cast.User: 1}, w.owed("waits"))
			})
		})
	}
}

func TestStaffsWordsReachTheRequesterAlone(t *testing.T) {
	overSocket(t, follows(), func(t *testing.T, w *world) {
		w.filed(w.cast.User, w.server)
		w.staff(w.server, "answer", "Call 555-0100, <!channel>.", true)
		told := w.awaitMessage(w.cast.User, "SoftLayer is waiting for your answer about "+w.fqdn(w.server), "555-0100", w.ticketOf(w.server))
		assert.NotContains(t, told.Text, "555-0100", "no notification quotes it")
		_, err := w.slack.Act(t.Context(), fakeslack.Action{
			User: w.cast.User, Message: &fakeslack.MessageRef{Channel: told.Channel, TS: told.TS}, BlockID: "request0", ActionID: "read-answer",
		})
		require.NoError(t, err)
		w.sees(w.cast.User, "555-0100", "No answer needed")
		for _, m := range w.messages(w.cast.Channel) {
			assert.NotContains(t, m.Shown, "555-0100")
		}
		assert.Empty(t, w.broken())
	})
}

func TestApproversAnswerForARequesterWhoLeft(t *testing.T) {
	overHTTP(t, follows(), func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		w.press(w.cast.Approver, waits, "approve")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		gone := true
		require.NoError(t, w.slack.PatchUser(w.cast.Requester, fakeslack.UserPatch{Deleted: &gone}))
		w.stop() // what was read of them is a minute old at most
		w.staff(w.server, "answer", "Which contract?", true)
		w.start()
		w.awaitMessage(w.cast.Approver, "SoftLayer is waiting for your answer about "+w.fqdn(w.server), "Which contract?")
		assert.Equal(t, map[string]int{w.cast.Approver: 1}, w.owed("waits"))
		w.kill()
		w.start()
		w.staff(w.server, "answer", "Never mind.", false)
		w.eventually("it does not wait", func() bool { return w.waiting() == 0 })
		assert.Len(t, w.about(w.cast.Approver, "SoftLayer is waiting for your answer"), 1, "a kill tells it no second time")
	})
}
