package slackui

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/review"
	"cancel-server/internal/serverlist"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/words"
)

const twinName = "db-042.prod.example.com" // it has the host name of db, and is protected

// asksFor sends a list to be reviewed.
func (s *stage) asksFor(list string) {
	s.t.Helper()
	s.command(s.cast.User, list)
	s.reviews(list)
}

// reviews sends the list that is open. It has db or web, which are read once Slack shows that the list is read.
func (s *stage) reviews(list string) {
	s.t.Helper()
	defer close(s.held())
	values := filled(db, dbName)
	body := s.submit(s.cast.User, fakeslack.Values{
		words.NamesBlock:  {words.NamesAction: {"value": list}},
		words.ReasonBlock: values[words.ReasonBlock], words.ContentBlock: values[words.ContentBlock],
	})
	require.Equal(s.t, "update", body["response_action"], body)
}

// edits presses "Edit the list", and sends it again.
func (s *stage) edits(list string) {
	s.t.Helper()
	ack, err := s.slack.Act(s.t.Context(), fakeslack.Action{User: s.cast.User, View: s.top(s.cast.User).ID, BlockID: "edit", ActionID: words.EditAction})
	require.NoError(s.t, err)
	require.Empty(s.t, ack.Error)
	s.waitFor(s.cast.User, "Which servers?")
	s.reviews(list)
}

// sealed is what a view carries.
func (s *stage) sealed(view fakeslack.View) metadata {
	s.t.Helper()
	meta, err := s.app.sealer.open(s.t.Context(), viewOf(s.t, view.View).PrivateMetadata, s.cast.User)
	require.NoError(s.t, err)
	return meta
}

// changes changes a server at SoftLayer.
func (s *stage) changes(id int64, change func(*cancellation.Server)) {
	server := s.rack.servers[id]
	change(&server)
	s.rack.set(server)
}

// hasTicket blocks a server, or lets it go.
func hasTicket(open bool) func(*cancellation.Server) {
	return func(server *cancellation.Server) {
		server.OpenTicket = nil
		if open {
			server.OpenTicket = &cancellation.TicketID{ID: 1}
		}
	}
}

// knows has queries and names find these servers.
func knows(all ...serverlist.Server) func(*stage) {
	return func(s *stage) {
		withLists(s)
		s.app.lists.All = func() iter.Seq[serverlist.Server] { return slices.Values(all) }
		s.app.lists.Listed = func() bool { return true }
		s.app.lists.May = func(context.Context, *authz.Policy, authz.Principal) func(serverlist.Server) (may, decided bool) {
			return func(serverlist.Server) (may, decided bool) { return true, true }
		}
	}
}

// inFra02 has a query find all servers.
func inFra02() func(*stage) {
	return knows(
		serverlist.Server{ID: db, Hostname: "db-042", FQDN: dbName, Datacenter: "fra02"},
		serverlist.Server{ID: web, Hostname: "web-001", FQDN: webName, Datacenter: "fra02"},
		serverlist.Server{ID: twin, Hostname: "db-042", FQDN: twinName, Datacenter: "fra02"},
	)
}

func TestServersThatHadNoBoxStartTicked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, says, then string
		before, after     func(*cancellation.Server)
		knows             serverlist.Server
	}{
		"a host name of two": {first: "db-042", says: "Write the full name or the id.", then: dbName, knows: serverlist.Server{ID: db, Hostname: "db-042", FQDN: dbName}},
		"a former name":      {first: "old.example.com", says: "Write its present name", then: dbName, knows: serverlist.Server{ID: db, Hostname: "old", FQDN: "old.example.com"}},
		"a ticket that was closed": {
			first: dbName, says: "already open", then: dbName, knows: serverlist.Server{ID: db, FQDN: dbName}, before: hasTicket(true), after: hasTicket(false),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, knows(c.knows))
			if c.before != nil {
				s.changes(db, c.before)
			}
			s.asksFor(c.first + " " + webName)
			assert.Contains(t, slacktest.TextOf(s.waitFor(s.cast.User, "Review: 1 of 2").View), c.says)
			if c.after != nil {
				s.changes(db, c.after)
			}
			s.edits(c.then + " " + webName)
			view := s.waitFor(s.cast.User, "Review: 2 of 2")
			assert.Equal(t, []int64{db, web}, s.sealed(view).Ticked, "it was never unticked")
		})
	}
}

func TestServerThatLosesItsBoxStaysUnticked(t *testing.T) {
	t.Parallel()
	s, _ := reviewed(t)
	ack, err := s.slack.Act(t.Context(), fakeslack.Action{
		User: s.cast.User, View: s.top(s.cast.User).ID, BlockID: words.RowsBlock + "0", ActionID: words.RowsAction,
		SelectedOptions: []map[string]any{option(db)},
	})
	require.NoError(t, err)
	require.Empty(t, ack.Error)
	s.waitFor(s.cast.User, "Review: 1 of 2")
	for range 2 {
		s.changes(web, hasTicket(true))
		s.edits(dbName + " " + webName)
		assert.Contains(t, slacktest.TextOf(s.waitFor(s.cast.User, "Review: 1 of 2").View), "1 cannot be asked for")
	}
	s.changes(web, hasTicket(false))
	s.edits(dbName + " " + webName)
	view := s.waitFor(s.cast.User, "Review: 1 of 2")
	assert.NotContains(t, slacktest.TextOf(view.View), "cannot be asked for")
	assert.Equal(t, []int64{db}, s.sealed(view).Ticked, "a server goes that the person unticked")
}

func TestUntickedServersStayAndFit(t *testing.T) {
	t.Parallel()
	found := func(id int64) serverlist.Row {
		return serverlist.Row{State: serverlist.Found, Server: serverlist.Server{ID: id}}
	}
	box := func(id int64) review.Row { return review.Row{Named: found(id)} }
	named := draft{List: serverlist.Resolved{Rows: []serverlist.Row{found(1), found(2), found(3)}, Groups: []serverlist.Group{{Servers: []serverlist.Server{{ID: 4}}}}}}
	vague := named
	vague.List.Rows = append(slices.Clone(named.List.Rows), serverlist.Row{State: serverlist.Refused})
	before := metadata{Ticked: []int64{1, 2}, Unticked: []int64{3, 9}}
	after := before.ticking([]int64{2, 2})
	assert.Equal(t, []int64{2}, after.Ticked)
	assert.Equal(t, []int64{3, 9, 1}, after.Unticked)

	shown := after.boxed(named, []review.Row{box(1), box(4)})
	assert.Empty(t, shown.Ticked, "it has no box")
	assert.Equal(t, []int64{1, 3}, shown.Unticked, "one that the list names no more is forgotten")
	shown = after.boxed(vague, []review.Row{box(1), box(4)})
	assert.Equal(t, []int64{1, 3, 9}, shown.Unticked, "an entry may mean it")
	assert.Equal(t, []int64{2}, named.chosen(shown))

	var many draft
	var boxes []review.Row
	for id := range int64(100) {
		many.List.Rows = append(many.List.Rows, found(9_000_000_000+id))
		if id >= 50 {
			boxes = append(boxes, box(9_000_000_000+id))
			before.Ticked = append(before.Ticked, 9_000_000_000+id)
		} else {
			before.Unticked = append(before.Unticked, 9_000_000_000+id)
		}
	}
	full := someMetadata(0).listing(strings.Repeat("d", 64), before.Ticked)
	full.Unread, full.Unticked = full.List, before.Unticked
	full = full.boxed(many, boxes)
	assert.Len(t, append(full.Ticked, full.Unticked...), 100)
	_, err := sealer{key: []byte("key")}.seal(t.Context(), full)
	require.NoError(t, err, "twice as many as one form takes fit private_metadata")
}

func TestDroppedWarningTicksAreNamed(t *testing.T) {
	t.Parallel()
	s := newStage(t, withLists)
	s.changes(web, func(server *cancellation.Server) { server.Gateway = true })
	s.asksFor(dbName + " " + webName)
	view := s.waitFor(s.cast.User, "Review: 1 of 2")
	s.acts(s.ticks(view, 1, db, web))
	view = s.waitFor(s.cast.User, "Review: 2 of 2")
	s.advance(16 * time.Minute)
	s.acts(s.ticks(view, 2, db, web))
	view = s.waitFor(s.cast.User, "Review: 1 of 2")
	assert.Contains(t, slacktest.TextOf(view.View), words.ReadAgain+" "+words.TickAgain, "a tick is taken away without a word")

	s.advance(16 * time.Minute)
	s.acts(s.ticks(view, 3, db))
	s.waitFor(s.cast.User, words.ReadAgain)
	assert.NotContains(t, slacktest.TextOf(s.top(s.cast.User).View), words.TickAgain, "nobody ticked it")
}

func TestOnlyBoxesCountAsTicked(t *testing.T) {
	t.Parallel()
	for list, ticked := range map[string][]int64{
		"dc:fra02":                                {db, web},
		dbName + " " + webName + " " + twinName:   {db, web},
		webName + " " + twinName + " no-such-one": {web},
	} {
		t.Run(list, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, inFra02())
			s.asksFor(list)
			view := s.waitFor(s.cast.User, "Review: ")
			if strings.HasPrefix(list, "dc:") {
				s.acts(s.ticksGroup(view, 1))
			}
			view = s.waitFor(s.cast.User, fmt.Sprintf("Review: %d of 3", len(ticked)))
			assert.Equal(t, ticked, s.sealed(view).Ticked, "of a protected server nobody saw a box")
			before := s.count("chat.postMessage")
			_, err := s.slack.CloseView(t.Context(), s.cast.User, view.ID)
			require.NoError(t, err)
			s.until(func() bool { return s.count("chat.postMessage") > before }, "the list is offered again")
			s.mu.Lock()
			defer s.mu.Unlock()
			offer := s.calls[slices.IndexFunc(s.calls, func(x fakeslack.Exchange) bool { return x.Method == "chat.postMessage" })]
			assert.Contains(t, string(offer.Request), fmt.Sprintf("The list of %d server", len(ticked)))
		})
	}
}

// ticksGroup is a press of "Tick this group" in a review where nothing is ticked.
func (s *stage) ticksGroup(view fakeslack.View, press int) receive.Interaction {
	s.t.Helper()
	i := s.ticks(view, press)
	i.Action.BlockID, i.Action.ActionID, i.Action.Value = words.FoundBlock+"0:all", words.GroupAction, "0"
	return i
}

func TestOldGroupTicksNoUnseenServer(t *testing.T) {
	t.Parallel()
	s := newStage(t, inFra02())
	s.asksFor("dc:fra02")
	view := s.waitFor(s.cast.User, "Review: 0 of 3")
	s.advance(16 * time.Minute)
	s.changes(twin, func(server *cancellation.Server) { server.Tags = nil })
	s.acts(s.ticksGroup(view, 1))
	view = s.waitFor(s.cast.User, words.ReadAgain)
	assert.Empty(t, s.sealed(view).Ticked, "the protected server had no box when the button was pressed")
	s.acts(s.ticksGroup(view, 2))
	assert.Equal(t, []int64{db, web, twin}, s.sealed(s.waitFor(s.cast.User, "Review: 3 of 3")).Ticked)
}
