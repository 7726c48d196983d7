package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/policytool"
	"cancel-server/internal/slackui"
)

// policyVerbs are the verbs that begin with policy, as -h lists them.
func policyVerbs() []verb {
	return []verb{
		{usage: "policy test FILE [--policy FILE] [--team TEAM]", meaning: "holds the policy to a table of cases; asks nobody"},
		{usage: "policy show [--policy FILE] [--team TEAM]", meaning: "prints the policy in force, in Cedar"},
		{usage: "policy explain USER [SERVER-ID [--channel ID] [--associated] [--reason TEXT]] [--policy FILE]", meaning: "says what a person may do, by which rules"},
		{usage: "policy who [--policy FILE]", meaning: "lists who may do what, as CSV for a review"},
	}
}

// policyVerb is bot policy ….
func policyVerb(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: policy test, show, explain or who; bot -h says how", errUsage)
	}
	switch verb, rest := args[0], args[1:]; verb {
	case "test":
		return policyTest(rest, stdout)
	case "show":
		return policyShow(ctx, rest, stdout)
	case "explain":
		return policyExplain(ctx, rest, stdout)
	case "who":
		return policyWho(ctx, rest, stdout)
	default:
		return fmt.Errorf("%w: policy %q is not a verb; bot -h lists them", errUsage, verb)
	}
}

// policySettings say where the policy comes from.
var policySettings = []string{"POLICY_FILE", "REQUEST_GROUPS", "APPROVE_GROUPS", "PROTECTED_TAGS"}

// policySource says which policy a verb is about: that of the settings, or a file in their
// place, to try it before it is in force.
type policySource struct {
	file string // --policy
	team string // --team: user ids without a team belong to it
}

// policyFlags are the flags of a verb; with a team only where it asks nobody for it.
func (s *policySource) flags(verb string, team bool) *flag.FlagSet {
	flags := flag.NewFlagSet("policy "+verb, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&s.file, "policy", "", "")
	if team {
		flags.StringVar(&s.team, "team", "", "")
	}
	return flags
}

func (s *policySource) check() error {
	if s.team != "" && !policytool.IsTeamID(s.team) {
		return fmt.Errorf("%w: --team %.60q is no id of a team or an enterprise, such as T0123ABCD", errUsage, s.team)
	}
	return nil
}

// settings reads the policy's settings, unless --policy names a file, and the others that the
// verb needs.
func (s *policySource) settings(others ...string) (config, error) {
	wanted, together := others, func(config, map[string]bool) []string { return nil }
	if s.file == "" {
		wanted = slices.Concat(policySettings, others)
		together = func(_ config, given map[string]bool) []string { return checkAuthority(given) }
	}
	cfg, err := loadSettings(func(name string) bool { return slices.Contains(wanted, name) }, together)
	if err != nil || s.file == "" {
		return cfg, err
	}
	policy, problems := readPolicy("--policy", s.file)
	if len(problems) > 0 {
		return config{}, &configError{Problems: problems}
	}
	cfg.Policy = policy
	return cfg, nil
}

// policyTest tests the policy against a table of cases. It reads files and the settings of the
// policy, and connects to nobody.
func policyTest(args []string, stdout io.Writer) error {
	var from policySource
	words, err := parseMixed(from.flags("test", true), args)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return fmt.Errorf("%w: policy test FILE [--policy FILE] [--team TEAM]", errUsage)
	}
	if err := from.check(); err != nil {
		return err
	}
	cfg, err := from.settings()
	if err != nil {
		return err
	}
	table, err := policytool.ReadTable(words[0], from.team)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	policy, err := policyOf(cfg, table.Team)
	if err != nil {
		return err
	}
	return table.Report(policy, stdout)
}

// policyExplain says why a person may or may not, by what Slack and SoftLayer say now.
func policyExplain(ctx context.Context, args []string, stdout io.Writer) error {
	var from policySource
	var question policytool.Question
	flags := from.flags("explain", false)
	question.Flags(flags)
	words, err := parseMixed(flags, args)
	if err != nil {
		return err
	}
	if err := question.Parse(words); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	needed := slackSettings
	if question.Server > 0 {
		needed = slices.Concat(slackSettings, softLayerSettings)
	}
	cfg, err := from.settings(needed...)
	if err != nil {
		return err
	}
	return withPeople(ctx, cfg, func(people *policytool.People) error {
		text, err := people.Explain(ctx, question, serverReader(cfg))
		if err != nil {
			return err
		}
		_, err = io.WriteString(stdout, text)
		return err
	})
}

// policyWho lists, for an access review, everybody whom the policy can reach.
func policyWho(ctx context.Context, args []string, stdout io.Writer) error {
	var from policySource
	switch words, err := parseMixed(from.flags("who", false), args); {
	case err != nil:
		return err
	case len(words) > 0:
		return fmt.Errorf("%w: policy who takes no arguments, got %q", errUsage, words)
	}
	cfg, err := from.settings(slackSettings...)
	if err != nil {
		return err
	}
	return withPeople(ctx, cfg, func(people *policytool.People) error { return people.WriteReview(ctx, stdout) })
}

// withPeople connects to Slack and hands do the people of its workspace.
func withPeople(ctx context.Context, cfg config, do func(*policytool.People) error) error {
	web, bot, err := connectSlack(ctx, cfg)
	if err != nil {
		return err
	}
	defer web.Close()
	policy, err := policyOf(cfg, homeTeam(bot))
	if err != nil {
		return err
	}
	directory := slackui.NewDirectory(slackui.DirectoryOptions{
		Web: web, HomeTeam: bot.Team, HomeEnterprise: bot.Enterprise, Groups: policy.GroupIDs, Log: slog.New(slog.DiscardHandler),
	})
	defer directory.Close()
	return do(&policytool.People{Policy: policy, Home: homeTeam(bot), Directory: directory, RetryAfter: slackui.RetryAfter})
}

// serverReader connects to SoftLayer and reads one server there.
func serverReader(cfg config) policytool.ReadServer {
	return func(ctx context.Context, id int64) (server cancellation.Server, account cancellation.Account, err error) {
		client, account, err := connectSoftLayer(ctx, cfg)
		if err != nil {
			return server, account, err
		}
		defer client.Close()
		if server, err = client.Server(ctx, id); err != nil {
			return server, account, fmt.Errorf("reading server %d: %w", id, err)
		}
		return server, account, nil
	}
}

// policyShow prints the policy in force as Cedar, to start a policy file from.
func policyShow(ctx context.Context, args []string, stdout io.Writer) error {
	var from policySource
	switch words, err := parseMixed(from.flags("show", true), args); {
	case err != nil:
		return err
	case len(words) > 0:
		return fmt.Errorf("%w: policy show takes no arguments, got %q", errUsage, words)
	}
	if err := from.check(); err != nil {
		return err
	}
	cfg, err := from.settings()
	if err != nil {
		return err
	}
	if from.team == "" && namesBareUsers(cfg) {
		if from.team, err = from.askTeam(ctx); err != nil {
			return err
		}
	}
	policy, err := policyOf(cfg, from.team)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, strings.TrimSuffix(policy.Text(), "\n"))
	return err
}

// namesBareUsers reports whether the groups settings hold users without a team. They belong to
// the team that the bot is installed in.
func namesBareUsers(cfg config) bool {
	return cfg.Policy == nil && slices.ContainsFunc(slices.Concat(cfg.RequestGroups, cfg.ApproveGroups), policytool.IsUserID)
}

// askTeam asks Slack where the bot is installed.
func (s *policySource) askTeam(ctx context.Context) (string, error) {
	cfg, err := s.settings(slackSettings...)
	if err != nil {
		return "", fmt.Errorf("the settings hold users without a team; name it by --team, or let Slack be asked: %w", err)
	}
	web, bot, err := connectSlack(ctx, cfg)
	if err != nil {
		return "", err
	}
	web.Close()
	return homeTeam(bot), nil
}
