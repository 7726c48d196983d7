//go:build linux

package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
)

// world is both vendors, the replicas between them, and everything that is seen from outside
// while a schedule runs.
type world struct {
	schedule
	slack    *fakeslack.Workspace
	account  *fakesoftlayer.Account
	vendors  *httptest.Server
	dir      string
	db       database
	cast     fakeslack.Cast
	people   []string // user ids
	servers  []int64  // that can be cancelled
	names    map[int64]string
	replicas []*replica
	wire     wire
	began    time.Time
	running  sync.WaitGroup // what runs alongside the people; world waits for it

	altering sync.Mutex      // SoftLayer's records
	known    map[string]fate // of them, after the last change

	once    sync.Once // a failover
	mu      sync.Mutex
	seen    evidence
	serial  int               // of the contents that people type
	asked   map[string]list   // by the content that its requester typed
	reviews map[string]string // by the review and the block of its confirmation: that content
	answers int               // of SoftLayer's staff
	run     int               // of bot resolve
}

// newWorld makes both vendors and an empty database, which end with the test.
func newWorld(t testing.TB, s schedule) *world {
	t.Helper()
	w := &world{schedule: s, dir: t.TempDir(), names: map[int64]string{}, known: map[string]fate{}, asked: map[string]list{}, reviews: map[string]string{}}
	w.db = newDatabase(t, s, w.dir)
	w.began = time.Now()
	w.account = fakesoftlayer.New(fakesoftlayer.Options{Seed: s.seed, Servers: 110, HoldTime: s.hold, ReclaimTime: s.hold})
	w.slack = fakeslack.New(fakeslack.Options{
		Seed: s.seed, Transport: s.transport, RateLimitsOff: true, PingInterval: time.Second, Observe: w.observe,
	})
	w.cast = w.slack.Cast()
	w.wire = wire{world: w, calls: map[string]int{}}
	w.vendors = httptest.NewServer(w.wire.routes())
	t.Cleanup(func() {
		w.slack.Close()
		w.vendors.Close()
		w.wire.held.Wait()
	})
	w.slack.SetURL(w.vendors.URL + "/slack")
	if s.transport == fakeslack.TransportHTTP {
		w.slack.SetEndpoint(w.vendors.URL + "/bot")
	}
	require.NoError(t, w.settleIn())
	for i := range s.replicas {
		w.replicas = append(w.replicas, newReplica(w, i))
	}
	return w
}

// settleIn chooses the people and the servers, and writes the policy.
func (w *world) settleIn() error {
	w.people = []string{w.cast.User, w.cast.Requester, w.cast.Approver, w.cast.Outsider, w.cast.Hostile}
	if err := w.steerSlack("/group", map[string]any{"id": w.cast.RequestGroup, "users": w.people}); err != nil {
		return err
	}
	if err := w.steerSlack("/channel", map[string]any{"id": w.cast.PrivateChannel, "patch": map[string]any{"bot_in": true, "members": w.people}}); err != nil {
		return err
	}
	for range servers + listed {
		var changed struct{ FullyQualifiedDomainName string }
		id := w.account.Cancelable() // and not again, once something of it was changed
		if err := w.steer(http.MethodPost, "/server", map[string]any{"id": id, "patch": map[string]any{"notes": "of the crash harness"}}, &changed); err != nil {
			return err
		}
		w.servers, w.names[id] = append(w.servers, id), changed.FullyQualifiedDomainName
	}
	alone := slices.Delete(slices.Clone(w.people), asker, asker+1)
	for group, users := range map[string][]string{w.cast.CancelGroup: alone, w.cast.ApproveGroup: {w.cast.User, w.cast.Approver}} {
		if err := w.steerSlack("/group", map[string]any{"id": group, "users": users}); err != nil {
			return err
		}
	}
	policy := fmt.Sprintf(`
@id("requesters-ask")
permit (principal in Group::%[1]q, action == Action::"request", resource);
@id("most-alone")
permit (principal in Group::%[3]q, action == Action::"cancel", resource);
@id("leads-approve")
permit (principal in Group::%[4]q, action == Action::"approve", resource);
@id("long-lists-two") @approvals("2")
permit (principal in Group::%[1]q, action == Action::"request", resource) when { context.count >= %[5]d };
@id("no-competitors")
@reason("nobody moves to a competitor.")
forbid (principal, action == Action::"request", resource) when { context.statedReason == %[2]q };
`, w.cast.RequestGroup, refusedReason, w.cast.CancelGroup, w.cast.ApproveGroup, longList)
	return os.WriteFile(w.policyFile(), []byte(policy), 0o600)
}

func (w *world) policyFile() string { return filepath.Join(w.dir, "policy.cedar") }

// refusedReason is the reason that the policy lets nobody give.
const refusedReason = "Moving to competitor"

// channelOf is where an errand's command is typed.
func (w *world) channelOf(e errand) string {
	switch e.channel {
	case notIn:
		return w.cast.OtherChannel
	case private:
		return w.cast.PrivateChannel
	case direct:
		return w.people[e.person]
	}
	return w.cast.Channel
}

// conversations returns all places where a result can be posted.
func (w *world) conversations() []string {
	return append([]string{w.cast.Channel, w.cast.OtherChannel, w.cast.PrivateChannel}, w.people...)
}

// steer changes SoftLayer's account, or reads its records.
func (w *world) steer(method, path string, body, answer any) error {
	return control(w.account.Control(), method, path, body, answer)
}

func (w *world) steerSlack(path string, body any) error {
	return control(w.slack.Control(), http.MethodPost, path, body, nil)
}

func control(h http.Handler, method, path string, body, answer any) error {
	payload, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r := httptest.NewRequestWithContext(context.Background(), method, path, bytes.NewReader(payload))
	r.Header.Set("Content-Type", "application/json")
	r.Host = "127.0.0.1"
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	if recorder.Code >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s", method, path, recorder.Body)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(recorder.Body.Bytes(), answer)
}

// note writes a line of the timeline.
func (w *world) note(format string, args ...any) {
	at := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.timeline = append(w.seen.timeline, fmt.Sprintf("%8.3f  %s", at.Sub(w.began).Seconds(), fmt.Sprintf(format, args...)))
}

// pause waits; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// wait asks repeatedly until something is true, for at most limit.
func wait(ctx context.Context, limit time.Duration, is func() bool) bool {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		if is() {
			return true
		}
		if !pause(ctx, 25*time.Millisecond) {
			return false
		}
	}
	return is()
}
