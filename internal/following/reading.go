package following

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"cancel-server/internal/cancellation"
)

// read reads SoftLayer's records of some requests: all servers in one call, all tickets in another,
// and alone what those do not settle.
func (f *Follower) read(ctx context.Context, due []cancellation.Followed, begun time.Time) ([]Evidence, error) {
	all, err := f.lists(ctx, due, begun)
	if err != nil {
		return nil, err
	}
	if err := f.absentOnes(ctx, due, all); err != nil {
		return nil, err
	}
	var missing []int
	for i, followed := range due {
		e := &all[i]
		known, err := knownOf(followed)
		if err != nil || !e.suspect(followed, known) {
			continue
		}
		if f.alone(ctx, followed.Request, e) {
			missing = append(missing, i)
		}
	}
	f.gone(ctx, all, missing)
	f.listed(ctx, due, all)
	for i, followed := range due {
		f.updates(ctx, followed, &all[i])
	}
	turn, err := f.turn(ctx)
	if err == nil && !turn.Mine {
		err = errTurnLost
	}
	for i := range all {
		all[i].Ended = turn.Now
	}
	return all, err
}

// lists reads what the two lists show. A list that the key may not read shows nothing.
func (f *Follower) lists(ctx context.Context, due []cancellation.Followed, begun time.Time) ([]Evidence, error) {
	var servers, tickets []int64
	for _, followed := range due {
		r := followed.Request
		if id := r.Submission.Card.Server.ID; id > 0 { // else what was asked for cannot be read
			servers = append(servers, id)
		}
		if r.Ticket.ID > 0 {
			tickets = append(tickets, r.Ticket.ID)
		}
	}
	listed, refused, err := list(ctx, f, servers, f.o.Books.Listed)
	if err != nil {
		return nil, fmt.Errorf("reading %d servers: %w", len(servers), err)
	}
	lives, _, err := list(ctx, f, tickets, f.o.Books.Lives)
	if err != nil {
		return nil, fmt.Errorf("reading %d tickets: %w", len(tickets), err)
	}
	all := make([]Evidence, len(due))
	for i, followed := range due {
		r := followed.Request
		all[i].Begun, all[i].Hidden = begun, refused || r.Submission.Card.Server.ID == 0
		if id := r.Submission.Card.Server.ID; listed[id] {
			all[i].Server = &cancellation.Server{ID: id}
		}
		if life, shown := lives[r.Ticket.ID]; shown {
			all[i].Ticket = &life
		}
	}
	return all, nil
}

// list makes one call for many ids. refused says that the key may not make it.
func list[Row any](ctx context.Context, f *Follower, ids []int64, read func(context.Context, []int64) (map[int64]Row, error)) (rows map[int64]Row, refused bool, err error) {
	if len(ids) == 0 {
		return nil, false, nil
	}
	if err := f.pace.Wait(ctx); err != nil {
		return nil, false, err
	}
	rows, err = read(ctx, ids)
	if errors.Is(err, cancellation.ErrReadRefused) {
		return nil, true, nil
	}
	return rows, false, err
}

// absentOnes marks the servers that the list did not show as hidden, if the key does not see all
// hardware.
func (f *Follower) absentOnes(ctx context.Context, due []cancellation.Followed, all []Evidence) error {
	absent := false
	for i := range due {
		absent = absent || all[i].Server == nil && !all[i].Hidden
	}
	if !absent {
		return nil
	}
	blind := time.Since(f.blindFrom) < rightsAge
	if !blind {
		sees, err := f.seesAll(ctx)
		if err != nil {
			return err
		}
		if blind = !sees; blind {
			f.blindFrom = time.Now()
		}
	}
	for i := range all {
		all[i].Hidden = all[i].Hidden || blind && all[i].Server == nil
	}
	return nil
}

func (f *Follower) seesAll(ctx context.Context) (bool, error) {
	if err := f.pace.Wait(ctx); err != nil {
		return false, err
	}
	rights, err := f.o.Books.Rights(ctx)
	if errors.Is(err, cancellation.ErrReadRefused) {
		return false, nil
	}
	return rights.AllHardware, err
}

// alone reads one server again. It reports whether that server was not found. A read without an
// answer leaves the request for the next look.
func (f *Follower) alone(ctx context.Context, r cancellation.Request, e *Evidence) (missing bool) {
	if f.pace.Wait(ctx) != nil {
		return false
	}
	server, err := f.o.Books.Server(ctx, r.Submission.Card.Server.ID)
	switch {
	case errors.Is(err, cancellation.ErrServerNotFound):
		e.Server = nil
		return true
	case err != nil:
		f.o.Log.Info("reading a followed server alone", "ref", r.Ref.Short(), "err", err)
		return false
	}
	e.Server, e.Alone = &server, true
	return false
}

// gone marks servers that were not found as absent, if after those reads the key still sees all
// hardware.
func (f *Follower) gone(ctx context.Context, all []Evidence, missing []int) {
	if len(missing) == 0 {
		return
	}
	sees, err := f.seesAll(ctx)
	if err != nil {
		f.o.Log.Info("reading what the key may see", "err", err)
	}
	for _, i := range missing {
		all[i].Absent = sees && err == nil
	}
}

// listed looks for requests in the list of cancellation requests, if that decides about any.
func (f *Follower) listed(ctx context.Context, due []cancellation.Followed, all []Evidence) {
	var asked []int
	var since time.Time
	for i, followed := range due {
		if !all[i].asksList(followed.Request) {
			continue
		}
		asked = append(asked, i)
		if at := followed.Request.CreatedAt; since.IsZero() || at.Before(since) {
			since = at
		}
	}
	if len(asked) == 0 || f.pace.Wait(ctx) != nil {
		return
	}
	named, err := f.o.Books.Cancelled(ctx, since)
	if err != nil {
		f.o.Log.Info("reading the cancellation requests", "err", err)
	}
	for _, i := range asked {
		all[i].Listed = listing(named, err, all[i].Server.Billing.ID)
	}
}

func listing(named map[int64]bool, err error, item int64) Listing {
	switch {
	case errors.Is(err, cancellation.ErrReadRefused):
		return NotForKey
	case err != nil:
		return NotAsked
	case named[item]:
		return Names
	}
	return Without
}

// updates finds the last update by staff, if the ticket has one that was not seen. If that cannot be
// read, the next look tries again.
func (f *Follower) updates(ctx context.Context, followed cancellation.Followed, e *Evidence) {
	known, err := knownOf(followed)
	life := e.Ticket
	switch {
	case err != nil || !e.wantsUpdates(known):
		return
	case life.ByStaff:
		e.Staff, e.Updates = life.Last, true
		return
	case known.Old && !e.awaits():
		e.Updates = true
		return
	case f.pace.Wait(ctx) != nil:
		return
	}
	all, err := f.o.Books.Updates(ctx, life.ID)
	if err != nil {
		f.o.Log.Info("reading who wrote into a ticket", "ref", followed.Request.Ref.Short(), "err", err)
		return
	}
	e.Updates = true
	for _, update := range all {
		if update.ByStaff {
			e.Staff = max(e.Staff, update.ID)
		}
		if update.ByOther {
			e.Other = max(e.Other, update.ID)
		}
	}
}

// knownOf is what is known of a request; nothing before the first look.
func knownOf(f cancellation.Followed) (k Known, err error) {
	if len(f.Known) == 0 {
		return k, nil
	}
	return k, json.Unmarshal(f.Known, &k)
}

// Answered reports, by what is known of a request as the ledger keeps it, whether SoftLayer's staff wrote in
// its ticket.
func Answered(known []byte) bool {
	k, err := knownOf(cancellation.Followed{Known: known})
	return err == nil && k.Staff > 0
}

func (k Known) encode() []byte {
	text, _ := json.Marshal(k) // texts, numbers, flags and a time in this century
	return text
}
