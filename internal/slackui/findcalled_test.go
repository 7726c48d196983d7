package slackui

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/serverlist"
	"cancel-server/internal/slackui/slacktest"
)

// census knows virtual servers and names.
type census struct {
	virtual map[string]bool
	err     error
	nearest []cancellation.Server
	asked   []string
}

func (c *census) IsVirtual(_ context.Context, name string) (bool, error) {
	c.asked = append(c.asked, name)
	return c.virtual[name], c.err
}

func (c *census) Nearest(string, int) []cancellation.Server { return c.nearest }
func (c *census) Known(string, int) []cancellation.Server   { return nil }

func TestQueriesWaitUntilServersAreListed(t *testing.T) {
	t.Parallel()
	a := &App{lists: Lists{
		All: func() iter.Seq[serverlist.Server] {
			return slices.Values([]serverlist.Server{{ID: 1, Datacenter: "fra02"}})
		},
		Closing: func() map[string]bool { return nil },
		Held:    func(context.Context) (map[int64]bool, error) { return nil, nil },
		Listed:  func() bool { return false },
		Most:    50,
	}}
	list, err := serverlist.Parse("web-1 dc:fra02")
	require.NoError(t, err)
	found, err := a.resolved(t.Context(), metadata{}, list, 50)
	require.NoError(t, err)
	assert.True(t, found.Unlisted, "nobody can tell what the query finds")
	assert.Empty(t, found.Groups, "what is listed meanwhile is shown to nobody whom the policy was not asked about")
	assert.Len(t, found.Rows, 1, "names are looked up at SoftLayer")
	list, err = serverlist.Parse("web-1")
	require.NoError(t, err)
	found, err = a.resolved(t.Context(), metadata{}, list, 50)
	require.NoError(t, err)
	assert.False(t, found.Unlisted, "names need no list")
}

// lateTags are tags that become known while a name is looked up.
type lateTags struct {
	Searcher
	known *atomic.Bool
}

func (l lateTags) Search(ctx context.Context, query string, limit int) ([]cancellation.Server, error) {
	l.known.Store(true)
	return l.Searcher.Search(ctx, query, limit)
}

func TestTagsThatAreLateAreNamed(t *testing.T) {
	t.Parallel()
	var known atomic.Bool
	s := newStage(t, inFra02(), func(s *stage) {
		s.app.lists.Tagged = known.Load
		s.app.byName = lateTags{s.app.byName, &known}
	})
	s.asksFor("tag:old no-such-one " + webName)
	shown := slacktest.TextOf(s.waitFor(s.cast.User, "Review: 1 of 2").View)
	require.True(t, known.Load())
	assert.Contains(t, shown, "The tags are still being read.", "the query found nothing, and may find something")
}

func TestTagsAreAwaitedOnlyIfRulesReadThem(t *testing.T) {
	t.Parallel()
	for rule, decides := range map[string]bool{
		`permit (principal, action, resource) when { resource.datacenter == "fra02" };`:      true,
		`forbid (principal, action, resource) when { resource.tags.contains("protected") };`: false,
	} {
		policy, err := authz.Parse("policy.cedar", []byte("@id(\"all\") permit (principal, action, resource);\n@id(\"one\") "+rule))
		require.NoError(t, err)
		tagged := false
		l := Lists{
			Tagged: func() bool { return tagged },
			May: func(context.Context, *authz.Policy, authz.Principal) func(serverlist.Server) (may, decided bool) {
				return func(serverlist.Server) (may, decided bool) { return true, true }
			},
		}
		may, decided := l.mayAsk(t.Context(), policy, authz.Principal{})(serverlist.Server{ID: 1})
		assert.Equal(t, []bool{decides, decides}, []bool{may, decided}, "the key may see no tags, ever: %s", rule)
		tagged = true
		_, decided = l.mayAsk(t.Context(), policy, authz.Principal{})(serverlist.Server{ID: 1})
		assert.True(t, decided, rule)
	}
}

func TestVirtualServersNameIsReportedAsSuch(t *testing.T) {
	t.Parallel()
	near := []cancellation.Server{{ID: 1, FQDN: "vm-web.example.com"}, {ID: 2, FQDN: "vm-db.example.com"}}
	for says, c := range map[string]struct {
		query string
		knows census
		want  string
		asked int
	}{
		"a virtual server": {
			"VM-001",
			census{virtual: map[string]bool{"vm-001": true}},
			"VM-001 is a virtual server; this bot handles bare metal only. Choose the server that you mean.", 1,
		},
		"a virtual server, and names like it": {
			"vm-001",
			census{virtual: map[string]bool{"vm-001": true}, nearest: near},
			"vm-001 is a virtual server; this bot handles bare metal only. Nearest: vm-web.example.com, vm-db.example.com. Choose the server that you mean.", 1,
		},
		"a name that nobody has": {
			"wm-001",
			census{nearest: near},
			"No server is called exactly wm-001. Nearest: vm-web.example.com, vm-db.example.com. Choose the server that you mean.", 1,
		},
		"a virtual server that cannot be looked for": {
			"vm-001", census{err: errors.New("away")}, "No server is called exactly vm-001. Choose the server that you mean.", 1,
		},
		"a part of names": {
			"db-04", census{nearest: near}, "No server is called exactly db-04. Nearest: db-042.stg.example.com, db-042.prod.example.com.", 1,
		},
		"a bare-metal server": {"web-001", census{virtual: map[string]bool{"web-001": true}}, "Type web-001.stg.example.com to confirm", 0},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, func(s *stage) { s.app.virtual, s.app.near = &c.knows, &c.knows })
			s.command(s.cast.User, c.query)
			s.waitFor(s.cast.User, c.want)
			assert.Len(t, c.knows.asked, c.asked, "virtual servers are asked for only where no bare-metal one is called so")
		})
	}
}

func TestNameInACommandIsLookedUpFresh(t *testing.T) {
	t.Parallel()
	now := newRack()
	renamed := slacktest.DBServer()
	renamed.FQDN, renamed.Hostname = "renamed.stg.example.com", "renamed"
	now.set(renamed)
	s := newStage(t, func(s *stage) { s.app.byName = now })
	s.command(s.cast.User, renamed.FQDN)
	s.waitFor(s.cast.User, "Type db-042.stg.example.com to confirm") // as the read by id says
}
