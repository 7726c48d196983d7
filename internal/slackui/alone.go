package slackui

import (
	"context"
	"errors"

	"github.com/slack-go/slack"
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
	var refused error
	if responseURL != "" {
		if refused = w.respondAlone(ctx, responseURL, lines...); refused == nil {
			return nil
		}
	}
	channel, err := w.directMessages(ctx, user)
	if err != nil {
		return errors.Join(refused, err)
	}
	err = w.limits.call("chat.postMessage", channel, func() error {
		_, _, err := w.patient.PostMessageContext(ctx, channel,
			slack.MsgOptionText(fitting(flat(lines...)), false), slack.MsgOptionBlocks(block("", lines...)))
		return err
	})
	if err != nil {
		return errors.Join(refused, err)
	}
	return nil
}

// directMessages is docs.slack.dev/reference/methods/conversations.open.
func (w *Web) directMessages(ctx context.Context, user string) (channel string, err error) {
	var opened *slack.Channel
	err = w.limits.call("conversations.open", "", func() (err error) {
		opened, _, _, err = w.patient.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{user}})
		return err
	})
	switch {
	case err != nil:
		return "", err
	case opened == nil || opened.ID == "":
		return "", errors.New("calling conversations.open: ok, and no channel")
	}
	return opened.ID, nil
}

// respondAlone posts an ephemeral message by response_url, and leaves the message that was
// acted on as it is.
func (w *Web) respondAlone(ctx context.Context, responseURL string, lines ...line) error {
	if !w.mayRespond(responseURL) {
		return errors.New("response_url is not one of Slack's")
	}
	err := slack.PostWebhookCustomHTTPContext(ctx, responseURL, w.webhooks, &slack.WebhookMessage{
		Text: flat(lines...), Blocks: &slack.Blocks{BlockSet: []slack.Block{block("", lines...)}},
		ResponseType: slack.ResponseTypeEphemeral, UnfurlLinks: new(bool), UnfurlMedia: new(bool),
	})
	if err != nil {
		return callError("response_url", err)
	}
	return nil
}
