package words

import (
	"errors"
	"fmt"

	"github.com/slack-go/slack"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

func notRecorded(why string) Message {
	return message(line{bold("Nothing was recorded."), plain(" " + why)})
}

func nothingOpened(why string) Message {
	return message(line{bold("Nothing was opened."), plain(" " + why)})
}

// PressUnread says that a press came without its trigger.
func PressUnread() Message {
	return notRecorded("Slack did not send all of this press. Press again.")
}

// ButtonUnknown says that this build does not know a button.
func ButtonUnknown() Message {
	return message(sentence("Nothing was done. This button belongs to another version of the bot."))
}

// NoneUnread says that a button about a stuck request is of another build.
func (w Writer) NoneUnread() Message {
	return notRecorded("This button belongs to another version of the bot. Ask " + w.contact() + " to run bot resolve.")
}

// FormUnread says that a button's form is of another build.
func FormUnread() Message {
	return notRecorded("This form belongs to another version of the bot. Close the form and press the button again.")
}

// NothingOpenedUnread says that nobody knows yet who pressed a button.
func (w Writer) NothingOpenedUnread(err error) Message { return nothingOpened(w.PeopleUnread(err)) }

// NothingOpenedRefused says why a button opens nothing for who pressed it.
func (w Writer) NothingOpenedRefused(d authz.Decision) Message {
	return nothingOpened("You may not do this: " + ended(displayed(w.Decision(d))) + " Rule " + displayed(d.Rule))
}

// NothingOpenedFailed says that Slack did not open a button's form.
func NothingOpenedFailed() Message {
	return nothingOpened("Slack refused or did not answer. Press again.")
}

// TicketUnread says that this key cannot read a ticket, so that only a person's word shows what the
// ticket is about, and who can record it.
func (w Writer) TicketUnread(r cancellation.Request, ticket int64, err error) Message {
	pending := ""
	if errors.Is(err, cancellation.ErrSomeTicket) {
		pending = " A cancellation of this server is pending, but SoftLayer does not show by which ticket."
	}
	return notRecorded(fmt.Sprintf("This key cannot read ticket %d.%s Ask %s to run: bot resolve %s filed %d --unseen --why …",
		ticket, pending, w.contact(), r.Ref.Short(), ticket))
}

// Clicked tells the clicker what the request's message will not. It is empty if the click did what
// it says. verb is what they wanted to do.
func (w Writer) Clicked(c cancellation.Click, err error, verb string) Message {
	switch lost, unclear := errors.AsType[*cancellation.UnclearError](err); {
	case unclear:
		return message(line{bold("We cannot tell whether this was recorded."), plain(" Look at the request's message in a minute · ref " + lost.Ref.Short())})
	case errors.Is(err, cancellation.ErrPeopleUnread):
		return notRecorded(w.whoUnread(err, "Slack did not say in time who you are and which groups you are in. Press again."))
	case errors.Is(err, cancellation.ErrNoRequest):
		return notRecorded("There is no such request.")
	case err != nil:
		return notRecorded(capital(ended(clickError(err))) + " Try again. If that fails too, tell " + w.contact() + ".")
	}
	r := c.Request
	about := ServerName(r) + " · ref " + r.Ref.Short()
	switch c.Kind {
	case cancellation.ClickRefused:
		return notRecorded("You may not " + verb + " this: " + w.clickRefused(c.Decision) + " Rule " + displayed(c.Decision.Rule) + " · " + about)
	case cancellation.ClickRepeated:
		if r.State == cancellation.Pending && verb == "approve" {
			return message(sentence("You already approved this request. Another person has to approve too. " + about))
		}
		return message(sentence("You already did this, and it was recorded. The request is now: " + ended(standingWords(r.State)) + " " + about))
	case cancellation.ClickLate:
		return message(sentence(tooLate(r, verb) + " " + about))
	case cancellation.ClickDone:
	}
	return Message{}
}

// TakenOn says what became of "I am on it".
func (w Writer) TakenOn(c cancellation.Click, err error) Message {
	if err != nil || c.Kind != cancellation.ClickDone {
		return w.Clicked(c, err, "take on")
	}
	return message(sentence("Recorded: you are on it. Nobody is reminded of " + ServerName(c.Request) + " for 14 days."))
}

// clickRefused says why a rule refused a click.
func (w Writer) clickRefused(d authz.Decision) string {
	if d.Rule == cancellation.RuleRequesterWithdraws {
		return "only the person who asked can withdraw a request. If you may approve this request, decline it and say why."
	}
	return ended(displayed(w.Decision(d)))
}

// tooLate says why a click changed nothing.
func tooLate(r cancellation.Request, verb string) string {
	switch {
	case r.State == cancellation.Pending && verb == "approve":
		return "Too late: the time to approve this request ended at " + instant(r.ExpiresAt) + ". Nothing was changed."
	case r.State == cancellation.Stuck:
		return "Nothing was changed. Since this message was shown, the request was sent once more, and now it needs a person again. Look again."
	}
	return "Too late: " + ended(standingWords(r.State)) + " Nothing was changed."
}

// clickError is what a person reads of an error that they can act on; other errors are logged.
func clickError(err error) string {
	for _, known := range resolveErrors {
		if errors.Is(err, known.err) {
			return known.words
		}
	}
	if underWay, is := errors.AsType[*cancellation.UnderWayError](err); is {
		return "the request may still be on its way to SoftLayer until " + instant(underWay.Until) + "."
	}
	return "the bot could not do this now"
}

var resolveErrors = []struct {
	err   error
	words string
}{
	{cancellation.ErrNotStuck, "only a stuck request can be resolved"},
	{cancellation.ErrOtherServer, "that ticket is not about this server"},
	{cancellation.ErrTicketClosed, "that ticket is closed and does not carry this request's reference, and no cancellation is pending, so the ticket does not show what became of the request"},
	{cancellation.ErrTicketMade, "SoftLayer made this ticket for the request: resolve with it"},
	{cancellation.ErrTicketMissing, "name the ticket's id, a positive number"},
}

// Checked says what became of "Check now".
func (w Writer) Checked(c cancellation.Click, err error) Message {
	if err == nil && c.Kind == cancellation.ClickDone && c.Request.State == cancellation.Stuck {
		return message(sentence("Nothing was changed. SoftLayer's records were read just now, and still do not show for certain whether there is a ticket. " + ServerName(c.Request)))
	}
	return w.Clicked(c, err, "resolve")
}

// The callback ids of the forms that buttons open, and their fields. Their private_metadata is the
// request's id, followed by the stuck state if the form is about one. Who may do it is decided at
// submission.
const (
	DeclineCallback = "cancel-server:decline:1"
	FoundCallback   = "cancel-server:found:1"
	LeaveCallback   = "cancel-server:leave:1"

	WhyBlock     = "why"
	WhyAction    = "why"
	TicketBlock  = "ticket"
	TicketAction = "ticket"

	MaxWhy = 500 // characters of a person's reason
)

// ClickForms are the callback ids of these forms: what is typed into any of them belongs to a click.
var ClickForms = []string{DeclineCallback, FoundCallback, LeaveCallback}

// DeclineForm asks why a request is declined.
func DeclineForm(r cancellation.Request) View {
	return clickForm(r, DeclineCallback, "Decline a request", "Decline",
		"The requester and the channel will read your reason. Nothing is filed, and the server stays.", whyInput("Why do you decline?"))
}

// LeaveForm asks how somebody knows that there is no ticket and that none is wanted.
func LeaveForm(r cancellation.Request) View {
	form := clickForm(r, LeaveCallback, "Leave the server", "Leave it",
		"Choose this if there is no ticket and the server should stay. The request then ends, and nothing is sent.", whyInput("How do you know that there is no ticket?"))
	form.PrivateMetadata = stuckAs(r)
	return form
}

// FoundForm asks for the ticket that somebody found.
func FoundForm(r cancellation.Request) View {
	number := slack.NewPlainTextInputBlockElement(plainText("153572280"), TicketAction)
	number.MaxLength = 20
	return clickForm(r, FoundCallback, "There is a ticket", "Record it",
		"The bot reads this ticket and checks that it is about this server.",
		slack.NewInputBlock(TicketBlock, plainText("The ticket's id, a number"), nil, number), whyInput("How did you find the ticket?"))
}

func clickForm(r cancellation.Request, callback, title, submit, says string, fields ...slack.Block) View {
	about := block("about", line{bold(ServerName(r)), plain(" · ref " + r.Ref.Short())}, sentence(says))
	return View{
		Type: slack.VTModal, CallbackID: callback, PrivateMetadata: r.ID,
		Title: plainText(title), Submit: plainText(submit), Close: plainText("Not yet"),
		Blocks: slack.Blocks{BlockSet: append([]slack.Block{about}, fields...)},
	}
}

func whyInput(label string) slack.Block {
	field := slack.NewPlainTextInputBlockElement(nil, WhyAction)
	field.Multiline, field.MaxLength = true, MaxWhy
	return slack.NewInputBlock(WhyBlock, plainText(label), nil, field)
}

// NotRecorded is the view in place of a button's form that recorded nothing.
func NotRecorded(why Message) View { return notice("Not recorded", why.Blocks...) }

// RecordedSoFar is what a person reads in a form's place if not all of it was recorded, or not yet.
func RecordedSoFar(said Message) View { return notice("Recorded", said.Blocks...) }

// Details is what was asked for, on the card as its requester saw it, with the addresses that
// no channel shows.
func (w Writer) Details(r cancellation.Request) View {
	blocks := []slack.Block{footnote("", "As it was when "+whose(r.Submission.By)+" asked · "+footText(r))}
	if r.Submission.By.ID != "" {
		blocks = append(blocks, block("asked", askedLines(r.Submission)...))
	}
	return notice("Details", append(blocks, block("", sentence("“"+Cut(OneLine(r.Submission.Content), 2000)+"”"), askedBy(r)))...)
}
