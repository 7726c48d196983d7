package checkup

import (
	"context"
	"slices"
	"strings"

	"cancel-server/internal/authz"
)

// policyFile says whether the policy is valid, and what its author should know.
func (r *round) policyFile(context.Context) []Finding {
	if r.PolicyProblems != nil {
		if problems := r.PolicyProblems(); len(problems) > 0 {
			return invalid(problems)
		}
	}
	policy, skipped := r.inForce("Policy")
	if policy == nil {
		return skipped
	}
	users, groups := policy.UserIDs(), policy.GroupIDs()
	all := []Finding{ok("Policy: valid, %s. It names %s and %s.", policy.Digest()[:12], counted(len(groups), "group"), counted(len(users), "person"))}
	for _, warning := range policy.Warnings() {
		all = append(all, warn("Change that rule of the policy unless it is meant so.", "Policy: %s.", warning))
	}
	return append(all, r.untold(policy)...)
}

// untold says that nobody is told of a freeze, as neither a channel is set nor the policy names whom to ask.
func (r *round) untold(policy *authz.Policy) []Finding {
	users, groups, _ := policy.Approvers()
	if len(users)+len(groups) > 0 || slices.ContainsFunc(r.Channels, func(c Channel) bool { return c.ID != "" }) {
		return nil
	}
	return []Finding{warn("Set REPORT_CHANNEL or NOTIFY_CHANNEL to a channel that the bot is in.",
		"Policy: it names no approver, and no channel is set: a freeze is told only in the channel where it was ordered, and bot freeze tells nobody.")}
}

func invalid(problems []string) []Finding {
	var all []Finding
	for _, problem := range problems {
		all = append(all, fail("Correct the policy.", "Policy: %s.", strings.TrimRight(problem, ".")))
	}
	return all
}

// inForce returns the policy, or why a check cannot tell without one.
func (r *round) inForce(what string) (*authz.Policy, []Finding) {
	if r.policy == nil {
		return nil, []Finding{skip("%s: cannot tell without a valid policy.", what)}
	}
	policy, err := r.policy()
	switch {
	case err != nil && r.home() == "":
		return nil, []Finding{skip("%s: cannot tell which team the users of the settings belong to while Slack does not say.", what)}
	case err != nil:
		return nil, []Finding{fail("Correct REQUEST_GROUPS and APPROVE_GROUPS.", "%s: %v.", what, because(err))}
	}
	return policy, nil
}

// approversFirst returns the policy's groups, those whose members approve before the others.
func approversFirst(policy *authz.Policy) (ids []string, approving map[string]bool) {
	_, groups, _ := policy.Approvers()
	approving = map[string]bool{}
	for _, id := range groups {
		approving[id] = true
	}
	ids = policy.GroupIDs()
	slices.SortStableFunc(ids, func(a, b string) int {
		return boolToInt(approving[b]) - boolToInt(approving[a])
	})
	return ids, approving
}

func boolToInt(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
