package authz

import "slices"

// markUnlisted marks a refusal of who as Unlisted if a membership of a group that Slack does not list
// would lift it.
func (p *Policy) markUnlisted(refused Decision, who Principal, decide func(Principal) Decision) Decision {
	return p.markEitherUnlisted(refused, who, Principal{}, func(who, _ Principal) Decision { return decide(who) })
}

// markEitherUnlisted is markUnlisted for a decision that depends on the groups of two people.
func (p *Policy) markEitherUnlisted(refused Decision, who, requester Principal, decide func(who, requester Principal) Decision) Decision {
	approvers, countable := who.perhapsIn(p.unlisted(who))
	askers, alsoCountable := requester.perhapsIn(p.unlisted(requester))
	refused.Unlisted = !countable || !alsoCountable
	for _, approver := range approvers {
		for _, asker := range askers {
			refused.Unlisted = refused.Unlisted || decide(approver, asker).Effect != Refused
		}
	}
	return refused
}

// unlisted returns the groups that the policy names and that Slack does not list.
func (p *Policy) unlisted(who Principal) []string {
	return slices.DeleteFunc(slices.Clone(who.GroupsUnlisted), func(id string) bool { return !slices.Contains(p.groups, id) })
}
