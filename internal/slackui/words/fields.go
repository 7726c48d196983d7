package words

import (
	"errors"
	"fmt"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/serverlist"
)

// What stands at a field of a form that was not taken.
const (
	ChooseServer     = "Choose a server from the list. Nothing was filed."
	TickWarnings     = "Tick each of these, or keep the server. Nothing was filed."
	ContentTooLong   = "At most 3,000 characters."
	NobodyNotified   = "Nothing was filed. This needs the approval of other people, and nobody who may approve would see the request here. Ask again in a channel that this bot is in."
	CardNotKept      = "Nothing was filed. The server's card could not be saved. Press Request cancellation again."
	WhyMissing       = "Say why. People will read your reason."
	TicketNotANumber = "The ticket's id is a number, like 153572280."
)

// NotEnoughPeople says that nobody could give the approvals that a request needs.
func (w Writer) NotEnoughPeople() string {
	return "Nothing was filed. This needs the approval of other people, and the policy does not let enough people approve. " +
		w.choose("The people who run this bot can say more.", "Ask %s.")
}

// NotWritten says that a submission could not be recorded.
func (w Writer) NotWritten() string {
	return "This try was not recorded: the bot could not save it. Try again. If that fails too, tell " + w.contact() + "."
}

// What stands in a form about its card.
const (
	CardJustRead     = "Nothing was filed. This card was read just now: check it, then press Request cancellation again."
	ChosenNotKept    = "The server's card could not be saved. Choose the server again."
	nothingWasFiled  = " Nothing was filed."
	keptWhatYouTyped = " Nothing was filed, and what you typed is kept. Press Request cancellation again."
)

// Unseen is the field's error for somebody who is shown no server.
func Unseen(why string) string { return why + nothingWasFiled }

// DayIsFull is the field's error for somebody who asked for too many servers today.
func DayIsFull(most int) string { return "Nothing was filed: " + TooMany(most) }

// Blocked is the field's error for a server that cannot be cancelled.
func Blocked(c cancellation.Card, b cancellation.Blocker) string {
	return "Cannot be cancelled here: " + blockedWords(c, b) + "." + nothingWasFiled
}

// ChosenUnread says why a server that was chosen has no card.
func ChosenUnread(err error) string {
	return lookFailed(err) + " Choose the server again, or choose another."
}

// SubmittedUnread says why a server that was submitted has no card.
func SubmittedUnread(err error) string { return lookFailed(err) + keptWhatYouTyped }

// lookFailed says why there is no card.
func lookFailed(err error) string {
	vanished, is := errors.AsType[*cancellation.VanishedError](err)
	switch {
	case is:
		return "SoftLayer did not find this server just now. Its cancellation was requested (" + vanished.Ref.Short() + "). Whether the server is gone will be known by " + instant(vanished.Known) + "."
	case errors.Is(err, cancellation.ErrServerNotFound):
		return "SoftLayer has no such server, or this key may not see it."
	case errors.Is(err, cancellation.ErrKeyRefused):
		return "SoftLayer does not take the bot's key, so this server cannot be read."
	}
	return "SoftLayer did not answer about this server."
}

// Problems puts each problem of a submission at its field's block.
func Problems(s cancellation.Submission, problems []cancellation.Problem) map[string]string {
	confirm := BlockOf(ConfirmBlock, s.Card.Server.ID)
	found := make(map[string]string)
	for _, problem := range problems {
		switch problem {
		case cancellation.ProblemReason:
			found[ReasonBlock] = "Choose one of the ten reasons."
		case cancellation.ProblemContentEmpty:
			found[ContentBlock] = "Say what ran here and why it can go: SoftLayer does not take an empty text."
		case cancellation.ProblemContentLong:
			found[ContentBlock] = ContentTooLong
		case cancellation.ProblemAssociated:
			found[ServerBlock] = "This card showed no associated items that could go too. Choose the server again."
		case cancellation.ProblemConfirmation:
			found[confirm] = "That is not the server on the card, which is " + displayed(s.Card.Server.FQDN) + ". If you meant another server, choose it above."
		case cancellation.ProblemShortName:
			found[confirm] = "Type " + displayed(s.Card.Server.FQDN) + ": another server may have this short name too."
		}
	}
	return found
}

// SubmitterUnread says at a field that nobody knows who submitted the form.
func (w Writer) SubmitterUnread(err error) string {
	return "This try was not recorded. " + w.whoUnread(err, "Slack did not say in time who you are and which groups you are in. Try again.")
}

// mostQueries is how many queries one form takes. A review says of each what it finds, and Slack shows at most 100 blocks.
const mostQueries = 20

// ListProblem says what is wrong with a list, at its field; "" if it can be reviewed. most is how many one form
// takes, and left how many this person may still ask for today.
func ListProblem(l serverlist.List, err error, most, left int) string {
	wrong, is := errors.AsType[*serverlist.QueryError](err)
	switch {
	case is:
		return queryProblem(wrong.Wrong[0])
	case len(l.Entries)+len(l.Queries) == 0:
		return "Name at least one server."
	case len(l.Queries) > mostQueries:
		return fmt.Sprintf("%d queries (tag:, dc:, pod: and closing:) are too many: one form takes %d.", len(l.Queries), mostQueries)
	case left <= 0:
		return DayFull
	case len(l.Entries) > min(most, left):
		return fmt.Sprintf("%d names are too many: one form takes %d, and you can ask for %d more today.", len(l.Entries), most, left)
	}
	return ""
}

func queryProblem(wrong serverlist.WrongQuery) string {
	text := "“" + Cut(OneLine(wrong.Text), 60) + "” cannot be looked up. "
	switch wrong.Why {
	case serverlist.UnknownWord:
		if wrong.Meant != "" {
			return text + "Did you mean " + string(wrong.Meant) + ":?"
		}
	case serverlist.NoName:
		return text + "Write what to look for after the colon."
	case serverlist.TakesNoName:
		return text + "closing: stands alone."
	case serverlist.NotAPlace:
		return text + "Data centers are called like che01, and pods like dal09.pod03."
	}
	return text + "Write tag:NAME, dc:NAME, pod:NAME or closing:"
}

// What a form for a ticket says at its field if it was not taken.
const (
	TicketTextMissing = "Write what SoftLayer's staff should read."
	TicketUnreadNow   = "SoftLayer did not say in time whether its staff wrote meanwhile. Nothing was sent. Send again."
)

// LetterFailed says at the field of a form that its text was not recorded, or that nobody can tell. The same form may be
// sent again: it records once.
func (w Writer) LetterFailed(err error) string {
	switch {
	case errors.Is(err, cancellation.ErrUnclear):
		return "We cannot tell whether this was recorded. Send it again from this form: it is sent once at most."
	case errors.Is(err, cancellation.ErrPeopleUnread):
		return "This try was not recorded. " + w.PeopleUnread(err)
	}
	return "This try was not recorded: the bot could not do this now. Send again from this form: it is sent once at most. If that fails too, tell " + w.contact() + "."
}
