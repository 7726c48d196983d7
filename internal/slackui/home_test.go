package slackui

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/overview"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/store"
	"cancel-server/internal/storetest"
)

// pendingIn records a request of the requester's that waits for one approval.
func pendingIn(t *testing.T, s *store.Store, team, requester string) cancellation.Request {
	t.Helper()
	r := slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo)
	r.Submission.By, r.Decision.Approvals, r.Format = cancellation.Person{Team: team, ID: requester, Name: "Ana"}, 1, cancellation.Format
	recorded, err := s.Record(t.Context(), cancellation.Record{
		Request: r, Event: cancellation.Event{Kind: cancellation.EventSubmitted, To: r.State},
		Quota: cancellation.Quota{Requester: team + "/" + requester, Day: 1, Slot: 1, Most: 1},
	})
	require.NoError(t, err)
	return recorded.Request
}

// tabs are Home tabs in virtual time, in a workspace where a request waits for the approvers.
type tabs struct {
	*slacktest.Workspace
	t   *testing.T
	app *App
}

func newTabs(t *testing.T) *tabs {
	t.Helper()
	w := slacktest.NewWorkspace(t, fakeslack.Options{Seed: 7})
	client := clientIn(t, w)
	directory := NewDirectory(DirectoryOptions{Web: client, HomeTeam: w.TeamID(), Log: slacktest.Silent()})
	t.Cleanup(directory.Close)
	kept, err := store.Open(t.Context(), store.Options{Path: storetest.File(t), Clock: func() time.Time { return slacktest.Noon }, Mode: store.Serve})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, kept.Close()) })
	require.NoError(t, kept.Bind(t.Context(), store.Binding{App: "B1", Team: w.TeamID(), Account: "123456", Endpoint: "http://127.0.0.1/"}))
	pendingIn(t, kept, w.TeamID(), w.Cast().Requester)
	policy, err := authz.FromGroups(authz.Groups{Home: w.TeamID(), Request: []string{w.Cast().RequestGroup}, Approve: []string{w.Cast().ApproveGroup}})
	require.NoError(t, err)
	inForce := func() *authz.Policy { return policy }
	return &tabs{Workspace: w, t: t, app: NewApp(Options{
		Web: client, Directory: directory, Policy: inForce, Words: testWords(), Log: slacktest.Silent(),
		Overview: overview.New(overview.Options{Ledger: kept, People: directory, Policy: inForce, Log: slacktest.Silent()}),
	})}
}

func (h *tabs) opens(user string) {
	h.app.HomeOpened(receive.Event{Team: h.TeamID(), User: user})(h.t.Context())
}

func (h *tabs) shown(user string) string {
	h.t.Helper()
	view, err := h.Home(h.t.Context(), user, 0)
	require.NoError(h.t, err)
	return slacktest.TextOf(view.View)
}

const waitingServer = "db-042.stg.example.com"

func TestHomeIsReplacedWhenItsReaderLeavesAGroup(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		h := newTabs(t)
		approver, other := h.Cast().Approver, h.Cast().User
		h.opens(approver)
		h.opens(other)
		assert.Contains(t, h.shown(approver), waitingServer)
		published := len(h.Seen("views.publish"))

		require.NoError(t, h.PatchGroup(h.Cast().ApproveGroup, fakeslack.GroupPatch{Remove: []string{approver}}))
		time.Sleep(peopleAge + time.Second)
		synctest.Wait()
		assert.Contains(t, h.shown(approver), waitingServer, "nobody has read the groups since")

		h.opens(other) // which reads them
		synctest.Wait()
		assert.NotContains(t, h.shown(approver), waitingServer)
		assert.Contains(t, h.shown(approver), "You cannot ask for or approve cancellations here.")
		assert.Len(t, h.Seen("views.publish"), published+2, "the other's tab, and this one")

		time.Sleep(peopleAge + time.Second)
		h.opens(other)
		synctest.Wait()
		assert.Len(t, h.Seen("views.publish"), published+3, "what was replaced is replaced once")
		assert.Empty(t, h.RulesBroken())
	})
}

// A group that Slack does not list any more has no members that anybody knows of.
func TestHomeIsReplacedWhenItsGroupIsUnlisted(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		h := newTabs(t)
		h.opens(h.Cast().Approver)
		off := true
		require.NoError(t, h.PatchGroup(h.Cast().ApproveGroup, fakeslack.GroupPatch{Disabled: &off}))
		time.Sleep(peopleAge + time.Second)
		h.opens(h.Cast().User)
		synctest.Wait()
		assert.NotContains(t, h.shown(h.Cast().Approver), waitingServer)
	})
}

func TestHomeSaysThatItsReaderIsUnread(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		h := newTabs(t)
		h.opens(h.Cast().Approver)
		require.NoError(t, h.Fault("users.info", fakeslack.FaultInvalidAuth, 1))
		time.Sleep(peopleAge + time.Second)
		h.opens(h.Cast().Approver)
		assert.NotContains(t, h.shown(h.Cast().Approver), waitingServer, "nothing is shown on a guess")
		assert.Contains(t, h.shown(h.Cast().Approver), "Nothing can be shown now.")
	})
}

func TestRefusedClickInHomeOpensASmallView(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(s *stage) { s.policy(s.cast.ApproveGroup) })
	r := pendingIn(t, s.store, s.slack.TeamID(), s.cast.Requester)
	_, err := s.slack.OpenHome(t.Context(), fakeslack.Opening{User: s.cast.Approver})
	require.NoError(t, err)
	home, err := s.slack.Home(t.Context(), s.cast.Approver, 0)
	require.NoError(t, err)
	require.Contains(t, slacktest.TextOf(home.View), waitingServer)

	s.policy(s.cast.CancelGroup) // approvers are others now
	ack, err := s.slack.Act(t.Context(), fakeslack.Action{User: s.cast.Approver, View: home.ID, BlockID: "row:approve:" + r.ID, ActionID: "approve"})
	require.NoError(t, err)
	require.Empty(t, ack.Error)
	s.waitFor(s.cast.Approver, "You may not approve this:")
	s.until(func() bool { return s.count("views.publish") == 2 }, "the tab is published again")
	home, err = s.slack.Home(t.Context(), s.cast.Approver, 0)
	require.NoError(t, err)
	assert.NotContains(t, slacktest.TextOf(home.View), waitingServer)
	still, live := s.live(r.Submission.Card.Server.ID)
	assert.True(t, live)
	assert.Empty(t, still.Approvals)
	assert.Zero(t, s.count("chat.postMessage"), "nothing is said elsewhere")
}

func TestServerCalledLikeACommandIsWarnedOf(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(s *stage) { s.app.near = namesakes{{ID: 77, FQDN: "mine.example.com", Hostname: "mine"}} })
	before := s.count("response_url")
	s.command(s.cast.User, "mine")
	assert.Equal(t, before+1, s.count("response_url"))
	assert.Contains(t, s.newest(s.cast.User).Text, "A server is called mine too. To ask for that server, type /cancel-server 77.")
	s.command(s.cast.User, "pending")
	assert.NotContains(t, s.newest(s.cast.User).Text, "A server is called")
	s.command(s.cast.Outsider, "mine")
	assert.NotContains(t, s.newest(s.cast.Outsider).Text, "A server is called", "names are for people who may ask")
}

// namesakes are servers that the typeahead has in memory.
type namesakes []cancellation.Server

func (n namesakes) Nearest(string, int) []cancellation.Server { return nil }
func (n namesakes) Known(string, int) []cancellation.Server   { return n }
