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
	routers    string // the ids of its backend routers, between commas; "" if they are not known
}

func rowOf(s cancellation.Server) row {
	return row{
		id:         s.ID,
		names:      mark + clean(s.Hostname) + mark + clean(s.FQDN) + mark,
		numbers:    mark + clean(s.PublicIP) + mark + clean(s.PrivateIP) + mark + idMark + strconv.FormatInt(s.ID, 10) + idMark,
		datacenter: clean(s.Datacenter),
		routers:    joined(s.Routers),
	}
}

// joined writes the ids of routers. A server has one or two; what comes after many is left out.
func joined(routers []int64) string {
	const most = 8
	var texts []string
	for _, id := range routers[:min(len(routers), most)] {
		texts = append(texts, strconv.FormatInt(id, 10))
	}
	return strings.Join(texts, ",")
}

// parted reads what joined wrote.
func parted(routers string) []int64 {
	var ids []int64
	for text := range strings.SplitSeq(routers, ",") {
		if id, err := strconv.ParseInt(text, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// shared are texts that many rows have, each one text for all of them.
type shared map[string]string

func (c shared) row(s cancellation.Server) row {
	r := rowOf(s)
	r.datacenter, r.routers = c.text(r.datacenter), c.text(r.routers)
	return r
}

func (c shared) text(text string) string {
	if _, known := c[text]; !known {
		c[text] = text
	}
	return c[text]
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

	untagged bool // the tags were never read
}

// fingerprint tells whether two listings are equal.
type fingerprint [sha256.Size]byte

// ofRows is the fingerprint of rows that are sorted by name.
func ofRows(rows []row) fingerprint {
	sum := sha256.New()
	for _, r := range rows {
		write(sum, strconv.FormatInt(r.id, 10), r.names, r.numbers, r.datacenter, r.routers)
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
