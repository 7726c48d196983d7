package serverlist_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/serverlist"
)

type server = serverlist.Server

// fleet has two servers called web-007.example.com and two with the host name mail-1.
func fleet() []server {
	named := func(id int64, fqdn, address string) server {
		host, _, _ := strings.Cut(fqdn, ".")
		return server{ID: id, Hostname: host, FQDN: fqdn, PrivateIP: address, Datacenter: "fra02"}
	}
	all := []server{
		named(101, "web-001.example.com", "10.0.0.1"), named(107, "web-007.example.com", "10.0.0.7"), named(207, "WEB-007.example.com", "10.0.1.7"),
		named(133, "web-033.example.com", "10.0.0.33"), named(134, "web-034.example.com", "10.0.0.34"), named(301, "mail-1.example.com", "10.0.3.1"),
		named(302, "mail-1.example.net", "10.0.3.2"), named(401, "101.example.com", "10.0.4.1"),
	}
	all[0].PublicIP, all[0].IPv6 = "198.18.0.1", "2607:F0D0:1002:0051:0000:0000:0000:0004"
	return all
}

// means resolves a text, and says for each row what it means.
func means(t *testing.T, text string, servers []server) (rows []string) {
	t.Helper()
	for _, row := range serverlist.Resolve(parsed(t, text), slices.Values(servers), serverlist.Options{Most: 50}).Rows {
		said := row.Text + " " + string(row.State)
		switch {
		case row.State == serverlist.Found:
			said += fmt.Sprintf(" %d", row.Server.ID)
		case len(row.Same) > 0:
			said += fmt.Sprint(" ", row.Same)
		case row.Near != "":
			said += " near " + row.Near
		}
		for _, text := range row.Merged {
			said += " = " + text
		}
		rows = append(rows, said)
	}
	return rows
}

func TestEntriesMeanTheServersCalledSo(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"web-001":                      {"web-001 found 101"},
		"WEB–001.Example.COM.":         {"WEB–001.Example.COM. found 101"},
		"133":                          {"133 found 133"},
		"10.0.0.33":                    {"10.0.0.33 found 133"},
		"198.18.0.1":                   {"198.18.0.1 found 101"},
		"2607:f0d0:1002:51::4":         {"2607:f0d0:1002:51::4 found 101"},
		"web-007":                      {"web-007 ambiguous [107 207]"},
		"web-007.example.com":          {"web-007.example.com ambiguous [107 207]"},
		"107":                          {"107 found 107"},
		"mail-1":                       {"mail-1 ambiguous [301 302]"},
		"mail-1.example.net":           {"mail-1.example.net found 302"},
		"101":                          {"101 found 101"}, // an id wins over the host name of another
		"101.example.com":              {"101.example.com found 401"},
		"web-0333":                     {"web-0333 not-found near web-033"},
		"web-033.exmaple.com":          {"web-033.exmaple.com not-found near web-033.example.com"},
		"web-033abc":                   {"web-033abc not-found near web-033"},
		"web-033abcd":                  {"web-033abcd not-found"},
		"web-033.exampl.m":             {"web-033.exampl.m not-found near web-033.example.com"},
		"web-035":                      {"web-035 not-found near web-033"}, // the first by name of several
		"10.0.0.99 102 xyz web":        {"10.0.0.99 not-found", "102 not-found", "xyz not-found", "web not-found"},
		"fe80::1 web\u202e-001":        {"fe80::1 not-found", "web\ufffd-001 refused"},
		"101 10.0.0.7, web-033 web-03": {"101 found 101", "10.0.0.7 found 107", "web-033 found 133", "web-03 not-found near web-033"},
	} {
		assert.Equal(t, want, means(t, text, fleet()), text)
	}
	assert.Empty(t, means(t, "", fleet()))
	assert.Equal(t, []string{"web-001 not-found"}, means(t, "web-001", nil))
}

func TestNumbersAndAddressesHaveNoNearOnes(t *testing.T) {
	t.Parallel()
	servers := []server{{ID: 1234567, Hostname: "1234567", FQDN: "10.0.0.12.example"}, {ID: 2, Hostname: "fe80--1", FQDN: "10.0.0.x"}}
	assert.Equal(t, []string{"1234568 not-found", "fe80::1 not-found", "10.0.0.1 not-found", "fe80-1 not-found near fe80--1"}, means(t, "1234568 fe80::1 10.0.0.1 fe80-1", servers))
}

func TestEntriesOfOneServerMerge(t *testing.T) {
	t.Parallel()
	text := "web-001;101;10.0.0.1;198.18.0.1\nweb-033\nweb-001.example.com"
	assert.Equal(t, []string{"web-001 found 101 = 101 = 10.0.0.1 = 198.18.0.1 = web-001.example.com", "web-033 found 133"}, means(t, text, fleet()))
	resolved := serverlist.Resolve(parsed(t, "web-033 mail-1.example.net 301"), slices.Values(fleet()), serverlist.Options{})
	require.Len(t, resolved.Rows, 3)
	assert.True(t, resolved.Rows[0].ByHost, "by its host name alone")
	assert.False(t, resolved.Rows[1].ByHost)
	assert.False(t, resolved.Rows[2].ByHost)
	assert.Equal(t, "mail-1.example.net", resolved.Rows[1].Server.FQDN)
	assert.Equal(t, 3, resolved.Found())
	resolved = serverlist.Resolve(parsed(t, "web-033 10.0.0.33"), slices.Values(fleet()), serverlist.Options{})
	require.Len(t, resolved.Rows, 1)
	assert.False(t, resolved.Rows[0].ByHost, "its address says the same")
	resolved = serverlist.Resolve(parsed(t, "name;ip\nweb-033;10.0.0.33"), slices.Values(fleet()), serverlist.Options{})
	assert.False(t, resolved.Rows[0].ByHost, "in a table too")
}

func TestRowOfATableNamesOneServer(t *testing.T) {
	t.Parallel()
	for row, want := range map[string]string{
		"web-001;101;10.0.0.1":  "101 found 101",
		"web-001;107;":          "107 contradicts [101 107]", // columns that were sorted apart
		"web-001;107;10.0.0.7":  "107 contradicts [101 107]",
		"web-001;;10.0.0.33":    "web-001 contradicts [101 133]",
		"web-007;;10.0.1.7":     "web-007 found 207",
		"web-007;;":             "web-007 ambiguous [107 207]",
		"old-name;101;10.9.9.9": "101 found 101", // it was renamed since
		"web-033;999;":          "999 not-found near web-033.example.com",
		"web-007;999;":          "999 not-found",
		"web-001;;mail":         "web-001 found 101", // does not fit: each cell is an entry
	} {
		assert.Equal(t, want, means(t, "name;id;ip\n"+row, fleet())[0], row)
	}
}

func TestManyServersOfOneNameAreCounted(t *testing.T) {
	t.Parallel()
	var same []server
	for id := range int64(5_000) {
		same = append(same, server{ID: 5_000 - id, Hostname: "web", FQDN: "web.example.com", PrivateIP: "10.0.0.1"})
	}
	for _, text := range []string{"web", "10.0.0.1", "name;ip\nweb;10.0.0.1"} {
		rows := serverlist.Resolve(parsed(t, text), slices.Values(same), serverlist.Options{}).Rows
		require.Len(t, rows, 1)
		assert.Equal(t, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, rows[0].Same)
		assert.Equal(t, 4_990, rows[0].Others)
	}
}

func TestOrderOfTheCopyChangesNothing(t *testing.T) {
	t.Parallel()
	l := parsed(t, "web-007 web-035 web-0333 10.0.0.1 mail-1 101 web-001 dc:fra02 tag:x xyz-1.example.com")
	servers := fleet()
	for i := range servers {
		servers[i].Tags = [][]string{{"x", "y"}, {"y"}, nil}[i%3]
	}
	want := serverlist.Resolve(l, slices.Values(servers), serverlist.Options{Most: 4})
	assert.Len(t, want.Rows, 6)
	assert.Equal(t, []int{3, 7}, []int{want.Shown, want.Of}, "one of four was named")
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		r.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
		assert.Equal(t, want, serverlist.Resolve(l, slices.Values(servers), serverlist.Options{Most: 4}))
	}
}

// ending is a server that is due to end on a day of December, 0 for one of which that is not known.
func ending(id int64, day int, tags ...string) server {
	s := server{ID: id, FQDN: fmt.Sprintf("s%d", id), Datacenter: "che01", Pod: "che01.pod01", Tags: tags}
	if day > 0 {
		s.Ends = time.Date(2026, time.December, day, 0, 0, 0, 0, time.UTC)
	}
	return s
}

// listed says for each group which servers it has.
func listed(r serverlist.Resolved) (groups []string) {
	for _, g := range r.Groups {
		said := g.Name
		if g.Tagged {
			said = "#" + said
		}
		for _, s := range g.Servers {
			said += fmt.Sprintf(" %d", s.ID)
		}
		groups = append(groups, said)
	}
	return groups
}

func TestQueriesListServersByEndAndTag(t *testing.T) {
	t.Parallel()
	servers := []server{
		ending(1, 9, "team-a", "Web"), ending(2, 3, "web"), ending(3, 0, "db"), ending(4, 5, "team-a", "db"), ending(5, 4), ending(6, 20, "web"),
		{ID: 7, Datacenter: "DAL09", Pod: "dal09.pod03"},
		{ID: 8, Datacenter: "dal09", Pod: "dal09.pod01", Tags: []string{"WEB"}},
		{ID: 9},
	}
	for _, test := range []struct {
		text      string
		most      int
		want      []string
		shown, of int
	}{
		{"dc:che01", 50, []string{"#web 2 1 6", "che01 5", "#db 4 3"}, 6, 6},
		{"dc:che01", 3, []string{"#web 2", "che01 5", "#db 4"}, 3, 6},
		{"dc:che01", 0, nil, 0, 6},
		{"tag:WEB", 50, []string{"#web 2 1 6 8"}, 4, 4},
		{"tag:web tag:db", 50, []string{"#web 2 1 6 8", "#db 4 3"}, 6, 6},
		{"dc:dal09", 50, []string{"DAL09 7", "#web 8"}, 2, 2},
		{"pod:dal09.pod03", 50, []string{"DAL09 7"}, 1, 1},
		{"closing:", 50, []string{"#web 2 1 6", "che01 5", "#db 4 3", "DAL09 7"}, 7, 7},
		{"closing: pod:dal09.pod01 dc:xyz01", 50, []string{"#web 2 1 6 8", "che01 5", "#db 4 3", "DAL09 7"}, 8, 8},
		{"s2 dc:che01", 3, []string{"che01 5", "#db 4"}, 2, 5}, // one place is the named one's
		{"s2 s2 2 dc:che01", 3, []string{"che01 5", "#db 4"}, 2, 5},
		{"s1 s2 s3 dc:che01", 2, nil, 0, 3},
	} {
		r := serverlist.Resolve(parsed(t, test.text), slices.Values(servers), serverlist.Options{
			Most: test.most, Closing: map[string]bool{"che01": true, "dal09.pod03": true},
		})
		assert.Equal(t, test.want, listed(r), test.text)
		assert.Equal(t, test.shown, r.Shown, test.text)
		assert.Equal(t, test.of, r.Of, test.text)
	}
	r := serverlist.Resolve(parsed(t, "s2 tag:web dc:xyz01"), slices.Values(servers), serverlist.Options{Most: 50})
	assert.Equal(t, []serverlist.Matches{{Query: serverlist.Query{Word: "tag", Name: "web"}, Servers: 4}, {Query: serverlist.Query{Word: "dc", Name: "xyz01"}}}, r.Queries)
	r = serverlist.Resolve(parsed(t, "closing: pod:dal09.pod01 dc:dal09 tag:x"), slices.Values([]server{
		{ID: 1, Datacenter: "DAL09"}, {ID: 2, Datacenter: "dal09"}, {ID: 3, Datacenter: "che01"}, {ID: 4}, {ID: 5, Datacenter: "dal09", Pod: "dal09.pod02"},
	}), serverlist.Options{Most: 50, Closing: map[string]bool{"che01": true, "dal09.pod03": true}})
	for i, want := range [][]int{{1, 2}, {0, 2}, {3, 0}, {0, 0}} {
		assert.Equal(t, want, []int{r.Queries[i].Servers, r.Queries[i].Unsure}, "%s: servers, and those whose pod is not known", r.Queries[i].Query)
	}
	assert.Empty(t, serverlist.Resolve(parsed(t, "closing:"), slices.Values(servers), serverlist.Options{Most: 50}).Groups, "nothing closes")
}

// Of pods that share a router, all servers count in one: the one that closes first.
func TestServersOnSharedRoutersMayStandElsewhere(t *testing.T) {
	t.Parallel()
	var servers []server
	for id := range int64(3) {
		s := ending(id+1, 0)
		s.Datacenter, s.Pod, s.Sharing = "dal09", "dal09.pod01", []string{"dal09.pod02", "dal09.pod03"}
		servers = append(servers, s)
	}
	sharing := func(others ...string) []serverlist.Sharing {
		return []serverlist.Sharing{{Pod: "dal09.pod01", Others: others}}
	}
	for text, want := range map[string]serverlist.Matches{
		"pod:dal09.pod01": {Servers: 3, Held: 1, Shared: sharing("dal09.pod02", "dal09.pod03")},
		"pod:dal09.pod02": {Unsure: 3, Shared: sharing("dal09.pod02")},
		"pod:dal09.pod04": {},
		"closing:":        {Servers: 3, Held: 1, Shared: sharing("dal09.pod03")}, // pod02 closes too
		"dc:dal09":        {Servers: 3, Held: 1},
		"tag:x":           {},
	} {
		l := parsed(t, text)
		want.Query = l.Queries[0]
		r := serverlist.Resolve(l, slices.Values(servers), serverlist.Options{
			Most: 50, Held: map[int64]bool{2: true}, Closing: map[string]bool{"dal09.pod01": true, "dal09.pod02": true},
		})
		assert.Equal(t, []serverlist.Matches{want}, r.Queries, text)
	}
	r := serverlist.Resolve(parsed(t, "pod:dal09.pod02 closing:"), slices.Values(servers), serverlist.Options{Most: 50, Closing: map[string]bool{"dal09.pod03": true}})
	assert.Equal(t, []int{3, 3}, []int{r.Queries[0].Unsure, r.Queries[1].Unsure}, "none is in a place that closes for certain")
}

func TestQueriesFindWhatThePersonMayAskFor(t *testing.T) {
	t.Parallel()
	var servers []server
	for id := range int64(10) {
		s := ending(id+1, 0)
		if id == 9 { // nobody can tell whether it is in a closing pod
			s.Pod = ""
		}
		servers = append(servers, s)
	}
	o := serverlist.Options{Most: 3, Held: map[int64]bool{5: true, 6: true}, Closing: map[string]bool{"che01.pod01": true}}
	o.May = func(s server) (may, decided bool) { return s.ID > 4 && s.ID != 6, s.ID != 7 }
	r := serverlist.Resolve(parsed(t, "closing: s1"), slices.Values(servers), o)
	assert.Equal(t, []string{"che01 8 9"}, listed(r), "not the first ones of all, but of those")
	assert.Equal(t, []int{2, 2, 1}, []int{r.Shown, r.Of, r.Undecided})
	assert.Equal(t, []serverlist.Matches{{Query: serverlist.Query{Word: "closing"}, Servers: 3, Held: 1, Unsure: 1}}, r.Queries)
	assert.Equal(t, 1, r.Found(), "what is named is for the review to refuse")
}

func TestFirstToEndAreFoundAmongCandidates(t *testing.T) {
	t.Parallel()
	var servers []server
	for id := range int64(serverlist.MaxCandidates) {
		servers = append(servers, ending(id+1, 0))
	}
	l, o := parsed(t, "dc:che01"), serverlist.Options{Most: 2}
	r := serverlist.Resolve(l, slices.Values(servers), o)
	assert.Len(t, r.Candidates, serverlist.MaxCandidates)
	o.Ends = map[int64]time.Time{300: time.Date(2026, time.December, 9, 0, 0, 0, 0, time.UTC), 400: time.Date(2026, time.December, 3, 0, 0, 0, 0, time.UTC)}
	assert.Equal(t, []string{"che01 400 300"}, listed(serverlist.Resolve(l, slices.Values(servers), o)))
	r = serverlist.Resolve(l, slices.Values(append(servers, ending(9999, 0))), o)
	assert.Nil(t, r.Candidates, "these would be too many to read")
	assert.Equal(t, serverlist.MaxCandidates+1, r.Of)
}

// A copy may use one slice of tags for all its servers.
func TestWhatIsKeptIsACopy(t *testing.T) {
	t.Parallel()
	tags := make([]string, 1)
	r := serverlist.Resolve(parsed(t, "s1 dc:che01"), func(yield func(server) bool) {
		for id, tag := range []string{"", "a", "b", "c"} {
			tags[0] = tag
			if s := ending(int64(id), 1); id > 0 {
				s.Tags = tags
				yield(s)
			}
		}
	}, serverlist.Options{Most: 50})
	assert.Equal(t, []string{"a"}, r.Rows[0].Server.Tags)
	assert.Equal(t, []string{"#b 2", "#c 3"}, listed(r))
}

// An index of all names of a large account would be kept for lists that come once a week.
func TestMemoryIsForEntriesNotForServers(t *testing.T) {
	l := parsed(t, strings.Repeat("x", 10)+" web-prod-00001 dc:che01 db-tets-00002")
	used := func(servers int) uint64 {
		copied := account(servers)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		serverlist.Resolve(l, copied, serverlist.Options{Most: 50})
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	used(10)
	assert.Less(t, used(50_000), uint64(200_000), "bytes")
}

// What an entry means is what reading all servers one by one says.
func TestEntriesMeanWhatAScanSays(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 4))
	some := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	states := map[serverlist.State]int{}
	for range 3_000 {
		var servers []server
		for id := range int64(6) {
			host := some("a-1", "A-1", "b-2", "3", "c-3")
			servers = append(servers, server{ID: id + 1, Hostname: host, FQDN: host + some(".x.com", ".y.com", ".X.com"), PublicIP: some("", "10.0.0.1", "10.0.0.2"), PrivateIP: some("10.0.0.1", "10.0.0.3"), IPv6: some("", "::1", "0:0::1")})
		}
		text := some("a-1", "A–1.x.com", "b-2.Y.com.", "3", "4", "9", "10.0.0.1", "10.0.0.3", "::1", "0::1", "zzz-9")
		row := serverlist.Resolve(parsed(t, text), slices.Values(servers), serverlist.Options{}).Rows[0]
		var exactly, byHost []int64
		plain := strings.TrimSuffix(strings.ToLower(strings.ReplaceAll(text, "–", "-")), ".")
		for _, s := range servers {
			ipv6 := strings.HasSuffix(plain, "::1") && s.IPv6 != ""
			switch {
			case fmt.Sprint(s.ID) == plain, strings.EqualFold(s.FQDN, plain), s.PublicIP == plain, s.PrivateIP == plain, ipv6:
				exactly = append(exactly, s.ID)
			case strings.EqualFold(s.Hostname, plain):
				byHost = append(byHost, s.ID)
			}
		}
		want, host := exactly, false
		if len(want) == 0 {
			want, host = byHost, true
		}
		found := row.Same
		if row.State == serverlist.Found {
			found = []int64{row.Server.ID}
			assert.Equal(t, host, row.ByHost, text)
		}
		assert.Equal(t, fmt.Sprint(want), fmt.Sprint(found), "%s of %v", text, servers)
		assert.Equal(t, []serverlist.State{serverlist.NotFound, serverlist.Found, serverlist.Ambiguous}[min(len(want), 2)], row.State)
		states[row.State]++
	}
	assert.Len(t, states, 3)
}
