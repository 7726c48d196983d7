package words

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/overview"
)

// RefreshAction is the button of the Home tab that publishes it again.
const RefreshAction = "home-refresh"

// rowBlock begins the block id of the buttons of a request in a list that only one person sees.
const rowBlock = "row:"

// InList reports whether a button's block is of a list that only its reader sees, and which does not
// change by itself.
func InList(block string) bool { return strings.HasPrefix(block, rowBlock) }

// section is one list with its heading, and what its rows say beyond the request.
type section struct {
	name  string
	title string
	list  overview.List
	few   string // which rows stand there, if there are more
	why   bool   // each row says why the reader sees it
}

// homeSections are the sections of the Home tab, in their order.
func homeSections(p overview.Page) []section {
	return []section{
		approveSection(p.Approve),
		{"answer", "Waiting for your answer", p.Answer, newestFew, false},
		ownSection(p.Own),
		{"ending", "Ending next", p.Ending, "These end first.", false},
	}
}

func approveSection(l overview.List) section {
	return section{"approve", "Waiting for your approval", l, newestFew, true}
}

func ownSection(l overview.List) section { return section{"own", "Your requests", l, newestFew, false} }

const newestFew = "These are the newest."

// Home is a person's Home tab. For people who may see nothing it says nothing about servers.
func (w Writer) Home(p overview.Page) View {
	switch {
	case p.AsOf.IsZero():
		return home(block("", sentence("Nothing needs you now.")))
	case !p.Access && p.Empty():
		return home(block("", sentence("You cannot ask for or approve cancellations here. "+capital(w.contact())+" can tell you more.")), refresh())
	}
	var blocks []slack.Block
	if p.Frozen.Frozen {
		blocks = append(blocks, block("frozen", frozenBy(p.Frozen, displayed), sentence("You can still ask; nothing is filed until the freeze is lifted.")))
	}
	asOf := "As of " + clockTime(p.AsOf) + "."
	if p.Empty() {
		asOf = "Nothing needs you now. " + asOf
	}
	blocks = append(blocks, markdown("as-of", asOf), refresh())
	for _, s := range homeSections(p) {
		if !s.list.Empty() {
			blocks = append(append(blocks, slack.NewHeaderBlock(plainText(s.title))), w.section(s)...)
		}
	}
	switch {
	case len(p.Closing.Places) > 0:
		blocks = append(append(blocks, slack.NewHeaderBlock(plainText("Closing"))), board(p.Closing)...)
	case p.Closing.Gap && p.Closing.Closing > 0:
		blocks = append(blocks, footnote("", "What closes could not be read now. Press Refresh in a minute."))
	}
	return home(blocks...)
}

// HomeUnread is the Home tab while nobody can tell what its reader may see.
func (w Writer) HomeUnread() View {
	return home(block("", line{bold("Nothing can be shown now."), plain(" Slack or the bot's database did not answer in time. Press Refresh in a minute.")}), refresh())
}

func home(blocks ...slack.Block) View {
	return View{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: blocks}}
}

func refresh() slack.Block {
	return slack.NewActionBlock("refresh", slack.NewButtonBlockElement(RefreshAction, "", plainText("Refresh")))
}

func approvalsOf(r cancellation.Request) string {
	return fmt.Sprintf("approvals %d of %d", len(r.Approvals), max(r.Decision.Approvals, 1))
}

// clockTime is a time of day in the reader's own zone.
func clockTime(at time.Time) string {
	return strings.Replace(strings.Replace(moment(at), "{date_short} ", "", 1), instant(at), at.UTC().Format("15:04 UTC"), 1)
}

// section shows a list: each request with its buttons, and what is missing.
func (w Writer) section(s section) []slack.Block {
	var blocks []slack.Block
	for _, row := range s.list.Rows {
		row.Request, row.Rule = short(row.Request), Cut(row.Rule, 100)
		blocks = append(blocks, block("", w.row(row, s.why)...))
		if buttons := w.RowButtons(row); len(buttons) > 0 {
			blocks = append(blocks, slack.NewActionBlock(rowBlock+s.name+":"+row.Request.ID, buttons...))
		}
	}
	if note := missing(s); note != "" {
		blocks = append(blocks, footnote("", note))
	}
	return blocks
}

// short is a request whose foreign texts are cut, so that a Home tab with all its rows fits a view.
func short(r cancellation.Request) cancellation.Request {
	s := &r.Submission
	s.Card.Server.FQDN, s.Card.Account.Name = Cut(s.Card.Server.FQDN, 80), Cut(s.Card.Account.Name, 60)
	s.Reason, r.Ticket.Number = Cut(s.Reason, 60), Cut(r.Ticket.Number, 30)
	return r
}

// missing says what a list does not show.
func missing(s section) string {
	var notes []string
	switch {
	case s.list.More:
		notes = append(notes, "There are more. "+s.few)
	case s.list.Part > 0:
		notes = append(notes, fmt.Sprintf("Only %d requests were looked at, and there are more.", s.list.Part))
	}
	if s.list.Gap {
		notes = append(notes, "Some requests could not be read now. Try again in a minute.")
	}
	return strings.Join(notes, " ")
}

// row is a request in a list. Of a request that somebody only may know about, it shows its state and
// ticket alone.
func (w Writer) row(row overview.Row, why bool) []line {
	r := row.Request
	lines := []line{append(line{bold(ServerName(r)), plain(" · ")}, identity(r)...), w.rowState(r)}
	if row.Sight != overview.Whole {
		return append(lines, sentence("You see this because you may ask for this server."))
	}
	if !row.Waits.IsZero() {
		lines = append(lines, line{bold("SoftLayer has waited for an answer since " + day(row.Waits.UTC()) + ".")})
	}
	if end := goneLine(r.End()); r.State.Live() {
		lines = append(lines, end...)
	}
	if by := askedBy(r); !row.Asked {
		lines = append(lines, append(by, plain(" “"+Cut(public(r.Submission.Content), 120)+"”")))
	}
	if _, cost := monthly(r.Submission.Card.Server); cost != "" {
		lines = append(lines, sentence(capital(cost)+"."))
	}
	if why {
		lines = append(lines, sentence(whyYou(row)))
	}
	return append(lines, foot(r))
}

// rowState is a request's state in a few words, with its ticket.
func (w Writer) rowState(r cancellation.Request) line {
	state := standingWords(r.State)
	switch {
	case r.State == cancellation.Pending:
		by, _ := r.AnswerBy()
		state += ", " + approvalsOf(r) + ", until " + instant(by)
	case r.State == cancellation.Scheduled && !r.UndoUntil.IsZero() && r.Posts == 0:
		state = "Will be filed after " + instant(r.UndoUntil)
	}
	l := line{bold(state)}
	if r.Ticket.ID != 0 {
		l = append(l, plain(" · "), w.ticket(r.Ticket))
	}
	return l
}

// whyYou says why the reader sees a request.
func whyYou(row overview.Row) string {
	switch {
	case row.Asked:
		return "You asked for this."
	case row.Next:
		return "You can approve this: rule " + displayed(row.Rule) + "."
	case row.Voted:
		return "You approved or declined this."
	}
	return "You may approve on this server: rule " + displayed(row.Rule) + "."
}

// RowButtons are the buttons of a request's message that the reader of a list may press.
func (w Writer) RowButtons(row overview.Row) []slack.BlockElement {
	if row.Sight != overview.Whole {
		return nil
	}
	var buttons []slack.BlockElement
	if state := row.Request.State; state == cancellation.Filed && row.Answered || state == cancellation.Reverted && row.Request.Ticket.ID != 0 {
		buttons = append(buttons, button(row.Request, AnswerAction, "Read the answer", slack.StyleDefault))
	}
	if !row.Waits.IsZero() {
		buttons = append(buttons, w.TicketButtons(row.Request, ReplyAction)...)
		buttons = append(buttons, w.AnswerAll(row.Request.Batch, row.Together)...)
	}
	buttons = append(buttons, w.buttons(cancellation.Result, row.Request)...)
	return slices.DeleteFunc(buttons, func(e slack.BlockElement) bool {
		b, is := e.(*slack.ButtonBlockElement)
		return is && !forReader(b.ActionID, row)
	})
}

// forReader reports whether a button is for the reader of a row. Whether they may press it is decided
// when they do.
func forReader(action string, row overview.Row) bool {
	switch action {
	case AnotherAction:
		return false // it belongs under a result
	case ApproveAction:
		return row.Next
	case WithdrawAction, UndoAction:
		return row.Asked
	case ReplyAction, StopAction:
		return row.Asked || row.Rule != ""
	case DeclineAction, FoundAction, NoneAction, LeaveAction, CheckAction:
		return !row.Asked && (row.Rule != "" || row.Voted)
	}
	return true
}

// Small is a small view with what a click in the Home tab came to.
func Small(m Message) View { return notice("Cancel server", m.Blocks...) }

// NowIs says in what state a request is after a click in a list, which does not change by itself.
func NowIs(r cancellation.Request) Message {
	return message(line{bold("Recorded."), plain(" " + ServerName(r) + " is now: " + ended(rowWords(r)) + " ref " + r.Ref.Short())})
}

func rowWords(r cancellation.Request) string {
	if r.State == cancellation.Pending {
		return standingWords(r.State) + ", " + approvalsOf(r)
	}
	return standingWords(r.State)
}

// Mine lists what a person asked for.
func (w Writer) Mine(p overview.Page) Message {
	return w.list(ownSection(p.Own), "You have asked for no server.")
}

// PendingFor lists what waits for a person's approval.
func (w Writer) PendingFor(p overview.Page) Message {
	return w.list(approveSection(p.Approve), "Nothing waits for your approval.")
}

// Status lists the requests for a server that a person sees. If there are none, it says the same
// whether there are others or not.
func (w Writer) Status(called string, l overview.List) Message {
	return w.list(section{"status", "Requests for " + displayed(called), l, newestFew, true},
		"No request you may see matches "+displayed(called)+". Check the name, or ask "+w.contact()+".")
}

func (w Writer) list(s section, none string) Message {
	if len(s.list.Rows) == 0 {
		return message(sentence(strings.TrimSpace(none + " " + missing(s))))
	}
	text := []line{head(s.title)}
	for _, row := range s.list.Rows {
		text = append(text, line{bold(ServerName(row.Request)), plain(": " + ended(rowWords(row.Request)))})
	}
	return Message{Text: fitting(flat(text...)), Blocks: append([]slack.Block{block("", head(s.title))}, w.section(s)...)}
}

// ListUnread says that a list could not be read.
func ListUnread() Message {
	return message(line{bold("This could not be read now."), plain(" Slack or the bot's database did not answer in time. Try again in a minute.")})
}

// StatusOfWhat says that the command needs a name.
func (w Writer) StatusOfWhat() Message {
	return message(sentence("Type " + w.Command + " " + StatusCommand + " NAME, with a server's name or id, or the ref of a request."))
}

// CalledLike warns that a server has the name that was taken for a command.
func (w Writer) CalledLike(word, id string) Message {
	return message(sentence("A server is called " + displayed(word) + " too. To ask for that server, type " + w.Command + " " + id + "."))
}
