package slackui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
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
	maxLookups = 384 // more than the dispatcher admits at once, and the workers
	maxPeople  = 10_000
	maxGroups  = 8           // sets of groups; each policy names one
	slackbot   = "USLACKBOT" // is_bot is false for it: docs.slack.dev/reference/objects/user-object
)

// DirectoryOptions is what a Directory is made of.
type DirectoryOptions struct {
	Web            *webapi.Client
	HomeTeam       string // id of the workspace that the app is installed in
	HomeEnterprise string // its organisation; "" where there is none
	Log            *slog.Logger
	Now            func() time.Time // nil for the time of this host
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
	groups map[string]*lookup[memberships] // by the ids of the groups
	heard  func(memberships)               // is told each read of the groups; nil for nobody
	names  map[string]string               // handles of groups by id, as they were read last
}

// memberships are what Slack says about a policy's groups.
type memberships struct {
	of       map[string][]string // ids of groups by user id
	unlisted []string            // groups whose members Slack does not list: unknown here, switched off, or left out
}

// profile is what users.info says about a person.
type profile struct {
	team, enterprise, name                 string
	orgID                                  string // enterprise_user.id, the same in each workspace; "" outside an organisation
	guest, bot, deactivated, fromElsewhere bool
	zone                                   string // the name of their time zone; "" if Slack does not say
}

var _ cancellation.Directory = (*Directory)(nil)

// NewDirectory makes a directory; Close ends what it has under way.
func NewDirectory(o DirectoryOptions) *Directory {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Directory{
		owner: newOwner(lookupTime, maxLookups), web: o.Web, o: o,
		people: map[string]*lookup[profile]{}, groups: map[string]*lookup[memberships]{}, names: map[string]string{},
	}
}

// lookupOf returns the look-up of these groups; nil for none. Each policy's groups have their own:
// what was read for another policy does not say who is in them.
func (d *Directory) lookupOf(groups []string) *lookup[memberships] {
	if len(groups) == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key := strings.Join(groups, " ")
	found := d.groups[key]
	if found == nil {
		if len(d.groups) >= maxGroups {
			clear(d.groups) // costs one call for each policy that still decides
		}
		found = &lookup[memberships]{pause: groupPause, heard: d.hear, read: func(ctx context.Context) (memberships, error) {
			return d.readGroups(ctx, groups)
		}}
		d.groups[key] = found
	}
	return found
}

// tell has a function told each read of the groups. It must not block.
func (d *Directory) tell(heard func(memberships)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard = heard
}

func (d *Directory) hear(read memberships) {
	d.mu.Lock()
	heard := d.heard
	d.mu.Unlock()
	if heard != nil {
		heard(read)
	}
}

func (d *Directory) name(group, handle string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[group] = handle
}

// GroupName returns the handle of a group of the policy's, without its "@", as it was read last; "" if
// it was not. It is for people to read: nothing is decided by it.
func (d *Directory) GroupName(group string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.names[group]
}

// Close cancels look-ups under way and waits for them.
func (d *Directory) Close() { d.owner.close() }

// Principal reads a person, and in which of these groups they are, by calls that were begun
// no more than maxAge, and never more than 60 s, before now.
func (d *Directory) Principal(ctx context.Context, person cancellation.Person, groups []string, maxAge time.Duration) (authz.Principal, error) {
	now := d.o.Now()
	maxAge = min(maxAge, peopleAge)
	who, err := d.person(person.ID).begin(d.owner, now, maxAge)
	if err != nil {
		return authz.Principal{}, fmt.Errorf("reading user %q: %w", person.ID, err)
	}
	members, err := d.members(ctx, groups, now, maxAge) // under way together with the person
	if err != nil {
		return authz.Principal{}, err
	}
	known, err := who.wait(ctx)
	if err != nil {
		return authz.Principal{}, fmt.Errorf("reading user %q: %w", person.ID, err)
	}
	principal := d.principal(person.ID, known)
	return members.added(principal, person.ID, len(groups) > 0), nil
}

// Members reads who is in these groups, by a call begun no more than maxAge, and never more
// than 60 s, before now. It knows people by their groups alone.
func (d *Directory) Members(ctx context.Context, groups []string, maxAge time.Duration) ([]authz.Principal, error) {
	read, err := d.members(ctx, groups, d.o.Now(), min(maxAge, peopleAge))
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

// Unlisted reads, as Members does, which of these groups Slack does not list, or lists without their
// members. Nobody knows who is in them, so anybody may be.
func (d *Directory) Unlisted(ctx context.Context, groups []string, maxAge time.Duration) ([]string, error) {
	read, err := d.members(ctx, groups, d.o.Now(), min(maxAge, peopleAge))
	return read.unlisted, err
}

func (d *Directory) members(ctx context.Context, groups []string, now time.Time, maxAge time.Duration) (memberships, error) {
	wanted := d.lookupOf(groups)
	if wanted == nil {
		return memberships{}, nil
	}
	call, err := wanted.begin(d.owner, now, maxAge)
	if err != nil {
		return memberships{}, fmt.Errorf("reading the user groups: %w", err)
	}
	members, err := call.wait(ctx)
	if err != nil {
		return memberships{}, fmt.Errorf("reading the user groups: %w", err)
	}
	return members, nil
}

// Cached answers what must not wait for groups, such as a command: the person as far as
// users.info answers before ctx is over, and memberships of these groups only where they are
// at hand and fresh. Where they are not, GroupsKnown is false and a look-up is begun, so that
// the submission finds them. unread is why the person could not be read, or nil.
func (d *Directory) Cached(ctx context.Context, person cancellation.Person, groups []string) (who authz.Principal, unread error) {
	now := d.o.Now()
	who = authz.Principal{Team: person.Team, User: person.ID, Name: person.Name}
	call, err := d.person(person.ID).begin(d.owner, now, peopleAge)
	members, groupsKnown := d.membersAtHand(groups, now)
	if err == nil {
		var read profile
		if read, err = call.wait(ctx); err == nil {
			who = d.principal(person.ID, read)
		}
	}
	if err != nil {
		d.o.Log.Warn("reading a user", "user", person.ID, "err", err)
	}
	return members.added(who, person.ID, groupsKnown), err
}

// AtHand answers like Cached, from what was read less than 60 s ago, and waits for nothing. known
// is false where that is not all that a decision needs.
func (d *Directory) AtHand(person cancellation.Person, groups []string) (who authz.Principal, known bool) {
	now := d.o.Now()
	read, known := d.person(person.ID).fresh(now, peopleAge)
	if !known {
		return authz.Principal{}, false
	}
	var members memberships
	wanted := d.lookupOf(groups)
	if wanted != nil {
		if members, known = wanted.fresh(now, peopleAge); !known {
			return authz.Principal{}, false
		}
	}
	return members.added(d.principal(person.ID, read), person.ID, wanted != nil), true
}

func (d *Directory) membersAtHand(groups []string, now time.Time) (members memberships, known bool) {
	wanted := d.lookupOf(groups)
	if wanted == nil {
		return members, false
	}
	if members, known = wanted.fresh(now, peopleAge); known {
		return members, true
	}
	if _, err := wanted.begin(d.owner, now, peopleAge); err != nil && !errors.Is(err, errTooSoon) {
		d.o.Log.Warn("starting to read the user groups", "err", err)
	}
	return memberships{}, false
}

// added returns who with their groups. Slack lists a person by their id in this workspace or by
// their id in the whole organisation.
func (m memberships) added(who authz.Principal, here string, known bool) authz.Principal {
	who.Groups, who.GroupsUnlisted, who.GroupsKnown = m.of[who.User], m.unlisted, known
	if here != who.User {
		who.Groups = slices.Compact(slices.Sorted(slices.Values(slices.Concat(who.Groups, m.of[here]))))
	}
	return who
}

// Warm reads these groups once, at start, so that the first command finds them. It logs which
// of them Slack does not list.
func (d *Directory) Warm(ctx context.Context, groups []string) error {
	_, err := d.Members(ctx, groups, peopleAge)
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
		return profile{}, barred(err)
	}
	if u.ID != id {
		return profile{}, fmt.Errorf("calling users.info: asked for %q, answered about %q", id, u.ID)
	}
	return profile{
		team: u.TeamID, enterprise: u.Enterprise.EnterpriseID, orgID: u.Enterprise.ID,
		name:  cmp.Or(u.Profile.DisplayName, u.RealName, u.Name),
		guest: u.IsRestricted || u.IsUltraRestricted, bot: u.IsBot || u.ID == slackbot,
		deactivated: u.Deleted, fromElsewhere: u.IsStranger, zone: u.TZ,
	}, nil
}

// barred marks an error that comes again until the app has another scope.
func barred(err error) error {
	if refused, ok := errors.AsType[*webapi.Error](err); ok && refused.Code == "missing_scope" && refused.Needed != "" {
		return &cancellation.MissingScopeError{Scope: refused.Needed, Err: err}
	}
	return err
}

// Whereabouts returns the name of a user's time zone, "" if Slack does not say, and whether they have
// left, by a call that was begun no more than 60 s before now.
func (d *Directory) Whereabouts(ctx context.Context, user string) (zone string, gone bool, err error) {
	who, err := d.person(user).begin(d.owner, d.o.Now(), peopleAge)
	if err != nil {
		return "", false, fmt.Errorf("reading user %q: %w", user, err)
	}
	known, err := who.wait(ctx)
	if err != nil {
		return "", false, fmt.Errorf("reading user %q: %w", user, err)
	}
	return known.zone, known.deactivated || known.fromElsewhere || !d.atHome(known), nil
}

// readGroups reads the members of a policy's groups.
func (d *Directory) readGroups(ctx context.Context, ids []string) (memberships, error) {
	listed, err := d.web.UserGroups(ctx)
	if err != nil {
		return memberships{}, barred(err)
	}
	members := memberships{of: map[string][]string{}}
	for _, id := range ids {
		if listed[id].Members == nil {
			d.o.Log.Warn("the policy names a user group that Slack does not list, or not with its members", "group", id)
			members.unlisted = append(members.unlisted, id)
			continue
		}
		d.name(id, listed[id].Handle)
		for _, user := range listed[id].Members {
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
