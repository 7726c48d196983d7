package words

import (
	"errors"

	"cancel-server/internal/cancellation"
)

// What stands at a field of a form that was not taken.
const (
	ChooseServer     = "Choose a server from the list. Nothing was filed."
	TickWarnings     = "Tick each of these, or keep the server. Nothing was filed."
	ContentTooLong   = "At most 3,000 characters."
	NobodyNotified   = "This needs the approval of other people, and here nobody would be shown it. Nothing was filed: ask again in a channel that this bot is in."
	NotEnoughPeople  = "This needs the approval of other people, and by the policy there are not enough who could give it. Nothing was filed: whoever runs this bot can say more."
	SubmitterUnread  = "Slack did not say in time who you are and which groups you are in. This try was not recorded: try again."
	NotWritten       = "This try was not recorded: the bot could not write it down. Try again; if it stays so, tell whoever runs this bot."
	CardNotKept      = "The server's card could not be kept. Nothing was filed: press Request cancellation once more."
	WhyMissing       = "Say why: people read it."
	TicketNotANumber = "The ticket's id is a number, like 153572280."
)

// What stands in a form about its card.
const (
	CardJustRead     = "This card was read just now. Nothing was filed: check it, and press Request cancellation once more."
	ChosenNotKept    = "The server's card could not be kept. Choose again."
	nothingWasFiled  = " Nothing was filed."
	keptWhatYouTyped = " Nothing was filed, and what you typed is kept: press Request cancellation once more."
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
func ChosenUnread(err error) string { return lookFailed(err) + " Choose again, or another one." }

// SubmittedUnread says why a server that was submitted has no card.
func SubmittedUnread(err error) string { return lookFailed(err) + keptWhatYouTyped }

// lookFailed says why there is no card.
func lookFailed(err error) string {
	vanished, is := errors.AsType[*cancellation.VanishedError](err)
	switch {
	case is:
		return "SoftLayer did not find this server just now. Its cancellation was requested (" + vanished.Ref.Short() + "). Whether it is gone is known after " + instant(vanished.Known) + "."
	case errors.Is(err, cancellation.ErrServerNotFound):
		return "SoftLayer has no such server, or this key may not see it."
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
			found[ContentBlock] = "Say what ran here and why it can go: SoftLayer takes no empty text."
		case cancellation.ProblemContentLong:
			found[ContentBlock] = ContentTooLong
		case cancellation.ProblemAssociated:
			found[ServerBlock] = "This card showed no associated items that could go too. Choose the server again."
		case cancellation.ProblemConfirmation:
			found[confirm] = "This is not the name of the server on the card: " + displayed(s.Card.Server.FQDN)
		case cancellation.ProblemShortName:
			found[confirm] = "Another server may have this short name too. Type all of it: " + displayed(s.Card.Server.FQDN)
		}
	}
	return found
}
