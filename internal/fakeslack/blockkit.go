package fakeslack

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"
)

// checker collects what is wrong with a view or with blocks, in Slack's form:
// "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]".
// Characters are counted as code points, as Slack's Python SDK does; Slack does
// not say what it counts.
type checker struct{ problems []string }

func (c *checker) wrong(at, format string, args ...any) {
	c.problems = append(c.problems, "[ERROR] "+fmt.Sprintf(format, args...)+" [json-pointer:"+at+"]")
}

// checkMessageBlocks returns the blocks of a message and what is wrong with them.
func checkMessageBlocks(value any) ([]any, []string) {
	return checkBlocks(value, "/blocks", 0, 50)
}

func checkBlocks(value any, at string, least, most int) ([]any, []string) {
	var c checker
	c.check(at, value, rule{kind: aList, min: least, max: most, of: blockShapes()})
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	found, _ := value.([]any)
	c.checkIDs(at, found)
	return found, c.problems
}

// checkView says what is wrong with a view of this type.
// https://docs.slack.dev/reference/views
func checkView(at string, view map[string]any, kind string) []string {
	var c checker
	if view["type"] != kind {
		c.wrong(at+"/type", "must be a valid enum value: this method takes a view of type %s", kind)
		return c.problems
	}
	c.checkObject(at, view, kind)
	if len(c.problems) > 0 {
		return c.problems
	}
	found, _ := view["blocks"].([]any)
	c.checkIDs(at+"/blocks", found)
	hasInput := slices.ContainsFunc(found, func(b any) bool { return b.(map[string]any)["type"] == "input" })
	if kind == kindModal && hasInput && view["submit"] == nil {
		c.wrong(at, "missing required field: submit, which a view with an input block needs")
	}
	return c.problems
}

// checkSuggestions says what is wrong with an answer to a block_suggestion.
func checkSuggestions(value any) []string {
	var c checker
	c.check("", value, object("suggestions"))
	if found, ok := value.(map[string]any); ok && found["options"] == nil && found["option_groups"] == nil {
		c.wrong("", "missing required field: options")
	}
	return c.problems
}

// check compares one value with its rule.
func (c *checker) check(at string, value any, r rule) {
	switch v := value.(type) {
	case string:
		c.checkString(at, v, r)
	case bool:
		c.expect(at, r.kind == anyBool, "must be a "+r.kind.String())
	case float64:
		c.expect(at, r.kind == anyNumber, "must be a "+r.kind.String())
		c.expect(at, v >= float64(r.min) && (r.max == 0 || v <= float64(r.max)), fmt.Sprintf("must be between %d and %d", r.min, r.max))
	case []any:
		c.checkList(at, v, r)
	case map[string]any:
		if r.kind != anObject {
			c.wrong(at, "must be a %s", r.kind)
			return
		}
		c.checkOneOf(at, v, r)
	default:
		c.wrong(at, "must provide a %s", r.kind)
	}
}

func (c *checker) expect(at string, holds bool, otherwise string) {
	if !holds {
		c.wrong(at, "%s", otherwise)
	}
}

func (c *checker) checkString(at, s string, r rule) {
	n := utf8.RuneCountInString(s)
	switch {
	case r.kind != anyString:
		c.wrong(at, "must be a %s", r.kind)
	case r.enum != nil && !slices.Contains(r.enum, s):
		c.wrong(at, "must be a valid enum value")
	case n < r.min:
		c.wrong(at, "must be more than %d characters", r.min-1)
	case r.max > 0 && n > r.max:
		c.wrong(at, "must be less than %d characters", r.max+1)
	}
}

func (c *checker) checkList(at string, items []any, r rule) {
	switch {
	case r.kind != aList:
		c.wrong(at, "must be a %s", r.kind)
		return
	case len(items) < r.min:
		c.wrong(at, "no fewer than %d items allowed", r.min)
	case r.max > 0 && len(items) > r.max:
		c.wrong(at, "no more than %d items allowed", r.max)
		return
	}
	for i, item := range items {
		here := at + "/" + strconv.Itoa(i)
		if len(r.of) == 0 {
			c.check(here, item, chars(255))
			continue
		}
		c.check(here, item, rule{kind: anObject, of: r.of, text: r.text})
	}
}

// checkOneOf finds which of the allowed shapes an object has. Shapes that carry a
// type are told apart by it.
func (c *checker) checkOneOf(at string, v map[string]any, r rule) {
	name := r.of[0]
	if typed(name) {
		name = str(v["type"])
		if !slices.Contains(r.of, name) {
			c.wrong(at+"/type", "unsupported type: %s", name)
			return
		}
	}
	if r.text > 0 && utf8.RuneCountInString(str(v["text"])) > r.text {
		c.wrong(at+"/text", "must be less than %d characters", r.text+1)
		return
	}
	c.checkObject(at, v, name)
}

// typed reports whether objects of this shape name it in their "type".
func typed(name string) bool {
	return !slices.Contains([]string{"option", "checkbox option", "option_group", "confirm", "dispatch_action_config", "suggestions", "style"}, name)
}

// checkObject compares each field with the shape; null counts as absent.
func (c *checker) checkObject(at string, v map[string]any, name string) {
	fields, known := shapes[name]
	if !known {
		c.wrong(at+"/type", "unsupported type: %s", name)
		return
	}
	for _, field := range slices.Sorted(maps.Keys(v)) {
		r, allowed := fields[field]
		switch {
		case field == "type" && typed(name):
		case !allowed:
			c.wrong(at, "invalid additional property: %s", field)
		case v[field] != nil:
			c.check(at+"/"+field, v[field], r)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if fields[field].need && v[field] == nil {
			c.wrong(at, "missing required field: %s", field)
		}
	}
	c.checkTogether(at, v, name)
}

// checkTogether checks the rules about two fields together.
func (c *checker) checkTogether(at string, v map[string]any, name string) {
	switch name {
	case "section":
		c.expect(at, v["text"] != nil || v["fields"] != nil, "missing required field: text or fields")
	case "static_select":
		c.expect(at, (v["options"] == nil) != (v["option_groups"] == nil), "must have either options or option_groups")
		c.expect(at, v["initial_option"] == nil || offers(v, v["initial_option"]), "initial_option must be one of the options")
	case "checkboxes":
		chosen, _ := v["initial_options"].([]any)
		c.expect(at, !slices.ContainsFunc(chosen, func(o any) bool { return !offers(v, o) }), "initial_options must be among the options")
	case "plain_text_input":
		least, _ := v["min_length"].(float64)
		most, limited := v["max_length"].(float64)
		c.expect(at, !limited || least <= most, "min_length must not be above max_length")
		long := float64(utf8.RuneCountInString(str(v["initial_value"])))
		c.expect(at, !limited || long <= most, "initial_value must not be longer than max_length")
	}
}

// offers reports whether an element has exactly this option, alone or in a group:
// https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element
func offers(element map[string]any, option any) bool {
	found, _ := element["options"].([]any)
	groups, _ := element["option_groups"].([]any)
	for _, g := range groups {
		group, _ := g.(map[string]any)
		more, _ := group["options"].([]any)
		found = append(slices.Clip(found), more...)
	}
	return slices.ContainsFunc(found, func(o any) bool { return reflect.DeepEqual(o, option) })
}

// checkIDs checks that no block_id is used twice, that no action_id is used twice in
// a block, and that at most one element has the focus.
func (c *checker) checkIDs(at string, found []any) {
	blocks, focus := map[string]bool{}, 0
	for i, b := range found {
		block, _ := b.(map[string]any)
		here := at + "/" + strconv.Itoa(i)
		if id := str(block["block_id"]); id != "" {
			c.expect(here+"/block_id", !blocks[id], fmt.Sprintf("`block_id` %q is used twice", id))
			blocks[id] = true
		}
		actions := map[string]bool{}
		for _, e := range elementsOf(block) {
			if id := str(e["action_id"]); id != "" {
				c.expect(here, !actions[id], fmt.Sprintf("`action_id` %q is used twice", id))
				actions[id] = true
			}
			if e["focus_on_load"] == true {
				focus++
			}
		}
	}
	c.expect(at, focus <= 1, "only one element may have focus_on_load")
}

// elementsOf returns the elements of a block that people can act on.
func elementsOf(block map[string]any) []map[string]any {
	var found []map[string]any
	for _, field := range []string{"element", "accessory"} {
		if e, ok := block[field].(map[string]any); ok {
			found = append(found, e)
		}
	}
	if list, ok := block["elements"].([]any); ok && block["type"] == "actions" {
		for _, item := range list {
			if e, ok := item.(map[string]any); ok {
				found = append(found, e)
			}
		}
	}
	return found
}

// String names a kind as messages do.
func (k kind) String() string {
	return []string{"string", "boolean", "number", "object", "array"}[k]
}
