package policytool

import (
	"context"
	"fmt"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// People are the people of a workspace as one policy sees them.
type People struct {
	Policy    *authz.Policy
	Home      string // the team or enterprise that the bot is installed in
	Directory Directory
	// RetryAfter returns how long Slack asks to wait; limited is false for any other error.
	RetryAfter func(error) (pause time.Duration, limited bool)
}

// Directory reads people and groups from Slack.
type Directory interface {
	cancellation.Directory
	// Unlisted reads which of these groups Slack does not list, or not with their members.
	Unlisted(ctx context.Context, groups []string, maxAge time.Duration) ([]string, error)
}

// principal reads one person.
func (p *People) principal(ctx context.Context, user string) (authz.Principal, error) {
	return patiently(ctx, p, func() (authz.Principal, error) {
		return p.Directory.Principal(ctx, cancellation.Person{ID: user}, p.Policy.GroupIDs(), cancellation.MaxPrincipalAge)
	})
}

// patiently reads from Slack, and tries again after each pause that Slack asks for.
func patiently[T any](ctx context.Context, p *People, read func() (T, error)) (T, error) {
	for {
		value, err := read()
		pause, limited := p.RetryAfter(err)
		if !limited {
			return value, err
		}
		select {
		case <-time.After(max(pause, time.Second)):
		case <-ctx.Done():
			return value, fmt.Errorf("waiting as Slack asked: %w", ctx.Err())
		}
	}
}

// flagsOf names the facts about a person that keep every policy from allowing anything.
func flagsOf(who authz.Principal) []string {
	var flags []string
	for _, flag := range []struct {
		is   bool
		name string
	}{{who.Guest, "guest"}, {who.Bot, "bot"}, {who.Deactivated, "deactivated"}, {who.Stranger, "stranger"}} {
		if flag.is {
			flags = append(flags, flag.name)
		}
	}
	return flags
}
