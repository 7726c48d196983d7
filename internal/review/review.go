package review

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/serverlist"
)

// Why is the reason why a row is left out.
type Why string

// The reasons. A row has the first one that applies.
const (
	Unclear    Why = "unclear"     // the entry means no one server: Row.Named says why
	NotFound   Why = "not-found"   // SoftLayer has no such server, or the key may not see it
	Unread     Why = "unread"      // SoftLayer did not answer: Row.Err
	Renamed    Why = "renamed"     // the card is not called what the person wrote
	Namesake   Why = "namesake"    // it was named by a host name that another server has too, or may have
	NotAllowed Why = "not-allowed" // Row.Verdict.Decision says by which rule
	Blocked    Why = "blocked"     // Row.Verdict.Blockers
	Held       Why = "held"        // another live request has it: Row.Verdict.Held
	Nobody     Why = "nobody"      // nobody else could approve it
	Unseen     Why = "unseen"      // nobody who could approve it would hear of it
)

// Read is what one read of a server led to.
type Read struct {
	Verdict cancellation.RowVerdict // what the domain says of its card
	Err     error                   // there is no card
}

// Input is what a review follows from.
type Input struct {
	List       serverlist.Resolved
	Ticked     []int64 // servers that queries found and the person ticked
	Without    []int64 // servers that the person left out
	Confirmed  []int64 // servers whose warnings the person confirmed
	Reads      map[int64]Read
	Associated bool // associated items are to be cancelled too
	Now        time.Time
}

// Row is one row of a review.
type Row struct {
	Named    serverlist.Row // of a server that was ticked only State and Server
	Why      Why            // "" for one that can be asked for
	Verdict  cancellation.RowVerdict
	Err      error
	Warnings []string // as they were when the card was read
}

// Review is a list as far as its servers were read.
type Review struct {
	Left []Row // what cannot be asked for, in the order of the list
	Rest []Row // what can

	Read, Of    int     // how many of the list's servers were read, and how many there are to read
	Unconfirmed []int64 // servers of the rest with a warning that the person did not confirm

	Sum           string // what the rest costs a month, exact decimal text
	Known, Hidden int    // how many of its costs are in the sum, and how many this key cannot see
	Ends          Ends
	Digest        string // of the rest: [cancellation.ListDigest]
}

// Ends are the dates on which servers are due to end.
type Ends struct {
	First, Last time.Time // zero if no date is known
	Depends     bool      // on a cut-off, or either of two dates is possible
	Undated     int       // servers whose date is not known
}

// Complete reports whether everything was read that can be, and all warnings of the rest are confirmed.
func (r Review) Complete() bool {
	return r.Read == r.Of && len(r.Rest) > 0 && len(r.Unconfirmed) == 0
}

// Of returns the review of a list.
func Of(in Input) Review {
	var r Review
	for _, row := range in.rows() {
		if row.Named.State != serverlist.Found {
			row.Why = Unclear
			r.Left = append(r.Left, row)
			continue
		}
		r.Of++
		read, done := in.Reads[row.Named.Server.ID]
		if !done || read.Err == nil && !read.Verdict.Card.Fresh(in.Now) { // it is read, or read again
			continue
		}
		r.Read++
		row.Verdict, row.Err, row.Why = read.Verdict, read.Err, row.why(read)
		if row.Why != "" {
			r.Left = append(r.Left, row)
			continue
		}
		r.keep(row, in.Confirmed)
	}
	r.add(in.Associated)
	return r
}

// keep adds a row that can be asked for.
func (r *Review) keep(row Row, confirmed []int64) {
	card := row.Verdict.Card
	row.Warnings, _ = card.Server.Warnings(card.ReadAt)
	if id := row.Named.Server.ID; len(row.Warnings) > 0 && !slices.Contains(confirmed, id) {
		r.Unconfirmed = append(r.Unconfirmed, id)
	}
	r.Rest = append(r.Rest, row)
}

// rows are those that were named, and then those that were ticked, but for what the person left out.
func (in Input) rows() (rows []Row) {
	listed := map[int64]bool{}
	for _, named := range in.List.Rows {
		rows = append(rows, Row{Named: named})
		listed[named.Server.ID] = named.State == serverlist.Found
	}
	for _, id := range in.Ticked {
		if !listed[id] {
			listed[id] = true
			rows = append(rows, Row{Named: serverlist.Row{State: serverlist.Found, Server: in.found(id)}})
		}
	}
	return slices.DeleteFunc(rows, func(r Row) bool {
		return r.Named.State == serverlist.Found && slices.Contains(in.Without, r.Named.Server.ID)
	})
}

// found returns a server of the queries.
func (in Input) found(id int64) serverlist.Server {
	for _, group := range in.List.Groups {
		for _, s := range group.Servers {
			if s.ID == id {
				return s
			}
		}
	}
	return serverlist.Server{ID: id}
}

// why returns why a row cannot be asked for. Nobody who may not ask for a server learns what else stops it.
func (r Row) why(read Read) Why {
	v := read.Verdict
	for _, reason := range []struct {
		applies bool
		why     Why
	}{
		{errors.Is(read.Err, cancellation.ErrServerNotFound), NotFound},
		{read.Err != nil, Unread},
		{v.Decision.Effect == authz.Refused && !v.Nobody && !v.Unseen, NotAllowed},
		{!r.called(v.Card.Server), Renamed},
		{r.Named.ByHost && !v.Card.ShortNameUnique, Namesake},
		{len(v.Blockers) > 0, Blocked},
		{v.Held != nil, Held},
		{v.Nobody, Nobody},
		{v.Unseen, Unseen},
	} {
		if reason.applies {
			return reason.why
		}
	}
	return ""
}

// called reports whether a server is called all that the person wrote for it. The copy in which it was found may be
// old: the name or the address may be another server's by now.
func (r Row) called(s cancellation.Server) bool {
	if r.Named.Text == "" { // it was found by a query
		return true
	}
	names := []string{
		strconv.FormatInt(s.ID, 10), cancellation.PlainName(s.FQDN), cancellation.PlainName(s.Hostname), s.PublicIP, s.PrivateIP,
	}
	for _, text := range slices.Concat([]string{r.Named.Text}, r.Named.Also, r.Named.Merged) {
		if !slices.Contains(names, cancellation.PlainName(text)) {
			return false
		}
	}
	return true
}

// add adds up the rest.
func (r *Review) add(associated bool) {
	var sum billed.Sum
	var digests []string
	for _, row := range r.Rest {
		card := row.Verdict.Card
		if sum.Add(card.Server.MonthlyFee(), 1) {
			r.Known++
		} else {
			r.Hidden++
		}
		digests = append(digests, card.Server.Digest(associated))
		r.Ends.add(card.End())
	}
	r.Sum = sum.Amount()
	r.Digest = cancellation.ListDigest(digests)
}

// EndsOf returns when servers are due to end.
func EndsOf(all []cancellation.End) (e Ends) {
	for _, end := range all {
		e.add(end)
	}
	return e
}

func (e *Ends) add(end cancellation.End) {
	if end.Date.IsZero() {
		e.Undated++
		return
	}
	e.Depends = e.Depends || !end.Or.IsZero()
	last := end.Date
	if !end.Or.IsZero() && end.Cutoff.IsZero() { // either of the two
		last = end.Or
	}
	if e.First.IsZero() || end.Date.Before(e.First) {
		e.First = end.Date
	}
	if last.After(e.Last) {
		e.Last = last
	}
}
