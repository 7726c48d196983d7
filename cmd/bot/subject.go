package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/checkup"
	"cancel-server/internal/pace"
	"cancel-server/internal/slackui"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
	"cancel-server/internal/softlayer"
	"cancel-server/internal/store"
)

// asked is what bot check looks at: the settings as far as they can be read, and the clients that they
// let it make.
type asked struct {
	cfg               config
	problems, refused []string // what is wrong with the settings, and with the policy file
	slack             *slackAnswers
	softlayer         *softlayer.Client
}

func newAsked(cfg config, problems, refused []string) *asked {
	a := &asked{cfg: cfg, problems: problems, refused: refused}
	if !a.wrong(slackSettings...) {
		web, err := webapi.New(webapi.Options{BotToken: cfg.SlackBotToken.Reveal(), APIURL: cfg.SlackAPIURL})
		if err == nil { // the settings were checked
			a.slack = &slackAnswers{web: web}
		}
	}
	if !a.wrong(softLayerSettings...) && !a.wrong("SOFTLAYER_RATE") {
		client, err := softlayer.New(softlayer.Options{
			Endpoint: cfg.SoftLayerEndpoint, Username: cfg.SoftLayerUsername, APIKey: cfg.SoftLayerAPIKey.Reveal(),
		})
		if err == nil {
			a.softlayer = client.WithRateLimiter(&paced{pace: pace.Of(cfg.SoftLayerRate)})
		}
	}
	return a
}

// wrong reports whether one of these settings is.
func (a *asked) wrong(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return slices.ContainsFunc(a.problems, func(problem string) bool {
			return strings.HasPrefix(problem, name+":") || strings.HasPrefix(problem, name+"_FILE:")
		})
	})
}

func (a *asked) close() {
	if a.slack != nil {
		a.slack.close()
	}
	if a.softlayer != nil {
		a.softlayer.Close()
	}
}

func (a *asked) subject() checkup.Subject {
	s := subjectOf(a.cfg)
	s.Settings = a.problems
	s.PolicyProblems = func() []string { return a.refused }
	if a.slack != nil {
		s.Slack, s.People = a.slack, a.slack
		s.Clocks = append(s.Clocks, checkup.Clock{Of: "Slack", Ahead: a.slack.web.Ahead})
	}
	if a.softlayer != nil {
		s.SoftLayer = a.softlayer
		s.Clocks = append(s.Clocks, checkup.Clock{Of: "SoftLayer", Ahead: a.softlayer.Ahead})
	}
	if len(a.refused) == 0 && !a.wrong(policySettings...) {
		s.Policy = func(home string) (*authz.Policy, error) { return policyOf(a.cfg, home) }
	}
	if token := a.cfg.SlackAppToken.Reveal(); token != "" && !a.wrong("SLACK_APP_TOKEN", "SLACK_API_URL") {
		s.Transport.Connect = func(ctx context.Context) error {
			_, err := webapi.NewConnections(token, a.cfg.SlackAPIURL, webapi.NewTransport(), nil).Open(ctx)
			return refusal(err)
		}
	}
	s.Transport.Signed = s.Transport.Signed && !a.wrong("SLACK_SIGNING_SECRET")
	if a.wrong("DATABASE_URL") {
		s.Database = nil
	}
	return s
}

// subject is what the running bot looks at again and again.
func (b *bot) subject(v *vendors) checkup.Subject {
	s := subjectOf(b.cfg)
	s.Serving = true
	s.Slack, s.People, s.SoftLayer = &slackAnswers{web: v.slack}, b.directory, v.softlayer
	s.Clocks = []checkup.Clock{{Of: "Slack", Ahead: v.slack.Ahead}, {Of: "SoftLayer", Ahead: v.softlayer.Ahead}}
	s.Policy = func(string) (*authz.Policy, error) { return b.policy.Policy(), nil }
	s.PolicyProblems = b.watch.Problems
	if b.socket != nil {
		s.Transport.Sockets = func() (standing, wanted int) {
			status := b.socket.Status()
			return status.Standing, status.Wanted
		}
	}
	return s
}

// announce posts what the checks found, unless it is the last word in the channel, however many replicas have found
// it and however often they start. The same is not posted twice a day; the next run tries again.
func (b *bot) announce(ctx context.Context, announcer *slackui.Announcer, writer words.Writer, word string, problems []checkup.Finding) {
	if b.cfg.escalation() == "" {
		return
	}
	says, err := b.journal.Say(ctx, "checks said", word)
	if err != nil {
		b.log.Warn("recording that the checks' problems are posted", "err", err)
	}
	if !says {
		return
	}
	var lines []string
	for _, f := range problems {
		lines = append(lines, strings.TrimSpace(f.Found+" "+f.Do))
	}
	b.post(ctx, announcer, b.cfg.escalation(), writer.ChecksFound(lines))
}

// subjectOf is what a running bot and bot check look at alike.
func subjectOf(cfg config) checkup.Subject {
	return checkup.Subject{
		Transport: checkup.Transport{Signed: len(cfg.SlackSigningSecrets) > 0},
		Channels: []checkup.Channel{
			{Setting: "NOTIFY_CHANNEL", ID: cfg.NotifyChannel}, {Setting: "REPORT_CHANNEL", ID: cfg.ReportChannel},
		},
		Database: func(ctx context.Context) (checkup.Database, error) {
			path, url := databaseOf(cfg.DatabaseURL)
			return store.Inspect(ctx, store.Options{Path: path, URL: url})
		},
		Endpoint: cfg.SoftLayerEndpoint, Practice: cfg.DryRun,
	}
}

// paced has the calls of one run keep SOFTLAYER_RATE by themselves: to take turns in the database would
// be a write.
type paced struct {
	mu   sync.Mutex
	pace pace.Pace
}

// Wait implements softlayer.RateLimiter.
func (p *paced) Wait(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pace.Wait(ctx)
}

// Spend implements softlayer.RateLimiter. No check files anything.
func (p *paced) Spend() {}

// slackAnswers answers checks with Slack's Web API.
type slackAnswers struct {
	web    *webapi.Client
	people atomic.Pointer[slackui.Directory] // nil until Slack has said where the bot is installed
}

func (s *slackAnswers) close() {
	if people := s.people.Load(); people != nil {
		people.Close()
	}
	s.web.Close()
}

// Self implements checkup.Slack.
func (s *slackAnswers) Self(ctx context.Context) (checkup.Self, error) {
	bot, err := s.web.AuthTest(ctx)
	if err != nil {
		return checkup.Self{}, refusal(err)
	}
	s.people.CompareAndSwap(nil, slackui.NewDirectory(slackui.DirectoryOptions{
		Web: s.web, HomeTeam: bot.Team, HomeEnterprise: bot.Enterprise, Log: slog.New(slog.DiscardHandler),
	}))
	return checkup.Self{Bot: bot.Bot, Name: bot.Name, Team: bot.Team, Enterprise: bot.Enterprise, Scopes: bot.Scopes}, nil
}

// Principal implements checkup.People.
func (s *slackAnswers) Principal(ctx context.Context, person cancellation.Person, groups []string, maxAge time.Duration) (authz.Principal, error) {
	people := s.people.Load()
	if people == nil {
		return authz.Principal{}, errors.New("reading people: Slack has not said where the bot is installed")
	}
	return people.Principal(ctx, person, groups, maxAge)
}

// Groups implements checkup.Slack.
func (s *slackAnswers) Groups(ctx context.Context) ([]checkup.Group, error) {
	listed, err := s.web.AllGroups(ctx)
	if err != nil {
		return nil, refusal(err)
	}
	var groups []checkup.Group
	for _, g := range listed {
		groups = append(groups, checkup.Group{
			ID: g.ID, Handle: g.Handle, Members: g.Users, Off: g.Deleted != 0, Restricted: restricted(g),
		})
	}
	return groups, nil
}

// restricted reports whether not everybody may change a group, nil if Slack does not say.
func restricted(g webapi.Group) *bool {
	for _, fact := range []*bool{g.EditingRestricted, g.MembershipLocked, g.FromProvider} {
		if fact != nil && *fact {
			return fact
		}
	}
	return g.EditingRestricted
}

// Conversation implements checkup.Slack.
func (s *slackAnswers) Conversation(ctx context.Context, id string) (checkup.Conversation, error) {
	c, err := s.web.Conversation(ctx, id)
	if err != nil {
		return checkup.Conversation{}, refusal(err)
	}
	return checkup.Conversation{Name: c.Name, Member: c.Member, Archived: c.Archived, Elsewhere: c.Shared}, nil
}

// refusal returns an error of Slack's client as checks read it.
func refusal(err error) error {
	if _, limited := webapi.RetryAfter(err); limited {
		return fmt.Errorf("%w: %w", checkup.ErrTooEarly, err)
	}
	if refused, is := errors.AsType[*webapi.Error](err); is {
		return &checkup.Refusal{Code: refused.Code, Needed: refused.Needed, Err: err}
	}
	return err
}
