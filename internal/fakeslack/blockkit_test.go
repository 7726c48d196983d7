package fakeslack_test

import (
	"strings"
	"testing"

	"cancel-server/internal/fakeslack"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func x(n int) string { return strings.Repeat("x", n) }

func option(text, value string) map[string]any {
	return map[string]any{"text": plain(text), "value": value}
}

func times(n int, item any) []any {
	items := make([]any, n)
	for i := range items {
		items[i] = item
	}
	return items
}

// accessory puts an element into a section, and input into an input block.
func accessory(e map[string]any) map[string]any {
	return map[string]any{"type": "section", "text": plain("x"), "accessory": e}
}

func input(e map[string]any) map[string]any {
	return map[string]any{"type": "input", "label": plain("x"), "element": e}
}

// TestViewLimits tries each limit of a view at its edge and one beyond it.
func TestViewLimits(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	view := modal(textInput("content", "text"))
	element := func(kind string, fields map[string]any) map[string]any {
		return with(map[string]any{"type": kind}, fields)
	}
	section := func(fields map[string]any) map[string]any { return with(map[string]any{"type": "section"}, fields) }
	for _, c := range []struct {
		says string
		view map[string]any
		want string // "" for a view that opens, else the message
	}{
		{"a title of 24", with(view, map[string]any{"title": plain(x(24))}), ""},
		{"a title of 25", with(view, map[string]any{"title": plain(x(25))}), "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"},
		{"a title of 24 emoji", with(view, map[string]any{"title": plain(strings.Repeat("🚨", 24))}), ""},
		{"an empty title", with(view, map[string]any{"title": plain("")}), "[ERROR] must be more than 0 characters [json-pointer:/view/title/text]"},
		{"a title in mrkdwn", with(view, map[string]any{"title": mrkdwn("x")}), "[ERROR] unsupported type: mrkdwn [json-pointer:/view/title/type]"},
		{"no title", with(view, map[string]any{"title": nil}), "[ERROR] missing required field: title [json-pointer:/view]"},
		{"a submit of 25", with(view, map[string]any{"submit": plain(x(25))}), "[ERROR] must be less than 25 characters [json-pointer:/view/submit/text]"},
		{"a close of 25", with(view, map[string]any{"close": plain(x(25))}), "[ERROR] must be less than 25 characters [json-pointer:/view/close/text]"},
		{"an input without submit", with(view, map[string]any{"submit": nil}), "[ERROR] missing required field: submit, which a view with an input block needs [json-pointer:/view]"},
		{"metadata of 3000", with(view, map[string]any{"private_metadata": x(3000)}), ""},
		{"metadata of 3001", with(view, map[string]any{"private_metadata": x(3001)}), "[ERROR] must be less than 3001 characters [json-pointer:/view/private_metadata]"},
		{"a callback_id of 256", with(view, map[string]any{"callback_id": x(256)}), "[ERROR] must be less than 256 characters [json-pointer:/view/callback_id]"},
		{"a home tab", with(view, map[string]any{"type": "home"}), "[ERROR] must be a valid enum value: this method takes a view of type modal [json-pointer:/view/type]"},
		{"a field that views do not have", with(view, map[string]any{"hash": "x"}), "[ERROR] invalid additional property: hash [json-pointer:/view]"},
		{"no blocks", with(view, map[string]any{"blocks": nil}), "[ERROR] missing required field: blocks [json-pointer:/view]"},
		{"empty blocks", with(view, map[string]any{"blocks": []any{}}), "[ERROR] no fewer than 1 items allowed [json-pointer:/view/blocks]"},
		{"100 blocks", modal(times(100, map[string]any{"type": "divider"})...), ""},
		{"101 blocks", modal(times(101, map[string]any{"type": "divider"})...), "[ERROR] no more than 100 items allowed [json-pointer:/view/blocks]"},
		{"two blocks of one id", modal(textInput("a", "x"), textInput("a", "y")), "[ERROR] `block_id` \"a\" is used twice [json-pointer:/view/blocks/1/block_id]"},
		{"an unknown block", modal(map[string]any{"type": "table"}), "[ERROR] unsupported type: table [json-pointer:/view/blocks/0/type]"},
		{"a block that is no object", modal("x"), "[ERROR] must be a object [json-pointer:/view/blocks/0]"},
		{"a block_id of 256", modal(map[string]any{"type": "divider", "block_id": x(256)}), "[ERROR] must be less than 256 characters [json-pointer:/view/blocks/0/block_id]"},
		{"a section of 3000", modal(section(map[string]any{"text": mrkdwn(x(3000))})), ""},
		{"a section of 3001", modal(section(map[string]any{"text": mrkdwn(x(3001))})), "[ERROR] must be less than 3001 characters [json-pointer:/view/blocks/0/text/text]"},
		{"a section of nothing", modal(section(nil)), "[ERROR] missing required field: text or fields [json-pointer:/view/blocks/0]"},
		{"10 fields of 2000", modal(section(map[string]any{"fields": times(10, mrkdwn(x(2000)))})), ""},
		{"11 fields", modal(section(map[string]any{"fields": times(11, mrkdwn("x"))})), "[ERROR] no more than 10 items allowed [json-pointer:/view/blocks/0/fields]"},
		{"a field of 2001", modal(section(map[string]any{"fields": []any{plain(x(2001))}})), "[ERROR] must be less than 2001 characters [json-pointer:/view/blocks/0/fields/0/text]"},
		{"a header of 151", modal(element("header", map[string]any{"text": plain(x(151))})), "[ERROR] must be less than 151 characters [json-pointer:/view/blocks/0/text/text]"},
		{"11 context elements", modal(element("context", map[string]any{"elements": times(11, mrkdwn("x"))})), "[ERROR] no more than 10 items allowed [json-pointer:/view/blocks/0/elements]"},
		{"26 actions", modal(element("actions", map[string]any{"elements": times(26, element("button", map[string]any{"text": plain("x")}))})), "[ERROR] no more than 25 items allowed [json-pointer:/view/blocks/0/elements]"},
		{"two actions of one id", modal(element("actions", map[string]any{"elements": times(2, element("button", map[string]any{"text": plain("x"), "action_id": "go"}))})), "[ERROR] `action_id` \"go\" is used twice [json-pointer:/view/blocks/0]"},
		{"a label of 2001", modal(with(textInput("a", "b"), map[string]any{"label": plain(x(2001))})), "[ERROR] must be less than 2001 characters [json-pointer:/view/blocks/0/label/text]"},
		{"a hint of 2001", modal(with(textInput("a", "b"), map[string]any{"hint": plain(x(2001))})), "[ERROR] must be less than 2001 characters [json-pointer:/view/blocks/0/hint/text]"},
		{"a button as input", modal(input(element("button", map[string]any{"text": plain("x")}))), "[ERROR] unsupported type: button [json-pointer:/view/blocks/0/element/type]"},
		{"a button of 76", modal(accessory(element("button", map[string]any{"text": plain(x(76))}))), "[ERROR] must be less than 76 characters [json-pointer:/view/blocks/0/accessory/text/text]"},
		{"a value of 2001", modal(accessory(element("button", map[string]any{"text": plain("x"), "value": x(2001)}))), "[ERROR] must be less than 2001 characters [json-pointer:/view/blocks/0/accessory/value]"},
		{"a style that is none", modal(accessory(element("button", map[string]any{"text": plain("x"), "style": "default"}))), "[ERROR] must be a valid enum value [json-pointer:/view/blocks/0/accessory/style]"},
		{"a confirm of 301", modal(accessory(element("button", map[string]any{"text": plain("x"), "confirm": map[string]any{"title": plain("x"), "text": plain(x(301)), "confirm": plain("x"), "deny": plain("x")}}))), "[ERROR] must be less than 301 characters [json-pointer:/view/blocks/0/accessory/confirm/text/text]"},
		{"a deny of 31", modal(accessory(element("button", map[string]any{"text": plain("x"), "confirm": map[string]any{"title": plain("x"), "text": plain("x"), "confirm": plain("x"), "deny": plain(x(31))}}))), "[ERROR] must be less than 31 characters [json-pointer:/view/blocks/0/accessory/confirm/deny/text]"},
		{"100 options of 75 and 150", modal(input(element("static_select", map[string]any{"options": times(100, option(x(75), x(150)))}))), ""},
		{"101 options", modal(input(element("static_select", map[string]any{"options": times(101, option("x", "x"))}))), "[ERROR] no more than 100 items allowed [json-pointer:/view/blocks/0/element/options]"},
		{"an option of 76", modal(input(element("static_select", map[string]any{"options": times(1, option(x(76), "x"))}))), "[ERROR] must be less than 76 characters [json-pointer:/view/blocks/0/element/options/0/text/text]"},
		{"an option value of 151", modal(input(element("static_select", map[string]any{"options": times(1, option("x", x(151)))}))), "[ERROR] must be less than 151 characters [json-pointer:/view/blocks/0/element/options/0/value]"},
		{"an option description of 76", modal(input(element("static_select", map[string]any{"options": times(1, with(option("x", "x"), map[string]any{"description": plain(x(76))}))}))), "[ERROR] must be less than 76 characters [json-pointer:/view/blocks/0/element/options/0/description/text]"},
		{"options in groups", modal(input(element("static_select", map[string]any{"option_groups": times(1, map[string]any{"label": plain("x"), "options": times(1, option("x", "x"))})}))), ""},
		{"neither options nor groups", modal(input(element("static_select", nil))), "[ERROR] must have either options or option_groups [json-pointer:/view/blocks/0/element]"},
		{"a placeholder of 151", modal(input(element("external_select", map[string]any{"placeholder": plain(x(151))}))), "[ERROR] must be less than 151 characters [json-pointer:/view/blocks/0/element/placeholder/text]"},
		{"options on an external_select", modal(input(element("external_select", map[string]any{"options": times(1, option("x", "x"))}))), "[ERROR] invalid additional property: options [json-pointer:/view/blocks/0/element]"},
		{"11 checkboxes", modal(input(element("checkboxes", map[string]any{"options": times(11, option("x", "x"))}))), "[ERROR] no more than 10 items allowed [json-pointer:/view/blocks/0/element/options]"},
		{"a checkbox in mrkdwn", modal(input(element("checkboxes", map[string]any{"options": times(1, map[string]any{"text": mrkdwn("*x*"), "value": "x"})}))), ""},
		{"a max_length of 3001", modal(input(element("plain_text_input", map[string]any{"max_length": 3001}))), "[ERROR] must be between 1 and 3000 [json-pointer:/view/blocks/0/element/max_length]"},
		{"min_length above max_length", modal(input(element("plain_text_input", map[string]any{"min_length": 9, "max_length": 8}))), "[ERROR] min_length must not be above max_length [json-pointer:/view/blocks/0/element]"},
		{"an initial_value of max_length", modal(input(element("plain_text_input", map[string]any{"max_length": 8, "initial_value": x(8)}))), ""},
		{"an initial_value above max_length", modal(input(element("plain_text_input", map[string]any{"max_length": 8, "initial_value": x(9)}))), "[ERROR] initial_value must not be longer than max_length [json-pointer:/view/blocks/0/element]"},
		{"an initial_option of the options", modal(input(element("static_select", map[string]any{"options": times(2, option("x", "x")), "initial_option": option("x", "x")}))), ""},
		{"an initial_option of a group", modal(input(element("static_select", map[string]any{"option_groups": times(1, map[string]any{"label": plain("x"), "options": times(1, option("x", "x"))}), "initial_option": option("x", "x")}))), ""},
		{"an initial_option never offered", modal(input(element("static_select", map[string]any{"options": times(1, option("x", "x")), "initial_option": option("x", "y")}))), "[ERROR] initial_option must be one of the options [json-pointer:/view/blocks/0/element]"},
		{"an initial_option of an external_select", modal(input(element("external_select", map[string]any{"initial_option": option("x", "y")}))), ""},
		{"a tick at what is offered", modal(input(element("checkboxes", map[string]any{"options": times(1, option("x", "x")), "initial_options": times(1, option("x", "x"))}))), ""},
		{"a tick at what is not offered", modal(input(element("checkboxes", map[string]any{"options": times(1, option("x", "x")), "initial_options": times(1, option("z", "x"))}))), "[ERROR] initial_options must be among the options [json-pointer:/view/blocks/0/element]"},
		{"two focuses", modal(times(2, input(element("plain_text_input", map[string]any{"focus_on_load": true})))...), "[ERROR] only one element may have focus_on_load [json-pointer:/view/blocks]"},
		{"a rich text", modal(element("rich_text", map[string]any{"elements": times(1, element("rich_text_preformatted", map[string]any{"elements": times(1, element("text", map[string]any{"text": "x"}))}))})), ""},
		{"an unknown rich text", modal(element("rich_text", map[string]any{"elements": times(1, element("rich_text_table", nil))})), "[ERROR] unsupported type: rich_text_table [json-pointer:/view/blocks/0/elements/0/type]"},
		{"a number for a text", with(view, map[string]any{"callback_id": 5}), "[ERROR] must be a string [json-pointer:/view/callback_id]"},
	} {
		got := s.call("views.open", map[string]any{"trigger_id": s.trigger(b, s.Cast().User), "view": c.view})
		if c.want == "" {
			assert.True(t, got.OK, "%s: %+v", c.says, got)
			s.Advance(5 * 60e9)
			continue
		}
		assert.Equal(t, "invalid_arguments", got.Error, c.says)
		assert.Equal(t, []string{c.want}, got.Metadata.Messages, c.says)
		s.Advance(5 * 60e9) // so that the rate of views.open is never in the way
	}
}

func TestAViewThatIsTooLarge(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	big := modal(times(90, map[string]any{"type": "section", "text": plain(x(2900))})...)
	got := s.call("views.open", map[string]any{"trigger_id": s.trigger(b, s.Cast().User), "view": big})
	assert.Equal(t, "view_too_large", got.Error)
}

func TestMessageLimits(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{RateLimitsOff: true})
	post := func(blocks any) result {
		return s.call("chat.postMessage", map[string]any{"channel": s.Cast().Channel, "text": "x", "blocks": blocks})
	}
	divider := map[string]any{"type": "divider"}
	assert.True(t, post(times(50, divider)).OK)
	got := post(times(51, divider))
	assert.Equal(t, "invalid_blocks", got.Error)
	assert.Equal(t, []string{"[ERROR] no more than 50 items allowed [json-pointer:/blocks]"}, got.Metadata.Messages)
	assert.Equal(t, "invalid_blocks", post([]any{map[string]any{"type": "video"}}).Error)
	assert.Equal(t, "invalid_blocks_format", post("[{").Error)
	assert.Len(t, s.broken(), 3, "each refused call broke one rule")

	_, _, err := s.client().PostMessage(s.Cast().Channel, slack.MsgOptionText("x", false), slack.MsgOptionBlocks(slack.NewHeaderBlock(slack.NewTextBlockObject("plain_text", x(151), false, false))))
	var refused slack.SlackErrorResponse
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, []string{"[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]"}, refused.ResponseMetadata.Messages)
}
