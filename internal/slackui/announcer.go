package slackui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
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
	historyPages = 10
	clockSkew    = time.Minute // between this host and Slack
)

// AnnouncerOptions is what an Announcer is made of.
type AnnouncerOptions struct {
	Web     *webapi.Client
	Words   Results
	Answers Answers // reads what staff wrote, for letters; nil: none quotes them
	Texts   Texts   // what people wrote for tickets; nil if nobody can
	Shown   Shown   // where requests are shown; nil: no message links to another
	Batches Batches // what the message of a batch says; nil if there is none
	Stays   Stays   // what stays billed, if that was read after the submission; nil: only the card says it
	Bot     string  // the bot's id (Identity.Bot): only its own messages are found again
	Pings   string  // the operators' channel, where groups are pinged; "": where a request was made
	Quiet   bool    // pings nobody: this bot only practises
	Log     *slog.Logger
}

// Results writes the messages about a request's present state.
type Results interface {
	Result(r cancellation.Request) words.Message                                                         // with nothing to press
	Live(kind cancellation.NoticeKind, r cancellation.Request) words.Message                             // with the kind's buttons, as far as the state has any
	Reminder(r cancellation.Request) words.Message                                                       // asks approvers once more
	Alarm(r cancellation.Request) words.Message                                                          // tells operators that it takes too long
	Said(l cancellation.Line, r cancellation.Request) words.Message                                      // tells once what became of it
	Escalated(n cancellation.News, r cancellation.Request, at cancellation.Posted) words.Message         // tells once more people what became of it
	Written(u correspondence.Update, r cancellation.Request) words.Message                               // tells what became of a text for its ticket
	Proposal(u correspondence.Update, r cancellation.Request) words.Message                              // asks somebody to send a text
	WrittenAll(form []correspondence.Update, rows []cancellation.Request) words.Message                  // tells what became of the replies of one form
	ProposalForAll(form []correspondence.Update, rows []cancellation.Request) words.Message              // asks somebody to send them
	Batch(kind cancellation.NoticeKind, b cancellation.Batch, rows []cancellation.Request) words.Message // a batch's present state
	BatchReminder(rows []cancellation.Request) words.Message                                             // asks approvers once more for those that wait
	BatchEnd(b cancellation.Batch, rows []cancellation.Request) words.Message                            // tells the requester that it is over
	Gathered(items []cancellation.Item) words.Message                                                    // tells once what became of several servers of a batch
	Letter(to string, items []cancellation.Item, atOnce bool) words.Message                              // tells one person what became of theirs
}

// Texts reads what people wrote for tickets.
type Texts interface {
	// TicketUpdate reads a text by its number.
	TicketUpdate(ctx context.Context, number int64) (correspondence.Update, error)
	// FormOf lists the replies for requests of a batch that one form recorded together with this one.
	FormOf(ctx context.Context, batch string, number int64) ([]correspondence.Update, error)
}

// Stays reads what is kept of what stays billed.
type Stays interface {
	// StaysOf reads what is kept of these requests, by their ids; it leaves out those of which nothing is.
	StaysOf(ctx context.Context, requests []string) (map[string]billed.Record, error)
}

// Shown reads where requests are shown.
type Shown interface {
	// Notices lists a request's notices, delivered or not.
	Notices(ctx context.Context, requestID string) ([]cancellation.Notice, error)
}

// Batches reads forms with several servers.
type Batches interface {
	// Batch reads a batch with its requests, in the order of the list.
	Batch(ctx context.Context, id string) (cancellation.Batch, []cancellation.Request, error)
	// Gathered lists what a message of this kind gathers of a batch's servers.
	Gathered(ctx context.Context, batch string, kind cancellation.NoticeKind) ([]cancellation.Gathered, error)
	// Awaited lists the requests of a batch about which SoftLayer waits for an answer.
	Awaited(ctx context.Context, batch string) ([]cancellation.Request, error)
}

// Answers reads what SoftLayer's staff wrote.
type Answers interface {
	// Entries reads the updates of a ticket with what they say, the oldest first.
	Entries(ctx context.Context, ticket int64) ([]cancellation.TicketEntry, error)
}

// Announcer posts results in Slack. It implements cancellation.Announcer: each method makes its
// call at most once and returns what is known about it. If Slack asked to wait, it makes no call
// and returns Undelivered with the time that is left.
type Announcer struct {
	o AnnouncerOptions
}

var _ cancellation.Announcer = (*Announcer)(nil)

// NewAnnouncer makes an announcer.
func NewAnnouncer(o AnnouncerOptions) *Announcer {
	return &Announcer{o: o}
}

// Post is docs.slack.dev/reference/methods/chat.postMessage. Without a channel it first opens the
// direct message.
func (a *Announcer) Post(ctx context.Context, to cancellation.Place, kind cancellation.NoticeKind, r cancellation.Request) (cancellation.Posted, cancellation.Delivery, time.Duration) {
	channel := to.Channel
	if channel == "" {
		var err error
		if channel, err = a.o.Web.OpenConversation(ctx, recipient(kind, r)); err != nil {
			delivery, pause := a.delivery(r, "opening a direct message", err, openFailed)
			return cancellation.Posted{}, delivery, pause
		}
	}
	post, err := a.content(ctx, kind, r, a.pings(to, kind))
	if err != nil {
		return cancellation.Posted{}, a.unwritten(r, err), 0
	}
	post.Channel, post.Thread = channel, to.Thread
	var at cancellation.Posted
	at.Channel, at.TS, err = a.o.Web.PostMessage(ctx, post)
	if err == nil && (at.Channel == "" || at.TS == "") { // as good as no answer
		err = errors.New("calling chat.postMessage: ok, and no ts")
	}
	delivery, pause := a.delivery(r, "posting the result", err, postFailed)
	if delivery != cancellation.Delivered {
		return cancellation.Posted{}, delivery, pause
	}
	return at, delivery, pause
}

// pings reports whether a new message may notify the groups that may approve: the card in the operators'
// channel or, if there is none, the message where the request was made.
func (a *Announcer) pings(to cancellation.Place, kind cancellation.NoticeKind) bool {
	switch {
	case a.o.Quiet:
	case kind == cancellation.ApprovalCard || kind == cancellation.BatchCard:
		return true
	case kind == cancellation.Result || kind == cancellation.BatchResult:
		return to.Channel != "" && (a.o.Pings == "" || a.o.Pings == to.Channel)
	}
	return false
}

// Update is docs.slack.dev/reference/methods/chat.update, which may be repeated. It notifies no group.
func (a *Announcer) Update(ctx context.Context, at cancellation.Posted, kind cancellation.NoticeKind, r cancellation.Request) (cancellation.Delivery, time.Duration) {
	post, err := a.content(ctx, kind, r, false)
	if err != nil {
		return a.unwritten(r, err), 0
	}
	post.Channel = at.Channel
	return a.delivery(r, "updating the result", a.o.Web.UpdateMessage(ctx, at.TS, post), updateFailed)
}

// Respond posts to everybody in the channel through a command's response_url.
func (a *Announcer) Respond(ctx context.Context, responseURL string, r cancellation.Request) (cancellation.Delivery, time.Duration) {
	message := a.o.Words.Result(r)
	if r.Batch != "" {
		b, rows, err := a.o.Batches.Batch(ctx, r.Batch)
		if err != nil {
			return a.unwritten(r, err), 0
		}
		message = a.o.Words.Batch("", b, rows)
	}
	err := a.o.Web.Respond(ctx, responseURL, webapi.Response{
		Text: message.Text, Blocks: message.Blocks, InChannel: true, Thread: r.Submission.Place.Thread,
	})
	return a.delivery(r, "responding to the command", err, respondFailed)
}

// Find is docs.slack.dev/reference/methods/conversations.history or, for a message in a thread,
// conversations.replies, since a history leaves out threads. If their scope is missing, or in any
// other doubt, known is false.
func (a *Announcer) Find(ctx context.Context, in cancellation.Place, kind cancellation.NoticeKind, r cancellation.Request, since time.Time) (at cancellation.Posted, found, known bool) {
	at, found, err := a.find(ctx, in, kind, r, since)
	if err != nil {
		a.o.Log.Info("looking for a message whose answer was lost", "ref", r.Ref.Short(), "err", err)
		return cancellation.Posted{}, false, false
	}
	return at, found, true
}

func (a *Announcer) find(ctx context.Context, in cancellation.Place, kind cancellation.NoticeKind, r cancellation.Request, since time.Time) (at cancellation.Posted, found bool, err error) {
	if in.Channel == "" {
		if in.Channel, err = a.o.Web.OpenConversation(ctx, recipient(kind, r)); err != nil {
			return at, false, err
		}
	}
	return a.search(ctx, in, since, metadataOf(r, kind))
}

// search looks through a channel, or a thread, for this bot's message with such metadata.
func (a *Announcer) search(ctx context.Context, in cancellation.Place, since time.Time, carries webapi.Metadata) (at cancellation.Posted, found bool, err error) {
	oldest, page := fmt.Sprintf("%d.000000", since.Add(-clockSkew).Unix()), webapi.Page{}
	for range historyPages {
		if in.Thread != "" {
			page, err = a.o.Web.Replies(ctx, in.Channel, in.Thread, oldest, page.Next)
		} else {
			page, err = a.o.Web.History(ctx, in.Channel, oldest, page.Next)
		}
		if err != nil {
			return at, false, err
		}
		if ts := a.among(page, carries); ts != "" {
			return cancellation.Posted{Channel: in.Channel, TS: ts}, true, nil
		}
		if page.Next == "" {
			return at, false, nil
		}
	}
	return at, false, errors.New("there are more messages than are searched")
}

// among returns the ts of this bot's message with such metadata, or "" if a page has none.
func (a *Announcer) among(page webapi.Page, carries webapi.Metadata) (ts string) {
	for _, m := range page.Messages {
		is := m.Metadata.EventType == carries.EventType
		for _, key := range []string{metadataID, metadataKind} {
			is = is && m.Metadata.EventPayload[key] == carries.EventPayload[key]
		}
		if is && (a.o.Bot == "" || m.BotID == a.o.Bot) {
			return m.Timestamp
		}
	}
	return ""
}

func metadataOf(r cancellation.Request, kind cancellation.NoticeKind) webapi.Metadata {
	return webapi.Metadata{
		EventType:    metadataType,
		EventPayload: map[string]any{metadataID: r.ID, metadataRef: r.Ref.Short(), metadataKind: string(kind)},
	}
}

// Reach is docs.slack.dev/reference/methods/auth.test. A refused token is an answer:
// response_urls work without one.
func (a *Announcer) Reach(ctx context.Context) error {
	_, err := a.o.Web.AuthTest(ctx)
	if refused, ok := errors.AsType[*webapi.Error](err); ok && refused.RefusesToken() {
		return nil
	}
	return err
}

// recipient returns who gets a direct message.
func recipient(kind cancellation.NoticeKind, r cancellation.Request) string {
	_, user, _, _ := kind.Letter()
	return cmp.Or(kind.Recipient(), kind.Reminded(), user, r.Submission.By.ID)
}

// unwritten logs that a message could not be made because the database did not answer. Nothing was posted.
func (a *Announcer) unwritten(r cancellation.Request, err error) cancellation.Delivery {
	a.o.Log.Warn("reading what a message says", "ref", r.Ref.Short(), "err", err)
	return cancellation.Undelivered
}

// content is the message of a kind; pings says whether it may notify groups. An error means that what it
// says could not be read.
func (a *Announcer) content(ctx context.Context, kind cancellation.NoticeKind, r cancellation.Request, pings bool) (webapi.Post, error) {
	if ofBatch(kind, r) {
		return a.batchContent(ctx, kind, r, pings)
	}
	if !pings {
		r = words.Unpinged(r)
	}
	var message words.Message
	said, isLine := kind.Line()
	news, _, escalates := kind.Escalation()
	number, _, asks, isLetter := kind.Letter()
	switch {
	case isLetter:
		var err error
		if message, err = a.text(ctx, number, asks, r); err != nil {
			return webapi.Post{}, err
		}
	case kind.TellsEnd():
		message = a.o.Words.Result(r)
	case escalates:
		message = a.o.Words.Escalated(news, r, a.standsAt(ctx, news, r))
	case isLine:
		message = a.o.Words.Said(said, r)
	case kind == cancellation.Alarm:
		message = a.o.Words.Alarm(r)
	case kind.Reminds():
		message = a.o.Words.Reminder(r)
	default:
		r, err := a.withStays(ctx, r)
		if err != nil {
			return webapi.Post{}, err
		}
		message = a.o.Words.Live(kind, r)
	}
	return webapi.Post{Text: message.Text, Blocks: message.Blocks, Metadata: metadataOf(r, kind)}, nil
}

// batchContent is the message of a kind about a whole batch, which is kept under one of its requests.
func (a *Announcer) batchContent(ctx context.Context, kind cancellation.NoticeKind, r cancellation.Request, pings bool) (webapi.Post, error) {
	if _, _, gathers := kind.Gathering(); gathers {
		return a.gatheredContent(ctx, kind, r)
	}
	b, rows, err := a.o.Batches.Batch(ctx, r.Batch)
	if err != nil {
		return webapi.Post{}, err
	}
	for i := range rows {
		if !pings {
			rows[i] = words.Unpinged(rows[i])
		}
	}
	message := a.o.Words.Batch(kind, b, rows)
	switch {
	case kind.EndsBatch():
		message = a.o.Words.BatchEnd(b, rows)
	case kind.Reminds():
		message = a.o.Words.BatchReminder(rows)
	}
	return webapi.Post{Text: message.Text, Blocks: message.Blocks, Metadata: metadataOf(r, kind)}, nil
}

// standsAt returns the message of a request that needs a person; zero if there is none, or it cannot be
// read.
func (a *Announcer) standsAt(ctx context.Context, n cancellation.News, r cancellation.Request) cancellation.Posted {
	if n.Kind != cancellation.NewsStuck || a.o.Shown == nil {
		return cancellation.Posted{}
	}
	notices, err := a.o.Shown.Notices(ctx, r.ID)
	if err != nil {
		a.o.Log.Warn("reading where a request is shown", "ref", r.Ref.Short(), "err", err)
		return cancellation.Posted{}
	}
	return cancellation.StandsAt(r, notices)
}

// withStays adds what stays billed to a request that was submitted before that was read. Its card does
// not change.
func (a *Announcer) withStays(ctx context.Context, r cancellation.Request) (cancellation.Request, error) {
	card := &r.Submission.Card
	if a.o.Stays == nil || r.State != cancellation.Filed || card.Stays != nil && len(card.Stays.Unread) == 0 {
		return r, nil
	}
	all, err := a.o.Stays.StaysOf(ctx, []string{r.ID})
	if kept := all[r.ID].Stays; kept != nil {
		card.Stays = kept
	}
	return r, err
}

// PostNotice posts a message about no request, once. If its answer is lost, it is not posted again.
func (a *Announcer) PostNotice(ctx context.Context, channel string, m words.Message) error {
	_, _, err := a.o.Web.PostMessage(ctx, webapi.Post{Channel: channel, Text: m.Text, Blocks: m.Blocks})
	return err
}

// delivery returns what became of a call: it delivered, or failed as judge says of its error, which
// is logged.
func (a *Announcer) delivery(
	r cancellation.Request, doing string, err error, judge func(error) (cancellation.Delivery, time.Duration),
) (cancellation.Delivery, time.Duration) {
	if err == nil {
		return cancellation.Delivered, 0
	}
	delivery, pause := judge(err)
	a.log(doing, delivery, err, "ref", r.Ref.Short())
	return delivery, pause
}

// log logs a call that failed, as an error if the bot made it wrongly.
func (a *Announcer) log(doing string, delivery cancellation.Delivery, err error, of ...any) {
	level := slog.LevelWarn
	if refused, ok := errors.AsType[*webapi.Error](err); ok && refused.OurFault() {
		level = slog.LevelError
	}
	a.o.Log.Log(context.Background(), level, doing, append(of, "delivery", deliveryNames[delivery], "err", err)...)
}

// deliveryNames are the results of a delivery as they are logged.
var deliveryNames = map[cancellation.Delivery]string{
	cancellation.Delivered: "delivered", cancellation.Undelivered: "undelivered", cancellation.Refusing: "refused", cancellation.Lost: "lost",
}
