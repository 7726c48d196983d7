//go:build bench

package bench

import (
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	floorSetting  = "BENCH_FLOOR"  // which floor this process is
	sampleSetting = "BENCH_SAMPLE" // path of a sample, in JSON
)

// The contenders.
const (
	theBot    = "bot"
	netHTTP   = "net-http"
	slackGo   = "slack-go"
	bareStore = "bare-store"
)

// sample is what the floors copy from the bot.
type sample struct {
	Opens    json.RawMessage // the body that it sent to views.open
	Answer   string          // to a submission
	Calls    []call          // that it made for the submission, in order
	Server   string          // of the submission
	Member   string          // who made it
	Ticket   string          // that came of it
	Decision string          // of its row
	Rule     string          // of its event
	Servers  int             // that are offered by what has a typeahead
	Offered  string          // the answer to a keystroke
}

// call is one request to a vendor.
type call struct{ Method, Path, Type, Body string }

// floor is this binary as one of the floors.
func (l *lab) floor(name string, like sample, databaseURL string) program {
	self, err := os.Executable()
	require.NoError(l, err)
	text, err := json.Marshal(like)
	require.NoError(l, err)
	path := filepath.Join(l.TempDir(), "sample.json")
	require.NoError(l, os.WriteFile(path, text, 0o600))
	return program{name: name, path: self, env: []string{
		floorSetting + "=" + name, sampleSetting + "=" + path, "VENDORS_URL=" + l.url, "DATABASE_URL=" + databaseURL,
	}}
}

// runFloor serves as a floor until the process is ended.
func runFloor(name string) int {
	var like sample
	text, err := os.ReadFile(os.Getenv(sampleSetting))
	if err == nil {
		err = json.Unmarshal(text, &like)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "reading the sample:", err)
		return 1
	}
	mux := http.NewServeMux()
	switch name {
	case bareStore:
		err = serveBooks(mux, like)
	case netHTTP:
		(&bareHTTP{like, newOutgoing(like)}).serve(mux)
	case slackGo:
		err = serveSlackGo(mux, like)
	}
	if err == nil {
		err = http.ListenAndServe(os.Getenv("LISTEN_ADDR"), mux)
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// outgoing makes the calls of a sample.
type outgoing struct {
	*http.Client
	url   string // of the vendors
	like  sample
	slots chan struct{} // for submissions
}

// newOutgoing keeps as many connections to the vendors as requests are at work, as the bot
// does; net/http's own two would charge the floors for dialling.
func newOutgoing(like sample) *outgoing {
	return &outgoing{
		Client: &http.Client{Transport: &http.Transport{MaxIdleConns: 2 * maxConnections, MaxIdleConnsPerHost: maxConnections}},
		url:    os.Getenv("VENDORS_URL"), like: like, slots: make(chan struct{}, maxConnections),
	}
}

// later does something after the acknowledgement. What waits for a slot is lost with the process.
func (o *outgoing) later(do func() error) {
	go func() {
		o.slots <- struct{}{}
		defer func() { <-o.slots }()
		if err := do(); err != nil {
			fmt.Fprintln(os.Stderr, err) // the benchmark misses the message
		}
	}()
}

// do makes a call, with some words replaced, and returns the answer.
func (o *outgoing) do(c call, words *strings.Replacer) ([]byte, error) {
	request, err := http.NewRequest(c.Method, o.url+words.Replace(c.Path), strings.NewReader(words.Replace(c.Body)))
	if err != nil {
		return nil, err
	}
	if c.Type != "" {
		request.Header.Set("Content-Type", c.Type)
	}
	request.Header.Set("Authorization", "Bearer "+botToken)
	answer, err := o.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(answer.Body)
}

// file makes the calls of a submission up to its ticket, and returns what has the words of a call replaced.
func (o *outgoing) file(server, member string, calls []call) (*strings.Replacer, error) {
	words := strings.NewReplacer(o.like.Server, server, o.like.Member, member)
	var ticket struct{ ServiceProviderResourceID string }
	for _, c := range calls {
		answer, err := o.do(c, words)
		if err == nil {
			err = json.Unmarshal(answer, &ticket)
		}
		if err != nil {
			return nil, fmt.Errorf("calling %s: %w", c.Path, err)
		}
	}
	if ticket.ServiceProviderResourceID == "" {
		return nil, errors.New("no ticket came")
	}
	return strings.NewReplacer(o.like.Server, server, o.like.Member, member, o.like.Ticket, ticket.ServiceProviderResourceID), nil
}

// bareHTTP is the least that the bot's calls can cost with net/http.
type bareHTTP struct {
	like sample
	*outgoing
}

func (f *bareHTTP) serve(mux *http.ServeMux) {
	mux.HandleFunc("POST /slack/commands", f.command)
	mux.HandleFunc("POST /slack/interactions", f.interaction)
}

func (f *bareHTTP) command(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !fromSlack(r.Header, body) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	opens := call{http.MethodPost, "/slack/api/views.open", "application/json", string(f.like.Opens)}
	if _, err := f.do(opens, strings.NewReplacer()); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (f *bareHTTP) interaction(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !fromSlack(r.Header, body) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	form, err := url.ParseQuery(string(body))
	var payload submitted
	if err == nil {
		err = json.Unmarshal([]byte(form.Get("payload")), &payload)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if payload.Type == "block_suggestion" {
		answerJSON(w, []byte(f.like.Offered))
		return
	}
	answerJSON(w, []byte(f.like.Answer))
	f.later(func() error {
		last := len(f.like.Calls) - 1
		words, err := f.file(payload.server(), payload.User.ID, f.like.Calls[:last])
		if err == nil {
			_, err = f.do(f.like.Calls[last], words)
		}
		return err
	})
}

// submitted is what the floor has to know of a submission.
type submitted struct {
	Type string
	User struct{ ID string }
	View struct {
		State struct {
			Values map[string]map[string]struct {
				Selected struct{ Value string } `json:"selected_option"`
			}
		}
	}
}

func (s submitted) server() string { return s.View.State.Values["server"]["choose"].Selected.Value }

// fromSlack is https://docs.slack.dev/authentication/verifying-requests-from-slack.
func fromSlack(header http.Header, body []byte) bool {
	stamp := header.Get("X-Slack-Request-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return false
	}
	return hmac.Equal([]byte(header.Get("X-Slack-Signature")), []byte(signature(stamp, body)))
}
