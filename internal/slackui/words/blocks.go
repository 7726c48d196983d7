package words

import (
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
	case r.url != "":
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
