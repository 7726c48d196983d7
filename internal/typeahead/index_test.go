package typeahead

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func indexOf(servers []cancellation.Server, tags ...tag) *index {
	p := pass{shared: shared{}}
	p.take(servers)
	sortTags(tags)
	return newIndex(listing{rows: p.rows, tags: tags}, nil)
}

func TestTheBestMatchComesFirst(t *testing.T) {
	t.Parallel()
	x := indexOf(
		[]cancellation.Server{
			server(10, "web.example.com", "10.0.0.1", "198.18.0.1"),
			server(11, "web-2.example.com", "10.0.0.10", "198.18.0.2"),
			server(12, "old-web.example.com", "10.0.1.1"),
			server(13, "WEB-1.example.org", "10.0.0.100"),
			server(14, "db.web.example.com", "110.0.0.1"),
			server(15, "web.example.net", "10.0.0.2"),
			server(101, "alpha-7.example.com", "10.7.0.1"),
			server(1010, "beta-10.example.com", "10.7.0.2"),
		},
		tag{"web", []int64{101}}, tag{"Prod-East", []int64{11, 1010, 999}}, tag{"prod", []int64{12}},
	)
	for query, want := range map[string][]int64{
		"web":               {10, 15, 13, 11, 101, 14, 12}, // exactly, beginning, tagged, within
		" WEB ":             {10, 15, 13, 11, 101, 14, 12},
		"web.example.com":   {10, 14, 12},
		"Web-1.Example.ORG": {13},
		"web-":              {13, 11},
		"example.net":       {15},
		"10.0.0.1":          {10, 13, 11, 14},
		"198.18.0.2":        {11},
		"0.0.10":            {13, 11},
		"10":                {10, 1010, 101, 12, 13, 11, 15, 14}, // an id; a name; addresses, by name; within
		"101":               {101, 1010},
		"1010":              {1010},
		"prod":              {12, 1010, 11},
		"prod-east":         {1010, 11},
		"ROD-EA":            {1010, 11},
		"7":                 nil,
		"nothing":           nil,
		"":                  nil,
		"web\x00":           nil,
		"\x01":              nil,
		"b.ex":              {14, 12, 10, 15},
		"wéb":               nil,
	} {
		assert.Equal(t, want, ids(x.search(query, 100)), "%q", query)
	}
	assert.Equal(t, []int64{10, 15, 13}, ids(x.search("web", 3)), "no more than asked for")
}

func TestServerIsFoundByEachOfItsNames(t *testing.T) {
	t.Parallel()
	l := account(500)
	x := newIndex(l, nil)
	for _, r := range l.rows {
		s := r.server()
		for _, query := range []string{s.FQDN, s.Hostname, strings.ToUpper(s.FQDN), s.PrivateIP, s.PublicIP, strconv.FormatInt(s.ID, 10)} {
			if query == "" {
				continue
			}
			found := x.search(query, 1)
			require.Len(t, found, 1, query)
			require.Equal(t, s, found[0], "%q is first of all what is called so", query)
		}
	}
}

// The lists of three characters must find what reading every row finds.
func TestSearchMissesNothingThatAScanFinds(t *testing.T) {
	t.Parallel()
	l := account(400)
	x := newIndex(l, nil)
	tagged := map[int64][]string{}
	for _, t := range l.tags {
		for _, id := range t.Servers {
			tagged[id] = append(tagged[id], t.Name)
		}
	}
	for _, query := range keystrokes(l)[:800] {
		var want []int64
		for _, r := range l.rows {
			s := r.server()
			texts := append([]string{s.Hostname, s.FQDN, s.PublicIP, s.PrivateIP, strconv.FormatInt(s.ID, 10)}, tagged[s.ID]...)
			if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, query) }) {
				want = append(want, s.ID)
			}
		}
		found := ids(x.search(query, len(l.rows)))
		slices.Sort(found)
		slices.Sort(want)
		require.Equal(t, want, found, "%q", query)
	}
}

func TestWhatASuggestionDoesNotSayIsUnread(t *testing.T) {
	t.Parallel()
	x := indexOf([]cancellation.Server{server(1, "web.example.com"), {ID: 2, FQDN: "other", Hostname: "web2"}}, tag{"prod", []int64{1}})
	found := x.search("web", 10)
	require.Len(t, found, 2)
	assert.False(t, found[0].TagsKnown, "tags are for finding only")
	assert.False(t, found[0].Knows(cancellation.FactHourly))
	assert.True(t, found[0].Knows(cancellation.FactDomain))
	assert.False(t, found[1].Knows(cancellation.FactDomain), "no domain follows from these names")
}

func TestForeignTextStaysInItsRow(t *testing.T) {
	t.Parallel()
	x := indexOf([]cancellation.Server{
		server(1, "a\x00b\x01\n.example.com", "10.0.0.1\x00"), server(2, strings.Repeat("x", 5000)), server(3, "ünïcode.example.com"),
	})
	found := x.search("a b", 10)
	require.Len(t, found, 1)
	assert.Equal(t, int64(1), found[0].ID)
	assert.Equal(t, "a b  .example.com", found[0].FQDN)
	require.Len(t, x.search("xxxx", 10), 1)
	assert.LessOrEqual(t, len(x.search("xxxx", 10)[0].FQDN), 512)
	assert.Equal(t, []int64{3}, ids(x.search("ïcode", 10)))
}

func TestTheNearestNamesAreNamed(t *testing.T) {
	t.Parallel()
	i := New(Options{Rate: 1})
	assert.Empty(t, i.Nearest("web-001", 3), "nothing is known yet")
	i.index.Store(indexOf(serversNamed("web-001.example.com", "web-002.example.com", "web-010.example.net", "db-7.example.com", "mail.example.com")))
	for name, want := range map[string][]string{
		"web-003":             {"web-001.example.com", "web-002.example.com", "web-010.example.net"},
		"wbe-001":             {"web-001.example.com", "web-002.example.com"},
		"web-002.example.net": {"web-010.example.net", "web-002.example.com"},
		"MALI.":               {"mail.example.com"},
		"db":                  nil,
		"somethingelse":       nil,
		"":                    nil,
	} {
		assert.Equal(t, want, fqdns(i.Nearest(name, max(1, len(want)))), name)
	}
	assert.Len(t, i.Nearest("web-003", 1), 1)
}

func TestWhatIsKeptIsWhatWasFound(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 777} {
		x := newIndex(account(n), nil)
		data, err := packed(x)
		require.NoError(t, err)
		again, err := unpacked(data)
		require.NoError(t, err)
		assert.Equal(t, x, newIndex(again, nil), "%d servers", n)
	}
}

func TestSnapshotIsReadWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	data, err := packed(newIndex(account(300), nil))
	require.NoError(t, err)
	other, err := packed(newIndex(account(299), nil))
	require.NoError(t, err)
	damaged := slices.Clone(data)
	damaged[len(damaged)/2]++
	for says, data := range map[string][]byte{
		"nothing": nil, "no archive": []byte("servers"), "cut off": data[:len(data)-20], "damaged": damaged,
		"parts of two": append(slices.Clone(data[:len(data)/2]), other[len(other)/2:]...),
	} {
		_, err := unpacked(data)
		require.Error(t, err, says)
	}
}

func TestAnIndexOfALargeAccountIsSmall(t *testing.T) {
	const servers = 20_000 // the benchmark makes one of 100,000
	l := account(servers)
	before := heap()
	x := newIndex(l, nil)
	held := heap() - before
	assert.Less(t, held, int64(servers*600), "bytes of memory: 60 MB for 100,000 servers")
	assert.NotEmpty(t, x.search(fmt.Sprint(l.rows[0].id), 1))
}
