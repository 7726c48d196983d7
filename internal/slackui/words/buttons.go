package words

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
)

// The buttons of a request's messages, by action id. A button's value is the
// request's id; that of "There is none" adds since when the request is stuck.
const (
	ApproveAction  = "approve"
	DeclineAction  = "decline"
	DetailsAction  = "details"
	WithdrawAction = "withdraw"
	UndoAction     = "undo"
	FoundAction    = "found-ticket"
	NoneAction     = "found-none"
	LeaveAction    = "leave"
	CheckAction    = "check-now"
	TakenAction    = "on-it"     // of a server that is still there after its date
	AgainAction    = "ask-again" // of a request of which nothing came that stands
	AnotherAction  = "ask-another"
)

// ActionReplyBatch is the button to reply about several servers of a batch at once. Its value is the
// batch's id.
const ActionReplyBatch = "reply_batch"

// ButtonsBlock is the block of a request's buttons: at most one in a message.
const ButtonsBlock = "request"

// Live is the message of a request in its present state, with the buttons that belong to
// it. Whether a person may press one is decided when they do.
func (w Writer) Live(kind cancellation.NoticeKind, r cancellation.Request) Message {
	m := w.Result(r)
	if r.State == cancellation.Pending {
		m = w.pending(kind, r)
	}
	return withButtons(m, w.buttons(kind, r))
}

func (w Writer) buttons(kind cancellation.NoticeKind, r cancellation.Request) []slack.BlockElement {
	switch {
	case r.State == cancellation.Pending:
		return append([]slack.BlockElement{
			asking(button(r, ApproveAction, "Approve", slack.StylePrimary), "Approve this cancellation?", approveQuestion(r), "Approve", "Not yet"),
			button(r, DeclineAction, "Decline", slack.StyleDanger),
			button(r, DetailsAction, "Details", slack.StyleDefault),
			withdrawing(r, WithdrawAction, "Withdraw"),
		}, another(kind, r)...)
	case r.State == cancellation.Scheduled && r.Stoppable():
		return append(w.stopping(kind, r), another(kind, r)...)
	case r.State == cancellation.Stuck && w.peopleResolve():
		return []slack.BlockElement{
			button(r, FoundAction, "There is a ticket", slack.StylePrimary),
			asking(noneButton(r), "Did you look?",
				"Only if you looked. SoftLayer refuses a second open ticket for the same server, so at most one can stand.", "I looked: send again", "Leave it"),
			button(r, LeaveAction, "Leave the server", slack.StyleDefault),
			button(r, CheckAction, "Check now", slack.StyleDefault),
		}
	case r.State == cancellation.Filed:
		return append(w.TicketButtons(r, StopAction), another(kind, r)...)
	case CanAskAgain(r):
		return []slack.BlockElement{button(r, AgainAction, "Ask again", slack.StyleDefault)}
	}
	return nil
}

// stopping are the buttons of an accepted request before it is filed: its requester takes it back,
// others decline it. A direct message has only its reader's button.
func (w Writer) stopping(kind cancellation.NoticeKind, r cancellation.Request) []slack.BlockElement {
	undo := "Stop"
	if !r.UndoUntil.IsZero() {
		undo = "Undo"
	}
	takeBack, decline := withdrawing(r, UndoAction, undo), button(r, DeclineAction, "Decline", slack.StyleDanger)
	switch to := kind.Recipient(); {
	case to == r.Submission.By.ID, !w.peopleResolve():
		return []slack.BlockElement{takeBack}
	case to != "":
		return []slack.BlockElement{decline}
	}
	return []slack.BlockElement{takeBack, decline}
}

// another is the button with which the requester goes on with the next server: under the result, where they see it.
func another(kind cancellation.NoticeKind, r cancellation.Request) []slack.BlockElement {
	by := r.Submission.By.ID
	if by == "" || r.Batch != "" || kind != cancellation.Result && kind.Recipient() != by {
		return nil
	}
	return []slack.BlockElement{button(r, AnotherAction, "Cancel another", slack.StyleDefault)}
}

// CanAskAgain reports whether the same request with a fresh card may succeed: nothing was sent because
// the server is not what its card showed, or SoftLayer closed the ticket and did not cancel.
func CanAskAgain(r cancellation.Request) bool {
	again := r.State == cancellation.Reverted || r.State == cancellation.Rejected && slices.Contains([]cancellation.ReasonCode{
		cancellation.WhyChanged, cancellation.WhyBlocked, cancellation.WhyWarned, cancellation.WhyNotFound,
	}, r.Why.Code)
	return again && r.ID != ""
}

// noneButton carries which stuck state it is about.
func noneButton(r cancellation.Request) *slack.ButtonBlockElement {
	b := button(r, NoneAction, "There is none", slack.StyleDefault)
	b.Value = stuckAs(r)
	return b
}

// stuckAs names a request and one stuck state of it: its id, "@", and since when it is stuck,
// in milliseconds.
func stuckAs(r cancellation.Request) string {
	return r.ID + "@" + strconv.FormatInt(r.Since.UnixMilli(), 10)
}

// StuckOf reads what a button about a stuck request carries: the request's id, and since when
// it is stuck.
func StuckOf(value string) (id string, since time.Time, ok bool) {
	id, at, found := strings.Cut(value, "@")
	millis, err := strconv.ParseInt(at, 10, 64)
	return id, time.UnixMilli(millis).UTC(), found && err == nil
}

func (w Writer) peopleResolve() bool { return w.PeopleResolve != nil && w.PeopleResolve() }

func button(r cancellation.Request, action, text string, style slack.Style) *slack.ButtonBlockElement {
	b := slack.NewButtonBlockElement(action, r.ID, plainText(text))
	b.Style = style
	b.AccessibilityLabel = Cut(text+": "+ServerName(r), 75)
	return b
}

// maxQuestion is what the text of a dialog may hold.
const maxQuestion = 300

// asking returns a button that asks for confirmation before it does anything.
func asking(b *slack.ButtonBlockElement, title, question, yes, no string) *slack.ButtonBlockElement {
	b.Confirm = slack.NewConfirmationBlockObject(plainText(title), plainText(Cut(question, maxQuestion)), plainText(yes), plainText(no))
	b.Confirm.Style = b.Style
	return b
}

func withdrawing(r cancellation.Request, action, text string) *slack.ButtonBlockElement {
	return asking(button(r, action, text, slack.StyleDefault), text+" this request?",
		fmt.Sprintf("%s stays, and nothing is filed for this request. You can ask for the server again.", ServerName(r)), text, "Leave it")
}

func approveQuestion(r cancellation.Request) string {
	card := r.Submission.Card
	when := "When it goes"
	if on := goneOn(card.End()); on != nil {
		when = "Due to end on " + on.text() + ". Then"
	}
	return fmt.Sprintf("%s, id %d. %s its drives are wiped. After filing, only SoftLayer can stop it.", Cut(ServerName(r), 90), card.Server.ID, when)
}

// togetherButtons are the rows of buttons of what is told together. A row has each action once.
func (w Writer) togetherButtons(t together) [][]slack.BlockElement {
	kind, r := t.kind(), t[0].Request
	switch {
	case len(t) == 1:
		if row := w.newsButtons(kind, r); len(row) > 0 {
			return [][]slack.BlockElement{row}
		}
	case kind.Awaits() && w.MayWrite != nil && w.MayWrite():
		return [][]slack.BlockElement{{batchButton(cancellation.Batch{ID: r.Batch, Size: len(t)}, ActionReplyBatch, "Read and reply", slack.StyleDefault)}}
	case kind == cancellation.NewsStaff, kind.Awaits():
		return t.buttonEach(AnswerAction, "Read the answer", isFiled)
	case kind == cancellation.NewsEnds:
		return t.buttonEach(StopAction, w.stopLabel(r), func(r cancellation.Request) bool { return w.TicketButtons(r, StopAction) != nil })
	case kind == cancellation.NewsNotCancelled:
		return t.buttonEach(AgainAction, "Ask again", CanAskAgain)
	case kind == cancellation.NewsStill:
		return t.buttonEach(TakenAction, "I am on it", isFiled)
	}
	return nil
}

func isFiled(r cancellation.Request) bool { return r.State == cancellation.Filed }

// buttonEach is a button for each server, if there are few.
func (t together) buttonEach(action, label string, may func(cancellation.Request) bool) (rows [][]slack.BlockElement) {
	if len(t) > maxSpelled {
		return nil
	}
	for _, r := range t.rows() {
		if may(r) {
			labelled := Cut(label+": "+displayed(r.Submission.Card.Server.Hostname), 75)
			rows = append(rows, []slack.BlockElement{button(r, action, labelled, slack.StyleDefault)})
		}
	}
	return rows
}
