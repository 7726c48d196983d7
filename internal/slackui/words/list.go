package words

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/review"
	"cancel-server/internal/serverlist"
)

// The callback ids of the forms for several servers.
const (
	ListCallback   = "cancel-server:list:1"
	ReviewCallback = "cancel-server:review:1"
)

// The block and action ids of these forms.
const (
	SeveralAction = "several"   // in the form for one server: opens the list
	EditAction    = "edit-list" // in the review: goes back to the list
	NamesBlock    = "names"     // of the first input; the second one's is NamesBlock2
	NamesBlock2   = "names-2"
	NamesAction   = "names"
	RowsBlock     = "rows:"   // begins the block ids of the boxes of servers that were named
	FoundBlock    = "found:"  // of those that queries found
	WarnedBlock   = "warned:" // of those with a warning
	RowsAction    = "rows"
	GroupAction   = "tick-group" // ticks all servers of a group; its value is the group's number
	CountBlock    = "count:"     // of the confirmation, followed by the list's digest
	CountAction   = "count"
)

// CountBlockOf is the block id of the confirmation of one list. Another list has another, so that what was typed
// for one counts for no other.
func CountBlockOf(digest string) string { return CountBlock + Cut(digest, 32) }

// SeveralButton opens the list in the form for one server.
func SeveralButton() slack.Block {
	return slack.NewActionBlock("several", slack.NewButtonBlockElement(SeveralAction, SeveralAction, plainText("Several servers…")))
}

// ListForm asks for a list of servers, with one reason and one description for all. typed are the two inputs as
// they were.
func ListForm(f Form, typed [2]string, sealed string) View {
	blocks := []slack.Block{footnote("place", placeWords(f))}
	if f.Note != "" {
		blocks = append(blocks, block("note", sentence("⚠ "+f.Note)))
	}
	return View{
		Type: slack.VTModal, CallbackID: ListCallback, PrivateMetadata: sealed,
		Title: plainText("Several servers"), Submit: plainText("Review"), Close: plainText("Keep the servers"),
		Blocks: slack.Blocks{BlockSet: append(blocks,
			namesInput(NamesBlock, "Which servers?", typed[0], "Names, ids or addresses, one per line or with commas between. Or tag:NAME, dc:fra02, pod:dal09.pod03, closing:"),
			namesInput(NamesBlock2, "More of them", typed[1], "For lists that do not fit above.").WithOptional(true),
			reasonInput(f.Typed.Reason), contentInput(f.Typed.Content),
		)},
	}
}

func namesInput(id, label, typed, hint string) *slack.InputBlock {
	field := slack.NewPlainTextInputBlockElement(nil, NamesAction)
	field.Multiline, field.MaxLength = true, serverlist.MaxInput
	if !cancellation.TooLong(typed) {
		field.InitialValue = typed
	}
	return slack.NewInputBlock(id, plainText(label), plainText(hint), field)
}

// What is missing in a list that begins with names.
const (
	NamesMissing = "Some names may be missing here, because the text is too long. Add them."
	PasteHere    = "What you typed is too long for one command. Paste it here: each field takes 3,000 characters."
	NamesNotKept = "The names could not be filled in. Write them here."
)

// Review is what the review shows.
type Review struct {
	Form   Form // the place, the freeze, the reason, the description, and a note
	Review review.Review
	List   serverlist.Resolved
	Notes  []string       // [ListNotes]
	Ticked map[int64]bool // the servers that go
	Rows   []review.Row   // all servers that can be asked for alone, ticked or not

	Together []review.Row // those of Ticked that cannot be asked for because of how many are ticked
}

// ReviewForm shows what cannot be asked for and why, then the rest, and asks for one confirmation.
func (w Writer) ReviewForm(v Review, sealed string) View {
	count := len(v.Review.Rest) + len(v.Together)
	blocks := []slack.Block{footnote("place", placeWords(v.Form))}
	if v.Form.Frozen.Frozen {
		blocks = append(blocks, block("frozen", frozenBy(v.Form.Frozen, displayed), sentence("You can still ask; nothing is filed until the freeze is lifted.")))
	}
	if v.Form.Note != "" {
		blocks = append(blocks, block("note", sentence(v.Form.Note)))
	}
	blocks = append(blocks, w.leftBlocks(v)...)
	blocks = append(blocks, w.restBlocks(v)...)
	blocks = append(blocks, block("asked", line{plain("Reason: " + displayed(v.Form.Typed.Reason) + ". “" + Cut(OneLine(v.Form.Typed.Content), 500) + "”")}))
	blocks = append(blocks, slack.NewActionBlock("edit", slack.NewButtonBlockElement(EditAction, EditAction, plainText("Edit the list"))))
	view := View{
		Type: slack.VTModal, CallbackID: ReviewCallback, PrivateMetadata: sealed, NotifyOnClose: true,
		Title: plainText(fmt.Sprintf("Review: %d of %d", count, len(v.Rows)+len(v.Review.Left))), Close: plainText("Back, cancel nothing"),
	}
	if count > 0 && len(v.Together) == 0 {
		view.Submit = plainText(fmt.Sprintf("Ask to cancel %d", count))
		blocks = append(blocks, countInput(count, v.Review.Digest))
	}
	view.Blocks = slack.Blocks{BlockSet: blocks}
	return view
}

func countInput(count int, digest string) slack.Block {
	field := slack.NewPlainTextInputBlockElement(nil, CountAction)
	return slack.NewInputBlock(CountBlockOf(digest), plainText(fmt.Sprintf("Type %q to confirm", servers(count))),
		plainText("Type it again after each change of the list."), field)
}

// leftBlocks say of each row that cannot be asked for why. Each says so, however many there are.
func (w Writer) leftBlocks(v Review) []slack.Block {
	var lines []line
	if n := len(v.Review.Left); n > 0 {
		lines = append(lines, line{bold(fmt.Sprintf("%d cannot be asked for and %s left out:", n, oneOrMore(n, "is", "are")))})
	}
	for _, row := range v.Review.Left {
		lines = append(lines, w.leftLine(row))
	}
	for _, note := range v.Notes {
		lines = append(lines, sentence(note))
	}
	return spread("left:", lines)
}

// leftLine says why a row cannot be asked for.
func (w Writer) leftLine(row review.Row) line {
	l := line{bold(leftName(row)), plain(": ")}
	card := row.Verdict.Card
	switch row.Why {
	case review.Unclear:
		return append(l, plain(unclearWords(row.Named)))
	case review.NotFound:
		return append(l, plain("not found, or this key may not see it."))
	case review.Unread:
		return append(l, plain("SoftLayer did not answer. Edit the list to read it again."))
	case review.Renamed:
		return append(l, plain("this is "+displayed(card.Server.FQDN)+" now, id "+strconv.FormatInt(card.Server.ID, 10)+". Write its present name, or its id alone."))
	case review.Namesake:
		return append(l, plain("another server may have this host name. Write the full name or the id."))
	case review.NotAllowed:
		return append(l, plain(ended(displayed(w.Decision(row.Verdict.Decision)))+" Rule "+displayed(row.Verdict.Decision.Rule)+"."))
	case review.Blocked:
		return append(l, w.blockedRow(card, row.Verdict.Blockers[0])...)
	case review.Held:
		return append(l, plain(whose(row.Verdict.Held.Submission.By)+" asked for it meanwhile."))
	case review.Nobody:
		return append(l, plain("nobody but you may approve it."))
	case review.Unseen:
		return append(l, plain("it needs approval, and nobody who may approve it would hear of it."))
	}
	return append(l, plain(string(row.Why)))
}

// leftName is what was typed for a row, with the name of the server that it means.
func leftName(row review.Row) string {
	typed, name := Cut(OneLine(row.Named.Text), 80), Cut(displayed(row.Named.Server.FQDN), 80)
	switch {
	case typed == "" || strings.EqualFold(typed, name):
		return name
	case name == "":
		return typed
	}
	return typed + " (" + name + ")"
}

func (w Writer) blockedRow(c cancellation.Card, b cancellation.Blocker) line {
	said := line{plain(ended(blockedWords(c, b)))}
	if b == cancellation.BlockedByTicket && c.Server.OpenTicket != nil {
		if url := w.ticketURL(*c.Server.OpenTicket); url != "" {
			said = append(said, plain(" "), labelled(url, "Open the ticket"))
		}
	}
	return said
}

func unclearWords(row serverlist.Row) string {
	switch row.State {
	case serverlist.NotFound:
		said := "not found, or this key may not see it."
		if row.Near != "" {
			said += " Did you mean " + displayed(row.Near) + "?"
		}
		return said
	case serverlist.Ambiguous:
		return fmt.Sprintf("%s have this name. Write the full name or the id.", servers(len(row.Same)+row.Others))
	case serverlist.Contradicts:
		return "this row names different servers."
	}
	switch row.Problem {
	case serverlist.MayBeCut:
		return "this may be cut off, because the text is as long as Slack lets it be. Put the rest into the second field."
	case serverlist.Unanswered:
		return "SoftLayer did not answer. Edit the list to read it again."
	case serverlist.TooLong:
		return "no server has such a long name."
	}
	return "this cannot be read."
}

// restBlocks show what can be asked for, each server with a box: those that were named, those with a warning, and
// those that queries found, by group.
func (w Writer) restBlocks(v Review) []slack.Block {
	blocks := []slack.Block{block("rest", w.chosenLines(v)...)}
	found := map[int64]bool{}
	for _, group := range v.List.Groups {
		for _, s := range group.Servers {
			found[s.ID] = true
		}
	}
	named := rowsOf(v.Rows, func(row review.Row) bool { return !found[row.Named.Server.ID] && len(row.Warnings) == 0 })
	warned := rowsOf(v.Rows, func(row review.Row) bool { return len(row.Warnings) > 0 })
	blocks = append(blocks, v.boxes(RowsBlock, "Untick what stays:", named)...)
	blocks = append(blocks, v.boxes(WarnedBlock, "These have a warning. Read it, and tick each that should go too:", warned)...)
	for n, group := range v.List.Shortened(MostFoundGroups) {
		blocks = append(blocks, v.groupBlocks(n, group)...)
	}
	return blocks
}

// MostFoundGroups is how many groups of what queries found a review shows, the last one with all others. It keeps a review below Slack's 100 blocks: https://docs.slack.dev/reference/views/
const MostFoundGroups = 12

// groupBlocks show the servers of a query that share a tag or a data center.
func (v Review) groupBlocks(n int, group serverlist.Group) []slack.Block {
	rows := rowsOf(v.Rows, func(row review.Row) bool {
		in := slices.ContainsFunc(group.Servers, func(s serverlist.Server) bool { return s.ID == row.Named.Server.ID })
		return in && len(row.Warnings) == 0 // those with a warning stand by themselves
	})
	name := "In " + displayed(group.Name)
	switch {
	case group.Tagged:
		name = "Tag " + displayed(group.Name)
	case group.Name == "":
		name = "Others"
	}
	id := FoundBlock + strconv.Itoa(n) + ":"
	blocks := v.boxes(id, name+". Tick what should go:", rows)
	if len(rows) > 1 {
		button := slack.NewButtonBlockElement(GroupAction, strconv.Itoa(n), plainText("Tick this group"))
		button.AccessibilityLabel = Cut("Tick all of "+name, 75)
		blocks = append(blocks, slack.NewActionBlock(id+"all", button))
	}
	return blocks
}

func rowsOf(rows []review.Row, is func(review.Row) bool) []review.Row {
	return slices.DeleteFunc(slices.Clone(rows), func(row review.Row) bool { return !is(row) })
}

// boxes show servers, each with a box.
func (v Review) boxes(id, label string, rows []review.Row) []slack.Block {
	if len(rows) == 0 {
		return nil
	}
	about := []line{sentence(label)}
	all := make([]cancellation.Server, len(rows))
	for i, row := range rows {
		all[i] = row.Verdict.Card.Server
		about = append(about, warningLines(row.Verdict.Card)...)
	}
	blocks := spread(id+"label", about)
	texts := optionTexts(all)
	for first := 0; first < len(rows); first += mostBoxes {
		group := slack.NewCheckboxGroupsBlockElement(RowsAction)
		for i := first; i < min(first+mostBoxes, len(rows)); i++ {
			option := slack.NewOptionBlockObject(strconv.FormatInt(all[i].ID, 10), plainText(texts[i]), plainText(cardFacts(rows[i].Verdict.Card, rows[i].Verdict.Card.End())))
			group.Options = append(group.Options, option)
			if v.Ticked[all[i].ID] {
				group.InitialOptions = append(group.InitialOptions, option)
			}
		}
		blocks = append(blocks, slack.NewActionBlock(id+strconv.Itoa(first), group))
	}
	return blocks
}

// endsWords says between which days servers are due to end.
func endsWords(e review.Ends) string {
	if e.First.IsZero() {
		return "When they end is " + unseen + "."
	}
	said := "Due to end on " + day(e.First)
	if day(e.First) != day(e.Last) {
		said = "Due to end between " + day(e.First) + " and " + day(e.Last)
	}
	if e.Depends {
		said += ", if filed before each cut-off"
	}
	if e.Undated > 0 {
		said += fmt.Sprintf("; of %s the date is %s", servers(e.Undated), unseen)
	}
	return said + "."
}

// BatchProblems says what is wrong with each field of a review, by its block.
func BatchProblems(problems []cancellation.Problem, count int, digest string) map[string]string {
	found := map[string]string{}
	for _, p := range problems {
		if p == cancellation.ProblemConfirmation {
			found[CountBlockOf(digest)] = fmt.Sprintf("Type %s: that is how many are on the list.", strconv.Itoa(count))
			continue
		}
		for block, text := range Problems(cancellation.Submission{}, []cancellation.Problem{p}) {
			found[block] = text
		}
	}
	return found
}

// Why a list is shown again.
const (
	ListChanged = "The list has changed. Look at it, and type the number again."
	ReadAgain   = "What was read is out of date, so it was read again. Nothing has been asked."
	RowsChanged = "Something has changed since the list was read. Nothing has been asked."
	TickAgain   = "Servers with a warning have to be ticked again."
)

// queryNotes say what the queries of a list find.
func queryNotes(found serverlist.Resolved) (notes []string) {
	if found.Unlisted {
		return []string{"⚠ The account's servers are still being read, so nothing was looked up by tag, data center or pod, or by what closes. Edit the list in a minute to look again."}
	}
	add := func(is bool, format string, args ...any) {
		if is {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	for _, q := range found.Queries {
		add(true, "%s finds %s that you may ask for.", displayed(q.Query.String()), servers(q.Servers))
		add(q.Held > 0, "%d of them %s asked for already, and left out.", q.Held, oneOrMore(q.Held, "is", "are"))
		add(q.Unsure > 0, "⚠ For %s nobody can tell whether %s finds %s: %s pod cannot be told.", servers(q.Unsure), displayed(q.Query.String()),
			oneOrMore(q.Unsure, "it", "them"), oneOrMore(q.Unsure, "its", "their"))
		notes = append(notes, sharedNotes(q)...)
		add(q.Query.Word == serverlist.Tag && found.Untagged, "⚠ The tags are still being read. Edit the list in a minute to look again.")
	}
	return notes
}

// sharedNotes say which pods share routers, so that some servers may stand where the query does not look, or does.
func sharedNotes(q serverlist.Matches) (notes []string) {
	for _, s := range q.Shared {
		note := "⚠ " + displayed(s.Pod) + " shares a router with " + displayed(cutList(s.Others)) + ": some of these servers may stand there."
		if q.Query.Word == serverlist.Pod && !strings.EqualFold(q.Query.Name, s.Pod) {
			note += " pod:" + displayed(strings.ToLower(s.Pod)) + " lists them."
		}
		notes = append(notes, note)
	}
	return notes
}

// orderWords says which servers are shown if not all are.
func orderWords(order serverlist.Order) string {
	switch order {
	case serverlist.ByName:
		return fmt.Sprintf("the first by name. End dates are read for %d at most.", serverlist.MaxCandidates)
	case serverlist.EndUnread:
		return "the first by name. Their end dates could not be read."
	}
	return "those that are due to end first."
}

func cutList(texts []string) string { return Cut(OneLine(strings.Join(texts, ", ")), 200) }
