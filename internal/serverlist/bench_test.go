package serverlist_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"

	"cancel-server/internal/serverlist"
)

// account yields so many servers as a large account names them.
func account(servers int) iter.Seq[server] {
	r := rand.New(rand.NewPCG(7, 7))
	all := make([]server, servers)
	for n := range all {
		host := fmt.Sprintf("%s-%s-%05d", []string{"web", "db", "cache", "app", "build", "mail"}[r.IntN(6)], []string{"prod", "test", "lab"}[r.IntN(3)], n)
		all[n] = server{
			ID: int64(1_200_000 + n*37), Hostname: host, FQDN: host + ".example.com", PrivateIP: fmt.Sprintf("10.%d.%d.%d", n/65536, n/256%256, n%256),
			PublicIP: fmt.Sprintf("198.18.%d.%d", n/256%256, n%256), Datacenter: []string{"fra02", "che01"}[r.IntN(2)], Tags: []string{"team-" + host[:2], "staging"},
		}
	}
	return func(yield func(server) bool) {
		for _, s := range all {
			if !yield(s) {
				return
			}
		}
	}
}

// BenchmarkResolve measures lists of 600 entries against 100,000 servers: names that are there, names with a
// typing error, and names that are near nothing.
func BenchmarkResolve(b *testing.B) {
	servers := account(100_000)
	var known, misspelt, unknown []string
	for s := range servers {
		if len(known) < 600 && s.ID%41 == 0 {
			known = append(known, s.FQDN)
			misspelt = append(misspelt, strings.Replace(s.Hostname, "-", "--", 1)+"x")
			unknown = append(unknown, fmt.Sprintf("%d-dorp-%x", s.ID, s.ID))
		}
	}
	for name, entries := range map[string][]string{"known": known, "misspelt": misspelt, "unknown": unknown, "query": {"dc:che01"}} {
		b.Run(name, func(b *testing.B) {
			l, err := serverlist.Parse(strings.Join(entries[:len(entries)/2], "\n"), strings.Join(entries[len(entries)/2:], "\n"))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				serverlist.Resolve(l, servers, serverlist.Options{Most: 50})
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	text := strings.Repeat("web-01 ", 425)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := serverlist.Parse(text, text); err != nil {
			b.Fatal(err)
		}
	}
}
