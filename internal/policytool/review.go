package policytool

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

// WriteReview lists, as CSV for an access review, everybody whom the policy can reach.
func (p *People) WriteReview(ctx context.Context, w io.Writer) error {
	rows, err := p.review(ctx)
	if err != nil {
		return err
	}
	if err := csv.NewWriter(w).WriteAll(rows); err != nil {
		return fmt.Errorf("printing who may do what: %w", err)
	}
	return nil
}

// review returns a header, a row for each member of the policy's groups and each user that the
// policy names, and a row for everybody else if they may do anything.
func (p *People) review(ctx context.Context) ([][]string, error) {
	rows := [][]string{{"team", "user", "name", "flags", "request", "cancel", "approve", "rules"}}
	everybody, err := p.everybody(ctx)
	if err != nil {
		return nil, err
	}
	for _, who := range everybody {
		rows = append(rows, reviewRow(who, p.Policy.Prospects(who)))
	}
	anyone := authz.Principal{Team: p.Home, User: "anyone", Name: "everybody else", GroupsKnown: true}
	anyone.GroupsUnlisted, err = patiently(ctx, p, func() ([]string, error) {
		return p.Directory.Unlisted(ctx, p.Policy.GroupIDs(), cancellation.MaxPrincipalAge)
	})
	if err != nil {
		return nil, err
	}
	if may := p.Policy.Prospects(anyone); max(may.Request.May, may.Cancel.May, may.Approve.May) > authz.No {
		rows = append(rows, reviewRow(anyone, may))
	}
	return rows, nil
}

// everybody returns the people whom the policy can reach, ordered by id.
func (p *People) everybody(ctx context.Context) ([]authz.Principal, error) {
	members, err := patiently(ctx, p, func() ([]authz.Principal, error) {
		return p.Directory.Members(ctx, p.Policy.GroupIDs(), cancellation.MaxPrincipalAge)
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
		who.Team = cmp.Or(who.Team, "?") // the bot may see nobody of that name
		found[who.ID()] = who
	}
	for _, id := range p.Policy.UserIDs() {
		if _, listed := found[id]; listed {
			continue
		}
		if found[id], err = p.namedUser(ctx, id); err != nil {
			return nil, err
		}
	}
	return inOrder(found), nil
}

// namedUser reads a user that the policy names. If Slack knows the id in another team, or does not know
// it, namedUser returns a stranger.
func (p *People) namedUser(ctx context.Context, id string) (authz.Principal, error) {
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
		may.Request.May.String(), may.Cancel.May.String(), may.Approve.May.String(), rules,
	}
	for i, cell := range row {
		row[i] = Inert(cell)
	}
	return row
}

// Inert makes a name harmless to a terminal and to a spreadsheet, which could run the name as a
// formula (https://owasp.org/www-community/attacks/CSV_Injection).
func Inert(cell string) string {
	cell = Printable(cell)
	if trimmed := strings.TrimLeft(cell, " "); trimmed != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(trimmed)[0]) {
		return "'" + cell
	}
	return cell
}
