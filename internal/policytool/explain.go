package policytool

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// Question is what policy explain is asked about.
type Question struct {
	User       string
	Server     int64 // 0 for none
	submission cancellation.Submission
}

// Flags adds the flags that describe a request.
func (q *Question) Flags(flags *flag.FlagSet) {
	flags.StringVar(&q.submission.Place.Channel, "channel", "", "")
	flags.BoolVar(&q.submission.Associated, "associated", false, "")
	flags.StringVar(&q.submission.Reason, "reason", "", "")
}

// Parse reads the user and the server, after the flags.
func (q *Question) Parse(words []string) (err error) {
	if len(words) < 1 || len(words) > 2 {
		return errors.New("policy explain USER [SERVER-ID [--channel ID] [--associated] [--reason TEXT]] [--policy FILE]")
	}
	if q.User = words[0]; !IsUserID(q.User) {
		return fmt.Errorf("%.60q is not a Slack user's id (U…, W…)", q.User)
	}
	if len(words) == 2 {
		if q.Server, err = strconv.ParseInt(words[1], 10, 64); err != nil || q.Server <= 0 {
			return fmt.Errorf("%.60q is not a server's id", words[1])
		}
	}
	return q.check()
}

// check accepts only requests that the form can make.
func (q *Question) check() error {
	described := q.submission.Place.Channel != "" || q.submission.Associated || q.submission.Reason != ""
	q.submission.Reason = cmp.Or(q.submission.Reason, cancellation.Reasons()[0])
	switch {
	case described && q.Server == 0:
		return errors.New("--channel, --associated and --reason describe a request; say for which server")
	case CheckChannel(q.submission.Place.Channel) != "":
		return fmt.Errorf("--channel is %s", CheckChannel(q.submission.Place.Channel))
	case !slices.Contains(cancellation.Reasons(), q.submission.Reason):
		return fmt.Errorf("--reason is one of SoftLayer's ten: %s", strings.Join(cancellation.Reasons(), " | "))
	}
	return nil
}

// ReadServer reads a server, and the account that it belongs to.
type ReadServer func(ctx context.Context, id int64) (cancellation.Server, cancellation.Account, error)

// Explain returns why a person may or may not, by what Slack and SoftLayer say now. It calls
// read only if the question names a server.
func (p *People) Explain(ctx context.Context, q Question, read ReadServer) (string, error) {
	who, err := p.principal(ctx, q.User)
	if err != nil {
		return "", err
	}
	text := personLine(who)
	if q.Server == 0 {
		return text + prospectLines(p.Policy.Prospects(who)), nil
	}
	server, account, err := read(ctx, q.Server)
	if err != nil {
		return "", err
	}
	q.submission.Card.Account = account
	request := q.submission.Context(server, time.Now())
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
	line := fmt.Sprintf("%-7s  %-7s  by %s", action, p.Answer, strings.Join(p.Rules, ", "))
	if p.Reason != "" {
		line += ": " + p.Reason
	}
	return Printable(line) + "\n"
}

func decisionLine(d authz.Decision) string {
	line := fmt.Sprintf("decision: %s, by %s", outcome(d, false), strings.Join(d.Rules, ", "))
	if d.Reason != "" {
		line += ": " + d.Reason
	}
	return Printable(line) + "\n"
}
