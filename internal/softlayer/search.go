package softlayer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cancel-server/internal/cancellation"
)

// maxSearch bounds the rows of one search, because Slack takes 100 options.
const maxSearch = 100

// Search finds servers for a typeahead, with no more than id, names, addresses and
// data center: digits with dots find addresses that start with them; any other text
// finds host names and domain names that contain it, and digits the server of this
// id too. Capitals do not matter. The exact match comes first, then what starts with
// the text, then the rest, each by name.
//
// Text of fewer than two characters (an id's digits may be fewer), and text with a character that
// no host name has, finds nothing and makes no call. An error may come with servers: one of the
// calls failed, and these are what the others found.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getHardware/
func (c *Client) Search(ctx context.Context, query string, limit int) ([]cancellation.Server, error) {
	s := search{text: strings.ToLower(strings.TrimSpace(query)), limit: min(max(limit, 1), maxSearch)}
	if !searchable(s.text) || len(s.text) < 2 && !s.isNumber() {
		return nil, nil
	}
	rows, err := c.gather(ctx, s.questions(c))
	if err != nil {
		err = fmt.Errorf("searching servers for %q: %w", s.text, err)
	}
	return s.best(rows), err
}

// searchable keeps out of a filter anything that could be an operator: SoftLayer reads one at the
// beginning of a value, and a star anywhere. https://sldn.softlayer.com/article/object-filters/
func searchable(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_", r)
	}) < 0
}

// question is one call of a search.
type question func(context.Context) ([]hardware, error)

// gather makes all calls at once and waits for all of them. It returns one error for any number of
// them.
func (c *Client) gather(ctx context.Context, questions []question) ([]hardware, error) {
	rows := make([][]hardware, len(questions))
	errs := make([]error, len(questions))
	var asked sync.WaitGroup
	for i, ask := range questions {
		asked.Go(func() { rows[i], errs[i] = ask(ctx) })
	}
	asked.Wait()
	return slices.Concat(rows...), cmp.Or(errs...)
}

// search is one query of a person.
type search struct {
	text  string // lower case, searchable
	limit int
}

func (s search) isNumber() bool { return strings.Trim(s.text, "0123456789") == "" }

func (s search) isAddress() bool {
	return strings.Trim(s.text, "0123456789.") == "" && strings.Contains(s.text, ".")
}

// questions are the calls to make. SoftLayer joins the conditions of one filter by "and", so each
// property needs a call of its own. It also cuts each list in its own order, so the exact match has
// a call in which nothing else can crowd it out.
func (s search) questions(c *Client) []question {
	ask := func(property, operation string) question {
		return func(ctx context.Context) ([]hardware, error) { return c.list(ctx, property, operation, s.limit) }
	}
	hostname, _, dotted := strings.Cut(s.text, ".")
	switch {
	case s.isNumber():
		return []question{s.byID(c), ask("hostname", "^= "+s.text), ask("hostname", "*= "+s.text)}
	case s.isAddress():
		starts := []question{ask("primaryIpAddress", "^= "+s.text), ask("primaryBackendIpAddress", "^= "+s.text)}
		if _, err := netip.ParseAddr(s.text); err != nil {
			return starts
		}
		return append(starts, ask("primaryIpAddress", s.text), ask("primaryBackendIpAddress", s.text))
	case dotted && hostname != "":
		return []question{
			ask("fullyQualifiedDomainName", "_= "+s.text), ask("fullyQualifiedDomainName", "*= "+s.text), ask("hostname", "$= "+hostname),
		}
	}
	return []question{
		ask("hostname", "_= "+s.text), ask("hostname", "^= "+s.text), ask("fullyQualifiedDomainName", "*= "+s.text),
	}
}

// byID reads the server of this id, if there is one.
func (s search) byID(c *Client) question {
	return func(ctx context.Context) ([]hardware, error) {
		id, err := strconv.ParseInt(s.text, 10, 64)
		if err != nil || id <= 0 {
			return nil, nil // too long for an id
		}
		var found hardware
		err = c.read(ctx, id, lightMask, &found)
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return []hardware{found}, nil
	}
}

// best returns the rows that match the text, each server once, the nearest first. A row that does
// not match came because SoftLayer ignored the filter.
func (s search) best(rows []hardware) []cancellation.Server {
	slices.SortFunc(rows, func(x, y hardware) int {
		return cmp.Or(cmp.Compare(s.distance(x), s.distance(y)), cmp.Compare(x.FQDN, y.FQDN), cmp.Compare(x.ID, y.ID))
	})
	var servers []cancellation.Server
	for _, row := range slices.CompactFunc(rows, func(x, y hardware) bool { return x.ID == y.ID }) {
		if s.distance(row) < noMatch && len(servers) < s.limit {
			servers = append(servers, row.server())
		}
	}
	return servers
}

// How close a server is to the text, the closest first.
const (
	exactMatch = iota
	prefixMatch
	insideMatch
	noMatch
)

func (s search) distance(h hardware) int {
	names := []string{strings.ToLower(string(h.Hostname)), strings.ToLower(string(h.FQDN))}
	if s.isAddress() {
		names = []string{string(h.PublicIP), string(h.PrivateIP)}
	}
	matches := func(how func(name, text string) bool) bool {
		return slices.ContainsFunc(names, func(name string) bool { return how(name, s.text) })
	}
	switch {
	case strconv.FormatInt(h.ID, 10) == s.text, slices.Contains(names, s.text):
		return exactMatch
	case matches(strings.HasPrefix):
		return prefixMatch
	case !s.isAddress() && matches(strings.Contains):
		return insideMatch
	}
	return noMatch
}
