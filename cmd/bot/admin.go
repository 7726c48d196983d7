package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/receive"
)

// admin serves what operators and their probes ask.
func (b *bot) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", b.readyz)
	mux.Handle("GET /metrics", b.metrics.Handler())
	return mux
}

// readiness is the answer of /readyz. The status is 200 when the bot can take a command, 503 otherwise.
// Problems says why not, and then what the checks found, which never changes the status.
type readiness struct {
	Problems  []string       `json:"problems"`
	Socket    *socketDetail  `json:"socket,omitempty"`
	Policy    policyDetail   `json:"policy"`
	Requests  map[string]int `json:"requests"`   // those not at rest, by state
	LeftAlone int            `json:"left_alone"` // of a state or format that this build does not know
	Frozen    *frozenDetail  `json:"frozen,omitempty"`
	Overdue   []overdue      `json:"overdue"`            // what takes too long, the oldest first
	Replicas  int            `json:"replicas"`           // processes that serve from this database
	Practice  bool           `json:"practice,omitempty"` // nothing is filed
}

// policyDetail is the policy in force and, if the policy file has changed since, why the change was
// refused. A refused file does not stop the bot from taking commands.
type policyDetail struct {
	Digest  string   `json:"digest"`
	Refused []string `json:"refused,omitempty"`
}

// frozenDetail is an order that nothing is filed. The bot still takes commands.
type frozenDetail struct {
	By    string `json:"by"`
	Why   string `json:"why"`
	Since string `json:"since"` // RFC 3339
}

// overdue is a request that has been under way or stuck, or owed its result, too long.
type overdue struct {
	Ref       string `json:"ref"`
	State     string `json:"state"`
	Since     string `json:"since"`                       // RFC 3339
	OwedSince string `json:"result_owed_since,omitempty"` // RFC 3339
}

// maxOverdue bounds how many overdue requests are listed.
const maxOverdue = 100

// socketDetail says how many Socket Mode connections are open, of those wanted.
type socketDetail struct {
	Standing  int    `json:"standing"`
	Wanted    int    `json:"wanted"`
	LastHeard string `json:"last_heard,omitempty"` // the last hello or envelope on any, RFC 3339
}

func detail(s receive.SocketStatus) *socketDetail {
	d := &socketDetail{Standing: s.Standing, Wanted: s.Wanted}
	if !s.LastHeard.IsZero() {
		d.LastHeard = s.LastHeard.UTC().Format(time.RFC3339)
	}
	return d
}

func (b *bot) readyz(w http.ResponseWriter, r *http.Request) {
	answer := readiness{Problems: []string{}, Requests: map[string]int{}, Replicas: int(b.replicas.Load()), Practice: b.cfg.DryRun}
	answer.Policy = policyDetail{Digest: b.policy.Policy().Digest(), Refused: b.watch.Problems()}
	if err := b.journal.Ready(); err != nil {
		answer.Problems = append(answer.Problems, err.Error())
	}
	if b.socket != nil {
		status := b.socket.Status()
		answer.Socket = detail(status)
		if status.Standing == 0 {
			answer.Problems = append(answer.Problems, "no Socket Mode connection")
		}
	}
	counts, err := b.journal.Counts(r.Context())
	if err != nil {
		b.log.Error("counting requests", "err", err)
		answer.Problems = append(answer.Problems, "the database does not answer")
	}
	for _, c := range counts {
		answer.Requests[string(c.State)] += c.N
		if c.Format > cancellation.Format || !slices.Contains(cancellation.States(), c.State) {
			answer.LeftAlone += c.N
		}
	}
	answer.Overdue, answer.Frozen = b.overdue(r.Context()), b.frozen(r.Context())
	w.Header().Set("Content-Type", "application/json")
	if len(answer.Problems) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	for _, f := range b.monitor.Problems() { // never the status
		answer.Problems = append(answer.Problems, f.Line())
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		b.log.Debug("answering /readyz", "err", err)
	}
}

func (b *bot) frozen(ctx context.Context) *frozenDetail {
	order, err := b.journal.Frozen(ctx)
	if err != nil {
		b.log.Error("reading whether filing is frozen", "err", err)
	}
	if !order.Frozen {
		return nil
	}
	return &frozenDetail{By: order.Actor, Why: order.Why, Since: order.At.UTC().Format(time.RFC3339)}
}

func (b *bot) overdue(ctx context.Context) []overdue {
	all, err := b.journal.Overdue(ctx, cancellation.OverdueAge, cancellation.Request{}, maxOverdue)
	if err != nil {
		b.log.Error("looking for overdue requests", "err", err)
	}
	listed := []overdue{}
	for _, o := range all {
		line := overdue{Ref: o.Request.Ref.Short(), State: string(o.Request.State), Since: o.Request.Since.UTC().Format(time.RFC3339)}
		if !o.Owed.IsZero() {
			line.OwedSince = o.Owed.UTC().Format(time.RFC3339)
		}
		listed = append(listed, line)
	}
	return listed
}
