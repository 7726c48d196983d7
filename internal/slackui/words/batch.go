package words

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"cancel-server/internal/authz"
	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/review"
)

// The buttons of a batch's messages, by action id. A button's value is the batch's id.
const (
	BatchApproveAction  = "batch-approve"
	BatchDeclineAction  = "batch-decline"
	BatchWithdrawAction = "batch-withdraw"
)

// maxNames is how many characters the names of a batch's servers take in a message.
const maxNames = 1500

// Batch is the message of a batch in its present state, with the buttons that belong to its kind; "" has
// none. Whether a person may press one is decided when they do.
func (w Writer) Batch(kind cancellation.NoticeKind, b cancellation.Batch, rows []cancellation.Request) Message {
	lead := rows[0]
	waiting := inStates(rows, cancellation.Pending)
	var lines []line
	asksToApprove := kind == cancellation.BatchCard || kind.Recipient() != "" && kind.Recipient() != lead.Submission.By.ID
	switch {
	case len(waiting) == 0:
		lines = []line{head(batchState(b, rows)), askedFor(lead)}
	case asksToApprove:
		lines = batchQuestion(fmt.Sprintf("Approve %s?", cancellations(len(waiting))), lead, waiting)
	default:
		lines = batchQuestion(batchState(b, rows), lead, waiting)
	}
	lines = append(lines, w.batchLines(b, rows, waiting)...)
	if kind.Recipient() == lead.Submission.By.ID && len(waiting) > 0 {
		lines = append(lines, sentence("Nobody who may approve could be shown this list yet, or nobody for some of its servers. The bot keeps trying. To help, invite the bot to the channel where you asked."))
	}
	lines = append(lines, serverList(rows, maxNames, w.linkedName))
	lines = append(append(lines, w.outcomes(rows)...), sentence(footText(lead)))
	m := message(lines...)
	if len(waiting) > 0 {
		by, _ := earliestAnswer(waiting)
		m = answeredBy(by, lines...)
	}
	return withButtons(m, batchButtons(kind, b, rows))
}

// BatchEnd tells the requester once that nothing of a batch is under way any more.
func (w Writer) BatchEnd(b cancellation.Batch, rows []cancellation.Request) Message {
	lines := append([]line{head(batchState(b, rows))}, w.outcomes(rows)...)
	return message(append(lines, sentence(footText(rows[0])))...)
}

// linkedName is a server's name, which leads to its ticket if it has one.
func (w Writer) linkedName(r cancellation.Request) run {
	name := run{text: ServerName(r), brief: true}
	if r.Ticket.ID != 0 {
		name.url = w.ticketURL(r.Ticket)
	}
	return name
}

// batchQuestion asks approvers for a whole list: what waits of it costs so much a month, and is not needed for this reason.
func batchQuestion(asks string, lead cancellation.Request, waiting []cancellation.Request) []line {
	return []line{
		head(asks),
		{plain("Asked by "), person(lead.Submission.By.ID, lead.Submission.By.Name), plain(": "), bold(monthlyOf(waiting)), plain(". Reason: " + displayed(lead.Submission.Reason) + ".")},
		sentence("“" + Cut(public(lead.Submission.Content), 500) + "”"),
	}
}

func askedFor(lead cancellation.Request) line {
	return line{plain("Asked by "), person(lead.Submission.By.ID, lead.Submission.By.Name), plain(". Reason: " + displayed(lead.Submission.Reason) + ".")}
}

// batchLines say when the servers go, what people should consider, who has approved, and what holds filing up.
func (w Writer) batchLines(b cancellation.Batch, rows, waiting []cancellation.Request) []line {
	var lines []line
	live := inStates(rows, cancellation.LiveStates()...)
	if ends := endsOf(live); ends != "" {
		lines = append(lines, sentence(ends))
	}
	if len(waiting) > 0 {
		lines = append(lines, sentence("Nothing is filed for "+oneOrMore(len(waiting), "it", "them")+"."))
		if warned := warnedOf(waiting); warned != "" {
			lines = append(lines, sentence("⚠ "+warned))
		}
		if n := len(waitingAgain(waiting)); n > 0 {
			lines = append(lines, sentence(fmt.Sprintf("%d %s again: some approvals no longer count, or more are needed.", n, waitOrWaits(n))))
		}
	}
	lines = append(lines, votes(b, rows, waiting)...)
	lines = append(lines, w.groupsAsked(waiting)...)
	return append(lines, heldUpRows(rows)...)
}

// waitingAgain are those that had been accepted, and were found not to be approved when they were to be filed.
func waitingAgain(waiting []cancellation.Request) []cancellation.Request {
	return slices.DeleteFunc(slices.Clone(waiting), func(r cancellation.Request) bool { return r.Why.Code != cancellation.WhyTooFew })
}

// batchState is how many servers are in which state: "Asked for 40 servers · 31 filed · 1 not filed".
func batchState(b cancellation.Batch, rows []cancellation.Request) string {
	filed := len(inStates(rows, cancellation.Filed, cancellation.Reclaimed))
	closed, practised := len(inStates(rows, cancellation.Reverted)), len(practisedOf(rows))
	if cancellation.BatchOver(rows) {
		return batchOver(b, filed, closed, practised, len(rows)-filed-closed-practised)
	}
	parts := []string{"Asked for " + servers(b.Size)}
	rest := len(rows)
	add := func(count int, what string) {
		if rest -= count; count > 0 {
			parts = append(parts, strconv.Itoa(count)+" "+what)
		}
	}
	add(filed, "filed")
	add(closed, "not cancelled")
	add(practised, "would have been filed")
	add(len(inStates(rows, cancellation.Pending)), "waiting for approval")
	add(len(inStates(rows, cancellation.Scheduled, cancellation.Filing)), "waiting to be filed")
	add(len(inStates(rows, cancellation.Unknown)), "not known yet")
	stuck := len(inStates(rows, cancellation.Stuck))
	add(stuck, oneOrMore(stuck, "needs", "need")+" a person")
	add(rest, "not filed")
	return "⏳ " + strings.Join(parts, " · ")
}

// batchOver is how a batch ended, of which nothing is under way any more.
func batchOver(b cancellation.Batch, filed, closed, practised, unfiled int) string {
	mark, said := "☑️", fmt.Sprintf("Cancellation requested for %d of %s.", filed, servers(b.Size))
	switch {
	case practised > 0 && filed+closed == 0:
		mark, said = "PRACTICE:", servers(practised)+" would have been filed now. Nothing was sent."
	case closed+practised+unfiled == 0:
		mark, said = "✅", fmt.Sprintf("Cancellation requested for %s.", servers(filed))
	case practised > 0:
		said += fmt.Sprintf(" PRACTICE: %d would have been filed now.", practised)
	}
	if closed > 0 {
		said += fmt.Sprintf(" %d not cancelled: SoftLayer closed the %s.", closed, ticketOrTickets(closed))
	}
	if unfiled > 0 {
		said += fmt.Sprintf(" %d not filed.", unfiled)
	}
	return mark + " " + said
}

func ticketOrTickets(count int) string { return oneOrMore(count, "ticket", "tickets") }

// practisedOf are the requests that would have been filed, had this bot not only practised.
func practisedOf(rows []cancellation.Request) []cancellation.Request {
	return slices.DeleteFunc(slices.Clone(rows), func(r cancellation.Request) bool {
		return r.State != cancellation.Rejected || r.Why.Code != cancellation.WhyPractice
	})
}

func inStates(rows []cancellation.Request, states ...cancellation.State) []cancellation.Request {
	return slices.DeleteFunc(slices.Clone(rows), func(r cancellation.Request) bool { return !slices.Contains(states, r.State) })
}

func servers(count int) string {
	if count == 1 {
		return "1 server"
	}
	return strconv.Itoa(count) + " servers"
}

func cancellations(count int) string {
	if count == 1 {
		return "1 cancellation"
	}
	return strconv.Itoa(count) + " cancellations"
}

// monthlyOf is what servers cost together a month.
func monthlyOf(rows []cancellation.Request) string {
	var sum billed.Sum
	known := 0
	for _, r := range rows {
		if sum.Add(r.Submission.Card.Server.MonthlyFee(), 1) {
			known++
		}
	}
	return sumWords(sum.Amount(), known, len(rows)-known)
}

// sumWords is a sum of costs a month: of known ones, next to hidden ones that this key cannot see.
func sumWords(sum string, known, hidden int) string {
	if known == 0 {
		return "cost " + unseen
	}
	said := byThousands(sum) + " USD a month"
	if hidden > 0 {
		said += fmt.Sprintf(", and %d whose cost this key cannot see", hidden)
	}
	return said
}

// endsOf says between which days the servers are due to end; "" if no date is known.
func endsOf(rows []cancellation.Request) string {
	ends := make([]cancellation.End, len(rows))
	for i, r := range rows {
		ends[i] = r.End()
	}
	if e := review.EndsOf(ends); !e.First.IsZero() {
		return endsWords(e)
	}
	return ""
}

// warnedOf names the servers that have a warning, each with its warnings.
func warnedOf(rows []cancellation.Request) string {
	warned := slices.DeleteFunc(slices.Clone(rows), func(r cancellation.Request) bool { return len(warnings(r.Submission.Card)) == 0 })
	if len(warned) == 0 {
		return ""
	}
	return "Confirmed with a warning: " + serverList(warned, maxNames, warnedName).text()
}

func warnedName(r cancellation.Request) run {
	return plain(ServerName(r) + " (" + strings.ReplaceAll(strings.Join(warnings(r.Submission.Card), ", "), "-", " ") + ")")
}

// votes says who approved how many, and what waits for others.
func votes(b cancellation.Batch, rows, waiting []cancellation.Request) []line {
	var all []cancellation.Person
	count := map[cancellation.Person]int{}
	for _, r := range rows {
		for _, a := range r.Approvals {
			if count[a.By] == 0 {
				all = append(all, a.By)
			}
			count[a.By]++
		}
	}
	var lines []line
	for _, by := range all {
		lines = append(lines, line{person(by.ID, by.Name), plain(fmt.Sprintf(" approved %d of %d.", count[by], b.Size))})
	}
	if len(lines) > 0 && len(waiting) > 0 {
		lines = append(lines, sentence(fmt.Sprintf("%d%s %s for another approval.", len(waiting), sitesOf(waiting), waitOrWaits(len(waiting)))))
	}
	return lines
}

// sitesOf names the data centers of servers, if these are few.
func sitesOf(rows []cancellation.Request) string {
	var sites []string
	for _, r := range rows {
		if site := public(r.Submission.Card.Server.Datacenter); site != "" && !slices.Contains(sites, site) {
			sites = append(sites, site)
		}
	}
	if len(sites) == 0 || len(sites) > 3 {
		return ""
	}
	return " in " + strings.Join(sites, ", ")
}

// groupsAsked names the groups whose members may approve what waits.
func (w Writer) groupsAsked(waiting []cancellation.Request) []line {
	named := map[string]bool{}
	var all []authz.AskedGroup
	for _, r := range waiting {
		for _, group := range r.Decision.Asked {
			if !named[group.ID] {
				named[group.ID] = true
				all = append(all, group)
			}
		}
	}
	return w.mayApprove(all)
}

// heldUpRows says why requests wait to be filed, each reason once.
func heldUpRows(rows []cancellation.Request) []line {
	var order []cancellation.Reason
	held := map[cancellation.Reason][]cancellation.Request{}
	for _, r := range inStates(rows, cancellation.Scheduled) {
		if held[r.Why] == nil && r.Why.Code != "" {
			order = append(order, r.Why)
		}
		held[r.Why] = append(held[r.Why], r)
	}
	var lines []line
	for _, why := range order {
		lines = append(lines, heldUpFor(why, held[why])...)
	}
	return lines
}

func heldUpFor(why cancellation.Reason, rows []cancellation.Request) []line {
	words := reasonWords(heldUp, why)
	switch {
	case why.Code == cancellation.WhyHourFull:
		next := slices.MinFunc(rows, func(a, b cancellation.Request) int { return a.Due.Compare(b.Due) }).Due
		return []line{sentence(fmt.Sprintf("%d will be filed after %s: at most %s tickets an hour.", len(rows), instant(next), displayed(why.Detail)))}
	case why.Code == cancellation.WhyFrozen:
		return []line{heldByFreeze(why)}
	case words != "":
		return []line{sentence(ended(fmt.Sprintf("%d held up: %s", len(rows), words)))}
	}
	return nil
}

// earliestAnswer is when the first of the waiting requests expires, or a cut-off that comes before.
func earliestAnswer(waiting []cancellation.Request) (at time.Time, dear bool) {
	for _, r := range waiting {
		if by, costs := r.AnswerBy(); at.IsZero() || by.Before(at) {
			at, dear = by, costs
		}
	}
	return at, dear
}

func batchButtons(kind cancellation.NoticeKind, b cancellation.Batch, rows []cancellation.Request) []slack.BlockElement {
	stoppable := slices.DeleteFunc(slices.Clone(rows), func(r cancellation.Request) bool { return !r.Stoppable() })
	if len(stoppable) == 0 || kind == "" {
		return nil
	}
	waits := len(inStates(rows, cancellation.Pending)) > 0
	switch kind.Recipient() {
	case rows[0].Submission.By.ID:
		return []slack.BlockElement{takingBack(b, waits, len(stoppable))}
	case "":
		return append(deciding(b, waits), takingBack(b, waits, len(stoppable)))
	}
	return deciding(b, waits)
}

// deciding are the buttons of people who may approve.
func deciding(b cancellation.Batch, waits bool) []slack.BlockElement {
	decline := batchButton(b, BatchDeclineAction, "Decline", slack.StyleDanger)
	if !waits {
		return []slack.BlockElement{decline}
	}
	return []slack.BlockElement{batchButton(b, BatchApproveAction, "Approve…", slack.StylePrimary), decline}
}

// takingBack is the requester's button.
func takingBack(b cancellation.Batch, waits bool, stoppable int) slack.BlockElement {
	word := "Undo"
	if waits {
		word = "Withdraw"
	}
	stays := oneOrMore(stoppable, "It stays, and nothing is filed for it.", "They stay, and nothing is filed for them.")
	question := fmt.Sprintf("%s not filed yet. %s Those that are filed stay filed.", isOrAre(stoppable), stays)
	return asking(batchButton(b, BatchWithdrawAction, word, slack.StyleDefault), word+" what is not filed yet?", question, word, "Leave it")
}

func waitOrWaits(count int) string { return oneOrMore(count, "waits", "wait") }

// oneOrMore is the word that goes with a number.
func oneOrMore(count int, one, more string) string {
	if count == 1 {
		return one
	}
	return more
}

func isOrAre(count int) string {
	if count == 1 {
		return "1 server is"
	}
	return strconv.Itoa(count) + " servers are"
}

func batchButton(b cancellation.Batch, action, text string, style slack.Style) *slack.ButtonBlockElement {
	button := slack.NewButtonBlockElement(action, b.ID, plainText(text))
	button.Style = style
	button.AccessibilityLabel = Cut(fmt.Sprintf("%s: %s", text, servers(b.Size)), 75)
	return button
}
