package fakesoftlayer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// FaultName is a fault that can be armed.
type FaultName struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
}

// strike answers in place of the account. work does the call and gives its
// answer; a strike that does not call it leaves the account untouched.
type strike func(w http.ResponseWriter, r *http.Request, work func() response)

// armed is a fault waiting for the next calls of a method.
type armed struct {
	method string
	fault  fault
	left   int
}

// redirectMark stands in the URL that the redirect fault leads to.
const redirectMark = "fakesoftlayer-redirected"

// Sizes and times of the faults.
const (
	maxArmed   = 5_000
	maxHuge    = 64 << 20
	slowTime   = 3 * time.Second
	behind     = 10 * time.Minute
	htmlPage   = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n"
	everything = "*"
)

// fault is a strike with its name.
type fault struct {
	FaultName
	strike strike
}

func faults() []fault {
	return []fault{
		{FaultName{"slow", "3 s pass, then the call is worked; nothing happens if the client leaves before"}, slow},
		{FaultName{"slow_after", "the call is worked at once and answered 3 s after"}, slowAfter},
		{FaultName{"hang", "nothing happens and nothing is answered until the client leaves"}, hang},
		{FaultName{"error_before", "500 Internal Error; nothing happens"}, instead(errorResponse(errInternal()))},
		{FaultName{"error_after", "the call is worked, then 500 Internal Error"}, errorAfter},
		{FaultName{"drop_before", "the connection drops; nothing happens"}, drop},
		{FaultName{"drop_after", "the call is worked, then the connection drops"}, dropAfter},
		{FaultName{"ok_error", "200 with an error body; nothing happens"}, instead(asOK(errorResponse(errInternal())))},
		{FaultName{"ok_null", "200 with null; nothing happens"}, instead(response{http.StatusOK, -1, []byte("null")})},
		{FaultName{"ok_empty", "200 with no body; nothing happens"}, instead(response{http.StatusOK, -1, nil})},
		{FaultName{"html", "502 with an HTML page; nothing happens"}, html(http.StatusBadGateway)},
		{FaultName{"html_200", "200 with an HTML page; nothing happens"}, html(http.StatusOK)},
		{FaultName{"rate_limit", "500 RateLimitExceeded; nothing happens"}, instead(errorResponse(errRateLimit()))},
		{FaultName{"expired_token", "500 AccessTokenValidation; nothing happens"}, instead(errorResponse(errToken()))},
		{FaultName{"unauthorized", "401 Access Denied; nothing happens"}, instead(errorResponse(errUnauthorized()))},
		{FaultName{"no_permission", "500 You do not have permission to this service; nothing happens"}, instead(errorResponse(errPermission()))},
		{FaultName{"not_found", "404 Unable to find object; nothing happens"}, notFound},
		{FaultName{"wrong_date", "the call is worked; the answer's Date is ten minutes behind"}, wrongDate},
		{FaultName{"short_list", "the call is worked; the first half of its list comes, with the whole number in SoftLayer-Total-Items"}, shortList},
		{FaultName{"redirect", "307 to the same call under a marked URL; nothing happens unless it is followed"}, redirect},
		{FaultName{"huge", "200 with 64 MiB of one JSON text without an end; nothing happens"}, huge},
		{FaultName{"truncated_json", "the call is worked; half of the answer comes, as if it were whole"}, truncated},
	}
}

// FaultNames lists the faults that can be armed.
func (a *Account) FaultNames() []FaultName {
	var names []FaultName
	for _, f := range faults() {
		names = append(names, f.FaultName)
	}
	return names
}

// Fault arms a fault for the next calls of a method, such as
// "SoftLayer_Ticket/createCancelServerTicket", or of any method ("*"). Faults
// strike in the order armed, each as often as times says. Unknown names are
// refused.
func (a *Account) Fault(method, name string, times int) error {
	_, known := a.methods[method]
	at := slices.IndexFunc(faults(), func(f fault) bool { return f.Name == name })
	switch {
	case method != everything && !known:
		return fmt.Errorf("arming a fault: %q is not a method of this account", method)
	case at < 0:
		return fmt.Errorf("arming a fault: %q is not one of %s", name, a.faultList())
	case times < 1:
		return fmt.Errorf("arming the fault %q: times is %d, it must be positive", name, times)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.armed) >= maxArmed {
		return fmt.Errorf("arming the fault %q: %d are waiting already", name, maxArmed)
	}
	a.armed = append(a.armed, armed{method, faults()[at], times})
	return nil
}

// FaultsLeft is how many calls are still to be struck: 0 when every armed fault has
// met its calls.
func (a *Account) FaultsLeft() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	left := 0
	for _, f := range a.armed {
		left += f.left
	}
	return left
}

// ArmedFault is a fault that waits for calls.
type ArmedFault struct {
	Method string `json:"method"`
	Fault  string `json:"fault"`
	Left   int    `json:"left"` // how many calls it still strikes
}

// ArmedFaults returns the faults that wait for calls, oldest first.
func (a *Account) ArmedFaults() []ArmedFault {
	a.mu.Lock()
	defer a.mu.Unlock()
	var waiting []ArmedFault
	for _, f := range a.armed {
		waiting = append(waiting, ArmedFault{f.method, f.fault.Name, f.left})
	}
	return waiting
}

// ClearFaults disarms the faults that were armed for a method ("*" is one of its
// own), or all of them if method is "". It returns how many entries of ArmedFaults
// are gone.
func (a *Account) ClearFaults(method string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := len(a.armed)
	a.armed = slices.DeleteFunc(a.armed, func(f armed) bool { return method == "" || f.method == method })
	return before - len(a.armed)
}

func (a *Account) faultList() string {
	var names []string
	for _, f := range a.FaultNames() {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// take is the strike that hits this call, nil if none does.
func (a *Account) take(method string) strike {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.armed {
		f := &a.armed[i]
		if f.method != method && f.method != everything {
			continue
		}
		hit := f.fault.strike
		if f.left--; f.left == 0 {
			a.armed = slices.Delete(a.armed, i, i+1)
		}
		return hit
	}
	return nil
}

func instead(n response) strike {
	return func(w http.ResponseWriter, _ *http.Request, _ func() response) { n.send(w) }
}

func asOK(n response) response {
	n.status = http.StatusOK
	return n
}

// wait tells whether the client stayed.
func wait(r *http.Request) bool {
	select {
	case <-time.After(slowTime):
		return true
	case <-r.Context().Done():
		return false
	}
}

func slow(w http.ResponseWriter, r *http.Request, work func() response) {
	if !wait(r) {
		panic(http.ErrAbortHandler)
	}
	work().send(w)
}

func slowAfter(w http.ResponseWriter, r *http.Request, work func() response) {
	n := work()
	if !wait(r) {
		panic(http.ErrAbortHandler)
	}
	n.send(w)
}

func hang(_ http.ResponseWriter, r *http.Request, _ func() response) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

func errorAfter(w http.ResponseWriter, _ *http.Request, work func() response) {
	work()
	errorResponse(errInternal()).send(w)
}

// drop ends the connection: net/http closes it on this panic without a log.
func drop(http.ResponseWriter, *http.Request, func() response) { panic(http.ErrAbortHandler) }

func dropAfter(_ http.ResponseWriter, _ *http.Request, work func() response) {
	work()
	panic(http.ErrAbortHandler)
}

func html(status int) strike {
	return func(w http.ResponseWriter, _ *http.Request, _ func() response) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(htmlPage)) // the client may have left
	}
}

func redirect(w http.ResponseWriter, r *http.Request, _ func() response) {
	target := *r.URL
	target.Path, target.RawPath = "", ""
	query := target.Query()
	query.Set(redirectMark, "1")
	target.RawQuery = query.Encode()
	// A reference of a query alone keeps the client's path, prefix included.
	w.Header().Set("Location", target.String())
	w.WriteHeader(http.StatusTemporaryRedirect)
}

func huge(w http.ResponseWriter, _ *http.Request, _ func() response) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	block := []byte(strings.Repeat("x", 64<<10))
	_, err := w.Write([]byte(`{"id":1,"title":"`))
	for sent := 0; err == nil && sent < maxHuge; sent += len(block) {
		_, err = w.Write(block)
	}
}

// notFound answers as if what the URL names were not there.
func notFound(w http.ResponseWriter, r *http.Request, _ func() response) {
	q := &request{httpMethod: r.Method}
	q.readPath(r.URL.EscapedPath())
	errorResponse(errNotFound(q.id)).send(w)
}

// wrongDate has a Date as https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1 has it.
func wrongDate(w http.ResponseWriter, _ *http.Request, work func() response) {
	w.Header().Set("Date", time.Now().Add(-behind).UTC().Format(http.TimeFormat))
	work().send(w)
}

// shortList leaves out rows; an answer that is no list comes whole.
func shortList(w http.ResponseWriter, _ *http.Request, work func() response) {
	n := work()
	var rows []json.RawMessage
	if json.Unmarshal(n.body, &rows) == nil && rows != nil {
		n.body = encode(rows[:len(rows)/2])
	}
	n.send(w)
}

func truncated(w http.ResponseWriter, _ *http.Request, work func() response) {
	n := work()
	n.body = n.body[:len(n.body)/2]
	n.send(w)
}
