package slackui

import (
	"context"
	"errors"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
)

// letterType is the type of the metadata by which a letter is found again.
const letterType = "cancel_server_letter"

// PostLetter posts a direct message that tells items. id marks it, so that FindLetter finds it.
func (a *Announcer) PostLetter(ctx context.Context, to, id string, items []cancellation.Item, atOnce bool) (cancellation.Posted, cancellation.Delivery, time.Duration) {
	channel, err := a.o.Web.OpenConversation(ctx, to)
	if err != nil {
		delivery, pause := openFailed(err)
		a.log("opening a direct message for a letter", delivery, err)
		return cancellation.Posted{}, delivery, pause
	}
	post := a.letter(ctx, to, id, items, atOnce)
	post.Channel = channel
	var at cancellation.Posted
	at.Channel, at.TS, err = a.o.Web.PostMessage(ctx, post)
	if err == nil && (at.Channel == "" || at.TS == "") { // as good as no answer
		err = errors.New("calling chat.postMessage: ok, and no ts")
	}
	if err != nil {
		delivery, pause := postFailed(err)
		a.log("posting a letter", delivery, err)
		return cancellation.Posted{}, delivery, pause
	}
	return at, cancellation.Delivered, 0
}

// UpdateLetter replaces what a letter tells. It may be repeated.
func (a *Announcer) UpdateLetter(ctx context.Context, at cancellation.Posted, to, id string, items []cancellation.Item, atOnce bool) (cancellation.Delivery, time.Duration) {
	post := a.letter(ctx, to, id, items, atOnce)
	post.Channel = at.Channel
	err := a.o.Web.UpdateMessage(ctx, at.TS, post)
	if err == nil {
		return cancellation.Delivered, 0
	}
	delivery, pause := updateFailed(err)
	a.log("updating a letter", delivery, err)
	return delivery, pause
}

// FindLetter looks in the direct messages with a person for a letter that was posted since then. known
// is false if the bot may not look, or in any other doubt.
func (a *Announcer) FindLetter(ctx context.Context, to, id string, since time.Time) (at cancellation.Posted, found, known bool) {
	channel, err := a.o.Web.OpenConversation(ctx, to)
	if err == nil {
		at, found, err = a.search(ctx, cancellation.Place{Channel: channel}, since, letterMetadata(id))
	}
	if err != nil {
		a.o.Log.Info("looking for a letter whose answer was lost", "err", err)
		return cancellation.Posted{}, false, false
	}
	return at, found, true
}

func (a *Announcer) letter(ctx context.Context, to, id string, items []cancellation.Item, atOnce bool) webapi.Post {
	items = slices.Clone(items)
	for i, item := range items {
		items[i].At = a.standsAt(ctx, item.News, item.Request)
	}
	message := a.o.Words.Letter(to, a.quoting(ctx, a.withAwaited(ctx, to, items)), atOnce)
	return webapi.Post{Text: message.Text, Blocks: message.Blocks, Metadata: letterMetadata(id)}
}

// Bounds of what is read of SoftLayer for one letter.
const (
	mostQuoted = 3
	quoteTime  = 3 * time.Second
)

// quoting returns items with what staff wrote to those who owe SoftLayer an answer, unless they owe several in one
// batch. What cannot be read in time is left out: the letter has a button that reads it.
func (a *Announcer) quoting(ctx context.Context, items []cancellation.Item) []cancellation.Item {
	if a.o.Answers == nil {
		return items
	}
	ctx, cancel := context.WithTimeout(ctx, quoteTime)
	defer cancel()
	items, quoted := slices.Clone(items), 0
	for i, item := range items {
		if item.Kind != cancellation.NewsWaits || quoted == mostQuoted || amongOthers(items, item) {
			continue
		}
		quoted++
		entries, err := a.o.Answers.Entries(ctx, item.Request.Ticket.ID)
		if err != nil {
			a.o.Log.Info("reading an answer for a letter", "ref", item.Request.Ref.Short(), "err", err)
			continue
		}
		items[i].Said = words.LastAnswer(entries)
	}
	return items
}

// amongOthers reports whether SoftLayer waits for an answer about several servers of an item's batch.
func amongOthers(items []cancellation.Item, item cancellation.Item) bool {
	return item.Request.Batch != "" && slices.ContainsFunc(items, func(other cancellation.Item) bool {
		return other.Request.Batch == item.Request.Batch && other.Request.ID != item.Request.ID && other.Kind.Awaits()
	})
}

func letterMetadata(id string) webapi.Metadata {
	return webapi.Metadata{EventType: letterType, EventPayload: map[string]any{metadataID: id}}
}

// text is the message about a text for a ticket, or about all replies of its form. asks says that it asks somebody to
// send them.
func (a *Announcer) text(ctx context.Context, number int64, asks bool, r cancellation.Request) (m words.Message, err error) {
	if r.Batch != "" {
		form, err := a.o.Texts.FormOf(ctx, r.Batch, number)
		if err != nil {
			return m, err
		}
		if len(form) > 1 {
			return a.texts(ctx, form, asks, r.Batch)
		}
	}
	u, err := a.o.Texts.TicketUpdate(ctx, number)
	switch {
	case err != nil:
		return m, err
	case asks:
		return a.o.Words.Proposal(u, r), nil
	}
	return a.o.Words.Written(u, r), nil
}

func (a *Announcer) texts(ctx context.Context, form []correspondence.Update, asks bool, batch string) (m words.Message, err error) {
	_, rows, err := a.o.Batches.Batch(ctx, batch)
	switch {
	case err != nil:
		return m, err
	case asks:
		return a.o.Words.ProposalForAll(form, rows), nil
	}
	return a.o.Words.WrittenAll(form, rows), nil
}

// ofBatch reports whether a message of this kind is about several servers of a request's batch.
func ofBatch(kind cancellation.NoticeKind, r cancellation.Request) bool {
	_, _, gathers := kind.Gathering()
	return gathers || kind.OfBatch() || r.Batch != "" && kind.Reminds()
}

// gatheredContent is what a message gathers of the servers of lead's batch, as it is now. What it tells of
// one server alone, it tells as if there were no batch.
func (a *Announcer) gatheredContent(ctx context.Context, kind cancellation.NoticeKind, lead cancellation.Request) (webapi.Post, error) {
	all, err := a.o.Batches.Gathered(ctx, lead.Batch, kind)
	if err != nil {
		return webapi.Post{}, err
	}
	all = cancellation.StillTrue(all, time.Time{})
	var items []cancellation.Item
	inThread := false
	for _, g := range all {
		_, inThread = g.Kind.Line()
		items = append(items, cancellation.Item{News: g.News(), Request: words.Unpinged(g.Request)})
	}
	if inThread {
		items = a.withAwaited(ctx, "", items)
	}
	switch len(items) {
	case 0:
		return webapi.Post{}, errors.New("what a message gathers is over")
	case 1:
		post, err := a.content(ctx, all[0].Kind, all[0].Request, false)
		post.Metadata = metadataOf(lead, kind)
		return post, err
	}
	message := a.o.Words.Gathered(items)
	return webapi.Post{Text: message.Text, Blocks: message.Blocks, Metadata: metadataOf(lead, kind)}, nil
}

// withAwaited returns items with all servers of their batches about which SoftLayer waits for an answer, if they tell
// its requester of one, or the thread of its own message, where to is "". What cannot be read is left out.
func (a *Announcer) withAwaited(ctx context.Context, to string, items []cancellation.Item) []cancellation.Item {
	told, asked := map[string]bool{}, map[string]bool{}
	for _, item := range items {
		told[item.Request.ID] = told[item.Request.ID] || item.Kind.Awaits()
	}
	for _, item := range slices.Clone(items) {
		batch := item.Request.Batch
		if batch == "" || asked[batch] || !hearsOfAll(to, item) {
			continue
		}
		asked[batch] = true
		rows, err := a.o.Batches.Awaited(ctx, batch)
		if err != nil {
			a.o.Log.Warn("reading for which answers SoftLayer waits", "ref", item.Request.Ref.Short(), "err", err)
		}
		for _, r := range rows {
			if !told[r.ID] {
				items = append(items, cancellation.Item{News: cancellation.News{To: item.To, Kind: item.Kind}, Request: words.Unpinged(r)})
			}
		}
	}
	return items
}

// hearsOfAll reports whether an item is read by who may see all servers of its batch that wait for an answer, and says
// nothing that is true of its own server alone.
func hearsOfAll(to string, item cancellation.Item) bool {
	mine := to == "" || to == item.Request.Submission.By.ID
	return mine && item.Kind.Awaits() && item.Kind != cancellation.NewsUnanswered
}
