package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/policytool"
	"cancel-server/internal/slackui"
	"cancel-server/internal/slackui/webapi"
)

// policyVerbs are the verbs that begin with policy, as -h lists them.
func policyVerbs() []verb {
	return []verb{
		{usage: "policy test FILE [--policy FILE] [--team TEAM]", meaning: "checks the policy against a table of cases; calls nobody"},
		{usage: "policy show [--policy FILE] [--team TEAM]", meaning: "prints the policy in force, in Cedar"},
		{usage: "policy explain USER [SERVER-ID [--channel ID] [--associated] [--reason TEXT] [--count N] [--today N]] [--policy FILE]", meaning: "explains what a person may do, and by which rules"},
		{usage: "policy who [--policy FILE]", meaning: "lists who may do what, as CSV for a review"},
	}
}

// policyVerb is bot policy ….
func policyVerb(ctx context.Context, args []string, stdout io.Writer) error {
	asked, err := parsePolicyVerb(args)
	if err != nil {
		return err
	}
	cfg, err := policyConfig(asked)
	if err != nil {
		return err
	}
	switch asked.Verb {
	case "test":
		return policyTest(cfg, asked, stdout)
	case "show":
		return policyShow(ctx, cfg, asked, stdout)
	case "explain":
		return withPeople(ctx, cfg, func(people *policytool.People) error {
			return people.Explain(ctx, asked, serverReader(cfg), stdout)
		})
	default:
		return withPeople(ctx, cfg, func(people *policytool.People) error { return people.WriteReview(ctx, stdout) })
	}
}

func parsePolicyVerb(args []string) (asked policytool.Command, err error) {
	if len(args) == 0 {
		return asked, fmt.Errorf("%w: policy test, show, explain or who; bot -h says how", errUsage)
	}
	flags, err := asked.Flags(args[0])
	if err != nil {
		return asked, fmt.Errorf("%w: %w", errUsage, err)
	}
	words, err := parseMixed(flags, args[1:])
	if err != nil {
		return asked, err
	}
	if err := asked.Parse(words); err != nil {
		return asked, fmt.Errorf("%w: %w", errUsage, err)
	}
	return asked, nil
}

// policySettings say where the policy comes from.
var policySettings = []string{"POLICY_FILE", "REQUEST_GROUPS", "APPROVE_GROUPS", "PROTECTED_TAGS"}

// policyConfig reads the settings that a verb needs: those of the policy, unless a file takes
// its place, those of the vendors that it asks, and others.
func policyConfig(asked policytool.Command, others ...string) (config, error) {
	wanted, together := slices.Clone(others), func(config, map[string]bool) []string { return nil }
	if asked.Verb == "explain" || asked.Verb == "who" {
		wanted = append(wanted, slackSettings...)
	}
	if asked.Server > 0 {
		wanted = append(wanted, softLayerSettings...)
	}
	if asked.File == "" {
		wanted = append(wanted, policySettings...)
		together = func(_ config, given map[string]bool) []string { return checkAuthority(given) }
	}
	cfg, err := loadSettings(func(name string) bool { return slices.Contains(wanted, name) }, together)
	if err != nil || asked.File == "" {
		return cfg, err
	}
	policy, problems := policytool.Read("--policy", asked.File)
	if len(problems) > 0 {
		return config{}, &configError{problems}
	}
	cfg.Policy = policy
	return cfg, nil
}

// policyTest tests the policy against a table of cases, and connects to nobody.
func policyTest(cfg config, asked policytool.Command, stdout io.Writer) error {
	table, err := policytool.ReadTable(asked.Table, asked.Team)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	policy, err := policyOf(cfg, table.Team)
	if err != nil {
		return err
	}
	return table.Report(policy, stdout)
}

// policyShow prints the policy in force as Cedar, to start a policy file from.
func policyShow(ctx context.Context, cfg config, asked policytool.Command, stdout io.Writer) (err error) {
	if asked.Team == "" && namesBareUsers(cfg) {
		if asked.Team, err = askTeam(ctx, asked); err != nil {
			return err
		}
	}
	policy, err := policyOf(cfg, asked.Team)
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
func askTeam(ctx context.Context, asked policytool.Command) (string, error) {
	cfg, err := policyConfig(asked, slackSettings...)
	if err != nil {
		return "", fmt.Errorf("the settings name users without a team: give it with --team, or let the bot ask Slack: %w", err)
	}
	web, bot, err := connectSlack(ctx, cfg, calls{})
	if err != nil {
		return "", err
	}
	web.Close()
	return homeTeam(bot), nil
}

// withPeople connects to Slack and hands do the people of its workspace.
func withPeople(ctx context.Context, cfg config, do func(*policytool.People) error) error {
	web, bot, err := connectSlack(ctx, cfg, calls{})
	if err != nil {
		return err
	}
	defer web.Close()
	policy, err := policyOf(cfg, homeTeam(bot))
	if err != nil {
		return err
	}
	directory := slackui.NewDirectory(slackui.DirectoryOptions{
		Web: web, HomeTeam: bot.Team, HomeEnterprise: bot.Enterprise, Log: slog.New(slog.DiscardHandler),
	})
	defer directory.Close()
	return do(&policytool.People{Policy: policy, Home: homeTeam(bot), Directory: directory, RetryAfter: webapi.RetryAfter})
}

// serverReader connects to SoftLayer and reads one server there.
func serverReader(cfg config) policytool.ReadServer {
	return func(ctx context.Context, id int64) (server cancellation.Server, account cancellation.Account, err error) {
		client, account, err := connectSoftLayer(ctx, cfg, calls{})
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
