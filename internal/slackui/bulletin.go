package slackui

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/orders"
	"cancel-server/internal/reconcile"
	"cancel-server/internal/report"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
)

// Message metadata by which a bulletin, or an order about filing, is found again after a lost answer.
const (
	bulletinType = "cancel_server_bulletin"
	bulletinDay  = "day"
	orderType    = "cancel_server_order"
)

// BoardOptions is what a Board is made of.
type BoardOptions struct {
	Web   *webapi.Client
	Words words.Writer
	Bot   string // the bot's id (Identity.Bot): only its own messages are found again
	Log   *slog.Logger
}

// Board posts bulletins in REPORT_CHANNEL, and orders about filing. It implements bulletin.Board and
// orders.Board.
type Board struct {
	o BoardOptions
}

// NewBoard makes a board.
func NewBoard(o BoardOptions) *Board { return &Board{o: o} }

// PostBulletin is docs.slack.dev/reference/methods/chat.postMessage. It makes the call at most once.
func (b *Board) PostBulletin(ctx context.Context, of report.Bulletin, month *report.Report, elsewhere []reconcile.Cancellation) (cancellation.Posted, cancellation.Delivery, time.Duration) {
	message := words.WithCheckpoint(b.o.Words.Bulletin(month, elsewhere, of.Count), of.Checkpoint)
	channel, ts, err := b.o.Web.PostMessage(ctx, webapi.Post{
		Channel: of.Channel, Text: message.Text, Blocks: message.Blocks,
		Metadata: webapi.Metadata{EventType: bulletinType, EventPayload: map[string]any{bulletinDay: dayName(of)}},
	})
	if err == nil && (channel == "" || ts == "") { // as good as no answer
		err = errors.New("calling chat.postMessage: ok, and no ts")
	}
	if err == nil {
		return cancellation.Posted{Channel: channel, TS: ts}, cancellation.Delivered, 0
	}
	delivery, pause := postFailed(err)
	b.o.Log.Warn("posting a bulletin", "day", dayName(of), "delivery", deliveryNames[delivery], "err", err)
	return cancellation.Posted{}, delivery, pause
}

// FindBulletin is docs.slack.dev/reference/methods/conversations.history. known is false if Slack says
// that the bot may not read it. An error means that it gave no answer now.
func (b *Board) FindBulletin(ctx context.Context, of report.Bulletin) (at cancellation.Posted, found, known bool, err error) {
	oldest, page := fmt.Sprintf("%d.000000", of.AnnouncedAt.Add(-clockSkew).Unix()), webapi.Page{}
	for range historyPages {
		page, err = b.o.Web.History(ctx, of.Channel, oldest, page.Next)
		if refused, ok := errors.AsType[*webapi.Error](err); ok && (refused.Code == "missing_scope" || refused.RefusesPlace()) {
			b.o.Log.Info("looking for a bulletin whose answer was lost", "day", dayName(of), "err", err)
			return at, false, false, nil
		}
		if err != nil {
			return at, false, false, fmt.Errorf("looking for a bulletin: %w", err)
		}
		for _, m := range page.Messages {
			is := m.Metadata.EventType == bulletinType && m.Metadata.EventPayload[bulletinDay] == dayName(of)
			if is && (b.o.Bot == "" || m.BotID == b.o.Bot) {
				return cancellation.Posted{Channel: of.Channel, TS: m.Timestamp}, true, true, nil
			}
		}
		if page.Next == "" {
			return at, false, true, nil
		}
	}
	return at, false, false, nil // there are more messages than are searched
}

// dayName names a bulletin in its metadata.
func dayName(of report.Bulletin) string { return strconv.FormatInt(of.Day, 10) }

// PostOrder is docs.slack.dev/reference/methods/chat.postMessage, to a channel or to a person. It makes the
// call at most once.
func (b *Board) PostOrder(ctx context.Context, n orders.Notice, ends cancellation.Posted) (at cancellation.Posted, d cancellation.Delivery, retry time.Duration) {
	channel, err := b.open(ctx, n.Target)
	if err != nil {
		delivery, pause := openFailed(err)
		delivery = unlessToken(delivery, err)
		b.o.Log.Warn("opening a direct message for an order about filing", "delivery", deliveryNames[delivery], "err", err)
		return at, delivery, pause
	}
	message := b.o.Words.Ordered(n.Order, ends)
	at.Channel, at.TS, err = b.o.Web.PostMessage(ctx, webapi.Post{
		Channel: channel, Text: message.Text, Blocks: message.Blocks,
		Metadata: webapi.Metadata{EventType: orderType, EventPayload: map[string]any{metadataID: orderName(n)}},
	})
	if err == nil && (at.Channel == "" || at.TS == "") { // as good as no answer
		err = errors.New("calling chat.postMessage: ok, and no ts")
	}
	if err == nil {
		return at, cancellation.Delivered, 0
	}
	delivery, pause := postFailed(err)
	delivery = unlessToken(delivery, err)
	b.o.Log.Warn("posting an order about filing", "delivery", deliveryNames[delivery], "err", err)
	return cancellation.Posted{}, delivery, pause
}

// unlessToken is a delivery for which a refused token is no refusal of the place: while Slack refuses the token,
// no other place takes the message either.
func unlessToken(d cancellation.Delivery, err error) cancellation.Delivery {
	if refused, is := errors.AsType[*webapi.Error](err); is && refused.RefusesToken() {
		return cancellation.Undelivered
	}
	return d
}

// open returns the channel of a target: of a person, their direct messages.
func (b *Board) open(ctx context.Context, target string) (string, error) {
	if !words.IsUser(target) {
		return target, nil
	}
	return b.o.Web.OpenConversation(ctx, target)
}

// FindOrder looks for an order that was posted and whose answer was lost. known is false if the bot may
// not look, or in any other doubt.
func (b *Board) FindOrder(ctx context.Context, n orders.Notice) (at cancellation.Posted, found, known bool) {
	channel, err := b.open(ctx, n.Target)
	if err == nil {
		searcher := Announcer{AnnouncerOptions{Web: b.o.Web, Bot: b.o.Bot}}
		at, found, err = searcher.search(ctx, cancellation.Place{Channel: channel}, n.Order.At,
			webapi.Metadata{EventType: orderType, EventPayload: map[string]any{metadataID: orderName(n)}})
	}
	if err != nil {
		b.o.Log.Info("looking for an order whose answer was lost", "err", err)
		return cancellation.Posted{}, false, false
	}
	return at, found, true
}

// orderName names an order in its metadata.
func orderName(n orders.Notice) string { return strconv.FormatInt(n.Order.Number, 10) }
