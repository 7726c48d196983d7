package softlayer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/skew"
)

// DefaultEndpoint is the REST base on the public network. Version 3.1 is the one
// that has SoftLayer_Search (https://sldn.softlayer.com/article/softlayer_search/).
const DefaultEndpoint = "https://api.softlayer.com/rest/v3.1"

// RateLimiter keeps the calls to SoftLayer at a rate: [Client.WithRateLimiter]. A read waits for
// its turn. Filing does not wait, because the reads it depends on would go stale; later reads wait
// longer instead.
type RateLimiter interface {
	// Wait returns when one call may start, or when ctx ends.
	Wait(ctx context.Context) error
	// Spend counts one call that did not wait. It never waits itself.
	Spend()
}

// Options say which account to call, and how.
type Options struct {
	// Endpoint is the REST base: https, or http to loopback. DefaultEndpoint if empty.
	Endpoint string
	// Username is a classic user name, or "apikey" (the default) with an IBM Cloud API key
	// (https://sldn.softlayer.com/article/authenticating-softlayer-api/).
	Username string
	// APIKey is the key that goes with Username. Required.
	APIKey string `json:"-"`
	// Timeout is how long one read may take, its wait for a turn included; 10 s if not
	// positive. Filing has the deadline of its context instead.
	Timeout time.Duration
	// Called is told of each call: its method, as "SoftLayer_Ticket/getObject", the error it ended
	// with, and how long it took, its wait for a turn included. May be nil.
	Called func(method string, err error, took time.Duration)
}

// String leaves the key out.
func (o Options) String() string { return o.Username + " at " + o.Endpoint }

// GoString leaves the key out.
func (o Options) GoString() string { return "softlayer.Options{" + o.String() + "}" }

// Format is String for every verb.
func (o Options) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, o.String()) }

// Client reads one SoftLayer account. It is safe for concurrent use. It keeps the credentials in
// functions, which print as addresses.
type Client struct {
	base      string
	timeout   time.Duration
	authorize func(*http.Request)
	conceal   func(string) string // takes the credentials out of foreign text
	turns     RateLimiter
	now       func() time.Time
	called    func(method string, err error, took time.Duration)
	reads     *http.Client
	kept      *keptRights
	clock     *skew.Gauge
}

var (
	_ cancellation.ServerReader = (*Client)(nil)
	_ cancellation.TicketReader = (*Client)(nil)
)

// New makes a client. It makes no call. Its errors name the option that is wrong, never its value.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	if err := checkEndpoint(o.Endpoint); err != nil {
		return nil, err
	}
	if o.APIKey == "" {
		return nil, errors.New("making the SoftLayer client: the API key is empty")
	}
	if strings.Contains(o.Username, ":") { // RFC 7617, section 2
		return nil, errors.New("making the SoftLayer client: a user name for HTTP Basic has no colon")
	}
	pair := base64.StdEncoding.EncodeToString([]byte(o.Username + ":" + o.APIKey))
	return &Client{
		base:      strings.TrimRight(o.Endpoint, "/"),
		timeout:   o.Timeout,
		authorize: func(r *http.Request) { r.Header.Set("Authorization", "Basic "+pair) },
		conceal:   strings.NewReplacer(pair, "[key]", o.APIKey, "[key]").Replace,
		turns:     atWill{},
		now:       time.Now,
		called:    o.Called,
		reads:     newHTTPClient(readTransport()),
		kept:      &keptRights{},
		clock:     new(skew.Gauge),
	}, nil
}

// WithRateLimiter returns the same client with a rate limiter for its calls.
func (c *Client) WithRateLimiter(t RateLimiter) *Client {
	kept := *c
	kept.turns = t
	return &kept
}

// atWill limits nothing.
type atWill struct{}

func (atWill) Wait(context.Context) error { return nil }
func (atWill) Spend()                     {}

// Ahead returns how far this host's clock is ahead of SoftLayer's, negative if it is behind, by the last
// answer. known is false before the first.
func (c *Client) Ahead() (ahead time.Duration, known bool) { return c.clock.Ahead() }

// Close closes idle connections. Calls under way continue.
func (c *Client) Close() { c.reads.CloseIdleConnections() }

func (o Options) withDefaults() Options {
	if o.Endpoint == "" {
		o.Endpoint = DefaultEndpoint
	}
	if o.Username == "" {
		o.Username = "apikey"
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Called == nil {
		o.Called = func(string, error, time.Duration) {}
	}
	return o
}

func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Hostname() == "":
		return errors.New("reading the SoftLayer endpoint: not a URL with a host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("reading the SoftLayer endpoint: it has credentials, a query or a fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !IsLoopback(u.Hostname())):
		return errors.New("reading the SoftLayer endpoint: neither https nor http to loopback")
	}
	return nil
}

// IsLoopback reports whether a host is this machine: localhost, or a loopback address.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// do makes one call, once, and returns its answer: JSON with status 2xx that is
// neither an error nor null. Every error is an *Error.
func (c *Client) do(ctx context.Context, k call) (json.RawMessage, error) {
	began := time.Now()
	answer, err := c.attempt(ctx, k)
	c.called(k.name(), err, time.Since(began))
	return answer, err
}

func (c *Client) attempt(ctx context.Context, k call) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, c.patience(k))
	defer cancel()
	wire, client := &trace{}, c.reads
	if k.filing {
		wire.look = newLastLook(ctx, c.now)
		client = newHTTPClient(filingTransport(wire.look))
	}
	request, err := k.request(wire.watch(ctx), c.base)
	if err != nil {
		return nil, c.broken(ctx, k, wire, err)
	}
	c.authorize(request)
	request.Header.Set("User-Agent", "cancel-server")
	if err := c.turn(ctx, k); err != nil {
		return nil, c.broken(ctx, k, wire, err)
	}
	sent := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return nil, c.broken(ctx, k, wire, err)
	}
	c.clock.Note(response.Header.Get("Date"), sent, time.Now())
	defer response.Body.Close()
	body, err := readBounded(response.Body)
	if err != nil {
		failed := c.broken(ctx, k, wire, err)
		failed.Status = response.StatusCode
		return nil, failed
	}
	if k.raw != nil {
		*k.raw = c.asItCame(response.StatusCode, body)
	}
	if failed := classify(response.StatusCode, response.Header, body); failed != nil {
		return nil, c.cleaned(failed, k)
	}
	if k.header != nil {
		*k.header = response.Header
	}
	return body, nil
}

// turn waits until the rate allows one more call.
func (c *Client) turn(ctx context.Context, k call) error {
	if k.filing {
		c.turns.Spend()
		return nil
	}
	return c.turns.Wait(ctx)
}

// patience bounds a call whose context does not. The vendor's own clients wait two
// minutes for an answer (https://github.com/softlayer/softlayer-go/pull/48).
func (c *Client) patience(k call) time.Duration {
	if k.filing {
		return maxFiling
	}
	return c.timeout
}

// maxFiling is longer than any deadline that filing is given; it is used if there is none.
const maxFiling = 10 * time.Minute

// cleaned adds the call to an error, keeps foreign text short, and removes control characters and the
// credentials from it.
func (c *Client) cleaned(failed *Error, k call) *Error {
	failed.Method = k.name()
	failed.Code = printable(c.conceal(failed.Code))
	failed.Text = printable(c.conceal(failed.Text))
	return failed
}
