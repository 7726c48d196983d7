package authz

// MayFreeze decides whether a person may freeze filing, and end a freeze: anyone who could approve some
// request for some server may. Unlike MayApproveAtAll it fails closed, as Approve does. It refuses if
// groups were not read, tries every combination of groups that Slack does not list, and refuses if a
// rule fails in every case.
func (p *Policy) MayFreeze(who Principal) Decision {
	if d, refused := p.refusePerson(who, ToFreeze); refused {
		return d
	}
	if !who.hasID() || !p.knowsGroups(who) {
		return p.refuseUnread(GapGroups)
	}
	d := p.mayFreeze(who)
	if d.Effect == Refused {
		if d = p.markUnlisted(d, who, p.mayFreeze); d.Unlisted {
			return p.refuseUnlisted("", p.unlisted(who))
		}
		return d
	}
	maybe, countable := p.perhaps(who)
	for _, more := range maybe[1:] {
		countable = countable && p.mayFreeze(more).Effect != Refused
	}
	if !countable {
		return p.refuseUnlisted("", p.uncertain(who))
	}
	return d
}

func (p *Policy) mayFreeze(who Principal) Decision {
	left := p.remaining(who, envOfPerson(who, actionApprove), actionApprove)
	if len(left.failed) > 0 {
		return p.refuseBroken(left.failed)
	}
	return p.mayAtAll(left, ToFreeze)
}
