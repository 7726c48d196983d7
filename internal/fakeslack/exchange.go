package fakeslack

import (
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Exchange is one finished request between Slack and the bot. Bodies are JSON,
// bounded, and without tokens, secrets, tickets or response_url paths.
type Exchange struct {
	At       time.Time       `json:"at"`
	Duration time.Duration   `json:"duration"`
	From     string          `json:"from"`   // "slack" or "bot"
	To       string          `json:"to"`     // the other one
	Method   string          `json:"method"` // "chat.postMessage", "response_url", "slash_command", "view_submission", …
	Request  json.RawMessage `json:"request"`
	Response json.RawMessage `json:"response"`
	Status   int             `json:"status"`   // 0: no answer; Socket Mode: 200 for an acknowledgement
	Delivery int             `json:"delivery"` // for Replay; 0 where the bot called
	Broke    []Broken        `json:"broke,omitempty"`
}

// Broken is a rule of Slack's that the bot did not keep, and where it is written.
type Broken struct {
	Rule   string `json:"rule"`
	Source string `json:"source"`
}

// observed bounds a body in an Exchange.
const observed = 64 << 10

// observe hands a finished exchange to anyone who watches.
func (w *Workspace) observe(x Exchange, started time.Time) {
	if w.opts.Observe == nil {
		return
	}
	x.Duration = time.Since(started)
	x.Request, x.Response = w.redact(x.Request), w.redact(x.Response)
	w.opts.Observe(x)
}

// capabilities matches what lets its holder act: the paths of response_urls and sockets.
var capabilities = regexp.MustCompile(`/(response|socket)/[A-Za-z0-9]+`)

// redact returns a body as bounded JSON without anything secret.
func (w *Workspace) redact(body []byte) json.RawMessage {
	if len(body) == 0 {
		return nil
	}
	hidden := strings.NewReplacer(
		w.identity.botToken, "xoxb-REDACTED", w.identity.appToken, "xapp-REDACTED",
		w.identity.secret, "REDACTED", w.identity.verification, "REDACTED",
	).Replace(string(body))
	hidden = capabilities.ReplaceAllString(hidden, "/$1/REDACTED")
	if len(hidden) <= observed && json.Valid([]byte(hidden)) {
		return json.RawMessage(hidden)
	}
	return encode(strings.ToValidUTF8(hidden[:min(len(hidden), observed)], ""))
}

// readable turns a form into an object for people: JSON in fields is unpacked.
func readable(form url.Values) response {
	object := response{}
	for name := range form {
		value := form.Get(name)
		if strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[") {
			if json.Valid([]byte(value)) {
				object[name] = json.RawMessage(value)
				continue
			}
		}
		object[name] = value
	}
	return object
}
