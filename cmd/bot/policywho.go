package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// policyWho lists, for an access review, everybody whom the policy can reach.
func policyWho(ctx context.Context, args []string, stdout io.Writer) error {
	var from policySource
	switch words, err := parseMixed(from.policyFlags("who", false), args); {
	case err != nil:
		return err
	case len(words) > 0:
		return fmt.Errorf("%w: policy who takes no arguments, got %q", errUsage, words)
	}
	cfg, err := from.settings(slackSettings...)
	if err != nil {
		return err
	}
	people, err := from.people(ctx, cfg)
	if err != nil {
		return err
	}
	defer people.close()
	rows, err := people.review(ctx)
	if err != nil {
		return err
	}
	table := csv.NewWriter(stdout)
	if err := table.WriteAll(rows); err != nil {
		return fmt.Errorf("printing who may do what: %w", err)
	}
	return nil
}

// review makes a row for each person: the members of the policy's groups and the users that
// it names; and one for all others, if there is anything that they may do.
func (p *policyPeople) review(ctx context.Context) ([][]string, error) {
	rows := [][]string{{"team", "user", "name", "flags", "request", "cancel", "approve", "rules"}}
	everybody, err := p.everybody(ctx)
	if err != nil {
		return nil, err
	}
	for _, who := range everybody {
		rows = append(rows, reviewRow(who, p.policy.Prospects(who)))
	}
	anyone := authz.Principal{Team: p.home, User: "anyone", Name: "everybody else", GroupsKnown: true}
	if anyone.GroupsUnlisted, err = p.unlisted(ctx); err != nil {
		return nil, err
	}
	if may := p.policy.Prospects(anyone); max(may.Request.Answer, may.Cancel.Answer, may.Approve.Answer) > authz.No {
		rows = append(rows, reviewRow(anyone, may))
	}
	return rows, nil
}

// everybody is whom the policy can reach, ordered by their ids.
func (p *policyPeople) everybody(ctx context.Context) ([]authz.Principal, error) {
	var members []authz.Principal
	err := patiently(ctx, func() (err error) {
		members, err = p.directory.Members(ctx, cancellation.MaxPrincipalAge)
		return err
	})
	if err != nil {
		return nil, err
	}
	found := map[string]authz.Principal{}
	for _, member := range members {
		who, err := p.principal(ctx, member.User)
		if err != nil {
			return nil, err
		}
		who.Team = cmp.Or(who.Team, "?") // nobody whom the bot may see is called so
		found[who.ID()] = who
	}
	for _, id := range p.policy.UserIDs() {
		if _, listed := found[id]; listed {
			continue
		}
		if found[id], err = p.named(ctx, id); err != nil {
			return nil, err
		}
	}
	return inOrder(found), nil
}

// unlisted are the groups that everybody may be in, as the bot sees it.
func (p *policyPeople) unlisted(ctx context.Context) (groups []string, err error) {
	err = patiently(ctx, func() (err error) {
		groups, err = p.directory.Unlisted(ctx, cancellation.MaxPrincipalAge)
		return err
	})
	return groups, err
}

// named reads a user that the policy names. Where Slack knows the id in another team than
// the policy says, or not at all, the rule meets a stranger, or nobody.
func (p *policyPeople) named(ctx context.Context, id string) (authz.Principal, error) {
	team, user, _ := strings.Cut(id, "/")
	who, err := p.principal(ctx, user)
	if err != nil {
		return authz.Principal{}, err
	}
	if who.ID() != id {
		return authz.Principal{Team: team, User: user, Stranger: true, GroupsKnown: true}, nil
	}
	return who, nil
}

func inOrder(found map[string]authz.Principal) []authz.Principal {
	all := make([]authz.Principal, 0, len(found))
	for _, who := range found {
		all = append(all, who)
	}
	slices.SortFunc(all, func(a, b authz.Principal) int { return cmp.Compare(a.ID(), b.ID()) })
	return all
}

func reviewRow(who authz.Principal, may authz.Prospects) []string {
	rules := fmt.Sprintf("request: %s; cancel: %s; approve: %s",
		strings.Join(may.Request.Rules, " "), strings.Join(may.Cancel.Rules, " "), strings.Join(may.Approve.Rules, " "))
	row := []string{
		who.Team, who.User, who.Name, strings.Join(flagsOf(who), " "),
		may.Request.Answer.String(), may.Cancel.Answer.String(), may.Approve.Answer.String(), rules,
	}
	for i, cell := range row {
		row[i] = inert(cell)
	}
	return row
}

// inert keeps a spreadsheet from taking what somebody called themselves for a formula
// (https://owasp.org/www-community/attacks/CSV_Injection), and a terminal from obeying it.
func inert(cell string) string {
	cell = printable(cell)
	if trimmed := strings.TrimLeft(cell, " "); trimmed != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(trimmed)[0]) {
		return "'" + cell
	}
	return cell
}
