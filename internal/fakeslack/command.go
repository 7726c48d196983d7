package fakeslack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
)

// Command is a slash command as a person types it.
type Command struct {
	User    string `json:"user"`
	Channel string `json:"channel"` // a channel's id, or the person's own for their direct messages with the bot
	Command string `json:"command"` // with its slash
	Text    string `json:"text"`
}

// Command delivers a slash command and returns how the bot acknowledged it. What the
// acknowledgement says becomes a message, ephemeral unless it says otherwise.
// https://docs.slack.dev/interactivity/implementing-slash-commands
func (w *Workspace) Command(ctx context.Context, typed Command) (Ack, error) {
	w.mu.Lock()
	d, err := w.commandDelivery(typed)
	w.mu.Unlock()
	if err != nil {
		return Ack{}, err
	}
	return w.deliverOpening(ctx, d, typed.User), nil
}

// deliverOpening delivers an event that may open a form.
func (w *Workspace) deliverOpening(ctx context.Context, d *delivery, user string) Ack {
	w.mu.Lock()
	w.expectForm(user)
	w.mu.Unlock()
	ack := w.deliver(ctx, d)
	if ack.Error != "" || string(ack.Body) != "null" {
		w.mu.Lock()
		w.answered(user)
		w.mu.Unlock()
	}
	return ack
}

func (w *Workspace) commandDelivery(typed Command) (*delivery, error) {
	u := w.findUser(typed.User)
	if u == nil {
		return nil, unknownID("user", typed.User)
	}
	if len(typed.Command) < 2 || typed.Command[0] != '/' {
		return nil, fmt.Errorf("typing a command: %q does not start with a slash", typed.Command)
	}
	id, name, err := w.commandChannel(typed.Channel)
	if err != nil {
		return nil, err
	}
	fields := map[string]string{
		"token": w.identity.verification, "team_id": u.TeamID, "team_domain": teamDomain,
		"channel_id": id, "channel_name": name, "user_id": u.ID, "user_name": u.Name,
		"command": typed.Command, "text": typed.Text, "api_app_id": w.identity.appID, "is_enterprise_install": "false",
		"response_url": w.newReply(id, u.ID, ""), "trigger_id": w.newTrigger(u.ID, ""),
	}
	if w.identity.enterpriseID != "" {
		fields["enterprise_id"], fields["enterprise_name"] = w.identity.enterpriseID, enterpriseName
	}
	form := url.Values{}
	for field, value := range fields {
		form.Set(field, value)
	}
	return &delivery{
		method: methodCommand, envelope: "slash_commands", form: form, payload: encode(fields), answers: true,
		accept: func(body []byte) *apiError { return w.answerCommand(id, u.ID, body) },
	}, nil
}

// commandChannel names a channel as commands do: private ones are "privategroup".
func (w *Workspace) commandChannel(id string) (channelID, name string, err error) {
	if c := w.findChannel(id); c != nil {
		if c.IsPrivate {
			return c.ID, "privategroup", nil
		}
		return c.ID, c.Name, nil
	}
	if channelID, err = w.conversation(id); err != nil {
		return "", "", err
	}
	return channelID, "directmessage", nil
}

// answerCommand shows what an acknowledgement says; the lock is held.
func (w *Workspace) answerCommand(channel, user string, body []byte) *apiError {
	if len(body) == 0 {
		return nil
	}
	said := call{args: map[string]any{"text": string(body)}}
	if json.Valid(body) {
		said.args = map[string]any{}
		if err := said.readJSON(body); err != nil {
			return err
		}
	}
	return w.useReply(&reply{channel: channel, user: user}, said)
}

// Shortcut is a person's use of one of the app's shortcuts: a global one, or, with a
// Message, one from that message's menu.
type Shortcut struct {
	User       string      `json:"user"`
	CallbackID string      `json:"callback_id"` // as the app's manifest has it
	Message    *MessageRef `json:"message,omitempty"`
}

// Shortcut delivers it and returns how the bot acknowledged it.
// https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload
func (w *Workspace) Shortcut(ctx context.Context, used Shortcut) (Ack, error) {
	w.mu.Lock()
	method, payload, err := w.shortcutPayload(used)
	w.mu.Unlock()
	if err != nil {
		return Ack{}, fmt.Errorf("using a shortcut: %w", err)
	}
	return w.deliverOpening(ctx, newInteraction(method, payload, func([]byte) *apiError { return nil }), used.User), nil
}

// shortcutPayload has no channel and no response_url where the shortcut is global.
func (w *Workspace) shortcutPayload(used Shortcut) (method string, payload response, err error) {
	u := w.findUser(used.User)
	switch {
	case u == nil:
		return "", nil, unknownID("user", used.User)
	case used.CallbackID == "":
		return "", nil, fmt.Errorf("a shortcut has a callback_id")
	}
	method = methodShortcut
	if used.Message != nil {
		method = methodMessageShortcut
	}
	payload = w.interaction(method, u)
	payload["callback_id"], payload["action_ts"] = used.CallbackID, w.timestamp()
	if used.Message != nil {
		err = w.onMessage(payload, u, *used.Message)
	}
	payload["trigger_id"] = w.newTrigger(u.ID, "")
	return method, payload, err
}

// onMessage adds the message that a shortcut was used on. An ephemeral one has no menu
// with shortcuts.
func (w *Workspace) onMessage(payload response, u *user, at MessageRef) error {
	channel, err := w.conversation(at.Channel)
	if err != nil {
		return err
	}
	m := w.findMessage(channel, at.TS)
	if m == nil || m.to != "" || !w.mayClick(u.ID, channel) {
		return unknownID("message", at.TS)
	}
	payload["channel"] = w.channelObject(channel)
	payload["message_ts"], payload["message"] = m.ts, m.object(w, true)
	payload["response_url"] = w.newReply(channel, u.ID, m.ts)
	return nil
}
