package overview

import (
	"context"
	"slices"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// Sight is how much of a request a person sees.
type Sight int

const (
	// Nothing: for this person the request does not exist.
	Nothing Sight = iota
	// Standing: they may ask for the server, so they see that a live request stands, its state and
	// its ticket.
	Standing
	// Whole: they asked for it, voted on it, or may approve on its server.
	Whole
)

// Row is a request as one person sees it.
type Row struct {
	Request cancellation.Request
	Sight   Sight
	Asked   bool      // they asked for it
	Voted   bool      // they approved or declined it
	Rule    string    // the policy rule that lets them approve on its server; "" if none does
	Next    bool      // it waits for approval, and theirs would count now
	Waits   time.Time // since when SoftLayer waits for an answer; zero for not

	Answered bool // SoftLayer's staff wrote in its ticket
	Together int  // tickets of its batch that wait for the viewer's answer; 0 if that was not looked for
}

// viewer is the person who looks, with the policy that decides. Both are read once for a page.
type viewer struct {
	policy *authz.Policy
	who    authz.Principal
	here   string // their id where they look
	now    time.Time
	people cancellation.Directory

	answered func(known []byte) bool
	read     map[string]*authz.Principal // requesters by id; nil for one who could not be read
	gaps     bool                        // something could not be decided
}

// maxRequesters is how many requesters are read for a page. Most policies do not ask who they are.
const maxRequesters = 20

// outside reports whether no policy lets this person see anything.
func outside(who authz.Principal) bool {
	return who.Stranger || who.Deactivated || who.Bot || who.Guest || who.User == ""
}

// sees decides whether the viewer sees the whole request. The policy sees the server as it was asked
// for, and the request's own channel.
func (v *viewer) sees(ctx context.Context, r cancellation.Request) Row {
	row := Row{Request: r}
	if r.Submission.By.ID == "" || r.Format > cancellation.Format { // what it asks for cannot be read
		v.gaps = true
		return row
	}
	row.Asked = v.is(r.Submission.By)
	row.Voted = slices.ContainsFunc(r.Approvals, func(a cancellation.Approval) bool { return v.is(a.By) }) ||
		r.State == cancellation.Declined && v.is(r.EndedBy)
	v.approves(ctx, &row)
	if row.Asked || row.Voted || row.Rule != "" {
		row.Sight = Whole
	}
	return row
}

// is reports whether a person is the viewer, by either of their ids.
func (v *viewer) is(p cancellation.Person) bool {
	return p.Team == v.who.Team && (p.ID == v.who.User || p.ID == v.here)
}

// approves finds the rule by which the viewer may give one of the request's approvals. The requester
// is read only if the policy's answer depends on them.
func (v *viewer) approves(ctx context.Context, row *Row) {
	r := row.Request
	server, about := r.Submission.Card.Server.Resource(), r.Submission.Context(r.Submission.Card.Server, v.now)
	open := v.policy.ProspectsOn(v.who, server, about).Approve
	if row.Asked || open.May == authz.No {
		return
	}
	waits := r.State == cancellation.Pending && v.now.Before(r.ExpiresAt) && !row.Voted
	if open.May == authz.Yes {
		row.Rule, row.Next = open.Rules[0], waits
		return
	}
	requester := v.requester(ctx, r.Submission.By)
	if requester == nil {
		v.gaps = true
		return
	}
	for given := range max(r.Decision.Approvals, 1) {
		d := v.policy.Approve(v.who, *requester, server, about, given)
		if d.Effect != authz.Allowed {
			continue
		}
		if row.Rule == "" {
			row.Rule = d.Rule
		}
		if given == len(r.Approvals) {
			row.Rule, row.Next = d.Rule, waits
		}
	}
}

// requester reads who asked, fresh enough to decide by.
func (v *viewer) requester(ctx context.Context, by cancellation.Person) *authz.Principal {
	known, before := v.read[by.ID]
	if before || len(v.read) >= maxRequesters {
		return known
	}
	v.read[by.ID] = nil
	groups := v.policy.GroupIDs()
	who, err := v.people.Principal(ctx, by, groups, cancellation.MaxPrincipalAge)
	if err == nil && (who.GroupsKnown || len(groups) == 0) {
		v.read[by.ID] = &who
	}
	return v.read[by.ID]
}

// seesStanding decides whether the viewer sees that a request stands, because they may ask for its
// server.
func (v *viewer) seesStanding(r cancellation.Request) bool {
	server := r.Submission.Card.Server
	about := r.Submission.Context(server, v.now)
	about.Count, about.Today = 0, 0 // these are the requester's, and say nothing of the viewer
	return r.State.Live() && v.policy.MayAskFor(v.who, server.Resource(), about).Effect != authz.Refused
}
