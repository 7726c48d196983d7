package slackui

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/overview"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

const (
	publishTime = 10 * time.Second // reading a Home tab and publishing it
	maxHomes    = 10_000           // Home tabs whose readers' groups are remembered
)

// homes knows what people see, and remembers for whom a Home tab was published and by which groups. After a restart it knows
// nobody: Slack tells of each opening, and the tab is published again.
type homes struct {
	overview *overview.Overview

	mu sync.Mutex
	of map[string]*homeTab // by the person's id in this workspace
}

// homeTab is one person's Home tab. Its fields but turn are guarded by the homes' mu.
type homeTab struct {
	turn chan struct{} // holds a token while the tab is read and published, so that no older page comes last
	by   cancellation.Person
	who  authz.Principal // as the tab was published
}

func newHomes(o *overview.Overview) *homes { return &homes{overview: o, of: map[string]*homeTab{}} }

func (h *homes) tab(by cancellation.Person) *homeTab {
	h.mu.Lock()
	defer h.mu.Unlock()
	tab := h.of[by.ID]
	if tab == nil {
		if len(h.of) >= maxHomes {
			clear(h.of) // their tabs are replaced when they are opened
		}
		tab = &homeTab{turn: make(chan struct{}, 1), by: by}
		h.of[by.ID] = tab
	}
	return tab
}

func (h *homes) published(tab *homeTab, who authz.Principal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	tab.who = who
}

// outdated returns the people whose tab rests on a group that they are not in by a newer read.
func (h *homes) outdated(read memberships) (all []cancellation.Person) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for here, tab := range h.of {
		if leftGroup(tab.who, read.added(authz.Principal{User: tab.who.User}, here, true)) {
			all = append(all, tab.by)
		}
	}
	return all
}

// leftGroup reports whether somebody is in fewer groups than before, as far as Slack lists them.
func leftGroup(before, now authz.Principal) bool {
	return slices.ContainsFunc(before.Groups, func(group string) bool { return !slices.Contains(now.Groups, group) })
}

// HomeOpened publishes what the person sees.
func (a *App) HomeOpened(e receive.Event) receive.After {
	by := askerOf(receive.Command{Team: e.Team, Enterprise: e.Enterprise, User: e.User})
	return func(ctx context.Context) { a.publish(ctx, by) }
}

// publish replaces a person's Home tab by what they see now. If a read of the groups showed meanwhile
// that they left one, it does so again. Failures are only logged.
func (a *App) publish(ctx context.Context, by cancellation.Person) {
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	tab := a.homes.tab(by)
	select {
	case tab.turn <- struct{}{}:
		defer func() { <-tab.turn }()
	case <-ctx.Done():
		a.log.Warn("publishing a Home tab", "user", by.ID, "err", ctx.Err())
		return
	}
	for range 2 {
		page, err := a.homes.overview.Home(ctx, by)
		view := a.words.Home(page)
		if err != nil {
			a.log.Warn("reading what a Home tab shows", "user", by.ID, "err", err)
			view = a.words.HomeUnread()
		}
		if err := a.web.PublishView(ctx, by.ID, view); err != nil {
			a.log.Warn("publishing a Home tab", "user", by.ID, "err", err)
			return // the tab rests on the groups of before
		}
		a.homes.published(tab, page.Who)
		who, known := a.directory.AtHand(by, a.policy().GroupIDs())
		if !known || !leftGroup(page.Who, who) {
			return
		}
	}
}

// groupsRead publishes the Home tabs again that rest on a group which their reader left.
func (a *App) groupsRead(read memberships) {
	for _, by := range a.homes.outdated(read) {
		if err := a.directory.owner.run(func(ctx context.Context) { a.publish(ctx, by) }); err != nil {
			a.log.Warn("publishing the Home tab of a person who left a group", "user", by.ID, "err", err)
		}
	}
}

// clickAtHome answers a button in a Home tab, and publishes the tab again.
func (a *App) clickAtHome(ctx context.Context, i receive.Interaction) (receive.Reply, receive.After) {
	var reply receive.Reply
	var told receive.After
	if i.Action.ActionID != words.RefreshAction {
		reply, told = a.click(ctx, i)
	}
	return reply, func(ctx context.Context) {
		if told != nil {
			told(ctx)
		}
		a.publish(ctx, clickedBy(i))
	}
}

// fromHome marks the private_metadata of a view that a button in a Home tab opened, or one in such a view.
const fromHome = " from-home"

// marked returns a view with the mark if home is set, unless nothing can come of the view.
func marked(view words.View, home bool) words.View {
	if home && (view.Submit != nil || view.CallbackID == words.AnswerCallback) {
		view.PrivateMetadata += fromHome
	}
	return view
}

// isHome reports whether a press began in a Home tab: there, or in a view with the mark.
func isHome(i receive.Interaction) bool {
	return i.View != nil && (i.View.Home || strings.HasSuffix(i.View.PrivateMetadata, fromHome))
}

// ofHome takes the mark away from what was submitted, and reports whether it was there.
func ofHome(i receive.Interaction) (unmarked receive.Interaction, is bool) {
	if i.View == nil {
		return i, false
	}
	view := *i.View
	view.PrivateMetadata, is = strings.CutSuffix(view.PrivateMetadata, fromHome)
	i.View = &view
	return i, is
}

// submittedAt answers a submission. If a button in a Home tab opened the form, it publishes that tab
// again.
func (a *App) submittedAt(ctx context.Context, i receive.Interaction) (receive.Reply, receive.After) {
	i, home := ofHome(i)
	reply := a.submitted(ctx, i, home)
	if !home {
		return reply, nil
	}
	return reply, func(ctx context.Context) { a.publish(ctx, clickedBy(i)) }
}

// showSmall opens a small view over a Home tab, in which nothing else can be said to its reader alone.
func (a *App) showSmall(ctx context.Context, i receive.Interaction, m words.Message) {
	if _, _, err := a.web.OpenView(ctx, i.TriggerID, words.Small(m)); err != nil {
		a.log.Warn("opening a view for a click in a Home tab", "user", i.User, "err", err)
		a.tell(ctx, "", i.User, m)
	}
}

// standingOrder reads "mine", "pending", "closing" and "status NAME".
func standingOrder(query string) (word, name string, is bool) {
	word, name, _ = strings.Cut(query, " ")
	word, name = strings.ToLower(word), strings.TrimSpace(name)
	switch word {
	case words.MineCommand, words.PendingCommand, words.ClosingCommand:
		return word, name, name == ""
	case words.StatusCommand:
		return word, name, true
	}
	return word, name, false
}

// standing answers a command that asks where requests stand. Only its sender sees the answer. It warns
// them if a server is called like the command.
func (a *App) standing(c receive.Command, word, name string) receive.After {
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, enterTime)
		defer cancel()
		if word == words.StatusCommand && name != "" {
			a.tell(ctx, c.ResponseURL, c.User, a.statusOf(ctx, c, name))
			return
		}
		m := a.words.StatusOfWhat()
		page, err := overview.Page{}, error(nil)
		switch word {
		case words.MineCommand:
			page, err = a.homes.overview.Mine(ctx, askerOf(c))
			m = a.words.Mine(page)
		case words.PendingCommand:
			page, err = a.homes.overview.Pending(ctx, askerOf(c))
			m = a.words.PendingFor(page)
		case words.ClosingCommand:
			page, err = a.homes.overview.Closing(ctx, askerOf(c))
			m = a.words.Closing(page)
		}
		if err != nil {
			a.log.Warn("reading where requests stand", "user", c.User, "command", word, "err", err)
			m = words.ListUnread()
		}
		a.tell(ctx, c.ResponseURL, c.User, m.And(a.calledLike(page, word)))
	}
}

// statusOf lists the requests for a server that the sender sees.
func (a *App) statusOf(ctx context.Context, c receive.Command, name string) words.Message {
	list, err := a.homes.overview.Status(ctx, askerOf(c), name, func() []int64 {
		var ids []int64
		for _, s := range a.calledInMemory(name) {
			ids = append(ids, s.ID)
		}
		return ids
	})
	if err != nil {
		a.log.Warn("reading where a server's requests stand", "user", c.User, "err", err)
		return words.ListUnread()
	}
	return a.words.Status(name, a.together(ctx, askerOf(c), list))
}

// together counts, once for each batch, how many of its requests that wait for an answer the reader can answer with one
// text. The count stands in the first such row of the batch.
func (a *App) together(ctx context.Context, by cancellation.Person, list overview.List) overview.List {
	counted := map[string]bool{"": true} // of no batch
	for i, row := range list.Rows {
		batch := row.Request.Batch
		if row.Waits.IsZero() || row.Sight != overview.Whole || counted[batch] {
			continue
		}
		counted[batch] = true
		may, err := a.letters.MayAll(ctx, batch, by)
		if err != nil {
			a.log.Warn("counting what waits for an answer", "user", by.ID, "err", err)
			continue
		}
		list.Rows[i].Together = len(may.Rows)
	}
	return list
}

// calledLike warns somebody who may ask for servers that one is called like a command.
func (a *App) calledLike(page overview.Page, word string) words.Message {
	if !page.MayAsk {
		return words.Message{}
	}
	for _, s := range a.calledInMemory(word) {
		return a.words.CalledLike(word, strconv.FormatInt(s.ID, 10))
	}
	return words.Message{}
}

// calledInMemory returns the servers that are called so, as far as the typeahead knows without asking
// SoftLayer.
func (a *App) calledInMemory(name string) []cancellation.Server {
	if a.near == nil {
		return nil
	}
	called, _ := exact(a.near.Known(cancellation.PlainName(name), maxNamed), name)
	return called[:min(len(called), maxStatus)]
}

// maxStatus is how many servers of one name are looked at.
const maxStatus = 5

// pendingFor answers the bare command of somebody who can approve but not ask.
func (a *App) pendingFor(ctx context.Context, c receive.Command) words.Message {
	page, err := a.homes.overview.Pending(ctx, askerOf(c))
	if err != nil {
		a.log.Warn("reading what waits for approval", "user", c.User, "err", err)
		return words.ListUnread()
	}
	return a.words.PendingFor(page)
}
