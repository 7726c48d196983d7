package metrics

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// promised are all names, each with its labels.
var promised = map[string][]string{
	"requests": {"state"}, "request_transitions_total": {"from", "to"}, "denials_total": {"rule"},
	"oldest_unfinished_seconds": nil, "slack_ack_seconds": {"kind"}, "slack_calls_total": {"method", "result"},
	"softlayer_calls_total": {"method", "result"}, "softlayer_call_seconds": {"method"}, "rate_wait_seconds": {"vendor"},
	"socket_connections": nil, "socket_last_envelope_seconds": nil, "inventory_servers": nil, "inventory_age_seconds": nil,
	"database_commit_seconds": nil, "policy_reloads_total": {"result"}, "frozen": nil, "check_problems": {"check"}, "build_info": {"commit", "version"},
}

// used are metrics in which everything has happened once.
func used() *Metrics {
	m := New("v1", "abc")
	m.Watch(Live{
		Servers: func() int { return 7 }, Confirmed: func() time.Time { return time.Time{} },
		Checks: []string{"scopes"}, Problems: func() map[string]int { return map[string]int{"scopes": 2} },
		Sockets: func() int { return 2 }, Heard: func() time.Time { return time.Now().Add(-time.Minute) },
	})
	m.Store(Snapshot{Requests: map[string]int{"stuck": 3}, Oldest: time.Hour, Frozen: true})
	m.Moved("new", "scheduled")
	m.Denied("builtin-guest")
	m.Denied("only-team-alpha")
	m.Acknowledged("command", 3*time.Millisecond)
	m.CalledSlack("views.open", "ok")
	m.CalledSoftLayer("SoftLayer_Ticket/getObject", "ok", time.Second)
	m.Waited("softlayer", time.Second)
	m.Committed(time.Millisecond)
	m.Reloaded("adopted")
	return m
}

func TestMetricsAreThoseThatArePromised(t *testing.T) {
	t.Parallel()
	families, err := used().registry.Gather()
	require.NoError(t, err)
	shown := map[string][]string{}
	for _, family := range families {
		name, ours := strings.CutPrefix(family.GetName(), namespace+"_")
		if !ours {
			continue
		}
		assert.NotEmpty(t, family.GetHelp(), name)
		shown[name] = nil
		for _, label := range family.GetMetric()[0].GetLabel() {
			shown[name] = append(shown[name], label.GetName())
		}
	}
	assert.Equal(t, promised, shown)
}

func TestScrapeShowsWhatWasCounted(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	used().Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	text := recorder.Body.String()
	for _, line := range []string{
		`cancel_server_build_info{commit="abc",version="v1"} 1`,
		`cancel_server_requests{state="stuck"} 3`,
		`cancel_server_oldest_unfinished_seconds 3600`,
		`cancel_server_frozen 1`,
		`cancel_server_check_problems{check="scopes"} 2`,
		`cancel_server_denials_total{rule="builtin-guest"} 1`,
		`cancel_server_denials_total{rule="policy"} 1`,
		`cancel_server_inventory_servers 7`,
		`cancel_server_inventory_age_seconds -1`,
		`cancel_server_slack_ack_seconds_bucket{kind="command",le="0.005"} 1`,
	} {
		assert.Contains(t, text, line+"\n")
	}
	assert.NotContains(t, text, "team-alpha", "an operator's own name of a rule may name people")
}

var ourNames = regexp.MustCompile(namespace + `_[a-z_]+`)

// deployed reads a file of deploy/.
func deployed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", name))
	require.NoError(t, err)
	return string(text)
}

func TestAlertsAndBoardUseMetricsThatExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for name := range promised {
		known[namespace+"_"+name] = true
		if strings.HasSuffix(name, "_seconds") {
			known[namespace+"_"+name+"_bucket"] = true
		}
	}
	for _, file := range []string{"alerts.yaml", "dashboard.json"} {
		names := ourNames.FindAllString(deployed(t, file), -1)
		require.NotEmpty(t, names)
		for _, name := range names {
			assert.True(t, known[name], "%s uses %s, which does not exist", file, name)
		}
	}
	shown := map[string]bool{}
	for _, name := range ourNames.FindAllString(deployed(t, "dashboard.json"), -1) {
		shown[strings.TrimSuffix(name, "_bucket")] = true
	}
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(promised)) {
		if !shown[namespace+"_"+name] {
			missing = append(missing, name)
		}
	}
	assert.Empty(t, missing, "the board shows everything")
}

func TestEveryAlertHasItsParagraph(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "operate.md"))
	require.NoError(t, err)
	alerts := regexp.MustCompile(`(?m)^      - alert: (\w+)$`).FindAllStringSubmatch(deployed(t, "alerts.yaml"), -1)
	require.NotEmpty(t, alerts)
	links := deployed(t, "alerts.yaml")
	for _, alert := range alerts {
		assert.True(t, strings.Contains(string(page), "\n### "+alert[1]+"\n"), "docs/operate.md has no paragraph about %s", alert[1])
		assert.True(t, strings.Contains(links, "runbook: docs/operate.md#"+strings.ToLower(alert[1])+"\n"), "%s has no link", alert[1])
	}
	assert.Equal(t, len(alerts), strings.Count(links, "runbook: "), "one link each")
}

// Prometheus counts an increase only from a value that it has scraped.
func TestSeriesThatAlertsCountBeginAtZero(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	New("v1", "abc").Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	counted := regexp.MustCompile(`increase\((\w+\{[^}]*\})\[`).FindAllStringSubmatch(deployed(t, "alerts.yaml"), -1)
	require.NotEmpty(t, counted)
	for _, series := range counted {
		assert.Contains(t, recorder.Body.String(), "\n"+series[1]+" 0\n")
	}
}

func TestEveryAlertFiresInACase(t *testing.T) {
	t.Parallel()
	cases := deployed(t, "alerts_test.yaml")
	for _, alert := range regexp.MustCompile(`(?m)^      - alert: (\w+)$`).FindAllStringSubmatch(deployed(t, "alerts.yaml"), -1) {
		assert.Contains(t, cases, "        alertname: "+alert[1]+"\n        exp_alerts:\n          - exp_labels:", "it never fires in a case")
	}
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	t.Parallel()
	promtool := os.Getenv("PROMTOOL")
	if promtool == "" {
		var err error
		if promtool, err = exec.LookPath("promtool"); err != nil {
			t.Skip("SKIPPED: needs promtool, in PATH or where PROMTOOL says")
		}
	}
	for _, args := range [][]string{
		{"check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml"},
		{"test", "rules", "alerts_test.yaml"},
	} {
		check := exec.CommandContext(t.Context(), promtool, args...)
		check.Dir = filepath.Join("..", "..", "deploy")
		said, err := check.CombinedOutput()
		assert.NoError(t, err, "%s", said)
	}
}
