package policytool

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/words"
)

// ReadServer reads a server, and the account that it belongs to.
type ReadServer func(ctx context.Context, id int64) (cancellation.Server, cancellation.Account, error)

// Explain prints why a person may or may not, by what Slack and SoftLayer say now. It calls
// read only if the command names a server.
func (p *People) Explain(ctx context.Context, c Command, read ReadServer, w io.Writer) error {
	text, err := p.explanation(ctx, c, read)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

func (p *People) explanation(ctx context.Context, c Command, read ReadServer) (string, error) {
	who, err := p.principal(ctx, c.User)
	if err != nil {
		return "", err
	}
	text := personLine(who)
	if c.Server == 0 {
		return text + prospectLines(p.Policy.Prospects(who)), nil
	}
	server, account, err := read(ctx, c.Server)
	if err != nil {
		return "", err
	}
	c.request.Card.Account = account
	request := c.request.Context(server, time.Now())
	return text + serverLine(server) + prospectLines(p.Policy.ProspectsOn(who, server.Resource(), request)) +
		decisionLine(p.Policy.Decide(who, server.Resource(), request)), nil
}

func personLine(who authz.Principal) string {
	line := who.ID()
	if who.Name != "" {
		line += " (" + who.Name + ")"
	}
	if len(who.Groups) > 0 {
		line += ", in " + strings.Join(who.Groups, ", ")
	} else if who.GroupsKnown {
		line += ", in no group that the policy names"
	}
	if len(who.GroupsUnlisted) > 0 {
		line += ", and perhaps in " + strings.Join(who.GroupsUnlisted, ", ") + ", which Slack does not list"
	}
	if flags := flagsOf(who); len(flags) > 0 {
		line += ", " + strings.Join(flags, ", ")
	}
	return Printable(line) + "\n"
}

func serverLine(server cancellation.Server) string {
	s := server.Resource()
	tags, billed := "tags unread", "monthly"
	if s.TagsKnown {
		tags = "tags " + cmp.Or(strings.Join(s.Tags, ", "), "none")
	}
	if s.Hourly {
		billed = "hourly"
	}
	line := fmt.Sprintf("server %d %s, %s, %s, %s, %s a month", s.ID, s.FQDN, s.Datacenter, tags, billed, cmp.Or(s.MonthlyFee, "unknown"))
	if len(s.Missing) > 0 {
		line += ", unread: " + strings.Join(s.Missing, ", ")
	}
	return Printable(line) + "\n"
}

func prospectLines(p authz.Prospects) string {
	return prospectLine("request", p.Request) + prospectLine("cancel", p.Cancel) + prospectLine("approve", p.Approve)
}

func prospectLine(action string, p authz.Prospect) string {
	line := fmt.Sprintf("%-7s  %-7s  by %s", action, p.May, strings.Join(p.Rules, ", "))
	if p.May == authz.No {
		line += ": " + words.DecisionWords(p.Refusal)
	}
	return Printable(line) + "\n"
}

func decisionLine(d authz.Decision) string {
	line := fmt.Sprintf("decision: %s, by %s", outcome(d, false), strings.Join(d.Rules, ", "))
	if why := words.DecisionWords(d); why != "" {
		line += ": " + why
	}
	return Printable(line) + "\n"
}
