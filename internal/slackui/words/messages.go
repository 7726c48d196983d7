package words

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
)

// Message is what is posted: the whole in one line for notifications and screen
// readers, escaped, and the blocks that everybody else sees.
type Message struct {
	Text   string
	Blocks []slack.Block
}

// Empty reports whether there is nothing to post.
func (m Message) Empty() bool { return m.Text == "" }

// And is both messages in one; either may be empty.
func (m Message) And(other Message) Message {
	if other.Empty() {
		return m
	}
	return Message{Text: fitting(strings.TrimSpace(m.Text + " " + other.Text)), Blocks: slices.Concat(m.Blocks, other.Blocks)}
}

// Result is the root message of a request, in its present state.
func (w Writer) Result(r cancellation.Request) Message {
	if r.State == cancellation.Unknown {
		return w.unknown(r)
	}
	return message(w.lines(r)...)
}

// Alarm notifies operators of a request that takes too long. It is not edited later.
func (w Writer) Alarm(r cancellation.Request) Message {
	ref := r.Ref.Short()
	now := "The result could not be posted where the request was made: " + standingWords(r.State) + "."
	switch r.State {
	case cancellation.Filing:
		now = "The request is being filed, and there is no result yet."
	case cancellation.Unknown:
		now = "The answer was lost, and SoftLayer's records do not show yet whether there is a ticket. Please do not cancel it by hand meanwhile."
		if r.Why.Code == cancellation.WhyKeyRefused {
			now = "The answer was lost, and SoftLayer does not take the bot's key, so its records cannot be read. Please do not cancel it by hand meanwhile."
		}
	case cancellation.Stuck:
		now = "The request needs a person. " + w.stuckWhy(r) + " Say what you found: bot resolve " + ref + " filed TICKET | none | drop --why …"
	}
	return message(head("⏰ Takes too long: "+ServerName(r)), sentence(now), askedBy(r), foot(r))
}

// maxProblems is how many of a policy's problems a message names.
const maxProblems = 5

// PolicyRefused notifies operators that a changed policy is not in force, and why.
func (w Writer) PolicyRefused(problems []string) Message {
	lines := []line{
		head("⚠️ The changed policy is not in force"),
		sentence("The file has mistakes, so the policy before it still decides. Correct the file; no restart is needed."),
	}
	for i, problem := range problems {
		if i == maxProblems {
			lines = append(lines, sentence(fmt.Sprintf("And %d more; the log has them all.", len(problems)-i)))
			break
		}
		lines = append(lines, sentence(Cut(public(problem), 300)))
	}
	return message(lines...)
}

// PolicyMended notifies operators that the policy file, which was refused before, is in force.
func (w Writer) PolicyMended() Message {
	return message(head("✅ The policy file is in order again"), sentence("It is in force now. What was reported of it before is over."))
}

// ChecksFound notifies operators of what the bot's own checks found twice in a row. No problems: what was
// reported before is over.
func (w Writer) ChecksFound(problems []string) Message {
	if len(problems) == 0 {
		return message(head("✅ The bot's checks find nothing any more of what was reported here"))
	}
	first := sentence(Cut(public(problems[0]), 300))
	if len(problems) == 1 {
		return message(head("⚠️ The bot's checks found a problem"), first)
	}
	return message(head(fmt.Sprintf("⚠️ The bot's checks found %d problems", len(problems))), first,
		sentence(fmt.Sprintf("And %d more: run bot check.", len(problems)-1)))
}

func message(lines ...line) Message {
	return Message{Text: fitting(flat(lines...)), Blocks: []slack.Block{block("", lines...)}}
}

func (w Writer) lines(r cancellation.Request) []line {
	switch r.State {
	case cancellation.Pending:
		return w.waitingForApproval(r)
	case cancellation.Scheduled:
		return waiting(r)
	case cancellation.Filing:
		return []line{head("⏳ Being filed: " + ServerName(r)), askedBy(r), foot(r)}
	case cancellation.Filed:
		return w.filed(r)
	case cancellation.Duplicate:
		return []line{
			head("☑️ Already requested: " + ServerName(r)),
			{w.ticket(r.Ticket)},
			sentence("Somebody else's cancellation ticket is already open. Nothing new was filed."), askedBy(r), foot(r),
		}
	case cancellation.Denied:
		return []line{
			head("⛔ Not allowed: " + ServerName(r) + " stays."), sentence("Nothing was filed: " + public(w.deniedWhy(r))), askedBy(r),
			sentence("Rule " + public(r.Decision.Rule) + " · " + footText(r)),
		}
	case cancellation.Declined:
		return []line{
			{bold("🚫 Declined by "), person(r.EndedBy.ID, r.EndedBy.Name), bold(": " + ServerName(r) + " stays.")},
			sentence("“" + public(r.Why.Detail) + "” Nothing was filed."), askedBy(r), foot(r),
		}
	case cancellation.Expired:
		return []line{
			head("⌛ Nobody answered: " + ServerName(r) + " stays."),
			sentence("Too few people approved in time. Nothing was filed. If the server should still go, ask again."), askedBy(r), foot(r),
		}
	case cancellation.Rejected:
		return w.notFiled(r)
	case cancellation.Stuck:
		return w.stuck(r)
	case cancellation.Withdrawn:
		return withdrawn(r)
	case cancellation.Reverted:
		return append(w.ended(r), foot(r))
	case cancellation.Reclaimed:
		return append(w.ended(r), line{w.ticket(r.Ticket)}, askedBy(r), foot(r))
	}
	return []line{head(ServerName(r) + ": " + standingWords(r.State)), askedBy(r), foot(r)}
}

// notFiled is a request that was not sent, or that SoftLayer refused.
func (w Writer) notFiled(r cancellation.Request) []line {
	stays := " stays."
	switch r.Why.Code {
	case cancellation.WhyPractice:
		return []line{head("PRACTICE: " + ServerName(r) + " would have been filed now."), sentence("Nothing was sent; the server stays."), askedBy(r), foot(r)}
	case cancellation.WhyNotFound:
		stays = "."
	}
	return []line{
		head("❌ Not filed: " + ServerName(r) + stays), sentence(w.rejectedWhy(r.Why)),
		sentence("If the server should still go, ask again: its card is then read again."), askedBy(r), foot(r),
	}
}

func head(text string) line { return line{bold(text)} }

// ServerName is the name of a request's server. A request whose submission cannot be read is
// called by its reference.
func ServerName(r cancellation.Request) string {
	if server := displayed(r.Submission.Card.Server.FQDN); server != "" {
		return server
	}
	return "request " + r.Ref.Short()
}

func askedBy(r cancellation.Request) line {
	if r.Submission.By.ID == "" { // it cannot be read
		return nil
	}
	l := line{plain("Asked by "), person(r.Submission.By.ID, r.Submission.By.Name)}
	for i, a := range r.Approvals {
		l = append(l, plain([]string{", approved by ", " and "}[min(i, 1)]), person(a.By.ID, a.By.Name))
	}
	return append(l, plain(". Reason: "+displayed(r.Submission.Reason)+"."))
}

func footText(r cancellation.Request) string {
	if account := accountName(r.Submission.Card.Account); account != "" {
		return account + " · ref " + r.Ref.Short()
	}
	return "ref " + r.Ref.Short()
}

func foot(r cancellation.Request) line { return sentence(footText(r)) }

// ticket names a ticket, with the link to its page where there is one.
func (w Writer) ticket(t cancellation.TicketID) run {
	named := ticketName(t)
	named = strings.ToUpper(named[:1]) + named[1:]
	if url := w.ticketURL(t); url != "" {
		return labelled(url, named)
	}
	return plain(named)
}

func (w Writer) ticketURL(t cancellation.TicketID) string {
	if w.TicketURL == nil {
		return ""
	}
	return w.TicketURL(t)
}

func withdrawn(r cancellation.Request) []line {
	if r.EndedBy.ID == "" {
		return []line{
			head("↩️ Withdrawn: " + ServerName(r) + " stays."),
			sentence("Somebody who runs this bot looked: there is no ticket, and none is wanted. “" + public(r.Why.Detail) + "”"), askedBy(r), foot(r),
		}
	}
	if r.Why.Code == cancellation.WhyTakenOver {
		return []line{
			{bold("↩️ Taken over by "), person(r.EndedBy.ID, r.EndedBy.Name), bold(": " + ServerName(r))},
			sentence("They can cancel without approval, and asked for this server too. Nothing was filed for this request."), askedBy(r), foot(r),
		}
	}
	said := "Nothing was filed."
	if r.Why.Detail != "" { // it needed a person
		said = "They looked: there is no ticket, and none is wanted. “" + public(r.Why.Detail) + "”"
	}
	return []line{
		{bold("↩️ Withdrawn by "), person(r.EndedBy.ID, r.EndedBy.Name), bold(": " + ServerName(r) + " stays.")},
		sentence(said), askedBy(r), foot(r),
	}
}

// toBeUndone is an accepted request within its undo window. Its moment is displayed in the
// reader's own zone where it can be pressed.
func toBeUndone(r cancellation.Request) []line {
	before := "Nothing is filed before " + instant(r.UndoUntil)
	if r.Recheck != cancellation.NoRecheck {
		before = unfiled(r) + " Nothing is sent before " + instant(r.UndoUntil)
	}
	return []line{
		head("🕒 " + willBeFiled(r) + ServerName(r)),
		sentence(before + ". Until then the requester can undo the request, and anyone who may approve it can decline it. Afterwards only SoftLayer can stop the cancellation."),
		askedBy(r), foot(r),
	}
}

func willBeFiled(r cancellation.Request) string {
	if len(r.Approvals) > 0 {
		return "Approved, will be filed: "
	}
	return "Will be filed: "
}

func waiting(r cancellation.Request) []line {
	if r.Why == (cancellation.Reason{}) && len(r.Approvals) > 0 && r.UndoUntil.IsZero() && r.Posts == 0 {
		return []line{head("🕒 " + willBeFiled(r) + ServerName(r)), sentence(unfiled(r)), askedBy(r), foot(r)}
	}
	if r.Why.Code == "" && !r.UndoUntil.IsZero() && r.Posts == 0 {
		return toBeUndone(r)
	}
	lines := []line{head("⏳ Waiting to be filed: " + ServerName(r))}
	switch {
	case r.Why.Code == cancellation.WhyFrozen:
		lines = append(lines, heldByFreeze(r.Why))
	case reasonWords(heldUp, r.Why) != "":
		lines = append(lines, sentence(ended("Held up: "+reasonWords(heldUp, r.Why))))
	}
	if r.LostPosts == 0 {
		lines = append(lines, sentence(unfiled(r)+" The bot tries again by itself; this message then changes."))
	} else {
		lines = append(lines, sentence("The request is sent once more after all checks; this message then changes."))
	}
	return append(lines, askedBy(r), foot(r))
}

func (w Writer) filed(r cancellation.Request) []line {
	card := r.Submission.Card
	lines := []line{head("✅ Cancellation requested: " + ServerName(r)), {w.ticket(r.Ticket)}}
	if r.Why.Code == cancellation.WhyUnseen {
		lines = append(lines, onTheWordOf(r.Why.By, r.Since))
	}
	if b := card.Server.Billing; r.Submission.Associated && b != nil && len(b.Associated) > 0 {
		lines = append(lines, sentence("Its associated items go too: "+itemsWords(b.Associated)+"."))
	}
	end := r.End()
	lines = append(lines, runsUntil(end), askedBy(r))
	if _, amount := monthly(card.Server); amount != "" && !end.Date.IsZero() {
		from := "From then"
		if end.Or.IsZero() {
			from = "From " + end.Date.Format("2 Jan")
		}
		lines = append(lines, sentence(from+": "+amount+" less."))
	}
	if !r.StopAsked.IsZero() {
		lines = append(lines, sentence("SoftLayer was asked to stop this on "+instant(r.StopAsked)+". Not stopped yet: SoftLayer decides."))
	}
	lines = append(lines, staysSum(card.Stays)...)
	stop := "in time"
	if by := r.StopBy(); !by.IsZero() {
		stop = "before " + minute(by) + inZone(by)
	}
	return append(lines, sentence("To stop it: update the ticket "+stop+". · "+footText(r)))
}

// onTheWordOf says that nobody but a person saw the ticket.
func onTheWordOf(by string, since time.Time) line {
	l := append(line{plain("⚠ This key cannot read that ticket. Its number was entered on " + instant(since) + " by ")}, actor(by)...)
	return append(l, plain("."))
}

func runsUntil(e cancellation.End) line {
	on := goneOn(e)
	if on == nil {
		on = sentence("a bill date that is " + unseen)
	}
	return append(append(line{plain("It runs and is billed until ")}, on...), plain("; then its drives are wiped."))
}

// unknown is the message while nobody knows whether there is a ticket. Its times
// are moments, which only mrkdwn can show in the reader's own zone; no foreign text
// is in that block.
func (w Writer) unknown(r cancellation.Request) Message {
	top := head("⏳ Not known yet: " + ServerName(r))
	went, until := "The request went to SoftLayer and the answer was lost.", "SoftLayer's records are read; this message then changes."
	wentText, untilText := went, until
	if !r.NotAfter.IsZero() && w.PostTimeout > 0 && w.SettleTime > 0 {
		sent, settled := r.NotAfter.Add(-w.PostTimeout), r.NotAfter.Add(w.SettleTime)
		const wentAt, untilAt = "The request went to SoftLayer at %s and the answer was lost.", "SoftLayer's records are read until about %s; this message then changes."
		went, until = fmt.Sprintf(wentAt, moment(sent)), fmt.Sprintf(untilAt, moment(settled))
		wentText, untilText = fmt.Sprintf(wentAt, instant(sent)), fmt.Sprintf(untilAt, instant(settled))
	}
	if r.Why.Code == cancellation.WhyKeyRefused {
		until, untilText = keyRefused, keyRefused
	}
	const may, twice, hands = "There may be a ticket, or not.", "Nothing is sent twice.", "Please do not cancel it by hand meanwhile."
	return Message{
		Text: fitting(strings.Join([]string{flat(top), wentText, may, twice, untilText, hands, flat(askedBy(r), foot(r))}, " ")),
		Blocks: []slack.Block{
			block("", top),
			markdown("", went+" "+may+"\n"+twice+" "+until+"\n*"+hands+"*"),
			block("", askedBy(r), foot(r)),
		},
	}
}

// keyRefused says what the message about a lost answer waits for while SoftLayer's records cannot be read.
const keyRefused = "SoftLayer does not take the bot's key, so its records cannot be read. They are read once it does; this message then changes."

// needsPerson tells people who can find out that a request needs one. at is its message.
func (w Writer) needsPerson(r cancellation.Request, at cancellation.Posted) []line {
	ref := r.Ref.Short()
	search := line{plain("Look in "), w.cases(), plain(" for " + ref + ".")}
	say := line{plain("Then say what you found: "), plain("bot resolve " + ref + ".")}
	if w.peopleResolve() {
		say = line{plain("Then say what you found with the buttons of "), w.linked(at, "the request's message"), plain(", or run bot resolve " + ref + ".")}
	}
	return []line{head("🚨 A request needs a person: " + ServerName(r)), sentence(w.stuckWhy(r)), search, say, sentence("Until then this server is locked here and nothing is sent.")}
}

// cases is where tickets are looked for.
func (w Writer) cases() run {
	const named = "IBM Cloud, Support > Cases"
	if w.CasesURL == "" {
		return plain(named)
	}
	return labelled(w.CasesURL, named)
}

// linked names a message in Slack, with the link to it where that is known: the form that
// docs.slack.dev/reference/methods/chat.getPermalink answers with.
func (w Writer) linked(at cancellation.Posted, named string) run {
	if w.Workspace == "" || at.TS == "" || IsDirect(at.Channel) {
		return plain(named)
	}
	return labelled(strings.TrimSuffix(w.Workspace, "/")+"/archives/"+at.Channel+"/p"+strings.ReplaceAll(at.TS, ".", ""), named)
}

func (w Writer) stuck(r cancellation.Request) []line {
	ref := r.Ref.Short()
	second := "2. " + w.choose("The people who run this bot say", "Ask %s to say") + " what was found: bot resolve " + ref + " filed TICKET | none | drop --why …"
	if w.peopleResolve() {
		second = "2. If you may approve on this server and did not ask for it, say what you found. " + w.choose("The people who run this bot can also run", "Or ask %s to run") + ": bot resolve " + ref
	}
	return []line{
		head("🚨 Needs a person: " + ServerName(r)), sentence(w.stuckWhy(r)),
		sentence("1. In IBM Cloud, open Support > Cases and search for " + ref + "."),
		sentence(second),
		sentence("“None” sends the request once more, so say that only after looking. SoftLayer refuses a second open ticket for the same server."),
		sentence("Until then this server is locked here and nothing is sent."),
		askedBy(r), foot(r),
	}
}
