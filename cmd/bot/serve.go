package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
	"cancel-server/internal/store"
	"cancel-server/internal/typeahead"
)

// drainTime bounds how long what is in hand may take to end after a stop.
const drainTime = 8 * time.Second

// passShare is how much of SOFTLAYER_RATE reading all servers may take: the rest is for
// people and their requests.
const passShare = 0.5

// listenedPoll is how often the database is asked where it tells by itself of another
// process's work: in case that was missed.
const listenedPoll = 15 * time.Second

// serve runs the bot until ctx ends.
func serve(ctx context.Context, args []string, stderr io.Writer) error {
	if len(args) > 0 {
		return fmt.Errorf("%w: serve takes no arguments, got %q", errUsage, args)
	}
	cfg, err := LoadConfig()
	if err != nil {
		return err
	}
	log := NewLogger(cfg, stderr, isTerminal(stderr))
	f, err := reach(ctx, cfg)
	if err != nil {
		return err
	}
	defer f.close()
	policy, err := policyOf(cfg, f.home())
	if err != nil {
		return err
	}
	sayWarnings(log, policy)
	journal, err := f.openStore(ctx, cfg, true, log)
	if err != nil {
		return err
	}
	b := assemble(cfg, f, policy, journal, log)
	log.Info("serving", "team", f.bot.Team, "account", f.account.ID, "policy", policy.Digest(), "version", version())
	return errors.Join(b.run(ctx), journal.Close())
}

// sayWarnings says aloud what is allowed in a policy and ought to be known.
func sayWarnings(log *slog.Logger, policy *authz.Policy) {
	for _, warning := range policy.Warnings() {
		log.Warn("the policy in force", "says", warning)
	}
}

// bot is the assembled program.
type bot struct {
	cfg        Config
	log        *slog.Logger
	journal    *store.Store
	directory  *slackui.Directory
	policy     *inForce
	watch      *policyWatch // nil without a policy file
	inventory  *typeahead.Inventory
	filer      *cancellation.Filer
	notifier   *cancellation.Notifier
	dispatcher *receive.Dispatcher
	socket     *receive.Socket // nil without an app token
	books      cancellation.TicketReader
	replicas   atomic.Int32 // those that serve from this database, this one among them
}

func assemble(cfg Config, f *far, policy *authz.Policy, journal *store.Store, log *slog.Logger) *bot {
	b := &bot{cfg: cfg, log: log, journal: journal, books: f.softlayer, policy: newInForce(policy)}
	writer := words.Writer{
		TicketURL: ticketURL(cfg.TicketURL), PostTimeout: cfg.PostTimeout, SettleTime: cfg.SettleTime,
		PeopleSettle: b.policy.approvesAnybody, Contact: cfg.OperatorContact,
	}
	b.directory = slackui.NewDirectory(slackui.DirectoryOptions{
		Web: f.slack, HomeTeam: f.bot.Team, HomeEnterprise: f.bot.Enterprise, Groups: b.policy.GroupIDs, Log: log,
	})
	announcer := slackui.NewAnnouncer(slackui.AnnouncerOptions{Web: f.slack, Words: writer, Bot: f.bot.Bot, Log: log})
	limits := cancellation.DefaultLimits()
	limits.PostTimeout, limits.SettleTime = cfg.PostTimeout, cfg.SettleTime
	limits.FilingsPerHour = cfg.FilingsPerHour
	limits.Terms = cancellation.Terms{ApprovalExpiry: cfg.ApprovalExpiry, UndoWindow: cfg.UndoWindow}
	if cfg.PostgresURL() != "" {
		limits.Poll = listenedPoll
	}
	slackOutage := cancellation.NewOutage(announcer.Reach)
	b.notifier = &cancellation.Notifier{
		Requests: journal, Notices: journal, Clock: journal, Directory: b.directory, Policy: b.policy, Announcer: announcer,
		Slack: slackOutage, Limits: limits, Owner: owner(), Log: log, NotifyChannel: cfg.NotifyChannel,
	}
	b.filer = &cancellation.Filer{
		Requests: journal, Queue: journal, Freezes: journal, Notices: journal, Clock: journal,
		Servers: f.softlayer, Tickets: f.softlayer, Writer: f.softlayer, Directory: b.directory, Policy: b.policy,
		Slack: slackOutage, Notify: b.notifier.Wake, Limits: limits, Owner: b.notifier.Owner, Log: log, NotifyChannel: cfg.NotifyChannel,
	}
	if cfg.PolicyFile != "" {
		b.watch = newPolicyWatch(cfg.PolicyFile, b.policy, log)
		b.watch.taken = b.warmGroups
		b.watch.tell = func(ctx context.Context, problems []string) { b.say(ctx, announcer, writer.PolicyRefused(problems)) }
	}
	desk := &cancellation.Desk{
		Requests: journal, Intake: journal, Freezes: journal, Clock: journal,
		Servers: f.softlayer, Tickets: f.softlayer, Directory: b.directory, Policy: b.policy,
		Account: f.account, Terms: limits.Terms, NotifyChannel: cfg.NotifyChannel, ServersPerDay: cfg.ServersPerDay,
		Wake: b.wake, Log: log,
	}
	b.inventory = typeahead.New(typeahead.Options{
		Servers: f.softlayer, Tags: f.softlayer, Live: f.softlayer, Keeper: journal, Owner: b.filer.Owner,
		Rate: cfg.SoftLayerRate * passShare, Log: log,
	})
	b.dispatcher = receive.NewDispatcher(receive.DispatcherOptions{Log: log, Handler: slackui.NewApp(slackui.Options{
		Desk: desk, Web: f.slack, Directory: b.directory, Policy: b.policy, Words: writer,
		Search: b.inventory, Named: f.softlayer, Virtual: f.softlayer, Near: b.inventory,
		Key: journal.HMACKey(), Cards: journal, Team: f.bot.Team, Log: log,
	})})
	if token := cfg.SlackAppToken.Reveal(); token != "" {
		b.socket = receive.NewSocket(receive.SocketOptions{
			AppToken: token, APIURL: cfg.SlackAPIURL, Dispatcher: b.dispatcher, Wanted: b.connections, Log: log,
		})
	}
	return b
}

// say tells NOTIFY_CHANNEL something that concerns no request. Failing is only logged:
// what is said stands in the log too.
func (b *bot) say(ctx context.Context, announcer *slackui.Announcer, m words.Message) {
	if b.cfg.NotifyChannel == "" {
		return
	}
	if err := announcer.PostNotice(ctx, b.cfg.NotifyChannel, m); err != nil {
		b.log.Warn("telling NOTIFY_CHANNEL", "err", err)
	}
}

// connections is how many of Slack's ten this process keeps: two where it is alone, so
// that one stands while the other is replaced; one where replicas stand in for each other.
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

// run serves until ctx ends or a part fails, then takes nothing more and lets what
// is in hand end.
func (b *bot) run(ctx context.Context) error {
	defer b.directory.Close()
	doors, err := b.listen()
	if err != nil {
		return err
	}
	parts, partCtx := errgroup.WithContext(ctx)
	parts.Go(func() error { b.warm(partCtx); return nil })
	parts.Go(func() error { b.inventory.Run(partCtx); return nil })
	for _, d := range doors {
		b.open(partCtx, parts, d)
	}
	if b.socket != nil {
		parts.Go(func() error { return b.socket.Run(partCtx) })
	}
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	var worker sync.WaitGroup
	worker.Go(func() { b.filer.Run(working) })
	worker.Go(func() { b.notifier.Run(working) })
	worker.Go(func() { b.journal.Listen(working, b.wake) })
	worker.Go(func() { b.beat(working) })
	if b.watch != nil {
		worker.Go(func() { b.watch.run(working) })
	}

	failed := parts.Wait()
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := b.dispatcher.Shutdown(draining); err != nil { // only a form's card can take longer: nothing is lost
		b.log.Warn("stopping", "err", err)
	}
	stopWorking()
	worker.Wait()
	return failed
}

// A replica says each beat that it serves; one that was silent for long serves no more.
const (
	beatPause   = 5 * time.Second
	beatSilence = 20 * time.Second
)

// beat keeps count of the replicas until ctx ends, and then leaves them.
func (b *bot) beat(ctx context.Context) {
	for {
		if n, err := b.journal.Beat(ctx, b.filer.Owner, beatSilence); err == nil {
			b.replicas.Store(int32(n))
		} else if ctx.Err() == nil {
			b.log.Warn("counting replicas", "err", err)
		}
		pause := time.NewTimer(beatPause)
		select {
		case <-pause.C:
			continue
		case <-ctx.Done():
			pause.Stop()
		}
		break
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := b.journal.Leave(leaving, b.filer.Owner); err != nil {
		b.log.Info("leaving the replicas", "err", err)
	}
}

// warm reads what the first command would wait for. Failing is only said: each is
// read again where it is needed.
func (b *bot) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	b.warmGroups(ctx)
	rights, err := b.books.Rights(ctx)
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
	if err := b.directory.Warm(ctx); err != nil {
		b.log.Warn("reading the policy's user groups", "err", err)
	}
}

// door is an address that the bot listens on, and who answers there.
type door struct {
	listener net.Listener
	handler  http.Handler
}

// listen takes the addresses, all of them or none.
func (b *bot) listen() ([]door, error) {
	admin, err := net.Listen("tcp", b.cfg.AdminAddr)
	if err != nil {
		return nil, fmt.Errorf("listening on ADMIN_ADDR: %w", err)
	}
	b.log.Info("listening", "for", "operators", "addr", admin.Addr().String())
	doors := []door{{admin, b.admin()}}
	secrets := b.cfg.SlackSigningSecrets.Reveal()
	if len(secrets) == 0 {
		return doors, nil
	}
	listener, err := net.Listen("tcp", b.cfg.ListenAddr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening on LISTEN_ADDR: %w", err), admin.Close())
	}
	b.log.Info("listening", "for", "Slack", "addr", listener.Addr().String())
	slack := receive.NewHTTP(receive.HTTPOptions{SigningSecrets: secrets, Dispatcher: b.dispatcher, Log: b.log})
	return append(doors, door{listener, slack.Routes()}), nil
}

// open serves one door until ctx ends, then lets its requests end.
func (b *bot) open(ctx context.Context, parts *errgroup.Group, d door) {
	server := &http.Server{
		Handler: d.handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 15 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(b.log.Handler(), slog.LevelWarn),
	}
	parts.Go(func() error {
		if err := server.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving %s: %w", d.listener.Addr(), err)
		}
		return nil
	})
	parts.Go(func() error {
		<-ctx.Done()
		draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		return server.Shutdown(draining)
	})
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

// wake has both workers look for something to do.
func (b *bot) wake() {
	b.filer.Wake()
	b.notifier.Wake()
}
