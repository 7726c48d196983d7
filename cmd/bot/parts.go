package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/softlayer"
	"cancel-server/internal/store"
)

// far is both vendors, asked who we are to them.
type far struct {
	slack     *webapi.Client
	softlayer *softlayer.Client
	bot       webapi.Identity
	account   cancellation.Account
}

// reach makes the two clients and asks each who its credential belongs to, so that
// a bad one fails at start and not at the first request.
func reach(ctx context.Context, cfg Config) (*far, error) {
	web, bot, err := reachSlack(ctx, cfg)
	if err != nil {
		return nil, err
	}
	client, account, err := reachSoftLayer(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &far{slack: web, softlayer: client, bot: bot, account: account}, nil
}

// slackSettings are what reachSlack needs.
var slackSettings = []string{"SLACK_BOT_TOKEN", "SLACK_API_URL"}

func reachSlack(ctx context.Context, cfg Config) (*webapi.Client, webapi.Identity, error) {
	web, err := webapi.New(webapi.Options{BotToken: cfg.SlackBotToken.Reveal(), APIURL: cfg.SlackAPIURL})
	if err != nil {
		return nil, webapi.Identity{}, err
	}
	bot, err := web.AuthTest(ctx)
	if err != nil {
		return nil, webapi.Identity{}, fmt.Errorf("asking Slack who the bot is: %w", err)
	}
	return web, bot, nil
}

// softLayerSettings are what reachSoftLayer needs.
var softLayerSettings = []string{"SOFTLAYER_USERNAME", "SOFTLAYER_API_KEY", "SOFTLAYER_ENDPOINT_URL"}

func reachSoftLayer(ctx context.Context, cfg Config) (*softlayer.Client, cancellation.Account, error) {
	client, err := softlayer.New(softlayer.Options{
		Endpoint: cfg.SoftLayerEndpoint, Username: cfg.SoftLayerUsername,
		APIKey: cfg.SoftLayerAPIKey.Reveal(),
	})
	if err != nil {
		return nil, cancellation.Account{}, err
	}
	account, err := client.Account(ctx)
	if err != nil {
		return nil, cancellation.Account{}, fmt.Errorf("asking SoftLayer whose key this is: %w", err)
	}
	return client, account, nil
}

func (f *far) close() {
	f.slack.Close()
	f.softlayer.Close()
}

// home is the id that the team part of people's ids is compared with.
func (f *far) home() string { return homeOf(f.bot) }

func homeOf(bot webapi.Identity) string { return cmp.Or(bot.Enterprise, bot.Team) }

// openStore opens the database, holds it to the Slack app and the SoftLayer account that
// it was first used with, and keeps the deployment's rate by it from then on.
func (f *far) openStore(ctx context.Context, cfg Config, serve bool, log *slog.Logger) (*store.Store, error) {
	s, err := openDatabase(ctx, cfg, serve, log)
	if err != nil {
		return nil, err
	}
	binding := store.Binding{App: f.bot.Bot, Team: f.bot.Team, Account: f.account.ID, Endpoint: cfg.SoftLayerEndpoint}
	if err := s.Bind(ctx, binding); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	f.softlayer = f.softlayer.WithRateLimiter(s.RateLimiter("softlayer", cfg.SoftLayerRate))
	return s, nil
}

// openDatabase opens the database to serve from, or beside whoever does: where nobody ever
// did, nothing that is read or ordered there means anything.
func openDatabase(ctx context.Context, cfg Config, serve bool, log *slog.Logger) (*store.Store, error) {
	s, err := store.Open(ctx, store.Options{
		Path: cfg.SQLitePath(), URL: cfg.PostgresURL(), Serve: serve, Beside: !serve, PostTimeout: cfg.PostTimeout, Log: log,
	})
	if errors.Is(err, store.ErrUnserved) {
		return nil, fmt.Errorf("%w: %w; nothing was changed: is DATABASE_URL that of the running bot?", errUsage, err)
	}
	return s, err
}

// policyOf is the policy file's, or the groups settings written as Cedar.
func policyOf(cfg Config, home string) (*authz.Policy, error) {
	if cfg.Policy != nil {
		return cfg.Policy, nil
	}
	policy, err := authz.FromGroups(authz.Groups{
		Home: home, Request: cfg.RequestGroups, Approve: cfg.ApproveGroups, ProtectedTags: cfg.ProtectedTags,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	return policy, nil
}

// manageCases lists all cases; it is where a ticket without a case number is found
// (https://cloud.ibm.com/docs/account?topic=account-managing-support-cases).
const manageCases = "https://cloud.ibm.com/unifiedsupport/cases"

var caseNumber = regexp.MustCompile(`^CS[0-9]+$`)

// ticketURL fills the link template. A ticket may carry no CS number, or not yet:
// where the template needs one, the link goes to the list of cases.
func ticketURL(template string) func(cancellation.TicketID) string {
	return func(t cancellation.TicketID) string {
		number := t.Number
		if !caseNumber.MatchString(number) {
			number = ""
		}
		if number == "" && strings.Contains(template, "{number}") {
			return manageCases
		}
		return strings.NewReplacer("{id}", strconv.FormatInt(t.ID, 10), "{number}", number).Replace(template)
	}
}
