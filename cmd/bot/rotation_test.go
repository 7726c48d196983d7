//go:build unix

package main

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
)

// Secrets are replaced while people work.

func TestSecretsAreReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	t.Run("two replicas, over HTTP", func(t *testing.T) { t.Parallel(); rollsOverHTTP(t) })
	t.Run("two replicas, over Socket Mode", func(t *testing.T) { t.Parallel(); rollsOverSocketMode(t) })
	for _, transport := range []string{byHTTP, bySocket} {
		t.Run("one process on SQLite, "+transport, func(t *testing.T) { t.Parallel(); restartsOnSQLite(t, transport) })
	}
}

func rollsOverHTTP(t *testing.T) {
	w, _ := onPostgres(t, byHTTP, 3, busy())
	all := w.together(w.child, w.replica())
	w.balanceBy(all)
	work := w.working()

	old := w.slack.SigningSecret()
	w.slack.ReplaceSigningSecret() // Slack signs with the new one at once
	all.rolls(work, "SLACK_SIGNING_SECRET="+w.slack.SigningSecret()+","+old)
	work.goesOn()

	w.slack.RevokeBotToken() // it cannot have two
	work.more()
	work.isRefused()
	w.slack.Reinstall()
	w.invited()
	all.rolls(work)
	work.goesOn()
	work.ends()
}

func rollsOverSocketMode(t *testing.T) {
	w, db := onPostgres(t, bySocket, 3, busy())
	all := w.together(w.child, w.replica())
	w.awaitReady()
	work := w.working()
	first, second := w.databaseUser(db), w.databaseUser(db)
	signs, verifies := w.auditKey("first")
	signsNext, _ := w.auditKey("second")
	work.readsNothing("the app-level token and the key of SoftLayer", func() {
		w.slack.AddAppToken()
		w.softlayer.AddAPIKey()
		all.rolls(work, "DATABASE_URL="+w.as(first), "AUDIT_KEY_FILE="+signs)
		w.slack.RevokeOldAppTokens()
		w.softlayer.RevokeOldAPIKeys()
		work.goesOn()
	})
	w.sealed()
	code, checkpoint := w.ends([]string{"audit", "checkpoint"}, "AUDIT_KEY_FILE="+signs)
	require.Equal(t, exitDone, code, checkpoint)
	work.readsNothing("the user of the database and the key of checkpoints", func() {
		all.rolls(work, "DATABASE_URL="+w.as(second), "AUDIT_KEY_FILE="+signsNext)
		_, err := db.ExecContext(t.Context(), "alter role "+first+" nologin")
		require.NoError(t, err)
		work.goesOn()
	})
	work.ends()
	all.stop(w)
	code, said := w.ends([]string{"audit", "verify", "--checkpoint", written(t, "saved.txt", checkpoint), "--key", verifies})
	assert.Equal(t, exitDone, code, "a checkpoint of the key before: %s", said)
	assert.Contains(t, said, "Its signature is valid.")
}

// auditKey makes a key for checkpoints, and returns its file and what verifies its signatures.
func (w *world) auditKey(name string) (file, verifier string) {
	w.t.Helper()
	file = filepath.Join(w.dir, name+".key")
	code, said := w.ends([]string{"audit", "keygen", file, "--name", "example.com/" + name})
	require.Equal(w.t, exitDone, code, said)
	return file, strings.TrimSpace(said)
}

func restartsOnSQLite(t *testing.T, transport string) {
	w := started(t, transport, busy())
	work := w.working()
	w.softlayer.AddAPIKey()
	w.slack.ReplaceSigningSecret()
	w.slack.AddAppToken()
	work.more()
	w.stop()
	w.slack.RevokeBotToken()
	w.slack.Reinstall()
	w.invited()
	w.start()
	w.softlayer.RevokeOldAPIKeys()
	w.slack.RevokeOldAppTokens()
	work.goesOn()
	work.ends()
}

// A classic user of SoftLayer has one key: the old one ends before the bot has the new one.
func TestARequestWaitsForTheNewKey(t *testing.T) {
	overHTTP(t, busy(), func(t *testing.T, w *world) {
		m := w.form(w.cast.Channel, w.cast.User, w.server)
		w.softlayer.AddAPIKey()
		w.softlayer.RevokeOldAPIKeys()
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
		w.awaitMessage(w.cast.Channel, "Waiting to be filed", "SoftLayer does not take the bot's key", w.fqdn(w.server))
		w.command(w.cast.User, "")
		w.pick(w.cast.User, option(strconv.FormatInt(w.another(), 10)))
		w.eventually("the form says why it has no card", func() bool {
			return strings.Contains(w.top(w.cast.User).text(w), "SoftLayer does not take the bot's key")
		})
		w.stop()
		w.start()
		w.awaitSoon(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Len(t, w.tickets(w.server), 1)
		assert.Len(t, w.about(w.cast.Channel, w.fqdn(w.server)), 1)
	})
}

// busy is a world in which two people may ask for many servers.
func busy() setup {
	return setup{
		softlayer: fakesoftlayer.Options{Servers: 500}, slack: fakeslack.Options{RateLimitsOff: true},
		extra: []string{"MAX_SERVERS_PER_DAY=1000", "MAX_FILINGS_PER_HOUR=1000"},
		before: func(w *world) {
			require.NoError(w.t, w.slack.PatchGroup(w.cast.CancelGroup, fakeslack.GroupPatch{Add: []string{w.cast.Hostile}}))
		},
	}
}

// invited has the bot invited to the channel again.
func (w *world) invited() {
	w.t.Helper()
	require.NoError(w.t, w.slack.PatchChannel(w.cast.Channel, fakeslack.ChannelPatch{BotIn: yes()}))
}

// databaseUser makes a user of the database who may do what its owner may.
func (w *world) databaseUser(db *sql.DB) string {
	w.t.Helper()
	name := fmt.Sprintf("cancel_server_%d_%d", syscall.Getpid(), ports.Add(1))
	_, err := db.ExecContext(w.t.Context(), "create role "+name+" login in role current_user")
	require.NoError(w.t, err)
	w.t.Cleanup(func() {
		_, err := db.ExecContext(context.WithoutCancel(w.t.Context()), "drop role "+name)
		assert.NoError(w.t, err)
	})
	return name
}

// as is the URL of the database for another user.
func (w *world) as(user string) string {
	w.t.Helper()
	at, err := url.Parse(w.postgres)
	require.NoError(w.t, err)
	at.User = url.User(user)
	return at.String()
}

// replicas are bots of one database, and a load balancer that a bot is taken out of before it stops.
type replicas struct {
	mu   sync.RWMutex // held while a request is on its way
	bots []*child
	turn atomic.Uint64
}

func (w *world) together(bots ...*child) *replicas {
	w.child = nil // replaced like the others
	return &replicas{bots: bots}
}

func (w *world) balanceBy(all *replicas) {
	w.t.Helper()
	balancer := httptest.NewServer(all)
	w.t.Cleanup(balancer.Close)
	w.balanced, w.endpoint = true, balancer.URL
	w.slack.SetEndpoint(balancer.URL)
}

func (all *replicas) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	all.mu.RLock()
	defer all.mu.RUnlock()
	to := all.bots[all.turn.Add(1)%uint64(len(all.bots))].at
	(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}).ServeHTTP(out, in)
}

// rolls replaces each bot by one that starts with the secrets of now, one after another.
func (all *replicas) rolls(work *load, added ...string) {
	w := work.w
	w.t.Helper()
	for i, old := range all.bots {
		work.more()
		c := w.run(nil, added...)
		w.t.Cleanup(func() { _ = c.cmd.Process.Kill(); <-c.done })
		w.awaitReady()
		all.mu.Lock()
		all.bots[i] = c
		all.mu.Unlock()
		work.more()
		old.ends(w)
	}
}

func (all *replicas) stop(w *world) {
	w.t.Helper()
	for _, c := range all.bots {
		c.ends(w)
	}
}

// ends has a bot end as an operator does.
func (c *child) ends(w *world) {
	w.t.Helper()
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	assert.Zero(w.t, c.exit(w.t), "it ends well: %s", c.log)
	w.keepsSecrets(c.log.String())
}

// load is people who ask for one server after another, and what they read.
type load struct {
	w      *world
	done   context.CancelFunc
	all    sync.WaitGroup
	wanted atomic.Int64 // so many requests are asked for, and no more

	mu       sync.Mutex
	accepted []int64
	read     []string // where something was not taken
}

// working has two people ask until the load ends.
func (w *world) working() *load {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	l := &load{w: w, done: cancel}
	for _, user := range []string{w.cast.User, w.cast.Hostile} {
		l.all.Go(func() { l.asks(ctx, user) })
	}
	w.t.Cleanup(func() { cancel(); l.all.Wait() })
	l.goesOn()
	return l
}

// opened is a form that waits to be sent.
type opened struct {
	server int64
	form   modal
	values fakeslack.Values
}

// mostOpen is how many forms a person has open, so that many outlive a restart.
const mostOpen = 3

// asks opens a form and sends the one that was opened longest ago, again and again. What is not taken is
// tried again, as people do.
func (l *load) asks(ctx context.Context, user string) {
	var forms []opened
	server := l.w.another()
	for ; ctx.Err() == nil; l.pauses(ctx) {
		if accepted, _ := l.counts(); int64(accepted) >= l.wanted.Load() {
			continue
		}
		f, ok := l.opens(user, server)
		if ok {
			forms, server = append(forms, f), l.w.another()
		}
		for len(forms) >= mostOpen || len(forms) > 0 && !ok {
			if !l.sends(user, forms[0]) {
				break
			}
			forms = forms[1:]
		}
	}
}

// more has people ask for more, so that some are asking whenever a bot is replaced.
func (l *load) more() {
	accepted, _ := l.counts()
	l.wanted.Store(int64(accepted) + 6)
}

// pauses is how long a person takes between two forms.
func (l *load) pauses(ctx context.Context) {
	select {
	case <-time.After(2 * databasePause):
	case <-ctx.Done():
	}
}

func (l *load) opens(user string, server int64) (opened, bool) {
	w, id := l.w, strconv.FormatInt(server, 10)
	before := len(w.ephemeral(w.cast.Channel, user))
	ack, err := w.slack.Command(context.WithoutCancel(w.t.Context()), fakeslack.Command{User: user, Channel: w.cast.Channel, Command: "/cancel-server", Text: id})
	if !assert.NoError(w.t, err) || l.refused(ack) {
		return opened{}, false
	}
	var f opened
	var told []message
	typed := time.Now()
	w.eventually("a command is answered, or typed again", func() bool {
		views, err := w.slack.Views(user)
		for _, v := range views {
			if m := w.modal(v); err == nil && strings.Contains(m.Raw, "confirm:"+id) {
				f = opened{server, m, w.usual(m, server)}
				return true
			}
		}
		told = w.ephemeral(w.cast.Channel, user)
		return len(told) > before || time.Since(typed) > long/6 // the form is there, and its card could not be shown
	})
	if f.server == 0 && len(told) > before {
		l.reads(told[len(told)-1].Shown)
	}
	return f, f.server != 0
}

func (l *load) sends(user string, f opened) (taken bool) {
	ack, err := l.w.slack.Submit(context.WithoutCancel(l.w.t.Context()), fakeslack.Submission{User: user, View: f.form.ID, Values: f.values})
	if !assert.NoError(l.w.t, err) || l.refused(ack) {
		return false
	}
	if taken = strings.Contains(string(ack.Body), `"Recorded"`); !taken {
		l.reads(string(ack.Body))
		return false
	}
	_, err = l.w.slack.CloseView(context.WithoutCancel(l.w.t.Context()), user, f.form.ID)
	assert.NoError(l.w.t, err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted = append(l.accepted, f.server)
	return true
}

// slacksOwn begins what Slack itself tells people of a request that was not taken.
const slacksOwn = "Slack: "

func (l *load) refused(ack fakeslack.Ack) bool {
	if ack.Error != "" {
		l.reads(slacksOwn + ack.Error)
	}
	return ack.Error != ""
}

func (l *load) reads(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read = append(l.read, text)
}

func (l *load) counts() (accepted, read int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.accepted), len(l.read)
}

// goesOn waits until more is accepted.
func (l *load) goesOn() {
	l.w.t.Helper()
	l.more()
	before, _ := l.counts()
	l.w.eventually("people go on", func() bool { now, _ := l.counts(); return now >= before+4 })
}

// isRefused waits until somebody reads that something was not taken.
func (l *load) isRefused() {
	l.w.t.Helper()
	_, before := l.counts()
	l.w.eventually("somebody is refused", func() bool { _, now := l.counts(); return now > before })
}

// readsNothing holds a change to being noticed by nobody.
func (l *load) readsNothing(changed string, change func()) {
	l.w.t.Helper()
	_, before := l.counts()
	change()
	l.mu.Lock()
	defer l.mu.Unlock()
	assert.Empty(l.w.t, l.read[before:], "nobody notices that %s is replaced", changed)
}

// mentions counts the messages for everybody that have these words.
func mentions(said []message, words ...string) (count int) {
	for _, m := range said {
		if m.To == "" && hasAll(m.Shown, words) {
			count++
		}
	}
	return count
}

// ends ends the load, and holds the bot to what it accepted and to what it said of the rest.
func (l *load) ends() {
	w := l.w
	w.t.Helper()
	l.done()
	l.all.Wait()
	for _, text := range l.read {
		clear := strings.HasPrefix(text, slacksOwn) || strings.Contains(strings.ToLower(text), "nothing was filed") || strings.Contains(text, "not recorded")
		assert.True(w.t, clear, "people read what came of it: %s", text)
	}
	w.eventually("each reads that it was requested", func() bool {
		said := w.messages(w.cast.Channel)
		return !slices.ContainsFunc(l.accepted, func(server int64) bool { return mentions(said, "Cancellation requested", w.fqdn(server)) == 0 })
	})
	var tickets []ticket
	w.control(http.MethodGet, "/tickets", nil, &tickets)
	said := w.messages(w.cast.Channel)
	for _, server := range l.accepted {
		made := slices.DeleteFunc(slices.Clone(tickets), func(t ticket) bool { return !strings.Contains(t.FirstUpdate.Entry, w.fqdn(server)) })
		assert.Len(w.t, made, 1, "one ticket")
		assert.Equal(w.t, 1, mentions(said, w.fqdn(server)), "one message")
	}
	assert.Len(w.t, w.posts(), len(l.accepted), "one POST each")
	w.eventually("nothing else is recorded", func() bool {
		return maps.Equal(map[string]int{"filed": len(l.accepted)}, w.recorded())
	})
	w.t.Logf("%d requests were accepted; people read %d times that something was not taken", len(l.accepted), len(l.read))
}
