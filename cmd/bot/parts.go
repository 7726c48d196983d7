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
	"sync"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/closing"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/serverlist"
	"cancel-server/internal/slackui"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
	"cancel-server/internal/softlayer"
	"cancel-server/internal/store"
	"cancel-server/internal/typeahead"
)

// vendors are the clients of both vendors, and who the bot is to each.
type vendors struct {
	slack     *webapi.Client
	softlayer *softlayer.Client // only reads
	bot       webapi.Identity
	account   cancellation.Account
	told      calls
}

// mayAsk hands the servers of lists to what decides whether a person may ask for them.
func mayAsk(ctx context.Context, policy *authz.Policy, who authz.Principal) func(serverlist.Server) (may, decided bool) {
	askable := closing.Askable(ctx, policy, who)
	return func(s serverlist.Server) (may, decided bool) {
		return askable(closing.Server{ID: s.ID, Hostname: s.Hostname, FQDN: s.FQDN, Datacenter: s.Datacenter, Tags: s.Tags, Tagset: closing.NoTagset})
	}
}

// withVendors does what a verb does with both vendors and the database, alongside bot serve, and closes them.
func withVendors(ctx context.Context, do func(cfg config, v *vendors, journal *store.Store) error) error {
	cfg, err := loadBeside()
	if err != nil {
		return err
	}
	v, err := connect(ctx, cfg, calls{})
	if err != nil {
		return err
	}
	defer v.close()
	journal, err := v.openStore(ctx, cfg, store.Options{Mode: store.Beside})
	if err != nil {
		return err
	}
	return errors.Join(do(cfg, v, journal), journal.Close())
}

// connect makes the two clients and asks both vendors at once whose credential it has, so that a
// bad one fails at start and not at the first request. If both fail, it returns Slack's error. told
// hears of each call.
func connect(ctx context.Context, cfg config, told calls) (*vendors, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v := vendors{told: told}
	var softLayerErr error
	var asking sync.WaitGroup
	asking.Go(func() { v.softlayer, v.account, softLayerErr = connectSoftLayer(ctx, cfg, told) })
	var err error
	if v.slack, v.bot, err = connectSlack(ctx, cfg, told); err != nil {
		cancel()
	}
	asking.Wait()
	if err := cmp.Or(err, softLayerErr); err != nil {
		return nil, err
	}
	return &v, nil
}

// slackSettings are what connectSlack needs.
var slackSettings = []string{"SLACK_BOT_TOKEN", "SLACK_API_URL"}

func connectSlack(ctx context.Context, cfg config, told calls) (*webapi.Client, webapi.Identity, error) {
	web, err := webapi.New(webapi.Options{BotToken: cfg.SlackBotToken.Reveal(), APIURL: cfg.SlackAPIURL, Called: told.slack, Mark: markOf(cfg)})
	if err != nil {
		return nil, webapi.Identity{}, err
	}
	bot, err := web.AuthTest(ctx)
	if err != nil {
		return nil, webapi.Identity{}, fmt.Errorf("asking Slack who the bot is: %w", err)
	}
	return web, bot, nil
}

// markOf returns what marks all that a bot shows which only practises; nothing for one that files.
func markOf(cfg config) webapi.Mark {
	if !cfg.DryRun {
		return webapi.Mark{}
	}
	return webapi.Mark{View: words.PracticeView, Message: words.PracticeMessage}
}

// marking returns a handler of which everything is marked that it acknowledges with, if the bot only
// practises.
func (c config) marking(h receive.Handler) receive.Handler {
	if c.DryRun {
		return slackui.Practising(h)
	}
	return h
}

// writer makes the calls that change SoftLayer.
type writer interface {
	cancellation.TicketWriter
	correspondence.Writer
}

// writerOf returns what makes the calls that change SoftLayer. Nothing else makes one, and while DRY_RUN is
// set there is none: the result is nil.
func (v *vendors) writerOf(cfg config) writer {
	if cfg.DryRun {
		return nil
	}
	return softlayer.NewWriter(v.softlayer)
}

// softLayerSettings are what connectSoftLayer needs.
var softLayerSettings = []string{"SOFTLAYER_USERNAME", "SOFTLAYER_API_KEY", "SOFTLAYER_ENDPOINT_URL"}

func connectSoftLayer(ctx context.Context, cfg config, told calls) (*softlayer.Client, cancellation.Account, error) {
	client, err := softlayer.New(softlayer.Options{
		Endpoint: cfg.SoftLayerEndpoint, Username: cfg.SoftLayerUsername,
		APIKey: cfg.SoftLayerAPIKey.Reveal(), Called: told.softlayer,
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

func (v *vendors) close() {
	v.slack.Close()
	v.softlayer.Close()
}

// homeTeam returns the enterprise, or else the team, that the bot is installed in. The team
// part of people's ids is compared with it.
func homeTeam(bot webapi.Identity) string { return cmp.Or(bot.Enterprise, bot.Team) }

// openStore opens the database as openDatabase does, and checks that it belongs to this Slack app and
// SoftLayer account. From then on the SoftLayer client shares the deployment's rate through it.
func (v *vendors) openStore(ctx context.Context, cfg config, opening store.Options) (*store.Store, error) {
	s, err := openDatabase(ctx, cfg, opening)
	if err != nil {
		return nil, err
	}
	binding := store.Binding{App: v.bot.Bot, Team: v.bot.Team, Account: v.account.ID, Endpoint: cfg.SoftLayerEndpoint, Practice: cfg.DryRun}
	if err := s.Bind(ctx, binding); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	v.softlayer = v.softlayer.WithRateLimiter(countedTurns{s.RateLimiter("softlayer", cfg.SoftLayerRate), v.told.waited})
	return s, nil
}

// openDatabase opens the configured database to serve from it, or alongside bots that do. It fails if
// no bot ever served from it: whatever was read or ordered there would mean nothing.
func openDatabase(ctx context.Context, cfg config, opening store.Options) (*store.Store, error) {
	opening.Path, opening.URL = databaseOf(cfg.DatabaseURL)
	opening.PostTimeout = cfg.PostTimeout
	s, err := store.Open(ctx, opening)
	if errors.Is(err, store.ErrUnserved) {
		return nil, fmt.Errorf("%w: %w; nothing was changed: is DATABASE_URL that of the running bot?", errUsage, err)
	}
	return s, err
}

// policyOf returns the policy of the file, or the groups settings as Cedar.
func policyOf(cfg config, home string) (*authz.Policy, error) {
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

// ticketURL fills the link template. If the template needs a case number and the ticket has
// none yet, the link goes to the list of cases.
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

// closingOptions are what tells which places close.
func closingOptions(cfg config, v *vendors, journal *store.Store, all *typeahead.Inventory, log *slog.Logger) closing.Options {
	return closing.Options{
		List: all, Books: v.softlayer, Ledger: journal, Deadlines: cfg.ClosureDeadlines, InForm: cfg.MaxBatch, InDay: cfg.ServersPerDay,
		Every: cfg.FollowEvery, Rate: cfg.SoftLayerRate * closeShare, Log: log,
	}
}

// warm reads what the first command would wait for. Failures are only logged.
func (b *bot) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	b.warmGroups(ctx)
	rights, err := b.tickets.Rights(ctx)
	if err != nil {
		b.log.Warn("reading the rights of the SoftLayer key", "err", err)
		return
	}
	for name, has := range map[string]bool{"SERVER_CANCEL": rights.Cancel, "TICKET_ADD": rights.AddTickets, "TICKET_VIEW": rights.ViewTickets} {
		if !has {
			b.log.Error("the SoftLayer key lacks a right that the bot needs", "right", name)
		}
	}
}

// warmGroups reads the groups of the policy in force.
func (b *bot) warmGroups(ctx context.Context) {
	if err := b.directory.Warm(ctx, b.policy.Policy().GroupIDs()); err != nil {
		b.log.Warn("reading the policy's user groups", "err", err)
	}
}
