package fakeslack

import "fmt"

// viewState is what people have typed and chosen, by block_id and action_id.
// https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload#view_submission_example
type viewState map[string]map[string]elementState

// elementState is the state of one element: {"type": …, "value"|"selected_option"|"selected_options": …}.
type elementState map[string]any

// stateField says where an element of this type keeps its state; "" if it has none.
func stateField(elementType string) string {
	return map[string]string{
		"plain_text_input": "value", "static_select": "selected_option",
		"external_select": "selected_option", "checkboxes": "selected_options",
	}[elementType]
}

// newState is the state of a view: what stood before under the same block_id,
// action_id and type, else what the element starts with.
func newState(found []any, before viewState) viewState {
	state := viewState{}
	for _, b := range found {
		block, _ := b.(map[string]any)
		id := str(block["block_id"])
		for _, e := range elementsOf(block) {
			if stateField(str(e["type"])) == "" {
				continue
			}
			if state[id] == nil {
				state[id] = map[string]elementState{}
			}
			action := str(e["action_id"])
			state[id][action] = initialState(e)
			if kept := before[id][action]; kept != nil && kept["type"] == e["type"] {
				state[id][action] = kept
			}
		}
	}
	return state
}

// initialState is what an untouched element sends.
func initialState(e map[string]any) elementState {
	state := elementState{"type": e["type"]}
	switch e["type"] {
	case "plain_text_input":
		state["value"] = e["initial_value"]
	case "checkboxes":
		state["selected_options"] = []any{}
		if chosen, ok := e["initial_options"].([]any); ok {
			state["selected_options"] = chosen
		}
	default:
		state["selected_option"] = e["initial_option"]
	}
	return state
}

// Values is what a person touched in a view: block_id, then action_id, then a
// state such as {"value": "text"} or {"selected_option": {…}}.
type Values map[string]map[string]map[string]any

// touchState takes over what a person touched. Options that were never offered
// are taken as they are: a forged request carries them too. The lock is held.
func (m *modal) touchState(values Values) error {
	for block, actions := range values {
		for action, given := range actions {
			old := m.state[block][action]
			if old == nil {
				return fmt.Errorf("filling view %s: no input %q in block %q: %w", m.id, action, block, errUnknownID)
			}
			field := stateField(str(old["type"]))
			value, ok := given[field]
			if !ok {
				return fmt.Errorf("filling view %s: block %q, input %q: a %s takes %q", m.id, block, action, old["type"], field)
			}
			if value == "" {
				value = nil // Slack sends null for an emptied text input
			}
			m.state[block][action] = elementState{"type": old["type"], field: value}
		}
	}
	return nil
}
