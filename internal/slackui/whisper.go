package slackui

import (
	"context"
	"errors"
	"time"

	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
)

// whisperTime is how long a message to one person may take.
const whisperTime = 10 * time.Second

// whisper posts a message that only the person who clicked or used a shortcut sees, since an
// acknowledgement of those shows nothing. Over a Home tab it is a small view. It returns nil if there is
// nothing to post.
// docs.slack.dev/interactivity/handling-user-interaction
func (a *App) whisper(i receive.Interaction, m words.Message) receive.After {
	if m.Empty() {
		return nil
	}
	if i.View != nil && i.View.Home {
		return func(ctx context.Context) { a.showSmall(ctx, i, m) }
	}
	return func(ctx context.Context) { a.tell(ctx, i.ResponseURL, i.User, m) }
}

// tell posts a message for one person, unless it is empty. Failures are only logged.
func (a *App) tell(ctx context.Context, responseURL, user string, m words.Message) {
	if m.Empty() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, whisperTime)
	defer cancel()
	if err := a.postTo(ctx, responseURL, user, m); err != nil {
		a.log.Warn("posting a message for one person", "user", user, "err", err)
	}
}

// postTo posts by response_url, or by direct message if there is none or Slack refuses it.
func (a *App) postTo(ctx context.Context, responseURL, user string, m words.Message) error {
	var refused error
	if responseURL != "" {
		if refused = a.web.Respond(ctx, responseURL, webapi.Response{Text: m.Text, Blocks: m.Blocks}); refused == nil {
			return nil
		}
	}
	channel, err := a.web.OpenConversation(ctx, user)
	if err == nil {
		_, _, err = a.web.PostMessage(ctx, webapi.Post{Channel: channel, Text: m.Text, Blocks: m.Blocks})
	}
	if err != nil {
		return errors.Join(refused, err)
	}
	return nil
}

// ephemeral answers a command with a message that only the asker sees.
func ephemeral(m words.Message) receive.Reply { return receive.Ephemeral(m.Text, m.Blocks) }
