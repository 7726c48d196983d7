package webapi

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"cancel-server/internal/skew"
)

// Bounds of calls to Slack's Web API.
const (
	quickTime   = 2500 * time.Millisecond // what belongs before an acknowledgement
	patientTime = 10 * time.Second        // the rest
	maxAnswer   = 16 << 20                // usergroups.list of a large organisation
	maxPooled   = 1 << 20                 // of a buffer that is kept for the next answer
)

// Options is how Slack's Web API is reached.
type Options struct {
	BotToken  string          `json:"-"`
	APIURL    string          // with a trailing slash; "" for Slack's own
	Quick     time.Duration   // limit of a call that a person waits for; 0 for 2.5 s
	Transport *http.Transport // nil for NewTransport
	Called    Called          // may be nil
	Mark      Mark
}

// Mark changes what people read right before it is sent. Either function may be nil.
type Mark struct {
	View    func(slack.ModalViewRequest) slack.ModalViewRequest
	Message func(text string, blocks []slack.Block) (string, []slack.Block)
}

func (m Mark) view(v slack.ModalViewRequest) sentView {
	if m.View != nil {
		v = m.View(v)
	}
	return sentView{ModalViewRequest: v}
}

func (m Mark) message(text string, blocks []slack.Block) (string, []slack.Block) {
	if m.Message == nil {
		return text, blocks
	}
	return m.Message(text, blocks)
}

// Format leaves the token out.
func (o Options) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "webapi.Options for "+o.APIURL)
}

// concealed is a credential. It prints as an address.
type concealed func() string

func conceal(credential string) concealed { return func() string { return credential } }

// Called is told of each call that was made: its method, or "response_url", and the error it ended with.
type Called func(method string, err error)

// Client calls Slack's Web API with the bot's token. It repeats no call: only the caller knows what
// may be repeated.
type Client struct {
	quick   *slack.Client
	patient *slack.Client
	views   *http.Client // carries views.*, which slack-go would encode and decode twice
	limits  *limits      // of what is asked in nobody's presence; views.* are always tried
	apiURL  string
	bearer  concealed // the Authorization of each call
	base    *http.Transport

	webhooks *http.Client // for response_urls; carries no token

	clock *skew.Gauge
	mark  Mark
}

// Format leaves the token out, which slack-go keeps in a field: fmt prints what an unexported field points to
// where the verb is wrong for it.
func (w Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "webapi.Client of "+w.apiURL) }

// New makes the client. It returns an error if apiURL is not a URL.
func New(o Options) (*Client, error) {
	apiURL := cmp.Or(o.APIURL, slack.APIURL)
	api, err := url.Parse(apiURL)
	if err != nil || api.Host == "" || !strings.HasSuffix(api.Path, "/") {
		return nil, fmt.Errorf("reading the URL of Slack's Web API %q: not an absolute URL with a trailing slash", apiURL)
	}
	w := &Client{apiURL: apiURL, bearer: conceal("Bearer " + o.BotToken), base: cmp.Or(o.Transport, NewTransport()), limits: newLimits(o.Called), clock: new(skew.Gauge), mark: o.Mark}
	client := func(limit time.Duration) *http.Client {
		return &http.Client{
			Timeout:       limit,
			Transport:     &apiTransport{base: w.base, bearer: w.bearer, host: api.Host, clock: w.clock},
			CheckRedirect: noRedirect,
		}
	}
	w.webhooks = &http.Client{Timeout: patientTime, Transport: okTransport{w.base}, CheckRedirect: noRedirect}
	w.views = client(cmp.Or(o.Quick, quickTime))
	calls := func(c *http.Client) *slack.Client {
		return slack.New(o.BotToken, slack.OptionAPIURL(apiURL), slack.OptionHTTPClient(c))
	}
	w.quick, w.patient = calls(w.views), calls(client(patientTime))
	return w, nil
}

// Close closes the idle connections.
func (w *Client) Close() { w.base.CloseIdleConnections() }

// NewTransport returns a transport with short dial timeouts. It goes through the proxy of
// HTTPS_PROXY and HTTP_PROXY, but never for loopback or what NO_PROXY names. The websocket takes
// the same way.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 2 * time.Second,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        64,
		MaxIdleConnsPerHost: 64,
		MaxConnsPerHost:     128,
		WriteBufferSize:     32 << 10, // a whole view in one write
		ReadBufferSize:      16 << 10,
		IdleConnTimeout:     90 * time.Second,
	}
}

// noRedirect keeps a token from being sent on to another address.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// apiTransport carries slack-go's calls. It always sends the token in the header, also where
// slack-go sends it in the form. It bounds every answer, and cuts those of views.* to what is
// needed before slack-go decodes them.
type apiTransport struct {
	base    http.RoundTripper
	bearer  concealed
	host    string
	clock   *skew.Gauge
	buffers sync.Pool // of *bytes.Buffer, to read into: of a whole view little is kept
}

// RoundTrip carries one call.
func (t *apiTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != t.host {
		return nil, fmt.Errorf("calling %q: the token belongs to %q", r.URL.Host, t.host)
	}
	if r.Header.Get("Authorization") != t.bearer() {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", t.bearer())
	}
	sent := time.Now()
	answer, err := t.base.RoundTrip(r)
	if err == nil {
		t.clock.Note(answer.Header.Get("Date"), sent, time.Now())
	}
	if err != nil || answer.StatusCode != http.StatusOK {
		return answer, err
	}
	body, err := t.read(answer.Body, strings.Contains(r.URL.Path, "/views."))
	_ = answer.Body.Close() // it was read as far as it counts
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if wordless(body) {
		body = []byte(`{"ok":false,"error":"` + noWord + `"}`)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	answer.ContentLength = int64(len(body))
	return answer, nil
}

// read reads an answer to its end, and of a view keeps only what is needed. What it returns shares
// no buffer with the next answer.
func (t *apiTransport) read(answer io.Reader, cut bool) ([]byte, error) {
	buffer, used := t.buffers.Get().(*bytes.Buffer)
	if !used {
		buffer = new(bytes.Buffer)
	}
	defer func() {
		if buffer.Cap() <= maxPooled { // one large list must not stay in memory
			t.buffers.Put(buffer)
		}
	}()
	buffer.Reset()
	if _, err := buffer.ReadFrom(io.LimitReader(answer, maxAnswer+1)); err != nil {
		return nil, err
	}
	body := buffer.Bytes()
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("over %d bytes", maxAnswer)
	}
	if cut {
		body = cutView(body)
	}
	return bytes.Clone(body), nil
}

// Ahead returns how far this host's clock is ahead of Slack's, negative if it is behind, by the last
// answer. known is false before the first.
func (w *Client) Ahead() (ahead time.Duration, known bool) { return w.clock.Ahead() }
