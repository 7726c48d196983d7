package policytool

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/words"
)

// Report prints what the policy is warned of and each case that fails, and returns an error if one does.
func (t Table) Report(policy *authz.Policy, stdout io.Writer) error {
	for _, warning := range policy.Warnings() {
		if _, err := fmt.Fprintln(stdout, "warning:", Printable(warning)); err != nil {
			return fmt.Errorf("printing what the policy is warned of: %w", err)
		}
	}
	failed := 0
	for i, c := range t.Cases {
		if sentence := t.try(policy, i, c); sentence != "" {
			failed++
			if _, err := fmt.Fprintln(stdout, sentence); err != nil {
				return fmt.Errorf("printing the cases that fail: %w", err)
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("testing the policy: %d of %d cases fail", failed, len(t.Cases))
	}
	_, err := fmt.Fprintf(stdout, "all %d cases hold\n", len(t.Cases))
	return err
}

// try returns a sentence about how a case fails, "" if it holds.
func (t Table) try(policy *authz.Policy, i int, c tableCase) string {
	d := t.decide(policy, c)
	got := outcome(d, c.Requester != "")
	if got == c.Expect && (c.By == "" || slices.Contains(d.Rules, c.By)) {
		return ""
	}
	expected := c.Expect
	if c.By != "" {
		expected += " by " + c.By
	}
	does := fmt.Sprintf("%s asks for %s", c.Who, c.Server)
	if c.Requester != "" {
		does = fmt.Sprintf("%s approves what %s asked for, %s,", c.Who, c.Requester, c.Server)
	}
	sentence := fmt.Sprintf("%s: %s and is expected to get %q, but got %q by %s", c.title(i), does, expected, got, strings.Join(d.Rules, ", "))
	if why := words.DecisionWords(d); why != "" {
		sentence += ": " + why
	}
	return Printable(sentence)
}

func (t Table) decide(policy *authz.Policy, c tableCase) authz.Decision {
	who, server := t.principal(c.Who), t.Servers[c.Server].resource()
	context := authz.Context{
		Channel: c.Channel, Account: cmp.Or(t.Account, "1"), AssociatedItems: c.Associated,
		StatedReason: cmp.Or(c.Reason, cancellation.Reasons()[0]), Warnings: c.Warnings, WarningsKnown: true,
		Count: max(c.Count, 1), Today: max(c.Count, c.Today, 1),
	}
	if c.Requester != "" {
		return policy.Approve(who, t.principal(c.Requester), server, context, c.Approvals)
	}
	return policy.Decide(who, server, context)
}

func (t Table) principal(name string) authz.Principal {
	p := t.People[name]
	team, user, whole := strings.Cut(p.ID, "/")
	if !whole {
		team, user = t.Team, p.ID
	}
	return authz.Principal{
		Team: team, User: user, Name: name, Groups: p.Groups, GroupsKnown: true,
		Guest: p.Guest, Bot: p.Bot, Deactivated: p.Deactivated,
		Stranger: p.Stranger || t.Team != "" && team != t.Team,
	}
}

func (s tableServer) resource() authz.Server {
	host, domain, _ := strings.Cut(s.Name, ".")
	return authz.Server{
		ID: s.ID, Hostname: host, Domain: domain, FQDN: s.Name, Datacenter: s.Datacenter,
		Tags: s.Tags, TagsKnown: true, MonthlyFee: s.Fee, Hourly: s.Hourly,
	}
}

// outcome returns a decision in the words of a table.
func outcome(d authz.Decision, approving bool) string {
	switch {
	case d.Effect == authz.Allowed && approving:
		return mayApprove
	case d.Effect == authz.Allowed:
		return mayFile
	case d.Effect == authz.NeedsApproval && d.Approvals == 1:
		return "needs 1 approval"
	case d.Effect == authz.NeedsApproval:
		return fmt.Sprintf("needs %d approvals", d.Approvals)
	default:
		return "refused"
	}
}
