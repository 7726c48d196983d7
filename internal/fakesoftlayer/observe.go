package fakesoftlayer

import (
	"encoding/json"
	"net/http"
	"time"
)

// maxObserved bounds each body that an Exchange carries.
const maxObserved = 64 << 10

// Exchange is one finished request to the imitated API, as an observer is told
// of it. The Authorization header is left out.
type Exchange struct {
	At         time.Time     `json:"at"`
	Duration   time.Duration `json:"duration"`   // in real time
	Method     string        `json:"method"`     // such as "SoftLayer_Ticket/createCancelServerTicket"
	HTTPMethod string        `json:"httpMethod"` // GET or POST
	Path       string        `json:"path"`
	Query      string        `json:"query"`    // still escaped
	Request    any           `json:"request"`  // a json.RawMessage, or a string if it is not JSON; nil if empty
	Response   any           `json:"response"` // likewise
	Status     int           `json:"status"`   // 0: the connection was dropped
	Broke      []Broken      `json:"broke"`    // what the client did that the vendor warns of
}

// Broken is a rule of the vendor that a client broke.
type Broken struct {
	Rule   string `json:"rule"`
	Source string `json:"source"` // URL of the page or thread that says so
}

// serveAPI works one request to the imitated API, through the fault armed for
// it if there is one, and tells the observer.
func (a *Account) serveAPI(w http.ResponseWriter, r *http.Request) {
	began, at := time.Now(), a.Now()
	q := readRequest(w, r)
	if r.URL.Query().Has(redirectMark) {
		q.brokeRule("a redirect of a call that may change something is not followed unasked",
			"https://www.rfc-editor.org/rfc/rfc9110#section-15.4")
	}
	t := &tap{ResponseWriter: w}
	defer func() {
		dropped := recover()
		if dropped != nil {
			t.status = 0
		}
		if a.options.Observe != nil {
			a.options.Observe(Exchange{
				At: at, Duration: time.Since(began), Method: q.name(), HTTPMethod: r.Method,
				Path: r.URL.Path, Query: r.URL.RawQuery, Request: observed(q.body), Response: observed(t.body),
				Status: t.status, Broke: q.broke,
			})
		}
		if dropped != nil {
			panic(dropped)
		}
	}()
	work := func() response { return a.work(r.Header, q) }
	if strike := a.take(q.name()); strike != nil {
		strike(t, r, work)
		return
	}
	work().send(t)
}

// observed is a body as JSON if it is whole and valid, else as text.
func observed(body []byte) any {
	switch {
	case len(body) == 0:
		return nil
	case len(body) <= maxObserved && json.Valid(body):
		return json.RawMessage(body)
	}
	return string(body[:min(len(body), maxObserved)])
}

// tap keeps the status and the first bytes of what passes through it.
type tap struct {
	http.ResponseWriter
	status int
	body   []byte
}

// WriteHeader keeps the status.
func (t *tap) WriteHeader(status int) {
	t.status = status
	t.ResponseWriter.WriteHeader(status)
}

// Write keeps the first bytes.
func (t *tap) Write(p []byte) (int, error) {
	if t.status == 0 {
		t.status = http.StatusOK
	}
	if room := maxObserved + 1 - len(t.body); room > 0 {
		t.body = append(t.body, p[:min(room, len(p))]...)
	}
	return t.ResponseWriter.Write(p)
}
