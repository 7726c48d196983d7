package fakeslack

import (
	"context"
	"fmt"
)

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
	return w.deliver(ctx, newInteraction(method, payload, func([]byte) *apiError { return nil })), nil
}

// shortcutPayload has no channel and no response_url where the shortcut is global.
func (w *Workspace) shortcutPayload(used Shortcut) (method string, payload answer, err error) {
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
func (w *Workspace) onMessage(payload answer, u *user, at MessageRef) error {
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
