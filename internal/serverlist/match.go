package serverlist

import (
	"cmp"
	"slices"
	"strings"
)

// matching finds the servers of queries, and keeps those that are due to end first.
type matching struct {
	Options
	queries    []Query
	counts     []Matches
	named      map[int64]bool // are in the list already
	most       int
	first      []Server
	of         int
	undecided  int
	candidates []int64 // all of those that are counted in of, up to one more than [MaxCandidates]
}

func newMatching(queries []Query, rows []Row, o Options) *matching {
	m := &matching{Options: o, named: map[int64]bool{}}
	for _, q := range queries {
		m.counts = append(m.counts, Matches{Query: q})
		m.queries = append(m.queries, Query{Word: q.Word, Name: strings.ToLower(q.Name)})
	}
	for _, row := range rows {
		if row.State == Found {
			m.named[row.Server.ID] = true
		}
	}
	m.most = max(0, o.Most-len(m.named))
	return m
}

// match counts a server that a query finds and the person may ask for, and keeps it if it ends before others.
func (m *matching) match(s *Server) {
	if !slices.ContainsFunc(m.queries, func(q Query) bool { return m.finds(q, s) || m.mayFind(q, s) }) || !m.mayAsk(s) {
		return
	}
	found := false
	for i, q := range m.queries {
		switch {
		case m.finds(q, s):
			m.counts[i].note(m.Held[s.ID])
			found = true
		case m.mayFind(q, s):
			m.counts[i].Unsure++
		default:
			continue
		}
		m.noteSharing(i, s)
	}
	if found && !m.named[s.ID] && !m.Held[s.ID] {
		m.keep(s)
	}
}

// mayAsk reports whether the person may ask for a server, and counts those about which that was not decided.
func (m *matching) mayAsk(s *Server) bool {
	if m.May == nil {
		return true
	}
	may, decided := m.May(*s)
	if !decided {
		m.undecided++
	}
	return may && decided
}

func (m *matching) keep(s *Server) {
	if m.of++; len(m.candidates) <= MaxCandidates {
		m.candidates = append(m.candidates, s.ID)
	}
	one := *s
	if ends, known := m.Ends[s.ID]; known {
		one.Ends = ends
	}
	at, _ := slices.BinarySearchFunc(m.first, one, byEnd)
	if at >= m.most {
		return
	}
	if len(m.first) == m.most {
		m.first = m.first[:m.most-1]
	}
	m.first = slices.Insert(m.first, at, one.kept())
}

// resolved puts what the queries find into what a list means.
func (m *matching) resolved(r Resolved) Resolved {
	r.Queries, r.Of, r.Shown, r.Undecided, r.Untagged = m.counts, m.of, len(m.first), m.undecided, m.Untagged
	r.Groups = grouped(m.first)
	if len(m.candidates) <= MaxCandidates {
		r.Candidates = m.candidates
		slices.Sort(r.Candidates)
	}
	return r
}

func (m *Matches) note(held bool) {
	m.Servers++
	if held {
		m.Held++
	}
}

func (m *matching) finds(q Query, s *Server) bool {
	switch q.Word {
	case Tag:
		return slices.ContainsFunc(s.Tags, func(tag string) bool { return strings.EqualFold(tag, q.Name) })
	case DC:
		return strings.EqualFold(s.Datacenter, q.Name)
	case Pod:
		return strings.EqualFold(s.Pod, q.Name)
	case Closing:
		return m.Closing[strings.ToLower(s.Pod)] || m.Closing[strings.ToLower(s.Datacenter)]
	}
	return false
}

// noteSharing notes the pods in which a server may stand that a query finds in only some of them.
func (m *matching) noteSharing(query int, s *Server) {
	q := m.queries[query]
	for _, pod := range s.Sharing {
		if m.finds(q, s) != m.finds(q, s.in(pod)) {
			m.counts[query].share(s.Pod, pod)
		}
	}
}

func (m *Matches) share(pod, other string) {
	at, noted := slices.BinarySearchFunc(m.Shared, pod, func(s Sharing, pod string) int { return cmp.Compare(s.Pod, pod) })
	if !noted {
		m.Shared = slices.Insert(m.Shared, at, Sharing{Pod: pod})
	}
	s := &m.Shared[at]
	if at, noted := slices.BinarySearch(s.Others, other); !noted {
		s.Others = slices.Insert(s.Others, at, other)
	}
}

// in returns the server as if it stood in another pod.
func (s *Server) in(pod string) *Server {
	moved := *s
	moved.Pod = pod
	return &moved
}

// mayFind reports whether a query finds a server in one of the pods in which it may stand: those that share its routers,
// or all of its data center if its pod is not known.
func (m *matching) mayFind(q Query, s *Server) bool {
	switch {
	case slices.ContainsFunc(s.Sharing, func(pod string) bool { return m.finds(q, s.in(pod)) }):
		return true
	case s.Pod != "":
	case q.Word == Pod:
		return isPodOf(q.Name, s.Datacenter)
	case q.Word == Closing:
		for place := range m.Closing {
			if isPodOf(place, s.Datacenter) {
				return true
			}
		}
	}
	return false
}

func isPodOf(pod, datacenter string) bool {
	of, _, is := strings.Cut(pod, ".")
	return is && strings.EqualFold(of, datacenter)
}

// byEnd is the order of end dates, the unknown last; then of names.
func byEnd(a, b Server) int {
	unknown := func(s Server) int {
		if s.Ends.IsZero() {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(unknown(a), unknown(b)), a.Ends.Compare(b.Ends), cmp.Compare(a.name(), b.name()), cmp.Compare(a.ID, b.ID))
}

// grouped puts each server into one group: that of its tag which most of the servers have, the first by
// name of several, or of its data center if it has no tag. The group with the earliest end comes first.
func grouped(servers []Server) []Group {
	have := map[string]int{}
	for _, s := range servers {
		for _, tag := range s.Tags {
			have[strings.ToLower(tag)]++
		}
	}
	var groups []Group
	for _, s := range servers {
		g := groupOf(s, have)
		i := slices.IndexFunc(groups, func(other Group) bool { return other.Name == g.Name && other.Tagged == g.Tagged })
		if i < 0 {
			i = len(groups)
			groups = append(groups, g)
		}
		groups[i].Servers = append(groups[i].Servers, s)
	}
	return groups
}

func groupOf(s Server, have map[string]int) Group {
	if len(s.Tags) == 0 {
		return Group{Name: s.Datacenter}
	}
	best := ""
	for _, tag := range s.Tags {
		tag = strings.ToLower(tag)
		if best == "" || have[tag] > have[best] || have[tag] == have[best] && tag < best {
			best = tag
		}
	}
	return Group{Name: best, Tagged: true}
}
