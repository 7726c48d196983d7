package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"cancel-server/internal/audit"
	"cancel-server/internal/authz"
	"cancel-server/internal/bulletin"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/checkup"
	"cancel-server/internal/closing"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/following"
	"cancel-server/internal/letters"
	"cancel-server/internal/metrics"
	"cancel-server/internal/orders"
	"cancel-server/internal/overview"
	"cancel-server/internal/policytool"
	"cancel-server/internal/slackui"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
	"cancel-server/internal/store"
	"cancel-server/internal/typeahead"
	"cancel-server/internal/waiting"
)

// drainTime bounds how long work may go on after a stop.
const drainTime = 8 * time.Second

// The parts of SOFTLAYER_RATE for reading all servers; for what follows filed requests: a fifth,
// and of that a tenth for the daily look for cancellations elsewhere; and for what closes.
const (
	passShare   = 0.5
	followShare = 0.18
	lookShare   = 0.02
	closeShare  = 0.05
)

// letterPoll is how often to look for letters to send if nothing is known to be due.
const letterPoll = 5 * time.Second

// listenedPoll is how often to poll PostgreSQL, in case a notification was missed.
const listenedPoll = 15 * time.Second

// serve runs the bot until ctx ends.
func serve(ctx context.Context, args []string, stderr io.Writer) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: serve takes no arguments, got %q", errUsage, args)
	}
	cfg, err := loadConfig()
	if err != nil {
		return err
	}
	log := newLogger(cfg, stderr, isTerminal(stderr))
	m := newMetrics()
	v, err := connect(ctx, cfg, countedCalls(m))
	if err != nil {
		return err
	}
	defer v.close()
	policy, err := policyOf(cfg, homeTeam(v.bot))
	if err != nil {
		return err
	}
	policytool.LogWarnings(log, policy)
	journal, err := v.openStore(ctx, cfg, store.Options{Mode: store.Serve, Log: log, Committed: m.Committed, Moved: noteMoves(m, log)})
	if err != nil {
		return err
	}
	if err := journal.KeepPolicy(ctx, policy.Digest(), policy.Text()); err != nil {
		return errors.Join(err, journal.Close())
	}
	b := assemble(cfg, v, policy, journal, m, log)
	if err := b.recorder.start(ctx, cfg); err != nil {
		return errors.Join(err, journal.Close())
	}
	if cfg.DryRun {
		log.Warn("practising: nothing is filed")
	}
	log.Info("serving", "team", v.bot.Team, "account", v.account.ID, "policy", policy.Digest(), "version", version())
	return errors.Join(b.run(ctx), journal.Close())
}

// bot is the assembled program.
type bot struct {
	cfg        config
	log        *slog.Logger
	journal    *store.Store
	metrics    *metrics.Metrics
	directory  *slackui.Directory
	policy     *policytool.InForce
	watch      *policytool.Watch // nil without a policy file
	inventory  *typeahead.Inventory
	closings   *closing.Watch
	app        *slackui.App
	filer      *cancellation.Filer
	notifier   *cancellation.Notifier
	follower   *following.Follower
	poster     *bulletin.Poster // nil without a report channel
	writer     writer           // nil while practising
	orders     *orders.Teller
	sender     *correspondence.Sender
	right      *correspondence.Right
	teller     *waiting.Teller
	letters    *letters.Sender
	dispatcher *receive.Dispatcher
	socket     *receive.Socket // nil without an app token
	tickets    cancellation.TicketReader
	monitor    *checkup.Monitor
	sealer     *audit.Sealer
	recorder   *recorder
	replicas   atomic.Int32 // that serve from this database, with this one
}

func assemble(cfg config, v *vendors, policy *authz.Policy, journal *store.Store, m *metrics.Metrics, log *slog.Logger) *bot {
	b := &bot{cfg: cfg, log: log, journal: journal, metrics: m, tickets: v.softlayer, policy: policytool.NewInForce(policy)}
	b.right, b.writer = correspondence.NewRight(v.softlayer, log), v.writerOf(cfg)
	b.sealer = audit.NewSealer(audit.SealerOptions{Ledger: journal, Name: journal.AuditName(), Log: log})
	b.directory = slackui.NewDirectory(slackui.DirectoryOptions{
		Web: v.slack, HomeTeam: v.bot.Team, HomeEnterprise: v.bot.Enterprise, Log: log,
	})
	writer := words.Writer{
		MayWrite: b.right.Has, Now: time.Now, GroupName: b.directory.GroupName,
		TicketURL: ticketURL(cfg.TicketURL), PostTimeout: cfg.PostTimeout, SettleTime: cfg.SettleTime,
		PeopleResolve: b.policy.NamesApprovers, Contact: cfg.OperatorContact, CasesURL: manageCases, Workspace: v.bot.URL,
	}
	announcer := slackui.NewAnnouncer(slackui.AnnouncerOptions{
		Web: v.slack, Words: writer, Texts: journal, Shown: journal, Batches: journal, Stays: journal, Answers: v.softlayer, Bot: v.bot.Bot, Pings: cfg.NotifyChannel, Quiet: cfg.DryRun, Log: log,
	})
	channels := cancellation.Channels{NotifyChannel: cfg.NotifyChannel, Escalation: cfg.escalation()}
	limits := cancellation.DefaultLimits()
	limits.PostTimeout, limits.SettleTime = cfg.PostTimeout, cfg.SettleTime
	limits.FilingsPerHour, limits.Requests = cfg.FilingsPerHour, cancellation.Workers(cfg.SoftLayerRate)
	limits.Terms = cancellation.Terms{ApprovalExpiry: cfg.ApprovalExpiry, UndoWindow: cfg.UndoWindow, ServersPerDay: cfg.ServersPerDay, Turn: cancellation.Turn(cfg.SoftLayerRate)}
	if _, server := databaseOf(cfg.DatabaseURL); server != "" {
		limits.Poll = listenedPoll
	}
	inForce := func() cancellation.Policy { return b.policy.Policy() }
	slackOutage := cancellation.NewOutage(announcer.Reach)
	b.notifier = &cancellation.Notifier{
		Requests: journal, Notices: journal, Clock: journal, Directory: b.directory, Policy: inForce,
		Announcer: announcer,
		Slack:     slackOutage, Limits: limits, Owner: owner(), Log: log, NotifyChannel: cfg.NotifyChannel,
	}
	b.filer = &cancellation.Filer{
		Requests: journal, Queue: journal, Freezes: journal, Notices: journal, Clock: journal,
		SoftLayer: cancellation.SoftLayer{Servers: v.softlayer, Tickets: v.softlayer, Writer: b.writer},
		Directory: b.directory, Policy: inForce,
		Slack: slackOutage, Notifier: b.notifier, Limits: limits, Owner: b.notifier.Owner, Log: log, Channels: channels,
	}
	b.recorder = &recorder{journal: journal, policies: b.policy, actor: b.filer.Owner, log: log}
	if cfg.PolicyFile != "" {
		b.watch = policytool.NewWatch(policytool.WatchOptions{
			Path: cfg.PolicyFile, InForce: b.policy, Log: log,
			Keep:    func(ctx context.Context, p *authz.Policy) error { return journal.KeepPolicy(ctx, p.Digest(), p.Text()) },
			Adopted: func(ctx context.Context) { m.Reloaded("adopted"); b.recorder.adopted(ctx); b.warmGroups(ctx) },
			Refused: func(ctx context.Context, digest string, problems []string) {
				m.Reloaded("refused")
				b.recorder.refused(ctx, digest, problems)
				b.post(ctx, announcer, cfg.NotifyChannel, writer.PolicyRefused(problems))
			},
			Mended: func(ctx context.Context) { b.post(ctx, announcer, cfg.NotifyChannel, writer.PolicyMended()) },
		})
	}
	desk := &cancellation.Desk{
		Requests: journal, Intake: journal, Freezes: journal, Clock: journal,
		Servers: v.softlayer, Tickets: v.softlayer, Directory: b.directory, Policy: inForce,
		Account: v.account, Terms: limits.Terms, Channels: channels,
		Wake: b.wake, Backlog: &cancellation.Backlog{Behind: b.filer.Behind, Filer: b.filer}, Denied: m.Denied, Log: log,
	}
	b.sender = correspondence.NewSender(correspondence.SenderOptions{
		Ledger: journal, Journal: journal, Books: v.softlayer, Writer: b.writer, WhoMayApprove: desk.WhoMayApprove,
		Notify: b.notifier.Wake, Refused: b.right.Doubt, Owner: b.filer.Owner,
		PostTimeout: cfg.PostTimeout, SettleTime: cfg.SettleTime, Lease: limits.Lease, Poll: limits.Poll, Log: log,
	})
	b.teller = waiting.New(waiting.Options{
		Waits: journal, Notices: journal, People: b.directory,
		Channel: cfg.escalation(), Wake: b.wakePosters, Log: log,
	})
	b.follower = following.New(following.Options{
		Ledger: journal, Books: v.softlayer, Wake: b.wakeTellers, Owner: b.filer.Owner, Channel: cfg.escalation(),
		Every: cfg.FollowEvery, Rate: cfg.SoftLayerRate * followShare, Log: log,
	})
	b.letters = letters.New(letters.Options{
		Ledger: journal, People: b.directory, Mail: announcer, RemindAt: following.RemindAt,
		Channel: cfg.escalation(), Wake: b.notifier.Wake, Owner: b.filer.Owner, Poll: letterPoll, Log: log,
	})
	board := slackui.NewBoard(slackui.BoardOptions{Web: v.slack, Words: writer, Bot: v.bot.Bot, Log: log})
	b.orders = orders.New(orders.Options{
		Ledger: journal, Board: board, People: desk.WhoMayFreeze, Channel: cfg.escalation(), Owner: b.filer.Owner, Poll: limits.Poll, Log: log,
	})
	if cfg.ReportChannel != "" {
		b.poster = bulletin.New(bulletin.Options{
			Ledger: journal, Books: v.softlayer, Owner: b.filer.Owner, Channel: cfg.ReportChannel, Rate: cfg.SoftLayerRate * lookShare, Log: log,
			Audit: heads{cfg, journal},
			Board: board,
		})
	}
	b.inventory = typeahead.New(typeahead.Options{
		Servers: v.softlayer, Tags: v.softlayer, Live: v.softlayer, Keeper: journal, Owner: b.filer.Owner,
		Rate: cfg.SoftLayerRate * passShare, Grow: footprint.grow, Log: log,
		PodOf: func(routers []int64) (string, []string) { return b.closings.PodOf(routers) }, // made below
	})
	b.closings = closing.New(closingOptions(cfg, v, journal, b.inventory, log))
	b.app = slackui.NewApp(slackui.Options{
		Desk: desk, Batches: journal, Web: v.slack, Directory: b.directory, Policy: b.policy.Policy, Words: writer,
		Lists: slackui.Lists{
			All: b.inventory.All, Listed: b.inventory.Listed, Tagged: b.inventory.Tagged, Closing: b.closings.Closing, Held: journal.Held, May: mayAsk, Bills: v.softlayer.BillDates, Most: cfg.MaxBatch,
		},
		Waits:    &waiting.Desk{Requests: desk, Waits: journal},
		Letters:  &correspondence.Desk{Requests: desk, Ledger: journal, Books: v.softlayer, MayWrite: b.right.Has, Wake: b.sender.Wake, Log: log},
		Overview: overview.New(overview.Options{Ledger: journal, People: b.directory, Policy: b.policy.Policy, Closings: b.closings, Answered: following.Answered, Log: log}),
		Search:   b.inventory, Named: v.softlayer, Virtual: v.softlayer, Near: b.inventory, Beside: v.softlayer,
		Key: journal.HMACKey(), Cards: journal, Team: v.bot.Team, Log: log,
	})
	b.dispatcher = receive.NewDispatcher(receive.DispatcherOptions{Log: log, Acknowledged: m.Acknowledged, Handler: cfg.marking(b.app)})
	if token := cfg.SlackAppToken.Reveal(); token != "" {
		b.socket = receive.NewSocket(receive.SocketOptions{
			AppToken: token, APIURL: cfg.SlackAPIURL, Dispatcher: b.dispatcher, Wanted: b.connections, Log: log, Called: v.told.slack,
		})
	}
	b.monitor = checkup.NewMonitor(checkup.MonitorOptions{
		Subject: b.subject(v), Grow: footprint.grow, Log: log, Announce: func(ctx context.Context, word string, problems []checkup.Finding) {
			b.announce(ctx, announcer, writer, word, problems)
		},
	})
	b.showLive()
	return b
}

// post posts a message about no request to a channel, if there is one. Failures are only logged.
func (b *bot) post(ctx context.Context, announcer *slackui.Announcer, channel string, m words.Message) {
	if channel == "" {
		return
	}
	if err := announcer.PostNotice(ctx, channel, m); err != nil {
		b.log.Warn("posting about no request", "channel", channel, "err", err)
	}
}

// connections returns how many of Slack's ten connections this process keeps: two if it is the only
// replica, so that one stays open while the other is replaced, else one.
func (b *bot) connections() int {
	if b.replicas.Load() > 1 {
		return 1
	}
	return 2
}

// owner names this process in leases and events.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown-host"
	}
	return host + "/" + strconv.Itoa(os.Getpid()) + "/" + strconv.FormatInt(time.Now().UnixNano(), 36)
}

// run serves until ctx ends or a part fails. Then it accepts nothing more, and finishes its work.
func (b *bot) run(ctx context.Context) error {
	defer b.directory.Close()
	defer b.app.Close()
	listeners, err := b.listen()
	if err != nil {
		return err
	}
	parts, partCtx := errgroup.WithContext(ctx)
	started := footprint.grow()
	parts.Go(func() error {
		b.warm(partCtx)
		started()
		return nil
	})
	parts.Go(func() error { b.inventory.Run(partCtx); return nil })
	parts.Go(func() error { b.closings.Run(partCtx); return nil })
	parts.Go(func() error { b.follower.Run(partCtx); return nil })
	if b.poster != nil {
		parts.Go(func() error { b.poster.Run(partCtx); return nil })
	}
	parts.Go(func() error { b.teller.Run(partCtx); return nil })
	parts.Go(func() error { b.monitor.Run(partCtx); return nil })
	for _, l := range listeners {
		b.serveOn(partCtx, parts, l)
	}
	if b.socket != nil {
		parts.Go(func() error { return b.socket.Run(partCtx) })
	}
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	var worker sync.WaitGroup
	worker.Go(func() { b.filer.Run(working) })
	worker.Go(func() { b.notifier.Run(working) })
	worker.Go(func() { b.letters.Run(working) })
	worker.Go(func() { b.orders.Run(working) })
	worker.Go(func() { b.journal.Listen(working, b.wake) })
	worker.Go(func() { b.heartbeat(working) })
	worker.Go(func() { b.measure(working) })
	if b.writer != nil { // else nobody can write into a ticket
		parts.Go(func() error { b.right.Run(partCtx); return nil })
		worker.Go(func() { b.sender.Run(working) })
	}
	worker.Go(func() { b.sealer.Run(working) })
	if b.watch != nil {
		worker.Go(func() { b.watch.Run(working) })
	}

	failed := parts.Wait()
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := b.dispatcher.Shutdown(draining); err != nil { // only a card that a form shows can take longer
		b.log.Warn("stopping", "err", err)
	}
	stopWorking()
	worker.Wait()
	return failed
}

// A replica sends a heartbeat at each interval. One that was silent for longer is not counted.
const (
	heartbeatInterval = 5 * time.Second
	heartbeatSilence  = 20 * time.Second
)

// heartbeat keeps count of the replicas until ctx ends, and then unregisters this one.
func (b *bot) heartbeat(ctx context.Context) {
	for ctx.Err() == nil {
		if n, err := b.journal.Heartbeat(ctx, b.filer.Owner, heartbeatSilence); err == nil {
			b.replicas.Store(int32(n))
		} else if ctx.Err() == nil {
			b.log.Warn("counting replicas", "err", err)
		}
		b.recorder.policy(ctx)
		select {
		case <-time.After(heartbeatInterval):
		case <-ctx.Done():
		}
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := b.journal.Unregister(leaving, b.filer.Owner); err != nil {
		b.log.Info("unregistering this replica", "err", err)
	}
}

// isTerminal reports whether people read this output.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// wakeTellers has people told what the follower found.
func (b *bot) wakeTellers() {
	b.notifier.Wake()
	b.letters.Wake()
	b.teller.Wake()
}

// wake has both workers look for something to do.
func (b *bot) wake() {
	b.filer.Wake()
	b.sender.Wake()
	b.notifier.Wake()
	b.orders.Wake()
}

// wakePosters has what people are owed posted.
func (b *bot) wakePosters() {
	b.notifier.Wake()
	b.letters.Wake()
}
