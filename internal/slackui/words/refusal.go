package words

import (
	"fmt"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// refusedOnCard is what somebody reads on the card of a server that they may not ask for.
func (w Writer) refusedOnCard(d authz.Decision) []line {
	return []line{
		{bold("⛔ You may not ask to cancel this server:"), plain(" " + ended(displayed(w.Decision(d))))},
		sentence("Rule " + displayed(d.Rule) + ". Choose another server."),
	}
}

// Denied is the policy's no to a submission, over the form so that it can be corrected.
func (w Writer) Denied(r cancellation.Request) View {
	return notice("Not allowed", block("",
		line{
			bold("Nothing was filed."), plain(" You may not ask to cancel "),
			bold(displayed(r.Submission.Card.Server.FQDN)), plain(":"),
		},
		sentence(w.deniedWhy(r)),
		sentence("Rule "+displayed(r.Decision.Rule)+" · ref "+r.Ref.Short()),
	))
}

func (w Writer) deniedWhy(r cancellation.Request) string {
	why := r.Why.Detail
	if r.Decision.Rule != "" { // else the decision cannot be read
		why = w.Decision(r.Decision)
	}
	if why = Cut(OneLine(why), 1000); why != "" {
		return why
	}
	return "the policy does not allow it."
}

// Recorded is what an accepted submission reads, in the form's place.
func Recorded(r cancellation.Request, order cancellation.Freeze) View {
	lines := []line{{bold(displayed(r.Submission.Card.Server.FQDN))}}
	said := recordedWords(r)
	if waits := order.Frozen && (r.State == cancellation.Pending || r.State == cancellation.Scheduled); waits {
		if r.State == cancellation.Scheduled {
			said = "Accepted, and not filed yet"
		}
		lines = append(lines, frozenBy(order, displayed))
	}
	lines = append(lines, sentence(said+" · ref "+r.Ref.Short()), sentence("The result goes to "+channelWords(r.Submission.Place)+"."))
	return notice("Recorded", block("", lines...))
}

// recordedWords says what happens next with a request that was just recorded.
func recordedWords(r cancellation.Request) string {
	waits := "Nothing is filed. You can withdraw this request until it is filed"
	if r.Recheck != cancellation.NoRecheck { // delivered again since
		waits = unfiled(r)
	}
	switch n := max(r.Decision.Approvals, 1); {
	case r.State == cancellation.Pending && n == 1:
		return "Waiting for the approval of one other person. " + waits
	case r.State == cancellation.Pending:
		return fmt.Sprintf("Waiting for the approval of %d other people. %s", n, waits)
	case r.State == cancellation.Scheduled && !r.UndoUntil.IsZero():
		return "Will be filed after " + instant(r.UndoUntil) + ". You can undo this request until then"
	}
	return standingWords(r.State)
}

// Held says whose request has the server.
func (w Writer) Held(r cancellation.Request) View {
	lines := []line{
		{
			bold("Nothing new was filed."), plain(" " + whose(r.Submission.By) + " already asked to cancel "),
			bold(displayed(r.Submission.Card.Server.FQDN)), plain("."),
		},
		sentence(standingWords(r.State) + " · ref " + r.Ref.Short()),
	}
	if r.Ticket.ID != 0 {
		lines = append(lines, line{w.ticket(r.Ticket)})
	}
	return notice("Already requested", block("", lines...))
}

// NotKnown is for a submission of which nobody can tell whether it was recorded.
func (w Writer) NotKnown(ref cancellation.Reference) View {
	who := w.choose("The people who run this bot can find out", "Ask %s, who can find out")
	if ref != "" {
		who += " · ref " + ref.Short()
	}
	return notice("Not known", block("",
		line{bold("We cannot tell whether this was recorded.")},
		sentence("Do not send the form again. If the request was recorded, it will be filed, and the result goes to the channel."),
		sentence(who),
	))
}

// BrokenForm is displayed over a form that cannot be read.
func BrokenForm(command string) View {
	return notice("Not recorded", block("",
		line{bold("Nothing was filed."), plain(" This form cannot be read. It belongs to another version of the bot or to somebody else, or it is incomplete.")},
		sentence("Close the form and type "+command+" again."),
	))
}

// standingWords is a state in a person's words, next to the server's name.
func standingWords(s cancellation.State) string {
	if known, is := standing[s]; is {
		return known
	}
	return displayed(string(s))
}

// standing says a state in a few words.
var standing = map[cancellation.State]string{
	cancellation.Pending:   "Waiting for approval",
	cancellation.Scheduled: "Being filed",
	cancellation.Filing:    "Being filed",
	cancellation.Unknown:   "Not known yet: the answer was lost, and SoftLayer's records are being read",
	cancellation.Stuck:     "Needs a person; the server is locked here meanwhile",
	cancellation.Filed:     "Cancellation requested",
	cancellation.Denied:    "Not allowed",
	cancellation.Declined:  "Declined",
	cancellation.Expired:   "Nobody answered",
	cancellation.Withdrawn: "Withdrawn",
	cancellation.Rejected:  "Not filed",
	cancellation.Duplicate: "Already requested",
	cancellation.Reverted:  "Not cancelled",
	cancellation.Reclaimed: "Gone",
}
