package words

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack"
)

// line is one line of rich text. Its runs are displayed as they are: Slack parses
// neither mentions, links nor formatting in them
// (https://docs.slack.dev/reference/block-kit/blocks/rich-text-block).
type line []run

// run is a stretch of text in one style.
type run struct {
	text  string
	bold  bool
	url   string // text is a link to it
	brief bool   // the top-level text has no link
	user  string // a mention of this Slack user; text is their name
	group string // a mention of this Slack user group
}

func plain(text string) run         { return run{text: text} }
func bold(text string) run          { return run{text: text, bold: true} }
func person(id, name string) run    { return run{user: id, text: name} }
func sentence(text string) line     { return line{plain(text)} }
func labelled(url, text string) run { return run{text: text, url: url} }

// block shows lines as one rich text block. id may be "": Slack then makes one.
func block(id string, lines ...line) slack.Block {
	section := slack.NewRichTextSection()
	for i, l := range lines {
		if i > 0 {
			section.Elements = append(section.Elements, slack.NewRichTextSectionTextElement("\n", nil))
		}
		for _, r := range l {
			if r.text != "" || r.user != "" || r.group != "" {
				section.Elements = append(section.Elements, r.element())
			}
		}
	}
	return slack.NewRichTextBlock(id, section)
}

// spread shows lines as blocks of rich text, each well below Slack's limit.
func spread(id string, lines []line) (blocks []slack.Block) {
	const most = 15
	for n := 0; n < len(lines); n += most {
		blocks = append(blocks, block(id+strconv.Itoa(n), lines[n:min(n+most, len(lines))]...))
	}
	return blocks
}

func (r run) element() slack.RichTextSectionElement {
	var style *slack.RichTextSectionTextStyle
	if r.bold {
		style = &slack.RichTextSectionTextStyle{Bold: true}
	}
	switch {
	case r.user != "":
		return slack.NewRichTextSectionUserElement(r.user, style)
	case r.group != "":
		return slack.NewRichTextSectionUserGroupElement(r.group)
	case r.url != "":
		return slack.NewRichTextSectionLinkElement(r.url, r.text, style)
	}
	return slack.NewRichTextSectionTextElement(r.text, style)
}

// flat is the same lines as one line of mrkdwn, for a message's top-level text.
func flat(lines ...line) string {
	var all []string
	for _, l := range lines {
		var text strings.Builder
		for _, r := range l {
			text.WriteString(r.flat())
		}
		all = append(all, ended(strings.TrimSpace(text.String())))
	}
	return strings.Join(all, " ")
}

// text is the line without its styles.
func (l line) text() string {
	var text strings.Builder
	for _, r := range l {
		text.WriteString(r.text)
	}
	return text.String()
}

// ended puts a full stop at the end of a line that has none.
func ended(sentence string) string {
	for _, end := range []string{".", ":", "!", "?", "…", ".”"} {
		if sentence == "" || strings.HasSuffix(sentence, end) {
			return sentence
		}
	}
	return sentence + "."
}

// capital begins a sentence with a capital letter.
func capital(sentence string) string {
	for i, first := range sentence {
		return string(unicode.ToUpper(first)) + sentence[i+utf8.RuneLen(first):]
	}
	return sentence
}

func (r run) flat() string {
	lead, trail := "", ""
	if strings.HasPrefix(r.text, " ") {
		lead = " "
	}
	if len(r.text) > 1 && strings.HasSuffix(r.text, " ") {
		trail = " "
	}
	switch {
	case r.user != "":
		return "<@" + r.user + ">"
	case r.group != "":
		return "<!subteam^" + r.group + ">"
	case r.url != "" && !r.brief:
		return "<" + strings.NewReplacer("&", "&amp;", "<", "%3C", ">", "%3E", "|", "%7C").Replace(r.url) + "|" + escaped(r.text) + ">"
	}
	return lead + escaped(r.text) + trail
}

// plainText is text that Slack shows as it is: no mentions, no links and no :emoji:.
func plainText(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
}

// footnote is small grey text.
func footnote(id, text string) slack.Block {
	return slack.NewContextBlock(id, plainText(Cut(text, 2000)))
}

// markdown is mrkdwn of our own words only; nothing foreign may be in it.
func markdown(id, text string) slack.Block {
	section := slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, text, false, true), nil, nil)
	section.BlockID = id
	return section
}

// View is a modal.
type View = slack.ModalViewRequest

// notice is a view without fields: title, lines, and a button that closes it.
func notice(title string, blocks ...slack.Block) View {
	return View{
		Type: slack.VTModal, Title: plainText(title), Close: plainText("Close"),
		CallbackID: noticeCallback, Blocks: slack.Blocks{BlockSet: blocks},
	}
}

// What a bot shows that only practises: every title and dialog begins with the first, and every view and
// message with the second.
const (
	practiceTitle = "PRACTICE "
	practiceSays  = "PRACTICE: nothing is filed."
)

// maxTitle is what the title of a view may hold: https://docs.slack.dev/reference/views/modal-views.
const maxTitle = 24

// shortTitles are the titles for which practice leaves no room.
var shortTitles = map[string]string{
	"Already requested": "Already asked", "Ask SoftLayer to stop": "Ask to stop", "Decline a request": "Decline", "Leave the server": "Leave server",
	"No answer needed": "No answer due", "Nothing was sent": "Nothing sent", "Reply to SoftLayer": "Reply", "SoftLayer's answer": "Answer",
	"There is a ticket": "Name the ticket",
}

func practising(title string) string {
	if short, is := shortTitles[title]; is {
		title = short
	}
	return Cut(practiceTitle+title, maxTitle)
}

func practiceBlock() slack.Block { return block("practice", line{bold(practiceSays)}) }

// PracticeView marks a view of a bot that files nothing. A Home tab has no title.
func PracticeView(v View) View {
	if v.Title != nil {
		v.Title = plainText(practising(v.Title.Text))
	}
	v.Blocks.BlockSet = practiceBlocks(v.Blocks.BlockSet)
	return v
}

// PracticeMessage marks a message of a bot that files nothing: its text and its blocks.
func PracticeMessage(text string, blocks []slack.Block) (string, []slack.Block) {
	return fitting(practiceSays + " " + text), practiceBlocks(blocks)
}

func practiceBlocks(all []slack.Block) []slack.Block {
	marked := []slack.Block{practiceBlock()}
	for _, b := range all {
		marked = append(marked, practiceDialogs(b))
	}
	return marked
}

// practiceDialogs marks the dialogs in which a block's buttons ask before they do anything.
func practiceDialogs(b slack.Block) slack.Block {
	actions, is := b.(*slack.ActionBlock)
	if !is {
		return b
	}
	elements := slices.Clone(actions.Elements.ElementSet)
	for i, e := range elements {
		if pressed, is := e.(*slack.ButtonBlockElement); is && pressed.Confirm != nil {
			own, dialog := *pressed, *pressed.Confirm
			dialog.Title, dialog.Text = plainText(practiceAsk(dialog.Title.Text)), plainText(practiceQuestion(dialog.Text.Text))
			own.Confirm = &dialog
			elements[i] = &own
		}
	}
	return slack.NewActionBlock(actions.BlockID, elements...)
}

// practiceAsk and practiceQuestion are the title and the text of a dialog of a bot that files nothing:
// https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object.
func practiceAsk(title string) string     { return Cut(practiceTitle+title, 100) }
func practiceQuestion(text string) string { return Cut(practiceSays+" "+text, maxQuestion) }

// practiceReplied marks the dialogs in decoded blocks.
func practiceReplied(part any) {
	switch is := part.(type) {
	case []any:
		for _, each := range is {
			practiceReplied(each)
		}
	case map[string]any:
		for name, each := range is {
			if dialog, asks := each.(map[string]any); asks && name == "confirm" {
				markText(dialog["title"], practiceAsk)
				markText(dialog["text"], practiceQuestion)
				continue
			}
			practiceReplied(each)
		}
	}
}

// markText changes the text of a decoded text object.
func markText(object any, mark func(string) string) {
	if member, is := object.(map[string]any); is {
		text, _ := member["text"].(string)
		member["text"] = mark(text)
	}
}

// PracticeReply marks an acknowledgement of a bot that files nothing: the message or the view in it. Options
// and what is wrong with a field stand in a view that is marked.
func PracticeReply(reply []byte) []byte {
	var all map[string]any
	if json.Unmarshal(reply, &all) != nil { // it is empty
		return reply
	}
	shown := all
	if view, is := all["view"].(map[string]any); is {
		shown = view
	}
	blocks, is := shown["blocks"].([]any)
	if !is {
		return reply
	}
	practiceReplied(blocks)
	shown["blocks"] = slices.Insert(blocks, 0, any(practiceBlock()))
	markText(shown["title"], practising)
	if text, is := shown["text"].(string); is {
		shown["text"] = fitting(practiceSays + " " + text)
	}
	marked, err := json.Marshal(all)
	if err != nil {
		return reply
	}
	return marked
}
