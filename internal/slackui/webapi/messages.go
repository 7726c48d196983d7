package webapi

import (
	"context"
	"errors"
	"net/url"

	"github.com/slack-go/slack"
)

// historyPage is how many messages one page of a history has.
const historyPage = 200

// Metadata is what a message carries for the bot only: docs.slack.dev/messaging/message-metadata.
type Metadata = slack.SlackMetadata

// Post is a message and where it goes.
type Post struct {
	Channel  string
	Thread   string // ts of the thread's root; "" for the channel itself
	Text     string // escaped where it was written
	Blocks   []slack.Block
	Metadata Metadata // zero for none
}

func (w *Client) options(p Post) []slack.MsgOption {
	text, blocks := w.mark.message(p.Text, p.Blocks)
	options := []slack.MsgOption{
		slack.MsgOptionText(text, false), slack.MsgOptionBlocks(blocks...),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
	}
	if p.Metadata.EventType != "" {
		options = append(options, slack.MsgOptionMetadata(p.Metadata))
	}
	if p.Thread != "" {
		options = append(options, slack.MsgOptionTS(p.Thread))
	}
	return options
}

// PostMessage is docs.slack.dev/reference/methods/chat.postMessage. It returns the channel
// and the ts that Slack answers, "" where it names none. ErrNotSent: certainly nothing was
// posted.
func (w *Client) PostMessage(ctx context.Context, p Post) (channel, ts string, err error) {
	err = traced(ctx, func(ctx context.Context) error {
		return w.limits.call("chat.postMessage", p.Channel, func() (err error) {
			channel, ts, err = w.patient.PostMessageContext(ctx, p.Channel, w.options(p)...)
			return err
		})
	})
	return channel, ts, err
}

// UpdateMessage is docs.slack.dev/reference/methods/chat.update, which may be repeated.
// p.Channel and ts say which message is replaced.
func (w *Client) UpdateMessage(ctx context.Context, ts string, p Post) error {
	return w.limits.call("chat.update", "", func() error {
		_, _, _, err := w.patient.UpdateMessageContext(ctx, p.Channel, ts, w.options(p)...)
		return err
	})
}

// OpenConversation is docs.slack.dev/reference/methods/conversations.open: it returns the
// channel of the direct messages with a user.
func (w *Client) OpenConversation(ctx context.Context, user string) (channel string, err error) {
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

// Page is one page of a channel's messages or of a thread's.
type Page struct {
	Messages []slack.Message
	Next     string // the cursor of the next page; "" after the last one
}

// History is docs.slack.dev/reference/methods/conversations.history: a page of a channel's
// own messages, the newest first, with their metadata.
func (w *Client) History(ctx context.Context, channel, oldest, cursor string) (page Page, err error) {
	err = w.limits.call("conversations.history", "", func() error {
		answer, err := w.patient.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
			ChannelID: channel, Limit: historyPage, IncludeAllMetadata: true, Oldest: oldest, Cursor: cursor,
		})
		if err == nil {
			page = pageOf(answer.Messages, answer.HasMore, answer.ResponseMetaData.NextCursor)
		}
		return err
	})
	return page, err
}

// Replies is docs.slack.dev/reference/methods/conversations.replies: a page of the messages
// of the thread under root, with their metadata.
func (w *Client) Replies(ctx context.Context, channel, root, oldest, cursor string) (page Page, err error) {
	err = w.limits.call("conversations.replies", "", func() error {
		messages, more, next, err := w.patient.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
			ChannelID: channel, Timestamp: root, Limit: historyPage, IncludeAllMetadata: true, Oldest: oldest, Cursor: cursor,
		})
		page = pageOf(messages, more, next)
		return err
	})
	return page, err
}

func pageOf(messages []slack.Message, more bool, next string) Page {
	if !more {
		next = ""
	}
	return Page{Messages: messages, Next: next}
}

// ErrForeignURL: a response_url is not one of Slack's, and nothing was posted.
var ErrForeignURL = errors.New("response_url is not one of Slack's")

// Response is a message that is posted by a response_url.
type Response struct {
	Text      string // escaped where it was written
	Blocks    []slack.Block
	InChannel bool   // for everybody in the channel; else only for the person who acted
	Thread    string // docs.slack.dev/interactivity/handling-user-interaction#publishing_in_thread
}

// Respond posts by a response_url, which works also where the bot is not a member:
// docs.slack.dev/interactivity/handling-user-interaction. The URL is a capability: it is used
// only for Slack's host (else ErrForeignURL), and never logged. It leaves the message that
// was acted on as it is. ErrNotSent: certainly nothing was posted.
func (w *Client) Respond(ctx context.Context, responseURL string, r Response) error {
	if !w.mayRespond(responseURL) {
		return ErrForeignURL
	}
	kind := slack.ResponseTypeEphemeral
	if r.InChannel {
		kind = slack.ResponseTypeInChannel
	}
	text, blocks := w.mark.message(r.Text, r.Blocks)
	return traced(ctx, func(ctx context.Context) error {
		err := slack.PostWebhookCustomHTTPContext(ctx, responseURL, w.webhooks, &slack.WebhookMessage{
			Text: text, Blocks: &slack.Blocks{BlockSet: blocks}, ResponseType: kind, ThreadTimestamp: r.Thread,
			UnfurlLinks: new(bool), UnfurlMedia: new(bool),
		})
		if err != nil {
			err = callError("response_url", err)
		}
		w.limits.called("response_url", err)
		return err
	})
}

// mayRespond reports whether a URL is a response_url of this Slack: on hooks.slack.com,
// or where the API's URL was set to another host, on exactly that one.
func (w *Client) mayRespond(responseURL string) bool {
	to, err := url.Parse(responseURL)
	if err != nil || to.User != nil {
		return false
	}
	if to.Scheme == "https" && to.Host == "hooks.slack.com" {
		return true
	}
	api, err := url.Parse(w.apiURL)
	return err == nil && w.apiURL != slack.APIURL && to.Scheme == api.Scheme && to.Host == api.Host
}
