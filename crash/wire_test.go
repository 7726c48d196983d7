//go:build linux

package crash

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cancel-server/internal/fakeslack"
)

// wire carries every request between the bot and the vendors. It makes the schedule's faults
// happen, delays POSTs, deals blows, and records what passes.
type wire struct {
	world *world
	calm  atomic.Bool // nothing goes wrong any more
	held  sync.WaitGroup
	turn  atomic.Int64 // whose it is to take what Slack delivers

	mu    sync.Mutex
	calls map[string]int // by method, so far
}

func (w *wire) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/slack/", http.StripPrefix("/slack", w.toSlack(w.world.slack.Handler())))
	mux.Handle("/softlayer/", http.StripPrefix("/softlayer", w.toSoftLayer(w.world.account.Handler())))
	mux.Handle("/bot/", http.StripPrefix("/bot", http.HandlerFunc(w.toBot)))
	return mux
}

// nth counts a call, and deals the blow that waits for it.
func (w *wire) nth(method string) int {
	w.mu.Lock()
	n := w.calls[method]
	w.calls[method]++
	w.mu.Unlock()
	if !w.calm.Load() {
		w.world.strikeOn(method, n)
	}
	return n
}

// fault is the schedule's fault for the nth call of a method, "" for none.
func (w *wire) fault(faults map[string][]string, method string, n int) string {
	if list := faults[method]; !w.calm.Load() && n < len(list) {
		return list[n]
	}
	return ""
}

func (w *wire) toSlack(next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		method, isCall := strings.CutPrefix(r.URL.Path, "/api/")
		if strings.HasPrefix(r.URL.Path, "/response/") {
			method, isCall = "response_url", true
		}
		if !isCall {
			next.ServeHTTP(out, r)
			return
		}
		at, body := time.Now(), reread(r)
		fault := w.fault(w.world.schedule.slack, method, w.nth(method))
		if fault != "" && w.world.slack.Fault(method, fault, 1) != nil {
			fault = ""
		}
		if fault != "" {
			w.world.tally(func(e *evidence) { e.faults["slack "+fault]++ })
		}
		said, answer := w.world.heard(at, method, fault, body), &answered{ResponseWriter: out}
		next.ServeHTTP(answer, r)
		w.world.tally(func(*evidence) {
			said.took, said.stands = time.Since(said.at), bytes.Contains(answer.body.Bytes(), []byte(`"ok":true`)) || fault == fakeslack.FaultDropAfter
			said.refused = fault == "" && bytes.Contains(answer.body.Bytes(), []byte(`"ok":false`))
		})
	})
}

func (w *wire) toSoftLayer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		method := softLayerMethod(r.URL.Path)
		body := reread(r)
		n := w.nth(method)
		fault := w.fault(w.world.schedule.softlayer, method, n)
		if fault != "" && w.world.account.Fault(method, fault, 1) != nil {
			fault = ""
		}
		if fault != "" {
			w.world.tally(func(e *evidence) { e.faults["softlayer "+fault]++ })
		}
		if method != filing {
			next.ServeHTTP(out, r)
			return
		}
		var late time.Duration
		waits := fault == "slow" || fault == "hang" // what those make would come long after the bot gave up
		if !w.calm.Load() && n < len(w.world.schedule.held) && !waits {
			late = w.world.schedule.held[n]
		}
		w.toFile(out, r, next, filed{body: body, fault: fault, held: late})
	})
}

// filed is one POST on its way.
type filed struct {
	body  []byte
	fault string
	held  time.Duration
}

// toFile carries a POST. A delayed one arrives even if the bot has died meanwhile, as it
// would over a network.
func (w *wire) toFile(out http.ResponseWriter, r *http.Request, next http.Handler, f filed) {
	p := w.world.posted(f)
	answer := &answered{ResponseWriter: out}
	defer func() { w.world.answeredPost(p, answer.status, answer.body.Bytes()) }()
	if f.held == 0 {
		next.ServeHTTP(answer, r)
		return
	}
	w.world.tally(func(e *evidence) { e.faults["softlayer held up"]++ })
	arrived := make(chan *httptest.ResponseRecorder, 1)
	late := r.WithContext(context.WithoutCancel(r.Context()))
	w.held.Go(func() {
		pause(late.Context(), f.held)
		arrived <- recorded(next, late)
	})
	select {
	case got := <-arrived:
		if got == nil {
			panic(http.ErrAbortHandler)
		}
		maps.Copy(out.Header(), got.Header())
		answer.WriteHeader(got.Code)
		_, _ = answer.Write(got.Body.Bytes())
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// recorded is an answer as it was given, nil where the connection was dropped.
func recorded(next http.Handler, r *http.Request) (answer *httptest.ResponseRecorder) {
	defer func() {
		if recover() != nil {
			answer = nil
		}
	}()
	answer = httptest.NewRecorder()
	limited, cancel := context.WithTimeout(r.Context(), 10*time.Second) // where it hangs, nobody leaves
	defer cancel()
	next.ServeHTTP(answer, r.WithContext(limited))
	return answer
}

// answered keeps the answer that passes.
type answered struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (a *answered) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController through, with which a fault drops a connection.
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answered) Write(p []byte) (int, error) {
	a.status = cmp.Or(a.status, http.StatusOK)
	a.body.Write(p)
	return a.ResponseWriter.Write(p)
}

// softLayerMethod names a call as the vendor does; an id alone means getObject.
func softLayerMethod(path string) string {
	parts := strings.Split(strings.TrimSuffix(strings.Trim(path, "/"), ".json"), "/")
	if len(parts) < 4 {
		return path
	}
	service, last := parts[2], parts[len(parts)-1]
	if _, err := strconv.Atoi(last); err == nil {
		last = "getObject"
	}
	return service + "/" + last
}

// reread reads a request's body and puts it back.
func reread(r *http.Request) []byte {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil // the bot has gone; the vendor finds out by itself
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// toBot is the proxy in front of the replicas: each request goes to the next one, or to
// another if that is down or breaks off.
func (w *wire) toBot(out http.ResponseWriter, r *http.Request) {
	body := reread(r)
	first := int(w.turn.Add(1))
	for i := range w.world.replicas {
		base := w.world.replicas[(first+i)%len(w.world.replicas)].address()
		if base == "" {
			continue
		}
		request, err := http.NewRequestWithContext(r.Context(), r.Method, base+r.URL.Path, bytes.NewReader(body))
		if err != nil {
			break
		}
		request.Header = r.Header.Clone()
		answer, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			continue
		}
		got, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close() // read to its end
		if err != nil {
			continue
		}
		maps.Copy(out.Header(), answer.Header)
		out.WriteHeader(answer.StatusCode)
		_, _ = out.Write(got)
		return
	}
	out.WriteHeader(http.StatusBadGateway)
}

// parameters returns the positional parameters of a SoftLayer call.
func parameters(body []byte) []any {
	var call struct{ Parameters []any }
	_ = json.Unmarshal(body, &call) // one that is no JSON has none
	return call.Parameters
}
