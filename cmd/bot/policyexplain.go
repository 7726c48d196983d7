package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// explained is what bot policy explain is asked.
type explained struct {
	from       policySource
	user       string
	server     int64 // 0 for none
	submission cancellation.Submission
}

// policyExplain answers why a person may or may not, with what Slack and SoftLayer say now.
func policyExplain(ctx context.Context, args []string, stdout io.Writer) error {
	asked, err := parseExplained(args)
	if err != nil {
		return err
	}
	needed := slackSettings
	if asked.server > 0 {
		needed = slices.Concat(slackSettings, softLayerSettings)
	}
	cfg, err := asked.from.settings(needed...)
	if err != nil {
		return err
	}
	people, err := asked.from.people(ctx, cfg)
	if err != nil {
		return err
	}
	defer people.close()
	who, err := people.principal(ctx, asked.user)
	if err != nil {
		return err
	}
	text := personLine(who)
	if asked.server == 0 {
		return printExplained(stdout, text+prospectLines(people.policy.Prospects(who)))
	}
	server, account, err := readServer(ctx, cfg, asked.server)
	if err != nil {
		return err
	}
	asked.submission.Card.Account = account
	context := asked.submission.Context(server, time.Now())
	text += serverLine(server) + prospectLines(people.policy.ProspectsOn(who, server.Resource(), context))
	return printExplained(stdout, text+decisionLine(people.policy.Decide(who, server.Resource(), context)))
}

func parseExplained(args []string) (explained, error) {
	const usage = "policy explain USER [SERVER-ID [--channel ID] [--associated] [--reason TEXT]] [--policy FILE]"
	var e explained
	flags := e.from.policyFlags("explain", false)
	flags.StringVar(&e.submission.Place.Channel, "channel", "", "")
	flags.BoolVar(&e.submission.Associated, "associated", false, "")
	flags.StringVar(&e.submission.Reason, "reason", "", "")
	words, err := parseMixed(flags, args)
	if err != nil {
		return e, err
	}
	if len(words) < 1 || len(words) > 2 {
		return e, fmt.Errorf("%w: %s", errUsage, usage)
	}
	if e.user = words[0]; !userID.MatchString(e.user) {
		return e, fmt.Errorf("%w: %.60q is not a Slack user's id (U…, W…)", errUsage, e.user)
	}
	if len(words) == 2 {
		if e.server, err = strconv.ParseInt(words[1], 10, 64); err != nil || e.server <= 0 {
			return e, fmt.Errorf("%w: %.60q is not a server's id", errUsage, words[1])
		}
	}
	return e, e.check()
}

// check holds what was said of the request to what a form can say.
func (e *explained) check() error {
	said := e.submission.Place.Channel != "" || e.submission.Associated || e.submission.Reason != ""
	e.submission.Reason = cmp.Or(e.submission.Reason, cancellation.Reasons()[0])
	switch {
	case said && e.server == 0:
		return fmt.Errorf("%w: --channel, --associated and --reason are of a request; say for which server", errUsage)
	case checkChannel(e.submission.Place.Channel) != "":
		return fmt.Errorf("%w: --channel is %s", errUsage, checkChannel(e.submission.Place.Channel))
	case !slices.Contains(cancellation.Reasons(), e.submission.Reason):
		return fmt.Errorf("%w: --reason is one of SoftLayer's ten: %s", errUsage, strings.Join(cancellation.Reasons(), " | "))
	}
	return nil
}

func readServer(ctx context.Context, cfg Config, id int64) (cancellation.Server, cancellation.Account, error) {
	client, account, err := reachSoftLayer(ctx, cfg)
	if err != nil {
		return cancellation.Server{}, account, err
	}
	defer client.Close()
	server, err := client.Server(ctx, id)
	if err != nil {
		return server, account, fmt.Errorf("reading server %d: %w", id, err)
	}
	return server, account, nil
}

func printExplained(stdout io.Writer, text string) error {
	_, err := io.WriteString(stdout, text)
	return err
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
	return printable(line) + "\n"
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
	return printable(line) + "\n"
}

func prospectLines(p authz.Prospects) string {
	return prospectLine("request", p.Request) + prospectLine("cancel", p.Cancel) + prospectLine("approve", p.Approve)
}

func prospectLine(action string, p authz.Prospect) string {
	line := fmt.Sprintf("%-7s  %-7s  by %s", action, p.Answer, strings.Join(p.Rules, ", "))
	if p.Reason != "" {
		line += ": " + p.Reason
	}
	return printable(line) + "\n"
}

func decisionLine(d authz.Decision) string {
	line := fmt.Sprintf("decision: %s, by %s", outcome(d, false), strings.Join(d.Rules, ", "))
	if d.Reason != "" {
		line += ": " + d.Reason
	}
	return printable(line) + "\n"
}
