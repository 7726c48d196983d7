package words

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"cancel-server/internal/authz"
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
	asked := w.mayApprove(r.Decision.Asked)
	lines = append(lines, asked...)
	switch {
	case r.Why.Code == cancellation.WhyTooFew: // it comes from having been accepted: its requester has a message of that already
		lines = append(lines, sentence("The request waits again: some approvals no longer count, or more are needed."))
	case kind.Recipient() == r.Submission.By.ID:
		lines = append(lines, sentence("Nobody who may approve could be shown this request yet. The bot keeps trying. To help, invite the bot to the channel where you asked."))
	}
	return Message{
		Text: fitting(pendingText(r, asked)),
		Blocks: []slack.Block{
			block("", lines...),
			markdown("", approveBy(r, moment)),
			block("", foot(r)),
		},
	}
}

// pendingText is the whole card in one line. asked says who may approve.
func pendingText(r cancellation.Request, asked []line) string {
	cost := ""
	if _, amount := monthly(r.Submission.Card.Server); amount != "" {
		cost = ", " + amount
	}
	wanted := "Approval wanted: cancel " + escaped(ServerName(r)+cost) + ", asked by " + escaped(public(whose(r.Submission.By))) + "."
	lines := append(goneLine(r.Submission.Card.End()), asked...)
	lines = append(lines, sentence(approveBy(r, instant)), foot(r))
	return wanted + " " + unfiled(r) + " " + flat(lines...)
}

// waitingForApproval is the card for where nothing can be pressed. It notifies nobody.
func (w Writer) waitingForApproval(r cancellation.Request) []line {
	lines := append(waitingFor(r), w.mayApprove(Unpinged(r).Decision.Asked)...)
	return append(lines, sentence(approveBy(r, instant)), foot(r))
}

// Unpinged returns a request whose messages name the groups that may approve it and notify none of them.
func Unpinged(r cancellation.Request) cancellation.Request {
	r.Decision.Asked = slices.Clone(r.Decision.Asked)
	for i := range r.Decision.Asked {
		r.Decision.Asked[i].Ping = false
	}
	return r
}

// maxAsked is how many groups a card names.
const maxAsked = 5

// mayApprove names the groups whose members may approve. Slack notifies the members of a group that is
// mentioned, by <!subteam^ID> or in rich text, and nobody of a handle in plain text:
// https://docs.slack.dev/messaging/formatting-message-text#mentioning-groups
func (w Writer) mayApprove(asked []authz.AskedGroup) []line {
	if len(asked) == 0 {
		return nil
	}
	named := line{plain("Who may approve: ")}
	for i, group := range asked[:min(len(asked), maxAsked)] {
		if i > 0 {
			named = append(named, plain(", "))
		}
		if group.Ping {
			named = append(named, run{group: group.ID})
		} else {
			named = append(named, plain(w.groupName(group.ID)))
		}
	}
	if more := len(asked) - maxAsked; more > 0 {
		named = append(named, plain(fmt.Sprintf(", and %d more groups", more)))
	}
	return []line{append(named, plain("."))}
}

// groupName is a user group as people know it, or its id.
func (w Writer) groupName(id string) string {
	if w.GroupName != nil {
		if handle := w.GroupName(id); handle != "" {
			return "@" + displayed(handle)
		}
	}
	return "user group " + id
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

// BatchReminder asks approvers once more for the servers of a batch that wait. It is not edited later.
func (w Writer) BatchReminder(rows []cancellation.Request) Message {
	waiting := inStates(rows, cancellation.Pending)
	top := []line{head("⏰ Still waiting for approval: " + servers(len(waiting)))}
	if len(waiting) == 0 { // they were answered meanwhile
		return message(top...)
	}
	if ends := endsOf(waiting); ends != "" {
		top = append(top, sentence(ends))
	}
	by, _ := earliestAnswer(waiting)
	return answeredBy(by, append(top, sentence(serverNames(waiting, maxNames)), foot(waiting[0]))...)
}

// answeredBy is a message that says at its end until when to answer.
func answeredBy(by time.Time, lines ...line) Message {
	m := message(lines...)
	m.Blocks = append(m.Blocks, markdown("", "Answer by "+moment(by)+"."))
	m.Text = fitting(m.Text + " Answer by " + instant(by) + ".")
	return m
}

// isAmount reports whether a text of SoftLayer's is nothing but an amount, which mrkdwn
// may hold.
func isAmount(text string) bool {
	return text != "" && len(text) < 20 && strings.Trim(text, "0123456789.") == ""
}
