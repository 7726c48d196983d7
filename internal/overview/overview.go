package overview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/closing"
)

// Ledger reads where requests stand. Each method lists up to most requests, with since when SoftLayer
// waits for an answer about them, and what the follower knows of them.
type Ledger interface {
	// OfRequester lists one person's requests ("TEAM/USER"), the newest first.
	OfRequester(ctx context.Context, requester string, most int) ([]cancellation.Followed, error)
	// Pending lists what waits for approval, the newest first.
	Pending(ctx context.Context, most int) ([]cancellation.Followed, error)
	// Waiting lists what waits for an answer to SoftLayer, the newest first.
	Waiting(ctx context.Context, most int) ([]cancellation.Followed, error)
	// Ending lists filed requests that may end at that time or later, the next one first.
	Ending(ctx context.Context, from time.Time, most int) ([]cancellation.Followed, error)
	// Undated lists filed requests that Ending does not know the date of.
	Undated(ctx context.Context, most int) ([]cancellation.Followed, error)
	// OfServer lists a server's requests, the newest first.
	OfServer(ctx context.Context, server int64, most int) ([]cancellation.Followed, error)
	// Named lists requests for servers of this full name or host name, as PlainName returns it.
	Named(ctx context.Context, name string, most int) ([]cancellation.Followed, error)
	// OfRef lists the request with this short reference.
	OfRef(ctx context.Context, short string) ([]cancellation.Followed, error)
	// Events reads a request's history.
	Events(ctx context.Context, requestID string) ([]cancellation.Event, error)
	// Frozen reads the order about filing that is in force.
	Frozen(ctx context.Context) (cancellation.Freeze, error)
	// Now reads the ledger's time.
	Now(ctx context.Context) (time.Time, error)
}

// Bounds of what a page shows, and of what is looked at to find it.
const (
	MostRows   = 10  // in a section
	mostLooked = 200 // requests that are looked at for a section
	mostOfOne  = 20  // requests of one server or name
)

// Closings say what one person sees of the places that close. It makes no call to SoftLayer.
type Closings interface {
	For(ctx context.Context, policy *authz.Policy, who authz.Principal, now time.Time) (closing.Board, error)
}

// Options is what an Overview is made of.
type Options struct {
	Ledger   Ledger
	People   cancellation.Directory
	Policy   func() *authz.Policy // returns the one in force
	Closings Closings             // nil: nothing closes
	// Answered reports, by what is known of a followed request, whether SoftLayer's staff wrote in its ticket;
	// nil: it does not say.
	Answered func(known []byte) bool
	Log      *slog.Logger
}

// Overview says where requests stand.
type Overview struct{ Options }

// New makes an Overview.
func New(o Options) *Overview {
	if o.Answered == nil {
		o.Answered = func([]byte) bool { return false }
	}
	return &Overview{o}
}

// Page is what one person sees, when it was read.
type Page struct {
	AsOf    time.Time // zero: nothing was read, for nothing may be shown
	Who     authz.Principal
	Access  bool // they can ask for something or approve something
	MayAsk  bool // they can ask for something
	Frozen  cancellation.Freeze
	Approve List // waits for their approval
	Answer  List // SoftLayer waits for an answer
	Own     List // what they asked for
	Ending  List // ends next
	Closing closing.Board
}

// Empty reports whether the page lists no request, and nothing is missing from it.
func (p Page) Empty() bool {
	return p.Approve.Empty() && p.Answer.Empty() && p.Own.Empty() && p.Ending.Empty() && len(p.Closing.Places) == 0
}

// List is one section of a page.
type List struct {
	Rows []Row
	More bool // there are more than Rows
	Part int  // only so many requests were looked at, and there are more; 0: all were
	Gap  bool // something could not be read
}

// Empty reports whether the list has no row, and certainly none was left out.
func (l List) Empty() bool { return len(l.Rows) == 0 && l.Part == 0 && !l.Gap }

// Home returns all that a person sees. It reads nothing for people whom no policy lets see anything. It
// returns an error if it could not read who they are, or the time.
func (o *Overview) Home(ctx context.Context, by cancellation.Person) (Page, error) {
	v, page, err := o.begin(ctx, by)
	if err != nil || v == nil {
		return page, err
	}
	page.Frozen, err = o.Ledger.Frozen(ctx)
	o.logUnread("whether filing is frozen", err)
	page.Approve = o.approve(ctx, v)
	page.Answer = o.answer(ctx, v)
	page.Own = o.own(ctx, v)
	page.Ending = o.ending(ctx, v)
	page.Closing = o.closing(ctx, v, page)
	return page, nil
}

// Closing returns a page with what a person sees of the places that close.
func (o *Overview) Closing(ctx context.Context, by cancellation.Person) (Page, error) {
	v, page, err := o.begin(ctx, by)
	if err == nil && v != nil {
		page.Closing = o.closing(ctx, v, page)
	}
	return page, err
}

func (o *Overview) closing(ctx context.Context, v *viewer, page Page) closing.Board {
	if o.Closings == nil || !page.Access {
		return closing.Board{}
	}
	board, err := o.Closings.For(ctx, v.policy, v.who, v.now)
	board.Gap = board.Gap || err != nil
	o.logUnread("the places that close", err)
	return board
}

// Mine returns a page with what a person asked for.
func (o *Overview) Mine(ctx context.Context, by cancellation.Person) (Page, error) {
	v, page, err := o.begin(ctx, by)
	if err == nil && v != nil {
		page.Own = o.own(ctx, v)
	}
	return page, err
}

// Pending returns a page with what waits for a person's approval.
func (o *Overview) Pending(ctx context.Context, by cancellation.Person) (Page, error) {
	v, page, err := o.begin(ctx, by)
	if err == nil && v != nil {
		page.Approve = o.approve(ctx, v)
	}
	return page, err
}

// Status returns what a person sees of the requests for a server that is called so, by name, id or
// reference, the newest first. servers finds more ids of servers that are called so; it is asked only
// for people who can ask for or approve something.
func (o *Overview) Status(ctx context.Context, by cancellation.Person, called string, servers func() []int64) (List, error) {
	v, page, err := o.begin(ctx, by)
	if err != nil || v == nil {
		return List{}, err
	}
	var ids []int64
	if page.Access {
		ids = servers()
	}
	found, err := o.called(ctx, called, ids)
	if err != nil {
		return List{}, err
	}
	list := v.list(ctx, found, 0, func(row *Row) bool {
		switch {
		case row.Sight == Whole:
		case o.votedBefore(ctx, v, row.Request):
			row.Sight, row.Voted = Whole, true
		case v.seesStanding(row.Request):
			row.Sight = Standing
		}
		return row.Sight != Nothing
	})
	list.Gap = list.Gap && len(list.Rows) > 0 // else it says that there is a request
	return list, nil
}

// begin reads who looks, and the time. It returns no viewer for people whom no policy lets see anything.
func (o *Overview) begin(ctx context.Context, by cancellation.Person) (*viewer, Page, error) {
	waiting, cancel := context.WithTimeout(ctx, cancellation.MaxPrincipalWait)
	defer cancel()
	policy := o.Policy()
	groups := policy.GroupIDs()
	who, err := o.People.Principal(waiting, by, groups, cancellation.MaxPrincipalAge)
	if err == nil && len(groups) > 0 && !who.GroupsKnown {
		err = cancellation.ErrPeopleUnread
	}
	if err != nil {
		return nil, Page{}, fmt.Errorf("%w: %w", cancellation.ErrPeopleUnread, err)
	}
	page := Page{Who: who}
	if outside(who) {
		return nil, page, nil
	}
	if page.AsOf, err = o.Ledger.Now(ctx); err != nil {
		return nil, page, fmt.Errorf("reading the database's time: %w", err)
	}
	may := policy.Prospects(who)
	page.MayAsk = may.Request.May != authz.No
	page.Access = page.MayAsk || may.Approve.May != authz.No
	return &viewer{policy: policy, who: who, here: by.ID, now: page.AsOf, people: o.People, answered: o.Answered, read: map[string]*authz.Principal{}}, page, nil
}

func (o *Overview) approve(ctx context.Context, v *viewer) List {
	waits, err := o.Ledger.Pending(ctx, mostLooked+1)
	return o.listed(ctx, v, "what waits for approval", waits, err, func(row *Row) bool { return row.Next })
}

func (o *Overview) answer(ctx context.Context, v *viewer) List {
	waits, err := o.Ledger.Waiting(ctx, mostLooked+1)
	return o.listed(ctx, v, "what waits for an answer", waits, err, func(row *Row) bool { return row.Sight == Whole })
}

func (o *Overview) own(ctx context.Context, v *viewer) List {
	own, err := o.Ledger.OfRequester(ctx, v.who.ID(), MostRows+1)
	return o.listed(ctx, v, "a person's requests", own, err, func(row *Row) bool {
		if row.Request.Submission.By.ID == "" {
			return false
		}
		*row = Row{Request: row.Request, Sight: Whole, Asked: true, Waits: row.Waits, Answered: row.Answered} // by the ledger: they may have another id here
		return true
	})
}

// ending lists by the date that people read. A server that was due today still counts.
func (o *Overview) ending(ctx context.Context, v *viewer) List {
	from := v.now.Add(-24 * time.Hour)
	dated, err := o.Ledger.Ending(ctx, from, mostLooked+1)
	undated, err2 := o.Ledger.Undated(ctx, mostLooked+1)
	all := slices.Concat(dated, undated)
	slices.SortStableFunc(all, func(a, b cancellation.Followed) int { return a.Request.End().Date.Compare(b.Request.End().Date) })
	return o.listed(ctx, v, "what ends next", all, errors.Join(err, err2), func(row *Row) bool {
		return row.Sight == Whole && row.Request.End().Date.After(from)
	})
}

// listed lists the rows that are wanted, and notes what could not be read.
func (o *Overview) listed(ctx context.Context, v *viewer, what string, all []cancellation.Followed, err error, wanted func(*Row) bool) List {
	list := v.list(ctx, all, mostLooked, wanted)
	list.Gap = list.Gap || err != nil
	o.logUnread(what, err)
	return list
}

// list keeps the rows that are wanted, at most MostRows. It looks at no more requests than most; 0: at
// all.
func (v *viewer) list(ctx context.Context, all []cancellation.Followed, most int, wanted func(*Row) bool) (list List) {
	v.gaps = false
	for n, f := range all {
		if most > 0 && n == most {
			list.Part = most
			break
		}
		row := v.sees(ctx, f.Request)
		row.Waits, row.Answered = f.Waits, v.answered(f.Known)
		switch {
		case !wanted(&row):
		case len(list.Rows) == MostRows:
			list.More = true
			return list
		default:
			list.Rows = append(list.Rows, row)
		}
	}
	list.Gap = v.gaps
	return list
}

// called finds the requests for a server by its name, its id or a request's reference, and those for
// these servers.
func (o *Overview) called(ctx context.Context, name string, servers []int64) ([]cancellation.Followed, error) {
	plain := cancellation.PlainName(name)
	if id, err := strconv.ParseInt(plain, 10, 64); err == nil {
		servers = append(slices.Clone(servers), id)
	}
	all, err := o.Ledger.Named(ctx, plain, mostOfOne)
	if err != nil {
		return nil, err
	}
	for _, server := range servers {
		more, err := o.Ledger.OfServer(ctx, server, mostOfOne)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	if ref, err := cancellation.ParseShort(name); err == nil {
		more, err := o.Ledger.OfRef(ctx, ref)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	slices.SortFunc(all, func(a, b cancellation.Followed) int {
		return cmp.Or(b.Request.CreatedAt.Compare(a.Request.CreatedAt), cmp.Compare(a.Request.ID, b.Request.ID))
	})
	return slices.CompactFunc(all, func(a, b cancellation.Followed) bool { return a.Request.ID == b.Request.ID }), nil
}

// votedBefore reports whether the viewer approved or declined a request, also if that does not count
// now.
func (o *Overview) votedBefore(ctx context.Context, v *viewer, r cancellation.Request) bool {
	events, err := o.Ledger.Events(ctx, r.ID)
	o.logUnread("a request's history", err)
	return slices.ContainsFunc(events, func(e cancellation.Event) bool {
		return (e.Kind == cancellation.EventApproved || e.Kind == cancellation.EventDeclined) && e.Actor == v.who.ID()
	})
}

func (o *Overview) logUnread(what string, err error) {
	if err != nil {
		o.Log.Warn("reading for an overview", "what", what, "err", err)
	}
}
