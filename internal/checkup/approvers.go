package checkup

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// Bounds of what is read to tell which servers nobody could approve.
const (
	pageRows    = 100 // as SoftLayer's own clients read
	mostServers = 1000
	mostTags    = 1000
	mostPlaces  = 5 // that are named
)

const leftOpen = "by data center and tags; a server's name and cost are left open"

// approvers says which servers somebody may ask for and nobody could approve.
func (r *round) approvers(ctx context.Context) []Finding {
	policy, skipped := r.inForce("Approvers")
	if policy == nil {
		return skipped
	}
	if r.SoftLayer == nil || r.listed == nil {
		return []Finding{skip("Approvers: cannot tell without both vendors.")}
	}
	listed, err := r.listed()
	if err != nil && len(policy.GroupIDs()) > 0 {
		return []Finding{skip("Approvers: cannot tell who is in the policy's groups.")}
	}
	tags, _ := policy.Compared()
	carried, err := r.tagged(ctx, tags)
	if err != nil {
		return []Finding{skip("Approvers: cannot tell, because the tags could not be read: %v.", because(err))}
	}
	places, total, err := r.places(ctx, policy, carried)
	if err != nil {
		return []Finding{skip("Approvers: cannot tell, because the servers could not be read: %v.", because(err))}
	}
	read, _ := r.crowd() // whoever could not be read is taken for a member of the team
	people := kinds(policy, r.home(), listed, read)
	var orphans []place
	looked, untold := 0, 0
	for _, p := range places {
		looked += p.count
		if !p.server.TagsKnown {
			untold += p.count
		}
		if orphaned(policy, people, p) {
			orphans = append(orphans, p)
		}
	}
	return verdict(orphans, looked, total, leftOpen+carried.missing(untold))
}

// verdict says which places are orphans, among how many servers, and what is left open about them.
func verdict(orphans []place, looked, total int, leftOpen string) []Finding {
	among := ""
	if looked < total {
		among = fmt.Sprintf(", of the first %d of %d", looked, total)
	}
	if len(orphans) == 0 {
		return []Finding{ok("Approvers: for each of %d servers%s that anybody may ask for, somebody could approve or nobody has to (%s).", looked, among, leftOpen)}
	}
	var all []Finding
	for i, p := range orphans {
		if i == mostPlaces {
			all = append(all, fail("Run: bot policy who", "Nobody could approve servers of %d more kinds.", len(orphans)-i))
			break
		}
		all = append(all, fail("Run: bot policy who", "Nobody could approve servers in %s (%d%s; %s).", p, p.count, among, leftOpen))
	}
	return all
}

// place is what some servers have in common: all that the policy can tell them apart by, but their
// names and costs.
type place struct {
	server authz.Server // one of them
	count  int
}

// String names the data center and the tags.
func (p place) String() string {
	text := cmp.Or(p.server.Datacenter, "no known data center")
	if !p.server.TagsKnown {
		return text + " whatever their tags are"
	}
	if len(p.server.Tags) > 0 {
		text += " with the tags " + strings.Join(p.server.Tags, ", ")
	}
	return text
}

// places reads the servers that the key sees, up to mostServers. total is how many there are.
func (r *round) places(ctx context.Context, policy *authz.Policy, carried carriers) (all []place, total int, err error) {
	_, servers := policy.Compared()
	known := map[string]int{}
	for offset := 0; ; offset += pageRows {
		var page []cancellation.Server
		if page, total, err = r.SoftLayer.Servers(ctx, offset, pageRows); err != nil {
			return nil, 0, err
		}
		for _, s := range page {
			of := authz.Server{ID: s.ID, Datacenter: s.Datacenter}
			of.Tags, of.TagsKnown = carried.by(s.ID)
			key := fmt.Sprint(of.Datacenter, "\x00", of.TagsKnown, "\x00", strings.Join(of.Tags, "\x00"))
			if slices.Contains(servers, s.ID) {
				key += "\x00\x00" + strconv.FormatInt(s.ID, 10)
			}
			at, seen := known[key]
			if !seen {
				at = len(all)
				known[key], all = at, append(all, place{server: of})
			}
			all[at].count++
		}
		if len(page) < pageRows || offset+len(page) >= min(total, mostServers) {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b place) int { return cmp.Compare(a.String(), b.String()) })
	return all, total, nil
}

// carriers are the servers that carry some tags, as far as they were read.
type carriers struct {
	tags     map[int64][]string // by server, in lower case
	unlisted bool               // there are more tags than were read
	partly   []string           // tags on more things than were read
}

// by returns which of the tags a server carries, and whether all that was needed to tell was read.
func (c carriers) by(server int64) (tags []string, known bool) {
	tags = c.tags[server]
	if c.unlisted || slices.ContainsFunc(c.partly, func(tag string) bool { return !slices.Contains(tags, tag) }) {
		return nil, false
	}
	return tags, true
}

// missing says why the tags of some servers are left open.
func (c carriers) missing(servers int) string {
	switch {
	case servers == 0:
		return ""
	case c.unlisted:
		return fmt.Sprintf("; so are the tags of %s, because only the first %d tags were read", counted(servers, "server"), mostTags)
	}
	return fmt.Sprintf("; so are the tags of %s, because only the first %d things with the tag %s were read",
		counted(servers, "server"), mostServers, strings.Join(c.partly, ", or "))
}

// tagged reads which servers carry which of some tags, in lower case.
func (r *round) tagged(ctx context.Context, tags []string) (carriers, error) {
	c := carriers{tags: map[int64][]string{}}
	if len(tags) == 0 {
		return c, nil
	}
	for offset := 0; ; offset += pageRows {
		if c.unlisted = offset >= mostTags; c.unlisted {
			break
		}
		names, total, err := r.SoftLayer.Tags(ctx, offset, pageRows)
		if err != nil {
			return carriers{}, err
		}
		for id, name := range names {
			if name = strings.ToLower(name); !slices.Contains(tags, name) {
				continue
			}
			if err := r.carriers(ctx, id, name, &c); err != nil {
				return carriers{}, err
			}
		}
		if len(names) == 0 || offset+pageRows >= total {
			break
		}
	}
	for id := range c.tags {
		slices.Sort(c.tags[id])
		c.tags[id] = slices.Compact(c.tags[id])
	}
	slices.Sort(c.partly)
	c.partly = slices.Compact(c.partly)
	return c, nil
}

func (r *round) carriers(ctx context.Context, tag int64, name string, c *carriers) error {
	for offset := 0; offset < mostServers; offset += pageRows {
		servers, total, err := r.SoftLayer.Tagged(ctx, tag, offset, pageRows)
		if err != nil {
			return err
		}
		for _, id := range servers {
			c.tags[id] = append(c.tags[id], name)
		}
		if offset+pageRows >= total {
			return nil
		}
	}
	c.partly = append(c.partly, name)
	return nil
}

// kinds returns the people whom the policy reaches, one for all whom it cannot tell apart, and one for
// everybody else.
func kinds(policy *authz.Policy, home string, listed []Group, read map[string]authz.Principal) []authz.Principal {
	ids, unlisted := policy.GroupIDs(), []string{}
	of := map[string][]string{}
	for _, id := range ids {
		at := slices.IndexFunc(listed, func(g Group) bool { return g.ID == id && !g.Off && g.Members != nil })
		if at < 0 {
			unlisted = append(unlisted, id)
			continue
		}
		for _, user := range listed[at].Members {
			of[user] = append(of[user], id)
		}
	}
	named := policy.UserIDs()
	for _, id := range named {
		_, user, _ := strings.Cut(id, "/")
		if _, member := of[user]; !member {
			of[user] = nil
		}
	}
	all := []authz.Principal{{Team: home, User: "anyone", GroupsKnown: true, GroupsUnlisted: unlisted}}
	seen := map[string]bool{}
	for user, groups := range of {
		who, known := read[user]
		if !known {
			who = authz.Principal{Team: home, User: user}
		}
		who.Groups, who.GroupsKnown, who.GroupsUnlisted = groups, true, unlisted
		kind := fmt.Sprint(groups, who.Guest, who.Bot, who.Deactivated, who.Stranger)
		if slices.Contains(named, who.ID()) {
			kind = who.ID()
		}
		if !seen[kind] {
			seen[kind], all = true, append(all, who)
		}
	}
	return all
}

// orphaned reports whether somebody may ask for these servers, needs approval, and nobody could give it.
func orphaned(policy *authz.Policy, people []authz.Principal, p place) bool {
	needed := false
	for _, who := range people {
		may := policy.ProspectsIn(who, p.server)
		if may.Approve.May > authz.No {
			return false
		}
		needed = needed || may.Request.May > authz.No && may.Cancel.May == authz.No
	}
	return needed
}
