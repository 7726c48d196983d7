package receive

import "encoding/json"

// Command is a slash command as received: docs.slack.dev/interactivity/implementing-slash-commands.
type Command struct {
	Team        string `json:"team_id"`       // the user's workspace
	Enterprise  string `json:"enterprise_id"` // "" outside an Enterprise organisation
	User        string `json:"user_id"`
	UserName    string `json:"user_name"`
	Channel     string `json:"channel_id"`
	ChannelName string `json:"channel_name"`
	Command     string `json:"command"` // "/cancel-server"
	Text        string `json:"text"`    // what was typed after it
	ResponseURL string `json:"response_url"`
	TriggerID   string `json:"trigger_id"`
}

// InteractionKind is the type of an interaction payload.
type InteractionKind string

// The interactions that the bot takes: docs.slack.dev/reference/interaction-payloads.
const (
	ViewSubmission  InteractionKind = "view_submission"
	ViewClosed      InteractionKind = "view_closed"
	BlockActions    InteractionKind = "block_actions"
	BlockSuggestion InteractionKind = "block_suggestion"
	Shortcut        InteractionKind = "shortcut"       // a global one
	MessageAction   InteractionKind = "message_action" // a shortcut in a message's menu
)

// Interaction holds the fields of an interaction payload that the bot needs.
type Interaction struct {
	Kind        InteractionKind
	Team        string // the workspace the app is installed in
	Enterprise  string
	User        string
	UserTeam    string // the user's own workspace; "" where Slack does not say
	UserName    string
	TriggerID   string
	ResponseURL string // only for what is done in or to messages
	CallbackID  string // of a shortcut
	View        *View  // nil for actions in messages
	Channel     string // of the message acted on
	ChannelName string // as Slack names it in commands: "directmessage", "privategroup"
	MessageTS   string
	ThreadTS    string // of the thread that the message is in, or the root of; "" for none
	MessageText string // the text of the message that a shortcut is used on, with its links
	Action      Action // the first action of block_actions; the field of a block_suggestion
}

// View is the modal, or the Home tab, that an interaction came from.
type View struct {
	Home            bool // it is the person's Home tab, which no form is read from
	ID              string
	Hash            string
	CallbackID      string
	PrivateMetadata string
	Values          map[string]map[string]Value // block id → action id
	Blocks          []string                    // block ids of its input blocks, in order
}

// Value is the state of one input element; only the field that belongs to its type is set.
type Value struct {
	Text     string   // plain_text_input
	Selected string   // value of the option chosen in a select
	Checked  []string // values of ticked checkboxes
}

// Action is one action in a block, or the field that asks for options.
type Action struct {
	BlockID  string
	ActionID string
	Value    string // a button's value, or what was typed into the select
	Selected string // value of the option chosen
	TS       string // when the action was done, "1548261231.564109"
}

// Reply is the body of an acknowledgement: JSON, or nil for none.
type Reply json.RawMessage
