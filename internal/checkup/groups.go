package checkup

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// mostPeople bounds how many members of groups are read in one run: users.info is asked for each, and
// allows a hundred a minute to the whole app (docs.slack.dev/apis/web-api/rate-limits).
const (
	mostPeople = 40
	atOnce     = 4
)

// counted is a number and a word in its form.
func counted(n int, word string) string {
	switch {
	case n == 1:
		return "1 " + word
	case word == "person":
		return fmt.Sprintf("%d people", n)
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// groups says who is in the policy's groups, and who may change that.
func (r *round) groups(context.Context) []Finding {
	policy, skipped := r.inForce("Groups")
	if policy == nil {
		return skipped
	}
	ids, approving := approversFirst(policy)
	if len(ids) == 0 {
		return []Finding{ok("Groups: the policy names none.")}
	}
	if r.listed == nil {
		return []Finding{skip("Groups: cannot tell without SLACK_BOT_TOKEN.")}
	}
	listed, err := r.listed()
	switch {
	case codeOf(err) == "missing_scope":
		return []Finding{skip("Groups: cannot tell without usergroups:read.")}
	case err != nil:
		return []Finding{skip("Groups: cannot tell, because Slack did not list them: %v.", because(err))}
	}
	people, _ := r.crowd() // whoever could not be read is not in it
	var all []Finding
	for _, id := range ids {
		all = append(all, group(id, listed, people, approving[id]))
	}
	return all
}

func group(id string, listed []Group, people map[string]authz.Principal, approves bool) Finding {
	const everywhere = "Copy the id of the group again (People, User groups), or take it out of the policy."
	at := slices.IndexFunc(listed, func(g Group) bool { return g.ID == id })
	if at < 0 {
		return fail(everywhere, "Slack lists no user group %s: whatever it allows nobody gets, and whatever it may forbid is refused to everybody.", id)
	}
	g := listed[at]
	name := fmt.Sprintf("@%s (%s)", g.Handle, g.ID)
	switch {
	case g.Off:
		return fail("Switch the group on in Slack, or take it out of the policy.", "%s is switched off, so that nobody knows who is in it.", name)
	case g.Members == nil:
		return fail(everywhere, "%s: Slack does not list its members.", name)
	case len(g.Members) == 0:
		return warn("Add people to @"+g.Handle+" in Slack.", "%s has no member.", name)
	}
	text := name + ": " + counted(len(g.Members), "member") + gone(g, people)
	switch {
	case !approves:
		return ok("%s.", text)
	case g.Restricted == nil:
		return ok("%s; Slack does not say who may edit it.", text)
	case !*g.Restricted:
		return warn("Restrict who may edit user groups in Slack (Roles & permissions, Create and edit user groups).", "%s; any member may edit it and so become an approver.", text)
	}
	return ok("%s.", text)
}

// gone says how many of a group's members have left, among those that were read.
func gone(g Group, people map[string]authz.Principal) string {
	read, left := 0, 0
	for _, id := range g.Members {
		if who, known := people[id]; known {
			read++
			left += boolToInt(who.Deactivated)
		}
	}
	switch {
	case read < len(g.Members):
		return fmt.Sprintf(", %d deactivated among the %d that were looked at", left, read)
	case left > 0:
		return fmt.Sprintf(", %d deactivated", left)
	}
	return ""
}

// readCrowd reads the people whom the policy reaches, up to mostPeople, by their ids here. Those who
// approve are read first. A person who could not be read is left out.
func (r *round) readCrowd(ctx context.Context) map[string]authz.Principal {
	found := map[string]authz.Principal{}
	if r.People == nil || r.policy == nil || r.listed == nil {
		return found
	}
	policy, err := r.policy()
	if err != nil {
		return found
	}
	listed, _ := r.listed() // groups says why not
	var mu sync.Mutex
	var reading sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for _, id := range reached(policy, listed) {
		free <- struct{}{}
		reading.Go(func() {
			defer func() { <-free }()
			who, err := r.People.Principal(ctx, cancellation.Person{ID: id}, nil, cancellation.MaxPrincipalAge)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			found[id] = who
		})
	}
	reading.Wait()
	return found
}

// reached lists the ids of people whom the policy reaches, those who approve first, up to mostPeople.
func reached(policy *authz.Policy, listed []Group) []string {
	var ids []string
	add := func(id string) {
		if !slices.Contains(ids, id) && len(ids) < mostPeople {
			ids = append(ids, id)
		}
	}
	approvers, _, _ := policy.Approvers()
	for _, id := range slices.Concat(approvers, policy.UserIDs()) {
		_, user, _ := strings.Cut(id, "/")
		add(user)
	}
	groups, _ := approversFirst(policy)
	for _, id := range groups {
		for _, g := range listed {
			if g.ID == id {
				for _, user := range g.Members {
					add(user)
				}
			}
		}
	}
	return ids
}
