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
	return w.deliver(ctx, d), nil
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
		settle: func(body []byte) *apiError { return w.answerCommand(id, u.ID, body) },
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
