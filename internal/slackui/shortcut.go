package slackui

import (
	"cmp"
	"context"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

// The callback ids of the app's shortcuts, as its manifest has them. Slash commands do
// not work in threads: docs.slack.dev/interactivity/implementing-slash-commands.
const (
	GlobalShortcut  = "cancel-server"
	MessageShortcut = "cancel-server-message"
)

// shortcut opens the form, as the command does. A global shortcut has no channel, so its result
// goes to the person who used it. One in a message's menu answers in that message's thread, and
// shows the server that the message names.
func (a *App) shortcut(i receive.Interaction) receive.After {
	known := map[receive.InteractionKind]string{receive.Shortcut: GlobalShortcut, receive.MessageAction: MessageShortcut}
	if known[i.Kind] != i.CallbackID {
		a.log.Warn("ignoring a shortcut that this bot does not have", "user", i.User, "callback", words.Cut(i.CallbackID, 100))
		return nil
	}
	e := entry{from: commandOf(i), meta: placed(commandOf(i))}
	if i.Kind == receive.MessageAction {
		e.meta.Thread = cmp.Or(i.ThreadTS, i.MessageTS)
		e.looksUp = words.ServersInMessage
		e.find = func(ctx context.Context) match { return a.mentioned(ctx, i.MessageText) }
	}
	return a.enterLater(e)
}

// mentioned reads the card of the one server that a message names, or returns why not. It
// never picks among several.
func (a *App) mentioned(ctx context.Context, said string) match {
	names, cut := candidates(said)
	if len(names) == 0 && !cut {
		return match{note: words.NoneMentioned()}
	}
	found, whole := a.lookUp(ctx, names[:min(len(names), maxMentioned)])
	known := found.servers
	switch {
	case !whole:
		return match{note: words.MentionedUnread(known), names: names, cut: cut}
	case cut || len(names) > maxMentioned: // the one found may not be the only one, nor the one that is meant
		return match{note: words.TooManyMentioned(known), names: names, cut: cut}
	case len(known) == 0 && len(names) == 1:
		return match{note: a.unknown(ctx, names[0], nil)}
	case len(known) == 0:
		return match{note: words.NoneCalled(names)}
	case len(known) > 1:
		return match{note: words.SeveralMentioned(known), offers: known, names: found.names} // all that it names
	}
	read, err := a.desk.Look(ctx, known[0].ID)
	if err != nil {
		a.log.Warn("reading the card of a server named in a message", "server", known[0].ID, "err", err)
		return match{note: words.NameUnread(known[0].FQDN)}
	}
	if !found.full[read.Server.ID] && !read.ShortNameUnique {
		return match{note: words.OthersMayBeCalled(read.Server.Hostname)}
	}
	return match{card: &read}
}

// maxMentioned is how many names of a message are looked up. A list looks up all of them.
const maxMentioned = 10

// lookedUp is what names of a message mean.
type lookedUp struct {
	names   []string              // those that servers have
	servers []cancellation.Server // in the order of the names
	full    map[int64]bool        // the servers that were named by more than their host names
}

// lookUp finds the servers that have these names. whole reports that every name was answered and
// that no matching server was left out.
func (a *App) lookUp(ctx context.Context, names []string) (found lookedUp, whole bool) {
	answers, failed := make([][]cancellation.Server, len(names)), make([]error, len(names))
	var asking sync.WaitGroup
	for n, name := range names {
		asking.Go(func() { answers[n], failed[n] = a.byName.Search(ctx, cancellation.PlainName(name), maxNamed) })
	}
	asking.Wait()
	found.full, whole = map[int64]bool{}, true
	for n, name := range names {
		if failed[n] != nil {
			a.log.Warn("looking up a server named in a message", "err", failed[n])
		}
		called, short := exact(answers[n], name)
		whole = whole && failed[n] == nil && (len(called) > 0 || len(answers[n]) < maxNamed)
		found.note(name, called, short)
	}
	return found, whole
}

// note notes the servers that have a name, each once.
func (f *lookedUp) note(name string, called []cancellation.Server, short bool) {
	if len(called) > 0 {
		f.names = append(f.names, name)
	}
	for _, s := range called {
		f.full[s.ID] = f.full[s.ID] || !short
		if !slices.ContainsFunc(f.servers, func(other cancellation.Server) bool { return other.ID == s.ID }) {
			f.servers = append(f.servers, s)
		}
	}
}

var (
	// mentions are people, channels and groups in a message's text:
	// docs.slack.dev/messaging/formatting-message-text
	mentions = regexp.MustCompile(`<[@#!][^>]*>`)
	// hostWord also matches underscores inside a word. Such a word is not a host name, and
	// prod_db-042 must not be taken for db-042.
	hostWord = regexp.MustCompile(`[0-9A-Za-z](?:[0-9A-Za-z._-]*[0-9A-Za-z])?`)
	fullName = regexp.MustCompile(`^(?:[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])?\.)+[A-Za-z]{2,63}$`)
	quantity = regexp.MustCompile(`^[0-9]+[A-Za-z]+$`) // 5m, 97GB
	hostName = regexp.MustCompile(`^[0-9A-Za-z](?:[0-9A-Za-z-]{0,61}[0-9A-Za-z])$`)
)

// candidates returns what may be the name or the address of a server in a message: full names and
// IPv4 addresses, then words that look like host names because a letter is next to a digit or a
// dash; each kind in the message's order. cut reports that the message may go on. A word that it may
// end within is no name: db-04 may be the beginning of db-042.
func candidates(said string) (names []string, cut bool) {
	if cut = len(said) >= receive.MaxMessageText; cut {
		said = said[:strings.LastIndexAny(said, " \t\n")+1]
	}
	var sure, maybe []string
	seen := map[string]bool{}
	text := mentions.ReplaceAllString(said, " ")
	for _, at := range hostWord.FindAllStringIndex(text, -1) {
		word, rest := text[at[0]:at[1]], text[at[1]:]
		if goesOn(rest, "…", "...") {
			continue
		}
		plain := cancellation.PlainName(word)
		if seen[plain] {
			continue
		}
		seen[plain] = true
		address, err := netip.ParseAddr(word)
		switch {
		case err == nil && address.Is4(), fullName.MatchString(word):
			sure = append(sure, plain)
		case quantity.MatchString(word), goesOn(rest, "[", "{"):
		case hostName.MatchString(word) && strings.ContainsAny(word, "0123456789-") && strings.ContainsFunc(word, isLetter):
			maybe = append(maybe, plain)
		}
	}
	return slices.Concat(sure, maybe), cut
}

// goesOn reports whether a word was cut short, or means several servers, such as db-04… and
// db-04[1-3]: it does not mean the server whose name is its beginning.
func goesOn(rest string, signs ...string) bool {
	return slices.ContainsFunc(signs, func(sign string) bool { return strings.HasPrefix(rest, sign) })
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
