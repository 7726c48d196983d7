package receive

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// errUnknownKind: the payload is well formed and of a type that the bot does not take.
var errUnknownKind = errors.New("unknown type of interaction")

// payloadError is what is wrong with a payload. Of the payload it repeats only the names of fields
// and types.
type payloadError struct {
	problem string
	cause   error
}

func (e *payloadError) Error() string { return e.problem }
func (e *payloadError) Unwrap() error { return e.cause }

func missing(field string) error {
	return &payloadError{problem: fmt.Sprintf("field %q is missing", field)}
}

// parseCommand reads the form of a slash command.
func parseCommand(form url.Values) (Command, error) {
	return Command{
		Team: form.Get("team_id"), Enterprise: form.Get("enterprise_id"),
		User: form.Get("user_id"), UserName: form.Get("user_name"),
		Channel: form.Get("channel_id"), ChannelName: form.Get("channel_name"),
		Command: form.Get("command"), Text: form.Get("text"),
		ResponseURL: form.Get("response_url"), TriggerID: form.Get("trigger_id"),
	}.check()
}

// parseCommandJSON reads a slash command as Socket Mode carries it: the form's fields
// as a JSON object.
func parseCommandJSON(payload []byte) (Command, error) {
	var c Command
	if err := json.Unmarshal(payload, &c); err != nil {
		return Command{}, &payloadError{"the command is not the JSON that was expected", err}
	}
	return c.check()
}

func (c Command) check() (Command, error) {
	switch {
	case c.Command == "":
		return Command{}, missing("command")
	case c.User == "":
		return Command{}, missing("user_id")
	case c.Team == "":
		return Command{}, missing("team_id")
	case c.TriggerID == "":
		return Command{}, missing("trigger_id")
	}
	return c, nil
}

type nameJSON struct {
	ID       string `json:"id"`
	TeamID   string `json:"team_id"`
	Name     string `json:"name"`
	Username string `json:"username"`
}

type interactionJSON struct {
	Type        InteractionKind `json:"type"`
	TriggerID   string          `json:"trigger_id"`
	ResponseURL string          `json:"response_url"`
	Team        nameJSON        `json:"team"` // null for an app installed in the whole organisation
	Enterprise  nameJSON        `json:"enterprise"`
	User        nameJSON        `json:"user"`
	Channel     nameJSON        `json:"channel"`
	CallbackID  string          `json:"callback_id"`
	Container   struct {
		Channel   string `json:"channel_id"`
		MessageTS string `json:"message_ts"`
		ThreadTS  string `json:"thread_ts"`
	} `json:"container"`
	Message messageJSON  `json:"message"`
	View    *viewJSON    `json:"view"`
	Actions []actionJSON `json:"actions"`

	// block_suggestion names its field here.
	BlockID  string `json:"block_id"`
	ActionID string `json:"action_id"`
	Value    string `json:"value"`
}

type messageJSON struct {
	TS          string          `json:"ts"`
	ThreadTS    string          `json:"thread_ts"`
	Text        string          `json:"text"`
	Blocks      json.RawMessage `json:"blocks"`      // read where a shortcut is used on it alone
	Attachments json.RawMessage `json:"attachments"` // the same
}

type viewJSON struct {
	Type            string `json:"type"`
	ID              string `json:"id"`
	Hash            string `json:"hash"`
	CallbackID      string `json:"callback_id"`
	PrivateMetadata string `json:"private_metadata"`
	InstalledTeam   string `json:"app_installed_team_id"`
	Blocks          []struct {
		Type    string `json:"type"`
		BlockID string `json:"block_id"`
	} `json:"blocks"`
	State struct {
		Values map[string]map[string]valueJSON `json:"values"`
	} `json:"state"`
}

type optionJSON struct {
	Value string `json:"value"`
}

type valueJSON struct {
	Value    string       `json:"value"` // null while untouched
	Selected optionJSON   `json:"selected_option"`
	Checked  []optionJSON `json:"selected_options"`
}

type actionJSON struct {
	BlockID  string     `json:"block_id"`
	ActionID string     `json:"action_id"`
	Value    string     `json:"value"`
	Selected optionJSON `json:"selected_option"`
	TS       string     `json:"action_ts"`
}

// ParseInteraction reads an interaction payload: only the fields that the bot needs,
// because decoding all of it costs more than everything else in a submission.
func ParseInteraction(payload []byte) (Interaction, error) {
	if len(payload) == 0 {
		return Interaction{}, missing("payload")
	}
	var p interactionJSON
	if err := json.Unmarshal(payload, &p); err != nil {
		return Interaction{}, &payloadError{"the payload is not the JSON that was expected", err}
	}
	if err := p.check(); err != nil {
		return Interaction{}, err
	}
	return p.interaction(), nil
}

func (p interactionJSON) check() error {
	if p.Type == "" {
		return missing("type")
	}
	if p.User.ID == "" {
		return missing("user.id")
	}
	switch p.Type {
	case ViewSubmission, ViewClosed:
		if p.View == nil || p.View.ID == "" {
			return missing("view.id")
		}
	case BlockActions:
		if len(p.Actions) == 0 {
			return missing("actions")
		}
	case BlockSuggestion:
		if p.ActionID == "" {
			return missing("action_id")
		}
	case Shortcut, MessageAction:
		return p.checkShortcut()
	default:
		return &payloadError{fmt.Sprintf("unknown type of interaction %.40q", p.Type), errUnknownKind}
	}
	return nil
}

func (p interactionJSON) checkShortcut() error {
	switch {
	case p.CallbackID == "":
		return missing("callback_id")
	case p.TriggerID == "":
		return missing("trigger_id")
	case p.Type == MessageAction && p.Channel.ID == "":
		return missing("channel.id")
	case p.Type == MessageAction && p.Message.TS == "":
		return missing("message.ts")
	}
	return nil
}

func (p interactionJSON) interaction() Interaction {
	i := Interaction{
		Kind: p.Type, Team: p.Team.ID, Enterprise: p.Enterprise.ID,
		User: p.User.ID, UserTeam: p.User.TeamID, UserName: cmp.Or(p.User.Username, p.User.Name),
		TriggerID: p.TriggerID, ResponseURL: p.ResponseURL,
		Channel: cmp.Or(p.Channel.ID, p.Container.Channel), ChannelName: p.Channel.Name,
		MessageTS: cmp.Or(p.Message.TS, p.Container.MessageTS), ThreadTS: cmp.Or(p.Message.ThreadTS, p.Container.ThreadTS),
		CallbackID: p.CallbackID,
	}
	if p.Type == MessageAction {
		i.MessageText = p.Message.allText()
	}
	if p.View != nil {
		i.View = p.View.view()
		i.Team = cmp.Or(i.Team, p.View.InstalledTeam)
	}
	switch {
	case p.Type == BlockSuggestion:
		i.Action = Action{BlockID: p.BlockID, ActionID: p.ActionID, Value: p.Value}
	case len(p.Actions) > 0:
		a := p.Actions[0]
		i.Action = Action{BlockID: a.BlockID, ActionID: a.ActionID, Value: a.Value, Selected: a.Selected.Value, TS: a.TS}
	}
	return i
}

// MaxMessageText bounds, in bytes, what is read of a message that a shortcut is used on.
const MaxMessageText = 20_000

// allText is all text of a message, its top-level text first.
func (m messageJSON) allText() string {
	var all strings.Builder
	all.WriteString(m.Text)
	for _, part := range []json.RawMessage{m.Blocks, m.Attachments} {
		var value any
		if json.Unmarshal(part, &value) == nil {
			gather(&all, value)
		}
	}
	return all.String()[:min(all.Len(), MaxMessageText)]
}

// gather adds the texts of blocks or attachments, objects in the order of their keys.
// docs.slack.dev/reference/block-kit/blocks, docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments
func gather(all *strings.Builder, value any) {
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			gather(all, item)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			text, is := value[key].(string)
			switch {
			case !is:
				gather(all, value[key])
			case key == "value" && unshown(value):
			case all.Len() < MaxMessageText && slices.Contains([]string{"text", "url", "title", "value", "pretext", "fallback", "footer"}, key):
				all.WriteString("\n" + text)
			}
		}
	}
}

// unshown reports whether the value of an object is what a button or an option sends. The value of
// an attachment's field is displayed: such a field has neither a type nor a text.
func unshown(object map[string]any) bool { return object["type"] != nil || object["text"] != nil }

func (v *viewJSON) view() *View {
	view := &View{
		Home: v.Type == tabHome,
		ID:   v.ID, Hash: v.Hash, CallbackID: v.CallbackID, PrivateMetadata: v.PrivateMetadata,
		Values: make(map[string]map[string]Value, len(v.State.Values)),
	}
	for block, actions := range v.State.Values {
		values := make(map[string]Value, len(actions))
		for action, value := range actions {
			values[action] = value.value()
		}
		view.Values[block] = values
	}
	for _, b := range v.Blocks {
		if b.Type == "input" {
			view.Blocks = append(view.Blocks, b.BlockID)
		}
	}
	return view
}

func (v valueJSON) value() Value {
	value := Value{Text: v.Value, Selected: v.Selected.Value}
	for _, option := range v.Checked {
		value.Checked = append(value.Checked, option.Value)
	}
	return value
}
