package fakesoftlayer

import (
	"fmt"
	"strconv"
	"strings"
)

// server is one SoftLayer_Hardware_Server and what else the account knows about it.
type server struct {
	tree tree
	// plain is a server grown with nothing special about it.
	plain bool
	// removed is a server that is gone: 404 to everybody.
	removed bool
	// blockedBy is a closed ticket that still blocks new ones, 0 if none.
	// https://github.com/softlayer/softlayer-api-php-client/issues/23
	blockedBy int64
}

// visibleServer is a server that exists and that the key may see.
func (a *Account) visibleServer(id int64) (*server, error) {
	s := a.servers[id]
	if s == nil || s.removed || !a.key.sees(id) {
		return nil, errNotFound(id)
	}
	return s, nil
}

// visibleServers are all servers that the key may see, by id.
func (a *Account) visibleServers() []any {
	list := make([]any, 0, len(a.serverIDs))
	sees := a.key.sight()
	for _, id := range a.serverIDs {
		if s := a.servers[id]; !s.removed && sees(id) {
			list = append(list, s.tree)
		}
	}
	return list
}

// standing is the open cancellation ticket of a server, no matter who may see it.
func (a *Account) standing(server int64) *ticket {
	for _, id := range a.ticketIDs {
		if t := a.tickets[id]; t.server == server && t.cancels && t.closed.IsZero() {
			return t
		}
	}
	return nil
}

// blocking is the ticket that refuses another cancellation ticket, 0 if none.
func (a *Account) blocking(s *server) int64 {
	if t := a.standing(number(s.tree["id"])); t != nil {
		return number(t.tree["id"])
	}
	return s.blockedBy
}

// matches tells whether a server is meant by an id, or by a part of a name or
// of an address; an empty query means every server.
func (s *server) matches(query string) bool {
	query = strings.ToLower(strings.TrimSpace(query))
	if fmt.Sprint(s.tree["id"]) == query {
		return true
	}
	for _, name := range []string{"fullyQualifiedDomainName", "primaryIpAddress", "primaryBackendIpAddress"} {
		if text, ok := s.tree[name].(string); ok && strings.Contains(strings.ToLower(text), query) {
			return true
		}
	}
	return false
}

// found are the servers that are not gone and that a query means.
func (a *Account) found(query string) []*server {
	list := []*server{}
	for _, id := range a.serverIDs {
		if s := a.servers[id]; !s.removed && s.matches(query) {
			list = append(list, s)
		}
	}
	return list
}

// number reads an id of a tree, whether it was grown or patched in; 0 if it is none.
func number(value any) int64 {
	if n, ok := value.(int64); ok {
		return n
	}
	n, err := strconv.ParseInt(fmt.Sprint(value), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
