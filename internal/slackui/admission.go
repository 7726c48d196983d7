package slackui

import (
	"cmp"
	"context"
	"strings"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

// refusedAtHand refuses a command whose sender is known well enough to say so without a call. It is
// empty for everybody else, and for people who read what waits for their approval instead.
func (a *App) refusedAtHand(c receive.Command) words.Message {
	policy := a.policy()
	who, known := a.directory.AtHand(askerOf(c), policy.GroupIDs())
	if !known {
		return words.Message{}
	}
	decision := a.mayAskAtAll(a.openings, basis{c.User, policy, who, c.Channel})
	if bare(c) && decision.Effect == authz.Refused && mayApprove(policy, who) {
		return words.Message{}
	}
	return a.refused(policy, who, decision)
}

// bare reports whether a person typed the command alone.
func bare(c receive.Command) bool { return c.Command != "" && strings.TrimSpace(c.Text) == "" }

// askerOf is who sent a command, by its payload.
func askerOf(c receive.Command) cancellation.Person {
	return cancellation.Person{Team: cmp.Or(c.Enterprise, c.Team), ID: c.User, Name: words.Cut(words.OneLine(c.UserName), 100)}
}

// mayAsk returns who asks. refused is empty unless it is certain already that they may not ask.
func (a *App) mayAsk(ctx context.Context, e entry) (by cancellation.Person, refused words.Message) {
	by = askerOf(e.from)
	people, cancel := context.WithTimeout(ctx, peopleTime)
	defer cancel()
	policy := a.policy()
	who, unread := a.directory.Cached(people, by, policy.GroupIDs())
	if unread != nil {
		return by, refused
	}
	by.Team, by.Name = cmp.Or(who.Team, by.Team), words.Cut(cmp.Or(words.OneLine(who.Name), by.Name), 100)
	on := basis{e.from.User, policy, who, e.from.Channel}
	decision := a.mayAskAtAll(e.openings, on)
	if bare(e.from) && decision.Effect == authz.Refused && mayApprove(policy, who) {
		return by, a.pendingFor(ctx, e.from)
	}
	if decision.Effect != authz.Refused && a.dayIsFull(people, e.openings, on) {
		decision = authz.Decision{Rule: ruleServersPerDay, Reason: words.TooMany(a.desk.Terms.ServersPerDay)}
	}
	return by, a.refused(policy, who, decision)
}

// refused is what somebody reads instead of a form; empty unless the decision refuses it.
func (a *App) refused(policy *authz.Policy, who authz.Principal, decision authz.Decision) words.Message {
	if decision.Effect != authz.Refused {
		return words.Message{}
	}
	a.desk.CountDenial(decision.Rule)
	a.log.Info("refusing to open a form", "user", who.ID(), "rule", decision.Rule)
	return a.words.MayNotAsk(decision, mayApprove(policy, who))
}

// mayApprove reports whether a person is known to be an approver.
func mayApprove(policy *authz.Policy, who authz.Principal) bool {
	known := who.GroupsKnown || len(policy.GroupIDs()) == 0
	return known && policy.MayApproveAtAll(who).Effect != authz.Refused
}

// ruleServersPerDay refuses a person who has asked for as many servers as a day allows.
const ruleServersPerDay = "builtin-servers-per-day"

// glanceTime bounds each read of the database before a form opens. The form opens without
// what is not read by then: a trigger lives 3 s, and the submission reads all of it again.
const glanceTime = 500 * time.Millisecond

// unseeing returns why a person sees no server, or "" if they may see servers. Names, addresses and
// costs are only for those who may ask. The form may have opened before Slack said who the person
// is and which groups they are in, or may still be open after they left a group. If Slack does not
// answer in time, they see nothing, as a submission would be refused.
func (a *App) unseeing(ctx context.Context, meta metadata) string {
	ctx, cancel := context.WithTimeout(ctx, peopleTime)
	defer cancel()
	policy := a.policy()
	who, err := a.directory.Principal(ctx, meta.By, policy.GroupIDs(), cancellation.MaxPrincipalAge)
	if err != nil {
		a.log.Warn("reading who is to be shown a server", "user", meta.By.ID, "err", err)
		return a.words.PeopleUnread(err)
	}
	return a.refusal(policy, who, meta)
}

// foretell returns how the policy would refuse a submission for the card's server whatever the
// person fills in, or nil if that is not certain. The submission is decided again.
func (a *App) foretell(ctx context.Context, meta metadata, card *cancellation.Card) *authz.Decision {
	if card == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, peopleTime)
	defer cancel()
	policy := a.policy()
	who, err := a.directory.Principal(ctx, meta.By, policy.GroupIDs(), cancellation.MaxPrincipalAge)
	if err != nil {
		a.log.Warn("reading who is shown a card", "user", meta.By.ID, "err", err)
		return nil
	}
	asked := cancellation.Submission{Place: meta.place(), Card: *card, Count: 1}
	if policy.CountsToday() {
		if asked.Today, err = a.desk.Today(ctx, who); err != nil {
			a.log.Warn("counting what a person asked for", "user", who.ID(), "err", err)
			asked.Today = 0 // it is open
		}
	}
	d := policy.MayAskFor(who, card.Server.Resource(), asked.Context(card.Server, card.ReadAt))
	if d.Effect != authz.Refused {
		return nil
	}
	return &d
}

func (a *App) refusal(policy *authz.Policy, who authz.Principal, meta metadata) string {
	d := policy.MayAskAtAll(who, meta.Channel, a.desk.Account.ID)
	if d.Effect != authz.Refused {
		return ""
	}
	a.desk.CountDenial(d.Rule)
	a.log.Info("refusing to show servers", "user", who.ID(), "rule", d.Rule)
	return a.words.SeesNoServer(d)
}
