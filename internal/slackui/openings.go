package slackui

import (
	"context"
	"reflect"
	"sync"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

const (
	openingLife = 5 * time.Second
	maxOpenings = 1000 // answers; one that is forgotten is found again
)

// openings remembers for 5 s that a person may ask at all, or that their day is not full. Such an
// answer can only open a form by a command or a shortcut. It never refuses: only answers that open
// are remembered. Submissions, clicks and filing do not look here; a submission has the person's
// forgotten. A nil one remembers nothing.
type openings struct {
	mu    sync.Mutex
	known map[answered]remembered
}

// answered is one of the two answers about one person.
type answered struct {
	user   string
	answer openAnswer
}

type openAnswer int

const (
	mayAskAtAll openAnswer = iota
	dayNotFull
)

// remembered is when an answer was asked for, and what it rests on.
type remembered struct {
	at time.Time
	on basis
}

// basis is all that an answer rests on: the policy, what Slack says about the person and their
// groups, and where they ask. An answer does not count on any other basis.
type basis struct {
	user    string // as Slack calls them here
	policy  *authz.Policy
	who     authz.Principal
	channel string
}

func newOpenings() *openings { return &openings{known: map[answered]remembered{}} }

// mayAskAtAll decides whether a person may ask at all, unless it is remembered that they may.
func (a *App) mayAskAtAll(o *openings, on basis) authz.Decision {
	now := time.Now()
	if o.recall(mayAskAtAll, on, now) {
		return authz.Decision{Effect: authz.Allowed}
	}
	d := on.policy.MayAskAtAll(on.who, on.channel, a.desk.Account.ID)
	if d.Effect != authz.Refused {
		o.remember(mayAskAtAll, on, now)
	}
	return d
}

// dayIsFull reports whether a person has asked for as many servers as a day allows, unless it is
// remembered that they have not. It returns false if that cannot be read: the submission reads it
// again.
func (a *App) dayIsFull(ctx context.Context, o *openings, on basis) bool {
	now := time.Now()
	if o.recall(dayNotFull, on, now) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, glanceTime)
	defer cancel()
	full, err := a.desk.Full(ctx, on.who)
	switch {
	case err != nil:
		a.log.Warn("counting what a person asked for", "user", on.who.ID(), "err", err)
	case !full:
		o.remember(dayNotFull, on, now)
	}
	return full
}

// recall reports whether the answer was found on the same basis at most 5 s ago.
func (o *openings) recall(answer openAnswer, on basis, now time.Time) bool {
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	last, found := o.known[answered{on.user, answer}]
	return found && age(last.at, now) <= openingLife && last.on.same(on)
}

func (o *openings) remember(answer openAnswer, on basis, at time.Time) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.known) >= maxOpenings {
		clear(o.known)
	}
	o.known[answered{on.user, answer}] = remembered{at, on}
}

// forget drops what is remembered about a person, because they have sent a form.
func (o *openings) forget(user string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.known, answered{user, mayAskAtAll})
	delete(o.known, answered{user, dayNotFull})
}

func (b basis) same(other basis) bool {
	return b.policy == other.policy && b.channel == other.channel && reflect.DeepEqual(b.who, other.who)
}

// entry is how somebody comes to the form.
type entry struct {
	from    receive.Command                 // who asks and where; a click or a shortcut as the command that it stands for
	meta    metadata                        // where the result goes; By is who asks, set by enter
	looksUp string                          // what the form says it is looking up; "" opens it with no server
	find    func(ctx context.Context) match // which server the open form is to show; nil: none
	as      *asked                          // what a list begins with; nil for one server
	note    string                          // what is missing in that list; "" for nothing
	typed   words.Typed                     // what the form with no server begins with

	openings *openings // what is remembered and may open the form; nil for a click
}

// enterLater opens a form after the acknowledgement, and shows the server that it finds. What goes
// wrong reaches the person by response_url, or by direct message.
func (a *App) enterLater(e entry) receive.After {
	e.openings = a.openings
	return func(ctx context.Context) {
		entering, cancel := context.WithTimeout(ctx, enterTime)
		defer cancel()
		at, problem := a.enter(entering, &e)
		a.tell(entering, e.from.ResponseURL, e.from.User, problem)
		if at.id != "" && e.find != nil {
			a.showFound(ctx, at, e.meta, e.find)
		}
	}
}

// enter opens a form for anyone who may ask. at and problem are as [App.openView] has them. A trigger
// lives 3 s, so nothing that could take longer comes before views.open.
func (a *App) enter(ctx context.Context, e *entry) (at displayedView, problem words.Message) {
	by, refused := a.mayAsk(ctx, *e)
	if !refused.Empty() {
		return at, refused
	}
	e.meta.By = by
	return a.openEntry(ctx, *e)
}

// openEntry opens the form with no server, or the modal that says what is being looked up.
func (a *App) openEntry(ctx context.Context, e entry) (at displayedView, problem words.Message) {
	sealed, err := a.sealer.seal(ctx, e.meta)
	if err != nil {
		a.log.Error("opening a form", "user", e.from.User, "err", err)
		return at, a.words.NotOpened()
	}
	view := words.LookingUp(e.looksUp, sealed)
	switch {
	case e.as != nil:
		f := a.form(ctx, e.meta, words.Typed{Reason: e.as.Reason, Content: e.as.Content})
		f.Note = e.note
		view = words.ListForm(f, e.as.Names, sealed)
	case e.looksUp == "":
		view = a.words.Modal(a.form(ctx, e.meta, e.typed), sealed)
	}
	return a.openView(ctx, e.from.TriggerID, e.from.User, view)
}
