package fakeslack

import "maps"

// kind is what sort of JSON value a field takes.
type kind int

const (
	anyString kind = iota
	anyBool
	anyNumber
	anObject
	aList
)

// rule is what one field of a block, an element or a composition object allows.
type rule struct {
	kind kind
	need bool
	min  int      // characters of a string, items of a list, least value of a number
	max  int      // the same, at most; 0: no limit is known
	of   []string // the shapes allowed for an object or for the items of a list
	text int      // characters at most of a text object, or of those in a list
	enum []string // the only values of a string
}

// shape is the fields that one kind of object may have, other than "type".
type shape map[string]rule

func (r rule) needed() rule { r.need = true; return r }

func chars(most int) rule             { return rule{kind: anyString, max: most} }
func filled(most int) rule            { return rule{kind: anyString, min: 1, max: most} }
func number(least, most int) rule     { return rule{kind: anyNumber, min: least, max: most} }
func boolean() rule                   { return rule{kind: anyBool} }
func oneOf(values ...string) rule     { return rule{kind: anyString, enum: values} }
func plain(most int) rule             { return rule{kind: anObject, of: []string{"plain_text"}, text: most} }
func object(shapes ...string) rule    { return rule{kind: anObject, of: shapes} }
func formatted(most int) rule         { return rule{kind: anObject, of: textShapes(), text: most} }
func list(most int, r ...string) rule { return rule{kind: aList, min: 1, max: most, of: r} }

func textShapes() []string { return []string{"plain_text", "mrkdwn"} }

func blockShapes() []string {
	return []string{"section", "header", "context", "divider", "input", "actions", "rich_text"}
}

// dispatchers are the elements that may stand in a section or among actions.
func dispatchers() []string {
	return []string{"button", "static_select", "external_select", "checkboxes"}
}

// shapes has the fields of every kind of object that this workspace knows.
// Numbers: https://docs.slack.dev/reference/block-kit, and the models of Slack's own
// Python and Node SDKs where that page is silent. It is never changed.
var shapes = func() map[string]shape {
	all := make(map[string]shape)
	for _, group := range []map[string]shape{blocks(), elements(), compositions(), richTexts()} {
		maps.Copy(all, group)
	}
	return all
}()

// blocks: https://docs.slack.dev/reference/block-kit/blocks
func blocks() map[string]shape {
	return map[string]shape{
		"section": {
			"block_id": chars(255), "text": formatted(3000), "expand": boolean(),
			"fields": {kind: aList, min: 1, max: 10, of: textShapes(), text: 2000}, "accessory": object(dispatchers()...),
		},
		"header":  {"block_id": chars(255), "text": plain(150).needed()},
		"context": {"block_id": chars(255), "elements": rule{kind: aList, min: 1, max: 10, of: textShapes(), text: 3000}.needed()},
		"divider": {"block_id": chars(255)},
		"input": {
			"block_id": chars(255), "label": plain(2000).needed(), "hint": plain(2000), "optional": boolean(), "dispatch_action": boolean(),
			"element": object("plain_text_input", "static_select", "external_select", "checkboxes").needed(),
		},
		"actions":   {"block_id": chars(255), "elements": list(25, dispatchers()...).needed()},
		"rich_text": {"block_id": chars(255), "elements": list(0, "rich_text_section", "rich_text_preformatted", "rich_text_quote").needed()},
	}
}

// elements: https://docs.slack.dev/reference/block-kit/block-elements
func elements() map[string]shape {
	return map[string]shape{
		"button": {
			"action_id": chars(255), "text": plain(75).needed(), "url": chars(3000), "value": chars(2000),
			"style": oneOf("primary", "danger"), "confirm": object("confirm"), "accessibility_label": chars(75),
		},
		"static_select": {
			"action_id": chars(255), "placeholder": plain(150), "options": list(100, "option"), "option_groups": list(100, "option_group"),
			"initial_option": object("option"), "confirm": object("confirm"), "focus_on_load": boolean(),
		},
		"external_select": {
			"action_id": chars(255), "placeholder": plain(150), "min_query_length": number(0, 0),
			"initial_option": object("option"), "confirm": object("confirm"), "focus_on_load": boolean(),
		},
		"checkboxes": {
			"action_id": chars(255), "options": list(10, "checkbox option").needed(), "initial_options": list(10, "checkbox option"),
			"confirm": object("confirm"), "focus_on_load": boolean(),
		},
		"plain_text_input": {
			"action_id": chars(255), "initial_value": chars(3000), "multiline": boolean(), "min_length": number(0, 3000), "max_length": number(1, 3000),
			"placeholder": plain(150), "focus_on_load": boolean(), "dispatch_action_config": object("dispatch_action_config"),
		},
	}
}

// compositions: https://docs.slack.dev/reference/block-kit/composition-objects
func compositions() map[string]shape {
	return map[string]shape{
		"plain_text":      {"text": filled(3000).needed(), "emoji": boolean()},
		"mrkdwn":          {"text": filled(3000).needed(), "verbatim": boolean()},
		"option":          {"text": plain(75).needed(), "value": filled(150).needed(), "description": plain(75)},
		"checkbox option": {"text": formatted(75).needed(), "value": filled(150).needed(), "description": formatted(75)},
		"option_group":    {"label": plain(75).needed(), "options": list(100, "option").needed()},
		"confirm": {
			"title": plain(100).needed(), "text": formatted(300).needed(), "confirm": plain(30).needed(), "deny": plain(30).needed(),
			"style": oneOf("primary", "danger"),
		},
		"dispatch_action_config": {"trigger_actions_on": list(2)},
		"suggestions":            {"options": rule{kind: aList, max: 100, of: []string{"option"}}, "option_groups": {kind: aList, max: 100, of: []string{"option_group"}}},
		"home": { // https://docs.slack.dev/reference/views/home-tab-views
			"blocks":           list(100, blockShapes()...).needed(),
			"private_metadata": chars(3000), "callback_id": chars(255), "external_id": chars(255),
		},
		"modal": { // https://docs.slack.dev/reference/views/modal-views
			"title": plain(24).needed(), "submit": plain(24), "close": plain(24), "blocks": list(100, blockShapes()...).needed(),
			"private_metadata": chars(3000), "callback_id": chars(255), "external_id": chars(255),
			"clear_on_close": boolean(), "notify_on_close": boolean(), "submit_disabled": boolean(),
		},
	}
}

// richTexts: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
func richTexts() map[string]shape {
	inline := []string{"text", "emoji", "link", "user", "usergroup", "broadcast"}
	return map[string]shape{
		"rich_text_section":      {"elements": rule{kind: aList, of: inline}.needed()},
		"rich_text_preformatted": {"elements": rule{kind: aList, of: []string{"text", "link"}}.needed(), "border": number(0, 1)},
		"rich_text_quote":        {"elements": rule{kind: aList, of: inline}.needed(), "border": number(0, 1)},
		"text":                   {"text": filled(0).needed(), "style": object("style")},
		"emoji":                  {"name": filled(0).needed(), "unicode": chars(0), "skin_tone": number(0, 6), "style": object("style")},
		"link":                   {"url": filled(3000).needed(), "text": chars(0), "unsafe": boolean(), "style": object("style")},
		"user":                   {"user_id": filled(0).needed(), "style": object("style")},
		"usergroup":              {"usergroup_id": filled(0).needed(), "style": object("style")},
		"broadcast":              {"range": oneOf("channel", "here", "everyone").needed(), "style": object("style")},
		"style":                  {"bold": boolean(), "italic": boolean(), "strike": boolean(), "code": boolean(), "underline": boolean()},
	}
}
