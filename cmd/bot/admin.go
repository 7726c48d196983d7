package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
)

// admin serves what operators and their probes ask.
func (b *bot) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", b.readyz)
	return mux
}

// readiness is the answer of /readyz. Problems is empty when the bot can take a
// command, and the status is 200 then, 503 otherwise.
type readiness struct {
	Problems  []string       `json:"problems"`
	Socket    string         `json:"socket_last_heard,omitempty"` // RFC 3339
	Requests  map[string]int `json:"requests"`                    // those not at rest, by state
	LeftAlone int            `json:"left_alone"`                  // of a state or format that this build does not know
}

func (b *bot) readyz(w http.ResponseWriter, r *http.Request) {
	answer := readiness{Problems: []string{}, Requests: map[string]int{}}
	if err := b.journal.Ready(); err != nil {
		answer.Problems = append(answer.Problems, err.Error())
	}
	if b.socket != nil {
		if !b.socket.Connected() {
			answer.Problems = append(answer.Problems, "no Socket Mode connection")
		}
		if heard := b.socket.LastHeard(); !heard.IsZero() {
			answer.Socket = heard.UTC().Format(time.RFC3339)
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
	w.Header().Set("Content-Type", "application/json")
	if len(answer.Problems) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		b.log.Debug("answering /readyz", "err", err)
	}
}
