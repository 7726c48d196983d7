package slackui

import (
	"context"
	"errors"
)

// alone tells whoever clicked or used a shortcut, and nobody else: an acknowledgement of
// those shows nothing. docs.slack.dev/interactivity/handling-user-interaction
func (a *App) alone(i Interaction, lines ...line) After {
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, patientTime)
		defer cancel()
		if err := a.web.tellAlone(ctx, i.ResponseURL, i.User, lines...); err != nil {
			a.log.Warn("telling one person alone", "user", i.User, "err", err)
		}
	}
}

// tellAlone answers by response_url, or by direct message where there is none or it
// refuses.
func (w *Web) tellAlone(ctx context.Context, responseURL, user string, lines ...line) error {
	m := say(lines...)
	var refused error
	if responseURL != "" {
		if refused = w.Respond(ctx, responseURL, Response{Text: m.Text, Blocks: m.Blocks}); refused == nil {
			return nil
		}
	}
	channel, err := w.OpenConversation(ctx, user)
	if err == nil {
		_, _, err = w.PostMessage(ctx, Post{Channel: channel, Text: m.Text, Blocks: m.Blocks})
	}
	if err != nil {
		return errors.Join(refused, err)
	}
	return nil
}
