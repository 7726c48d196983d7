package report

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
)

// MaxGroups bounds how many tags, data centers or people a report has a group for. What comes after
// that is added up in one group, [Others].
const MaxGroups = 5000

// Names of groups that no tag, data center or person has.
const (
	None   = "(none)"     // the server has no tag
	Unread = "(not read)" // the key could not see it
	Others = "(others)"
)

// Kind is what the rows of a group have in common. The words stand in CSV and JSON.
type Kind string

// The kinds of groups.
const (
	All          Kind = "all"
	ByDatacenter Kind = "datacenter"
	ByTag        Kind = "tag"
	ByPerson     Kind = "person"
)

// Sum is some servers and what they cost.
type Sum struct {
	Count   int
	Unknown int // of Count, those whose cost the key could not see: they are not in Amount
	amount  big.Rat
}

// Amount returns the exact sum, as [Amount] writes it.
func (s *Sum) Amount() string { return Amount(&s.amount) }

// Left is what servers left behind, and what that costs a month, as it was when each was gone.
type Left struct {
	Sum         // the things that are certainly billed on
	NotRead int // servers of which this was not read, or not all of it
}

// Known reports whether anything is known of what these servers left behind. Else the sums are no answer.
func (l *Left) Known(servers int) bool { return l.NotRead < servers || l.Count > 0 || servers == 0 }

// add adds what one server left behind; nil: it was not read.
func (l *Left) add(left *billed.Stays) {
	if left == nil {
		l.NotRead++
		return
	}
	certain := billed.Stays{}
	for _, item := range left.Items {
		if !item.Unread {
			certain.Items = append(certain.Items, item)
		}
	}
	if len(certain.Items) < left.Count() || len(left.Hidden)+len(left.Unread) > 0 {
		l.NotRead++
	}
	sum, _, unknown := certain.Total()
	amount, _ := new(big.Rat).SetString(sum) // decimal text
	l.amount.Add(&l.amount, amount)
	l.Count, l.Unknown = l.Count+certain.Count(), l.Unknown+unknown
}

// Group is the sums over some of the requests.
type Group struct {
	Kind Kind
	ID   string // of a person, TEAM/USER; "" for the others
	Name string

	Requested int  // filed at SoftLayer in the month
	Gone      Sum  // gone in the month, with their cost a month
	Late      Sum  // of Gone, those billed longer because a cut-off was missed, with what that cost
	Left      Left // what those of Gone left behind
	Year      Sum  // gone since the year began, with what they have saved until the month's end
}

// Report is the sums of one month.
type Report struct {
	Month Month
	AsOf  time.Time
	Group // over all

	people bool
	groups map[Kind]map[string]*Group
}

// New returns the empty report of a month. With people it has a group for each person too.
func New(month Month, asOf time.Time, people bool) *Report {
	r := &Report{Month: month, AsOf: asOf, Group: Group{Kind: All}, people: people, groups: map[Kind]map[string]*Group{}}
	for _, kind := range []Kind{ByDatacenter, ByTag, ByPerson} {
		r.groups[kind] = map[string]*Group{}
	}
	return r
}

// AddRequested counts a request that was filed in the month.
func (r *Report) AddRequested(request cancellation.Request) {
	for _, g := range r.groupsOf(request) {
		g.Requested++
	}
}

// AddGone counts a request whose server was gone in the month's year, until the month's end. The cost
// is that of the server's card: the price when it was asked for. left is what was still billed once the
// server was gone; nil: that was not read.
func (r *Report) AddGone(request cancellation.Request, left *billed.Stays) {
	gone := MonthOf(request.Since)
	fee, known := new(big.Rat).SetString(request.Submission.Card.Server.MonthlyFee())
	late := int64(request.MonthsLate())
	for _, g := range r.groupsOf(request) {
		g.Year.add(fee, known, r.Month.Number()-gone.Number()+1)
		if !r.inMonth(request) {
			continue
		}
		g.Gone.add(fee, known, 1)
		g.Left.add(left)
		if late > 0 {
			g.Late.add(fee, known, late)
		}
	}
}

// inMonth reports whether a server was gone in the report's month.
func (r *Report) inMonth(request cancellation.Request) bool { return MonthOf(request.Since) == r.Month }

// add adds a server that costs a fee for some months.
func (s *Sum) add(fee *big.Rat, known bool, months int64) {
	s.Count++
	if !known {
		s.Unknown++
		return
	}
	s.amount.Add(&s.amount, new(big.Rat).Mul(fee, new(big.Rat).SetInt64(months)))
}

// groupsOf returns every group that a request belongs to.
func (r *Report) groupsOf(request cancellation.Request) []*Group {
	s, by := request.Submission.Card.Server, request.Submission.By
	groups := []*Group{&r.Group, r.group(ByDatacenter, cmp.Or(s.Datacenter, Unread), "")}
	for _, tag := range tagsOf(s) {
		groups = append(groups, r.group(ByTag, tag, ""))
	}
	if r.people {
		id := by.Team + "/" + by.ID
		if by.ID == "" {
			id = ""
		}
		groups = append(groups, r.group(ByPerson, cmp.Or(by.Name, id, Unread), id))
	}
	return groups
}

// tagsOf returns a server's tags once each, in lower case: tags compare without case.
func tagsOf(s cancellation.Server) []string {
	switch {
	case !s.TagsKnown:
		return []string{Unread}
	case len(s.Tags) == 0:
		return []string{None}
	}
	var tags []string
	for _, tag := range s.Tags {
		if tag = strings.ToLower(tag); !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags
}

// group returns the group of a name, or of an id that people have in addition. The name shown is the
// last one.
func (r *Report) group(kind Kind, name, id string) *Group {
	groups, key := r.groups[kind], cmp.Or(id, name)
	if groups[key] == nil && len(groups) >= MaxGroups {
		key, name, id = Others, Others, ""
	}
	if groups[key] == nil {
		groups[key] = &Group{Kind: kind, ID: id}
	}
	groups[key].Name = name
	return groups[key]
}

// Groups returns the groups of a kind, those that save most first.
func (r *Report) Groups(kind Kind) []*Group {
	if kind == All {
		return []*Group{&r.Group}
	}
	groups := make([]*Group, 0, len(r.groups[kind]))
	for _, g := range r.groups[kind] {
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b *Group) int {
		return cmp.Or(b.Gone.amount.Cmp(&a.Gone.amount), b.Year.amount.Cmp(&a.Year.amount),
			cmp.Compare(b.Requested, a.Requested), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return groups
}

// Kinds returns the kinds of groups that the report has, in the order in which it shows them.
func (r *Report) Kinds() []Kind {
	kinds := []Kind{All, ByDatacenter, ByTag}
	if r.people {
		kinds = append(kinds, ByPerson)
	}
	return kinds
}

// Amount writes an exact amount with two to four decimals: fees have at most four.
func Amount(amount *big.Rat) string {
	whole, decimals, _ := strings.Cut(amount.FloatString(4), ".")
	return whole + "." + decimals[:2] + strings.TrimRight(decimals[2:], "0")
}
