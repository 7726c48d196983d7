package words

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/slack-go/slack"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
)

// The buttons about an answer of SoftLayer's staff, by action id. The value of the first is the
// request's id; that of the second adds which update needs no answer.
const (
	AnswerAction   = "read-answer"
	NoAnswerAction = "no-answer"
)

// The callback ids of the view that shows an answer, and of the form for why none is needed.
const (
	AnswerCallback   = "cancel-server:answer:1"
	NoAnswerCallback = "cancel-server:no-answer:1"
)

// MaxAnswer is how many characters of SoftLayer's answers a person reads in Slack.
const MaxAnswer = 3000

// offering is a message with a button that opens the answer, and one to reply to it.
func (w Writer) offering(r cancellation.Request, label string, lines ...line) Message {
	buttons := []slack.BlockElement{button(r, AnswerAction, label, slack.StyleDefault)}
	return withButtons(message(lines...), append(buttons, w.TicketButtons(r, ReplyAction)...))
}

// waits says in a thread that SoftLayer waits for an answer.
func (w Writer) waits(r cancellation.Request) Message {
	return w.offering(r, "Read and reply",
		head("✋ SoftLayer is waiting for an answer about "+ServerName(r)+"."),
		sentence("The cancellation may not go on without it."), line{w.ticket(r.Ticket), plain(".")},
	)
}

// stillWaits reminds somebody of an answer that they owe SoftLayer.
func (w Writer) stillWaits(r cancellation.Request, since time.Time) []line {
	says := "✋ Still waiting for your answer about " + ServerName(r)
	if !since.IsZero() {
		says += "," + sinceDay(since)
	}
	lines := []line{head(says + ".")}
	if by := r.StopBy(); !by.IsZero() {
		lines = append(lines, sentence("Cut-off: "+minute(by)+inZone(by)+"."))
	}
	return append(lines, line{w.ticket(r.Ticket), plain(".")})
}

// unanswered tells people who can answer that nobody has.
func (w Writer) unanswered(r cancellation.Request, since time.Time) []line {
	said := line{plain("Its requester")}
	if by := r.Submission.By; by.ID != "" {
		said = line{person(by.ID, by.Name)}
	}
	return []line{
		head("✋ " + ServerName(r) + ": SoftLayer has waited for an answer" + sinceDay(since) + "."),
		append(said, plain(" has not replied; anyone who may approve on it can.")),
		{w.ticket(r.Ticket), plain(".")},
	}
}

// sinceDay is a day in the year's course; nothing if it is not known.
func sinceDay(since time.Time) string {
	if since.IsZero() {
		return ""
	}
	return " since " + since.UTC().Format("Mon 2 Jan")
}

const answerTitle = "SoftLayer's answer"

// AnswerOpening is shown while it is read who asks, and what staff wrote.
func AnswerOpening() View {
	view := notice(answerTitle, block("", sentence("Reading the ticket at SoftLayer…")))
	view.CallbackID = AnswerCallback
	return view
}

// AnswerRefused says why somebody may not read an answer.
func (w Writer) AnswerRefused(d authz.Decision) View {
	return notice(answerTitle, block("", sentence("You may not read this: "+ended(displayed(w.Decision(d)))+" Rule "+displayed(d.Rule)+".")))
}

// AnswerUnknown says that it could not be read who asks, or for which request.
func (w Writer) AnswerUnknown(err error) View {
	why := w.PeopleUnread(err)
	if !errors.Is(err, cancellation.ErrPeopleUnread) {
		why = "The request could not be read. Press again."
	}
	return notice(answerTitle, block("", sentence(why)))
}

// AnswerUnread says that the answer could not be read, and where it stands.
func (w Writer) AnswerUnread(r cancellation.Request) View {
	return notice(answerTitle, block("",
		sentence("SoftLayer did not show the answer now. Read it in IBM Cloud, or try again."), line{w.ticket(r.Ticket), plain(".")},
	))
}

// Answer shows what SoftLayer's staff wrote last, at most MaxAnswer characters, and then the link to
// the ticket. entries are the ticket's, the oldest first. asks is the update that waits for an answer;
// 0 if none does.
func (w Writer) Answer(r cancellation.Request, entries []cancellation.TicketEntry, asks int64) View {
	view := AnswerOpening()
	blocks := []slack.Block{block("about", line{bold(ServerName(r)), plain(" · ref " + r.Ref.Short())})}
	shown, whole := answers(entries)
	for _, a := range shown {
		if !a.At.IsZero() {
			blocks = append(blocks, footnote("", "SoftLayer's staff, "+instant(a.At)))
		}
		blocks = append(blocks, slack.NewSectionBlock(plainText(a.Text), nil, nil))
	}
	more := line{w.ticket(r.Ticket), plain(".")}
	switch {
	case len(shown) == 0:
		more = append(line{plain("SoftLayer's staff wrote nothing that this key can see. ")}, more...)
	case !whole:
		more = append(line{plain("There is more in ")}, w.ticketInside(r.Ticket), plain("."))
	}
	blocks = append(blocks, block("more", more))
	row := w.TicketButtons(r, ReplyAction)
	if asks > 0 && r.State == cancellation.Filed {
		none := button(r, NoAnswerAction, "No answer needed", slack.StyleDefault)
		none.Value = r.ID + "@" + strconv.FormatInt(asks, 10)
		row = append(row, none)
	}
	if len(row) > 0 {
		blocks = append(blocks, slack.NewActionBlock(ButtonsBlock, row...))
	}
	view.Blocks = slack.Blocks{BlockSet: blocks}
	return view
}

// LastAnswer is the last thing that staff wrote, for a direct message.
func LastAnswer(entries []cancellation.TicketEntry) string {
	if shown, _ := answers(entries); len(shown) > 0 {
		return Cut("“"+shown[0].Text+"”", MaxAnswer)
	}
	return ""
}

// answers are the last things that staff wrote, the newest first, in at most MaxAnswer characters. An
// answer that SoftLayer split into several updates of one time is one. whole says that nothing of
// staff's is left out.
func answers(entries []cancellation.TicketEntry) (shown []cancellation.TicketEntry, whole bool) {
	var all []cancellation.TicketEntry
	split := false
	for _, e := range entries {
		last := len(all) - 1
		switch {
		case !e.ByStaff:
		case split && !e.At.IsZero() && e.At.Equal(all[last].At):
			all[last].Text += e.Text
		default:
			all = append(all, e)
		}
		split = e.ByStaff
	}
	left := MaxAnswer
	for _, e := range slices.Backward(all) {
		all := inert(e.Text, len(e.Text))
		if all == "" {
			continue
		}
		if left < leastAnswer || len(shown) == mostAnswers {
			return shown, false
		}
		e.Text = Cut(all, left)
		shown = append(shown, e)
		if e.Text != all {
			return shown, false
		}
		left -= len(utf16.Encode([]rune(all)))
	}
	return shown, true
}

// Bounds of what a view shows: how many answers, and from how many characters on one is worth beginning.
const (
	mostAnswers = 10
	leastAnswer = 100
)

// NoAnswerForm asks why an update needs no answer.
func NoAnswerForm(r cancellation.Request, value string) View {
	form := clickForm(r, NoAnswerCallback, "No answer needed", "Stop reminding",
		"Nobody is reminded of it until SoftLayer's staff write again. Nothing is sent to SoftLayer.", whyInput("Why is no answer needed?"))
	form.PrivateMetadata = value
	return form
}

// NothingWaits says that SoftLayer waits for no answer to what was shown.
func NothingWaits() Message {
	return message(head("SoftLayer does not wait for this answer any more."), sentence("Nothing was changed."))
}

// WrittenAll is the message in a batch's thread about the replies that one form made. It holds no word of them.
func (w Writer) WrittenAll(form []correspondence.Update, rows []cancellation.Request) Message {
	by := person(form[0].By.ID, form[0].By.Name)
	counts := map[string]int{}
	for _, u := range form {
		counts[progressOf(u)]++
	}
	var parts []string
	for _, state := range []string{"sent", "on the way", "not known yet", "proposed", "not sent"} {
		if counts[state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[state], state))
		}
	}
	lines := []line{{plain("Replies to SoftLayer about " + servers(len(form)) + " by "), by, plain(": " + strings.Join(parts, " · ") + ".")}}
	lines = append(lines, sentence(serverNames(written(form, rows), partSaid)+"."))
	if counts["proposed"] > 0 {
		lines = append(lines, sentence("People who may approve are asked to send what was proposed. Nothing of it was sent yet."))
	}
	if counts["not known yet"] > 0 {
		lines = append(lines, sentence("We cannot tell yet whether some reached their tickets. They are not sent twice; this message will change."))
	}
	return message(append(lines, unsent(form, rows)...)...)
}

// progressOf is how far a reply has come.
func progressOf(u correspondence.Update) string {
	switch u.State {
	case correspondence.Sent:
		return "sent"
	case correspondence.Unknown:
		return "not known yet"
	case correspondence.Proposing, correspondence.Proposed:
		return "proposed"
	case correspondence.NotSent, correspondence.Refused:
		return "not sent"
	}
	return "on the way"
}

// unsent names the servers whose tickets do not get a reply, and why.
func unsent(form []correspondence.Update, rows []cancellation.Request) (lines []line) {
	for _, u := range form {
		at := slices.IndexFunc(rows, func(r cancellation.Request) bool { return r.ID == u.RequestID })
		if at < 0 || progressOf(u) != "not sent" {
			continue
		}
		if len(lines) == mostWhys {
			return append(lines, sentence("And more. The status of each server says it."))
		}
		why, next := unsentWhy(u, rows[at])
		lines = append(lines, sentence(Cut(strings.TrimSpace("Not sent: "+ServerName(rows[at])+". "+why+" "+next), 300)))
	}
	return lines
}

// ProposalForAll is the direct message that asks somebody who may approve to send one reply to several tickets. It
// names no server and counts none: they may approve on some of them only, and the form shows which.
func (w Writer) ProposalForAll(form []correspondence.Update, rows []cancellation.Request) Message {
	first := form[0]
	m := message(
		line{person(first.By.ID, first.By.Name), plain(" asks you to reply to SoftLayer about servers of a list.")},
		sentence("Nothing was sent yet. The button shows the servers that you may answer for. You can change the text, and choose the servers, before you send it."),
	)
	m.Blocks = append(m.Blocks, block("text", sentence("“"+inert(first.Text, 3000)+"”")))
	return withButtons(m, w.answerBatch(rows[0].Batch, "Read and reply"))
}

// written are the requests that texts are for.
func written(form []correspondence.Update, rows []cancellation.Request) []cancellation.Request {
	return slices.DeleteFunc(slices.Clone(rows), func(r cancellation.Request) bool {
		return !slices.ContainsFunc(form, func(u correspondence.Update) bool { return u.RequestID == r.ID })
	})
}
