package typeahead

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/closing"
)

func everywhere(string, []int64) bool { return true }

// placed makes an index of servers in two data centers and pods, with tags.
func placed(t *testing.T) *Inventory {
	t.Helper()
	p := pass{shared: shared{}}
	for id := int64(1); id <= 6; id++ {
		s := server(id, "web-"+string(rune('0'+id))+".example.com")
		s.Routers = []int64{11 + id%2}
		if id > 4 {
			s.Datacenter, s.Routers = "dal13", nil
		}
		p.rows = append(p.rows, p.shared.row(s))
	}
	i := &Inventory{}
	i.index.Store(newIndex(listing{rows: p.rows, tags: []tag{{"prod", []int64{1, 5}}, {"team-web", []int64{1, 2, 3}}}}, nil))
	return i
}

func TestStandingServersHaveTheirPlaceAndTags(t *testing.T) {
	t.Parallel()
	servers, known, _ := placed(t).Standing(everywhere)
	require.True(t, known)
	all := slices.Collect(servers)
	require.Len(t, all, 6)
	assert.Equal(t, closing.Server{
		ID: 1, Hostname: "web-1", FQDN: "web-1.example.com", Datacenter: "fra02", Routers: []int64{12}, Tags: []string{"prod", "team-web"}, Tagset: all[0].Tagset,
	}, all[0])
	assert.Equal(t, []int64{11}, all[1].Routers)
	assert.Equal(t, all[1].Tagset, all[2].Tagset, "the same tags")
	assert.NotEqual(t, all[0].Tagset, all[1].Tagset)
	assert.Empty(t, all[3].Tags)
	assert.Equal(t, "dal13", all[4].Datacenter)
	assert.Empty(t, all[4].Routers)
	assert.Equal(t, []string{"prod"}, all[4].Tags)
}

func TestOnlyServersInWantedPlacesStand(t *testing.T) {
	t.Parallel()
	asked := 0
	servers, known, _ := placed(t).Standing(func(datacenter string, routers []int64) bool {
		asked++
		return datacenter == "fra02" && slices.Contains(routers, 12)
	})
	require.True(t, known)
	var ids []int64
	for s := range servers {
		ids = append(ids, s.ID)
	}
	assert.Equal(t, []int64{1, 3}, ids)
	assert.Equal(t, 4, asked, "once for each data center and its routers, and for none")
}

func TestPodsAndTagsComeWithTheSnapshot(t *testing.T) {
	t.Parallel()
	data, err := packed(placed(t).index.Load())
	require.NoError(t, err)
	l, err := unpacked(data)
	require.NoError(t, err)
	taken := &Inventory{}
	taken.index.Store(newIndex(l, nil))
	assert.Equal(t, placed(t).index.Load().all, taken.index.Load().all)
	before, _, _ := placed(t).Standing(everywhere)
	after, known, tagged := taken.Standing(everywhere)
	require.True(t, known)
	assert.True(t, tagged)
	assert.Equal(t, slices.Collect(before), slices.Collect(after))
}

func TestOlderSnapshotsHaveNoPods(t *testing.T) {
	t.Parallel()
	var data bytes.Buffer
	zip := gzip.NewWriter(&data)
	_, err := io.WriteString(zip, `{"Format":1,"Servers":1,"Tags":1}
["1","web","web.example.com","198.18.0.1","10.0.0.1","fra02"]
{"Name":"prod","Servers":[1]}
`)
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	l, err := unpacked(data.Bytes())
	require.NoError(t, err)
	i := New(Options{Rate: 1})
	i.index.Store(newIndex(l, nil))
	servers, known, _ := i.Standing(everywhere)
	require.True(t, known)
	all := slices.Collect(servers)
	require.Len(t, all, 1)
	assert.Equal(t, []string{"prod"}, all[0].Tags)
	assert.Equal(t, "fra02", all[0].Datacenter)
	assert.Empty(t, all[0].Routers, "its pod is not known")
}

func TestServersWithUnreadTagsAreMarked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &books{servers: serversNamed("web-1.example.com")} // no server carries a tag
		wrong := errors.New("no tags yet")
		b.before = func(call int) error {
			if call > 1 {
				return wrong
			}
			return nil
		}
		i, other := b.inventory("one"), b.inventory("two")
		_, known, _ := i.Standing(everywhere)
		assert.False(t, known, "nothing was read")
		_, err := i.refresh(t.Context())
		require.NoError(t, err)
		servers, known, tagged := i.Standing(everywhere)
		assert.True(t, known)
		assert.False(t, tagged, "a tag may forbid what would be shown as allowed")
		assert.Len(t, slices.Collect(servers), 1)
		found, err := other.TakeKept(t.Context())
		require.NoError(t, err)
		assert.True(t, found)
		_, known, tagged = other.Standing(everywhere)
		assert.True(t, known)
		assert.False(t, tagged, "the snapshot says so too")

		wrong = nil
		time.Sleep(i.interval)
		_, err = i.refresh(t.Context())
		require.NoError(t, err)
		_, _, tagged = i.Standing(everywhere)
		assert.True(t, tagged)
		_, err = other.TakeKept(t.Context())
		require.NoError(t, err)
		_, _, tagged = other.Standing(everywhere)
		assert.True(t, tagged)
	})
}
