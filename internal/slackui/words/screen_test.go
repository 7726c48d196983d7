package words

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// legend stands at the top of each golden file of screens.
const legend = `What Slack is sent, as a screen. make golden rewrites this file.

"text"          plain_text. A long text has a line for each sentence.
emoji "text"    plain_text in which Slack turns :names: into emoji.
mrkdwn "text"   Slack reads the markup in it, and with "autolinked" makes links of names. Escapes stand as sent.
| text          rich_text: **bold**, <@U7> mentions, [text](link) links. After a \ they are only typed.
|code text      the same in a block of code.
#id             a block_id.
["Yes"] do = 7  a button or option, with its action_id and value. A field's action_id follows its type.

`

var (
	// lineEnd puts what follows a line break inside a text on a line of its own.
	lineEnd = strings.NewReplacer(`\\`, `\\`, `\n`, "\\n\n")
	// marks puts a \ before what would look like a mark of this rendering.
	marks = strings.NewReplacer(`\\`, `\\`, `\"`, `"`, "*", `\*`, "<", `\<`, "[", `\[`, "]", `\]`)
)

// sentenceEnd is the end of a sentence inside a text, and not the number of a step.
var sentenceEnd = regexp.MustCompile(`([^\s\d]\.|[^\s]\d\.) `)

// screen collects what a person sees of a view or message, with what a button or field does.
type screen struct {
	lines    strings.Builder
	problems []error
}

// part is one object of a view or message. What is left of it was not shown.
type part struct {
	path string
	left map[string]any
}

// render returns what Slack shows of sent as text. It fails on every block, element and member that it
// does not know, so that nothing is left out.
func render(sent any) (string, error) {
	tree, err := decoded(sent)
	if err != nil {
		return "", err
	}
	return renderTree(tree)
}

func decoded(sent any) (tree any, err error) {
	data, err := json.Marshal(sent)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return tree, decoder.Decode(&tree)
}

func renderTree(tree any) (string, error) {
	s := &screen{}
	s.open("", tree, func(p *part) {
		switch kind := take[string](s, p, "type"); kind {
		case "modal":
			s.modal(p)
		case "home":
			s.line(0, "home")
		case "":
			s.message(p)
		default:
			s.fail("unknown view %q", kind)
		}
		s.each(p, "blocks", s.block)
	})
	return s.lines.String(), errors.Join(s.problems...)
}

func (s *screen) modal(p *part) {
	s.line(0, "modal", s.text(p, "title", 0), s.pair(p, "callback_id"), s.flag(p, "notify_on_close"))
	s.named(0, "private_metadata", s.quoted(p, "private_metadata", 0))
	s.named(0, "submit", s.text(p, "submit", 0))
	s.named(0, "close", s.text(p, "close", 0))
}

func (s *screen) message(p *part) {
	s.named(0, "response_type", take[string](s, p, "response_type"))
	s.line(0, "text mrkdwn", s.quoted(p, "text", 0))
	s.object(p, "metadata", func(m *part) {
		names := slices.Sorted(maps.Keys(take[map[string]any](s, m, "event_payload")))
		s.line(0, "metadata", take[string](s, m, "event_type"), strings.Join(names, " "))
	})
}

func (s *screen) block(p *part) {
	kind := take[string](s, p, "type")
	id := take[string](s, p, "block_id")
	if id != "" {
		id = "#" + id
	}
	switch kind {
	case "rich_text":
		s.line(0, "rich_text", id)
		s.each(p, "elements", s.section)
	case "section":
		s.line(0, "section", id)
		s.line(1, s.text(p, "text", 1))
	case "header":
		s.line(0, "header", id, s.text(p, "text", 0))
	case "context":
		s.line(0, "context", id)
		s.eachRaw(p, "elements", func(at string, text any) { s.line(1, s.textOf(at, text, 1)) })
	case "input":
		s.line(0, "input", id, s.text(p, "label", 0), s.flag(p, "optional"), s.flag(p, "dispatch_action"))
		s.object(p, "element", s.field)
		s.named(1, "hint", s.text(p, "hint", 1))
	case "actions":
		s.line(0, "actions", id)
		s.each(p, "elements", s.pressed)
	default:
		s.fail("%s: unknown block %q", p.path, kind)
	}
}

// field is the element of an input.
func (s *screen) field(p *part) {
	kind, mark := take[string](s, p, "type"), "( )"
	switch kind {
	case "plain_text_input", "external_select", "static_select":
	case "checkboxes":
		mark = "[ ]"
	default:
		s.fail("%s: unknown field %q", p.path, kind)
	}
	s.line(1, kind, take[string](s, p, "action_id"), s.pair(p, "min_query_length"), s.pair(p, "max_length"), s.flag(p, "multiline"))
	s.named(1, "placeholder", s.text(p, "placeholder", 1))
	s.named(1, "initial_value", s.quoted(p, "initial_value", 1))
	s.object(p, "initial_option", s.option("chosen"))
	s.each(p, "initial_options", s.option("chosen"))
	s.each(p, "options", s.option(mark))
}

func (s *screen) option(mark string) func(*part) {
	return func(p *part) {
		s.line(1, mark, s.text(p, "text", 1), "= "+s.quoted(p, "value", 1))
		s.named(2, "description", s.text(p, "description", 2))
	}
}

// pressed is an element of a block of buttons and boxes.
func (s *screen) pressed(p *part) {
	switch kind := take[string](s, p, "type"); kind {
	case "button":
		s.button(p)
	case "checkboxes":
		s.line(1, kind, take[string](s, p, "action_id"))
		s.each(p, "initial_options", s.option("chosen"))
		s.each(p, "options", s.option("[ ]"))
	default:
		s.fail("%s: unknown element %q", p.path, kind)
	}
}

func (s *screen) button(p *part) {
	s.line(1, "["+s.text(p, "text", 1)+"]", take[string](s, p, "action_id"), "= "+s.quoted(p, "value", 1), s.pair(p, "style"))
	s.named(2, "accessibility_label", s.quoted(p, "accessibility_label", 2))
	s.object(p, "confirm", func(c *part) {
		s.line(2, "confirm", s.text(c, "title", 2), s.pair(c, "style"))
		s.line(3, s.text(c, "text", 3))
		s.line(3, "["+s.text(c, "confirm", 3)+"]", "["+s.text(c, "deny", 3)+"]")
	})
}

// section shows one part of a rich text.
func (s *screen) section(p *part) {
	mark := "|"
	switch kind := take[string](s, p, "type"); kind {
	case "rich_text_section":
	case "rich_text_preformatted":
		mark = "|code"
		s.line(0, mark, s.pair(p, "border"))
	default:
		s.fail("%s: unknown rich text %q", p.path, kind)
	}
	var said strings.Builder
	s.each(p, "elements", func(e *part) { said.WriteString(s.run(e)) })
	for line := range strings.SplitSeq(said.String(), "\n") {
		s.line(0, mark, line)
	}
}

// run is a piece of a rich text with this rendering's marks for what Slack does with it.
func (s *screen) run(p *part) string {
	typed := richText(take[string](s, p, "text"))
	switch kind := take[string](s, p, "type"); kind {
	case "text":
		s.object(p, "style", func(style *part) {
			if take[bool](s, style, "bold") {
				typed = "**" + typed + "**"
			}
		})
		return typed
	case "user":
		return "<@" + take[string](s, p, "user_id") + ">" + typed
	case "usergroup":
		return "<!subteam^" + take[string](s, p, "usergroup_id") + ">" + typed
	case "link":
		return "[" + typed + "](" + strings.ReplaceAll(richText(take[string](s, p, "url")), ")", `\)`) + ")"
	default:
		s.fail("%s: unknown run of rich text %q", p.path, kind)
		return ""
	}
}

// richText is text in which Slack reads no markup; a \ stands before what would look like a mark.
func richText(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		quoted := strconv.Quote(line)
		lines[i] = marks.Replace(quoted[1 : len(quoted)-1])
	}
	return strings.Join(lines, "\n")
}

// text is the text object called name, with its type unless it is plain_text without emoji.
func (s *screen) text(p *part, name string, depth int) string {
	text, is := p.left[name]
	if !is {
		return ""
	}
	delete(p.left, name)
	return s.textOf(p.path+"."+name, text, depth)
}

func (s *screen) textOf(path string, text any, depth int) (said string) {
	s.open(path, text, func(p *part) {
		switch kind := take[string](s, p, "type"); kind {
		case "plain_text":
			if emoji, is := p.left["emoji"]; !is || emoji != false {
				said = "emoji "
			}
			take[bool](s, p, "emoji")
		case "mrkdwn":
			said = "mrkdwn "
			if !take[bool](s, p, "verbatim") {
				said = "mrkdwn autolinked "
			}
		default:
			s.fail("%s: unknown text %q", path, kind)
		}
		said += s.quoted(p, "text", depth)
	})
	return said
}

// quoted is the string called name in quotes, with a line for each sentence and each of its lines.
func (s *screen) quoted(p *part, name string, depth int) string {
	if _, is := p.left[name]; !is {
		return ""
	}
	more := "\n" + strings.Repeat("  ", depth+2)
	said := sentenceEnd.ReplaceAllString(strconv.Quote(take[string](s, p, name)), "$1\n")
	return strings.ReplaceAll(lineEnd.Replace(said), "\n", more)
}

func (s *screen) pair(p *part, name string) string {
	value, is := p.left[name]
	if !is {
		return ""
	}
	delete(p.left, name)
	return fmt.Sprintf("%s=%v", name, value)
}

func (s *screen) flag(p *part, name string) string {
	if take[bool](s, p, name) {
		return name
	}
	return ""
}

// named writes a line if there is something to say.
func (s *screen) named(depth int, name, said string) {
	if said != "" {
		s.line(depth, name, said)
	}
}

func (s *screen) line(depth int, words ...string) {
	said := slices.DeleteFunc(slices.Clone(words), func(word string) bool { return word == "" })
	s.lines.WriteString(strings.Repeat("  ", depth) + strings.Join(said, " ") + "\n")
}

func (s *screen) object(p *part, name string, show func(*part)) {
	if value, is := p.left[name]; is {
		delete(p.left, name)
		s.open(p.path+"."+name, value, show)
	}
}

func (s *screen) each(p *part, name string, show func(*part)) {
	s.eachRaw(p, name, func(path string, value any) { s.open(path, value, show) })
}

func (s *screen) eachRaw(p *part, name string, show func(path string, value any)) {
	for i, value := range take[[]any](s, p, name) {
		show(fmt.Sprintf("%s.%s[%d]", p.path, name, i), value)
	}
}

// open shows an object and fails if a member of it was left out.
func (s *screen) open(path string, value any, show func(*part)) {
	members, is := value.(map[string]any)
	if !is {
		s.fail("%s is no object", path)
		return
	}
	p := &part{path: path, left: maps.Clone(members)}
	show(p)
	for _, name := range slices.Sorted(maps.Keys(p.left)) {
		s.fail("%s: unknown member %q", path, name)
	}
}

func (s *screen) fail(format string, args ...any) {
	s.problems = append(s.problems, fmt.Errorf(format, args...))
}

// take returns the member called name, and the zero value if there is none.
func take[T any](s *screen, p *part, name string) (member T) {
	value, is := p.left[name]
	if !is {
		return member
	}
	delete(p.left, name)
	member, is = value.(T)
	if !is {
		s.fail("%s.%s is a %T", p.path, name, value)
	}
	return member
}
