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
	places, total, err := r.places(ctx, policy)
	if err != nil {
		return []Finding{skip("Approvers: cannot tell, because the servers could not be read: %v.", because(err))}
	}
	read, _ := r.crowd() // whoever could not be read is taken for a member of the team
	people := kinds(policy, r.home(), listed, read)
	var orphans []place
	looked := 0
	for _, p := range places {
		looked += p.count
		if orphaned(policy, people, p) {
			orphans = append(orphans, p)
		}
	}
	return verdict(orphans, looked, total)
}

func verdict(orphans []place, looked, total int) []Finding {
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
	if len(p.server.Tags) > 0 {
		text += " with the tags " + strings.Join(p.server.Tags, ", ")
	}
	return text
}

// places reads the servers that the key sees, up to mostServers. total is how many there are.
func (r *round) places(ctx context.Context, policy *authz.Policy) (all []place, total int, err error) {
	tags, servers := policy.Compared()
	tagged, err := r.tagged(ctx, tags)
	if err != nil {
		return nil, 0, err
	}
	known := map[string]int{}
	for offset := 0; ; offset += pageRows {
		var page []cancellation.Server
		if page, total, err = r.SoftLayer.Servers(ctx, offset, pageRows); err != nil {
			return nil, 0, err
		}
		for _, s := range page {
			of := authz.Server{ID: s.ID, Datacenter: s.Datacenter, Tags: tagged[s.ID], TagsKnown: true}
			key := of.Datacenter + "\x00" + strings.Join(of.Tags, "\x00")
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

// tagged reads which servers carry which of some tags, in lower case.
func (r *round) tagged(ctx context.Context, tags []string) (map[int64][]string, error) {
	carried := map[int64][]string{}
	if len(tags) == 0 {
		return carried, nil
	}
	for offset := 0; offset < mostTags; offset += pageRows {
		names, total, err := r.SoftLayer.Tags(ctx, offset, pageRows)
		if err != nil {
			return nil, err
		}
		for id, name := range names {
			if name = strings.ToLower(name); !slices.Contains(tags, name) {
				continue
			}
			if err := r.carriers(ctx, id, name, carried); err != nil {
				return nil, err
			}
		}
		if len(names) == 0 || offset+pageRows >= total {
			break
		}
	}
	for id := range carried {
		slices.Sort(carried[id])
		carried[id] = slices.Compact(carried[id])
	}
	return carried, nil
}

func (r *round) carriers(ctx context.Context, tag int64, name string, carried map[int64][]string) error {
	for offset := 0; offset < mostServers; offset += pageRows {
		servers, total, err := r.SoftLayer.Tagged(ctx, tag, offset, pageRows)
		if err != nil {
			return err
		}
		for _, id := range servers {
			carried[id] = append(carried[id], name)
		}
		if offset+pageRows >= total {
			break
		}
	}
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
