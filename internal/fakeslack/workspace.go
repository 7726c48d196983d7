package fakeslack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// The two ways in which Slack reaches a bot.
const (
	TransportSocket = "socket"
	TransportHTTP   = "http"
)

// Options says what kind of workspace to make. The zero value is a workspace
// on the real clock that reaches its bot by Socket Mode.
type Options struct {
	// Seed makes every id, token and secret; the same seed makes the same workspace.
	Seed uint64
	// Now is the clock of triggers, response_urls, rate limits and message times;
	// default time.Now. Signatures always carry the real time.
	Now func() time.Time
	// URL is where Handler is mounted, with no trailing slash, such as
	// http://127.0.0.1:4000/slack. It stands in response_urls and in the URL of
	// the websocket. SetURL may give it before first use.
	URL string
	// Transport is TransportSocket or TransportHTTP; by default HTTP where an
	// Endpoint is given, Socket Mode elsewhere.
	Transport string
	// Endpoint is the bot's base URL for signed requests, with no trailing slash:
	// /slack/commands, /slack/interactions and /slack/events are appended.
	Endpoint string
	// Scopes are those granted to the bot token; default DefaultScopes.
	Scopes []string
	// Commands are the slash commands that the app has, by which the page refuses
	// others, as Slack does; default /cancel-server. Command delivers any.
	Commands []string
	// Manifest is what else the app has; default DefaultManifest.
	Manifest *Manifest
	// EventRetries are the waits before the retries of an event over HTTP, by the
	// workspace's clock; default DefaultEventRetries.
	EventRetries []time.Duration
	// EnterpriseID makes the workspace and its people part of an enterprise; default none.
	EnterpriseID string
	// RateLimitsOff stops the answering of 429 for too many calls.
	RateLimitsOff bool
	// AckTimeout is the real time in which the bot has to acknowledge; default 3 s,
	// as Slack's own: https://docs.slack.dev/interactivity/handling-user-interaction
	// A longer one is for tests whose promise is another: a trigger_id lives as long.
	AckTimeout time.Duration
	// PingInterval is the time between two websocket pings; default 5 s.
	PingInterval time.Duration
	// MaxSockets is how many Socket Mode connections may be open; default 10, as
	// Slack's own. One more is sent away in place of its hello.
	MaxSockets int
	// Lingering is how long a connection that is gone still counts among MaxSockets;
	// default not at all. How long it is with Slack is not known.
	Lingering time.Duration
	// Observe, if set, is told of each finished request, in the goroutine that
	// ended it; it must not call the workspace's Close.
	Observe func(Exchange)
}

// DefaultScopes returns the scopes of a bot token unless Options says otherwise:
// those that the main job needs, without any history scope.
func DefaultScopes() []string {
	return []string{"commands", "chat:write", "im:write", "usergroups:read", "users:read"}
}

// Workspace is one strict fake of Slack: its people, its Web API, its way to the bot.
// All methods may be called from many goroutines.
type Workspace struct {
	opts   Options
	client *http.Client
	done   chan struct{}
	tasks  sync.WaitGroup
	reach

	mu       sync.Mutex
	closed   bool
	random   *rand.Rand
	identity identity
	clock
	changes
	people
	conversations
	forms
	troubles
	deliveries
}

// clock is when the workspace was made, by the real clock, and by how much it was moved.
type clock struct {
	since  time.Time
	offset time.Duration
}

// reach is whether the bot can be reached.
type reach struct {
	reached     atomic.Bool // whether the last request over HTTP was answered
	everReached atomic.Bool // over HTTP or by a websocket
}

// changes is what tells those who watch that something is new.
type changes struct {
	changed chan struct{} // closed and replaced at each change that people can see
	version int
}

// people is who there is.
type people struct {
	cast   Cast
	users  []*user
	groups []*group
}

// conversations is what people and the bot write, and where.
type conversations struct {
	channels []*channel
	messages []*message
	edits    map[string]int // changes in each conversation
	lastTS   int64          // microseconds of the last message
	replies  *recent[string, *reply]
}

// forms is the views that people have open, and what lets the bot open more.
type forms struct {
	modals   []*modal
	triggers *recent[string, *trigger]
	expected map[string]time.Time // who may see a form open soon, and until when
	homes    map[string]*modal    // what is published in whose Home tab
	opened   map[string]time.Time // whose Home tab may change soon, and until when
}

// troubles is what keeps a call from being answered.
type troubles struct {
	limits map[string]*bucket
	faults []*fault
}

// deliveries is what was sent to the bot, and the connections for more.
type deliveries struct {
	sent      *recent[int, *delivery]
	delivered int // how many there were
	sockets   *sockets
	verified  string // the endpoint that answered its challenge
}

// What the workspace remembers of the past, so that it never grows without end.
const (
	remembered = 10_000 // triggers, response_urls
	replayable = 1000   // deliveries
)

// New makes a workspace. Close ends it.
func New(opts Options) *Workspace {
	opts.fill()
	w := &Workspace{
		opts:          opts,
		clock:         clock{since: time.Now()},
		client:        newBotClient(),
		done:          make(chan struct{}),
		random:        rand.New(rand.NewPCG(opts.Seed, opts.Seed^0x5eed)),
		changes:       changes{changed: make(chan struct{})},
		conversations: conversations{edits: make(map[string]int), replies: newRecent[string, *reply](remembered)},
		forms:         newForms(),
		troubles:      troubles{limits: make(map[string]*bucket)},
		deliveries:    deliveries{sent: newRecent[int, *delivery](replayable), sockets: newSockets()},
	}
	w.identity = newIdentity(w.random)
	w.identity.enterpriseID = opts.EnterpriseID
	w.populate()
	return w
}

func newForms() forms {
	return forms{
		triggers: newRecent[string, *trigger](remembered), expected: map[string]time.Time{},
		homes: map[string]*modal{}, opened: map[string]time.Time{},
	}
}

func (o *Options) fill() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Transport == "" {
		o.Transport = TransportSocket
		if o.Endpoint != "" {
			o.Transport = TransportHTTP
		}
	}
	if o.Scopes == nil {
		o.Scopes = DefaultScopes()
	}
	if o.Commands == nil {
		o.Commands = []string{"/cancel-server"}
	}
	if o.Manifest == nil {
		manifest := DefaultManifest()
		o.Manifest = &manifest
	}
	if o.EventRetries == nil {
		o.EventRetries = DefaultEventRetries()
	}
	if o.AckTimeout <= 0 {
		o.AckTimeout = 3 * time.Second
	}
	if o.PingInterval <= 0 {
		o.PingInterval = 5 * time.Second
	}
	if o.MaxSockets <= 0 {
		o.MaxSockets = maxSockets
	}
}

// Close ends every socket and every waiting request, and waits for every goroutine.
func (w *Workspace) Close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.done)
	}
	w.mu.Unlock()
	w.sockets.closeAll()
	w.tasks.Wait()
	w.client.CloseIdleConnections()
}

// SetURL says where Handler is mounted; for a listener whose port is known late.
func (w *Workspace) SetURL(url string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opts.URL = url
}

// SetEndpoint sends the coming deliveries to a bot at this base URL, where the
// workspace's Transport is HTTP.
func (w *Workspace) SetEndpoint(url string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opts.Endpoint = url
}

// Advance moves the workspace's clock forward.
func (w *Workspace) Advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offset += d
	w.touch()
}

// now is the workspace's own time; the lock is held.
func (w *Workspace) now() time.Time { return w.opts.Now().Add(w.offset) }

// touch tells all who wait that something changed; the lock is held.
func (w *Workspace) touch() {
	w.version++
	close(w.changed)
	w.changed = make(chan struct{})
}

// Wake makes open pages look again: something outside the workspace changed.
func (w *Workspace) Wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.touch()
}

// start runs a task that Close waits for; it reports false once closed.
func (w *Workspace) start(task func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.tasks.Go(task)
	return true
}

// within returns a context that also ends when the workspace is closed.
func (w *Workspace) within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	stop := make(chan struct{})
	if !w.start(func() {
		select {
		case <-w.done:
			cancel()
		case <-stop:
		}
	}) {
		cancel()
	}
	return ctx, sync.OnceFunc(func() { close(stop); cancel() })
}

// timestamp returns the next message time, unlike any before; the lock is held.
func (w *Workspace) timestamp() string {
	w.lastTS = max(w.lastTS+1, w.now().UnixMicro())
	return fmt.Sprintf("%d.%06d", w.lastTS/1e6, w.lastTS%1e6)
}

var (
	errUnknownID = errors.New("no such id in this workspace")
	errClosed    = errors.New("the workspace is closed")
	errEndpoint  = errors.New("an endpoint is an http URL on loopback")
	errSocket    = errors.New("this workspace reaches its bot by Socket Mode, which has no endpoint")
)

func unknownID(kind, id string) error { return fmt.Errorf("finding %s %q: %w", kind, id, errUnknownID) }

// recent remembers the latest so many things by id and forgets the oldest.
type recent[K comparable, V any] struct {
	limit int
	byID  map[K]V
	order []K
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	return &recent[K, V]{limit: limit, byID: make(map[K]V)}
}

// put remembers a thing under an id that is not known yet.
func (r *recent[K, V]) put(id K, thing V) {
	r.byID[id] = thing
	r.order = append(r.order, id)
	if len(r.order) > r.limit {
		delete(r.byID, r.order[0])
		r.order = r.order[1:]
	}
}

// get returns the thing of this id, the zero value if it is unknown or forgotten.
func (r *recent[K, V]) get(id K) V { return r.byID[id] }
