package slackui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
)

// Message metadata by which a message is found again after a lost answer:
// docs.slack.dev/messaging/message-metadata.
const (
	metadataType = "cancel_server_request"
	metadataID   = "id"
	metadataRef  = "ref"
	metadataKind = "kind"
)

// Bounds of a search through a channel's history.
const (
	historyPage  = 200
	historyPages = 10
	clockSkew    = time.Minute // between this host and Slack
)

// AnnouncerOptions says how results are told.
type AnnouncerOptions struct {
	Web   *Web
	Words Results
	Bot   string // the bot's id (Identity.Bot): only its own messages are found again
	Log   *slog.Logger
}

// Results puts a request's present state in words.
type Results interface {
	Result(r cancellation.Request) Message // with nothing to press
	Live(kind cancellation.NoticeKind, r cancellation.Request) Message
	Reminder(r cancellation.Request) Message
	Alarm(r cancellation.Request) Message
}

// Announcer tells results in Slack. It implements cancellation.Announcer: each method
// makes its call at most once and says what is known about it. Where Slack asked to
// wait, none is made: Undelivered, with the time that is left.
type Announcer struct {
	o AnnouncerOptions
}

var _ cancellation.Announcer = (*Announcer)(nil)

// NewAnnouncer makes an announcer.
func NewAnnouncer(o AnnouncerOptions) *Announcer {
	return &Announcer{o: o}
}

// Post is docs.slack.dev/reference/methods/chat.postMessage; with no channel it opens
// the direct message first.
func (a *Announcer) Post(ctx context.Context, to cancellation.Place, kind cancellation.NoticeKind, r cancellation.Request) (cancellation.Posted, cancellation.Delivery, time.Duration) {
	channel := to.Channel
	if channel == "" {
		var err error
		if channel, err = a.o.Web.directMessages(ctx, recipient(kind, r)); err != nil {
			delivery, pause := openFailed(err)
			a.report(r, "opening a direct message", delivery, err)
			return cancellation.Posted{}, delivery, pause
		}
	}
	content := a.content(kind, r)
	if to.Thread != "" {
		content = append(content, slack.MsgOptionTS(to.Thread))
	}
	var at cancellation.Posted
	sent, err := traced(ctx, func(ctx context.Context) error {
		return a.o.Web.limits.call("chat.postMessage", channel, func() (err error) {
			at.Channel, at.TS, err = a.o.Web.patient.PostMessageContext(ctx, channel, content...)
			return err
		})
	})
	if err != nil {
		delivery, pause := postFailed(sent, err)
		a.report(r, "posting the result", delivery, err)
		return cancellation.Posted{}, delivery, pause
	}
	if at.Channel == "" || at.TS == "" {
		a.report(r, "posting the result", cancellation.Lost, errors.New("calling chat.postMessage: ok, and no ts"))
		return cancellation.Posted{}, cancellation.Lost, 0
	}
	return at, cancellation.Delivered, 0
}

// Update is docs.slack.dev/reference/methods/chat.update, which may be repeated.
func (a *Announcer) Update(ctx context.Context, at cancellation.Posted, kind cancellation.NoticeKind, r cancellation.Request) (cancellation.Delivery, time.Duration) {
	err := a.o.Web.limits.call("chat.update", "", func() error {
		_, _, _, err := a.o.Web.patient.UpdateMessageContext(ctx, at.Channel, at.TS, a.content(kind, r)...)
		return err
	})
	if err == nil {
		return cancellation.Delivered, 0
	}
	delivery, pause := updateFailed(err)
	a.report(r, "updating the result", delivery, err)
	return delivery, pause
}

// Respond posts for all in the channel by a command's response_url, which works also
// where the bot is not a member: docs.slack.dev/interactivity/handling-user-interaction.
// The URL is a capability: it is used only for Slack's host, and never logged.
func (a *Announcer) Respond(ctx context.Context, responseURL string, r cancellation.Request) (cancellation.Delivery, time.Duration) {
	if !a.o.Web.mayRespond(responseURL) {
		a.report(r, "responding to the command", cancellation.Refusing, errors.New("response_url is not one of Slack's"))
		return cancellation.Refusing, 0
	}
	message := a.o.Words.Result(r)
	sent, err := traced(ctx, func(ctx context.Context) error {
		return slack.PostWebhookCustomHTTPContext(ctx, responseURL, a.o.Web.webhooks, &slack.WebhookMessage{
			Text: message.Text, Blocks: &slack.Blocks{BlockSet: message.Blocks}, ResponseType: slack.ResponseTypeInChannel,
			UnfurlLinks: new(bool), UnfurlMedia: new(bool),
			// docs.slack.dev/interactivity/handling-user-interaction#publishing_in_thread
			ThreadTimestamp: r.Submission.Place.Thread,
		})
	})
	if err == nil {
		return cancellation.Delivered, 0
	}
	err = callError("response_url", err)
	delivery, pause := respondFailed(sent, err)
	a.report(r, "responding to the command", delivery, err)
	return delivery, pause
}

// Find is docs.slack.dev/reference/methods/conversations.history, or, for a message in a
// thread, which that leaves out, conversations.replies. Without their scope, and in every
// other case of doubt, known is false.
func (a *Announcer) Find(ctx context.Context, in cancellation.Place, kind cancellation.NoticeKind, r cancellation.Request, since time.Time) (at cancellation.Posted, found, known bool) {
	at, found, err := a.find(ctx, in, kind, r, since)
	if err != nil {
		a.o.Log.Info("looking for a message whose answer was lost", "ref", r.Ref.Short(), "err", err)
		return cancellation.Posted{}, false, false
	}
	return at, found, true
}

func (a *Announcer) find(ctx context.Context, in cancellation.Place, kind cancellation.NoticeKind, r cancellation.Request, since time.Time) (at cancellation.Posted, found bool, err error) {
	channel := in.Channel
	if channel == "" {
		if channel, err = a.o.Web.directMessages(ctx, recipient(kind, r)); err != nil {
			return at, false, err
		}
	}
	oldest, cursor, more := fmt.Sprintf("%d.000000", since.Add(-clockSkew).Unix()), "", false
	for range historyPages {
		var page []slack.Message
		if in.Thread != "" {
			page, cursor, more, err = a.replies(ctx, channel, in.Thread, oldest, cursor)
		} else {
			page, cursor, more, err = a.history(ctx, channel, oldest, cursor)
		}
		if err != nil {
			return at, false, err
		}
		for _, m := range page {
			if about(m.Metadata, kind, r) && a.own(m) {
				return cancellation.Posted{Channel: channel, TS: m.Timestamp}, true, nil
			}
		}
		if !more || cursor == "" {
			return at, false, nil
		}
	}
	return at, false, errors.New("there are more messages than are searched")
}

// history is one page of a channel's own messages, the newest first.
func (a *Announcer) history(ctx context.Context, channel, oldest, cursor string) (page []slack.Message, next string, more bool, err error) {
	err = a.o.Web.limits.call("conversations.history", "", func() error {
		answer, err := a.o.Web.patient.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
			ChannelID: channel, Limit: historyPage, IncludeAllMetadata: true, Oldest: oldest, Cursor: cursor,
		})
		if err == nil {
			page, next, more = answer.Messages, answer.ResponseMetaData.NextCursor, answer.HasMore
		}
		return err
	})
	return page, next, more, err
}

// replies is one page of a thread's messages.
func (a *Announcer) replies(ctx context.Context, channel, root, oldest, cursor string) (page []slack.Message, next string, more bool, err error) {
	err = a.o.Web.limits.call("conversations.replies", "", func() (err error) {
		page, more, next, err = a.o.Web.patient.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
			ChannelID: channel, Timestamp: root, Limit: historyPage, IncludeAllMetadata: true, Oldest: oldest, Cursor: cursor,
		})
		return err
	})
	return page, next, more, err
}

func about(m slack.SlackMetadata, kind cancellation.NoticeKind, r cancellation.Request) bool {
	return m.EventType == metadataType && m.EventPayload[metadataID] == r.ID && m.EventPayload[metadataKind] == string(kind)
}

// Reach is docs.slack.dev/reference/methods/auth.test. A refused token is an answer:
// response_urls work without one.
func (a *Announcer) Reach(ctx context.Context) error {
	_, err := a.o.Web.AuthTest(ctx)
	if refused, ok := errors.AsType[*APIError](err); ok && tokenRefused(refused.Code) {
		return nil
	}
	return err
}

func (a *Announcer) own(m slack.Message) bool { return a.o.Bot == "" || m.BotID == a.o.Bot }

// recipient is whom a direct message goes to.
func recipient(kind cancellation.NoticeKind, r cancellation.Request) string {
	return cmp.Or(kind.Recipient(), r.Submission.By.ID)
}

func (a *Announcer) content(kind cancellation.NoticeKind, r cancellation.Request) []slack.MsgOption {
	var message Message
	switch {
	case kind == cancellation.Alarm:
		message = a.o.Words.Alarm(r)
	case kind.Reminds():
		message = a.o.Words.Reminder(r)
	default:
		message = a.o.Words.Live(kind, r)
	}
	return []slack.MsgOption{
		slack.MsgOptionText(message.Text, false), // escaped where it was written
		slack.MsgOptionBlocks(message.Blocks...),
		slack.MsgOptionMetadata(slack.SlackMetadata{
			EventType:    metadataType,
			EventPayload: map[string]any{metadataID: r.ID, metadataRef: r.Ref.Short(), metadataKind: string(kind)},
		}),
		slack.MsgOptionDisableLinkUnfurl(),
		slack.MsgOptionDisableMediaUnfurl(),
	}
}

// report logs what went wrong: the domain gets the class alone.
func (a *Announcer) report(r cancellation.Request, doing string, delivery cancellation.Delivery, err error) {
	level := slog.LevelWarn
	if refused, ok := errors.AsType[*APIError](err); ok && ourFault(refused.Code) {
		level = slog.LevelError
	}
	a.o.Log.Log(context.Background(), level, doing, "ref", r.Ref.Short(), "delivery", int(delivery), "err", err)
}

// mayRespond reports whether a URL is a response_url of this Slack: on hooks.slack.com,
// or where the API's URL was set to another host, on exactly that one.
func (w *Web) mayRespond(responseURL string) bool {
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
