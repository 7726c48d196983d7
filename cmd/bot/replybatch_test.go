//go:build unix

package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
)

// list lets lists of servers be filed and followed as fast as the bot can.
func replying() setup {
	s := quick()
	s.softlayer = fakesoftlayer.Options{Servers: 200}
	return s
}

// filedList has somebody ask for so many servers by a list, and returns the list's message once all are filed.
func (w *world) filedList(user string, count int) (ids []int64, root message) {
	w.t.Helper()
	ids, names := w.some(count)
	review := w.pasted(user, names, count)
	require.Empty(w.t, w.confirms(user, review, fmt.Sprint(count)).Error)
	require.Equal(w.t, "Recorded", w.top(user).Title.Text, w.top(user).Raw)
	if user == w.cast.Requester {
		w.press(w.cast.Approver, w.awaitMessage(w.cast.Channel, fmt.Sprintf("%d waiting for approval", count)), "batch-approve")
		require.Empty(w.t, w.says(w.cast.Approver, nil).Error)
		w.eventually("the approval's form closes", func() bool { return w.hasOpen(w.cast.Approver) == 0 })
	}
	root = w.awaitMessage(w.cast.Channel, fmt.Sprintf("Cancellation requested for %d servers", count))
	for w.hasOpen(user) > 0 {
		w.close(user)
	}
	return ids, root
}

// allAsk has SoftLayer's staff ask something about each server, and waits until the bot knows that all wait.
func (w *world) allAsk(ids []int64, question func(i int) string) {
	w.t.Helper()
	for i, id := range ids {
		w.staff(id, "answer", question(i), true)
	}
	w.eventually("all wait for an answer", func() bool { return w.waiting() == len(ids) })
}

func same(text string) func(int) string { return func(int) string { return text } }

// offersAll asks for a server's status, and returns the answer with the button that answers so many tickets, and the
// block of that button.
func (w *world) offersAll(user string, server int64, count int) (m message, block string) {
	w.t.Helper()
	w.command(user, "status "+w.fqdn(server))
	label := fmt.Sprintf("Answer all %d…", count)
	w.eventually("the status offers: "+label, func() bool {
		for _, m = range w.ephemeral(w.cast.Channel, user) {
			if block = blockWith(m, label); block != "" {
				return true
			}
		}
		return false
	})
	return m, block
}

// blockWith is the block of a message that has a button of this label; "" if none has.
func blockWith(m message, label string) (found string) {
	for _, b := range m.Blocks {
		block, _ := b.(map[string]any)
		eachObject(block["elements"], func(o map[string]any) {
			if text, is := o["text"].(map[string]any); is && text["text"] == label {
				found, _ = block["block_id"].(string)
			}
		})
	}
	return found
}

// answersAll presses that button, and waits for the form with these words.
func (w *world) answersAll(user string, m message, block string, words ...string) modal {
	w.t.Helper()
	_, err := w.slack.Act(w.t.Context(), fakeslack.Action{User: user, Message: &fakeslack.MessageRef{Channel: m.Channel, TS: m.TS}, BlockID: block, ActionID: "reply_batch"})
	require.NoError(w.t, err)
	w.eventually(fmt.Sprintf("%s sees a form with %q", user, words), func() bool {
		return w.hasOpen(user) > 0 && hasAll(w.top(user).text(w), append(words, "No passwords."))
	})
	return w.top(user)
}

// tickedIn counts the boxes that are ticked in a form for several tickets.
func tickedIn(m modal) (count int) {
	for _, actions := range m.State.Values {
		count += len(actions["replies"].Checked)
	}
	return count
}

// onlyFirst ticks the first so many boxes of a form for several tickets, and types a text.
func onlyFirst(m modal, count int, text string) fakeslack.Values {
	values := typed(text)
	for _, b := range m.Blocks {
		if !strings.HasPrefix(b.BlockID, "replies:") {
			continue
		}
		ticked := []any{}
		for _, o := range b.Element.Options {
			if count > 0 {
				ticked = append(ticked, map[string]any{"value": o.Value})
				count--
			}
		}
		values[b.BlockID] = map[string]map[string]any{"replies": {"type": "checkboxes", "selected_options": ticked}}
	}
	return values
}

var updateMarker = regexp.MustCompile(`\[cancel-server update [0-9A-Z]{4}-[0-9A-Z]{4} ([0-9A-Z]{26})\]`)

func TestOneTextAnswersTheChosenTickets(t *testing.T) {
	overBothWith(t, replying(), func(t *testing.T, w *world) {
		ids, root := w.filedList(w.cast.User, 7)
		w.allAsk(ids, same("Which contract? Call 555-0100."))
		m, block := w.offersAll(w.cast.User, ids[3], 7)
		form := w.answersAll(w.cast.User, m, block, "SoftLayer waits for your answer about 7 servers.", "Which contract? Call 555-0100.", "Send replies")
		assert.Equal(t, 7, tickedIn(form), "staff wrote the same to all")

		assert.Contains(t, w.fieldErrors(w.submit(w.cast.User, form, onlyFirst(form, 5, " ")))["ticket-text"], "Write what")
		assert.Contains(t, w.fieldErrors(w.submit(w.cast.User, form, onlyFirst(form, 0, "Contract 7.")))["replies:0-0"], "Tick at least one")
		assert.Empty(t, w.texts(), "nothing is recorded")

		require.NoError(t, w.slack.Fault("view_submission", fakeslack.FaultRedeliver, 1))
		_ = w.submit(w.cast.User, form, onlyFirst(form, 5, "Contract 7."))
		told := w.awaitMessage(w.cast.Channel, "Replies to SoftLayer about 5 servers by", "5 sent")
		w.eventually("the form says what is recorded", func() bool { return strings.Contains(w.top(w.cast.User).text(w), "5 replies are recorded") })
		assert.Equal(t, root.TS, told.ThreadTS, "in the list's thread")
		assert.Len(t, w.about(w.cast.Channel, "Replies to SoftLayer"), 1, "one message for one form")

		references, replied := map[string]bool{}, 0
		for _, id := range ids {
			for _, entry := range w.written(id) {
				assert.Contains(t, entry, fmt.Sprintf("about server %s (id %d) only", w.fqdn(id), id))
				assert.Contains(t, entry, "Contract 7.")
				references[updateMarker.FindStringSubmatch(entry)[1]] = true
				replied++
			}
		}
		assert.Equal(t, 5, replied)
		assert.Len(t, references, 5, "each has a reference of its own")
		assert.Len(t, w.writes(), 5, "one call for each that was chosen")
		assert.Equal(t, map[string]int{"sent": 5}, w.texts())
		w.eventually("the others still wait", func() bool { return w.waiting() == 2 })
		for _, m := range w.messages(w.cast.Channel) {
			assert.NotContains(t, m.Shown, "Contract 7", "the text reaches no channel")
			assert.NotContains(t, m.Shown, "555-0100")
		}
		assert.Empty(t, w.broken())
	})
}

func TestFormForAListDeliveredTwiceSendsOnce(t *testing.T) {
	atOneAndAtThree(t, bySocket, byHTTP, replying(), func(t *testing.T, w *world) {
		sent := 0
		for i, fault := range []string{fakeslack.FaultTwiceAtOnce, fakeslack.FaultRedeliver} {
			count := 3 + i // each list's message reads otherwise
			ids, _ := w.filedList(w.cast.User, count)
			w.allAsk(ids, same("Which contract?"))
			m, block := w.offersAll(w.cast.User, ids[0], count)
			form := w.answersAll(w.cast.User, m, block, "Which contract?")
			require.NoError(t, w.slack.Fault("view_submission", fault, 1))
			_ = w.submit(w.cast.User, form, typed("Contract 7."))
			w.awaitMessage(w.cast.Channel, fmt.Sprintf("Replies to SoftLayer about %d servers by", count), fmt.Sprintf("%d sent", count))
			assert.Contains(t, w.top(w.cast.User).text(w), fmt.Sprintf("%d replies are recorded", count), "whichever delivery is answered")
			for _, id := range ids {
				assert.Len(t, w.written(id), 1, fault)
			}
			sent += count
			for w.hasOpen(w.cast.User) > 0 {
				w.close(w.cast.User)
			}
		}
		assert.Len(t, w.writes(), sent)
		assert.Equal(t, map[string]int{"sent": sent}, w.texts())
	})
}

func TestTextsThatDifferAreTickedByHand(t *testing.T) {
	overSocket(t, replying(), func(t *testing.T, w *world) {
		ids, _ := w.filedList(w.cast.User, 3)
		w.allAsk(ids, func(i int) string { return fmt.Sprintf("Question %d?", i) })
		m, block := w.offersAll(w.cast.User, ids[0], 3)
		form := w.answersAll(w.cast.User, m, block, "Question 0?", "Question 1?", "Question 2?", "Send replies")
		assert.Zero(t, tickedIn(form))

		w.ticketDoes(ids[0], map[string]any{"do": "answer", "text": "Forget it."})
		require.Empty(t, w.submit(w.cast.User, form, onlyFirst(form, 3, "Contract 7.")).Error)
		said := w.top(w.cast.User).text(w)
		assert.True(t, hasAll(said, []string{"2 replies are recorded", "Not sent: " + w.fqdn(ids[0]), "wrote into the ticket meanwhile"}), said)
		w.awaitMessage(w.cast.Channel, "Replies to SoftLayer about 2 servers by", "2 sent")
		assert.Empty(t, w.written(ids[0]), "what was not read is not answered")
		assert.Len(t, w.writes(), 2)
	})
}

func TestCorrectedFormForAListSendsNothingMore(t *testing.T) {
	overHTTP(t, replying(), func(t *testing.T, w *world) {
		ids, _ := w.filedList(w.cast.User, 3)
		w.allAsk(ids, same("Which contract?"))
		m, block := w.offersAll(w.cast.User, ids[0], 3)
		form := w.answersAll(w.cast.User, m, block, "Which contract?")
		require.NoError(t, w.slack.Fault("view_submission", fakeslack.FaultLateAnswer, 1))
		assert.NotEmpty(t, w.submit(w.cast.User, form, onlyFirst(form, 2, "Contract 7.")).Error, "the person is told to try again")
		w.awaitMessage(w.cast.Channel, "Replies to SoftLayer about 2 servers by", "2 sent")

		w.sends(w.cast.User, form, onlyFirst(form, 3, "Contract 8."))
		said := w.top(w.cast.User).text(w)
		assert.True(t, hasAll(said, []string{"This earlier version was recorded:", "“Contract 7.”", "Your changes since then were not recorded.", "You wrote:", "Contract 8.", "Not sent: " + w.fqdn(ids[2]) + ": it was not recorded. See its ticket."}), said)
		assert.Len(t, w.writes(), 2, "a form sends nothing twice")
		assert.Empty(t, w.written(ids[2]))
		assert.Equal(t, map[string]int{"sent": 2}, w.texts())
	})
}

func TestLostAnswersOfAListAreSettled(t *testing.T) {
	s := unhurried()
	s.softlayer = fakesoftlayer.Options{Servers: 200}
	overHTTP(t, s, func(t *testing.T, w *world) {
		ids, root := w.filedList(w.cast.User, 5)
		w.allAsk(ids, same("Which contract?"))
		m, block := w.offersAll(w.cast.User, ids[0], 5)
		form := w.answersAll(w.cast.User, m, block, "Which contract?")
		for _, fault := range []string{"drop_after", "drop_before"} {
			require.NoError(t, w.softlayer.Fault(addUpdate, fault, 1))
		}
		require.Empty(t, w.submit(w.cast.User, form, typed("Contract 7.")).Error)
		unclear := w.awaitMessage(w.cast.Channel, "Replies to SoftLayer about 5 servers by", "4 sent", "1 not known yet", "not sent twice")
		assert.Equal(t, root.TS, unclear.ThreadTS)
		told := w.settles("Replies to SoftLayer about 5 servers by", "4 sent", "1 not sent", "You can send a new one")
		assert.Equal(t, unclear.TS, told.TS, "the message changes")
		replied := 0
		for _, id := range ids {
			assert.LessOrEqual(t, len(w.written(id)), 1)
			replied += len(w.written(id))
		}
		assert.Equal(t, 4, replied)
		assert.Len(t, w.writes(), 5, "no text is sent twice")
		assert.Equal(t, map[string]int{"sent": 4, "not_sent": 1}, w.texts())
		w.offersNone(w.cast.User, ids)
	})
}

// offersNone holds that no status offers to answer several tickets, for at most one of them waits.
func (w *world) offersNone(user string, ids []int64) {
	w.t.Helper()
	for _, id := range ids {
		before := len(w.ephemeral(w.cast.Channel, user))
		w.command(user, "status "+w.fqdn(id))
		w.eventually("the status is told", func() bool { return len(w.ephemeral(w.cast.Channel, user)) > before })
		all := w.ephemeral(w.cast.Channel, user)
		assert.NotContains(w.t, all[len(all)-1].Shown, "Answer all")
	}
}

func TestProposalForAListAsksOnce(t *testing.T) {
	overHTTP(t, replying(), func(t *testing.T, w *world) {
		ids, root := w.filedList(w.cast.Requester, 4)
		w.allAsk(ids, same("Which contract?"))
		m, block := w.offersAll(w.cast.Requester, ids[0], 4)
		form := w.answersAll(w.cast.Requester, m, block, "4 of them: an approver has to send your reply")
		require.Empty(t, w.submit(w.cast.Requester, form, onlyFirst(form, 3, "Contract 7, please.")).Error)
		assert.Contains(t, w.top(w.cast.Requester).text(w), "3 replies are proposed")
		asks := w.awaitMessage(w.cast.Approver, "asks you to reply to SoftLayer about servers of a list", "Contract 7, please.")
		told := w.awaitMessage(w.cast.Channel, "Replies to SoftLayer about 3 servers by", "3 proposed")
		assert.Equal(t, root.TS, told.ThreadTS)
		w.eventually("all are proposed", func() bool { return w.texts()["proposed"] == 3 })
		assert.Len(t, w.about(w.cast.Approver, "asks you to reply"), 1, "one message asks for all")
		assert.Empty(t, w.writes(), "nothing is sent yet")

		m, block = asks, blockWith(asks, "Read and reply")
		require.NotEmpty(t, block, asks.Shown)
		form = w.answersAll(w.cast.Approver, m, block, "about 4 servers", "Which contract?")
		assert.Contains(t, form.Raw, "Contract 7, please.", "it can be changed")
		assert.Equal(t, 3, tickedIn(form), "those that were proposed")
		require.Empty(t, w.submit(w.cast.Approver, form, typed("Contract 8.")).Error)
		w.awaitMessage(w.cast.Channel, "Replies to SoftLayer about 3 servers by", "3 sent")
		assert.Len(t, w.writes(), 3)
		assert.Equal(t, map[string]int{"proposed": 3, "sent": 3}, w.texts())
		assert.Empty(t, w.broken())
	})
}

func TestRepliesToAListAreDecidedAgain(t *testing.T) {
	overHTTP(t, replying(), func(t *testing.T, w *world) {
		ids, _ := w.filedList(w.cast.User, 2)
		w.allAsk(ids, same("Which contract?"))
		m, block := w.offersAll(w.cast.User, ids[0], 2)
		form := w.answersAll(w.cast.User, m, block, "Which contract?")
		w.changesPolicy(fmt.Sprintf(`
			@id("ask") permit (principal in Group::%q, action == Action::"request", resource);
			@id("leads") permit (principal in Group::%q, action == Action::"approve", resource);`, w.cast.RequestGroup, w.cast.ApproveGroup))
		require.Empty(t, w.submit(w.cast.User, form, typed("Contract 7.")).Error)
		said := w.top(w.cast.User).text(w)
		for _, id := range ids {
			assert.Contains(t, said, "Not sent: "+w.fqdn(id)+": by now you may only propose a reply.")
		}
		assert.Empty(t, w.texts())
		w.close(w.cast.User)

		_, err := w.slack.Act(t.Context(), fakeslack.Action{User: w.cast.Outsider, Message: &fakeslack.MessageRef{Channel: m.Channel, TS: m.TS}, BlockID: block, ActionID: "reply_batch"})
		require.Error(t, err, "nobody else sees the button")
		w.control(http.MethodPost, "/key", map[string]any{"revoke": []string{"TICKET_EDIT"}}, nil)
		w.stop()
		w.start()
		w.offersNone(w.cast.User, ids)
		assert.Empty(t, w.writes())
	})
}
