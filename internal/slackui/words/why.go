package words

import (
	"fmt"
	"slices"
	"strings"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// DecisionWords is [Writer.Decision] where nobody is named to ask.
func DecisionWords(d authz.Decision) string { return Writer{}.Decision(d) }

// Decision says why a decision is no plain yes, and who can help. It is empty if the decision
// allows. Its text may hold a rule's own words: it is foreign text on one line.
func (w Writer) Decision(d authz.Decision) string {
	switch {
	case d.Reason != "": // the rule's own text, or a sentence that the settings, or an older build, made
		return w.named(d.Reason)
	case d.Effect == authz.Allowed:
		return ""
	case d.Effect == authz.NeedsApproval && d.Approvals == 1:
		return "the policy asks for the approval of one other person."
	case d.Effect == authz.NeedsApproval:
		return fmt.Sprintf("the policy asks for the approval of %d other people.", d.Approvals)
	}
	switch d.Rule {
	case authz.RuleStranger:
		return "you belong to another workspace or company; only people of the workspace that runs this bot may " + actWords(d.Act) + "."
	case authz.RuleDeactivated:
		return "this Slack account is deactivated; somebody with an active account may " + actWords(d.Act) + "."
	case authz.RuleBot:
		return "apps and bots may not " + actWords(d.Act) + "; a person has to."
	case authz.RuleGuest:
		return "guests may not " + actWords(d.Act) + "; a full member of this workspace may."
	case authz.RuleOwnRequest:
		return "nobody may approve their own request; another person has to."
	case authz.RuleUnread:
		return w.unreadWords(d)
	case authz.RuleDefaultDeny:
		return w.noRuleWords(d.Act)
	case authz.RuleEvaluationError:
		return "the policy could not be evaluated for this request, so nothing is allowed; " + w.choose("the people who run this bot have to repair it.", "tell %s.")
	}
	return "rule " + d.Rule + " of the policy forbids it; " + w.choose("the people who run this bot can say why, and who may.", "ask %s why, and who may.")
}

func actWords(act authz.Act) string {
	if act == authz.ToFreeze {
		return "freeze filing"
	}
	return string(act)
}

func (w Writer) noRuleWords(act authz.Act) string {
	what := map[authz.Act]string{
		authz.ToAsk: "ask for this", authz.ToFile: "have this filed without approval", authz.ToApprove: "approve this",
	}[act]
	if act == authz.ToFreeze {
		return "no policy rule lets you freeze filing; anyone who may approve requests can."
	}
	return "no policy rule lets you " + what + "; " + w.choose("the people who run this bot can say who may.", "ask %s who may.")
}

// unreadWords says what a decision needed and nobody could read.
func (w Writer) unreadWords(d authz.Decision) string {
	const onAGuess = " could not be read, and nothing is allowed on a guess. "
	switch {
	case len(d.Groups) > 0:
		who := "you are"
		if d.Act == authz.ToApprove {
			who = "you or the requester are"
		}
		return "whether " + who + " in Slack user group " + strings.Join(d.Groups, " or ") +
			" decides this, and Slack does not list it. Tell " + w.contact() + "."
	case slices.Contains(d.Unread, authz.GapFee):
		return gapWords(authz.GapFee) + onAGuess + "Tell " + w.contact() + "."
	case slices.Contains(d.Unread, authz.GapToday):
		return gapWords(authz.GapToday) + " was not recorded, and nothing is allowed on a guess. Somebody has to ask for the server again."
	}
	names := make([]string, len(d.Unread))
	for i, gap := range d.Unread {
		names[i] = gapWords(gap)
	}
	return strings.Join(names, ", ") + onAGuess + "Try again in a minute. If that fails too, tell " + w.contact() + "."
}

func gapWords(gap string) string {
	if known, is := gaps[gap]; is {
		return known
	}
	return "the server's " + gap // tags, warnings, and facts by their names
}

// gaps names what a decision needs to people.
var gaps = map[string]string{
	authz.GapPerson:          "who you are",
	authz.GapGroups:          "your Slack user groups",
	authz.GapRequester:       "who the requester is",
	authz.GapRequesterGroups: "the requester's Slack user groups",
	authz.GapServerID:        "the server's id",
	authz.GapServerName:      "the server's name",
	authz.GapDatacenter:      "the server's data center",
	authz.GapFee:             "the server's monthly fee",
	authz.GapAccount:         "the SoftLayer account",
	authz.GapStatedReason:    "the reason of the cancellation",
	authz.GapCount:           "how many servers the form asked for",
	authz.GapToday:           "how many servers the requester asked for that day",
}

// heldByFreeze says by whom filing is frozen, and why.
func heldByFreeze(why cancellation.Reason) line {
	l := append(line{plain("Held up: filing is frozen by ")}, actor(why.By)...)
	return append(l, plain(": "+ended(public(why.Detail))))
}

// heldUp says what a request waits for before it is filed; %s stands for the reason's detail.
var heldUp = map[cancellation.ReasonCode]string{
	cancellation.WhyWaiting:         "%s",
	cancellation.WhyHourFull:        "this hour's filings are used up, %s at most",
	cancellation.WhyTooLate:         "it was too late to send the request, so this time nothing was sent",
	cancellation.WhyPolicyChanged:   "another policy came into force, so this time nothing was sent",
	cancellation.WhyGroupUnlisted:   "Slack does not list a user group that the policy names, and its members decide this",
	cancellation.WhyRequesterUnread: "Slack did not say who the requester is and which groups they are in",
	cancellation.WhyApproverUnread:  "Slack did not say who the approvers are and which groups they are in",
	cancellation.WhyServerUnread:    "SoftLayer did not say everything about the server: %s",
	cancellation.WhyKeyRefused:      "SoftLayer does not take the bot's key",
	cancellation.WhyTicketUnread:    "SoftLayer did not answer about the server's open ticket",
	cancellation.WhyRecordsUnread:   "SoftLayer did not answer everything that could show a ticket",
}

// unclear says why SoftLayer's records do not show whether there is a ticket.
var unclear = map[cancellation.ReasonCode]string{
	cancellation.WhyUnclear:        "%s",
	cancellation.WhyServerHidden:   "the server was not found, or the key may not see it",
	cancellation.WhyReadRefused:    "SoftLayer does not let the key read everything that could show a ticket",
	cancellation.WhyTooManyTickets: "there are more tickets than the bot can read",
	cancellation.WhyTicketsHidden:  "the key has no right to view tickets",
	cancellation.WhyOneUnreadable:  "ticket %s cannot be read",
	cancellation.WhyMaybeOurs:      "ticket %s may be this request's",
	cancellation.WhyBillingHidden:  "the billing item is missing, or the key may not see it",
	cancellation.WhyPendingHidden:  "the key may not see whether a cancellation is pending",
	cancellation.WhyPendingUnnamed: "a cancellation is pending, and no ticket shows whose it is",
}

// reasonWords returns a table's words for a reason, "" if it has none.
func reasonWords(table map[cancellation.ReasonCode]string, why cancellation.Reason) string {
	words := strings.Replace(table[why.Code], "%s", public(uncalled(why.Detail)), 1)
	return strings.TrimSuffix(words, ": ")
}

// uncalled leaves out which method an error came from: that is for the log.
func uncalled(detail string) string {
	if _, problem, found := strings.Cut(detail, ": "); found && strings.HasPrefix(detail, "calling ") {
		return problem
	}
	return detail
}

// stuckWhy says what nobody but a person can find out.
func (w Writer) stuckWhy(r cancellation.Request) string {
	detail := public(r.Why.Detail)
	switch r.Why.Code {
	case cancellation.WhyTwoLost:
		return "The answer was lost each time the request was sent, and SoftLayer's records show no ticket. Nothing more is sent."
	case cancellation.WhyTicketHidden:
		return "Ticket " + detail + " already exists for this server, and this key cannot read whose ticket that is."
	case cancellation.WhyClosedBlocks:
		return "Closed ticket " + detail + " blocks a new one. Contact IBM."
	case cancellation.WhyPoison:
		return "The bot cannot go on with this request; its log says why."
	}
	if open := reasonWords(unclear, r.Why); open != "" {
		if r.LostPosts == 0 { // read again after a start, before a POST
			return "Before sending, SoftLayer's records were read. They do not show for certain whether there is a ticket: " + ended(open)
		}
		return "The answer was lost, and SoftLayer's records do not show for certain whether there is a ticket: " + ended(open)
	}
	if r.Why != (cancellation.Reason{}) && slices.Contains(checkCodes, r.Why.Code) {
		return "The answer was lost, and then a check stopped the request from being sent again. " + w.checkedWhy(r)
	}
	return "SoftLayer's records do not show for certain whether there is a ticket."
}

// checkCodes are the reasons of checks before a POST. Without a code it is the policy's or
// SoftLayer's refusal.
var checkCodes = []cancellation.ReasonCode{
	"", cancellation.WhyChanged, cancellation.WhyBlocked, cancellation.WhyWarned, cancellation.WhyNotFound, cancellation.WhyTooFew,
}

// checkedWhy says what a check found, which may be a rule's reason too.
func (w Writer) checkedWhy(r cancellation.Request) string {
	switch {
	case r.Why.By == cancellation.ByPolicy:
		return capital(ended(public(w.deniedWhy(r))))
	case r.Why.Code == "":
		return ended(public(r.Why.Detail))
	}
	return w.rejectedWhy(r.Why)
}

// rejectedWhy says why nothing was sent, or what SoftLayer answered.
func (w Writer) rejectedWhy(why cancellation.Reason) string {
	detail := why.Detail
	switch why.Code {
	case cancellation.WhyChanged:
		return "The server has changed since its card was read: " + public(detail) + "."
	case cancellation.WhyBlocked:
		return "The server cannot be cancelled now: " + blockerList(detail) + "."
	case cancellation.WhyWarned:
		return "There is now a warning that the card did not show: " + warningList(detail) + "."
	case cancellation.WhyNotFound:
		return "SoftLayer no longer shows the server, or this key may not see it."
	case cancellation.WhyTooFew:
		return "Some approvals no longer count, or more are needed."
	case cancellation.WhyPractice:
		return "It would have been filed now."
	}
	if detail == "" {
		return "SoftLayer refused the request without giving a reason."
	}
	return "SoftLayer answered: “" + public(detail) + "”" + w.keysRight(detail)
}

// noPermission is SoftLayer's answer to a key without the right to cancel servers:
// https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/createCancelServerTicket/.
const noPermission = "You do not have permission to this service."

// keysRight says whose permission SoftLayer means, if it speaks of one: all calls are made with one key.
func (w Writer) keysRight(detail string) string {
	if !strings.Contains(detail, noPermission) {
		return ""
	}
	return " That is the bot's SoftLayer key, not you: the key lacks a right. Tell " + w.contact() + "."
}

func blockerList(detail string) string {
	var texts []string
	for word := range strings.SplitSeq(detail, ", ") {
		texts = append(texts, blockerWords(cancellation.Blocker(word)))
	}
	return strings.Join(texts, "; ")
}

// Bounds of what a message says of servers of a batch for which no cancellation stands.
const (
	maxOutcomes     = 10
	maxOutcomeNames = 300
	maxOutcomeWhy   = 300
)

// outcomes say for which servers of a batch no cancellation stands, and why: once for all of one state,
// person and reason.
func (w Writer) outcomes(rows []cancellation.Request) []line {
	var order []string
	said, of := map[string]line{}, map[string][]cancellation.Request{}
	for _, r := range rows {
		what := w.outcome(r)
		if len(what) == 0 {
			continue
		}
		key := flat(what)
		if len(of[key]) == 0 {
			order, said[key] = append(order, key), what
		}
		of[key] = append(of[key], r)
	}
	var lines []line
	more := 0
	for i, key := range order {
		if i >= maxOutcomes {
			more += len(of[key])
			continue
		}
		lines = append(lines, append(said[key], plain(": "+serverNames(of[key], maxOutcomeNames))))
	}
	if more > 0 {
		lines = append(lines, sentence(fmt.Sprintf("And %d more.", more)))
	}
	return lines
}

// outcome says why no cancellation of one server of a batch stands, without a full stop; nothing if one
// stands, may still come, or would have been filed if this bot did not only practise.
func (w Writer) outcome(r cancellation.Request) line {
	switch r.State {
	case cancellation.Declined:
		return append(endedBy("Declined", r.EndedBy), because(r.Why.Detail)...)
	case cancellation.Withdrawn:
		return withdrawnOutcome(r)
	case cancellation.Expired:
		return sentence("Too few people approved in time")
	case cancellation.Denied:
		return sentence(unended("Not allowed: " + Cut(public(w.deniedWhy(r)), maxOutcomeWhy)))
	case cancellation.Duplicate:
		return sentence("Somebody else's cancellation ticket is already open")
	case cancellation.Reverted:
		return sentence("Not cancelled: SoftLayer closed the ticket")
	case cancellation.Rejected:
		if r.Why.Code != cancellation.WhyPractice {
			return sentence(unended("Not filed: " + Cut(w.rejectedWhy(r.Why), maxOutcomeWhy)))
		}
	}
	return nil
}

func withdrawnOutcome(r cancellation.Request) line {
	if r.Why.Code == cancellation.WhyTakenOver {
		return append(endedBy("Taken over", r.EndedBy), plain(", who can cancel without approval"))
	}
	return append(endedBy("Withdrawn", r.EndedBy), because(r.Why.Detail)...)
}

// endedBy says what a person did; nobody is somebody who runs this bot.
func endedBy(did string, by cancellation.Person) line {
	if by.ID == "" {
		return sentence(did + " by somebody who runs this bot")
	}
	return line{plain(did + " by "), person(by.ID, by.Name)}
}

// because is the reason that a person wrote; nothing if they wrote none.
func because(foreign string) line {
	if foreign == "" {
		return nil
	}
	return sentence(": “" + Cut(public(foreign), maxOutcomeWhy) + "”")
}

func unended(sentence string) string { return strings.TrimSuffix(sentence, ".") }

// serverNames lists the servers' names, as many as fit into so many bytes, but at least one.
func serverNames(rows []cancellation.Request, most int) string {
	return serverList(rows, most, func(r cancellation.Request) run { return plain(ServerName(r)) }).text()
}

// serverList lists what each server is called, as far as it fits into so many bytes, but at least one.
func serverList(rows []cancellation.Request, most int, called func(cancellation.Request) run) line {
	l, size := line{plain("")}, 0
	add := func(r run) {
		size += len(r.text)
		if last := &l[len(l)-1]; last.url == "" && r.url == "" {
			last.text += r.text
			return
		}
		l = append(l, r)
	}
	for i, r := range rows {
		name := called(r)
		if i > 0 && size+len(name.text) > most {
			add(plain(fmt.Sprintf(", and %d more", len(rows)-i)))
			break
		}
		if i > 0 {
			add(plain(", "))
		}
		add(name)
	}
	return l
}
