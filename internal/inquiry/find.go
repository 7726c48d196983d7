package inquiry

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cancel-server/internal/cancellation"
)

// Servers returns the ids of the servers that a person means by a name or an id. It returns ErrNoServer
// for a name that is on record for none.
func Servers(ctx context.Context, records Records, named string) ([]int64, error) {
	name := cancellation.PlainName(named)
	if id, err := strconv.ParseInt(name, 10, 64); err == nil && id > 0 {
		return []int64{id}, nil
	}
	ids, err := records.ServersNamed(ctx, name)
	if err == nil && len(ids) == 0 {
		err = fmt.Errorf("%q: %w", named, ErrNoServer)
	}
	return ids, err
}

// Requesters returns the people ("TEAM/USER") whom a person means by a name, a Slack user id, or a team
// and a user id. Case does not count. It returns ErrNoPerson if there is nobody.
func Requesters(ctx context.Context, records Records, named string) ([]string, error) {
	people, err := records.People(ctx)
	if err != nil {
		return nil, err
	}
	var found []string
	name := strings.TrimPrefix(strings.TrimSpace(named), "@")
	for _, p := range people {
		id := p.Team + "/" + p.ID
		if slices.ContainsFunc([]string{p.Name, p.ID, id}, func(known string) bool { return strings.EqualFold(known, name) }) {
			found = append(found, id)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%q: %w", named, ErrNoPerson)
	}
	return found, nil
}
