package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui"
	"cancel-server/internal/slackui/webapi"
)

// policyPeople are the people of a workspace as one policy sees them.
type policyPeople struct {
	policy    *authz.Policy
	web       *webapi.Client
	directory *slackui.Directory
	home      string
}

// people asks Slack where the bot is, and makes what reads its people.
func (s *policySource) people(ctx context.Context, cfg Config) (*policyPeople, error) {
	web, bot, err := reachSlack(ctx, cfg)
	if err != nil {
		return nil, err
	}
	policy, err := policyOf(cfg, homeOf(bot))
	if err != nil {
		web.Close()
		return nil, err
	}
	directory := slackui.NewDirectory(slackui.DirectoryOptions{
		Web: web, HomeTeam: bot.Team, HomeEnterprise: bot.Enterprise, Groups: policy.GroupIDs, Log: slog.New(slog.DiscardHandler),
	})
	return &policyPeople{policy: policy, web: web, directory: directory, home: homeOf(bot)}, nil
}

func (p *policyPeople) close() {
	p.directory.Close()
	p.web.Close()
}

// principal reads one person; where Slack asks to wait, it waits.
func (p *policyPeople) principal(ctx context.Context, user string) (who authz.Principal, err error) {
	err = patiently(ctx, func() (err error) {
		who, err = p.directory.Principal(ctx, cancellation.Person{ID: user}, cancellation.MaxPrincipalAge)
		return err
	})
	return who, err
}

// patiently does something again for as long as Slack asks to wait.
func patiently(ctx context.Context, do func() error) error {
	for {
		err := do()
		pause, limited := webapi.RetryAfter(err)
		if !limited {
			return err
		}
		waiting := time.NewTimer(max(pause, time.Second))
		select {
		case <-waiting.C:
		case <-ctx.Done():
			waiting.Stop()
			return fmt.Errorf("waiting as Slack asked: %w", ctx.Err())
		}
	}
}

// flagsOf names what Slack says of a person that no policy lifts.
func flagsOf(who authz.Principal) []string {
	var flags []string
	for _, flag := range []struct {
		is   bool
		name string
	}{{who.Guest, "guest"}, {who.Bot, "bot"}, {who.Deactivated, "deactivated"}, {who.Stranger, "stranger"}} {
		if flag.is {
			flags = append(flags, flag.name)
		}
	}
	return flags
}
