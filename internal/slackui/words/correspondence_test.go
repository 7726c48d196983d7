package words

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/slackui/slacktest"
)

// penned is a writer whose key may write into tickets, at a time.
func penned(now time.Time) Writer {
	w := testWords()
	w.MayWrite, w.Now = func() bool { return true }, func() time.Time { return now }
	return w
}

// texted is a text of Ana's for a ticket.
func texted(kind correspondence.Kind, state correspondence.State, why correspondence.Why) correspondence.Update {
	u := correspondence.Update{Kind: kind, State: state, Why: why, By: cancellation.Person{Team: "T1", ID: "U7", Name: "Ana"}, Text: "Contract 7.\nThank you.", CreatedAt: slacktest.Noon, ChangedAt: slacktest.Noon}
	u.SendBy = slacktest.Noon.Add(15 * time.Minute)
	return u
}

// goldenLetters is what the thread of a request is told about texts for its ticket, and the request's
// own messages with the buttons that ask for one.
func goldenLetters() map[string]Message {
	r := slacktest.Request(cancellation.Filed)
	asked := slacktest.Request(cancellation.Filed, stopAsked)
	w := penned(slacktest.Noon)
	reply, stop := correspondence.Reply, correspondence.Stop
	return map[string]Message{
		"filed":           w.Live(cancellation.Result, r),
		"filed-late":      penned(slacktest.Noon.AddDate(0, 2, 0)).Live(cancellation.Result, r),
		"filed-asked":     w.Live(cancellation.Result, asked),
		"stopped":         w.Live(cancellation.Result, slacktest.Request(cancellation.Reverted, today, stopAsked)),
		"stands":          w.Said(cancellation.Line{What: cancellation.LineStands, Now: "2026-12-01T00:00:00-06:00"}, asked),
		"staff":           w.Said(cancellation.Line{What: cancellation.LineStaff, Update: 17}, r),
		"reply-waits":     w.Written(texted(reply, correspondence.Recorded, correspondence.WhyWaiting), r),
		"reply-unknown":   w.Written(texted(reply, correspondence.Unknown, correspondence.WhyLost), r),
		"reply-sent":      w.Written(texted(reply, correspondence.Sent, ""), r),
		"reply-proposed":  w.Written(texted(reply, correspondence.Proposed, ""), r),
		"reply-absent":    w.Written(texted(reply, correspondence.NotSent, correspondence.WhyAbsent), r),
		"reply-late":      w.Written(texted(reply, correspondence.NotSent, correspondence.WhyLate), r),
		"reply-closed":    w.Written(texted(reply, correspondence.NotSent, correspondence.WhyClosed), r),
		"reply-nobody":    w.Written(texted(reply, correspondence.NotSent, correspondence.WhyNobody), r),
		"reply-refused":   w.Written(texted(reply, correspondence.Refused, correspondence.WhyNoRight), r),
		"reply-ended":     w.Written(texted(reply, correspondence.NotSent, correspondence.WhyEnded), slacktest.Request(cancellation.Reverted, today)),
		"stop-unknown":    w.Written(texted(stop, correspondence.Unknown, correspondence.WhyLost), r),
		"stop-sent":       w.Written(texted(stop, correspondence.Sent, ""), r),
		"stop-absent":     w.Written(texted(stop, correspondence.NotSent, correspondence.WhyAbsent), r),
		"proposal-direct": w.Proposal(texted(reply, correspondence.Proposed, ""), r),
	}
}

func stopAsked(r *cancellation.Request) { r.StopAsked = slacktest.Noon }

// goldenLetterForms is the forms for texts, and what stands in their place.
func goldenLetterForms() map[string]View {
	r := slacktest.Request(cancellation.Filed)
	w := penned(slacktest.Noon)
	answer := &cancellation.TicketEntry{TicketUpdate: cancellation.TicketUpdate{ID: 17, ByStaff: true}, At: slacktest.Noon, Text: "Which contract?\nCall 555-0100."}
	reply := Letter{Kind: correspondence.Reply, Leave: correspondence.Send}
	read := reply
	read.Answer, read.Seen = answer, 17
	news := read
	news.News, news.Text = true, "Contract 7."
	filled := read
	filled.Text, filled.Note = "Contract 7.", ProposedBy(texted(correspondence.Reply, correspondence.Proposed, ""))
	propose := read
	propose.Leave = correspondence.Propose
	other, sending := news, news
	sent := texted(correspondence.Reply, correspondence.Sent, "")
	onItsWay := texted(correspondence.Reply, correspondence.Recorded, "")
	other.News, other.Other = false, &sent
	sending.News, sending.Other = false, &onItsWay
	return map[string]View{
		"form-reply":      w.LetterForm(r, reply),
		"form-read":       w.LetterForm(r, read),
		"form-news":       w.LetterForm(r, news),
		"form-replied":    w.LetterForm(r, other),
		"form-replying":   w.LetterForm(r, sending),
		"form-filled":     w.LetterForm(r, filled),
		"form-propose":    w.LetterForm(r, propose),
		"form-stop":       w.LetterForm(r, Letter{Kind: correspondence.Stop, Leave: correspondence.Send}),
		"form-stop-late":  w.LetterForm(r, Letter{Kind: correspondence.Stop, Leave: correspondence.Send, Late: true}),
		"taken-reply":     LetterTaken(reply),
		"taken-propose":   LetterTaken(propose),
		"taken-stop":      LetterTaken(Letter{Kind: correspondence.Stop}),
		"closed":          w.LetterImpossible(r, TicketIsClosed),
		"hidden":          w.LetterImpossible(r, TicketIsHidden),
		"barred":          w.LetterBarred(authz.Decision{Rule: authz.RuleDefaultDeny, Act: authz.ToApprove}),
		"barred-in-part":  w.LetterBarred(authz.Decision{Effect: authz.Allowed}),
		"shut":            w.LetterShut(slacktest.Request(cancellation.Reverted, today)),
		"no-right":        w.LetterShut(r),
		"asked-already":   w.StopAskedAlready(texted(correspondence.Stop, correspondence.Sent, ""), r),
		"asking-already":  w.StopAskedAlready(texted(correspondence.Stop, correspondence.Recorded, correspondence.WhyWaiting), r),
		"asked-unknown":   w.StopAskedAlready(texted(correspondence.Stop, correspondence.Unknown, correspondence.WhyLost), r),
		"recorded-before": RecordedBefore(texted(correspondence.Reply, correspondence.Sent, ""), "Contract 8."),
	}
}

func TestSlackTakesEveryTextAboutATicket(t *testing.T) {
	t.Parallel()
	slackTakes(t, goldenLetters(), goldenLetterForms())
}

// slackTakes has a strict Slack judge messages and forms.
func slackTakes(t *testing.T, messages map[string]Message, forms map[string]View) {
	t.Helper()
	judge := slacktest.NewJudge(t)
	for name, m := range messages {
		require.NoError(t, judge.Post(m.Text, m.Blocks), "Slack takes %s", name)
	}
	for name, view := range forms {
		_, err := judge.Open(view)
		require.NoError(t, err, "Slack takes %s", name)
	}
}

func TestForeignTextIsInertInTextsForTickets(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	for _, evil := range slacktest.Hostile() {
		r := slacktest.Request(cancellation.Filed)
		r.Submission.Card.Server.FQDN, r.Ticket.Number = evil, evil
		u := texted(correspondence.Reply, correspondence.Proposed, "")
		u.Text, u.By.Name = evil, evil
		w := penned(slacktest.Noon)
		for _, m := range []Message{w.Proposal(u, r), w.Written(u, r)} {
			require.NoError(t, judge.Post(m.Text, m.Blocks), "%.20q", evil)
			blocks, err := json.Marshal(m.Blocks)
			require.NoError(t, err)
			slacktest.AssertInert(t, blocks)
			for _, active := range []string{"<!", "<@U123", "://evil"} {
				assert.NotContains(t, m.Text, active)
			}
		}
		form := w.LetterForm(r, Letter{
			Kind: correspondence.Reply, Leave: correspondence.Send, Text: Cut(evil, correspondence.MaxText),
			Answer: &cancellation.TicketEntry{Text: evil}, Other: &u,
		})
		for _, view := range []View{form, RecordedBefore(u, evil), w.StopAskedAlready(u, r)} {
			_, err := judge.Open(view)
			require.NoError(t, err, "%.20q", evil)
			blocks, err := json.Marshal(view.Blocks)
			require.NoError(t, err)
			slacktest.AssertInert(t, blocks)
		}
	}
}

func TestNoButtonWritesWithoutTheRight(t *testing.T) {
	t.Parallel()
	filed := slacktest.Request(cancellation.Filed)
	w := penned(slacktest.Noon)
	assert.Len(t, w.TicketButtons(filed, ReplyAction, StopAction), 2)
	assert.Len(t, w.TicketButtons(filed, StopAction), 1)
	assert.Empty(t, testWords().TicketButtons(filed, ReplyAction, StopAction), "nobody knows whether the key may")
	w.MayWrite = func() bool { return false }
	assert.Empty(t, w.TicketButtons(filed, ReplyAction, StopAction))
	for _, state := range cancellation.States() {
		if state != cancellation.Filed {
			assert.Empty(t, penned(slacktest.Noon).TicketButtons(slacktest.Request(state), ReplyAction, StopAction), state)
		}
	}
}
