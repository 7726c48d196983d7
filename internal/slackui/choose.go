package slackui

import (
	"cmp"
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"time"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
)

// displayedView is a modal as last seen, and the choice that it has to show.
type displayedView struct {
	id, hash string
	choice   int64
	ts       string // when Slack says that it was made; "" where it does not
	own      bool   // hash is what a reading of this process showed: a hash that nobody here knows is another process's
}

// over marks a modal that shows its answer and takes no more choices.
const over = math.MaxInt64

// choose shows the card of the server that was just chosen.
func (a *App) choose(i receive.Interaction) receive.After {
	offered := strings.HasPrefix(i.Action.ActionID, words.OfferAction)
	if i.View == nil || i.View.CallbackID != words.FormCallback || i.Action.ActionID != words.ServerAction && !offered {
		return nil
	}
	chosen := i.Action.Selected
	if offered { // by a button
		chosen = i.Action.Value
	}
	server := serverID(chosen)
	if server == 0 {
		a.log.Warn("reading a choice: not a server's id", "user", i.User)
		return nil
	}
	at := displayedView{id: i.View.ID, hash: i.View.Hash, choice: a.choices.note(i.View.ID, i.Action.TS)}
	if at.choice == 0 {
		return nil
	}
	if offered {
		return func(ctx context.Context) { a.showOffered(ctx, at, i, server) }
	}
	return func(ctx context.Context) { a.showChosen(ctx, at, i, server) }
}

func (a *App) showChosen(ctx context.Context, at displayedView, i receive.Interaction, server int64) {
	meta, err := a.sealer.open(ctx, i.View.PrivateMetadata, i.User)
	if errors.Is(err, errNotOurs) {
		a.log.Warn("reading a choice", "user", i.User, "view", at.id, "err", err)
		return
	}
	t := read(*i.View, server)
	t.Server = server
	f := a.form(ctx, meta, t)
	if f.Failed = a.unseeing(ctx, meta); f.Failed == "" {
		f.Card, f.Failed = a.cardOf(ctx, server)
	}
	a.show(ctx, at, meta, f)
}

// cardOf reads a server's card, or returns why there is none.
func (a *App) cardOf(ctx context.Context, server int64) (card *cancellation.Card, failed string) {
	looking, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	read, err := a.desk.Look(looking, server)
	if err != nil {
		a.log.Warn("reading a card for a choice", "server", server, "err", err)
		return nil, words.ChosenUnread(err)
	}
	return &read, ""
}

// show replaces what the modal shows with a form, unless a newer choice is known. What stays billed is
// read once a card that can be submitted is shown, and then added to it.
func (a *App) show(ctx context.Context, at displayedView, meta metadata, f words.Form) {
	f.Refused = a.foretell(ctx, meta, f.Card)
	f.Reading = a.beside != nil && f.Card != nil && f.Refused == nil && len(f.Card.Blockers()) == 0
	if hash, shown := a.display(ctx, at, meta, f); shown && f.Reading {
		at.hash = hash
		a.showStays(ctx, at, meta, f)
	}
}

// display shows a form, and returns the view's hash. A failure loses nothing: a submission without its
// server's card is answered with that card.
func (a *App) display(ctx context.Context, at displayedView, meta metadata, f words.Form) (hash string, shown bool) {
	sealed, err := a.sealer.seal(ctx, meta.with(f.Card))
	if err != nil {
		a.log.Error("sealing a card", "view", at.id, "err", err)
		f.Card, f.Failed = nil, words.ChosenNotKept
		if sealed, err = a.sealer.seal(ctx, meta.with(nil)); err != nil {
			return "", false
		}
	}
	hash, shown, err = a.replace(ctx, at, a.words.Modal(f, sealed))
	if err != nil && !errors.Is(err, webapi.ErrViewGone) {
		a.log.Warn("showing a card", "view", at.id, "err", err)
	}
	return hash, shown && f.Card != nil
}

// showStays reads what stays billed, and adds it to the card that was just shown. It never replaces
// anything else: if the view's hash has changed, what was read is dropped.
func (a *App) showStays(ctx context.Context, at displayedView, meta metadata, f words.Form) {
	reading, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	facts, err := a.beside.Beside(reading, f.Card.Server.ID, nil)
	if err != nil {
		a.log.Info("reading what stays billed", "server", f.Card.Server.ID, "err", err)
	}
	card, stays := *f.Card, billed.Judge(facts)
	card.Stays = &stays
	f.Card, f.Reading = &card, false
	sealed, err := a.sealer.seal(ctx, meta.with(f.Card))
	if err != nil {
		a.log.Error("sealing a card", "view", at.id, "err", err)
		return
	}
	if at.hash == "" || !a.choices.isLatest(at) {
		return
	}
	hash, err := a.web.UpdateView(ctx, at.id, at.hash, a.words.Modal(f, sealed))
	switch {
	case err == nil:
		a.choices.displayed(at.id, hash)
	case !errors.Is(err, webapi.ErrHashConflict) && !errors.Is(err, webapi.ErrViewGone):
		a.log.Warn("showing what stays billed", "view", at.id, "err", err)
	}
}

// replace updates a modal, and returns its new hash. If the hash has changed, it tries again with the
// hash last returned for it, or with none if that hash is no newer. It leaves alone what another process
// shows since the view's own hash. Fields whose block stays keep what was typed.
func (a *App) replace(ctx context.Context, at displayedView, view words.View) (hash string, replaced bool, err error) {
	for range 3 {
		if !a.choices.isLatest(at) {
			return "", false, nil
		}
		if hash, err = a.web.UpdateView(ctx, at.id, at.hash, view); err == nil {
			a.choices.displayed(at.id, hash)
			return hash, true, nil
		}
		if !errors.Is(err, webapi.ErrHashConflict) {
			a.choices.displayed(at.id, "") // it may be shown all the same, with a hash that was lost
			return "", false, err
		}
		known := a.choices.hash(at.id)
		switch {
		case known != at.hash:
			at.hash = known
		case at.own:
			return "", false, nil
		default:
			at.hash = ""
		}
	}
	return "", false, err
}

// maxChoices bounds how many open modals are remembered. Forgetting one costs at
// most a card that another one replaces.
const maxChoices = 1000

// choices remembers the newest choice of each open modal, and the hash that Slack
// last returned for it.
type choices struct {
	mu     sync.Mutex
	count  int64
	latest map[string]displayedView
	order  []string // the modals, oldest first
}

func newChoices() *choices { return &choices{latest: make(map[string]displayedView)} }

// opened notes a modal that has just been opened. It is older than every choice: people may choose
// before Slack's answer to views.open has come.
func (c *choices) opened(view string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, chosen := c.latest[view]; chosen {
		return 0
	}
	return c.newest(view, "")
}

// note makes a choice the newest of its modal. It is 0 for one that Slack delivers after
// a newer one, or again after the modal was answered.
func (c *choices) note(view, ts string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newest(view, ts)
}

// newest is note while mu is held.
func (c *choices) newest(view, ts string) int64 {
	known, found := c.latest[view]
	if !found {
		c.order = append(c.order, view)
	}
	if len(c.order) > maxChoices {
		delete(c.latest, c.order[0])
		c.order = c.order[1:]
	}
	if known.choice == over || earlier(ts, known.ts) {
		return 0
	}
	c.count++
	known.id, known.choice, known.ts = view, c.count, cmp.Or(ts, known.ts)
	c.latest[view] = known
	return c.count
}

// earlier compares two of Slack's times, such as "1548261231.564109"; nothing is
// earlier than a time that is not known.
func earlier(a, b string) bool {
	return a != "" && b != "" && (len(a) < len(b) || len(a) == len(b) && a < b)
}

// end keeps later cards from replacing the answer that a modal shows.
func (c *choices) end(view string) {
	c.note(view, "")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.latest[view] = displayedView{id: view, choice: over}
}

// isLatest reports whether no newer choice is known.
func (c *choices) isLatest(at displayedView) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latest[at.id].choice <= at.choice
}

func (c *choices) displayed(view, hash string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, found := c.latest[view]; found {
		known.hash = hash
		c.latest[view] = known
	}
}

func (c *choices) hash(view string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latest[view].hash
}

// Searcher finds servers by a part of a name, an address, an id or a tag, the best match
// first. It suggests: what is chosen is read by id.
type Searcher interface {
	Search(ctx context.Context, query string, limit int) ([]cancellation.Server, error)
}

// Bounds of the typeahead.
const (
	maxOptions = 100
	maxQuery   = 255
	searchTime = 2 * time.Second
)

// suggest answers the typeahead. If it cannot answer in time, it offers nothing: the person types
// on, and Slack asks again.
func (a *App) suggest(ctx context.Context, i receive.Interaction) receive.Reply {
	if i.View == nil || i.Action.BlockID != words.ServerBlock {
		return receive.SelectOptions(nil)
	}
	meta, err := a.sealer.open(ctx, i.View.PrivateMetadata, i.User)
	if errors.Is(err, errNotOurs) {
		a.log.Warn("offering servers", "user", i.User, "err", err)
		return receive.SelectOptions(nil)
	}
	if a.unseeing(ctx, meta) != "" { // a choice, or a submission, says why
		return receive.SelectOptions(nil)
	}
	query := strings.TrimSpace(i.Action.Value)
	if len(query) < words.MinQuery || len(query) > maxQuery {
		return receive.SelectOptions(nil)
	}
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	found, err := a.search.Search(ctx, query, maxOptions)
	if err != nil {
		a.log.Warn("searching servers for the typeahead", "err", err)
		return receive.SelectOptions(nil)
	}
	return receive.SelectOptions(words.ServerOptions(found[:min(len(found), maxOptions)]))
}

// How a view is shown that must not stay as it is.
const (
	mostReplaces = 5 // tries
	replacePause = time.Second
)

// replacePatiently is replace, tried again if Slack asks to wait or does not answer: a view that says that a list is
// being read must not stay once it was read.
func (a *App) replacePatiently(ctx context.Context, at displayedView, view words.View) error {
	for try := 1; ; try++ {
		_, _, err := a.replace(ctx, at, view)
		if !passing(err) || try == mostReplaces {
			return err
		}
		pause, _ := webapi.RetryAfter(err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(max(pause, replacePause)):
		}
	}
}

// passing reports whether the same call may have another result in a moment.
func passing(err error) bool {
	_, limited := webapi.RetryAfter(err)
	refused, is := errors.AsType[*webapi.Error](err)
	return err != nil && (!is || limited || refused.Unclear())
}
