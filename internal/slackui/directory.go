package slackui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/webapi"
)

const (
	peopleAge  = 60 * time.Second // a decision rests on nothing older
	groupPause = 20 * time.Second // usergroups.list is tier 2: 20 calls a minute for the whole app
	lookupTime = 10 * time.Second
	maxLookups = 128
	maxPeople  = 10_000
	slackbot   = "USLACKBOT" // is_bot is false for it: docs.slack.dev/reference/objects/user-object
)

// DirectoryOptions is what a Directory is made of.
type DirectoryOptions struct {
	Web            *webapi.Client
	HomeTeam       string // id of the workspace that the app is installed in
	HomeEnterprise string // its organisation; "" where there is none
	// Groups are the ids of the user groups that the policy in force names, sorted; while it
	// names none, none is read.
	Groups func() []string
	Log    *slog.Logger
	Now    func() time.Time // nil for the time of this host
}

// Directory reads people by users.info, and the members of the policy's groups by usergroups.list.
// It implements cancellation.Directory: what cannot be read as fresh as requested is an error,
// never an older answer.
type Directory struct {
	web   *webapi.Client
	o     DirectoryOptions
	owner *owner

	mu     sync.Mutex
	people map[string]*lookup[profile]
	asked  []string // the groups that groups is about
	groups *lookup[memberships]
}

// memberships are what Slack says about the policy's groups.
type memberships struct {
	asked    []string            // those groups
	of       map[string][]string // ids of groups by user id
	unlisted []string            // groups whose members Slack does not list: unknown here, switched off, or left out
}

// profile is what users.info says about a person.
type profile struct {
	team, enterprise, name                 string
	orgID                                  string // enterprise_user.id, the same in each workspace; "" outside an organisation
	guest, bot, deactivated, fromElsewhere bool
}

var _ cancellation.Directory = (*Directory)(nil)

// NewDirectory makes a directory; Close ends what it has under way.
func NewDirectory(o DirectoryOptions) *Directory {
	if o.Now == nil {
		o.Now = time.Now
	}
	calls := &owner{limit: lookupTime, most: maxLookups, cancels: map[*context.CancelFunc]struct{}{}}
	return &Directory{owner: calls, web: o.Web, o: o, people: map[string]*lookup[profile]{}}
}

// policyGroups returns the look-up of the groups that the policy names now, or nil if it names
// none. If the policy names other groups than before, the look-up is a new one, since the last one
// does not say who is in them.
func (d *Directory) policyGroups() *lookup[memberships] {
	ids := d.o.Groups()
	if len(ids) == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.groups == nil || !slices.Equal(ids, d.asked) {
		d.asked = ids
		d.groups = &lookup[memberships]{pause: groupPause, read: func(ctx context.Context) (memberships, error) {
			return d.readGroups(ctx, ids)
		}}
	}
	return d.groups
}

// Close cancels look-ups under way and waits for them.
func (d *Directory) Close() { d.owner.close() }

// Principal reads a person and the policy's groups by calls that were begun no more
// than maxAge, and never more than 60 s, before now.
func (d *Directory) Principal(ctx context.Context, person cancellation.Person, maxAge time.Duration) (authz.Principal, error) {
	now := d.o.Now()
	maxAge = min(maxAge, peopleAge)
	who, err := d.person(person.ID).begin(d.owner, now, maxAge)
	if err != nil {
		return authz.Principal{}, fmt.Errorf("reading user %q: %w", person.ID, err)
	}
	var members memberships
	groups := d.policyGroups()
	if groups != nil { // under way together with the person
		if members, err = d.members(ctx, groups, now, maxAge); err != nil {
			return authz.Principal{}, err
		}
	}
	known, err := who.wait(ctx)
	if err != nil {
		return authz.Principal{}, fmt.Errorf("reading user %q: %w", person.ID, err)
	}
	principal := d.principal(person.ID, known)
	return members.added(principal, person.ID, groups != nil), nil
}

// Members reads who is in the policy's groups, by a call begun no more than maxAge, and
// never more than 60 s, before now. It knows people by their groups alone.
func (d *Directory) Members(ctx context.Context, maxAge time.Duration) ([]authz.Principal, error) {
	groups := d.policyGroups()
	if groups == nil {
		return nil, nil
	}
	now := d.o.Now()
	read, err := d.members(ctx, groups, now, min(maxAge, peopleAge))
	if err != nil {
		return nil, err
	}
	home := cmp.Or(d.o.HomeEnterprise, d.o.HomeTeam)
	var all []authz.Principal
	for _, user := range slices.Sorted(maps.Keys(read.of)) {
		all = append(all, read.added(authz.Principal{Team: home, User: user}, user, true))
	}
	return all, nil
}

// Unlisted reads, as Members does, which of the policy's groups Slack does not list, or lists
// without their members. Nobody knows who is in them, so anybody may be.
func (d *Directory) Unlisted(ctx context.Context, maxAge time.Duration) ([]string, error) {
	groups := d.policyGroups()
	if groups == nil {
		return nil, nil
	}
	now := d.o.Now()
	read, err := d.members(ctx, groups, now, min(maxAge, peopleAge))
	return read.unlisted, err
}

func (d *Directory) members(ctx context.Context, groups *lookup[memberships], now time.Time, maxAge time.Duration) (memberships, error) {
	call, err := groups.begin(d.owner, now, maxAge)
	if err != nil {
		return memberships{}, fmt.Errorf("reading the user groups: %w", err)
	}
	members, err := call.wait(ctx)
	if err != nil {
		return memberships{}, fmt.Errorf("reading the user groups: %w", err)
	}
	return members, nil
}

// Cached answers callers that must not wait for groups, such as a command. It returns the person if
// users.info answers before ctx ends, and their memberships only if fresh ones are at hand. If not,
// GroupsKnown is false and a look-up starts, so that the submission finds them. known is false if
// the person could not be read.
func (d *Directory) Cached(ctx context.Context, person cancellation.Person) (who authz.Principal, known bool) {
	now := d.o.Now()
	who = authz.Principal{Team: person.Team, User: person.ID, Name: person.Name}
	call, err := d.person(person.ID).begin(d.owner, now, peopleAge)
	members, groupsKnown := d.membersAtHand(now)
	if err == nil {
		var read profile
		if read, err = call.wait(ctx); err == nil {
			who, known = d.principal(person.ID, read), true
		}
	}
	if err != nil {
		d.o.Log.Warn("reading a user", "user", person.ID, "err", err)
	}
	return members.added(who, person.ID, groupsKnown), known
}

func (d *Directory) membersAtHand(now time.Time) (members memberships, known bool) {
	groups := d.policyGroups()
	if groups == nil {
		return members, false
	}
	if members, known = groups.fresh(now, peopleAge); known {
		return members, true
	}
	if _, err := groups.begin(d.owner, now, peopleAge); err != nil && !errors.Is(err, errTooSoon) {
		d.o.Log.Warn("starting to read the user groups", "err", err)
	}
	return memberships{}, false
}

// added returns who with their groups, and with the groups that were read: another policy may be in
// force by the time of the decision. Slack lists a person by their id in this workspace or by their
// id in the whole organisation.
func (m memberships) added(who authz.Principal, here string, known bool) authz.Principal {
	who.Groups, who.GroupsUnlisted, who.GroupsKnown, who.GroupsRead = m.of[who.User], m.unlisted, known, m.asked
	if here != who.User {
		who.Groups = slices.Compact(slices.Sorted(slices.Values(slices.Concat(who.Groups, m.of[here]))))
	}
	return who
}

// Warm reads the policy's groups once, at start, so that the first command finds them. It logs
// which of them Slack does not list.
func (d *Directory) Warm(ctx context.Context) error {
	_, err := d.Members(ctx, peopleAge)
	return err
}

// person returns the look-up of one person. It makes room where there are too many.
func (d *Directory) person(id string) *lookup[profile] {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := d.people[id]
	if found == nil {
		if len(d.people) >= maxPeople {
			clear(d.people) // costs one call for each who asks again
		}
		found = &lookup[profile]{read: func(ctx context.Context) (profile, error) { return d.readPerson(ctx, id) }}
		d.people[id] = found
	}
	return found
}

// readPerson reads what Slack says about a person.
func (d *Directory) readPerson(ctx context.Context, id string) (profile, error) {
	u, err := d.web.User(ctx, id)
	if err != nil {
		if refused, ok := errors.AsType[*webapi.Error](err); ok && slices.Contains([]string{"user_not_found", "user_not_visible"}, refused.Code) {
			return profile{fromElsewhere: true}, nil // an answer: nobody of this workspace is called so
		}
		return profile{}, err
	}
	if u.ID != id {
		return profile{}, fmt.Errorf("calling users.info: asked for %q, answered about %q", id, u.ID)
	}
	return profile{
		team: u.TeamID, enterprise: u.Enterprise.EnterpriseID, orgID: u.Enterprise.ID,
		name:  cmp.Or(u.Profile.DisplayName, u.RealName, u.Name),
		guest: u.IsRestricted || u.IsUltraRestricted, bot: u.IsBot || u.ID == slackbot,
		deactivated: u.Deleted, fromElsewhere: u.IsStranger,
	}, nil
}

// readGroups reads the members of the policy's groups.
func (d *Directory) readGroups(ctx context.Context, ids []string) (memberships, error) {
	listed, err := d.web.UserGroups(ctx)
	if err != nil {
		return memberships{}, err
	}
	members := memberships{asked: ids, of: map[string][]string{}}
	for _, id := range ids {
		if listed[id] == nil {
			d.o.Log.Warn("the policy names a user group that Slack does not list, or not with its members", "group", id)
			members.unlisted = append(members.unlisted, id)
			continue
		}
		for _, user := range listed[id] {
			members.of[user] = append(members.of[user], id)
		}
	}
	return members, nil
}

func (d *Directory) principal(id string, p profile) authz.Principal {
	return authz.Principal{
		Team: cmp.Or(p.enterprise, p.team), User: cmp.Or(p.orgID, id), Name: p.name,
		Guest: p.guest, Bot: p.bot, Deactivated: p.deactivated, Stranger: p.fromElsewhere || !d.atHome(p),
	}
}

// atHome reports whether a person belongs to the app's organisation or, if there is none, to its
// workspace.
func (d *Directory) atHome(p profile) bool {
	if d.o.HomeEnterprise != "" {
		return p.enterprise == d.o.HomeEnterprise
	}
	return p.team == d.o.HomeTeam && p.enterprise == ""
}
