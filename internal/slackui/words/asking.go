package words

import (
	"errors"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/closing"
	"cancel-server/internal/overview"
	"cancel-server/internal/serverlist"
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
		line{bold(name + " NAME, NAME"), plain(" or the form's Several servers… asks for many at once: names, ids and addresses, or tag:NAME, dc:fra02, pod:dal09.pod03 and closing: to look for them. You review the list and type how many there are.")},
		line{bold(name + " mine"), plain(" shows what you asked for. "), bold(name + " pending"), plain(" shows what waits for your approval. "), bold(name + " status NAME"), plain(" shows what became of requests for a server. "), bold(name + " closing"), plain(" shows data centers and pods that close, with the servers that are not asked for yet. Only you see them. The bot's Home tab shows the same.")},
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

// AnotherIsTheirs says that somebody else's request opens no form.
func (w Writer) AnotherIsTheirs() Message {
	return nothingOpened("The form would hold the text of the person who asked, so only they can go on from here. Type " + w.Command + " to ask for a server.")
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

// maxPlaces is how many closing places a board shows. They come with the earliest first.
const maxPlaces = 10

// DayFull says that a person can ask for no more servers today.
const DayFull = "You can ask for no more servers today: you have asked for as many as one person may in a day. The day ends at midnight UTC."

// FewerLeft says how many more servers a person may ask for today.
func FewerLeft(room int) string {
	if room <= 0 {
		return DayFull
	}
	return fmt.Sprintf("You can ask for %d more today. Leave some out.", room)
}

// FormTakes says how many servers one form takes.
func FormTakes(most int) string { return fmt.Sprintf("One form takes %d. Leave some out.", most) }

// Closing shows a person the places that close. To people who see none it says the same, whoever they
// are.
func (w Writer) Closing(p overview.Page) Message {
	b := p.Closing
	none := "No closing data center or pod has servers you may ask for."
	switch {
	case len(b.Places) == 0 && b.Gap:
		return message(line{bold("What closes could not be read now."), plain(" The bot may still be reading SoftLayer's servers, or their tags. Try again in a minute.")})
	case len(b.Places) == 0 && b.Undecided == 0:
		return message(sentence(none))
	}
	text := []line{head("Closing")}
	for _, s := range b.Places[:min(len(b.Places), maxPlaces)] {
		text = append(text, closes(s), progress(s))
	}
	if notes := boardNotes(b); notes != "" {
		text = append(text, sentence(notes))
	}
	return Message{Text: fitting(flat(text...)), Blocks: append([]slack.Block{block("", head("Closing"))}, board(b)...)}
}

// board shows each place in a block of its own, and then what is missing.
func board(b closing.Board) []slack.Block {
	var blocks []slack.Block
	for _, s := range b.Places[:min(len(b.Places), maxPlaces)] {
		blocks = append(blocks, closure(b, s)...)
	}
	if notes := boardNotes(b); notes != "" {
		blocks = append(blocks, footnote("", notes))
	}
	return append(blocks, markdown("closing-as-of", "Requests as of "+clockTime(b.AsOf)+", servers as of "+clockTime(b.Listed)+"."))
}

// closure shows one place.
func closure(b closing.Board, s closing.Standing) []slack.Block {
	lines := []line{closes(s), progress(s)}
	for _, text := range []string{sharing(s), daysLeft(b, s), reviewable(b, s), unplaced(s)} {
		if text != "" {
			lines = append(lines, sentence(text))
		}
	}
	shown := []slack.Block{block("", lines...)}
	now, _ := b.Fits(s)
	if now == 0 {
		return shown
	}
	button := slack.NewButtonBlockElement(ReviewAction, closingQuery(s), plainText(fmt.Sprintf("Review %d", now)))
	button.AccessibilityLabel = Cut(fmt.Sprintf("Review %d servers of %s", now, displayed(s.Place)), 75)
	return append(shown, slack.NewActionBlock("", button))
}

// ReviewAction opens the list of what is not asked for yet in a closing place. The button's value is the query.
const ReviewAction = "review-closing"

// closingQuery finds the servers of a closing place in a list.
func closingQuery(s closing.Standing) string {
	word := serverlist.Pod
	if s.Whole() {
		word = serverlist.DC
	}
	return serverlist.Query{Word: word, Name: s.Place}.String()
}

// closes says which place closes when, and how many of its servers the reader sees.
func closes(s closing.Standing) line {
	sees := fmt.Sprintf(" You see %d of its servers", s.Servers)
	if len(s.Outside) > 0 {
		sees += ", without those in " + displayed(strings.Join(s.Outside, ", "))
	}
	if s.Day.IsZero() {
		return line{plain("SoftLayer has announced that "), bold(displayed(s.Place)), plain(" will close. No date is set here." + sees + ".")}
	}
	return line{bold(displayed(s.Place)), plain(" closes on " + s.Day.UTC().Format("Mon 2 January 2006") + " (date set by your administrator)." + sees + ".")}
}

// progress says how far a place's servers are asked for, and what the rest costs.
func progress(s closing.Standing) line {
	parts := []string{fmt.Sprintf("%d asked", s.Asked), fmt.Sprintf("%d waiting for approval", s.Waiting)}
	return line{bold(strings.Join(append(parts, fmt.Sprintf("%d not asked yet", s.Rest)), " · ")), plain(restCost(s))}
}

func restCost(s closing.Standing) string {
	var costs []string
	if known := s.Rest - s.Unknown - s.Unread; known > 0 {
		costs = append(costs, byThousands(s.Fee)+" USD a month")
	}
	if s.Unknown > 0 {
		costs = append(costs, fmt.Sprintf("%d whose cost this key cannot see", s.Unknown))
	}
	if s.Unread > 0 {
		costs = append(costs, fmt.Sprintf("%d whose cost was not read yet", s.Unread))
	}
	last := len(costs) - 1
	switch {
	case last < 0:
		return ""
	case last == 0:
		return ", " + costs[0]
	}
	return ", " + strings.Join(costs[:last], ", ") + " and " + costs[last]
}

// sharing says which pods' servers are counted with a place's own.
func sharing(s closing.Standing) string {
	if len(s.Sharing) == 0 {
		return ""
	}
	return "It shares a router with " + displayed(strings.Join(s.Sharing, ", ")) + ": their servers cannot be told apart, and count in the pod that closes first."
}

// daysLeft says how many days are left after today, in UTC.
func daysLeft(b closing.Board, s closing.Standing) string {
	if s.Day.IsZero() {
		return ""
	}
	switch left := s.DaysLeft(b.AsOf); {
	case left > 1:
		return fmt.Sprintf("%d days are left.", left)
	case left == 1:
		return "1 day is left."
	case left == 0:
		return "That is today."
	}
	return "That day has passed."
}

// reviewable says how many servers the reader can ask for now, and how many remain.
func reviewable(b closing.Board, s closing.Standing) string {
	if s.Askable == 0 || b.LeftToday < 0 {
		return ""
	}
	of := fmt.Sprintf("%d of these %d", s.Askable, s.Rest)
	switch {
	case s.Rest == 1:
		of = "this one"
	case s.Askable == s.Rest:
		of = fmt.Sprintf("these %d", s.Rest)
	}
	now, remain := b.Fits(s)
	switch {
	case now == 0:
		return fmt.Sprintf("You may ask for %s, but for none today: nobody may ask for more in a day. %s.", of, remains(remain))
	case now == 1 && remain == 0:
		return fmt.Sprintf("You may ask for %s today.", of)
	case remain == 0:
		return fmt.Sprintf("You may ask for %s, all of them today.", of)
	case now == b.InForm:
		return fmt.Sprintf("You may ask for %s, %d of them in one form. Then %s.", of, now, remains(remain))
	}
	return fmt.Sprintf("You may ask for %s, %d of them today. Then %s.", of, now, remains(remain))
}

func remains(n int) string {
	if n == 1 {
		return "1 remains"
	}
	return fmt.Sprintf("%d remain", n)
}

func unplaced(s closing.Standing) string {
	if s.Unplaced == 0 {
		return ""
	}
	return fmt.Sprintf("%d more of the servers that you see in %s may be in it: %s pod is not visible to this key.", s.Unplaced, displayed(s.Datacenter), oneOrMore(s.Unplaced, "its", "their"))
}

// boardNotes says what a board does not show.
func boardNotes(b closing.Board) string {
	var notes []string
	if more := len(b.Places) - maxPlaces; more > 0 {
		notes = append(notes, fmt.Sprintf("%d more %s. These close first.", more, oneOrMore(more, "place closes", "places close")))
	}
	if b.Undecided > 0 {
		notes = append(notes, "Some servers are not counted: there was no time to decide whether you may see them.") // how many is not for everybody
	}
	if b.Gap {
		notes = append(notes, "Not everything could be read now. Try again in a minute.")
	}
	return strings.Join(notes, " ")
}
