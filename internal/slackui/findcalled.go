package slackui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/serverlist"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
)

// Virtual knows the virtual servers of the account.
type Virtual interface {
	// IsVirtual reports whether a virtual server is called so by name, address or id.
	IsVirtual(ctx context.Context, name string) (bool, error)
}

// Neighbors knows the names of servers.
type Neighbors interface {
	// Nearest finds servers whose names are close to one that no server has, the closest first.
	Nearest(name string, limit int) []cancellation.Server
	// Known finds servers as the typeahead does, without asking SoftLayer.
	Known(query string, limit int) []cancellation.Server
}

// maxNamed is how many servers are looked at for a name given with the command.
const maxNamed = 100

// showFound fills the modal that was opened for what a person or a message named: with the card
// of the one server that was meant, else with the form and what is known about the names.
func (a *App) showFound(ctx context.Context, at displayedView, meta metadata, find func(context.Context) match) {
	f := a.form(ctx, meta, words.Typed{})
	looking, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if f.Failed = a.unseeing(looking, meta); f.Failed == "" { // others may have written the names
		found := find(looking)
		f.Card, f.Note, f.Offers = found.card, found.note, found.offers
		meta.Named = a.keepNames(looking, found.names, found.cut)
	}
	f.Typed.Server = meta.with(f.Card).server()
	a.show(ctx, at, meta, f)
}

// findCalled reads the card of the one server that has a name, or returns why not. It never
// picks among several.
func (a *App) findCalled(ctx context.Context, query string) match {
	if len(strings.Fields(query)) > 1 { // a plain name has no spaces: of "10.3.4. 5" it would make a server's address
		return match{note: words.NoServerCalled(query, nil)}
	}
	found, err := a.byName.Search(ctx, cancellation.PlainName(query), maxNamed)
	if err != nil {
		a.log.Warn("looking up a server named in a command", "err", err)
		return match{note: words.NameUnread(query)}
	}
	called, short := exact(found, query)
	if len(called) == 0 {
		return match{note: a.unknown(ctx, query, found)}
	}
	if len(called) > 1 {
		return match{note: words.SeveralCalled(query, called), offers: called, names: []string{query}}
	}
	read, err := a.desk.Look(ctx, called[0].ID)
	if err != nil {
		a.log.Warn("reading the card of a server named in a command", "server", called[0].ID, "err", err)
		return match{note: words.NameUnread(query)}
	}
	if short && !read.ShortNameUnique {
		return match{note: words.OthersMayBeCalled(query)}
	}
	return match{card: &read}
}

// exact returns the servers whose id, full name or address is the query. If there is none, it
// returns those whose host name is the query, and short is true.
func exact(found []cancellation.Server, query string) (called []cancellation.Server, short bool) {
	plain := cancellation.PlainName(query)
	if plain == "" {
		return nil, false
	}
	var byHost []cancellation.Server
	for _, s := range found {
		switch plain {
		case strconv.FormatInt(s.ID, 10), cancellation.PlainName(s.FQDN), s.PublicIP, s.PrivateIP:
			called = append(called, s)
		case cancellation.PlainName(s.Hostname):
			byHost = append(byHost, s)
		}
	}
	if len(called) > 0 {
		return called, false
	}
	return byHost, true
}

// unknown returns the note that no server has a name, and which names are close. It asks for
// virtual servers only now that no bare-metal server has the name.
func (a *App) unknown(ctx context.Context, query string, found []cancellation.Server) (note string) {
	saying := words.NoServerCalled
	if len(found) >= maxNamed { // there may be one that was not looked at
		saying = words.VeryMany
	}
	if a.isVirtual(ctx, query) {
		saying = words.VirtualServer
	}
	if len(found) == 0 && a.near != nil {
		found = a.near.Nearest(query, words.MaxNearest)
	}
	return saying(query, found)
}

// isVirtual returns false also if it cannot be read: either way no bare-metal server has the name.
func (a *App) isVirtual(ctx context.Context, query string) bool {
	if a.virtual == nil {
		return false
	}
	is, err := a.virtual.IsVirtual(ctx, cancellation.PlainName(query))
	if err != nil {
		a.log.Warn("looking for a virtual server named in a command", "err", err)
	}
	return is
}

// match is what a name, or the names in a message, lead to: the card of the one server
// that is meant, or what to say and which servers may be meant.
type match struct {
	card   *cancellation.Card
	note   string
	offers []cancellation.Server
	names  []string // what a list begins with, as they were written: a list ticks no server of a name that several have
	cut    bool     // there may be more names, which were not read
}

// keepNames stores the names that a list may begin with, and returns their digest; "" for none. cut says that there may
// be more. Names that could not be
// stored have a digest too, so that the list says that they are missing.
func (a *App) keepNames(ctx context.Context, names []string, cut bool) (digest string) {
	if len(names) == 0 && !cut {
		return ""
	}
	var d draft
	var whole bool
	if d.Names, whole = filledIn(names); !whole || cut {
		d.Notes = []string{words.NamesMissing}
	}
	digest, err := a.keepDraft(ctx, d)
	if err != nil {
		a.log.Warn("storing the names that a list begins with", "err", err)
	}
	return digest
}

// keptNames returns what a list begins with, and what is missing there.
func (a *App) keptNames(ctx context.Context, digest string) (names [2]string, note string) {
	if digest == "" {
		return names, ""
	}
	d, err := a.draft(ctx, digest)
	if err != nil {
		a.log.Warn("reading the names that a list begins with", "err", err)
		return names, words.NamesNotKept
	}
	return d.Names, strings.Join(d.Notes, " ")
}

// typedList is the list that a command names. What is too long for one input goes into both, entry by entry. A table does
// not: cut in two, its second part would have no header, and its cells would be read one by one.
func typedList(text string) (as *asked, note string) {
	if !cancellation.TooLong(text) {
		return &asked{Names: [2]string{text}}, ""
	}
	list, err := serverlist.Parse(text + "\n") // the end of a line is the end of its last entry
	inTable := func(e serverlist.Entry) bool { return len(e.Also) > 0 }
	if err != nil || len(list.Headings) > 0 || slices.ContainsFunc(list.Entries, inTable) {
		return &asked{}, words.PasteHere
	}
	var names []string
	for _, e := range list.Entries {
		names = append(names, e.Text)
	}
	for _, q := range list.Queries {
		names = append(names, q.String())
	}
	inputs, whole := filledIn(names)
	if !whole {
		return &asked{}, words.PasteHere
	}
	return &asked{Names: inputs}, ""
}

// filledIn writes names into the two inputs of a list, as far as they fit. No input becomes so long that its end might
// have been cut.
func filledIn(names []string) (inputs [2]string, whole bool) {
	at := 0
	for _, name := range names {
		for at < len(inputs) && len(inputs[at])+len(name)+1 >= serverlist.MaxInput {
			at++
		}
		if at == len(inputs) {
			return inputs, false
		}
		inputs[at] += name + "\n"
	}
	return inputs, true
}

// showOffered shows the card of a server that was chosen by its button. It first removes the
// server field from the view: a field that stays would stay empty.
func (a *App) showOffered(ctx context.Context, at displayedView, i receive.Interaction, server int64) {
	if _, err := a.sealer.open(ctx, i.View.PrivateMetadata, i.User); errors.Is(err, errNotOurs) {
		a.log.Warn("reading a choice", "user", i.User, "view", at.id, "err", err)
		return
	}
	_, _, err := a.replace(ctx, at, words.LookingUp("server "+strconv.FormatInt(server, 10), i.View.PrivateMetadata))
	if err != nil && !errors.Is(err, webapi.ErrViewGone) {
		a.log.Warn("clearing a form for a choice", "view", at.id, "err", err)
	}
	if hash := a.choices.hash(at.id); hash != "" {
		at.hash = hash
	}
	a.showChosen(ctx, at, i, server)
}

// resolveTime bounds deciding what one person may ask for.
const resolveTime = 20 * time.Second

// resolved finds out which servers a list means for a person. Queries find those that they may ask for.
func (a *App) resolved(ctx context.Context, meta metadata, list serverlist.List, left int) (found serverlist.Resolved, err error) {
	o := serverlist.Options{Most: min(a.lists.Most, left), Closing: a.lists.Closing()}
	if o.Held, err = a.lists.Held(ctx); err != nil { // the review names each of them
		a.log.Warn("reading which servers are asked for", "err", err)
	}
	if len(list.Queries) == 0 {
		return serverlist.Resolve(list, a.lists.All(), o), nil
	}
	if !a.lists.Listed() {
		found = serverlist.Resolve(list, slices.Values[[]serverlist.Server](nil), o)
		found.Unlisted = true
		return found, nil
	}
	o.Untagged = !a.lists.Tagged() // asked before the servers are looked at: their tags may become known meanwhile
	policy := a.policy()
	who, err := a.directory.Principal(ctx, meta.By, policy.GroupIDs(), cancellation.MaxPrincipalAge)
	if err != nil {
		return found, fmt.Errorf("reading who asks: %w", err)
	}
	deciding, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	o.May = a.lists.mayAsk(deciding, policy, who)
	if found = serverlist.Resolve(list, a.lists.All(), o); found.Of == found.Shown {
		return found, nil
	}
	if found.Candidates == nil {
		found.Order = serverlist.ByName
		return found, nil
	}
	if o.Ends, err = a.endsOf(ctx, found.Candidates); err != nil {
		a.log.Warn("reading when the servers of a list end", "err", err)
		found.Order = serverlist.EndUnread
		return found, nil
	}
	return serverlist.Resolve(list, a.lists.All(), o), nil
}

// mayAsk decides, until ctx ends, whether a person may ask for a server. While the servers' tags are not known, nobody
// can tell if a rule reads tags.
func (l Lists) mayAsk(ctx context.Context, policy *authz.Policy, who authz.Principal) func(serverlist.Server) (may, decided bool) {
	if policy.ReadsTags() && !l.Tagged() {
		return func(serverlist.Server) (may, decided bool) { return false, false }
	}
	return l.May(ctx, policy, who)
}

// endsOf reads when servers are due to end if they are asked for now.
func (a *App) endsOf(ctx context.Context, servers []int64) (map[int64]time.Time, error) {
	bills, err := a.lists.Bills(ctx, servers)
	if err != nil {
		return nil, err
	}
	return a.desk.Ends(ctx, bills)
}

// findUnknown asks SoftLayer for the servers that the typeahead does not know: they may be new, or it may not have
// read all servers yet.
func (a *App) findUnknown(ctx context.Context, rows []serverlist.Row) (known []serverlist.Row) {
	at := map[int64]int{} // the row of each server
	for _, row := range rows {
		if row.State == serverlist.NotFound {
			row = a.findNow(ctx, row)
		}
		first, twice := at[row.Server.ID]
		if row.State == serverlist.Found && twice {
			known[first].Merged = append(known[first].Merged, row.Text)
			continue
		}
		if row.State == serverlist.Found {
			at[row.Server.ID] = len(known)
		}
		known = append(known, row)
	}
	return known
}

func (a *App) findNow(ctx context.Context, row serverlist.Row) serverlist.Row {
	found, err := a.byName.Search(ctx, cancellation.PlainName(row.Text), maxNamed)
	if err != nil {
		a.log.Warn("looking up a server of a list", "err", err)
		row.State, row.Problem = serverlist.Refused, serverlist.Unanswered
		return row
	}
	called, byHost := exact(found, row.Text)
	switch {
	case len(called) == 1:
		row.State, row.ByHost, row.Near = serverlist.Found, byHost, ""
		row.Server = serverlist.Server{ID: called[0].ID, Hostname: called[0].Hostname, FQDN: called[0].FQDN}
	case len(called) > 1:
		row.State = serverlist.Ambiguous
		for _, s := range called {
			row.Same = append(row.Same, s.ID)
		}
	}
	return row
}
