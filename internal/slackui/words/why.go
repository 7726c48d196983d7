package words

import (
	"slices"
	"strings"

	"cancel-server/internal/cancellation"
)

// heldByFreeze says by whom filing is frozen, and why.
func heldByFreeze(why cancellation.Reason) line {
	l := append(line{plain("Held up: filing is frozen by ")}, actor(why.By)...)
	return append(l, plain(": "+ended(public(why.Detail))))
}

// heldUpWords says what a request waits for; it is empty if nothing holds the request up.
func heldUpWords(why cancellation.Reason) string {
	detail := public(uncalled(why.Detail))
	switch why.Code {
	case cancellation.WhyWaiting:
		return detail
	case cancellation.WhyHourFull:
		return "this hour's filings are used up, " + detail + " at most"
	case cancellation.WhyTooLate:
		return "it was too late to send the request; nothing was sent"
	case cancellation.WhyPolicyChanged:
		return "another policy came into force; nothing was sent"
	case cancellation.WhyGroupUnlisted:
		return "Slack does not list a user group that the policy names, and its members decide this"
	case cancellation.WhyRequesterUnread:
		return "Slack did not say who the requester is and which groups they are in"
	case cancellation.WhyApproverUnread:
		return "Slack did not say who the approvers are and which groups they are in"
	case cancellation.WhyServerUnread:
		if detail != "" {
			return "SoftLayer's answer left out facts about the server: " + detail
		}
		return "SoftLayer did not answer about the server"
	case cancellation.WhyTicketUnread:
		return "SoftLayer did not answer about the server's open ticket"
	case cancellation.WhyRecordsUnread:
		return "SoftLayer did not answer everything that could show a ticket"
	}
	return ""
}

// uncalled leaves out which method an error came from: that is for the log.
func uncalled(detail string) string {
	if _, problem, found := strings.Cut(detail, ": "); found && strings.HasPrefix(detail, "calling ") {
		return problem
	}
	return detail
}

// stuckWhy says what nobody but a person can find out.
func stuckWhy(r cancellation.Request) string {
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
	if unclear := unclearWords(r.Why); unclear != "" {
		if r.LostPosts == 0 { // read again after a start, before a POST
			return "Before sending, SoftLayer's records were read. They do not show for certain whether there is a ticket: " + ended(unclear)
		}
		return "The answer was lost, and SoftLayer's records do not show for certain whether there is a ticket: " + ended(unclear)
	}
	if r.Why != (cancellation.Reason{}) && slices.Contains(checkCodes, r.Why.Code) {
		return "The answer was lost, and then a check stopped the request from being sent again. " + checkedWhy(r)
	}
	return "SoftLayer's records do not show for certain whether there is a ticket."
}

// unclearWords says why SoftLayer's records do not show whether there is a ticket; it is empty for
// any other reason.
func unclearWords(why cancellation.Reason) string {
	detail := public(why.Detail)
	switch why.Code {
	case cancellation.WhyUnclear:
		return detail
	case cancellation.WhyServerHidden:
		return "the server was not found, or the key may not see it"
	case cancellation.WhyReadRefused:
		return "SoftLayer does not let the key read everything that could show a ticket"
	case cancellation.WhyTooManyTickets:
		return "there are more tickets than the bot can read"
	case cancellation.WhyTicketsHidden:
		return "the key has no right to view tickets"
	case cancellation.WhyOneUnreadable:
		return "ticket " + detail + " cannot be read"
	case cancellation.WhyMaybeOurs:
		return "ticket " + detail + " may be this request's"
	case cancellation.WhyBillingHidden:
		return "the billing item is missing, or the key may not see it"
	case cancellation.WhyPendingHidden:
		return "the key may not see whether a cancellation is pending"
	case cancellation.WhyPendingUnnamed:
		return "a cancellation is pending, and no ticket shows whose it is"
	}
	return ""
}

// checkCodes are the reasons of checks before a POST. Without a code it is the policy's or
// SoftLayer's refusal.
var checkCodes = []cancellation.ReasonCode{
	"", cancellation.WhyChanged, cancellation.WhyBlocked, cancellation.WhyWarned, cancellation.WhyNotFound, cancellation.WhyTooFew,
}

// checkedWhy says what a check found, which may be a rule's reason too.
func checkedWhy(r cancellation.Request) string {
	switch {
	case r.Why.By == cancellation.ByPolicy:
		return capital(ended(public(deniedWhy(r))))
	case r.Why.Code == "":
		return ended(public(r.Why.Detail))
	}
	return rejectedWhy(r.Why)
}

// rejectedWhy says why nothing was sent, or what SoftLayer answered.
func rejectedWhy(why cancellation.Reason) string {
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
	}
	if detail == "" {
		return "SoftLayer refused the request without giving a reason."
	}
	return "SoftLayer answered: “" + public(detail) + "”"
}

func blockerList(detail string) string {
	var texts []string
	for word := range strings.SplitSeq(detail, ", ") {
		texts = append(texts, blockerWords(cancellation.Blocker(word)))
	}
	return strings.Join(texts, "; ")
}
