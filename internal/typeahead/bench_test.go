package typeahead

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/serverlist"
)

// account is so many servers as a large account names them, and what carries which tag.
func account(servers int) listing {
	r := rand.New(rand.NewPCG(7, 7))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	p := pass{shared: shared{}}
	tags := map[string][]int64{}
	for n := range servers {
		id := int64(1_200_000 + n*37)
		host := fmt.Sprintf("%s-%s-%05d", pick("web", "db", "cache", "app", "build", "mail", "queue", "search"), pick("prod", "test", "lab"), n+1)
		s := cancellation.Server{
			ID: id, Hostname: host, FQDN: host + "." + pick("example.com", "example.net", "eu.example.org"),
			PrivateIP: fmt.Sprintf("10.%d.%d.%d", n/65536, n/256%256, n%256), Datacenter: pick("fra02", "dal13", "lon06", "wdc07", "tok02"),
		}
		if r.IntN(8) > 0 {
			s.PublicIP = fmt.Sprintf("198.%d.%d.%d", 18+n/65536%2, n/256%256, n%256)
		}
		p.take([]cancellation.Server{s})
		for _, name := range []string{"team-" + pick("data", "web", "core"), pick("staging", "test", "lab", "protected"), fmt.Sprintf("project-%04d", r.IntN(servers/20+1))} {
			tags[name] = append(tags[name], id)
		}
	}
	l := listing{rows: p.rows}
	for name, carried := range tags {
		l.tags = append(l.tags, tag{name, carried})
	}
	sortTags(l.tags)
	return l
}

// keystrokes are what people type until they have the server that they mean: its names,
// addresses, id and tags, letter by letter from the second on, parts of them, and what is
// nowhere.
func keystrokes(l listing) []string {
	r := rand.New(rand.NewPCG(1, 2))
	var typed []string
	letterByLetter := func(text string) {
		for end := 2; end <= len(text); end++ {
			typed = append(typed, text[:end])
		}
	}
	for range 100 {
		s := l.rows[r.IntN(len(l.rows))].server()
		for _, text := range []string{s.FQDN, s.Hostname[3:], s.PrivateIP, s.PublicIP, s.PrivateIP[3:], fmt.Sprint(s.ID), l.tags[r.IntN(len(l.tags))].Name, "x" + s.Hostname} {
			letterByLetter(text)
		}
	}
	return typed
}

// BenchmarkSearch measures one search of each keystroke, the best of several, so that what
// else the machine does is left out; and what an index takes of memory and of time to make.
func BenchmarkSearch(b *testing.B) {
	for _, servers := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("servers=%d", servers), func(b *testing.B) {
			l := account(servers)
			typed := keystrokes(l)
			before := heap()
			began := time.Now()
			x := newIndex(l, nil)
			built := time.Since(began)
			held := heap() - before
			took := make([]time.Duration, len(typed))
			for b.Loop() {
				for range 5 {
					for n, query := range typed {
						began := time.Now()
						x.search(query, 100)
						if each := time.Since(began); took[n] == 0 || each < took[n] {
							took[n] = each
						}
					}
				}
			}
			slices.Sort(took)
			b.ReportMetric(0, "ns/op") // of all of them
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-µs")
			b.ReportMetric(float64(took[len(took)-1].Nanoseconds())/1e3, "most-µs")
			b.ReportMetric(float64(held)/1e6, "heap-MB")
			b.ReportMetric(float64(built.Milliseconds()), "build-ms")
			runtime.KeepAlive(x)
			runtime.KeepAlive(l)
		})
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkPastedList measures a list of 40 names, half of them with a typing error, against the copy.
func BenchmarkPastedList(b *testing.B) {
	l := account(100_000)
	i := New(Options{Rate: 1})
	i.index.Store(newIndex(l, nil))
	var names []string
	for n := range 40 {
		names = append(names, l.rows[n*2_000].server().FQDN+[]string{"", "x"}[n%2])
	}
	list, err := serverlist.Parse(strings.Join(names, "\n"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if found := serverlist.Resolve(list, i.All(), serverlist.Options{Most: 50}).Found(); found != 20 {
			b.Fatal(found)
		}
	}
}

// What the closing board goes through if all of a large account's servers stand in places that close.
func BenchmarkStandingOf100000Servers(b *testing.B) {
	i := &Inventory{}
	i.index.Store(newIndex(account(100_000), nil))
	for b.Loop() {
		servers, _, _ := i.Standing(func(string, []int64) bool { return true })
		for range servers {
		}
	}
}
