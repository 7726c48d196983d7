package slackui

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/overview"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
	"cancel-server/internal/waiting"
)

const (
	peopleTime   = time.Second             // a form waits this long to learn who asks
	enterTime    = 7 * time.Second         // opening a form, or telling why not: shorter than a stop waits
	readTime     = 1500 * time.Millisecond // a submission waits this long for a fresh card
	lookTime     = 10 * time.Second        // a choice waits this long for its card
	responseLife = 30 * time.Minute        // of a response_url: docs.slack.dev/interactivity/handling-user-interaction
)

// Beside reads what stands next to a server.
type Beside interface {
	// Beside reads what may stay billed without the server. The facts name what could not be read;
	// the error says why. wait is called before each call, unless it is nil.
	Beside(ctx context.Context, server int64, wait func(context.Context) error) (billed.Facts, error)
}

// Options is what an App is made of. Every field without a default is required.
type Options struct {
	Desk      *cancellation.Desk   // reads cards, decides and records
	Batches   cancellation.Batches // records several requests at once
	Lists     Lists                // finds the servers of lists
	Overview  *overview.Overview   // says where requests stand
	Web       *webapi.Client       // opens and changes modals
	Directory *Directory           // knows who asks
	Search    Searcher             // finds servers for the typeahead
	Named     Searcher             // finds the servers that a command or a message names, as they are now; nil: Search does
	Virtual   Virtual              // knows the virtual servers, which the bot leaves alone; nil: nobody does
	Beside    Beside               // reads what may stay billed without a server; nil: nobody does
	Near      Neighbors            // knows names that are close to one that nobody has; nil: nobody does
	Policy    func() *authz.Policy // returns the one in force, which refuses early whom no permit can match
	Letters   *correspondence.Desk // decides and records what people write into tickets
	Waits     *waiting.Desk        // decides who reads answers, and records that none is needed
	Words     words.Writer         // writes what people read
	Key       []byte               // seals private_metadata; this installation's, kept in its store
	Cards     CardStore            // keeps the cards that do not fit private_metadata
	Team      string               // id of the workspace that the app is installed in
	Log       *slog.Logger
}

// App is the bot's flows. It implements Handler.
type App struct {
	desk      *cancellation.Desk
	batches   *cancellation.BatchDesk
	web       *webapi.Client
	directory *Directory
	finders
	policy   func() *authz.Policy
	letters  *correspondence.Desk
	waits    *waiting.Desk
	words    words.Writer
	sealer   sealer
	team     string
	log      *slog.Logger
	lists    Lists
	choices  *choices
	openings *openings
	homes    *homes
}

// finders find servers by what people type; Options says what each is for.
type finders struct {
	search  Searcher
	byName  Searcher
	virtual Virtual
	near    Neighbors
	beside  Beside
}

var _ receive.Handler = (*App)(nil)

// NewApp makes the flows.
func NewApp(o Options) *App {
	if o.Named == nil {
		o.Named = o.Search
	}
	o.Words.Command = cmp.Or(o.Words.Command, "/cancel-server")
	a := &App{
		desk: o.Desk, batches: cancellation.NewBatchDesk(o.Desk, o.Batches), web: o.Web, directory: o.Directory, finders: finders{search: o.Search, byName: o.Named, virtual: o.Virtual, near: o.Near, beside: o.Beside},
		policy: o.Policy, letters: o.Letters, waits: o.Waits, words: o.Words, sealer: sealer{key: o.Key, cards: o.Cards}, team: o.Team,
		log: o.Log, lists: o.Lists, choices: newChoices(), openings: newOpenings(),
		homes: newHomes(o.Overview),
	}
	a.lists.owner, a.lists.under = newOwner(listTime, mostLists), newUnderWay(a.choices)
	o.Directory.tell(a.groupsRead)
	return a
}

// Practising marks what a handler answers Slack with: its bot files nothing.
func Practising(h receive.Handler) receive.Handler { return practising{h} }

type practising struct{ receive.Handler }

// Command answers a slash command.
func (p practising) Command(ctx context.Context, c receive.Command) (receive.Reply, receive.After) {
	reply, after := p.Handler.Command(ctx, c)
	return words.PracticeReply(reply), after
}

// Interaction answers a submission, a click or an option look-up.
func (p practising) Interaction(ctx context.Context, i receive.Interaction) (receive.Reply, receive.After) {
	reply, after := p.Handler.Interaction(ctx, i)
	return words.PracticeReply(reply), after
}

// Command answers help, orders about filing, and a refusal that is at hand. Everything else opens
// the form, after the acknowledgement: Slack's API may be slow, and the command must not be.
func (a *App) Command(ctx context.Context, c receive.Command) (receive.Reply, receive.After) {
	query := words.Cut(strings.TrimSpace(c.Text), maxQuery)
	if strings.EqualFold(query, "help") {
		return ephemeral(a.words.Help()), nil
	}
	if order, is := freezeOrder(query); is {
		return a.freeze(ctx, c, order), nil
	}
	if word, name, is := standingOrder(query); is {
		return nil, a.standing(c, word, name)
	}
	if refused := a.refusedAtHand(c); !refused.Empty() {
		return ephemeral(refused), nil
	}
	e := entry{from: c, meta: placed(c)}
	if isList(c.Text) {
		e.as, e.note = typedList(c.Text)
	} else if query != "" {
		e.looksUp = query
		e.find = func(ctx context.Context) match { return a.findCalled(ctx, query) }
	}
	return nil, a.enterLater(e)
}

// Close ends the reading of lists and waits for it.
func (a *App) Close() { a.lists.owner.close() }

// openView opens a form. problem is what the person reads if it may not have opened. at is empty
// in that case, and also if an earlier delivery opened the form.
func (a *App) openView(ctx context.Context, trigger, user string, view words.View) (at displayedView, problem words.Message) {
	id, hash, err := a.web.OpenView(ctx, trigger, view)
	if err != nil {
		a.log.Error("opening a form", "user", user, "err", err)
		return displayedView{}, a.openFailed(err)
	}
	return displayedView{id: id, hash: hash, choice: a.choices.opened(id)}, problem
}

// openFailed is for a person whose form may not have opened.
func (a *App) openFailed(err error) words.Message {
	refused, answered := errors.AsType[*webapi.Error](err)
	_, limited := webapi.RetryAfter(err)
	switch {
	case limited:
		return a.words.NotOpened()
	case !answered, refused.Unclear():
		return a.words.OpeningUnclear()
	case refused.Code == "exchanged_trigger_id": // an earlier delivery of this command opened it
		return words.Message{}
	}
	return a.words.NotOpened()
}

// Interaction answers what people do in the bot's modals, with its messages, and with its
// shortcuts.
func (a *App) Interaction(ctx context.Context, i receive.Interaction) (receive.Reply, receive.After) {
	switch i.Kind {
	case receive.ViewSubmission:
		switch {
		case i.View != nil && i.View.CallbackID == words.ListCallback:
			return a.submitList(ctx, i)
		case i.View != nil && i.View.CallbackID == words.ReviewCallback:
			return a.submitReview(ctx, i)
		}
		return a.submittedAt(ctx, i)
	case receive.BlockSuggestion:
		return a.suggest(ctx, i), nil
	case receive.BlockActions:
		switch {
		case i.View == nil, i.View.CallbackID == words.AnswerCallback:
			return a.click(ctx, i)
		case i.View.Home:
			return a.clickAtHome(ctx, i)
		case i.View.CallbackID == words.ReviewCallback:
			return nil, a.changeReview(i)
		case i.Action.ActionID == words.SeveralAction:
			return nil, a.several(i)
		}
		return nil, a.choose(i)
	case receive.Shortcut, receive.MessageAction:
		return nil, a.shortcut(i)
	case receive.ViewClosed:
		return nil, a.listClosed(i)
	}
	return nil, nil
}

// submitted answers a submission of any of the bot's forms. home says that it began in a Home tab.
func (a *App) submitted(ctx context.Context, i receive.Interaction, home bool) receive.Reply {
	if i.View == nil {
		return a.submit(ctx, i)
	}
	is := func(callbacks ...string) bool { return slices.Contains(callbacks, i.View.CallbackID) }
	switch {
	case is(words.ClickForms...):
		return a.submitClickForm(ctx, i)
	case is(words.BatchForms...):
		return a.submitBatchForm(ctx, i)
	case is(words.TicketForms...):
		return a.submitLetter(ctx, i, home)
	case is(words.BatchReplyCallback):
		return a.submitBatchLetter(ctx, i)
	case is(words.NoAnswerCallback):
		return a.submitNoAnswer(ctx, i)
	}
	return a.submit(ctx, i)
}

// form is the modal for what was typed so far, without a card.
func (a *App) form(ctx context.Context, meta metadata, t words.Typed) words.Form {
	return words.Form{Account: a.desk.Account, Place: meta.place(), Typed: t, Frozen: a.frozen(ctx)}
}
