package typeahead

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/serverlist"
	"cancel-server/internal/spelling"
)

func TestAllServersComeWithTheirTags(t *testing.T) {
	t.Parallel()
	i := New(Options{Rate: 1, PodOf: func(routers []int64) (pod string, others []string) {
		if len(routers) > 0 {
			return "dal09.pod03", []string{"dal09.pod04"}
		}
		return "", nil
	}})
	assert.Empty(t, slices.Collect(i.All()), "nothing is known yet")
	l := account(300)
	l.rows[7].routers = "23"
	want := map[int64]serverlist.Server{}
	for _, r := range l.rows {
		s := r.server()
		want[s.ID] = serverlist.Server{ID: s.ID, Hostname: s.Hostname, FQDN: s.FQDN, PublicIP: s.PublicIP, PrivateIP: s.PrivateIP, Datacenter: s.Datacenter}
	}
	inPod := want[l.rows[7].id]
	inPod.Pod, inPod.Sharing = "dal09.pod03", []string{"dal09.pod04"}
	want[l.rows[7].id] = inPod
	for _, tag := range l.tags {
		for _, id := range tag.Servers {
			s := want[id]
			s.Tags = append(s.Tags, tag.Name)
			want[id] = s
		}
	}
	i.index.Store(newIndex(l, nil))
	all := i.All()
	i.index.Store(newIndex(listing{}, nil))
	for range 2 {
		found := map[int64]serverlist.Server{}
		for s := range all {
			s.Tags = slices.Clone(s.Tags)
			found[s.ID] = s
		}
		require.Equal(t, want, found, "as they were when it was asked")
	}
	for range all {
		break
	}
}

func TestTagsAreKnownAfterTheirFirstPass(t *testing.T) {
	t.Parallel()
	i := New(Options{Rate: 1})
	assert.False(t, i.Tagged())
	assert.False(t, i.Listed())
	l := account(3)
	i.index.Store(newIndex(listing{rows: l.rows, untagged: true}, nil))
	assert.False(t, i.Tagged())
	assert.True(t, i.Listed(), "the servers are known before their tags")
	i.index.Store(newIndex(l, nil))
	assert.True(t, i.Tagged())
}

func TestPastedListMeansServersOfTheCopy(t *testing.T) {
	t.Parallel()
	i := New(Options{Rate: 1})
	l := account(2_000)
	i.index.Store(newIndex(l, nil))
	first, second, third := l.rows[0].server(), l.rows[1].server(), l.rows[2].server()
	list, err := serverlist.Parse(strings.ToUpper(first.FQDN) + "\n" + second.PrivateIP + ", " + third.Hostname + "x tag:protected")
	require.NoError(t, err)
	found := serverlist.Resolve(list, i.All(), serverlist.Options{Most: 12})
	require.Len(t, found.Rows, 3)
	assert.Equal(t, []int64{first.ID, second.ID}, []int64{found.Rows[0].Server.ID, found.Rows[1].Server.ID})
	assert.Equal(t, serverlist.NotFound, found.Rows[2].State)
	assert.NotEmpty(t, found.Rows[2].Near)
	assert.Equal(t, 10, found.Shown)
	assert.Greater(t, found.Of, 300)
	for _, group := range found.Groups {
		assert.True(t, group.Tagged)
	}
}

// Two ways to find the closest name must not suggest different ones.
func TestListsSuggestWhatTheTypeaheadDoes(t *testing.T) {
	t.Parallel()
	i := New(Options{Rate: 1})
	l := account(3_000)
	i.index.Store(newIndex(l, nil))
	r, near := rand.New(rand.NewPCG(5, 5)), 0
	for range 150 {
		s := l.rows[r.IntN(len(l.rows))].server()
		name := []byte([]string{s.Hostname, s.FQDN}[r.IntN(2)])
		for range 1 + r.IntN(4) {
			name[r.IntN(len(name))] = "abcx-019"[r.IntN(8)]
		}
		list, err := serverlist.Parse(string(name))
		require.NoError(t, err)
		row := serverlist.Resolve(list, i.All(), serverlist.Options{}).Rows[0]
		if row.State != serverlist.NotFound {
			continue
		}
		var want []int
		for _, s := range i.Nearest(string(name), 1) {
			called := strings.ToLower(s.Hostname)
			if strings.Contains(string(name), ".") {
				called = strings.ToLower(s.FQDN)
			}
			want = append(want, spelling.Errors(spelling.New(string(name)), called, spelling.Most))
		}
		if row.Near == "" {
			assert.Empty(t, want, "%s", name)
			continue
		}
		near++
		assert.Equal(t, want, []int{spelling.Errors(spelling.New(string(name)), row.Near, spelling.Most)}, "%s", name)
	}
	assert.Greater(t, near, 50)
}
