package checkup

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
)

// repeated is a monitor of a subject that changes, and what it told.
type repeated struct {
	monitor *Monitor
	slack   *slackSays
	log     bytes.Buffer // read it when the monitor has ended

	mu   sync.Mutex
	all  [][]Finding
	last string // word
	deaf bool   // nothing more is told now
}

// allScopes are those that are needed, im:write last.
var allScopes = []string{"commands", "chat:write", "users:read", "usergroups:read", "im:write"}

func newRepeated(policyProblems *[]string) *repeated {
	r := &repeated{slack: &slackSays{self: Self{Bot: "B1", Name: "bot", Team: "T1", Scopes: allScopes}}}
	r.monitor = NewMonitor(MonitorOptions{
		Subject: Subject{
			Slack: r.slack, PolicyProblems: func() []string { return *policyProblems },
			Channels: []Channel{{"NOTIFY_CHANNEL", "C1"}},
		},
		Announce: func(_ context.Context, word string, problems []Finding) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if word == r.last || r.deaf {
				return
			}
			r.all, r.last = append(r.all, problems), word
		},
		Log: slog.New(slog.NewTextHandler(&r.log, nil)),
	})
	return r
}

// told is what was announced so far.
func (r *repeated) told() [][]Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// runs lets a monitor run in a bubble; test is called between its runs.
func (r *repeated) runs(t *testing.T, test func(next func())) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.monitor.Run(ctx) }()
	time.Sleep(firstAfter + time.Second)
	synctest.Wait()
	test(func() { time.Sleep(every); synctest.Wait() })
	cancel()
	<-ended
}

func TestAProblemFoundTwiceIsAnnouncedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var policy []string
		r := newRepeated(&policy)
		r.runs(t, func(next func()) {
			next()
			assert.Empty(t, r.told(), "nothing is wrong")
			r.slack.now(allScopes[:4], nil)
			next()
			assert.Empty(t, r.told(), "found once")
			assert.Equal(t, 1, r.monitor.Counts()["scopes"])
			assert.Zero(t, r.monitor.Counts()["clock"])
			next()
			if assert.Len(t, r.told(), 1) {
				assert.Contains(t, r.told()[0][0].Found, "im:write")
			}
			next()
			next()
			assert.Len(t, r.told(), 1, "once")
			r.slack.now(allScopes, nil)
			next()
			next()
			assert.Len(t, r.told(), 2)
			assert.Empty(t, r.told()[1], "it is over")
		})
		assert.Equal(t, 1, strings.Count(r.log.String(), "a check found a problem"), "the log names it once")
	})
}

// leadsApprove lets everybody ask and one group approve, which Slack does not list.
const leadsApprove = `@id("ask") permit (principal, action == Action::"request", resource);
@id("leads") permit (principal in Group::"S0LEADS", action == Action::"approve", resource) when { resource.datacenter == "dal13" };`

func TestWhatWouldInstructAnAttackerIsNotAnnounced(t *testing.T) {
	t.Parallel()
	inForce, err := authz.Parse("policy.cedar", []byte(leadsApprove))
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		refused := []string{"POLICY_FILE: policy.cedar:3:1: everybody may approve"}
		r := newRepeated(&refused)
		r.monitor.o.Subject.SoftLayer = &softLayerSays{servers: 1}
		r.monitor.o.Subject.Policy = func(string) (*authz.Policy, error) { return inForce, nil }
		r.runs(t, func(next func()) {
			next()
			next()
			assert.Empty(t, r.told())
			for check, line := range map[string]string{
				"rights": "The SoftLayer key lacks SERVER_CANCEL", "groups": "Slack lists no user group S0LEADS",
				"approvers": "Nobody could approve servers in fra02", "policy": "everybody may approve",
				"cutoff": "Give the SoftLayer key's user ACCOUNT_SUMMARY_VIEW.",
			} {
				found := of(r.monitor.Problems(), check)
				if assert.NotEmpty(t, found, "/readyz has what %s finds", check) {
					assert.Contains(t, found[0].Line(), line)
				}
				assert.Equal(t, len(found), r.monitor.Counts()[check], "and the metrics count it")
			}
			r.slack.now(allScopes[:4], nil)
			next()
			next()
			if assert.Len(t, r.told(), 1) && assert.Len(t, r.told()[0], 1, "what anybody may read") {
				assert.Contains(t, r.told()[0][0].Found, "im:write")
			}
		})
		for _, words := range []string{"everybody may approve", "SERVER_CANCEL", "ACCOUNT_SUMMARY_VIEW"} {
			assert.Contains(t, r.log.String(), words, "the log has it")
		}
	})
}

// What could not be told is told when it can be, so that the last word is true.
func TestWhatIsHeldBackIsAnnouncedLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var policy []string
		r := newRepeated(&policy)
		listens := func(does bool) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.deaf = !does
		}
		r.runs(t, func(next func()) {
			listens(false)
			r.slack.now(allScopes[:4], nil)
			next()
			next()
			next()
			assert.Empty(t, r.told())
			listens(true)
			next()
			assert.Len(t, r.told(), 1)
		})
	})
}

// A result that changes each time is told to nobody: two runs have to agree.
func TestWhatChangesEachTimeIsNotAnnounced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var policy []string
		r := newRepeated(&policy)
		r.runs(t, func(next func()) {
			for i := range 6 {
				r.slack.now(allScopes[:4+i%2], nil)
				next()
			}
			assert.Empty(t, r.told())
		})
	})
}

func TestAMonitorThatIsNoneHasNoProblems(t *testing.T) {
	t.Parallel()
	var m *Monitor
	assert.Empty(t, m.Problems())
}
