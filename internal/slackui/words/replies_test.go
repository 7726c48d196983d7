package words

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/slackui/slacktest"
)

// askedAbout are so many rows of a filed batch, to each of which SoftLayer's staff wrote something.
func askedAbout(count int, wrote func(i int) string) (rows []correspondence.RowRead) {
	states := make([]cancellation.State, count)
	for i := range states {
		states[i] = cancellation.Filed
	}
	_, all := aBatch(states...)
	for i, r := range all {
		r.Ticket = cancellation.TicketID{ID: 700 + int64(i)}
		rows = append(rows, correspondence.RowRead{
			Prospect: correspondence.Prospect{Request: r, Leave: correspondence.Send},
			Ticket:   correspondence.Ticket{Open: true, Entries: []cancellation.TicketEntry{staffWrote(9_000+int64(i), slacktest.Noon, wrote(i))}},
		})
	}
	return rows
}

func sameQuestion(int) string { return "Which contract?\nCall 555-0100." }

// goldenReplyForms is the form for one reply to several tickets, and what stands in its place.
func goldenReplyForms() map[string]View {
	w := penned(slacktest.Noon)
	differ := askedAbout(4, func(i int) string { return fmt.Sprintf("Question %d?", i/2) })
	differ[1].Leave = correspondence.Propose
	differ[3].Ticket.Open = false
	proposed := askedAbout(3, sameQuestion)
	for i := range 2 {
		proposed[i].Proposal = texted(correspondence.Reply, correspondence.Proposed, "")
	}
	asks := askedAbout(2, sameQuestion)
	for i := range asks {
		asks[i].Leave = correspondence.Propose
	}
	shut := askedAbout(1, sameQuestion)
	shut[0].Err = cancellation.ErrTicketHidden
	return map[string]View{
		"replies-reading":  BatchReplyReading(7),
		"replies":          w.BatchReplyForm(BatchLetter{Batch: "b1", Rows: askedAbout(12, sameQuestion)}),
		"replies-differ":   w.BatchReplyForm(BatchLetter{Batch: "b1", Rows: differ, UnderWay: 2, Refused: 1}),
		"replies-proposed": w.BatchReplyForm(BatchLetter{Batch: "b1", Rows: proposed}),
		"replies-propose":  w.BatchReplyForm(BatchLetter{Batch: "b1", Rows: asks}),
		"replies-several":  w.BatchReplyForm(BatchLetter{Batch: "b1", Rows: proposedApart()}),
		"replies-none":     w.BatchReplyForm(BatchLetter{Batch: "b1", Rows: shut}),
		"replied":          w.BatchReplied(answered(correspondence.Taken, correspondence.Taken), "Contract 8."),
		"replied-in-part": w.BatchReplied(answered(correspondence.Taken, correspondence.Barred, correspondence.Shut, correspondence.ClosedTicket,
			correspondence.Hidden, correspondence.News, correspondence.Replied), "Contract 8.\nThank you."),
		"replied-not": w.BatchReplied(answered(correspondence.News), "Contract 8."),
		"replied-before": w.BatchReplied(correspondence.BatchAnswer{
			Rows: answered(correspondence.Taken, correspondence.Earlier).Rows, Earlier: "Contract 7.",
		}, "Contract 8."),
	}
}

// proposedApart are rows with the same question, to which different replies were proposed.
func proposedApart() []correspondence.RowRead {
	rows := askedAbout(2, sameQuestion)
	for i := range rows {
		rows[i].Proposal = texted(correspondence.Reply, correspondence.Proposed, "")
		rows[i].Proposal.Text = fmt.Sprintf("Contract %d.", i)
	}
	return rows
}

// answered is what became of a form with several servers.
func answered(outcomes ...correspondence.Outcome) (a correspondence.BatchAnswer) {
	for i, row := range askedAbout(len(outcomes), sameQuestion) {
		one := correspondence.Answer{Outcome: outcomes[i], Prospect: row.Prospect}
		switch one.Outcome {
		case correspondence.Barred:
			one.Decision = authz.Decision{Rule: authz.RuleDefaultDeny, Act: authz.ToApprove}
		case correspondence.Shut:
			one.Request.State = cancellation.Reverted
		case correspondence.Replied:
			one.Standing = texted(correspondence.Reply, correspondence.Sent, "")
		}
		a.Rows = append(a.Rows, one)
	}
	return a
}

// goldenReplies is what a batch's thread, and those who may approve, are told of the replies of one form.
func goldenReplies() map[string]Message {
	w := penned(slacktest.Noon)
	states := []correspondence.State{correspondence.Sent, correspondence.Sent, correspondence.Recorded, correspondence.Unknown, correspondence.NotSent}
	form, rows := repliesIn(states)
	form[4].Why = correspondence.WhyAbsent
	proposals, asked := repliesIn([]correspondence.State{correspondence.Proposed, correspondence.Proposed})
	sent, all := repliesIn([]correspondence.State{correspondence.Sent, correspondence.Sent})
	return map[string]Message{
		"replies-told":     w.WrittenAll(form, rows),
		"replies-asked":    w.WrittenAll(proposals, asked),
		"replies-sent":     w.WrittenAll(sent, all),
		"replies-proposal": w.ProposalForAll(proposals, asked),
		"replies-barred":   w.BatchNotAnswered(correspondence.BatchProspect{Refused: 2, Decision: authz.Decision{Rule: authz.RuleDefaultDeny, Act: authz.ToApprove}}),
		"replies-no-right": w.BatchNotAnswered(correspondence.BatchProspect{Closed: true}),
		"replies-over":     w.BatchNotAnswered(correspondence.BatchProspect{}),
		"replies-under":    w.BatchNotAnswered(correspondence.BatchProspect{UnderWay: 1}),
	}
}

// repliesIn are the replies of one form, in these states, with their requests.
func repliesIn(states []correspondence.State) (form []correspondence.Update, rows []cancellation.Request) {
	for i, row := range askedAbout(len(states), sameQuestion) {
		u := texted(correspondence.Reply, states[i], "")
		u.RequestID = row.Request.ID
		form, rows = append(form, u), append(rows, row.Request)
	}
	return form, rows
}

func TestFormForFiftyTicketsFitsSlack(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	w := penned(slacktest.Noon)
	long := func(i int) string { return fmt.Sprint(i) + strings.Repeat(" long", 900) }
	for name, wrote := range map[string]func(int) string{"alike": sameQuestion, "long": func(int) string { return long(0) }, "all differ": long} {
		rows := askedAbout(50, wrote)
		for i := range rows {
			rows[i].Replied, rows[i].Request.Submission.Card.Server.FQDN = 1<<40, strings.Repeat("x", 200)+fmt.Sprint(i)
		}
		l := BatchLetter{Batch: strings.Repeat("b", 64), Rows: rows, UnderWay: 1, Refused: 1}
		view := w.BatchReplyForm(l)
		_, err := judge.Open(view)
		require.NoError(t, err, "Slack takes the form of texts that are %s", name)
		batch, shown, ok := BatchLetterOf(view.PrivateMetadata)
		require.True(t, ok)
		assert.Equal(t, l.Batch, batch)
		most := 50
		if name == "all differ" {
			most = mostSaid
			assert.Contains(t, textOf(t, view), "20 more do not fit")
		}
		require.Len(t, shown, most)
		assert.Equal(t, correspondence.ShownRow{Row: 3, Leave: correspondence.Send, Last: 9_003, Replied: 1 << 40}, shown[3])
	}
}

func textOf(t *testing.T, view View) string {
	t.Helper()
	raw, err := json.Marshal(view.Blocks)
	require.NoError(t, err)
	return slacktest.TextOf(raw)
}

func TestFormCarriesWhatItShowed(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"", "b1", "b1@", "@0:2:3:4", "b1@0:2:3", "b1@0:0:3:4", "b1@0:9:3:4", "b1@a:2:3:4"} {
		_, _, ok := BatchLetterOf(wrong)
		assert.False(t, ok, wrong)
	}
}

func TestSlackTakesEveryTextAboutAList(t *testing.T) {
	t.Parallel()
	slackTakes(t, goldenReplies(), goldenReplyForms())
}

func TestForeignTextIsInertInRepliesToLists(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	w := penned(slacktest.Noon)
	for _, evil := range slacktest.Hostile() {
		rows := askedAbout(2, func(i int) string { return evil + strings.Repeat(" ", i) })
		form, requests := repliesIn([]correspondence.State{correspondence.NotSent, correspondence.Proposed})
		for i := range rows {
			u := texted(correspondence.Reply, correspondence.Proposed, "")
			u.Text, u.By.Name = Cut(evil, correspondence.MaxText), evil
			rows[i].Proposal = u
			rows[i].Request.Submission.Card.Server.FQDN, rows[i].Request.Ticket.Number = evil, evil
			requests[i].Submission.Card.Server.FQDN = evil
			form[i].Text, form[i].By.Name = evil, evil
		}
		for _, m := range []Message{w.WrittenAll(form, requests), w.ProposalForAll(form, requests)} {
			require.NoError(t, judge.Post(m.Text, m.Blocks), "%.20q", evil)
			blocks, err := json.Marshal(m.Blocks)
			require.NoError(t, err)
			slacktest.AssertInert(t, blocks)
			for _, active := range []string{"<!", "<@U123", "://evil"} {
				assert.NotContains(t, m.Text, active)
			}
		}
		a := answered(correspondence.Replied, correspondence.Hidden)
		a.Earlier = evil
		for i := range a.Rows {
			a.Rows[i].Standing.By.Name, a.Rows[i].Request.Submission.Card.Server.FQDN = evil, evil
		}
		for _, view := range []View{w.BatchReplyForm(BatchLetter{Batch: "b1", Rows: rows}), w.BatchReplied(a, evil)} {
			_, err := judge.Open(view)
			require.NoError(t, err, "%.20q", evil)
			blocks, err := json.Marshal(view.Blocks)
			require.NoError(t, err)
			slacktest.AssertInert(t, blocks)
		}
	}
}

func TestAnswerAllNeedsTheRightAndSeveral(t *testing.T) {
	t.Parallel()
	w := penned(slacktest.Noon)
	assert.Len(t, w.AnswerAll("b1", 7), 1)
	assert.Empty(t, w.AnswerAll("b1", 1))
	w.MayWrite = func() bool { return false }
	assert.Empty(t, w.AnswerAll("b1", 7))
	assert.Empty(t, testWords().AnswerAll("b1", 7), "nobody knows whether the key may")
}

func TestReplyIsNeverChosenUnread(t *testing.T) {
	t.Parallel()
	w := penned(slacktest.Noon)
	form := func(rows []correspondence.RowRead) string {
		raw, err := json.Marshal(w.BatchReplyForm(BatchLetter{Batch: "b1", Rows: rows}))
		require.NoError(t, err)
		return string(raw)
	}
	assert.Contains(t, form(askedAbout(3, sameQuestion)), "initial_options")
	assert.NotContains(t, form(askedAbout(3, func(i int) string { return fmt.Sprint(i) })), "initial_options", "texts that differ are ticked by hand")
	unread := askedAbout(3, sameQuestion)
	unread[1].Err = cancellation.ErrReadRefused
	_, shown, ok := BatchLetterOf(w.BatchReplyForm(BatchLetter{Batch: "b1", Rows: unread}).PrivateMetadata)
	require.True(t, ok)
	assert.Len(t, shown, 2, "a ticket that was not read is not offered")
	assert.NotContains(t, form(askedAbout(2, func(int) string { return strings.Repeat("long ", 600) })), "initial_options", "nor is what the form cuts short")
	hidden := askedAbout(2, sameQuestion)
	for i := range hidden {
		hidden[i].Ticket.Entries[0].ByStaff = false
	}
	assert.NotContains(t, form(hidden), "initial_options", "nor what the key does not see")
	later := askedAbout(2, sameQuestion)
	later[1].Ticket.Entries[0].At = slacktest.Noon.Add(time.Hour)
	assert.Contains(t, form(later), "initial_options", "when it was written does not count")
}

func TestFormShowsAllThatStaffWroteLast(t *testing.T) {
	t.Parallel()
	w := penned(slacktest.Noon)
	earlier := func(id int64, byStaff bool, text string) cancellation.TicketEntry {
		by := cancellation.TicketUpdate{ID: id, ByStaff: byStaff, ByOther: !byStaff}
		return cancellation.TicketEntry{TicketUpdate: by, At: slacktest.Noon.Add(-time.Hour), Text: text}
	}
	with := func(before, after func(i int) []cancellation.TicketEntry) View {
		rows := askedAbout(2, func(int) string { return "Please answer within 3 days." })
		for i := range rows {
			rows[i].Ticket.Entries = slices.Concat(before(i), rows[i].Ticket.Entries, after(i))
		}
		return w.BatchReplyForm(BatchLetter{Batch: "b1", Rows: rows})
	}
	none := func(int) []cancellation.TicketEntry { return nil }
	ticked := func(view View) bool {
		raw, err := json.Marshal(view)
		require.NoError(t, err)
		return strings.Contains(string(raw), "initial_options")
	}

	differ := with(func(i int) []cancellation.TicketEntry {
		return []cancellation.TicketEntry{earlier(1, true, fmt.Sprintf("Shall we wipe disk %d, too?", i))}
	}, none)
	assert.False(t, ticked(differ), "a question of its own is in each ticket")
	assert.Contains(t, textOf(t, differ), "Shall we wipe disk 0, too?")
	assert.Contains(t, textOf(t, differ), "Shall we wipe disk 1, too?")

	alike := with(func(i int) []cancellation.TicketEntry {
		return []cancellation.TicketEntry{earlier(1, true, fmt.Sprint("Old ", i)), earlier(2, false, "Ours"), earlier(3, true, "Which contract?")}
	}, none)
	assert.True(t, ticked(alike), "what was answered does not count")
	assert.Contains(t, textOf(t, alike), "Which contract?")
	assert.NotContains(t, textOf(t, alike), "Old")

	long := with(func(i int) []cancellation.TicketEntry {
		return []cancellation.TicketEntry{earlier(1, true, fmt.Sprint(i)+strings.Repeat(" long", 900))}
	}, none)
	assert.False(t, ticked(long), "the form does not show all of it")
	assert.Contains(t, textOf(t, long), "There is more in")

	after := with(none, func(i int) []cancellation.TicketEntry {
		return []cancellation.TicketEntry{earlier(9_500, false, fmt.Sprintf("Disk %d, please.", i))}
	})
	assert.False(t, ticked(after), "somebody wrote after it")
	assert.Contains(t, textOf(t, after), "There is more in")
}

func TestProposalForAListNamesNoServers(t *testing.T) {
	t.Parallel()
	form, rows := repliesIn(slices.Repeat([]correspondence.State{correspondence.Proposed}, 7))
	raw, err := json.Marshal(penned(slacktest.Noon).ProposalForAll(form, rows))
	require.NoError(t, err)
	for _, r := range rows {
		assert.NotContains(t, string(raw), ServerName(r), "its reader may not approve on it")
	}
	assert.NotContains(t, string(raw), "7 servers")
	assert.NotContains(t, string(raw), "all 7")
	assert.Contains(t, string(raw), ActionReplyBatch)
}

func TestProposalsThatDifferAreSaidAndUnticked(t *testing.T) {
	t.Parallel()
	view := penned(slacktest.Noon).BatchReplyForm(BatchLetter{Batch: "b1", Rows: proposedApart()})
	raw, err := json.Marshal(view)
	require.NoError(t, err)
	assert.NotContains(t, string(raw), "initial_options", "whose reply it would be is not known")
	assert.NotContains(t, string(raw), "initial_value")
	assert.Equal(t, "Send replies", view.Submit.Text)
	assert.Contains(t, textOf(t, view), "Different replies were proposed for these tickets.")
}

func TestTextThatWasNotSentCanBeCopied(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	w := penned(slacktest.Noon)
	news := answered(correspondence.Taken, correspondence.News)
	long := strings.Repeat("😀", correspondence.MaxText/2)
	for name, typed := range map[string]string{"several lines": "Contract 7.\nCall *us*.", "the longest": long} {
		view := w.BatchReplied(news, typed)
		_, err := judge.Open(view)
		require.NoError(t, err, name)
		assert.Contains(t, textOf(t, view), typed, "somebody wrote meanwhile: %s", name)
	}
	changed := answered(correspondence.Taken, correspondence.Taken)
	changed.Earlier = "Contract 7."
	for name, view := range map[string]View{
		"several tickets": w.BatchReplied(changed, "Contract 8."),
		"one ticket":      RecordedBefore(texted(correspondence.Reply, correspondence.Sent, ""), "Contract 8."),
		"the longest":     RecordedBefore(texted(correspondence.Reply, correspondence.Sent, ""), long),
	} {
		_, err := judge.Open(view)
		require.NoError(t, err, name)
		assert.Regexp(t, `(?s)This earlier version was recorded:\n“Contract 7\..*”\nYour changes since then were not recorded\..*You wrote:(Contract 8\.|😀)`, textOf(t, view), name)
	}
	changed.Earlier = long
	assert.Regexp(t, "An earlier version was recorded. It begins:\n“(😀)+…”\n", textOf(t, w.BatchReplied(changed, "Contract 8.")), "more than is quoted")
	assert.NotContains(t, textOf(t, w.BatchReplied(news, " \u202e\n")), "You wrote")
	assert.NotContains(t, textOf(t, w.BatchReplied(answered(correspondence.Taken), long)), "You wrote", "all of it is on the way")
}

func TestRepeatedFormClaimsNothingOfRefusedRows(t *testing.T) {
	t.Parallel()
	said := textOf(t, penned(slacktest.Noon).BatchReplied(answered(correspondence.Taken, correspondence.Earlier), "Contract 7."))
	assert.Contains(t, said, "it was not recorded. See its ticket.")
	assert.NotContains(t, said, "not in the form", "it may have been, and was refused")
}

func TestReplyFormCountsNoRepliesInItsButton(t *testing.T) {
	t.Parallel()
	w := penned(slacktest.Noon)
	for _, count := range []int{1, 7} {
		view := w.BatchReplyForm(BatchLetter{Batch: "b1", Rows: askedAbout(count, sameQuestion)})
		assert.Equal(t, "Send replies", view.Submit.Text, "a label cannot follow what is ticked")
	}
	assert.Contains(t, textOf(t, BatchReplyReading(1)), "Reading 1 ticket at SoftLayer…")
}
