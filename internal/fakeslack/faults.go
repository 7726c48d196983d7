package fakeslack

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"
)

// The faults of calls that the bot makes. Where "done" is said, the effect has happened.
const (
	FaultRateLimited   = "ratelimited"    // 429 with Retry-After: 1; not done
	FaultError500      = "error_500"      // status 500, HTML body; not done
	FaultError503      = "error_503"      // status 503, HTML body; not done
	FaultDropBefore    = "drop_before"    // connection dropped; not done
	FaultDropAfter     = "drop_after"     // done, then the connection is dropped
	FaultSlow          = "slow"           // done, answered after 5 s
	FaultHang          = "hang"           // never answered (60 s at most); not done
	FaultFatalError    = "fatal_error"    // {"ok":false,"error":"fatal_error"}; not done
	FaultInternalError = "internal_error" // {"ok":false,"error":"internal_error"}; not done
	FaultInvalidAuth   = "invalid_auth"   // {"ok":false,"error":"invalid_auth"}; not done
	FaultWrongDate     = "wrong_date"     // done; the answer's Date is ten minutes behind
)

// The faults of what Slack delivers to the bot.
const (
	FaultRedeliver    = "redeliver"     // delivered, and once more after the answer
	FaultTwiceAtOnce  = "twice_at_once" // delivered twice at the same time
	FaultLateAnswer   = "late_answer"   // delivered, and what the bot answers comes too late: it has no effect
	FaultBadSignature = "bad_signature" // HTTP only: signed with another secret
	FaultStale        = "stale"         // HTTP only: signed six minutes ago
)

// slowness and hanging are the real times of FaultSlow and FaultHang, and behind is by how much
// FaultWrongDate is.
const (
	slowness = 5 * time.Second
	hanging  = time.Minute
	behind   = 10 * time.Minute
)

type fault struct {
	method, name string
	left         int
}

func callFaults() []string {
	return []string{
		FaultRateLimited, FaultError500, FaultError503, FaultDropBefore, FaultDropAfter,
		FaultSlow, FaultHang, FaultFatalError, FaultInternalError, FaultInvalidAuth, FaultWrongDate,
	}
}

func deliveryFaults() []string {
	return []string{FaultRedeliver, FaultTwiceAtOnce, FaultLateAnswer, FaultBadSignature, FaultStale}
}

// FaultNames returns the name of every fault.
func FaultNames() []string { return append(callFaults(), deliveryFaults()...) }

// Fault makes the next so many requests of a method go wrong. The method is one
// of the Web API, "response_url", or what is delivered: "slash_command",
// "view_submission", "view_closed", "block_actions", "block_suggestion", "event_callback".
// Several faults of one method are used up in the order in which they came.
func (w *Workspace) Fault(method, name string, times int) error {
	known := callFaults()
	switch {
	case method == methodVerification && w.opts.Transport != TransportHTTP:
		return fmt.Errorf("setting a fault of %s: Socket Mode has no events URL", method)
	case slices.Contains(deliveryMethods(), method):
		known = deliveryFaults()
	case method != methodReply && !slices.ContainsFunc(apiMethods(), func(m apiMethod) bool { return m.name == method }):
		return fmt.Errorf("setting a fault: no method is called %q", method)
	}
	if !slices.Contains(known, name) {
		return fmt.Errorf("setting a fault of %s: %q is none of %q", method, name, known)
	}
	if times < 1 {
		return fmt.Errorf("setting fault %q of %s: %d times", name, method, times)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.needsSignature(name) {
		return fmt.Errorf("setting fault %q of %s: Socket Mode has no signatures", name, method)
	}
	w.faults = append(w.faults, &fault{method: method, name: name, left: times})
	w.touch()
	return nil
}

// ArmedFault is a fault that waits for requests.
type ArmedFault struct {
	Method string `json:"method"`
	Fault  string `json:"fault"`
	Left   int    `json:"left"` // how many requests it still makes go wrong
}

// ArmedFaults returns the faults that wait for requests, oldest first.
func (w *Workspace) ArmedFaults() []ArmedFault {
	w.mu.Lock()
	defer w.mu.Unlock()
	var armed []ArmedFault
	for _, f := range w.faults {
		armed = append(armed, ArmedFault{f.method, f.name, f.left})
	}
	return armed
}

// ClearFaults disarms the faults of a method, or all of them if method is "". It
// returns how many entries of ArmedFaults are gone.
func (w *Workspace) ClearFaults(method string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := len(w.faults)
	w.faults = slices.DeleteFunc(w.faults, func(f *fault) bool { return method == "" || f.method == method })
	w.touch()
	return before - len(w.faults)
}

// FaultMethod is a method that Fault takes, with the faults that it can have.
type FaultMethod struct {
	Method string   `json:"method"`
	Faults []string `json:"faults"`
}

// FaultMethods lists what Fault takes with this workspace's transport: first what
// is delivered to the bot, then what the bot calls.
func (w *Workspace) FaultMethods() []FaultMethod {
	var methods []FaultMethod
	for _, name := range deliveryMethods() {
		if name == methodVerification && w.opts.Transport != TransportHTTP {
			continue // Socket Mode has no events URL
		}
		methods = append(methods, FaultMethod{name, slices.DeleteFunc(deliveryFaults(), w.needsSignature)})
	}
	for _, m := range apiMethods() {
		methods = append(methods, FaultMethod{m.name, callFaults()})
	}
	return append(methods, FaultMethod{methodReply, callFaults()})
}

// needsSignature reports whether a fault is about signatures, which this
// workspace's transport does not have.
func (w *Workspace) needsSignature(fault string) bool {
	return w.opts.Transport != TransportHTTP && (fault == FaultBadSignature || fault == FaultStale)
}

// takeFault uses up one fault of this method and returns its name, or "".
func (w *Workspace) takeFault(method string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.faults, func(f *fault) bool { return f.method == method })
	if i < 0 {
		return ""
	}
	f := w.faults[i]
	if f.left--; f.left == 0 {
		w.faults = slices.Delete(w.faults, i, i+1)
	}
	w.touch()
	return f.name
}

// faultyWriter lets one answer go wrong as its fault says.
type faultyWriter struct {
	http.ResponseWriter
	fault   string
	dropped bool
}

// before applies what happens instead of the effect: a status, with the error
// word where there is one, or 0 where the effect is to happen.
func (f *faultyWriter) before(w *Workspace, r *http.Request) (status int, word string) {
	switch f.fault {
	case FaultRateLimited:
		f.Header().Set("Retry-After", "1")
		return http.StatusTooManyRequests, "ratelimited"
	case FaultError500:
		return http.StatusInternalServerError, ""
	case FaultError503:
		return http.StatusServiceUnavailable, ""
	case FaultFatalError, FaultInternalError, FaultInvalidAuth:
		return http.StatusOK, f.fault
	case FaultDropBefore:
		f.dropped = true
		return http.StatusOK, ""
	case FaultDropAfter:
		f.dropped = true
	case FaultWrongDate: // https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1
		f.Header().Set("Date", time.Now().Add(-behind).UTC().Format(http.TimeFormat))
	case FaultHang:
		w.pause(r, hanging)
		f.dropped = true
		return http.StatusOK, ""
	}
	return 0, ""
}

// pause waits, unless the caller goes away or the workspace ends.
func (w *Workspace) pause(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	case <-w.done:
	}
}

// finish writes the answer, late where the fault says so, or drops the connection.
func (f *faultyWriter) finish(w *Workspace, r *http.Request, status int, body []byte) {
	if f.fault == FaultSlow {
		w.pause(r, slowness)
	}
	if f.dropped {
		if conn, _, err := http.NewResponseController(f.ResponseWriter).Hijack(); err == nil {
			_ = conn.Close()
		}
		return
	}
	if status >= http.StatusInternalServerError {
		f.Header().Set("Content-Type", "text/html")
		body = []byte("<html><body><h1>Server Error</h1></body></html>")
	}
	f.WriteHeader(status)
	_, _ = f.Write(body)
}

// The tiers of https://docs.slack.dev/apis/web-api/rate-limits.
const (
	tier1 = iota + 1
	tier2
	tier3
	tier4
	tierSpecial
	tierPerChannel
)

// rate is a token bucket's size and its refill. Sizes are this fake's own: Slack
// tolerates "occasional bursts" and gives no number for them.
type rate struct {
	burst     float64
	perMinute float64
}

func rateOf(tier int) rate {
	switch tier {
	case tier1:
		return rate{20, 1}
	case tier2:
		return rate{20, 20}
	case tier3:
		return rate{50, 50}
	case tier4:
		return rate{100, 100}
	case tierPerChannel:
		return rate{10, 60}
	}
	return rate{600, 600}
}

type bucket struct {
	left float64
	at   time.Time
}

// spend counts a call against its limit; the lock is held.
func (w *Workspace) spend(m apiMethod, c call) *apiError {
	if w.opts.RateLimitsOff {
		return nil
	}
	key := m.name
	if m.tier == tierPerChannel {
		key += " " + c.text("channel")
	}
	limit, now := rateOf(m.tier), w.now()
	b := w.limits[key]
	if b == nil {
		b = &bucket{left: limit.burst, at: now}
		w.limits[key] = b
	}
	b.left = min(limit.burst, b.left+max(0, now.Sub(b.at).Minutes())*limit.perMinute)
	b.at = now
	if b.left < 1 {
		wait := int(math.Ceil((1 - b.left) / limit.perMinute * 60))
		err := fail("ratelimited").broke("calls of "+m.name+" stay within its rate", "https://docs.slack.dev/apis/web-api/rate-limits")
		err.retryAfter = max(1, wait)
		return err
	}
	b.left--
	return nil
}
