package authz

// MayFreeze decides whether somebody may stop all filing, or let it go on: anyone who could approve
// some request for some server. Unlike MayApproveAtAll it fails closed, as Approve does: groups that
// were not read refuse, groups that Slack does not list are tried in every combination, and a rule that
// fails whatever becomes known refuses.
func (p *Policy) MayFreeze(who Principal) Decision {
	if d, refused := p.refusePerson(who, toFreeze); refused {
		return d
	}
	if !who.hasID() || !p.knowsGroups(who) {
		return p.refuseUnread([]string{"your Slack user groups"})
	}
	d := p.mayFreeze(who)
	if d.Effect == Refused {
		if d = p.markUnlisted(d, who, p.mayFreeze); d.Unlisted {
			return p.refuseUnlisted("you are", p.unlisted(who))
		}
		return d
	}
	maybe, countable := p.perhaps(who)
	for _, more := range maybe[1:] {
		countable = countable && p.mayFreeze(more).Effect != Refused
	}
	if !countable {
		return p.refuseUnlisted("you are", p.uncertain(who))
	}
	return d
}

func (p *Policy) mayFreeze(who Principal) Decision {
	left := p.remaining(who, envOfPerson(who, actionApprove), actionApprove)
	switch {
	case len(left.failed) > 0:
		return p.refuseBroken(left.failed)
	case len(left.certainForbids) > 0:
		return p.refuseByRules(left.certainForbids)
	case len(left.permits) == 0:
		return p.refuseByDefault(toFreeze)
	}
	return Decision{Effect: Allowed, Rule: left.permits[0], Rules: left.permits, PolicyDigest: p.digest}
}
