package slackui

import (
	"context"
	"strconv"
	"strings"

	"cancel-server/internal/cancellation"
)

// maxNamed is how many servers are looked at for a name given with the command.
const maxNamed = 100

// showNamed fills the modal that was opened with a server's name: with its card if
// the name means exactly one, else with the form and what is known about the name.
func (a *App) showNamed(ctx context.Context, at shownView, meta metadata, query string) {
	f := a.form(meta, typed{})
	looking, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if f.failed = a.unseeingNamed(looking, meta); f.failed == "" {
		f.card, f.note = a.named(looking, query)
	}
	f.typed.Server = meta.with(f.card).server()
	a.show(ctx, at, meta, f)
}

// named reads the card of the one server that is called so, or says why not. It
// never picks among several.
func (a *App) named(ctx context.Context, query string) (card *cancellation.Card, note string) {
	unread := ended("SoftLayer did not answer about "+shown(query)) + " Choose the server here."
	found, err := a.search.Search(ctx, cancellation.PlainName(query), maxNamed)
	if err != nil {
		a.log.Warn("looking up a server named in a command", "err", err)
		return nil, unread
	}
	called, short := exact(found, query)
	if len(called) != 1 {
		return nil, nearest(query, called, found)
	}
	read, err := a.desk.Look(ctx, called[0].ID)
	if err != nil {
		a.log.Warn("reading the card of a server named in a command", "server", called[0].ID, "err", err)
		return nil, unread
	}
	if short && !read.ShortNameUnique {
		return nil, "Another server may be called " + shown(query) + " too. Choose the one that you mean."
	}
	return &read, ""
}

// exact keeps the servers that are called so by id, full name or address; only if
// there is none those whose host name it is, and short is true.
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

// nearest says that a name means several servers or none, and which are close.
func nearest(query string, called, found []cancellation.Server) string {
	text := ended("No server is called exactly " + shown(query))
	switch {
	case len(called) > 1:
		text, found = ended(strconv.Itoa(len(called))+" servers are called "+shown(query)), called
	case len(found) >= maxNamed: // there may be one that was not looked at
		text = "Very many servers match " + shown(query) + ", and not all were looked at."
	}
	var names []string
	for _, s := range found[:min(len(found), 3)] {
		names = append(names, shown(s.FQDN))
	}
	if len(names) > 0 {
		text += " Nearest: " + strings.Join(names, ", ") + "."
	}
	return text + " Choose the one that you mean."
}
