package serverlist

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
)

// Server is one server of a light copy. Only its id is certain to be known.
type Server struct {
	ID             int64
	Hostname, FQDN string
	PublicIP       string
	PrivateIP      string
	IPv6           string
	Datacenter     string
	Pod            string    // with its data center: dal09.pod03
	Sharing        []string  // the pods that share its routers: nobody can tell whether it stands there instead
	Tags           []string  // valid until the copy yields the next one
	Ends           time.Time // when it is due to end if it is asked for now; zero if that is not known
}

// Options say how a list is resolved.
type Options struct {
	Most    int             // how many servers one form takes, or the person may still ask for today
	Held    map[int64]bool  // servers that live requests hold: queries count them and list them not
	Closing map[string]bool // the pods and data centers that will close, in lower case
	// May reports whether the person may ask for a server, and whether that could be decided; nil: they may ask for
	// all. Queries neither count nor list any other.
	May      func(Server) (may, decided bool)
	Ends     map[int64]time.Time // when servers that queries find are due to end, as far as the copy does not know it
	Untagged bool                // the copy does not know all tags yet
}

// MaxCandidates is how many servers' end dates can be read to find the first ones of a list.
const MaxCandidates = 500

// State says what an entry means.
type State string

// The states of rows.
const (
	Found       State = "found"
	NotFound    State = "not-found"
	Ambiguous   State = "ambiguous"   // several servers have this name
	Contradicts State = "contradicts" // the row of a table names different servers
	Refused     State = "refused"     // the entry has a problem
)

// MaxSame is how many servers of one name are listed.
const MaxSame = 10

// Row is what an entry means.
type Row struct {
	Entry
	State  State
	Server Server   // of a found one
	ByHost bool     // it was found by its host name alone
	Merged []string // later entries that mean the same server
	Same   []int64  // the servers that an ambiguous or contradicting entry names, at most [MaxSame], by id
	Others int      // how many more there are
	Near   string   // the closest name to one that is not found; "" for none
}

// Group is servers of queries that share a tag, or a data center if they have no tag.
type Group struct {
	Name    string // of the tag or the data center; "" if the copy knows neither
	Tagged  bool
	Servers []Server // by end date, the unknown last
}

// Matches counts the servers that a query finds, those included that were named. Unsure counts those of
// which nobody can tell, because their pod is not known.
type Matches struct {
	Query   Query
	Servers int
	Unsure  int
	Held    int       // of Servers: live requests hold them
	Shared  []Sharing // by pod: why some of Servers may stand where the query does not look, or some of Unsure where it does
}

// Sharing says that servers count in a pod, and that nobody can tell whether they stand in others, which share its
// routers.
type Sharing struct {
	Pod    string
	Others []string // by name
}

// Resolved is what a list means.
type Resolved struct {
	Rows    []Row   // in the order of the entries
	Groups  []Group // what the queries find and nobody named
	Shown   int     // how many servers the groups hold
	Of      int     // and how many there are
	Queries []Matches

	Undecided  int     // servers about which it could not be decided whether the person may ask for them; no number for that person
	Unlisted   bool    // the copy has no servers yet, so that queries find nothing
	Untagged   bool    // it does not know all tags yet, so that queries may find too few
	Order      Order   // which of Of the groups hold
	Candidates []int64 `json:"-"` // all of Of; nil if there are more than [MaxCandidates]
}

// Order says which servers are listed if a query finds more than fit.
type Order string

// The orders.
const (
	ByEnd     Order = ""         // those that are due to end first; without dates, the first by name
	ByName    Order = "too-many" // the first by name: there are more than [MaxCandidates]
	EndUnread Order = "unread"   // the first by name: their end dates could not be read
)

// Found counts the servers that were named and found.
func (r Resolved) Found() (count int) {
	for _, row := range r.Rows {
		if row.State == Found {
			count++
		}
	}
	return count
}

// Shortened returns the groups, at most so many: the last one then holds what all others do, and has no name.
func (r Resolved) Shortened(most int) []Group {
	if len(r.Groups) <= most {
		return r.Groups
	}
	short, rest := slices.Clone(r.Groups[:most]), Group{}
	for _, group := range r.Groups[most-1:] {
		rest.Servers = append(rest.Servers, group.Servers...)
	}
	short[most-1] = rest
	return short
}

// WithoutNamed returns the list without those servers of its groups that a row names. A row may have been found after the
// groups were.
func (r Resolved) WithoutNamed() Resolved {
	named := func(s Server) bool {
		return slices.ContainsFunc(r.Rows, func(row Row) bool { return row.State == Found && row.Server.ID == s.ID })
	}
	var kept []Group
	for _, group := range r.Groups {
		before := len(group.Servers)
		group.Servers = slices.DeleteFunc(slices.Clone(group.Servers), named)
		gone := before - len(group.Servers)
		r.Shown, r.Of = r.Shown-gone, r.Of-gone
		if len(group.Servers) > 0 {
			kept = append(kept, group)
		}
	}
	r.Groups = kept
	return r
}

// Resolve finds out which servers a list means. It goes twice through all servers of one copy, in any
// order.
func Resolve(l List, servers iter.Seq[Server], o Options) Resolved {
	names := newLookup(l.Entries)
	if len(names) > 0 {
		for s := range servers {
			names.note(&s)
		}
	}
	rows, wanted := names.rows(l.Entries)
	near, matching := newNeighbors(rows), newMatching(l.Queries, rows, o)
	if near.any || len(wanted)+len(l.Queries) > 0 {
		for s := range servers {
			for _, fill := range wanted[s.ID] {
				fill(s)
			}
			near.compare(&s)
			matching.match(&s)
		}
	}
	near.note(rows)
	return matching.resolved(Resolved{Rows: rows})
}

// lookup is what the servers of a copy are called, as far as entries name them: by [keyOf].
type lookup map[string]*called

// called are the ids of the servers that a text names.
type called struct {
	exactly []int64 // by id, full name or address
	byHost  []int64 // by host name
}

func newLookup(entries []Entry) lookup {
	l := lookup{}
	for _, e := range entries {
		if e.Problem != "" {
			continue
		}
		l[keyOf(e.Text)] = &called{}
		for _, text := range e.Also {
			l[keyOf(text)] = &called{}
		}
	}
	return l
}

// note notes the texts that name a server.
func (l lookup) note(s *Server) {
	var digits [20]byte
	if c, is := l[string(strconv.AppendInt(digits[:0], s.ID, 10))]; is {
		c.exactly = append(c.exactly, s.ID)
	}
	for _, name := range [...]string{plainName(s.FQDN), plainAddress(s.PublicIP), plainAddress(s.PrivateIP), plainAddress(s.IPv6)} {
		if c, is := l[name]; is {
			c.exactly = append(c.exactly, s.ID)
		}
	}
	if c, is := l[plainName(s.Hostname)]; is {
		c.byHost = append(c.byHost, s.ID)
	}
}

// ids returns the servers that a text names, by id. If it is the id, the full name or an address of one, no
// host name counts.
func (l lookup) ids(text string) (ids []int64, byHost bool) {
	c := l[keyOf(text)]
	ids, byHost = c.exactly, false
	if len(ids) == 0 {
		ids, byHost = c.byHost, true
	}
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids), byHost
}

// rows returns what each entry means, and what to do with each server that the rows still lack. Entries
// that mean the same server become one row.
func (l lookup) rows(entries []Entry) (rows []Row, wanted map[int64][]func(Server)) {
	rows, wanted = make([]Row, 0, len(entries)), map[int64][]func(Server){}
	at := map[int64]int{} // the row of each server
	for _, e := range entries {
		row, hint := l.row(e)
		first, known := at[row.Server.ID]
		if row.State == Found && known {
			rows[first].Merged = append(rows[first].Merged, e.Text)
			rows[first].ByHost = rows[first].ByHost && row.ByHost
			continue
		}
		n := len(rows)
		rows = append(rows, row)
		switch {
		case row.State == Found:
			at[row.Server.ID] = n
			wanted[row.Server.ID] = append(wanted[row.Server.ID], func(s Server) { rows[n].Server = s.kept() })
		case hint != 0:
			wanted[hint] = append(wanted[hint], func(s Server) { rows[n].Near = strings.Clone(s.name()) })
		}
	}
	return rows, wanted
}

// row returns what an entry means; of a found server only its id. All that the row of a table says must
// hold of one server; what no server is called, such as a former address, says nothing. hint is the server
// that the rest of a row names whose first text names none.
func (l lookup) row(e Entry) (row Row, hint int64) {
	row = Row{Entry: e, State: Refused}
	if e.Problem != "" {
		return row, 0
	}
	ids, byHost := l.ids(e.Text)
	known, all := len(ids) > 0, slices.Clone(ids)
	for _, text := range e.Also {
		if also, alsoByHost := l.ids(text); len(also) > 0 {
			all, ids, byHost = append(all, also...), both(ids, also), byHost && alsoByHost
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	switch {
	case !known:
		row.State = NotFound
		if len(all) == 1 {
			hint = all[0]
		}
	case len(ids) == 1:
		row.State, row.Server.ID, row.ByHost = Found, ids[0], byHost
	case len(ids) == 0:
		row.State = Contradicts
		row.list(all)
	default:
		row.State = Ambiguous
		row.list(ids)
	}
	return row, hint
}

// both returns what is in each of two sorted lists.
func both(ids, others []int64) []int64 {
	return slices.DeleteFunc(ids, func(id int64) bool {
		_, is := slices.BinarySearch(others, id)
		return !is
	})
}

func (r *Row) list(ids []int64) {
	r.Same, r.Others = slices.Clone(ids[:min(len(ids), MaxSame)]), max(0, len(ids)-MaxSame)
}

// kept returns the server with texts of its own: those that the copy yields may be parts of a text that
// holds all names of an account.
func (s Server) kept() Server {
	for _, text := range []*string{&s.Hostname, &s.FQDN, &s.PublicIP, &s.PrivateIP, &s.IPv6, &s.Datacenter, &s.Pod} {
		*text = strings.Clone(*text)
	}
	s.Sharing, s.Tags = slices.Clone(s.Sharing), slices.Clone(s.Tags)
	for i, tag := range s.Tags {
		s.Tags[i] = strings.Clone(tag)
	}
	return s
}

// name is the full name, or the host name if that is all that is known.
func (s Server) name() string { return cmp.Or(s.FQDN, s.Hostname) }

// plainName is [cancellation.PlainName], which most names are already.
func plainName(name string) string {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || 'A' <= c && c <= 'Z' {
			return cancellation.PlainName(name)
		}
	}
	return strings.TrimSuffix(name, ".")
}

// plainAddress writes an IPv6 address in the one way that [keyOf] does.
func plainAddress(text string) string {
	if strings.Contains(text, ":") {
		if address, err := netip.ParseAddr(text); err == nil {
			return address.Unmap().String()
		}
	}
	return text
}
