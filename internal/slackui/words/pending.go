package words

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
)

// pending is the card that approvers answer: "Approve a cancellation?" where they are
// asked, and the request's state where it was asked for. Times are moments, which only
// mrkdwn can show in the reader's own zone; no foreign text is in that block.
func (w Writer) pending(kind cancellation.NoticeKind, r cancellation.Request) Message {
	lines := waitingFor(r)
	if kind == cancellation.ApprovalCard || kind.Recipient() != "" && kind.Recipient() != r.Submission.By.ID {
		lines = append([]line{head("Approve a cancellation?"), append(line{bold(ServerName(r)), plain(" · ")}, identity(r)...)}, request(r)...)
	}
	switch {
	case r.Why.Code == cancellation.WhyTooFew: // it comes from having been accepted: its requester has a message of that already
		lines = append(lines, sentence("The request waits again: some approvals no longer count, or more are needed."))
	case kind.Recipient() == r.Submission.By.ID:
		lines = append(lines, sentence("Nobody who may approve could be shown this request yet. The bot keeps trying. To help, invite the bot to the channel where you asked."))
	}
	return Message{
		Text: fitting(pendingText(r)),
		Blocks: []slack.Block{
			block("", lines...),
			markdown("", approveBy(r, moment)),
			block("", foot(r)),
		},
	}
}

// pendingText is the whole card in one line.
func pendingText(r cancellation.Request) string {
	cost := ""
	if _, amount := monthly(r.Submission.Card.Server); amount != "" {
		cost = ", " + amount
	}
	asked := "Approval wanted: cancel " + escaped(ServerName(r)+cost) + ", asked by " + escaped(public(whose(r.Submission.By))) + "."
	lines := append(goneLine(r.Submission.Card.End()), sentence(approveBy(r, instant)), foot(r))
	return asked + " " + unfiled(r) + " " + flat(lines...)
}

// waitingForApproval is the card for where nothing can be pressed.
func waitingForApproval(r cancellation.Request) []line {
	return append(waitingFor(r), sentence(approveBy(r, instant)), foot(r))
}

func waitingFor(r cancellation.Request) []line {
	return append([]line{head("⏳ Waiting for approval: " + ServerName(r)), identity(r)}, request(r)...)
}

// identity distinguishes the server from others of its name.
func identity(r cancellation.Request) line {
	server := r.Submission.Card.Server
	return sentence(strings.Join(append([]string{"id " + strconv.FormatInt(server.ID, 10)}, present(public(server.Datacenter))...), " · "))
}

// request says what is asked for, by whom and why.
func request(r cancellation.Request) []line {
	s := r.Submission
	server := s.Card.Server
	lines := []line{
		{person(s.By.ID, s.By.Name), plain(" asks: "), bold(displayed(s.Reason))},
		sentence("“" + Cut(public(s.Content), 500) + "”"),
		stopsCosting(s.Card),
	}
	if b := server.Billing; s.Associated && b != nil && len(b.Associated) > 0 {
		lines = append(lines, sentence("Its associated items go too: "+itemsWords(b.Associated)+"."))
	}
	if lines = append(lines, staysSum(s.Card.Stays)...); s.Card.Stays == nil {
		lines = append(lines, sentence("What stays billed was not read before this was asked."))
	}
	for _, warning := range warnings(s.Card) {
		lines = append(lines, sentence("⚠ "+public(warningWords(server, warning))))
	}
	return append(lines, sentence(unfiled(r)+approvedSoFar(r.Approvals)))
}

func stopsCosting(c cancellation.Card) line {
	cost, amount := monthly(c.Server)
	if amount != "" {
		cost = "Stops costing " + amount
	}
	if on := goneOn(c.End()); on != nil {
		return append(line{plain(cost + " · due to end on ")}, on...)
	}
	return sentence(cost)
}

// unfiled is what is known of a ticket of a request that was not filed: less where its
// database may be an older copy, which knows nothing of a POST made since.
func unfiled(r cancellation.Request) string {
	switch {
	case r.Recheck != cancellation.NoRecheck:
		return "No ticket is known for this request. SoftLayer's records are read before anything is sent."
	case r.State == cancellation.Pending:
		return "Nothing is filed."
	}
	return "Nothing is filed yet."
}

func approvedSoFar(all []cancellation.Approval) string {
	if len(all) == 0 {
		return ""
	}
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = public(whose(a.By))
	}
	return " Approved so far by " + strings.Join(names, ", ") + "."
}

// approveBy says until when, and how many have answered; it holds nothing foreign.
func approveBy(r cancellation.Request, at func(time.Time) string) string {
	by, dear := r.AnswerBy()
	text := "Answer by " + at(by)
	if dear {
		text += ", or the server costs one more month"
		if s := r.Submission.Card.Server; !s.Hourly && s.Billing != nil && isAmount(s.Billing.MonthlyTotal) {
			text += ": " + money(s.Billing.MonthlyTotal)
		}
	}
	return fmt.Sprintf("%s · Approvals %d of %d", text, len(r.Approvals), max(r.Decision.Approvals, 1))
}

// Reminder asks approvers once more. It is not edited later.
func (w Writer) Reminder(r cancellation.Request) Message {
	top := append([]line{head("⏰ Still waiting for approval: " + ServerName(r))}, goneLine(r.Submission.Card.End())...)
	return Message{
		Text: fitting(flat(append(top, sentence(approveBy(r, instant)), foot(r))...)),
		Blocks: []slack.Block{
			block("", top...),
			markdown("", approveBy(r, moment)),
			block("", foot(r)),
		},
	}
}

// isAmount reports whether a text of SoftLayer's is nothing but an amount, which mrkdwn
// may hold.
func isAmount(text string) bool {
	return text != "" && len(text) < 20 && strings.Trim(text, "0123456789.") == ""
}
