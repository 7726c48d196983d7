package words

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/review"
	"cancel-server/internal/serverlist"
)

// The callback ids of the forms that a batch's buttons open. Their private_metadata is what BatchOf reads.
const (
	BatchApproveCallback = "cancel-server:batch-approve:1"
	BatchDeclineCallback = "cancel-server:batch-decline:1"
)

// BatchForms are the callback ids of these forms.
var BatchForms = []string{BatchApproveCallback, BatchDeclineCallback}

// LeaveOutBlock begins the block ids of the boxes that leave servers out; LeaveOutAction is the boxes' action.
const (
	LeaveOutBlock  = "leave-out:"
	LeaveOutAction = "leave-out"
)

// mostBoxes is how many boxes a group of them has at most:
// https://docs.slack.dev/reference/block-kit/block-elements/checkboxes-element
const mostBoxes = 10

// batchAs names a batch, its list, and the rows of it that a form shows.
func batchAs(b cancellation.Batch, shown []cancellation.Request) string {
	rows := make([]string, len(shown))
	for i, r := range shown {
		rows[i] = strconv.Itoa(r.Row)
	}
	return b.ID + "@" + b.Digest + "@" + strings.Join(rows, ",")
}

// BatchOf reads what a form about a batch carries: the batch's id, the digest of its list, and the rows of it that
// the form showed.
func BatchOf(metadata string) (id, digest string, rows []int, ok bool) {
	parts := strings.Split(metadata, "@")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" {
		return "", "", nil, false
	}
	for _, text := range strings.Split(parts[2], ",") {
		row, err := strconv.Atoi(text)
		if err != nil {
			return "", "", nil, false
		}
		rows = append(rows, row)
	}
	return parts[0], parts[1], rows, true
}

// BatchApproveForm shows the servers of a batch that one person may approve, mine, each with a box to leave
// it out. Of the others that wait, it says how many there are.
func (w Writer) BatchApproveForm(b cancellation.Batch, mine, others []cancellation.Request) View {
	cost := monthlyOf(mine)
	lead := mine[0]
	lines := []line{
		{bold(cancellations(len(mine)) + ": " + cost), plain(".")},
		append(askedFor(lead), plain(" “"+Cut(public(lead.Submission.Content), 300)+"”")),
	}
	if ends := endsOf(mine); ends != "" {
		lines = append(lines, sentence(ends))
	}
	lines = append(lines, sentence(wipedWords(len(mine))))
	for _, r := range mine {
		lines = append(lines, warningLines(r.Submission.Card)...)
	}
	if len(others) > 0 {
		lines = append(lines, sentence(fmt.Sprintf("%d more%s %s for somebody else's approval.", len(others), sitesOf(others), waitOrWaits(len(others)))))
	}
	blocks := spread("about:", lines)
	label := "Tick what to leave out: it stays, and " + whose(lead.Submission.By) + " reads why"
	for first := 0; first < len(mine); first += mostBoxes {
		some := mine[first:min(first+mostBoxes, len(mine))]
		if first > 0 {
			label = "From the next ones"
		}
		blocks = append(blocks, leaveOutInput(first, label, some))
	}
	why := whyInput("If you tick any: why?").(*slack.InputBlock)
	blocks = append(blocks, why.WithOptional(true))
	return View{
		Type: slack.VTModal, CallbackID: BatchApproveCallback, PrivateMetadata: batchAs(b, mine),
		Title: plainText(fmt.Sprintf("Approve %d", len(mine))), Submit: plainText(fmt.Sprintf("Approve %d", len(mine))), Close: plainText("Not yet"),
		Blocks: slack.Blocks{BlockSet: blocks},
	}
}

// wipedWords says what cancelling n servers does to their data, and from when this program cannot stop it.
func wipedWords(n int) string {
	if n == 1 {
		return "When this server goes, its drives are wiped. After filing, only SoftLayer can stop it."
	}
	return fmt.Sprintf("When these %d servers go, their drives are wiped. After filing, only SoftLayer can stop it.", n)
}

func leaveOutInput(first int, label string, rows []cancellation.Request) slack.Block {
	boxes := slack.NewCheckboxGroupsBlockElement(LeaveOutAction)
	for _, r := range rows {
		boxes.Options = append(boxes.Options, slack.NewOptionBlockObject(r.ID, plainText(rowName(r)), plainText(cardFacts(r.Submission.Card, r.End()))))
	}
	input := slack.NewInputBlock(LeaveOutBlock+strconv.Itoa(first), plainText(label), nil, boxes)
	return input.WithOptional(true)
}

// rowName is a server's name as an option shows it.
func rowName(r cancellation.Request) string {
	return optionText(r.Submission.Card.Server)
}

// cardFacts are what tells a server of a list from others, and what to consider.
func cardFacts(c cancellation.Card, end cancellation.End) string {
	_, cost := monthly(c.Server)
	parts := present("id "+strconv.FormatInt(c.Server.ID, 10), c.Server.Datacenter, cost)
	if !end.Date.IsZero() {
		parts = append(parts, "ends "+day(end.Date))
	}
	text := strings.Join(parts, " · ")
	if len(warnings(c)) > 0 { // warningLines has them
		text = "⚠ " + text
	}
	return Cut(text, maxOptionText)
}

// BatchDeclineForm asks why all that is not filed of a batch is declined.
func BatchDeclineForm(b cancellation.Batch, rows []cancellation.Request) View {
	waiting := slices.DeleteFunc(slices.Clone(rows), func(r cancellation.Request) bool { return !r.Stoppable() })
	about := block("about",
		line{bold(cancellations(len(waiting)))},
		sentence("The requester and the channel will read your reason. What is not on its way to SoftLayer by then is not filed, and those servers stay."))
	return View{
		Type: slack.VTModal, CallbackID: BatchDeclineCallback, PrivateMetadata: batchAs(b, rows),
		Title: plainText("Decline a list"), Submit: plainText("Decline"), Close: plainText("Not yet"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{about, whyInput("Why do you decline?")}},
	}
}

// BatchClicked tells the clicker what the batch's message will not. It is empty if the click did all that
// it says. verb is what they wanted to do.
func (w Writer) BatchClicked(c cancellation.BatchClick, err error, verb string) Message {
	if err != nil {
		return w.Clicked(cancellation.Click{}, err, verb)
	}
	switch c.Kind {
	case cancellation.ClickRefused:
		return notRecorded("You may not " + verb + " any of these: " + w.clickRefused(c.Decision) + " Rule " + displayed(c.Decision.Rule))
	case cancellation.ClickLate:
		return message(sentence("Too late: there is nothing left here to " + verb + ". Nothing was changed."))
	case cancellation.ClickRepeated:
		if c.Late == 0 {
			return message(sentence("You already did this, and it was recorded."))
		}
	case cancellation.ClickDone:
	}
	if verb != "approve" {
		return w.batchDone(c, goingOn(c))
	}
	return w.batchDone(c, nil)
}

// goingOn says how many servers an end of a list did not stop.
func goingOn(c cancellation.BatchClick) []line {
	under := 0
	for _, r := range c.Requests {
		if r.State.Live() && !r.Stoppable() {
			under++
		}
	}
	if under == 0 {
		return nil
	}
	return []line{sentence(fmt.Sprintf("Recorded. %d of %d cannot be stopped here any more: filed, or on the way to SoftLayer. Look at the list's message.", under, len(c.Requests)))}
}

// doneFor says for how many servers a click is recorded; "" for none.
func doneFor(count int) string {
	if count == 0 {
		return ""
	}
	return fmt.Sprintf("Recorded for %s. ", servers(count))
}

// batchDone says what a click on a batch did not do, or does not do yet.
func (w Writer) batchDone(c cancellation.BatchClick, said []line) Message {
	if c.Late > 0 {
		said = append(said, sentence(fmt.Sprintf("Recorded. %d that you left out cannot be stopped here any more: filed, or on the way to SoftLayer. Look at the list's message.", c.Late)))
	}
	if c.Refused > 0 {
		said = append(said, sentence(fmt.Sprintf("Recorded for %d of %d. About the others you may not decide: %s", c.Done, c.Done+c.Refused, w.clickRefused(c.Decision))))
	}
	if later := len(c.Later); later > 0 {
		said = append(said, sentence(doneFor(c.Done)+fmt.Sprintf("For %s the bot has to read SoftLayer's records first: its database may have missed that something was sent. You will be told what became of %s.",
			servers(later), oneOrMore(later, "it", "them"))))
	}
	if len(said) == 0 {
		return Message{}
	}
	return message(said...)
}

// BatchEndedLater says what became of the servers of a list for which SoftLayer's records were read first.
func BatchEndedLater(all cancellation.Ended) Message {
	said := line{bold(fmt.Sprintf("SoftLayer's records were read: recorded for %s.", servers(all.Done)))}
	if all.Done == 0 {
		said = line{bold("Nothing more was recorded.")}
	}
	if all.Left > 0 {
		why := oneOrMore(all.Left, "it is", "they are") + " filed, or on the way to SoftLayer."
		if all.Why != nil {
			why = ended(clickError(all.Why)) + " Press again in a minute."
		}
		said = append(said, plain(fmt.Sprintf(" %s: %s Look at the list's message.", oneOrMore(all.Left, "1 server stays as it is", servers(all.Left)+" stay as they are"), why)))
	}
	return message(said)
}

// BatchNothingToApprove says why the form of a batch opens for nobody, or not for this person.
func (w Writer) BatchNothingToApprove(c cancellation.BatchClick, err error) Message {
	if errors.Is(err, cancellation.ErrPeopleUnread) {
		return nothingOpened(w.PeopleUnread(err))
	}
	return w.BatchClicked(c, err, "approve")
}

// BatchRecorded is what a person reads in the review's place.
func BatchRecorded(b cancellation.Batch, rows []cancellation.Request, order cancellation.Freeze) View {
	waiting := len(inStates(rows, cancellation.Pending))
	lines := []line{head("Asked for " + servers(b.Size))}
	if order.Frozen {
		lines = append(lines, frozenBy(order, displayed))
	}
	if waiting > 0 {
		lines = append(lines, sentence(fmt.Sprintf("%d %s for approval. ", waiting, waitOrWaits(waiting))+oneOrMore(waiting,
			"Nothing is filed for it. You can withdraw it until it is filed.", "Nothing is filed for them. You can withdraw them until they are filed.")))
	}
	if rest := len(rows) - waiting; rest > 0 {
		lines = append(lines, sentence(oneOrMore(rest, "1 will be filed.", fmt.Sprintf("%d will be filed one after the other.", rest))))
	}
	return notice("Recorded", block("", append(lines, sentence("The result goes to "+channelWords(rows[0].Submission.Place)+"."))...))
}

// ListNotes say what of a list was left out, what may be missing from it, and what its queries find.
func ListNotes(l serverlist.List, found serverlist.Resolved) (notes []string) {
	add := func(is bool, format string, args ...any) {
		if is {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	add(l.Full, "⚠ A field is as full as Slack lets it be. What followed may be missing.")
	add(len(l.Headings) > 0, "Left out as headings: %s.", cutList(l.Headings))
	add(len(l.Ignored) > 0, "Columns that are not read: %s.", cutList(l.Ignored))
	merged := l.Repeated
	for _, row := range found.Rows {
		merged += len(row.Merged)
	}
	add(merged > 0, "Named more than once, and counted once: %d.", merged)
	notes = append(notes, queryNotes(found)...)
	// How many these are would say what there is to people who may not see it.
	add(found.Undecided > 0, "⚠ For some servers nobody can tell yet whether you may ask for them. They are left out: edit the list in a minute to look again.")
	add(found.Of > found.Shown, "Showing %d of %d: %s Name others to look at them.", found.Shown, found.Of, orderWords(found.Order))
	return notes
}

// ContinueAction opens a list again that was closed. The button's value is the list's sealed metadata.
const ContinueAction = "continue-list"

// ListKept says that a list was closed, and offers to go on with it. count is how many servers were chosen; 0 if that is
// not known. sealed is its metadata.
func ListKept(count int, sealed string) Message {
	of := ""
	if count > 0 {
		of = " of " + servers(count)
	}
	m := message(line{bold("Nothing was asked."), plain(" The list" + of + " that you closed is kept for a day.")})
	return withButtons(m, []slack.BlockElement{slack.NewButtonBlockElement(ContinueAction, sealed, plainText("Continue"))})
}

// ListGone says that a list is not kept any more.
func (w Writer) ListGone() Message {
	return message(line{bold("Nothing was opened."), plain(" This list is not kept any more. Type " + w.Command + " and paste it again.")})
}

// ListNotOpened says that a list that is kept could not be read.
func ListNotOpened() Message {
	return message(line{bold("Nothing was opened."), plain(" The list could not be read. Press Continue again in a minute.")})
}

// ListUnread is the review that cannot be shown.
func (w Writer) ListUnread(why string) View {
	return notice("Review", block("", line{bold("Nothing was asked."), plain(" " + why + " Type " + w.Command + " to begin again.")}))
}

// Why a list cannot be reviewed.
const (
	ListsBusy     = "The bot is reading as many lists as it can. Press Read again in a minute."
	ListFailed    = "The list could not be read."
	ListStopped   = "The bot was stopped while it read the list. Press Read again."
	ListForgotten = "This list is not kept any more."
	ListNotKept   = "Nothing was asked. The list could not be saved. Send it again."
)

// ListReading is the review while servers are read. Nothing can be sent from it. Its button is for a reading that the
// bot did not finish.
func ListReading(read, of int, sealed string) View {
	said := "Looking up the servers."
	if of > 0 {
		said = fmt.Sprintf("%d of %d read.", read, of)
	}
	return beingRead(said, sealed)
}

// ListStillRead is ListReading after its button was pressed.
func ListStillRead(read, of int, sealed string) View {
	said := "The list is still being read."
	if of > 0 {
		said = fmt.Sprintf("The list is still being read: %d of %d servers.", read, of)
	}
	return beingRead(said, sealed)
}

func beingRead(said, sealed string) View {
	said += " Nothing has been asked yet."
	return unfinished(sealed, block("reading", sentence(said)), footnote("stands", "If this stands still for a minute, press Read again."))
}

// ListStands is the review that cannot be shown, with a button to read the list again.
func ListStands(why, sealed string) View {
	return unfinished(sealed, block("stands", line{bold("Nothing was asked."), plain(" " + why)}))
}

// ReadOnAction reads a list again.
const ReadOnAction = "read-on"

func unfinished(sealed string, blocks ...slack.Block) View {
	button := slack.NewActionBlock("read-on", slack.NewButtonBlockElement(ReadOnAction, ReadOnAction, plainText("Read again")))
	return View{
		Type: slack.VTModal, CallbackID: ReviewCallback, PrivateMetadata: sealed, NotifyOnClose: true,
		Title: plainText("Review"), Close: plainText("Cancel nothing"),
		Blocks: slack.Blocks{BlockSet: append(blocks, button)},
	}
}

// chosenLines say what the chosen servers of a review cost and when they end, or why they cannot be asked for together.
func (w Writer) chosenLines(v Review) (lines []line) {
	r := v.Review
	switch {
	case len(v.Together) > 0:
		return w.togetherLines(v)
	case len(v.Rows) == 0:
		return []line{sentence("Nothing on this list can be asked for now. The lines above say why.")}
	case len(r.Rest) == 0:
		return []line{sentence("Nothing is chosen yet.")}
	}
	can := fmt.Sprintf("%d can be asked for: %s.", len(r.Rest), sumWords(r.Sum, r.Known, r.Hidden))
	return []line{{bold(can), plain(" " + endsWords(r.Ends))}, sentence(wipedWords(len(r.Rest)))}
}

// togetherLines say once for each reason which of the chosen servers it stops.
func (w Writer) togetherLines(v Review) (lines []line) {
	stops := map[string][]string{}
	var reasons []string
	for _, row := range v.Together {
		why := w.togetherWhy(row)
		if stops[why] == nil {
			reasons = append(reasons, why)
		}
		stops[why] = append(stops[why], displayed(row.Named.Server.FQDN))
	}
	chosen := len(v.Review.Rest) + len(v.Together)
	for _, why := range reasons {
		which := "none can be asked for"
		if names := stops[why]; len(names) < chosen {
			which = fmt.Sprintf("%d cannot be asked for (%s)", len(names), cutList(names))
		}
		lines = append(lines, line{bold(fmt.Sprintf("With %s chosen, %s:", servers(chosen), which)), plain(" " + why)})
	}
	return append(lines, sentence("Untick some: choose fewer servers."))
}

func (w Writer) togetherWhy(row review.Row) string {
	switch d := row.Verdict.Decision; row.Why {
	case review.NotAllowed:
		return Cut(ended(displayed(w.Decision(d))), 500) + " Rule " + displayed(d.Rule) + "."
	case review.Nobody:
		return "too few people other than you may approve so many."
	case review.Unseen:
		return "they need approval, and nobody who may approve them would hear of it."
	}
	return "they cannot be asked for now."
}
