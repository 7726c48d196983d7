// Package metrics keeps what /metrics shows: what this process did, and what it last read in the
// background. A scrape reads memory alone. The names and labels are fixed: docs/operate.md. Every
// label has a few values, and none of them names a person, a server or a channel.
package metrics

import (
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const namespace = "cancel_server"

// Metrics is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	requests    *prometheus.GaugeVec
	oldest      prometheus.Gauge
	frozen      prometheus.Gauge
	transitions *prometheus.CounterVec
	denials     *prometheus.CounterVec

	acks         *prometheus.HistogramVec
	slackCalls   *prometheus.CounterVec
	softLayer    *prometheus.CounterVec
	softLayerDur *prometheus.HistogramVec
	waits        *prometheus.HistogramVec
	commits      prometheus.Histogram
	reloads      *prometheus.CounterVec
}

// Histograms reach from what is usual to what no caller waits for.
var (
	ackBuckets    = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 3}
	callBuckets   = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 90}
	waitBuckets   = []float64{.001, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	commitBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
)

// New makes the metrics of a build.
func New(version, commit string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: gauges("requests", "Requests that are not at rest, by state. Every replica reports the same.", "state"),
		oldest:   gauge("oldest_unfinished_seconds", "How long the request has been scheduled, filing, unknown or stuck that has been so longest. 0 if none is."),
		frozen:   gauge("frozen", "1 while filing is frozen, else 0."),
		transitions: counters("request_transitions_total", "Requests that this process moved from one state to another.",
			"from", "to"),
		denials:      counters("denials_total", "Refusals, by built-in rule, or policy for a rule of the policy.", "rule"),
		acks:         histograms("slack_ack_seconds", "From the receipt of a command, an interaction or an event to its acknowledgement.", ackBuckets, "kind"),
		slackCalls:   counters("slack_calls_total", "Calls of Slack's Web API.", "method", "result"),
		softLayer:    counters("softlayer_calls_total", "Calls of SoftLayer's API.", "method", "result"),
		softLayerDur: histograms("softlayer_call_seconds", "How long calls of SoftLayer's API took, their waits for a turn included.", callBuckets, "method"),
		waits: histograms("rate_wait_seconds", "How long calls waited for the rate: for a turn at SoftLayer, or as Slack asked with Retry-After.",
			waitBuckets, "vendor"),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "database_commit_seconds", Help: "How long a transaction took, from its begin to its commit.", Buckets: commitBuckets,
		}),
		reloads: counters("policy_reloads_total", "Changes of the policy file, by result: adopted or refused.", "result"),
	}
	build := gauges("build_info", "Always 1; the labels say which build this is.", "version", "commit")
	build.WithLabelValues(version, commit).Set(1)
	// An increase is counted from a value that was scraped before. A result that is refused once must not
	// begin at 1. The other alerts on counters look at many calls over a quarter of an hour.
	for _, result := range []string{"adopted", "refused"} {
		m.reloads.WithLabelValues(result)
	}
	m.registry.MustRegister(build, m.requests, m.oldest, m.frozen, m.transitions, m.denials, m.acks, m.slackCalls,
		m.softLayer, m.softLayerDur, m.waits, m.commits, m.reloads,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics as Prometheus reads them.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 3, Timeout: 5 * time.Second})
}

// Live are values that are read from memory at each scrape.
type Live struct {
	Servers   func() int       // in the inventory
	Confirmed func() time.Time // when they were last found to be all; zero for never
	Sockets   func() int       // connections that stand; nil without Socket Mode
	Heard     func() time.Time // when something last came on one of them; zero for never
	Checks    []string         // names of the checks that the process repeats
	Problems  func() map[string]int
}

// Watch has the values of live shown. It may be called once.
func (m *Metrics) Watch(live Live) {
	m.show("inventory_servers", "Servers that the typeahead knows.", func() float64 { return float64(live.Servers()) })
	m.show("inventory_age_seconds", "How old the typeahead's list of servers is; -1 while there is none.",
		func() float64 { return age(live.Confirmed()) })
	for _, check := range live.Checks {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "check_problems", Help: "Problems that the last run of the checks found.",
			ConstLabels: prometheus.Labels{"check": check},
		}, func() float64 { return float64(live.Problems()[check]) }))
	}
	if live.Sockets == nil {
		return
	}
	m.show("socket_connections", "Socket Mode connections that stand.", func() float64 { return float64(live.Sockets()) })
	m.show("socket_last_envelope_seconds", "How long ago something last came by Socket Mode; -1 if nothing ever did.",
		func() float64 { return age(live.Heard()) })
}

// age returns how long ago at was, in seconds, and -1 for the zero time.
func age(at time.Time) float64 {
	if at.IsZero() {
		return -1
	}
	return time.Since(at).Seconds()
}

func (m *Metrics) show(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, value))
}

// Snapshot is what was last read of the database.
type Snapshot struct {
	Requests map[string]int // not at rest, by state; a state that is missing counts 0 from the first time on
	Oldest   time.Duration
	Frozen   bool
}

// Store shows a snapshot.
func (m *Metrics) Store(s Snapshot) {
	for state, n := range s.Requests {
		m.requests.WithLabelValues(state).Set(float64(n))
	}
	m.oldest.Set(s.Oldest.Seconds())
	m.frozen.Set(0)
	if s.Frozen {
		m.frozen.Set(1)
	}
}

// Moved counts a request that left one state for another.
func (m *Metrics) Moved(from, to string) { m.transitions.WithLabelValues(from, to).Inc() }

// Denied counts a refusal. A rule that is not built in counts as the policy's: its name is an operator's.
func (m *Metrics) Denied(rule string) {
	if !strings.HasPrefix(rule, "builtin-") {
		rule = "policy"
	}
	m.denials.WithLabelValues(rule).Inc()
}

// Acknowledged counts an answer to Slack.
func (m *Metrics) Acknowledged(kind string, took time.Duration) {
	m.acks.WithLabelValues(kind).Observe(took.Seconds())
}

// CalledSlack counts a call.
func (m *Metrics) CalledSlack(method, result string) {
	m.slackCalls.WithLabelValues(method, result).Inc()
}

// CalledSoftLayer counts a call.
func (m *Metrics) CalledSoftLayer(method, result string, took time.Duration) {
	m.softLayer.WithLabelValues(method, result).Inc()
	m.softLayerDur.WithLabelValues(method).Observe(took.Seconds())
}

// Waited counts a wait for the rate of calls to a vendor, softlayer or slack.
func (m *Metrics) Waited(vendor string, took time.Duration) {
	m.waits.WithLabelValues(vendor).Observe(took.Seconds())
}

// Committed counts a transaction.
func (m *Metrics) Committed(took time.Duration) { m.commits.Observe(took.Seconds()) }

// Reloaded counts a policy file that was adopted or refused.
func (m *Metrics) Reloaded(result string) { m.reloads.WithLabelValues(result).Inc() }

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
}

func gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
}
