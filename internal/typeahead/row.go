package typeahead

import (
	"cmp"
	"crypto/sha256"
	"hash"
	"io"
	"slices"
	"strconv"
	"strings"

	"cancel-server/internal/cancellation"
)

// Marks separate the texts of a row. No name contains them, so a search can match the beginning or
// the end of a text like any other part.
const (
	mark   = "\x00" // around a name and an address
	idMark = "\x01" // around an id
)

// row is a server as it is searched: only what an option shows.
type row struct {
	id         int64
	names      string // its host name and its full name, between marks
	numbers    string // its public and its private address, between marks, and its id
	datacenter string
}

func rowOf(s cancellation.Server) row {
	return row{
		id:         s.ID,
		names:      mark + clean(s.Hostname) + mark + clean(s.FQDN) + mark,
		numbers:    mark + clean(s.PublicIP) + mark + clean(s.PrivateIP) + mark + idMark + strconv.FormatInt(s.ID, 10) + idMark,
		datacenter: clean(s.Datacenter),
	}
}

// centers are the data centers of many rows, each one text for all that are there.
type centers map[string]string

func (c centers) row(s cancellation.Server) row {
	r := rowOf(s)
	if _, known := c[r.datacenter]; !known {
		c[r.datacenter] = r.datacenter
	}
	r.datacenter = c[r.datacenter]
	return r
}

// clean removes characters that would pass for a mark, and bounds a text far beyond any host name.
func clean(foreign string) string {
	const most = 512
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, foreign[:min(len(foreign), most)])
}

// server returns the row as the domain's server. Every other fact is unread.
func (r row) server() cancellation.Server {
	hostname, fqdn := twoOf(r.names)
	public, private := twoOf(r.numbers)
	s := cancellation.Server{
		ID: r.id, Hostname: hostname, FQDN: fqdn, PublicIP: public, PrivateIP: private, Datacenter: r.datacenter,
		Unread: []string{
			cancellation.FactProvisionDate, cancellation.FactHourly, cancellation.FactGateway, cancellation.FactLastTransaction,
		},
	}
	domain, follows := strings.CutPrefix(s.FQDN, s.Hostname+".")
	if s.Domain = domain; !follows {
		s.Domain, s.Unread = "", append(s.Unread, cancellation.FactDomain)
	}
	return s
}

// twoOf returns the first two texts between marks.
func twoOf(marked string) (first, second string) {
	first, rest, _ := strings.Cut(marked[len(mark):], mark)
	second, _, _ = strings.Cut(rest, mark)
	return first, second
}

// tag is one tag and the servers that carry it, by id.
type tag struct {
	Name    string
	Servers []int64
}

// listing is what a pass or a snapshot holds: rows in any order, tags by name.
type listing struct {
	rows []row
	tags []tag
}

// fingerprint tells whether two listings are equal.
type fingerprint [sha256.Size]byte

// ofRows is the fingerprint of rows that are sorted by name.
func ofRows(rows []row) fingerprint {
	sum := sha256.New()
	for _, r := range rows {
		write(sum, strconv.FormatInt(r.id, 10), r.names, r.numbers, r.datacenter)
	}
	return fingerprint(sum.Sum(nil))
}

func write(sum hash.Hash, texts ...string) {
	for _, text := range texts {
		_, _ = io.WriteString(sum, text) // a hash takes everything
		_, _ = io.WriteString(sum, "\n")
	}
}

// byName is the order of equal matches.
func byName(x, y row) int { return cmp.Or(cmp.Compare(x.fqdn(), y.fqdn()), cmp.Compare(x.id, y.id)) }

// fqdn is the full name without capitals; nothing is copied where it has none.
func (r row) fqdn() string {
	_, rest, _ := strings.Cut(r.names[1:], mark)
	return strings.ToLower(rest)
}

func sortTags(tags []tag) {
	slices.SortFunc(tags, func(x, y tag) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), slices.Compare(x.Servers, y.Servers))
	})
}
