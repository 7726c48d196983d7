package words

import (
	"errors"
	"fmt"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// PeopleUnread is shown to a person whom Slack has not described.
func (w Writer) PeopleUnread(err error) string {
	return w.whoUnread(err, "Slack did not say in time who you are. Try again.")
}

// whoUnread says why nobody knows who a person is. late is what to say if trying again may help: a scope
// that the app lacks does not come by itself.
func (w Writer) whoUnread(err error, late string) string {
	if missing, is := errors.AsType[*cancellation.MissingScopeError](err); is {
		return "The bot's Slack app lacks the scope " + public(missing.Scope) + ", so the bot cannot read who you are. Tell " + w.contact() + "."
	}
	return late
}

// ServersInMessage says what is being looked up for a shortcut on a message.
const ServersInMessage = "the servers in this message"

// Help says what the command does.
func (w Writer) Help() Message {
	name := w.Command
	return message(
		line{bold("Ask SoftLayer to cancel a bare-metal server")},
		line{bold(name), plain(" opens a form: choose the server, read its card, say why, type its name.")},
		line{bold(name + " NAME"), plain(" opens the form with that server chosen. An id or an IP address works too.")},
		line{bold(name + " mine"), plain(" shows what you asked for. "), bold(name + " pending"), plain(" shows what waits for your approval. "), bold(name + " status NAME"), plain(" shows what became of requests for a server. Only you see them. The bot's Home tab shows the same.")},
		line{bold("Approve"), plain(" and "), bold("Decline"), plain(" on a waiting request are for people who may approve it. "), bold("Withdraw"), plain(" and "), bold("Undo"), plain(" are for the person who asked, until the request is filed.")},
		line{bold(name + " freeze WHY"), plain(" stops all filing, and "), bold(name + " unfreeze WHY"), plain(" lets filing go on. Anyone who may approve can do both.")},
		line{bold(name + " help"), plain(" shows this text. Only you see it.")},
		line{bold("Cancel this server…"), plain(" in a message's menu finds the servers that the message names, and posts the result in its thread. In Slack's own menu of shortcuts, it opens the form anywhere and sends the result only to you.")},
		sentence("Nothing is filed until you press Request cancellation. The result, with its ticket, is posted in the channel where you typed."),
		sentence("A server does not go at once. It runs until its next bill date, or until the one after if SoftLayer's cut-off has passed; then its drives are wiped. To stop a cancellation, update its ticket in time."),
	)
}

// NotOpened says that Slack did not take the form.
func (w Writer) NotOpened() Message {
	return message(line{bold("Nothing was opened and nothing was filed."), plain(" The form could not be opened. Type " + w.Command + " again.")})
}

// OpeningUnclear says that nobody knows whether the form has opened.
func (w Writer) OpeningUnclear() Message {
	return message(line{bold("Nothing was filed."), plain(" Slack's answer was lost. If no form has opened, or the form stays empty, type " + w.Command + " again.")})
}

// CannotAskAgain says that a request's button "Ask again" opens nothing.
func (w Writer) CannotAskAgain() Message {
	return message(line{bold("Nothing was filed."), plain(" This request cannot be asked for again from here. Type " + w.Command + " instead.")})
}

// MayNotAsk says that somebody may not ask for anything, and, where they may approve, what
// else they can do.
func (w Writer) MayNotAsk(d authz.Decision, approver bool) Message {
	lines := []line{
		{bold("Nothing was filed."), plain(" You may not ask for cancellations here:")},
		sentence(displayed(w.Decision(d))),
		sentence("Rule " + displayed(d.Rule)),
	}
	if approver {
		lines = append(lines, sentence("You can approve what others ask for: press Approve or Decline on a waiting request, "+
			"in its channel or in your direct messages. Type "+w.Command+" help for everything else."))
	}
	return message(lines...)
}

// SeesNoServer says in a form why somebody is shown no server.
func (w Writer) SeesNoServer(d authz.Decision) string {
	return "You may not ask for cancellations here: " + displayed(w.Decision(d)) + " Rule " + displayed(d.Rule) + "."
}

// TooMany is the reason why a person may ask for no more servers today.
func TooMany(most int) string {
	return fmt.Sprintf("you have asked for %d servers since midnight UTC, and nobody may ask for more in a day.", most)
}
