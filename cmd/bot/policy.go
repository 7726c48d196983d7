package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"cancel-server/internal/authz"
)

// policyVerbs are the verbs that begin with policy, as -h lists them.
func policyVerbs() []Verb {
	return []Verb{
		{Usage: "policy test FILE [--policy FILE] [--team TEAM]", Meaning: "holds the policy to a table of cases; asks nobody"},
		{Usage: "policy show [--policy FILE] [--team TEAM]", Meaning: "prints the policy in force, in Cedar"},
		{Usage: "policy explain USER [SERVER-ID [--channel ID] [--associated] [--reason TEXT]] [--policy FILE]", Meaning: "says what a person may do, by which rules"},
		{Usage: "policy who [--policy FILE]", Meaning: "lists who may do what, as CSV for a review"},
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

// policySource is the policy that a verb is about: that of the settings, or a file that
// takes their place, to try it before it is in force.
type policySource struct {
	file string // --policy
	team string // --team: bare user ids in the settings belong to it
}

var homeID = regexp.MustCompile(`^[TE][A-Z0-9]+$`)

// policyFlags are the flags of a verb; with a team only where it asks nobody for it.
func (s *policySource) policyFlags(verb string, team bool) *flag.FlagSet {
	flags := flag.NewFlagSet("policy "+verb, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&s.file, "policy", "", "")
	if team {
		flags.StringVar(&s.team, "team", "", "")
	}
	return flags
}

func (s *policySource) check() error {
	if s.team != "" && !homeID.MatchString(s.team) {
		return fmt.Errorf("%w: --team %.60q is no id of a team or an enterprise, such as T0123ABCD", errUsage, s.team)
	}
	return nil
}

// settings reads those that say where the policy comes from, unless a file was named, and
// the others that the verb needs.
func (s *policySource) settings(others ...string) (Config, error) {
	wanted, together := others, func(Config, map[string]bool) []string { return nil }
	if s.file == "" {
		wanted = slices.Concat(policySettings, others)
		together = func(_ Config, given map[string]bool) []string { return checkAuthority(given) }
	}
	cfg, err := loadConfig(func(name string) bool { return slices.Contains(wanted, name) }, together)
	if err != nil || s.file == "" {
		return cfg, err
	}
	policy, problems := readPolicy("--policy", s.file)
	if len(problems) > 0 {
		return Config{}, &ConfigError{Problems: problems}
	}
	cfg.Policy = policy
	return cfg, nil
}

// policyShow prints the Cedar in force: a policy file can be grown from it.
func policyShow(ctx context.Context, args []string, stdout io.Writer) error {
	var from policySource
	switch words, err := parseMixed(from.policyFlags("show", true), args); {
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
	return printPolicy(stdout, policy)
}

func printPolicy(stdout io.Writer, policy *authz.Policy) error {
	_, err := fmt.Fprintln(stdout, strings.TrimSuffix(policy.Text(), "\n"))
	return err
}

// namesBareUsers tells whether the groups settings hold users without a team: only then
// does it matter which one the bot is installed in.
func namesBareUsers(cfg Config) bool {
	bare := func(id string) bool { return userID.MatchString(id) }
	return cfg.Policy == nil && (slices.ContainsFunc(cfg.RequestGroups, bare) || slices.ContainsFunc(cfg.ApproveGroups, bare))
}

// askTeam asks Slack where the bot is installed.
func (s *policySource) askTeam(ctx context.Context) (string, error) {
	cfg, err := s.settings(slackSettings...)
	if err != nil {
		return "", fmt.Errorf("the settings hold users without a team; name it by --team, or let Slack be asked: %w", err)
	}
	web, bot, err := reachSlack(ctx, cfg)
	if err != nil {
		return "", err
	}
	web.Close()
	return homeOf(bot), nil
}
