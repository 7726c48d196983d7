package fakeslack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"unicode/utf8"
)

// MessageRef names a message.
type MessageRef struct {
	Channel string `json:"channel"` // as in Message
	TS      string `json:"ts"`
}

// Action is what a person does to one element: a click, a choice, a text. Exactly
// one of View and Message is set. A value or option that was never offered is passed on.
type Action struct {
	User            string           `json:"user"`
	View            string           `json:"view,omitempty"`
	Message         *MessageRef      `json:"message,omitempty"`
	BlockID         string           `json:"block_id"`
	ActionID        string           `json:"action_id"`
	Value           *string          `json:"value,omitempty"` // default: the button's own
	SelectedOption  map[string]any   `json:"selected_option,omitempty"`
	SelectedOptions []map[string]any `json:"selected_options,omitempty"`
	Values          Values           `json:"values,omitempty"` // what else was touched in the view, so that its state is true
}

// Act delivers block_actions and returns how the bot acknowledged them.
// https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
func (w *Workspace) Act(ctx context.Context, a Action) (Ack, error) {
	w.mu.Lock()
	payload, err := w.actionPayload(a)
	w.mu.Unlock()
	if err != nil {
		return Ack{}, fmt.Errorf("acting: %w", err)
	}
	ack := w.deliver(ctx, newInteraction(methodActions, payload, func([]byte) *apiError { return nil }))
	if ack.Error != "" {
		w.mu.Lock()
		delete(w.opened, a.User)
		w.touch()
		w.mu.Unlock()
	}
	return ack, nil
}

// newInteraction makes the delivery of an interaction payload.
func newInteraction(method string, payload response, accept func([]byte) *apiError) *delivery {
	body := encode(payload)
	return &delivery{
		method: method, envelope: "interactive", form: url.Values{"payload": {string(body)}}, payload: body,
		answers: method == methodSubmission || method == methodSuggestion, accept: accept,
	}
}

// interaction is what all payloads have in common.
func (w *Workspace) interaction(kind string, u *user) response {
	return response{
		"type": kind, "token": w.identity.verification, "api_app_id": w.identity.appID,
		"team":       response{"id": w.identity.teamID, "domain": teamDomain},
		"user":       response{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": u.TeamID},
		"enterprise": w.identity.enterprise(), "is_enterprise_install": false,
	}
}

func (w *Workspace) actionPayload(a Action) (response, error) {
	u := w.findUser(a.User)
	if u == nil {
		return nil, unknownID("user", a.User)
	}
	payload := w.interaction(methodActions, u)
	if a.Message != nil {
		return payload, w.actOnMessage(payload, a)
	}
	return payload, w.actOnView(payload, a)
}

func (w *Workspace) actOnView(payload response, a Action) error {
	m, err := w.viewOf(a.User, a.View)
	if err != nil {
		return err
	}
	found, _ := m.view["blocks"].([]any)
	block, element, err := findElement(found, a.BlockID, a.ActionID)
	if err != nil {
		return err
	}
	if block["type"] == "input" && block["dispatch_action"] != true {
		return fmt.Errorf("block %q is an input without dispatch_action: Slack sends nothing before the submission", a.BlockID)
	}
	if err := m.touchState(a.Values); err != nil {
		return err
	}
	action := w.action(a, element)
	if field := stateField(str(element["type"])); field != "" {
		state := Values{a.BlockID: {a.ActionID: {field: action[field]}}}
		if err := m.touchState(state); err != nil {
			return err
		}
	}
	payload["actions"] = []response{action}
	payload["trigger_id"] = w.newTrigger(a.User, m.id)
	payload["container"] = response{"type": "view", "view_id": m.id}
	payload["view"] = w.viewObject(m)
	if m.isHome() {
		w.opened[a.User] = w.now().Add(w.triggerLife())
	}
	return nil
}

func (w *Workspace) actOnMessage(payload response, a Action) error {
	channel, err := w.conversation(a.Message.Channel)
	if err != nil {
		return err
	}
	m := w.findMessage(channel, a.Message.TS)
	if m == nil || m.to != "" && m.to != a.User || !w.mayClick(a.User, channel) {
		return unknownID("message", a.Message.TS)
	}
	_, element, err := findElement(m.blocks, a.BlockID, a.ActionID)
	if err != nil {
		return err
	}
	payload["actions"] = []response{w.action(a, element)}
	payload["trigger_id"] = w.newTrigger(a.User, "")
	payload["container"] = response{"type": "message", "message_ts": m.ts, "channel_id": channel, "is_ephemeral": m.to != ""}
	payload["channel"] = w.channelObject(channel)
	payload["state"] = response{"values": response{}}
	payload["response_url"] = w.newReply(channel, a.User, m.ts)
	if m.to == "" {
		payload["message"] = m.object(w, true)
	}
	return nil
}

// mayClick reports whether a person sees a conversation: public channels can be
// previewed by everyone.
func (w *Workspace) mayClick(user, channel string) bool {
	c := w.findChannel(channel)
	return c != nil && !c.IsPrivate || w.sees(user, channel)
}

func (w *Workspace) channelObject(id string) response {
	_, name, _ := w.commandChannel(id)
	return response{"id": id, "name": name}
}

// action is one entry of the payload's actions.
func (w *Workspace) action(a Action, element map[string]any) response {
	done := response{"type": element["type"], "block_id": a.BlockID, "action_id": a.ActionID, "action_ts": w.timestamp()}
	switch element["type"] {
	case "button":
		done["text"] = element["text"]
		if value, ok := element["value"]; ok {
			done["value"] = value
		}
		if a.Value != nil {
			done["value"] = *a.Value
		}
	case "plain_text_input":
		done["value"] = nil
		if a.Value != nil {
			done["value"] = *a.Value
		}
	case "checkboxes":
		done["selected_options"] = slices.Concat([]any{}, toAny(a.SelectedOptions))
	default:
		done["selected_option"] = nil
		if a.SelectedOption != nil {
			done["selected_option"] = a.SelectedOption
		}
	}
	return done
}

func toAny(options []map[string]any) []any {
	list := make([]any, len(options))
	for i, o := range options {
		list[i] = o
	}
	return list
}

// findElement finds an element by the ids of its block and its own.
func findElement(found []any, blockID, actionID string) (block, element map[string]any, err error) {
	for _, b := range found {
		block, _ := b.(map[string]any)
		if block["block_id"] != blockID {
			continue
		}
		for _, e := range elementsOf(block) {
			if e["action_id"] == actionID {
				return block, e, nil
			}
		}
	}
	return nil, nil, fmt.Errorf("finding element %q in block %q: %w", actionID, blockID, errUnknownID)
}

// viewOf returns a view that this person has open or in the Home tab; the lock is held.
func (w *Workspace) viewOf(user, id string) (*modal, error) {
	m := w.findModal(id)
	if home := w.homes[user]; home != nil && home.id == id && w.opts.Manifest.HomeTab {
		m = home
	}
	if m == nil || m.user != user {
		return nil, unknownID("open view", id)
	}
	return m, nil
}

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
	ack := w.deliver(ctx, newInteraction(methodSuggestion, payload, acceptSuggestions))
	offered := none
	if ack.Error == "" && json.Unmarshal(ack.Body, &offered) != nil || offered.Options == nil {
		offered.Options = none.Options
	}
	offered.Status, offered.MS, offered.Error = ack.Status, ack.MS, ack.Error
	return offered, nil
}

func acceptSuggestions(body []byte) *apiError {
	var offered any
	if json.Unmarshal(body, &offered) != nil {
		return fail(errTrouble).broke("a block_suggestion is answered with options in JSON", "https://docs.slack.dev/reference/interaction-payloads/block_suggestion-payload")
	}
	if problems := checkSuggestions(offered); len(problems) > 0 {
		return fail(errTrouble).because(problems...)
	}
	return nil
}

// suggestionPayload also reports whether enough was typed for Slack to ask the bot.
func (w *Workspace) suggestionPayload(l Lookup) (payload response, enough bool, err error) {
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
	payload["container"] = response{"type": "view", "view_id": m.id}
	payload["block_id"], payload["action_id"], payload["value"] = l.BlockID, l.ActionID, l.Value
	payload["view"] = w.viewObject(m)
	return payload, utf8.RuneCountInString(l.Value) >= int(least), nil
}
