package fakeslack

import (
	"context"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Lookup is what a person has typed into an external_select.
type Lookup struct {
	User     string `json:"user"`
	View     string `json:"view"`
	BlockID  string `json:"block_id"`
	ActionID string `json:"action_id"`
	Value    string `json:"value"`
}

// Suggestions is what the bot offers for a Lookup.
type Suggestions struct {
	Options      []json.RawMessage `json:"options"`
	OptionGroups []json.RawMessage `json:"option_groups,omitempty"`
	Status       int               `json:"status"`
	MS           int64             `json:"ms"`
	Error        string            `json:"error"` // as in Ack; "min_query_length" where nothing was asked
}

// defaultQuery is how many characters are typed before Slack asks.
// https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element#external_select
const defaultQuery = 3

// Options delivers a block_suggestion and returns what the bot offers, nothing
// where its answer breaks a limit.
// https://docs.slack.dev/reference/interaction-payloads/block_suggestion-payload
func (w *Workspace) Options(ctx context.Context, l Lookup) (Suggestions, error) {
	none := Suggestions{Options: []json.RawMessage{}}
	w.mu.Lock()
	payload, enough, err := w.suggestionPayload(l)
	w.mu.Unlock()
	if err != nil {
		return none, fmt.Errorf("looking up options: %w", err)
	}
	if !enough {
		none.Error = "min_query_length"
		return none, nil
	}
	ack := w.deliver(ctx, newInteraction(methodSuggestion, payload, settleSuggestions))
	offered := none
	if ack.Error == "" && json.Unmarshal(ack.Body, &offered) != nil || offered.Options == nil {
		offered.Options = none.Options
	}
	offered.Status, offered.MS, offered.Error = ack.Status, ack.MS, ack.Error
	return offered, nil
}

func settleSuggestions(body []byte) *apiError {
	var offered any
	if json.Unmarshal(body, &offered) != nil {
		return fail(errTrouble).broke("a block_suggestion is answered with options in JSON", "https://docs.slack.dev/reference/interaction-payloads/block_suggestion-payload")
	}
	if problems := checkSuggestions(offered); len(problems) > 0 {
		return fail(errTrouble).because(problems...)
	}
	return nil
}

// suggestionPayload also reports whether enough was typed to ask at all.
func (w *Workspace) suggestionPayload(l Lookup) (payload answer, enough bool, err error) {
	m, u, err := w.openView(l.User, l.View)
	if err != nil {
		return nil, false, err
	}
	found, _ := m.view["blocks"].([]any)
	_, element, err := findElement(found, l.BlockID, l.ActionID)
	if err != nil {
		return nil, false, err
	}
	if element["type"] != "external_select" {
		return nil, false, fmt.Errorf("element %q is a %v, which asks for no options", l.ActionID, element["type"])
	}
	least, set := element["min_query_length"].(float64)
	if !set {
		least = defaultQuery
	}
	payload = w.interaction(methodSuggestion, u)
	payload["container"] = answer{"type": "view", "view_id": m.id}
	payload["block_id"], payload["action_id"], payload["value"] = l.BlockID, l.ActionID, l.Value
	payload["view"] = w.viewObject(m)
	return payload, utf8.RuneCountInString(l.Value) >= int(least), nil
}
